"""Readers beside mutt: Alpine on a terminal, and OfflineIMAP, which keeps a Maildir and a mailbox alike."""

import fcntl
import mailbox
import os
import pty
import select
import signal
import struct
import termios
import time

from checks_clients import command, home, no_errors
from checks_python import body, imap
from server import Server


def text(number: int) -> bytes:
    return (f"From: a@b.example\r\nSubject: number {number}\r\nDate: Mon, 5 Jan 2026 09:0{number}:00 +0000\r\n"
            f"Message-ID: <{number}@b.example>\r\n\r\nwords {number}\r\n").encode()


class Screen:
    """A program on a terminal: keys go to it, and what it shows is waited for."""

    def __init__(self, where, *words: str):
        self.shown = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            environment = os.environ | {"HOME": str(where), "LC_ALL": "C.UTF-8", "TERM": "xterm"}
            os.execvpe(words[0], words, environment)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))

    def until(self, *any_of: bytes, within_s: int = 30) -> None:
        end = time.monotonic() + within_s
        while not any(words in self.shown for words in any_of):
            assert time.monotonic() < end, f"none of {any_of} came in {within_s} s: {self.shown[-1500:]}"
            if select.select([self.terminal], [], [], 0.2)[0]:
                self.shown += os.read(self.terminal, 65536)

    def press(self, keys: bytes, *until: bytes) -> None:
        """Presses keys one by one, as a person does, and waits for one of these words."""
        self.shown = b""
        for at in range(len(keys)):
            os.write(self.terminal, keys[at:at + 1])
            time.sleep(0.05)
        self.until(*until)

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


def alpine_reads_flags_saves_and_expunges(server: Server) -> None:
    where = home(server, "alpine")
    user = "alpine@hamburger.edu"
    box = imap(server, user)
    for number in range(5):
        assert box.append("INBOX", "", None, text(number))[0] == "OK"
    before = set(server.traces("imap"))
    place = f"{{127.0.0.1:{server.port['imap']}/user={user}/notls/novalidate-cert}}"
    (where / "mail").mkdir()
    settings = where / ".pinerc"
    settings.write_text(
        f"inbox-path={place}INBOX\nfolder-collections=Far {place}[]\nlast-version-used=7.00\npersonal-name=A\n"
        "feature-list=expunge-without-confirm,quit-without-confirm,enable-flag-cmd,enable-aggregate-command-set\n"
    )
    screen = Screen(where, "alpine", "-p", str(settings), "-i")
    try:
        screen.until(b"ENTER PASSWORD")
        screen.press(b"any\r", b"Preserve password")
        screen.press(b"n", b"number 4")
        screen.press(b">", b"words 0")
        screen.press(b"<", b"MESSAGE INDEX")
        screen.press(b"n*", b"Important")
        screen.press(b"*", b"Flagged message 2")
        screen.press(b"n", b"number 2")
        # Where it took a moment, it says only that it is done, after as many spaces as that took dots.
        screen.press(b"sArchive\r", b"copied to folder", b" DONE]")
        # It marks what it saved as deleted, and what x removes then is told here, too.
        screen.press(b"x", b"expunged from folder")
        # Ctrl-L draws the screen anew, and asks for new mail first.
        assert box.append("INBOX", "", None, text(7))[0] == "OK"
        screen.press(b"\x0c", b"number 7")
        screen.press(b"q", b"finished")
    finally:
        screen.close()
    box.logout()
    box = imap(server, user)
    left = {body(box, uid.decode()) for uid in box.uid("SEARCH", "ALL")[1][0].split()}
    assert left == {text(number) for number in (0, 1, 3, 4, 7)}, left
    assert box.uid("SEARCH", "SEEN")[1][0] and box.uid("SEARCH", "FLAGGED", "SUBJECT", "\"number 1\"")[1][0]
    assert box.select("Archive")[1] == [b"1"] and body(box, "1") == text(2)
    no_errors(server, "imap", before)
    box.logout()


def offlineimap_syncs_both_ways(server: Server) -> None:
    where = home(server, "offlineimap")
    user = "offline@hamburger.edu"
    box = imap(server, user)
    for number in range(5):
        assert box.append("INBOX", "", None, text(number))[0] == "OK"
    before = set(server.traces("imap"))
    settings = where / "offlineimaprc"
    settings.write_text(
        f"[general]\naccounts = a\nmetadata = {where}/state\nsocktimeout = 30\n\n"
        "[Account a]\nlocalrepository = near\nremoterepository = far\n\n"
        f"[Repository near]\ntype = Maildir\nlocalfolders = {where}/mail\n\n"
        f"[Repository far]\ntype = IMAP\nremotehost = 127.0.0.1\nremoteport = {server.port['imap']}\nremoteuser = {user}\n"
        "remotepass = any\nssl = no\nstarttls = no\nauth_mechanisms = LOGIN\nfolderfilter = lambda name: name in ['INBOX', 'Archive']\n"
    )

    def sync() -> None:
        command(server, "offlineimap", "-c", str(settings), "-o", "-u", "quiet", home=where)

    sync()
    near = mailbox.Maildir(where / "mail" / "INBOX", create=False)
    assert {bytes(message.get_payload(decode=True)) for message in near} == {f"words {number}\n".encode() for number in range(5)}
    keys = sorted(near.keys(), key=lambda key: near[key]["Subject"])
    # Here: one goes, one is flagged, one is new. There: one goes, one is seen.
    near.remove(keys[0])
    flagged = near[keys[1]]
    flagged.set_subdir("cur")
    flagged.add_flag("F")
    near[keys[1]] = flagged
    near.add(text(8).replace(b"\r\n", b"\n"))
    box.store("5", "+FLAGS", "(\\Deleted)")
    box.expunge()
    box.store("3", "+FLAGS", "(\\Seen)")
    sync()
    sync()
    box.logout()
    box = imap(server, user)
    there = {body(box, uid.decode()) for uid in box.uid("SEARCH", "ALL")[1][0].split()}
    # It puts a field of its own into what it brings.
    own = {octets for octets in there if b"number 8" in octets}
    assert len(own) == 1 and there - own == {text(number) for number in (1, 2, 3)}, there
    assert len(box.uid("SEARCH", "FLAGGED")[1][0].split()) == 1
    near = mailbox.Maildir(where / "mail" / "INBOX", create=False)
    assert len(near) == 4 and sum("S" in message.get_flags() for message in near) == 1
    no_errors(server, "imap", before)
    box.logout()


CHECKS = [alpine_reads_flags_saves_and_expunges, offlineimap_syncs_both_ways]
