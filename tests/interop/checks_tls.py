"""TLS as OpenSSL sees it: both ways in, all protocols, both versions, certificates that change, peers that cheat."""

import contextlib
import imaplib
import os
import pathlib
import poplib
import smtplib
import socket
import ssl
import stat
import subprocess
import tempfile
import threading
import time

from server import Server

USER = "tls@hamburger.edu"
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
IMPLICIT = ("submissions", "pop3s", "imaps")


@contextlib.contextmanager
def running(binary: pathlib.Path, *flags: str, directory: pathlib.Path | None = None):
    """A server of its own for one check, whose log must be clean at the end."""
    server = Server(binary, flags=flags, directory=directory)
    try:
        yield server
        log = (server.directory / "log").read_text()
        assert " ERROR " not in log and "panicked" not in log, log
    finally:
        server.stop()


@contextlib.contextmanager
def scratch():
    with tempfile.TemporaryDirectory(prefix="pillarbox-interop-") as directory:
        yield pathlib.Path(directory)


def context(authority: pathlib.Path, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(authority))
    if version:
        made.minimum_version = made.maximum_version = version
    return made


def certificate(directory: pathlib.Path, name: str) -> None:
    """A pair signed by itself, made by OpenSSL."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE",
         "-keyout", directory / "key.pem", "-out", directory / "certificate.pem"],
        check=True, capture_output=True)


def starttls_and_implicit_tls_carry_mail_in_both_versions(server: Server) -> None:
    with running(server.binary, "--starttls") as own:
        authority = own.directory / "data" / "tls" / "certificate.pem"
        for number, version in enumerate(VERSIONS):
            tls = context(authority, version)
            smtp = [smtplib.SMTP("localhost", own.port[name], timeout=30) for name in ("smtp", "submission")]
            for client in smtp:
                client.starttls(context=tls)
            smtp.append(smtplib.SMTP_SSL("localhost", own.port["submissions"], timeout=30, context=tls))
            for client in smtp:
                assert client.sock.version() == version.name.replace("_", "."), client.sock.version()
                client.login(USER, "any")
                client.sendmail("alice@crepes.fr", [USER], f"Subject: {version.name}\r\n\r\nketchup\r\n")
                client.quit()
            pop = [poplib.POP3("localhost", own.port["pop3"], timeout=30)]
            pop[0].stls(context=tls)
            pop.append(poplib.POP3_SSL("localhost", own.port["pop3s"], timeout=30, context=tls))
            imap = [imaplib.IMAP4("localhost", own.port["imap"], timeout=30)]
            imap[0].starttls(tls)
            imap.append(imaplib.IMAP4_SSL("localhost", own.port["imaps"], timeout=30, ssl_context=tls))
            for client in pop:
                client.user(USER)
                client.pass_("any")
                assert len(client.list()[1]) == 3 * (number + 1)
                assert b"ketchup" in client.retr(3 * number + 1)[1]
                client.quit()
            for client in imap:
                client.login(USER, "any")
                assert client.select("INBOX")[1] == [str(3 * (number + 1)).encode()]
                client.logout()
        traces = "".join(own.traces("smtp").values())
        assert "secured TLSv1.3 TLS_" in traces and "secured TLSv1.2 TLS_ECDHE_" in traces, traces[-2000:]


def openssl_speaks_with_every_listener(server: Server) -> None:
    with running(server.binary, "--starttls") as own:
        authority = own.directory / "data" / "tls" / "certificate.pem"
        for name in ("smtp", "submission", "pop3", "imap", *IMPLICIT):
            kind = {"submission": "smtp"}.get(name, name)
            start = [] if name in IMPLICIT else ["-starttls", kind]
            quit = {"s": "QUIT\r\n", "p": "QUIT\r\n", "i": "a LOGOUT\r\n"}[name[0]]
            done = subprocess.run(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{own.port[name]}", *start, "-CAfile", authority,
                 "-verify_return_error", "-verify_hostname", "localhost", "-quiet", "-ign_eof"],
                input=quit, capture_output=True, text=True, timeout=30)
            goodbye = {"s": "221 ", "p": "+OK", "i": "a OK"}[name[0]]
            assert done.returncode == 0 and goodbye in done.stdout, (name, done)
        # RFC 8996: nothing older than 1.2, whatever ciphers the client would take.
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
            old.set_ciphers("ALL:@SECLEVEL=0")
            old.minimum_version = old.maximum_version = version
            try:
                old.wrap_socket(socket.create_connection(("127.0.0.1", own.port["imaps"]), 10))
            except OSError:
                continue
            raise AssertionError(f"{version} was taken")


def what_comes_with_starttls_is_never_answered(server: Server) -> None:
    """RFC 3207 §4.2, RFC 2595 §4, RFC 9051 §6.2.1: whoever slips commands in before TLS gets nothing."""
    conversations = {
        "smtp": (b"EHLO a\r\n", b"STARTTLS\r\nRSET\r\nMAIL FROM:<eve@evil.example>\r\n", b"NOOP\r\n", b"250 ", b"MAIL FROM:<b@b.example>\r\n"),
        "submission": (b"EHLO a\r\n", b"STARTTLS\r\nEHLO evil\r\n", b"NOOP\r\n", b"250 ", None),
        "pop3": (b"CAPA\r\n", b"STLS\r\nUSER eve\r\nPASS any\r\n", b"NOOP\r\n", b"-ERR", None),
        "imap": (b"a CAPABILITY\r\n", b"b STARTTLS\r\nc LOGIN eve any\r\n", b"d SELECT INBOX\r\n", b"d ", None),
    }
    ends = {"smtp": b"250 ", "submission": b"250 ", "pop3": b".\r\n", "imap": b"a OK"}
    with running(server.binary, "--starttls") as own:
        tls = context(own.directory / "data" / "tls" / "certificate.pem")
        for name, (hello, inject, ask, expected, then) in conversations.items():
            plain = socket.create_connection(("127.0.0.1", own.port[name]), 10)
            plain.recv(1000)
            plain.sendall(hello)
            answer = b""
            while not any(line.startswith(ends[name]) for line in answer.splitlines(True)):
                answer += plain.recv(10_000)
            plain.sendall(inject)
            answer = b""
            while b"\n" not in answer:
                answer += plain.recv(1000)
            assert answer.count(b"\n") == 1, (name, answer)
            secured = tls.wrap_socket(plain, server_hostname="localhost")
            secured.sendall(ask)
            first = secured.recv(1000)
            assert first.count(b"\r\n") == 1 and first.startswith(expected), (name, first)
            if then:
                # Nothing of a transaction that was begun before is left; and who he was is forgotten.
                secured.sendall(then)
                assert secured.recv(1000).startswith(b"503"), name
            if name == "imap":
                assert b"OK" not in first, first
            secured.close()
        for trace in [*own.traces("smtp").values(), *own.traces("imap").values()]:
            assert "eve" not in trace.split("secured")[-1], trace


def certificates_change_without_a_restart(server: Server) -> None:
    with scratch() as directory:
        certificate(directory, "first")
        config = directory / "pillarbox.toml"
        config.write_text('domains = ["hamburger.edu"]\n[tls]\ncertificate = "certificate.pem"\nkey = "key.pem"\n')
        server_directory = directory / "server"
        server_directory.mkdir()
        own = Server(server.binary, flags=("--config", str(config)), directory=server_directory)
        try:
            def shown() -> bytes:
                return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", own.port["imaps"])))

            def on_disk() -> bytes:
                return ssl.PEM_cert_to_DER_cert((directory / "certificate.pem").read_text())

            first = on_disk()
            assert shown() == first
            (directory / "key.pem").write_text("rubbish")
            time.sleep(6)
            assert shown() == first, "a broken pair must leave the old one"
            assert "the new certificate is not used; the old one stays" in (own.directory / "log").read_text()
            certificate(directory, "second")
            time.sleep(6)
            assert shown() == on_disk() != first
        finally:
            assert own.stop() == 0


def the_self_signed_certificate_is_kept_for_its_owner_alone(server: Server) -> None:
    with scratch() as directory:
        with running(server.binary, directory=directory) as own:
            tls = directory / "data" / "tls"
            assert stat.S_IMODE(os.stat(tls / "key.pem").st_mode) == 0o600
            first = ssl.get_server_certificate(("127.0.0.1", own.port["imaps"]))
        with running(server.binary, directory=directory) as own:
            assert ssl.get_server_certificate(("127.0.0.1", own.port["imaps"])) == first


def handshakes_end_in_time_and_within_bounds(server: Server) -> None:
    with running(server.binary, "--starttls") as own:
        took = {}

        def silent(name: str) -> None:
            with socket.create_connection(("127.0.0.1", own.port[name]), 30) as peer:
                if name == "smtp":
                    peer.recv(1000)
                    peer.sendall(b"EHLO a\r\n")
                    while b"250 " not in peer.recv(10_000):
                        pass
                    peer.sendall(b"STARTTLS\r\n")
                    assert peer.recv(1000).startswith(b"220 ")
                start = time.monotonic()
                assert peer.recv(1000) == b"", name
                took[name] = time.monotonic() - start

        threads = [threading.Thread(target=silent, args=(name,)) for name in (*IMPLICIT, "smtp")]
        for thread in threads:
            thread.start()
        # In between: a client hello that never ends, in records of the greatest size.
        with socket.create_connection(("127.0.0.1", own.port["imaps"]), 10) as peer:
            record = b"\x16\x03\x01\x40\x00" + b"\x01\x00\xff\xfb" + bytes(16380)
            sent = 0
            try:
                for _ in range(100):
                    sent += peer.send(record)
                    time.sleep(0.01)
                raise AssertionError("1.6 MB of handshake were taken")
            except OSError:
                pass
        for thread in threads:
            thread.join()
        assert set(took) == {*IMPLICIT, "smtp"}, took
        assert all(9 <= seconds <= 13 for seconds in took.values()), took
        with smtplib.SMTP("localhost", own.port["smtp"], timeout=30) as client:
            assert client.noop()[0] == 250


CHECKS = [
    starttls_and_implicit_tls_carry_mail_in_both_versions,
    openssl_speaks_with_every_listener,
    what_comes_with_starttls_is_never_answered,
    certificates_change_without_a_restart,
    the_self_signed_certificate_is_kept_for_its_owner_alone,
    handshakes_end_in_time_and_within_bounds,
]
