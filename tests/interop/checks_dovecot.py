"""Mail at somebody else's server: collected from Dovecot by IMAP and POP3, looked at and changed there, and probed."""

import contextlib
import imaplib
import json
import subprocess
import time

from checks_agent import pillarbox
from dovecot import Dovecot
from server import Server

DATE = '"17-Jul-2026 12:34:56 +0200"'


@contextlib.contextmanager
def dovecot():
    there = Dovecot()
    try:
        yield there
    finally:
        there.stop()


@contextlib.contextmanager
def box(host: str, port: int, user: str, password: str):
    found = imaplib.IMAP4(host, port)
    found.login(user, password)
    try:
        yield found
    finally:
        found.logout()


def letter(number: int) -> bytes:
    lines = b"a line of a message\r\n" * (number * 37 % 500)
    return b"From: ann@far.example\r\nSubject: number %d\r\n\r\n.%d\r\n" % (number, number) + lines


def fill(there: Dovecot, numbers) -> None:
    with box("localhost", there.ports["imap"], there.USER, there.PASSWORD) as mailbox:
        for number in numbers:
            flags = r"(\Seen \Flagged $Work)" if number % 2 else "()"
            assert mailbox.append("INBOX", flags, DATE, letter(number))[0] == "OK"


def bodies(host: str, port: int, user: str, password: str) -> list[bytes]:
    with box(host, port, user, password) as mailbox:
        count = int(mailbox.select("INBOX", readonly=True)[1][0])
        return [mailbox.fetch(str(at + 1), "BODY.PEEK[]")[1][0][1] for at in range(count)]


def fetch(server: Server, there: Dovecot, url: str, account: str, *more: str) -> dict:
    ran = pillarbox(server, "fetch", url, "--data", str(server.directory / "data"), "--account", account, "--json",
                    "--ca", there.ca, *more, env={"PILLARBOX_PASSWORD": there.PASSWORD})
    return json.loads(ran.stdout.splitlines()[-1])


def dovecot_is_fetched_from(server: Server) -> None:
    with dovecot() as there:
        fill(there, range(1, 41))
        for scheme in ("imap", "imaps", "pop3", "pop3s"):
            account = f"{scheme}@dovecot.example"
            first = fetch(server, there, there.url(scheme), account)
            assert (first["found"], first["stored"]) == (40, 40), first
            again = fetch(server, there, there.url(scheme), account)
            assert (again["stored"], again["known"]) == (0, 40), again
            here = bodies("127.0.0.1", server.port["imap"], account, "any")
            assert here == [letter(number) for number in range(1, 41)], scheme
        with box("127.0.0.1", server.port["imap"], "imaps@dovecot.example", "any") as mailbox:
            mailbox.select("INBOX", readonly=True)
            row = mailbox.fetch("1", "(FLAGS INTERNALDATE)")[1][0]
            for word in (b"\\Seen", b"\\Flagged", b"$Work"):
                assert word in row, row
            # Dovecot tells every moment in its own zone.
            assert time.mktime(imaplib.Internaldate2tuple(row)) == 1784284496, row
            assert b"$Work" not in mailbox.fetch("2", "FLAGS")[1][0]
        # Deleted there once it is here; a second run finds nothing.
        for scheme in ("imap", "pop3"):
            account = f"{scheme}-all@dovecot.example"
            done = fetch(server, there, there.url(scheme), account, "--delete")
            assert (done["stored"], done["deleted"]) == (40, 40), done
            assert bodies("localhost", there.ports["imap"], there.USER, there.PASSWORD) == []
            assert len(bodies("127.0.0.1", server.port["imap"], account, "any")) == 40
            assert fetch(server, there, there.url(scheme), account, "--delete")["found"] == 0
            fill(there, range(1, 41))


def mail(server: Server, there: Dovecot, *words: str) -> str:
    ran = pillarbox(server, "mail", "--server", there.url("imaps"), "--ca", there.ca, *words,
                    env={"PILLARBOX_PASSWORD": there.PASSWORD})
    return ran.stdout.decode()


def dovecot_is_read_and_changed(server: Server) -> None:
    with dovecot() as there:
        fill(there, range(1, 31))
        rows = lambda *words: [json.loads(line) for line in mail(server, there, *words, "--json").splitlines()]
        uids = lambda *words: [row["uid"] for row in rows(*words)]
        boxes = {row["mailbox"]: row for row in rows("mailboxes")}
        assert (boxes["INBOX"]["messages"], boxes["INBOX"]["unseen"]) == (30, 15), boxes
        assert boxes["Trash"]["uses"] == ["\\Trash"], boxes
        assert uids("list", "--last", "3") == [28, 29, 30]
        assert uids("search", "--unseen", "--subject", "number 2") == [2, 20, 22, 24, 26, 28]
        assert uids("search", "--flag", "$Work", "--before", "2026-07-17") == []
        assert "number 7" in mail(server, there, "read", "7")
        assert mail(server, there, "read", "8", "--raw").encode() == letter(8)
        assert uids("search", "--unseen", "--subject", "number 8") == [], "it was read"
        assert mail(server, there, "flag", "9:10", "+answered", "-flagged") == "2 flagged\n"
        assert uids("search", "--flag", "answered") == [9, 10]
        assert mail(server, there, "move", "1,3", "Trash") == "2 moved to Trash\n"
        assert len(rows("list", "Trash")) == 2
        assert mail(server, there, "delete", "5") == "1 moved to Trash\n"
        assert mail(server, there, "delete", "6", "--now") == "1 deleted\n"
        assert uids("list", "--all") == [2, 4, *range(7, 31)]


def dovecot_is_probed(server: Server) -> None:
    with dovecot() as there:
        for protocol in ("imap", "pop3"):
            for more, port in (((), protocol), (("--starttls",), protocol), (("--implicit",), f"{protocol}s")):
                command = [server.process.args[0], "probe", protocol, f"localhost:{there.ports[port]}", "--ca", there.ca,
                           "--json", "--timeout", "5", *more]
                ran = subprocess.run(command, capture_output=True, timeout=120)
                # 69: some row is bad, which is Dovecot's affair.
                assert ran.returncode in (0, 69), ran.stderr
                verdicts = {row["test"]: row["verdict"] for row in json.loads(ran.stdout)["rows"]}
                known = ["greeting", "certificate", "unknown command", "unknown mechanism"]
                known += ["CAPABILITY", "NOOP", "LOGOUT"] if protocol == "imap" else ["CAPA", "QUIT", "STAT before login"]
                if not more:
                    known += ["command behind STARTTLS" if protocol == "imap" else "command behind STLS"]
                    known += ["STARTTLS" if protocol == "imap" else "STLS"]
                wrong = {name: verdicts.get(name) for name in known if verdicts.get(name) != "good"}
                assert not wrong, (protocol, more, wrong, ran.stdout)


CHECKS = [dovecot_is_fetched_from, dovecot_is_read_and_changed, dovecot_is_probed]
