"""The user agent: `send`, `sendmail` and `probe`, against our server, against Python's eyes, and against bad servers."""

import contextlib
import email
import email.policy
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import imaplib

from server import Server


def pillarbox(server: Server, *arguments: str, **options) -> subprocess.CompletedProcess:
    """Runs the binary; says what it said if the exit code is not the one that is expected."""
    expected = options.pop("code", 0)
    environment = os.environ | {"LOGNAME": "alice"} | options.pop("env", {})
    command = [server.process.args[0], *arguments]
    ran = subprocess.run(command, capture_output=True, timeout=120, env=environment, **options)
    assert ran.returncode == expected, (command, ran.returncode, ran.stdout, ran.stderr)
    return ran


def at(server: Server) -> str:
    return f"127.0.0.1:{server.port['smtp']}"


def newest(server: Server, user: str) -> bytes:
    box = imaplib.IMAP4("127.0.0.1", server.port["imap"])
    box.login(user, "any")
    count = int(box.select("INBOX", readonly=True)[1][0])
    octets = box.fetch(str(count), "BODY.PEEK[]")[1][0][1]
    box.logout()
    return octets


@contextlib.contextmanager
def scripted(answer, greeting: bytes = b"220 bad.example\r\n"):
    """A server that answers each line with what `answer` says; None closes. Gives its port and all that it heard."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            connection.sendall(greeting)
            for line in lines:
                heard.append(line)
                said = answer(line)
                if said is None:
                    return
                connection.sendall(said)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1], heard
    finally:
        # To close alone would leave the thread that waits for a connection with one more of them.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def send_composes_what_python_reads(server: Server) -> None:
    octets = random.Random(7).randbytes(300_001)
    text = "Grüße!\n.\n..two\nFrom here\n" + "long " * 400 + "\n"
    subject = "Über Ketchup: 日本語 und noch mehr Wörter, damit die Zeile lang genug zum Falten wird"
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "Übersicht über alles, was man über Ketchup wissen sollte.bin"
        file.write_bytes(octets)
        picture = pathlib.Path(directory) / "logo.png"
        picture.write_bytes(b"\x89PNG\r\n")
        pillarbox(
            server, "send", "--server", at(server), "--from", "Alice \"A\" Ähm <alice@crepes.fr>",
            "--to", "\"Bob, the eater\" <agent@hamburger.edu>", "--cc", "Carol <carol@hamburger.edu>",
            "--bcc", "secret@hamburger.edu", "--subject", subject, "--text", text,
            "--html", "<p>Grüße <img src='cid:logo.png@inline'>", "--inline", str(picture), "--attach", str(file),
            "--header", "X-Mood: heiter bis wölkig",
        )
    raw = newest(server, "agent@hamburger.edu")
    assert max(map(len, raw.split(b"\r\n"))) <= 998 and b"secret" not in raw
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert not message.defects, message.defects
    assert message["subject"] == subject, message["subject"]
    assert message["x-mood"] == "heiter bis wölkig"
    assert message["from"].addresses[0].display_name == "Alice A Ähm"
    assert message["to"].addresses[0].display_name == "Bob, the eater"
    assert message["date"].datetime and message["message-id"].endswith("@crepes.fr>")
    assert message.get_body(("plain",)).get_content().replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")
    assert "Grüße" in message.get_body(("html",)).get_content()
    attachment = list(message.iter_attachments())[-1]
    assert attachment.get_filename().startswith("Übersicht über alles"), attachment.get_filename()
    assert attachment.get_payload(decode=True) == octets
    assert any(part["content-id"] == "<logo.png@inline>" for part in message.walk())
    assert b"secret@" not in newest(server, "secret@hamburger.edu").split(b"\r\n\r\n")[0].replace(
        b"for <secret@hamburger.edu>", b"")


def send_refuses_what_could_inject(server: Server) -> None:
    for flag in ("--subject", "--from", "--to", "--cc", "--reply-to", "--header", "--return-path"):
        for bad in ("a\r\nBcc: x@y.z", "a\nb", "a\rb", "a\x85b", "a\u2028b", "a\x1b[2J", "a\u202eb"):
            value = f"X-A: {bad}" if flag == "--header" else bad
            ran = pillarbox(server, "send", "--server", at(server), "--to", "agent@hamburger.edu", flag, value, code=65)
            assert flag.encode() in ran.stderr and b"\x1b" not in ran.stderr, ran.stderr
    for bad in ("Bob bob@x.y", "a@b> SIZE=1", "a@b,, <c", "root", "<a@b>c"):
        pillarbox(server, "send", "--server", at(server), "--to", bad, code=65)


def send_holds_no_attachment_in_memory(server: Server) -> None:
    def peak(size: int) -> int:
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory) / "large.bin"
            with open(file, "wb") as out:
                out.truncate(size)
            command = [server.process.args[0], "send", "--server", at(server), "--to", "large@hamburger.edu"]
            child = subprocess.Popen([*command, "--attach", str(file)], stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(child.pid, 0)
            assert os.waitstatus_to_exitcode(status) == 0
            return usage.ru_maxrss

    small, large = peak(1 << 20), peak(32 << 20)
    assert large - small < 8 * 1024, f"{small} KiB for 1 MiB, {large} KiB for 32 MiB"


def fates(line: bytes) -> bytes | None:
    if line.startswith(b"EHLO"):
        return b"250-bad.example\r\n250 AUTH PLAIN\r\n"
    if line.startswith(b"RCPT TO:<never"):
        return b"550 5.1.1 No such user here\r\n"
    if line.startswith(b"RCPT TO:<later"):
        return b"451 4.3.0 Come back\r\n"
    if line.startswith(b"AUTH"):
        return b"235 2.7.0 ok\r\n" if b"AGFsaWNlAHMzY3JldA==" in line else b"535 5.7.8 no\r\n"
    if line == b"DATA\r\n":
        return b"354 go\r\n"
    if line == b"QUIT\r\n":
        return None
    if line == b".\r\n" or line.startswith((b"MAIL", b"RCPT", b"RSET")):
        return b"250 2.0.0 ok\r\n"
    return b""


def send_says_what_became_of_each(server: Server) -> None:
    with scripted(fates) as (port, heard):
        base = ("send", "--server", f"127.0.0.1:{port}", "--text", "x", "--json")
        ran = pillarbox(server, *base, "--to", "a@b.c, never@b.c, later@b.c", code=75)
        found = {r["address"]: (r["fate"], r["code"], r["status"]) for r in json.loads(ran.stdout)["recipients"]}
        assert found == {
            "a@b.c": ("accepted", 250, "2.0.0"),
            "never@b.c": ("refused", 550, "5.1.1"),
            "later@b.c": ("deferred", 451, "4.3.0"),
        }, found
        pillarbox(server, *base, "--to", "a@b.c, never@b.c", code=69)
        pillarbox(server, *base, "--to", "a@b.c")
        # A login: the secret is said, and never shown.
        secret = {"PILLARBOX_PASSWORD": "s3cret"}
        ran = pillarbox(server, *base, "--to", "a@b.c", "--user", "alice", "--trace", env=secret)
        assert b"AUTH PLAIN" in ran.stderr and b"******" in ran.stderr, ran.stderr
        assert b"AGFsaWNl" not in ran.stderr and b"s3cret" not in ran.stderr, ran.stderr
        assert b"RFC 5321" in ran.stderr, ran.stderr
        assert any(line.startswith(b"AUTH PLAIN AGFsaWNlAHMzY3JldA==") for line in heard)
        pillarbox(server, *base, "--to", "a@b.c", "--user", "alice", env={"PILLARBOX_PASSWORD": "wrong"}, code=77)
        pillarbox(server, *base, "--to", "a@b.c", "--tls", "required", code=69)
    ran = pillarbox(server, *base, "--to", "a@b.c", code=75)
    assert b"--server" in ran.stderr or b"host and port" in ran.stderr, ran.stderr


def send_takes_ready_messages(server: Server) -> None:
    ready = b"From: Ann <ann@crepes.fr>\nTo: ready@hamburger.edu\nBcc: hidden@hamburger.edu\nSubject: hi\n\n.\nbody\n"
    pillarbox(server, "send", "--server", at(server), "--message", "-", input=ready)
    for user in ("ready", "hidden"):
        raw = newest(server, f"{user}@hamburger.edu")
        assert raw.endswith(b"\r\n\r\n.\r\nbody\r\n") and b"Bcc" not in raw and b"\r\nDate: " in raw, raw
        assert raw.startswith(b"Return-Path: <ann@crepes.fr>"), raw


def sendmail_serves_its_callers(server: Server) -> None:
    environment = {"PILLARBOX_SERVER": at(server), "HOME": "/nonexistent"}

    def sendmail(*arguments: str, text: bytes, code: int = 0) -> subprocess.CompletedProcess:
        return pillarbox(server, "sendmail", *arguments, input=text, env=environment, code=code)

    php = b"To: Php <php@hamburger.edu>\nCc: php2@hamburger.edu\nBCC: php3@hamburger.edu\nSubject: =?utf-8?q?a?=\n\nGr\xc3\xbc\xc3\x9fe\n"
    sendmail("-t", "-i", "-fwww@crepes.fr", text=php)
    for user in ("php", "php2", "php3"):
        raw = newest(server, f"{user}@hamburger.edu")
        assert raw.startswith(b"Return-Path: <www@crepes.fr>") and b"php3@" not in raw.split(b"\r\n\r\n")[0].split(b"Subject")[1], raw
        assert raw.endswith("Grüße\r\n".encode()) and b"\r\nMessage-ID: <" in raw, raw
    cron = b"From: root (Cron Daemon)\nTo: root\nSubject: Cron\n\nout\n"
    sendmail("-FCronDaemon", "-i", "-odi", "-B8BITMIME", "-oem", "cron@hamburger.edu", text=cron)
    assert newest(server, "cron@hamburger.edu").endswith(b"out\r\n")
    # Without -i a dot ends the message, and what has no header section gets one.
    sendmail("dots@hamburger.edu", text=b"one\n.\ntwo\n")
    raw = newest(server, "dots@hamburger.edu")
    assert raw.endswith(b"\r\n\r\none\r\n") and b"\r\nFrom: alice@" in raw, raw
    sendmail("-f", "", "-i", "null@hamburger.edu", text=b"Subject: x\n\n.\n")
    assert newest(server, "null@hamburger.edu").startswith(b"Return-Path: <>")
    assert b"pillarbox queue" in sendmail("-bp", text=b"", code=64).stderr
    sendmail("-t", text=b"Subject: nobody\n\n", code=65)
    sendmail("a@b\r\nRCPT TO:<c@d>", text=b"x", code=65)
    assert b"sendemail" in sendmail("--help", text=b"").stdout
    with tempfile.TemporaryDirectory() as directory:
        link = pathlib.Path(directory) / "sendmail"
        link.symlink_to(pathlib.Path(server.process.args[0]).resolve())
        config = pathlib.Path(directory) / "sendmail.toml"
        config.write_text(f'server = "{at(server)}"\nfrom = "box@crepes.fr"\n')
        command = [str(link), f"--config={config}", "-i", "link@hamburger.edu"]
        subprocess.run(command, input=b"Subject: by link\n\nx\n", check=True, timeout=60)
        assert newest(server, "link@hamburger.edu").startswith(b"Return-Path: <box@crepes.fr>")
        config.write_text('password = "s3cret"\nuser = "a"\n')
        config.chmod(0o644)
        ran = pillarbox(server, "sendmail", f"--config={config}", "a@b.c", input=b"", code=78)
        assert b"chmod 600" in ran.stderr and b"s3cret" not in ran.stderr, ran.stderr


def git_sends_patches(server: Server) -> None:
    if not shutil.which("git") or subprocess.run(["git", "send-email", "--dump-aliases"], capture_output=True).returncode:
        raise AssertionError("git send-email is missing; install git-email")
    with tempfile.TemporaryDirectory() as directory:
        environment = os.environ | {
            "HOME": directory, "PILLARBOX_SERVER": at(server), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Jörg", "GIT_AUTHOR_EMAIL": "joerg@crepes.fr",
            "GIT_COMMITTER_NAME": "Jörg", "GIT_COMMITTER_EMAIL": "joerg@crepes.fr",
        }

        def git(*arguments: str) -> None:
            command = ["git", *arguments]
            ran = subprocess.run(command, cwd=directory, env=environment, capture_output=True, timeout=120)
            assert ran.returncode == 0, (command, ran.stdout, ran.stderr)

        git("init", "-q")
        (pathlib.Path(directory) / "menu").write_text("Crêpes\n.\n")
        git("add", "menu")
        git("commit", "-q", "-m", "Menü: add crêpes")
        git(
            "send-email", "--confirm=never", "--quiet", "--to=git@hamburger.edu", "--from=Jörg <joerg@crepes.fr>",
            f"--sendmail-cmd={server.process.args[0]} sendmail", "-1",
        )
    message = email.message_from_bytes(newest(server, "git@hamburger.edu"), policy=email.policy.default)
    assert message["subject"] == "[PATCH] Menü: add crêpes", message["subject"]
    assert "+Crêpes" in message.get_content(), message.get_content()


@contextlib.contextmanager
def with_tls(server: Server):
    """Another server, that offers STARTTLS and submission over TLS; gives its ports and its certificate."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="pillarbox-agent-"))
    ready = directory / "ready.json"
    command = [server.process.args[0], "serve", "--data", str(directory / "data"), "--ready-file", str(ready), "--starttls"]
    for service in ("smtp", "pop3", "imap", "http", "submission", "submissions"):
        command += [f"--{service}", "127.0.0.1:0"]
    log = open(directory / "log", "wb")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
    try:
        until = time.monotonic() + 60
        while not ready.exists():
            assert process.poll() is None and time.monotonic() < until, (directory / "log").read_text()
            time.sleep(0.05)
        certificates = list(directory.rglob("certificate.pem"))
        yield json.loads(ready.read_text()), str(certificates[0])
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(directory)


