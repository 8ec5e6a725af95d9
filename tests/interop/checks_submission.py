"""Submission by every program that we have, with every mechanism it has: TLS, login, and the message arrives as it was sent."""

import base64
import hashlib
import os
import pathlib
import smtplib
import subprocess
import threading
import time

from checks_agent import scripted
from checks_clients import command
from checks_logins import PASSWORD, USER, accounts
from checks_python import body, imap
from checks_tls import context, scratch
from server import Server

TOKEN = "a-token.of+this/table~=="


def table(directory: pathlib.Path) -> str:
    """A table with one token; gives what the configuration says of it."""
    file = directory / "tokens"
    file.write_text(f"{hashlib.sha256(TOKEN.encode()).hexdigest()} {USER}\n")
    return f'[auth.tokens]\ntable = "{file}"\n'


def inbox(own: Server) -> list[bytes]:
    box = imap(own, USER, password=PASSWORD)
    found = [body(box, uid.decode()) for uid in box.uid("SEARCH", "ALL")[1][0].split()]
    box.logout()
    return found


def arrives(own: Server, send, mark: str) -> None:
    """What is sent with this mark is the one message more."""
    before = len(inbox(own))
    send()
    after = inbox(own)
    assert len(after) == before + 1 and mark.encode() in after[-1], (mark, len(after) - before, after[-1:])


def how_it_came(own: Server) -> bytes:
    return inbox(own)[-1].split(b"\r\nFrom:")[0]


def swaks(own: Server, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["swaks", "--server", "localhost", "--from", USER, "--to", USER, *words], capture_output=True, text=True, timeout=60)


def swaks_tries_every_mechanism(server: Server) -> None:
    listed = subprocess.run(["swaks", "--support"], capture_output=True, text=True, timeout=60)
    assert listed.returncode == 0, listed
    with accounts(server.binary) as own:
        doors = {"--tls": "submission", "--tls-on-connect": "submissions"}
        for tls, door in doors.items():
            common = (tls, "--port", str(own.port[door]), "--auth-user", USER, "--auth-password", PASSWORD)
            for mechanism in ("PLAIN", "LOGIN"):
                mark = f"{mechanism} {door}"

                def send() -> None:
                    done = swaks(own, *common, "--auth", mechanism, "--header", f"Subject: {mark}")
                    assert done.returncode == 0 and f"AUTH {mechanism}" in done.stdout, done.stdout

                arrives(own, send, mark)
                assert b" with ESMTPSA id " in how_it_came(own), how_it_came(own)
            # They need the password itself on our side, or are broken: they are not offered, and swaks goes.
            for mechanism in ("CRAM-MD5", "CRAM-SHA1", "DIGEST-MD5"):
                done = swaks(own, *common, "--auth", mechanism)
                assert done.returncode == 28 and "requested type not available" in done.stderr, done
                offered = [line for line in done.stdout.splitlines() if "250" in line and "AUTH" in line]
                assert offered and not any(mechanism in line for line in offered), offered
        # Without TLS nothing can be submitted from elsewhere; from here a login is possible, and mail without one is not.
        done = swaks(own, "--port", str(own.port["submission"]))
        assert done.returncode != 0 and "530 5.7.0" in done.stdout, done.stdout
        # Who insists on one that is not offered is told, and may still log in with another.
        with smtplib.SMTP_SSL("localhost", own.port["submissions"], context=context(own.authority), timeout=30) as client:
            client.ehlo()
            for mechanism in ("CRAM-MD5", "CRAM-SHA1", "DIGEST-MD5", "NTLM", "GSSAPI", "ANONYMOUS", "X"):
                code, text = client.docmd("AUTH", mechanism)
                assert code == 504 and text.startswith(b"5.5.4"), (mechanism, code, text)
            client.login(USER, PASSWORD)


def identity(directory: pathlib.Path) -> None:
    """An authority, and a client's certificate of it for the account."""
    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=directory)

    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *new, "-days", "30", "-subj", "/CN=clients", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *new, "-subj", "/CN=ann", "-keyout", "ann.key", "-out", "ann.csr")
    (directory / "ext").write_text(f"subjectAltName=email:{USER}\nextendedKeyUsage=clientAuth\n")
    openssl("x509", "-req", "-in", "ann.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
            "-extfile", "ext", "-out", "ann.pem")


def msmtp_logs_in_with_every_mechanism(server: Server) -> None:
    with scratch() as directory:
        identity(directory)
        client_ca = f'client_ca = "{directory}/ca.pem"\n'
        with accounts(server.binary, table(directory), client_ca) as own:
            message = f"From: {USER}\nTo: {USER}\nSubject: by msmtp\n\n.\n..dots\nwith {{}} over {{}}\n"
            for door, start in (("submission", "on"), ("submissions", "off")):
                for mechanism in ("plain", "login", "scram-sha-1", "scram-sha-256", "oauthbearer", "xoauth2", "external"):
                    secret = TOKEN if mechanism in ("oauthbearer", "xoauth2") else PASSWORD
                    settings = (f"host localhost\nport {own.port[door]}\nfrom {USER}\ntls on\ntls_starttls {start}\n"
                                f"tls_trust_file {own.authority}\nauth {mechanism}\nuser {USER}\n")
                    settings += (f"tls_cert_file {directory}/ann.pem\ntls_key_file {directory}/ann.key\n"
                                 if mechanism == "external" else f'password "{secret}"\n')
                    file = directory / "msmtprc"
                    file.write_text("account default\n" + settings)
                    file.chmod(0o600)
                    octets = message.format(mechanism, door).encode()
                    mark = f"with {mechanism} over {door}"
                    arrives(own, lambda: command(own, "msmtp", f"--file={file}", "--debug", USER, stdin=octets), mark)
                    came = inbox(own)[-1]
                    assert came.endswith(b"\r\n\r\n" + octets.split(b"\n\n", 1)[1].replace(b"\n", b"\r\n")), came
                    used = {"external": "EXTERNAL"}.get(mechanism, mechanism.upper())
                    assert any(f"AUTH {used}" in text for text in own.traces("smtp").values()), mechanism
            # A wrong secret is refused, and nothing is sent.
            file.write_text(file.read_text().replace("auth external", "auth scram-sha-256") + "password wrong\n")
            count = len(inbox(own))
            said = subprocess.run(["msmtp", f"--file={file}", USER], input=b"Subject: x\n\n", capture_output=True, timeout=60)
            assert said.returncode == 77 and b"535" in said.stderr, said
            assert len(inbox(own)) == count
            texts = [(own.directory / "log").read_text(), *own.traces("smtp").values()]
            assert not any(secret in text for secret in (PASSWORD, TOKEN) for text in texts), "a secret was written down"


