#!/usr/bin/env python3
"""Faults on purpose, seen through real sockets: every phase with every action, set by flag, file and HTTP."""

import http.client
import imaplib
import json
import pathlib
import poplib
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import runner
from server import Server

ALICE, BOB = "alice@crepes.fr", "bob@hamburger.edu"
MESSAGE = b"Subject: ketchup\r\n\r\nDo you like ketchup?\r\n"


class Faulty(Server):
    """A server whose faults are set over HTTP."""

    def http(self, method: str, path: str, body=None, content_type="application/json", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port["http"], timeout=20)
        if content_type == "application/json" and body is not None:
            body = json.dumps(body)
        connection.request(method, path, body, {"Content-Type": content_type} | headers)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, text

    def set(self, *rules: str, seed=None) -> None:
        status, text = self.http("PUT", "/api/faults", {"faults": list(rules), "seed": seed})
        assert status == 200, text

    def hits(self) -> list[int]:
        return [fault["hits"] for fault in json.loads(self.http("GET", "/api/faults")[1])["faults"]]

    def smtp(self, **options) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.port["smtp"], "crepes.fr", timeout=20, **options)

    def mails(self, account: str) -> int:
        self.set()
        reader = imaplib.IMAP4("127.0.0.1", self.port["imap"], timeout=20)
        reader.login(account, "any")
        count = int(reader.select("INBOX")[1][0])
        reader.logout()
        return count


class Accounts(Faulty):
    """A server with accounts, and without a certificate."""

    SERVICES = ("smtp", "pop3", "imap", "http")


# Each phase with what a client has to do to come there; the last of it is what the fault meets.
def connect(client):
    pass


def ehlo(client):
    return client.ehlo()


def helo(client):
    return client.helo()


def auth(client):
    ehlo(client)
    return client.docmd("AUTH", "PLAIN AGFubgB4")


def mail(client):
    ehlo(client)
    return client.mail(ALICE)


def rcpt(client):
    mail(client)
    return client.rcpt(BOB)


def data(client):
    rcpt(client)
    return client.docmd("DATA")


def text(client):
    data(client)
    client.send(MESSAGE + b".\r\n")
    return client.getreply()


def quit(client):
    ehlo(client)
    return client.docmd("QUIT")


PHASES = [
    ("after=connect", connect), ("verb=EHLO", ehlo), ("verb=AUTH", auth), ("after=login", auth),
    ("verb=MAIL", mail), ("verb=RCPT", rcpt), ("verb=DATA", data), ("after=end-of-data", text),
    ("after=commit", text), ("verb=QUIT", quit),
]


def talk(server, steps):
    """What the last step was answered, and how long all of it took."""
    start = time.monotonic()
    try:
        client = smtplib.SMTP(timeout=20, local_hostname="crepes.fr")
        reply = client.connect("127.0.0.1", server.port["smtp"])
        if reply[0] == 220:
            reply = steps(client) or reply
        client.close()
    except (smtplib.SMTPServerDisconnected, ConnectionError):
        reply = None
    return reply, time.monotonic() - start


def every_phase_replies(server):
    for when, steps in PHASES:
        server.set(f"smtp/{when}/reply=471 4.7.1 on purpose")
        code, words = talk(server, steps)[0]
        # The login's own code is kept: a fault there is a refused login.
        expected = (454, b"4.7.0 on purpose") if when == "after=login" else (471, b"4.7.1 on purpose")
        assert (code, words) == expected, (when, code, words)
        assert server.hits() == [1], when


def every_phase_replies_421_and_closes(server):
    for when, steps in PHASES:
        if when == "after=login":
            continue
        server.set(f"any/{when}/reply=421 4.3.2 gone")

        def then(client):
            reply = steps(client)
            if reply is not None:
                assert reply == (421, b"4.3.2 gone"), (when, reply)
                return client.docmd("NOOP")

        reply = talk(server, then)[0]
        assert reply is None or when == "after=connect" and reply == (421, b"4.3.2 gone"), (when, reply)


def every_phase_drops(server):
    for when, steps in PHASES:
        server.set(f"any/{when}/drop")
        assert talk(server, steps)[0] is None, when
        assert server.hits() == [1], when


def every_phase_delays(server):
    for when, steps in PHASES:
        server.set(f"any/{when}/delay=300ms")
        reply, seconds = talk(server, steps)
        assert reply[0] in (220, 221, 235, 250, 354), (when, reply)
        assert 0.3 <= seconds < 5, (when, seconds)
        assert server.hits() == [1], when


