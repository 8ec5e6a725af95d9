"""Postfix as the other mail server: mail both ways, over TLS, with logins, reports and the queue between."""

import email
import email.message
import email.policy
import smtplib
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager

import postfix
from checks_clients import command
from checks_python import body, imap
from server import Server, corpus

ALICE, PASSWORD = "alice@pillarbox.example", "s3cret pickles"
CONFIG = """\
host_name = "mx.pillarbox.example"
domains = ["pillarbox.example"]

[tls]
certificate = "{home}/config/cert.pem"
key = "{home}/config/key.pem"

[relay]
any_author = true  # the corpus has authors of its own
first_retry_s = 1
retry_max_s = 2

[[relay.routes]]
domain = "{domain}"
next_hop = "[127.0.0.1]:{port}"
"""


@contextmanager
def both(other: Server) -> Iterator[tuple[Server, postfix.Postfix]]:
    """A Pillarbox and a Postfix that know the way to each other."""
    port = postfix.free_port()
    to_us = f"pillarbox.example smtp:[127.0.0.1]:{port}"
    peer = postfix.Postfix([to_us], more="smtp_tls_security_level = may\n")
    try:
        config = CONFIG.format(domain=postfix.DOMAIN, port=peer.port, home=peer.home)
        ours = Server(other.binary, config, {ALICE: PASSWORD, "bob@pillarbox.example": "ketchup"}, ports={"smtp": port})
        try:
            yield ours, peer
        finally:
            log = (ours.directory / "log").read_text()
            assert ours.stop() == 0 and " ERROR " not in log and "panicked" not in log, log[-3000:]
    finally:
        peer.stop()


def submit(server: Server, to: list[str], octets: bytes, mail: list[str] = (), rcpt: list[str] = ()) -> None:
    """As a user agent does it: over TLS, with a login."""
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP("127.0.0.1", server.port["submission"], timeout=30) as client:
        client.starttls(context=anyone)
        client.login(ALICE, PASSWORD)
        refused = client.sendmail(ALICE, to, octets, mail_options=mail, rcpt_options=rcpt)
        assert not refused, refused