def send_proves_who_the_server_is(server: Server) -> None:
    with with_tls(server) as (address, certificate):
        base = ("send", "--to", "tls@hamburger.edu", "--text", "x", "--json")
        submission, implicit = address["submission"], address["submissions"]
        for tls, place in (("required", submission), ("implicit", implicit)):
            ran = pillarbox(server, *base, "--server", place, "--tls", tls, "--ca", certificate)
            assert json.loads(ran.stdout)["tls"]["verified"] is True, ran.stdout
            ran = pillarbox(server, *base, "--server", place, "--tls", tls, code=69)
            assert b"--ca" in ran.stderr, ran.stderr
        ran = pillarbox(server, *base, "--server", submission)
        assert json.loads(ran.stdout)["tls"]["verified"] is False, ran.stdout


def probe_finds_our_server_good(server: Server) -> None:
    with with_tls(server) as (address, certificate):
        cases = [(address["smtp"],), (address["smtp"], "--starttls"), (address["submissions"], "--implicit")]
        for case in cases:
            ran = pillarbox(server, "probe", "smtp", *case, "--json", "--ca", certificate, "--timeout", "10")
            rows = json.loads(ran.stdout)["rows"]
            # Submission wants a login only in a server profile; here everyone is let in.
            wrong = [row for row in rows if row["verdict"] != "good"]
            assert len(rows) > 40 and not wrong, (case, wrong)
        table = pillarbox(server, "probe", "smtp", address["smtp"], "--ca", certificate).stdout.decode()
        assert "RFC 3207 §4.2" in table and " 0 bad" in table, table
    # Without accounts every domain's mail is taken; who has some relays nobody else's.
    ours = Server(server.binary, 'domains = ["hamburger.edu"]\n', {"bob@hamburger.edu": "ketchup"})
    try:
        table = pillarbox(server, "probe", "smtp", at(ours), "--unsafe").stdout.decode()
        assert "relay: plain" in table and " 0 bad" in table, table
    finally:
        assert ours.stop() == 0