def every_phase_throttles(server):
    for when, steps in PHASES:
        server.set(f"any/{when}/rate=200")
        reply, seconds = talk(server, steps)
        assert reply[0] in (220, 221, 235, 250, 354), (when, reply)
        # Even the shortest reply has more than 20 octets.
        assert seconds >= 0.1, (when, seconds)


def every_phase_garbles(server):
    # A client takes a reply's code from its last line, and EHLO's has several.
    for when, steps in [(when, steps if steps is not ehlo else helo) for when, steps in PHASES]:
        server.set(f"any/{when}/corrupt=1")
        try:
            code = talk(server, steps)[0][0]
        except smtplib.SMTPConnectError as error:
            code = error.smtp_code
        # The lowest bit of the first digit: 2 becomes 3, and 3 becomes 2.
        assert code in (320, 321, 335, 350, 254), (when, code)


def lines_end_with_lf_alone(server):
    server.set("any/always/lf-only", "any/always/chunk=1")
    with socket.create_connection(("127.0.0.1", server.port["smtp"]), timeout=20) as plain:
        plain.sendall(b"")
        said = plain.recv(1000)
        while not said.endswith(b"\n"):
            said += plain.recv(1000)
        assert b"\r" not in said and said.startswith(b"220 "), said


def down_and_refused(server):
    server.set("any/always/down")
    assert talk(server, connect)[0] is None
    server.set("any/always/refuse")
    assert talk(server, connect)[0][0] == 421


def text_is_cut_in_the_middle(server):
    server.set("any/octet=100000/drop")
    big = MESSAGE + b"x" * 70 + b"\r\n"

    def steps(client):
        data(client)
        client.send(big + b"words of a long message\r\n" * 10000 + b".\r\n")
        return client.getreply()

    assert talk(server, steps)[0] is None
    assert server.hits() == [1]
    assert talk(server, text)[0][0] == 250, "a short one never comes to that octet"
    assert server.mails(BOB) >= 1


def a_lost_250_doubles_the_mail(server):
    account = "carol@hamburger.edu"
    for when, copies in (("after=end-of-data", 1), ("after=commit", 2)):
        before = server.mails(account)
        server.set(f"any/{when},nth=1/drop")
        for _ in range(2):
            try:
                with server.smtp() as client:
                    client.sendmail(ALICE, account, MESSAGE)
                break
            except smtplib.SMTPServerDisconnected:
                pass
        assert server.mails(account) - before == copies, when


def senders_recipients_and_counts_match(server):
    server.set("any/to=b?b@*,nth=1..2/reply=452 4.2.2 full", "any/sender=eve@*/reply=550 5.7.1 not you")
    with server.smtp() as client:
        client.ehlo()
        assert client.mail("eve@crepes.fr")[0] == 550
        assert client.mail(ALICE)[0] == 250
        assert [client.rcpt(to)[0] for to in (BOB, "rob@hamburger.edu", BOB, BOB)] == [452, 250, 452, 250]
    listed = json.loads(server.http("GET", "/api/faults")[1])["faults"]
    assert [(fault["matches"], fault["hits"]) for fault in listed] == [(3, 2), (1, 1)], listed


def keywords_are_stripped(server):
    server.set("any/always/hide=SIZE,8BITMIME")
    with server.smtp() as client:
        client.ehlo()
        assert not client.has_extn("size") and not client.has_extn("8bitmime")
        assert client.has_extn("pipelining")
    with smtplib.SMTP("127.0.0.1", server.port["submission"], "crepes.fr", timeout=20) as client:
        client.ehlo()
        assert client.has_extn("starttls")
    server.set("any/always/strip-starttls", "any/verb=RCPT/reply=451 4.3.0 under TLS too")
    with smtplib.SMTP("127.0.0.1", server.port["submission"], "crepes.fr", timeout=20) as client:
        client.ehlo()
        assert not client.has_extn("starttls")
        # Whoever is not fooled is secured all the same.
        assert client.docmd("STARTTLS")[0] == 220
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client.sock = context.wrap_socket(client.sock)
        client.file = None
        client.ehlo()
        client.mail(ALICE)
        assert client.rcpt(BOB) == (451, b"4.3.0 under TLS too")


def a_greylist_is_passed_by_who_comes_again(server):
    server.set("any/always/greylist=700ms")
    tries = []
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with server.smtp() as client:
            client.ehlo()
            client.mail(ALICE)
            tries.append(client.rcpt("grey@hamburger.edu")[0])
        if tries[-1] == 250:
            break
        time.sleep(0.2)
    assert tries[-1] == 250 and set(tries[:-1]) == {451} and len(tries) > 2, tries