def inbox(server: Server, count: int, within_s: float = 60) -> list[bytes]:
    """Alice's mail, once there are at least `count` messages."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        box = imap(server, ALICE, password=PASSWORD)
        uids = box.uid("SEARCH", "ALL")[1][0].split()
        found = [body(box, uid.decode()) for uid in uids] if len(uids) >= count else []
        box.logout()
        if found or not count:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{count} messages did not come to {ALICE}: {(server.directory / 'log').read_text()[-3000:]}")


def report(octets: bytes) -> tuple[email.message.Message, email.message.Message]:
    """A delivery report (RFC 3464): the whole, and the fields of its first recipient."""
    whole = email.message_from_bytes(octets, policy=email.policy.default)
    assert whole.get_content_type() == "multipart/report" and whole.get_param("report-type") == "delivery-status", whole
    status = [part for part in whole.walk() if part.get_content_type() == "message/delivery-status"]
    assert len(status) == 1, whole
    return whole, status[0].get_payload()[1]


def sample(subject: str) -> bytes:
    return f"From: {ALICE}\r\nTo: bob@{postfix.DOMAIN}\r\nSubject: {subject}\r\n\r\nDo you like ketchup?\r\n.dot\r\n".encode()


def normal(octets: bytes) -> bytes:
    """A message as lines of any kind, without the trace fields that its way put on top of it."""
    return octets.replace(b"\r\n", b"\n")


def postfix_receives_from_us(server: Server) -> None:
    with both(server) as (ours, peer):
        submit(ours, [f"bob@{postfix.DOMAIN}"], sample("to Postfix"))
        (arrived,) = peer.mail("bob")
        assert normal(arrived).endswith(normal(sample("to Postfix").split(b"\r\n\r\n", 1)[1])), arrived
        # Exactly one Return-Path, which Postfix put there at final delivery.
        assert normal(arrived).lower().count(b"\nreturn-path:") + arrived.lower().startswith(b"return-path:") == 1, arrived
        assert "TLS connection established from" in peer.log() or b"with ESMTPS" in arrived, "it went in the clear"
        # The corpus, as far as a user agent may submit it.
        entries = [entry for entry in corpus() if b"\0" not in entry["octets"] and len(entry["octets"]) < 200_000][:30]
        for entry in entries:
            submit(ours, [f"dave@{postfix.DOMAIN}"], entry["octets"])
        peer.mail("dave", len(entries))


def postfix_sends_to_us(server: Server) -> None:
    with both(server) as (ours, peer):
        with smtplib.SMTP("127.0.0.1", peer.port, timeout=30) as client:
            for number in range(20):
                client.sendmail(f"bob@{postfix.DOMAIN}", [ALICE], sample(f"from Postfix {number}"))
        arrived = inbox(ours, 20)
        subjects = {email.message_from_bytes(octets)["Subject"] for octets in arrived}
        assert subjects == {f"from Postfix {number}" for number in range(20)}, subjects
        assert all(b"with ESMTPS" in octets for octets in arrived), "Postfix was not offered TLS"
        assert not ours.protocol_errors("smtp", set())


def unknown_recipient_at_postfix_bounces(server: Server) -> None:
    with both(server) as (ours, peer):
        submit(ours, [f"nobody@{postfix.DOMAIN}", f"bob@{postfix.DOMAIN}"], sample("half"))
        peer.mail("bob")
        whole, recipient = report(inbox(ours, 1)[0])
        assert recipient["Action"] == "failed" and recipient["Status"].startswith("5."), recipient
        assert f"nobody@{postfix.DOMAIN}" in recipient["Final-Recipient"] and "550" in recipient["Diagnostic-Code"], recipient
        assert whole["Auto-Submitted"] == "auto-replied" and b"Return-Path: <>" in inbox(ours, 1)[0]
        time.sleep(3)
        assert len(inbox(ours, 1)) == 1, "more than one bounce"


def postfix_down_and_up_again(server: Server) -> None:
    with both(server) as (ours, peer):
        config = str(peer.home / "config")
        postfix.run("postfix", "-c", config, "stop")
        submit(ours, [f"bob@{postfix.DOMAIN}"], sample("later"))
        time.sleep(3)
        waiting = ours.run("queue", "list").decode()
        assert f"bob@{postfix.DOMAIN}" in waiting or postfix.DOMAIN in waiting, waiting
        postfix.run("postfix", "-c", config, "start")
        peer.mail("bob")
        time.sleep(1)
        assert postfix.DOMAIN not in ours.run("queue", "list").decode()


def reports_of_success_cross_both_ways(server: Server) -> None:
    with both(server) as (ours, peer):
        submit(ours, [f"erin@{postfix.DOMAIN}"], sample("tell me"), ["RET=HDRS", "ENVID=QQ314159"], ["NOTIFY=SUCCESS,FAILURE", f"ORCPT=rfc822;Erin@{postfix.DOMAIN}"])
        peer.mail("erin")
        whole, recipient = report(inbox(ours, 1)[0])
        assert recipient["Action"] == "delivered" and "QQ314159" in whole.as_string(), whole
        assert f"Erin@{postfix.DOMAIN}" in recipient["Original-Recipient"], recipient
        # The other way: Postfix asks us, and our report reaches its user.
        with smtplib.SMTP("127.0.0.1", peer.port, timeout=30) as client:
            client.ehlo()
            client.sendmail(f"bob@{postfix.DOMAIN}", [ALICE], sample("and me"), ["RET=HDRS", "ENVID=back"], ["NOTIFY=SUCCESS"])
        _, recipient = report(peer.mail("bob")[0])
        assert recipient["Action"] == "delivered" and ALICE in recipient["Final-Recipient"], recipient


def every_mechanism_at_postfix(server: Server) -> None:
    with both(server) as (ours, peer):
        password = ours.directory / "password"
        password.write_text(postfix.PASSWORD)
        for number, mechanism in enumerate(("PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256"), 1):
            message = sample(mechanism)
            words = ["send", "--server", f"127.0.0.1:{peer.port}", "--tls", "opportunistic", "--user", postfix.USER,
                     "--password-file", str(password), "--mechanism", mechanism, "--from", ALICE,
                     "--to", f"carol@{postfix.DOMAIN}", "--message", "-"]
            command(ours, str(ours.binary), *words, stdin=message)
            peer.mail("carol", number)
            assert f"sasl_method={mechanism}" in peer.log(), mechanism


CHECKS = [
    postfix_receives_from_us,
    postfix_sends_to_us,
    unknown_recipient_at_postfix_bounces,
    postfix_down_and_up_again,
    reports_of_success_cross_both_ways,
    every_mechanism_at_postfix,
]
