"""IMAP in depth, with Python's client and with octets typed by hand."""

import imaplib
import re
import socket

from checks_python import imap
from server import Server

MESSAGE = "From: =?utf-8?q?J=C3=B6rg?= <j@x.example>\r\nSubject: {subject}\r\nDate: {date}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"


def fill(server: Server, user: str, count: int = 10) -> imaplib.IMAP4:
    box = imap(server, user)
    for number in range(1, count + 1):
        date = f"{number:02} Jan 2026 12:00:00 +0000"
        text = MESSAGE.format(subject=f"number {number}", date=date, text=f"words grüße {number}")
        status, _ = box.append("INBOX", "", f'"{number:2}-Jan-2026 12:00:00 +0000"', text.encode())
        assert status == "OK"
    box.noop()
    return box


def search(box: imaplib.IMAP4, *keys: str) -> list[int]:
    status, data = box.search(None, *keys)
    assert status == "OK", (keys, data)
    return [int(word) for word in data[0].split()]


def search_finds_what_is_there(server: Server) -> None:
    box = fill(server, "search@hamburger.edu")
    box.store("1:3", "+FLAGS", "(\\Seen $Work)")
    cases = [
        (["ALL"], range(1, 11)), (["SEEN"], range(1, 4)), (["UNSEEN", "2:5"], [4, 5]), (["KEYWORD", "$work"], range(1, 4)),
        (["UNKEYWORD", "$Work"], range(4, 11)), (["SUBJECT", '"number 1"'], [1, 10]), (["FROM", "x.example"], range(1, 11)),
        (["NOT", "SEEN", "SMALLER", "100000"], range(4, 11)), (["OR", "1", "3"], [1, 3]), (["SINCE", "8-Jan-2026"], [8, 9, 10]),
        (["BEFORE", "3-Jan-2026"], [1, 2]), (["ON", "5-Jan-2026"], [5]), (["SENTON", "6-Jan-2026"], [6]),
        (["BODY", '"words"', "9:*"], [9, 10]), (["TEXT", '"NUMBER 7"'], [7]), (["HEADER", "Subject", '""'], range(1, 11)),
        (["HEADER", "X-None", '""'], []), (["LARGER", "100000"], []), (["UID", "2:3"], [2, 3]), (["DELETED"], []),
        (["(OR (SEEN 1) (UNSEEN 10))"], [1, 10]), (["*"], [10]),
    ]
    for keys, expected in cases:
        assert search(box, *keys) == list(expected), (keys, search(box, *keys))
    for charset, text in (("UTF-8", "GRÜSSE 4"), ("ISO-8859-1", "grüße 4")):
        box.literal = text.encode(charset)
        status, data = box.uid("SEARCH", "CHARSET", charset, "BODY")
        # Full case folding makes ß and SS one, simple folding does not: only the second is promised.
        assert status == "OK" and (charset == "UTF-8" or data[0].split() == [b"4"]), (charset, data)
    status, data = box._simple_command("SEARCH", "CHARSET", "X-NONE", "ALL")
    box.logout()


def unknown_charset_is_refused(server: Server) -> None:
    with Typed(server, "charset@hamburger.edu") as typed:
        assert b"BADCHARSET" in typed.say("a SEARCH CHARSET x-none ALL")
        assert typed.say("b SEARCH RETURN (MIN MAX COUNT) ALL").startswith(b'* ESEARCH (TAG "b")')


class Typed:
    """A connection that is typed at; IDLE and other things that Python's client does not know."""

    def __init__(self, server: Server, user: str, mailbox: str = "INBOX"):
        self.socket = socket.create_connection(("127.0.0.1", server.port["imap"]), timeout=10)
        self.file = self.socket.makefile("rb")
        assert self.file.readline().startswith(b"* OK")
        self.say(f"l LOGIN {user} any")
        self.say(f"s SELECT {mailbox}")

    def __enter__(self) -> "Typed":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, text: str) -> None:
        self.socket.sendall(text.encode() + b"\r\n")

    def until(self, start: bytes) -> bytes:
        out = b""
        while True:
            line = self.file.readline()
            assert line, out
            out += line
            if line.startswith(start):
                return out

    def say(self, command: str) -> bytes:
        self.send(command)
        return self.until(command.split()[0].encode() + b" ")