def a_mailbox_loses_its_uids(server):
    def opened(account="uids@hamburger.edu"):
        client = imaplib.IMAP4("127.0.0.1", server.port["imap"], timeout=20)
        client.login(account, "any")
        client.select("INBOX")
        return client, int(client.response("UIDVALIDITY")[1][0])

    server.set()
    first, before = opened()
    first.append("INBOX", None, None, MESSAGE)
    server.set("imap/verb=SELECT,nth=2/uidvalidity")
    second, same = opened()
    assert same == before, "the first one was not it"
    third, after = opened()
    assert after > before and server.hits() == [1]
    assert third.uid("search", None, "ALL")[1] == [b"1"], "the messages are the same"
    # UIDs mean the same for the whole of a session: whoever had it open is sent away.
    try:
        kind, words = second.noop()
        assert kind == "BYE", (kind, words)
    except imaplib.IMAP4.abort as error:
        assert any(word in str(error) for word in ("gone", "BYE", "EOF")), error
    fourth, again = opened()
    assert again == after
    for client in (first, second, third, fourth):
        client.shutdown()


def labels_are_moments(server):
    server.set("smtp/after=reply-code,nth=2/drop")
    with socket.create_connection(("127.0.0.1", server.port["smtp"]), timeout=20) as wire:
        assert wire.recv(1000).startswith(b"220 ")
        wire.sendall(b"NOOP\r\nNOOP\r\n")
        heard = b""
        while more := wire.recv(1000):
            heard += more
        assert heard.startswith(b"250 ") and heard.count(b"250 ") <= 2, heard
    assert server.hits() == [1]
    server.set("imap/after=tag,nth=1/delay=700ms")
    # The client's first command is its own: CAPABILITY.
    begun = time.monotonic()
    client = imaplib.IMAP4("127.0.0.1", server.port["imap"], timeout=20)
    assert time.monotonic() - begun >= 0.6 and sum(server.hits()) == 1
    client.logout()
    status, text = server.http("PUT", "/api/faults", {"faults": ["any/after=rply-code/drop"]})
    assert status == 400 and "did you mean `reply-code`" in json.loads(text)["error"], text
    server.set()


def a_rate_slows_a_flood(server):
    server.set("any/verb=MAIL,over=3per1m/reply=421 4.7.0 slow down")
    codes = []
    for _ in range(5):
        with server.smtp() as client:
            client.ehlo()
            codes.append(client.mail(ALICE)[0])
            client.close()
    assert codes == [250, 250, 250, 421, 421], codes


def chances_come_from_the_seed(server):
    def run(seed):
        server.set("any/verb=NOOP,p=0.3/reply=450 4.0.0 chance", seed=seed)
        with server.smtp() as client:
            client.ehlo()
            return [client.noop()[0] for _ in range(60)]

    first = run(7)
    assert first == run(7) and first != run(8)
    assert 5 < first.count(450) < 35, first


def pop3_fails(server):
    server.mails(BOB)

    def pop3():
        client = poplib.POP3("127.0.0.1", server.port["pop3"], timeout=20)
        client.user(BOB)
        client.pass_("any")
        return client

    def fails(rule, act, expected):
        server.set(rule)
        try:
            act()
        except poplib.error_proto as error:
            assert expected in str(error), (rule, error)
        else:
            raise AssertionError(f"{rule}: nothing failed")

    fails("pop3/always/reply=421 [SYS/TEMP] not now", pop3, "[SYS/TEMP] not now")
    fails("pop3/verb=PASS/reply=454 [SYS/TEMP] asleep", pop3, "[SYS/TEMP] asleep")
    fails("any/after=login/reply=535 wrong on purpose", pop3, "wrong on purpose")
    fails("pop3/verb=RETR/reply=450 [SYS/TEMP] disk", lambda: pop3().retr(1), "[SYS/TEMP] disk")
    fails("pop3/verb=STAT/drop", lambda: pop3().stat(), "EOF")
    server.set("pop3/verb=NOOP/delay=300ms", "pop3/verb=STAT/rate=50")
    client = pop3()
    start = time.monotonic()
    client.noop()
    assert time.monotonic() - start >= 0.3
    client.stat()
    client.quit()
    assert server.hits() == [1, 1]


