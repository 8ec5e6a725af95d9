"""Signatures of outgoing mail, verified by dkimpy: an implementation of RFC 6376 and RFC 8463 that is not ours."""

import json
import pathlib
import re
import smtplib
import subprocess
import tempfile
import time

import imaplib

from server import Server

# Debian's dkimpy belongs to Debian's Python, which need not be the one that runs this.
VERIFIER = """
import json, sys, dkim
message, records = sys.stdin.buffer.read(), json.loads(sys.argv[1])
look_up = lambda name, timeout=5: records[name.decode().rstrip(".")].encode()
count = sum(1 for name, _ in dkim.DKIM(message).headers if name.lower() == b"dkim-signature")
print(json.dumps([bool(dkim.DKIM(message).verify(idx=at, dnsfunc=look_up)) for at in range(count)]))
"""

MESSAGES = {
    "plain": b"From: Alice <alice@a.example>\r\nTo: bob@there.example\r\nSubject:  two  spaces\r\n\r\nHello \r\n\r\n\r\n",
    "folded": b"From: Alice\r\n\t<alice@a.example>\r\nTo: bob@there.example,\r\n  carl@there.example\r\nTo: x@y\r\n\r\n.\r\n",
    "empty": b"From: alice@a.example\r\nTo: bob@there.example\r\n\r\n",
    "eight": "From: alice@a.example\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
             "Content-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n".encode(),
    "large": b"From: alice@a.example\r\nSubject: large\r\n\r\n" + b"0123456789 \r\n" * 100_000,
}


def verified(message: bytes, records: dict[str, str]) -> list[bool]:
    command = ["/usr/bin/python3", "-c", VERIFIER, json.dumps(records)]
    ran = subprocess.run(command, input=message, capture_output=True, timeout=60)
    assert ran.returncode == 0, ran.stderr.decode()
    return json.loads(ran.stdout)


def newest(server: Server, user: str, count: int) -> bytes:
    until = time.monotonic() + 20
    while True:
        box = imaplib.IMAP4("127.0.0.1", server.port["imap"])
        box.login(user, "any")
        if int(box.select("INBOX", readonly=True)[1][0]) >= count:
            octets = box.fetch(str(count), "BODY.PEEK[]")[1][0][1]
            box.logout()
            return octets
        box.logout()
        assert time.monotonic() < until, f"message {count} did not come"
        time.sleep(0.05)


def dkimpy_verifies_what_we_sign(server: Server) -> None:
    with tempfile.TemporaryDirectory() as directory:
        keys, records = "", {}
        for selector, kind in (("r1", "rsa"), ("e1", "ed25519")):
            file = str(pathlib.Path(directory) / f"{selector}.pem")
            made = subprocess.run([str(server.binary), "dkim", "keygen", "--domain", "a.example", "--selector", selector,
                                   "--algorithm", kind, "--out", file], capture_output=True, text=True, check=True)
            record, lines = made.stdout.split("\n\n", 1)
            keys += lines
            records[f"{selector}._domainkey.a.example"] = "".join(re.findall(r'"([^"]*)"', record))
        config = f"""
            host_name = "mx.a.example"
            domains = ["a.example"]
            [relay]
            mta_sts = false
            networks = ["127.0.0.1"]
            [[relay.routes]]
            domain = "there.example"
            next_hop = "[127.0.0.1]:{server.port['smtp']}"
            tls = "none"
            {keys}"""
        ours = Server(server.binary, config)
        try:
            for count, (name, message) in enumerate(MESSAGES.items(), 1):
                with smtplib.SMTP("127.0.0.1", ours.port["smtp"], timeout=30) as client:
                    client.ehlo("client.example")
                    client.mail("alice@a.example", ["BODY=8BITMIME"] if name == "eight" else [])
                    client.rcpt("bob@there.example")
                    code, reply = client.data(message)
                    assert code == 250, (name, code, reply)
                came = newest(server, "bob@there.example", count)
                assert verified(came, records) == [True, True], (name, came[:2000])
                changed = came.replace(b"alice", b"mallory")
                assert False in verified(changed, records), name
        finally:
            assert ours.stop() == 0


CHECKS = [dkimpy_verifies_what_we_sign]