def sessions_see_each_other(server: Server) -> None:
    user = "two@hamburger.edu"
    box = fill(server, user, 3)
    with Typed(server, user) as other:
        other.send("i IDLE")
        other.until(b"+")
        box.store("2", "+FLAGS", "(\\Flagged)")
        assert b"* 2 FETCH" in other.until(b"* 2 FETCH")
        box.append("INBOX", "", None, b"Subject: new\r\n\r\nx\r\n")
        assert b"* 4 EXISTS" in other.until(b"* 4 EXISTS")
        box.store("1", "+FLAGS", "(\\Deleted)")
        box.expunge()
        assert b"* 1 EXPUNGE" in other.until(b"* 1 EXPUNGE")
        other.send("DONE")
        other.until(b"i OK")
        # RFC 9051 §7.5.1: no EXPUNGE during FETCH by sequence number, but soon after.
        box.store("1", "+FLAGS", "(\\Deleted)")
        box.expunge()
        assert not re.search(rb"\* \d+ EXPUNGE", other.say("f FETCH 1:2 FLAGS"))
        assert b"* 1 EXPUNGE" in other.say("n NOOP")
    box.logout()


def names_and_patterns(server: Server) -> None:
    box = imap(server, "names@hamburger.edu", None)
    for name in ("Work", "Work/2026/January", "Entw&APw-rfe", "a&-b", '"with space"'):
        assert box.create(name)[0] == "OK", name

    def listed(reference: str, pattern: str) -> list[bytes]:
        return [line.split(b'"/" ')[1] for line in box.list(reference, pattern)[1] if line]

    assert listed('""', "Work*") == [b"Work", b"Work/2026", b"Work/2026/January"]
    assert listed('""', "Work/%") == [b"Work/2026"]
    assert b"Entw&APw-rfe" in listed('""', "%") and b'"with space"' in listed('""', "%")
    assert box.rename("Work", "Job")[0] == "OK"
    assert listed('""', "Job/*") == [b"Job/2026", b"Job/2026/January"]
    assert box.delete("Job")[0] == "OK" and b"Noselect" in box.list('""', "Job")[1][0].replace(b"NonExistent", b"Noselect")
    assert box.subscribe("Job/2026")[0] == "OK" and any(b"Job/2026" in line for line in box.lsub('""', "*")[1])
    assert box.unsubscribe("Job/2026")[0] == "OK"
    for wrong in ("inbox", "Job/2026"):
        assert box.create(wrong)[0] == "NO", wrong
    assert box.delete("INBOX")[0] == "NO" and box.delete("none")[0] == "NO" and box.select("none")[0] == "NO"
    box.logout()


def copy_move_and_expunge(server: Server) -> None:
    box = fill(server, "move@hamburger.edu", 6)
    assert box.copy("1:2", "Archive")[0] == "OK"
    status, data = box.copy("1", "nowhere")
    assert status == "NO" and b"TRYCREATE" in data[0], data
    assert box._simple_command("MOVE", "3", "Trash")[0] == "OK"
    assert search(box, "ALL") == [1, 2, 3, 4, 5]
    box.store("1:5", "+FLAGS.SILENT", "(\\Deleted)")
    assert box.uid("EXPUNGE", "1:2")[0] == "OK"
    assert search(box, "ALL") == [1, 2, 3]
    assert box.close()[0] == "OK"
    for mailbox, count in (("INBOX", 0), ("Archive", 2), ("Trash", 1)):
        status = box.status(mailbox, "(MESSAGES)")[1][0]
        assert status.endswith(f"(MESSAGES {count})".encode()), status
    box.logout()


CHECKS = [
    search_finds_what_is_there,
    unknown_charset_is_refused,
    sessions_see_each_other,
    names_and_patterns,
    copy_move_and_expunge,
]