def imap_fails(server):
    def imap():
        client = imaplib.IMAP4("127.0.0.1", server.port["imap"], timeout=20)
        client.login(BOB, "any")
        client.select("INBOX")
        return client

    def fails(rule, act, expected):
        server.set(rule)
        try:
            act()
        except imaplib.IMAP4.error as error:
            assert expected in str(error), (rule, error)
        else:
            raise AssertionError(f"{rule}: nothing failed")

    fails("imap/always/reply=421 [UNAVAILABLE] not now", imap, "[UNAVAILABLE] not now")
    fails("imap/verb=LOGIN/reply=454 [UNAVAILABLE] asleep", imap, "[UNAVAILABLE] asleep")
    fails("any/after=login/reply=535 wrong on purpose", imap, "wrong on purpose")
    server.set("imap/verb=APPEND/full")
    with imap_open(imap) as client:
        kind, words = client.append("INBOX", None, None, MESSAGE)
        assert kind == "NO" and b"[OVERQUOTA]" in words[0], (kind, words)
        assert client.noop()[0] == "OK"
    fails("imap/verb=FETCH/drop", lambda: imap().fetch("1", "(FLAGS)"), "")
    server.set("imap/verb=FETCH/reply=450 [SERVERBUG] disk", "imap/verb=NOOP/delay=300ms")
    with imap_open(imap) as client:
        assert client.uid("FETCH", "1:*", "(FLAGS)")[0] == "NO"
        start = time.monotonic()
        client.noop()
        assert time.monotonic() - start >= 0.3


class imap_open:
    def __init__(self, opened):
        self.client = opened()

    def __enter__(self):
        return self.client

    def __exit__(self, *_):
        self.client.logout()


def requests_are_judged(server):
    server.set("any/verb=QUIT/delay=1ms")
    for body, field in (
        ({"faults": [{"verb": "MAIL", "drop": True}, {"verb": "RCTP", "drop": True}]}, "verb"),
        ({"nth": 0, "drop": True}, "nth"),
        ({"reply": "250 fine"}, "reply"),
        ({"where": "link:a~b", "drop": True}, "where"),
        ({"colour": "red"}, "colour"),
        (["any/always/explode"], "what"),
        ({"faults": 1}, "faults"),
        ({"faults": ["any/always/drop"] * 300}, "faults"),
    ):
        for method in ("POST", "PUT"):
            status, text = server.http(method, "/api/faults", body)
            assert status == 400 and json.loads(text)["field"] == field, (body, status, text)
    status, text = server.http("POST", "/api/faults", "any/verb=MAIL/drop\nany/p=2/drop\n", "text/plain")
    assert status == 400 and json.loads(text) | {"error": ""} == {"error": "", "field": "p", "fault": 2}, text
    assert len(server.hits()) == 1, "a refused request changes nothing"
    status, text = server.http("DELETE", "/api/faults/seven")
    assert status == 404 and json.loads(text)["field"] == "number", text
    status, text = server.http("DELETE", "/api/faults/77")
    assert status == 404 and json.loads(text)["field"] == "number", text
    status, text = server.http("POST", "/api/faults", "any/verb=MAIL/drop", "text/plain", Origin="http://evil.example")
    assert status == 403, text


def lists_are_added_to_and_cleared(server):
    server.set("any/verb=QUIT/delay=1ms", seed=3)
    assert server.http("POST", "/api/faults", {"verb": "NOOP", "reply": "450 4.0.0 x"})[0] == 200
    assert server.http("POST", "/api/faults", "any/verb=HELP/drop", "text/plain")[0] == 200
    status, text = server.http("GET", "/api/faults", Accept="text/plain")
    rules = [line for line in text.splitlines() if not line.startswith("#")]
    assert rules == ["seed=3", "any/verb=QUIT/delay=1ms", "any/verb=NOOP/reply=450 4.0.0 x", "any/verb=HELP/drop"], text
    # What was listed can be set again.
    assert server.http("PUT", "/api/faults", text, "text/plain")[0] == 200
    listed = json.loads(server.http("GET", "/api/faults")[1])
    assert (listed["seed"], len(listed["faults"])) == (3, 3)
    assert server.http("PUT", "/api/faults", listed)[0] == 200
    assert server.http("DELETE", f"/api/faults/{listed['faults'][1]['number']}")[0] == 200
    assert len(server.hits()) == 2
    assert server.http("DELETE", "/api/faults")[0] == 200
    assert server.hits() == []
    with server.smtp() as client:
        assert client.noop()[0] == 250