def careless(line: bytes) -> bytes | None:
    """Takes anything for granted; what is injected behind an LF too, since it reads lines by LF."""
    if line.startswith(b"EHLO"):
        return b"250-bad.example\r\n250-SIZE 1000\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n"
    if line.startswith(b"QUIT"):
        return None
    if line.startswith(b"DATA"):
        return b"354 go\r\n"
    return b"250 fine\r\n"


def probe_finds_bad_servers_out(server: Server) -> None:
    with scripted(careless) as (port, heard):
        ran = pillarbox(server, "probe", "smtp", f"127.0.0.1:{port}", "--json", "--timeout", "5", code=69)
        bad = {row["test"] for row in json.loads(ran.stdout)["rows"] if row["verdict"] == "bad"}
        for test in ("RCPT before MAIL", "DATA before MAIL", "LF without CR", "unknown parameter", "enhanced codes", "QUIT"):
            assert test in bad, (test, bad)
        # Whatever it takes for a message is empty, and there are none.
        after = [heard[at + 1] for at, line in enumerate(heard[:-1]) if line == b"DATA\r\n"]
        assert after and set(after) == {b".\r\n"}, after
    # One that says nothing is waited for once.
    with scripted(lambda _: b"", b"") as (port, _):
        start = time.monotonic()
        ran = pillarbox(server, "probe", "smtp", f"127.0.0.1:{port}", "--timeout", "1", code=69)
        assert time.monotonic() - start < 15 and b"says nothing for 1 s" in ran.stderr, ran
    pillarbox(server, "probe", "smtp", f"127.0.0.1:{port}", "--timeout", "1", code=75)


CHECKS = [
    send_composes_what_python_reads,
    send_refuses_what_could_inject,
    send_holds_no_attachment_in_memory,
    send_says_what_became_of_each,
    send_takes_ready_messages,
    sendmail_serves_its_callers,
    git_sends_patches,
    send_proves_who_the_server_is,
    probe_finds_our_server_good,
    probe_finds_bad_servers_out,
]
