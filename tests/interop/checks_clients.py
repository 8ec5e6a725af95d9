"""Programs that people use: swaks, curl, msmtp, mutt, mbsync, fetchmail, getmail."""

import fcntl
import mailbox
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import termios
import time

from checks_python import body, imap
from server import Server, without_trace_fields

WORDS = b"Do you like ketchup?\r\n.How about pickles?\r\n"


def command(server: Server, *words: str, stdin: bytes = b"", home: pathlib.Path | None = None, ok: tuple = (0,)) -> bytes:
    environment = os.environ | {"HOME": str(home or server.directory), "LC_ALL": "C.UTF-8", "TERM": "dumb"}
    ran = subprocess.run(words, input=stdin, capture_output=True, timeout=300, env=environment)
    if ran.returncode not in ok:
        raise AssertionError(f"{' '.join(words[:3])} … ended with {ran.returncode}: {ran.stderr[-2000:].decode()} {ran.stdout[-500:].decode()}")
    return ran.stdout


def on_terminal(where: pathlib.Path, *words: str, within_s: int = 120) -> bytes:
    """Runs a program that wants a terminal; gives what it showed there."""
    environment = os.environ | {"HOME": str(where), "LC_ALL": "C.UTF-8", "TERM": "xterm"}
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(words[0], words, environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    screen, end = b"", time.monotonic() + within_s
    try:
        while time.monotonic() < end:
            if not select.select([terminal], [], [], 1)[0]:
                continue
            # Linux ends a terminal that nobody has open any more with EIO.
            try:
                seen = os.read(terminal, 65536)
            except OSError:
                seen = b""
            if not seen:
                return screen
            screen += seen
        raise AssertionError(f"{words[0]} did not end in {within_s} s; its screen: {screen[-2000:]}")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def home(server: Server, name: str) -> pathlib.Path:
    directory = server.directory / name
    directory.mkdir()
    return directory


def only_message(server: Server, user: str) -> bytes:
    box = imap(server, user)
    uids = box.uid("SEARCH", "ALL")[1][0].split()
    assert len(uids) == 1, uids
    octets = body(box, uids[0].decode())
    box.logout()
    return octets


def sample(name: str) -> bytes:
    return f"From: alice@crepes.fr\r\nTo: {name}@hamburger.edu\r\nSubject: {name}\r\n\r\n".encode() + WORDS


def swaks_sends(server: Server) -> None:
    address = f"127.0.0.1:{server.port['smtp']}"
    file = server.directory / "swaks.eml"
    file.write_bytes(sample("swaks"))
    output = command(server, "swaks", "--server", address, "--to", "swaks@hamburger.edu", "--from", "alice@crepes.fr", "--data", f"@{file}")
    assert b"250 2.0.0" in output, output
    arrived = without_trace_fields(only_message(server, "swaks@hamburger.edu"))
    # swaks ends what it reads from a file with a line of its own.
    assert arrived == sample("swaks") + b"\r\n", arrived
    command(server, "swaks", "--server", address, "--to", "swaks-auth@hamburger.edu", "--auth", "PLAIN", "--auth-user", "x", "--auth-password", "y")
    command(server, "swaks", "--server", address, "--to", "swaks-pipe@hamburger.edu", "--pipeline")


def curl_sends_and_reads(server: Server) -> None:
    file = server.directory / "curl.eml"
    file.write_bytes(sample("curl"))
    smtp, imap_url, pop = (f"{scheme}://127.0.0.1:{server.port[scheme]}" for scheme in ("smtp", "imap", "pop3"))
    login = ["-u", "curl@hamburger.edu:any"]
    command(server, "curl", "-sS", smtp, "--mail-from", "alice@crepes.fr", "--mail-rcpt", "curl@hamburger.edu", "-T", str(file))
    for url in (f"{imap_url}/INBOX;MAILINDEX=1", f"{imap_url}/INBOX;UID=1", f"{pop}/1"):
        assert without_trace_fields(command(server, "curl", "-sS", url, *login)) == sample("curl"), url
    assert command(server, "curl", "-sS", f"{imap_url}/INBOX;UID=1;SECTION=TEXT", *login) == WORDS
    assert b"Archive" in command(server, "curl", "-sS", f"{imap_url}/", *login)
    assert b"SEARCH 1" in command(server, "curl", "-sS", f"{imap_url}/INBOX?SUBJECT%20curl", *login)
    assert b"* 1 EXISTS" in command(server, "curl", "-sS", f"{imap_url}/INBOX", *login, "-X", "EXAMINE INBOX")
    command(server, "curl", "-sS", f"{imap_url}/Sent", *login, "-T", str(file))
    assert command(server, "curl", "-sS", f"{imap_url}/Sent;UID=1", *login) == sample("curl")


def msmtp_sends(server: Server) -> None:
    port = str(server.port["smtp"])
    unix = sample("msmtp").replace(b"\r\n", b"\n")
    command(server, "msmtp", "--host=127.0.0.1", f"--port={port}", "--tls=off", "--from=alice@crepes.fr", "msmtp@hamburger.edu", stdin=unix)
    assert without_trace_fields(only_message(server, "msmtp@hamburger.edu")).endswith(WORDS)


def mutt_sends_and_reads(server: Server) -> None:
    where = home(server, "mutt")
    before = set(server.traces("imap")) | set(server.traces("pop3"))
    settings = where / "muttrc"
    settings.write_text(
        f'set smtp_url="smtp://127.0.0.1:{server.port["smtp"]}/"\nset from="alice@crepes.fr"\nset ssl_starttls=no\nset ssl_force_tls=no\n'
        f'set copy=no\nset imap_user="mutt@hamburger.edu"\nset imap_pass="any"\nset pop_user="mutt@hamburger.edu"\n'
        f'set pop_pass="any"\nset pop_authenticators="plain:user"\nset quit=yes\nset delete=yes\nset confirmappend=no\nset confirmcreate=no\nset wait_key=no\nset move=no\nset folder={where}\n'
    )
    command(server, "mutt", "-F", str(settings), "-n", "-s", "from mutt", "mutt@hamburger.edu", stdin=b"words from mutt\n", home=where)
    assert b"words from mutt\r\n" in only_message(server, "mutt@hamburger.edu")
    for number, url in enumerate((f"imap://127.0.0.1:{server.port['imap']}/INBOX", f"pop://127.0.0.1:{server.port['pop3']}/")):
        copy = where / f"copy{number}"
        keys = f'push "<copy-message><kill-line>{copy}<enter><exit>"'
        screen = on_terminal(where, "mutt", "-F", str(settings), "-n", "-f", url, "-e", keys)
        assert copy.exists(), f"{url}: {screen[-2000:]}"
        assert b"words from mutt" in copy.read_bytes(), url
    no_errors(server, "imap", before)
    no_errors(server, "pop3", before)


def no_errors(server: Server, protocol: str, before: set[str]) -> None:
    errors = server.protocol_errors(protocol, before)
    assert not errors, errors


def mbsync_syncs_both_ways(server: Server) -> None:
    where = home(server, "mbsync")
    user = "mbsync@hamburger.edu"
    box = imap(server, user)
    for number in range(500):
        text = f"From: a@b\r\nSubject: {number}\r\nMessage-ID: <{number}@b>\r\n\r\nwords {number}\r\n".encode()
        assert box.append("INBOX", "", None, text)[0] == "OK"
    before = set(server.traces("imap"))
    (where / "mail").mkdir()
    config = where / "mbsyncrc"
    config.write_text(
        f"IMAPAccount a\nHost 127.0.0.1\nPort {server.port['imap']}\nUser {user}\nPass any\nSSLType None\nAuthMechs LOGIN\n\n"
        f"IMAPStore far\nAccount a\n\nMaildirStore near\nPath {where}/mail/\nInbox {where}/mail/INBOX\nSubFolders Verbatim\n\n"
        f"Channel c\nFar :far:\nNear :near:\nPatterns INBOX Archive\nCreate Both\nExpunge Both\nSync All\nSyncState *\n"
    )

    def sync() -> bytes:
        return command(server, "mbsync", "-c", str(config), "-V", "-a", home=where)

    sync()
    near = mailbox.Maildir(where / "mail" / "INBOX", create=False)
    assert len(near) == 500, len(near)
    texts = {bytes(message.get_payload(decode=True)) for message in near}
    assert texts == {f"words {number}\n".encode() for number in range(500)}
    again = sync().decode()
    moved = [line for line in again.splitlines() if "Far:" in line or "Near:" in line][-1:]
    assert not moved or all(part in moved[0] for part in ("+0", "*0", "#0")), moved
    # Here: a message goes, one is flagged, one is new. There: one goes, one is flagged.
    keys = sorted(near.keys(), key=lambda key: int(near[key]["Subject"]))
    near.remove(keys[0])
    flagged = near[keys[1]]
    flagged.set_subdir("cur")
    flagged.add_flag("F")
    near[keys[1]] = flagged
    near.add(b"From: a@b\nSubject: new here\nMessage-ID: <new@b>\n\nnew words\n")
    box.noop()
    box.store("500", "+FLAGS", "(\\Deleted)")
    box.expunge()
    box.store("3", "+FLAGS", "(\\Seen)")
    sync()
    box.noop()
    assert box.search(None, "SUBJECT", '"new here"')[1][0] and not box.search(None, "HEADER", "Message-ID", '"<0@b>"')[1][0]
    assert len(box.search(None, "FLAGGED")[1][0].split()) == 1
    assert len(box.search(None, "ALL")[1][0].split()) == 499
    near = mailbox.Maildir(where / "mail" / "INBOX", create=False)
    assert len(near) == 499 and sum("S" in message.get_flags() for message in near) == 1
    no_errors(server, "imap", before)
    box.logout()


def fetchmail_fetches(server: Server) -> None:
    for protocol in ("pop3", "imap"):
        user = f"fetch-{protocol}@hamburger.edu"
        where = home(server, f"fetchmail-{protocol}")
        deliver(server, user)
        config = where / "rc"
        config.write_text(
            f'poll 127.0.0.1 protocol {protocol} port {server.port[protocol]} user "{user}" password "any" '
            f'sslproto "" mda "cat >> {where}/got" fetchall\n'
        )
        config.chmod(0o600)
        command(server, "fetchmail", "-f", str(config), "--nosyslog", "--pidfile", str(where / "pid"), home=where)
        assert b"How about pickles?" in (where / "got").read_bytes(), protocol
        box = imap(server, user)
        assert box.search(None, "UNDELETED")[1][0] == b"", "fetched mail is removed"
        box.logout()


def getmail_fetches(server: Server) -> None:
    for kind in ("SimplePOP3Retriever", "SimpleIMAPRetriever"):
        user = f"{kind.lower()}@hamburger.edu"
        where = home(server, kind)
        deliver(server, user)
        port = server.port["pop3" if "POP3" in kind else "imap"]
        extra = "" if "POP3" in kind else 'mailboxes = ("INBOX",)\n'
        (where / "getmailrc").write_text(
            f"[retriever]\ntype = {kind}\nserver = 127.0.0.1\nport = {port}\nusername = {user}\npassword = any\n{extra}\n"
            f'[destination]\ntype = MDA_external\npath = /bin/sh\narguments = ("-c", "cat > {where}/got")\n'
            f"allow_root_commands = true\n\n[options]\nread_all = true\ndelete = false\n"
        )
        command(server, "getmail", "-g", str(where), home=where)
        assert b"How about pickles?" in (where / "got").read_bytes(), kind


def deliver(server: Server, user: str) -> None:
    import smtplib

    with smtplib.SMTP("127.0.0.1", server.port["smtp"]) as client:
        client.sendmail("alice@crepes.fr", [user], sample(user.split("@")[0]))


CHECKS = [
    swaks_sends,
    curl_sends_and_reads,
    msmtp_sends,
    mutt_sends_and_reads,
    mbsync_syncs_both_ways,
    fetchmail_fetches,
    getmail_fetches,
]