def chaos_is_mailpits(server):
    server.set("any/verb=HELP/drop")
    chaos = {"Sender": {"ErrorCode": 452, "Probability": 100}, "Recipient": {"Probability": 0}}
    status, text = server.http("PUT", "/api/v1/chaos", chaos)
    assert status == 200, text
    assert json.loads(text) == {
        "Sender": {"ErrorCode": 452, "Probability": 100},
        "Recipient": {"ErrorCode": 451, "Probability": 0},
        "Authentication": {"ErrorCode": 451, "Probability": 0},
    }
    with server.smtp() as client:
        client.ehlo()
        assert client.mail(ALICE)[0] == 452
    status, text = server.http("PUT", "/api/v1/chaos", {"Sender": {"ErrorCode": 250}})
    assert status == 400 and json.loads(text)["field"] == "Sender.ErrorCode", text
    assert server.http("PUT", "/api/v1/chaos", {})[0] == 200
    assert json.loads(server.http("GET", "/api/v1/chaos")[1])["Sender"]["Probability"] == 0
    assert len(server.hits()) == 1, "other faults stay"


def hits_are_told(server):
    server.set("any/verb=RCPT/reply=451 4.7.1 told")
    before = set(server.traces("smtp"))
    with server.smtp() as client:
        rcpt(client)
    until = time.monotonic() + 10
    while time.monotonic() < until:
        new = [text for name, text in server.traces("smtp").items() if name not in before and "S closes" in text]
        if new:
            break
        time.sleep(0.05)
    number = json.loads(server.http("GET", "/api/faults")[1])["faults"][0]["number"]
    line = f"!  fault {number}: any/verb=RCPT/reply=451 4.7.1 told"
    assert line in new[0] and "S: 451 4.7.1 told" in new[0], new
    log = (server.directory / "log").read_text()
    assert any("fault on purpose" in entry and "4.7.1 told" in entry for entry in log.splitlines())
    assert 'pillarbox_faults_total{protocol="smtp"}' in server.http("GET", "/metrics")[1]


def none_strikes_without_rules(server):
    server.set()
    with server.smtp() as client:
        assert client.sendmail(ALICE, BOB, MESSAGE) == {}
    assert server.hits() == []


CHECKS = [
    none_strikes_without_rules, every_phase_replies, every_phase_replies_421_and_closes, every_phase_drops,
    every_phase_delays, every_phase_throttles, every_phase_garbles, lines_end_with_lf_alone, down_and_refused,
    text_is_cut_in_the_middle, a_lost_250_doubles_the_mail, senders_recipients_and_counts_match,
    keywords_are_stripped, a_greylist_is_passed_by_who_comes_again, a_rate_slows_a_flood,
    a_mailbox_loses_its_uids, labels_are_moments,
    chances_come_from_the_seed, pop3_fails, imap_fails, requests_are_judged, lists_are_added_to_and_cleared,
    chaos_is_mailpits, hits_are_told,
]


def flags_and_files(first: Server) -> None:
    """A server begins with the faults of its file and flags; a server profile takes none."""
    binary = first.binary
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "faults"
        file.write_text("# from a file\nseed=5\nany/verb=MAIL,nth=1/reply=451 4.7.1 file\n")
        server = Faulty(binary, flags=["--faults", str(file), "--fault", "any/verb=RCPT/reply=452 4.2.2 flag"])
        try:
            listed = json.loads(server.http("GET", "/api/faults")[1])
            assert listed["seed"] == 5 and [fault["owner"] for fault in listed["faults"]] == ["flags"] * 2
            with server.smtp() as client:
                client.ehlo()
                assert [client.mail(ALICE)[1], client.mail(ALICE)[0], client.rcpt(BOB)[1]] == [
                    b"4.7.1 file", 250, b"4.2.2 flag"]
        finally:
            assert server.stop() == 0
        config = pathlib.Path(directory) / "pillarbox.toml"
        config.write_text('host_name = "mx.hamburger.edu"\ndomains = ["hamburger.edu"]\n')
        common = [str(binary), "serve", "--config", str(config), "--data", directory, "--fault", "any/always/drop"]
        ran = subprocess.run(common, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 2 and "--fault" in ran.stderr and "dev profile" in ran.stderr, ran
        server = Accounts(binary, config.read_text())
        try:
            for method in ("GET", "PUT", "POST", "DELETE"):
                status, text = server.http(method, "/api/faults", [])
                assert status == 403 and "dev profile" in text, (method, status, text)
            assert server.http("GET", "/api/v1/chaos")[0] == 403
        finally:
            assert server.stop() == 0


def main() -> int:
    arguments = runner.parser(__doc__).parse_args()
    checks = [*CHECKS, flags_and_files]
    return runner.run(Faulty(arguments.pillarbox), checks, arguments.only)


if __name__ == "__main__":
    sys.exit(main())