def openssl_submits(server: Server) -> None:
    with accounts(server.binary) as own:
        login = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
        for door, start in (("submission", ["-starttls", "smtp"]), ("submissions", [])):
            steps = [("EHLO client.example", "250"), (f"AUTH PLAIN {login}", "235"), (f"MAIL FROM:<{USER}>", "250"),
                     (f"RCPT TO:<{USER}>", "250"), ("DATA", "354"),
                     (f"From: {USER}\r\nSubject: s_client\r\n\r\nover {door}\r\n.", "250"), ("QUIT", "221")]

            def send() -> None:
                words = ["openssl", "s_client", "-connect", f"localhost:{own.port[door]}", *start, "-CAfile", own.authority,
                         "-verify_return_error", "-verify_hostname", "localhost", "-quiet"]
                with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as talk:
                    limit = threading.Timer(60, talk.kill)
                    limit.start()
                    # With -starttls, s_client has read the greeting itself.
                    said = b"" if start else talk.stdout.readline()
                    for words, code in steps:
                        # What is sent before its turn is refused, so each reply is awaited.
                        talk.stdin.write(f"{words}\r\n".encode())
                        talk.stdin.flush()
                        said = talk.stdout.readline()
                        while said[3:4] == b"-":
                            said = talk.stdout.readline()
                        assert said.startswith(code.encode()), (words, said)
                    limit.cancel()

            arrives(own, send, f"over {door}")


def what_requires_tls_comes_back_at_once(server: Server) -> None:
    """RFC 8689 §4.2.1: a server without TLS, or without REQUIRETLS, is no reason to try for five days."""
    with scripted(lambda line: b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 plain.example\r\n") as (port, heard):
        route = f"[relay]\nmta_sts = false\n[[relay.routes]]\ndomain = 'plain.example'\nnext_hop = '[127.0.0.1]:{port}'\n"
        with accounts(server.binary, route) as own:

            def send() -> None:
                with smtplib.SMTP("localhost", own.port["submission"]) as client:
                    client.starttls(context=context(pathlib.Path(own.authority)))
                    client.login(USER, PASSWORD)
                    letter = f"From: {USER}\r\nSubject: secret\r\n\r\nwords\r\n"
                    client.sendmail(USER, ["x@plain.example"], letter, mail_options=["REQUIRETLS"])
                until = time.monotonic() + 20
                while not inbox(own) and time.monotonic() < until:
                    time.sleep(0.1)

            arrives(own, send, "Status: 5.7.10")
        assert heard and not any(line.startswith(b"MAIL") for line in heard), heard


def git_sends_patches_over_smtp(server: Server) -> None:
    with accounts(server.binary) as own, scratch() as directory:
        who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
               for what, value in (("NAME", "Ann"), ("EMAIL", USER))}
        environment = os.environ | who | {"HOME": str(directory), "GIT_CONFIG_NOSYSTEM": "1"}

        def git(*words: str) -> str:
            ran = subprocess.run(["git", *words], cwd=directory, env=environment, capture_output=True, text=True, timeout=120)
            assert ran.returncode == 0, (words, ran.stdout, ran.stderr)
            return ran.stdout

        git("init", "-q")
        for number, (door, encryption, mechanism) in enumerate(
                [("submission", "tls", "PLAIN"), ("submissions", "ssl", "LOGIN")]):
            (directory / "menu").write_text(f".\nCrêpes {number}\n")
            git("add", "menu")
            git("commit", "-q", "-m", f"Menu {number}")

            def send() -> None:
                git("send-email", "--confirm=never", f"--to={USER}", f"--from={USER}", "--suppress-cc=all",
                    "--smtp-server=localhost", f"--smtp-server-port={own.port[door]}", f"--smtp-encryption={encryption}",
                    f"--smtp-ssl-cert-path={own.authority}", f"--smtp-user={USER}", f"--smtp-pass={PASSWORD}",
                    f"--smtp-auth={mechanism}", "-1")

            arrives(own, send, f"Subject: [PATCH] Menu {number}")
            assert f"+Crêpes {number}".encode() in inbox(own)[-1], inbox(own)[-1]
            assert any(f"AUTH {mechanism}" in text for text in own.traces("smtp").values()), mechanism


CHECKS = [
    swaks_tries_every_mechanism,
    msmtp_logs_in_with_every_mechanism,
    openssl_submits,
    what_requires_tls_comes_back_at_once,
    git_sends_patches_over_smtp,
]
