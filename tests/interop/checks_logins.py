"""Logins by programs that we did not write, and tokens judged by an issuer that is one of Python's web servers."""

import base64
import contextlib
import http.server
import imaplib
import json
import pathlib
import poplib
import smtplib
import subprocess
import threading
import time
import urllib.parse

from checks_tls import certificate, context, running, scratch
from server import Server

USER = "ann@hamburger.edu"
PASSWORD = "pencil, with = and spaces"


def encoded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


class Issuer:
    """Signs tokens with RS256 by OpenSSL, publishes its key, and answers questions about tokens."""

    def __init__(self, directory: pathlib.Path):
        self.key = directory / "issuer.key"
        subprocess.run(["openssl", "genrsa", "-out", self.key, "2048"], check=True, capture_output=True)
        modulus = subprocess.run(["openssl", "rsa", "-in", self.key, "-noout", "-modulus"], check=True, capture_output=True)
        modulus = bytes.fromhex(modulus.stdout.decode().strip().split("=")[1])
        keys = {"keys": [{"kty": "oct", "k": "AAAA"},
                         {"kty": "RSA", "kid": "k1", "use": "sig", "n": encoded(modulus), "e": "AQAB"}]}
        issuer = self
        self.fetched, self.asked, self.active = 0, [], {}

        class Answers(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetched += 1
                self.answer(keys)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = dict(urllib.parse.parse_qsl(body))
                issuer.asked.append((self.headers["Authorization"], form))
                self.answer(issuer.active.get(form["token"], {"active": False}))

            def answer(self, value: dict) -> None:
                body = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.web.server_port}"
        threading.Thread(target=self.web.serve_forever, daemon=True).start()

    def token(self, key_id: str = "k1", **changes: object) -> str:
        header = {"alg": "RS256", "typ": "at+jwt", "kid": key_id}
        claims = {"iss": self.url, "aud": "mail", "exp": int(time.time()) + 600, "scope": "mail", "email": USER}
        claims |= changes
        signed = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key],
                                   input=signed.encode(), check=True, capture_output=True)
        return f"{signed}.{encoded(signature.stdout)}"


@contextlib.contextmanager
def accounts(binary: pathlib.Path, extra: str = "", tls: str = ""):
    """A server profile with one account and a certificate; `tls` goes into that section."""
    with scratch() as directory:
        certificate(directory, "mail.hamburger.edu")
        config = directory / "pillarbox.toml"
        config.write_text(
            f'domains = ["hamburger.edu"]\ndata = "{directory}/server/data"\n'
            f'[tls]\ncertificate = "certificate.pem"\nkey = "key.pem"\n{tls}'
            f'[limits]\nlogin_failures_per_network = 1000\n{extra}')
        (directory / "server").mkdir()
        subprocess.run([binary, "account", "add", USER, "--config", config], input=PASSWORD.encode(),
                       check=True, capture_output=True)
        with running(binary, "--config", str(config), directory=directory / "server") as own:
            own.authority = directory / "certificate.pem"
            yield own


def real_clients_log_in_to_accounts(server: Server) -> None:
    with accounts(server.binary) as own:
        tls = context(own.authority)
        for mechanism in ("PLAIN", "LOGIN"):
            for secret, works in ((PASSWORD, True), ("wrong", False)):
                done = subprocess.run(
                    ["swaks", "--server", "127.0.0.1", "--port", str(own.port["submission"]), "--tls", "--to", USER,
                     "--from", USER, "--auth", mechanism, "--auth-user", USER, "--auth-password", secret],
                    capture_output=True, text=True, timeout=60)
                assert (done.returncode == 0) == works, done.stdout
                assert ("235 2.7.0" in done.stdout) == works and ("535 5.7.8" in done.stdout) != works, done.stdout
        with smtplib.SMTP_SSL("localhost", own.port["submissions"], context=tls, timeout=30) as client:
            client.ehlo()
            offered = client.esmtp_features["auth"].split()
            assert offered[:4] == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1"], offered
            assert "XOAUTH2" not in offered and "EXTERNAL" not in offered, offered
            client.login(USER, PASSWORD)
        box = imaplib.IMAP4_SSL("localhost", own.port["imaps"], ssl_context=tls, timeout=30)
        box.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
        box.logout()
        pop = poplib.POP3_SSL("localhost", own.port["pop3s"], context=tls, timeout=30)
        pop.user(USER)
        pop.pass_(PASSWORD)
        assert len(pop.list()[1]) == 2
        pop.quit()
        secrets = [PASSWORD, base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()]
        log = (own.directory / "log").read_text()
        for text in [log, *own.traces("smtp").values(), *own.traces("imap").values(), *own.traces("pop3").values()]:
            assert not any(secret in text for secret in secrets), text


def curl(own: Server, url: str, token: str) -> bool:
    done = subprocess.run(
        ["curl", "-sS", url, "--cacert", own.authority, "--user", f"{USER}:", "--oauth2-bearer", token],
        capture_output=True, text=True, timeout=60)
    return done.returncode == 0


def signed_tokens_open_accounts(server: Server) -> None:
    with scratch() as directory:
        issuer = Issuer(directory)
        extra = (f'[auth.tokens]\nissuer = "{issuer.url}"\naudience = "mail"\nscope = ["mail"]\n'
                 f'[auth.tokens.jwks]\nurl = "{issuer.url}/keys"\n')
        with accounts(server.binary, extra) as own:
            imap, pop3 = f"imaps://localhost:{own.port['imaps']}", f"pop3s://localhost:{own.port['pop3s']}"
            assert curl(own, imap, issuer.token())
            assert curl(own, pop3, issuer.token())
            with smtplib.SMTP_SSL("localhost", own.port["submissions"], context=context(own.authority), timeout=30) as client:
                client.ehlo()
                given = f"n,a={USER},\x01auth=Bearer {issuer.token()}\x01\x01"
                assert client.auth("OAUTHBEARER", lambda challenge=None: given)[0] == 235
            assert issuer.fetched == 1, issuer.fetched
            forged = issuer.token()
            forged = forged[:-8] + ("AAAAAAAA" if forged[-8:] != "AAAAAAAA" else "BBBBBBBB")
            for token in (forged, issuer.token(exp=int(time.time()) - 100), issuer.token(aud="web"), issuer.token(iss="x"),
                          issuer.token(scope="openid"), issuer.token(email="eve@hamburger.edu"), issuer.token(key_id="k2")):
                assert not curl(own, imap, token), token
            # An unknown key makes us look for a new one, but not every time.
            assert issuer.fetched == 1, issuer.fetched
        issuer.web.shutdown()


def tokens_are_asked_about_and_withdrawn(server: Server) -> None:
    with scratch() as directory:
        issuer = Issuer(directory)
        (directory / "secret").write_text("s&cret:\n")
        extra = (f'[auth.tokens]\nscope = ["mail"]\n[auth.tokens.introspection]\nurl = "{issuer.url}/introspect"\n'
                 f'client_id = "pillarbox"\nclient_secret_file = "{directory}/secret"\n')
        with accounts(server.binary, extra) as own:
            imap = f"imaps://localhost:{own.port['imaps']}"
            issuer.active["good"] = {"active": True, "exp": int(time.time()) + 600, "scope": "mail", "email": USER}
            issuer.active["web"] = issuer.active["good"] | {"scope": "web"}
            issuer.active["odd"] = issuer.active["good"] | {"active": "true"}
            assert curl(own, imap, "good")
            authorization, form = issuer.asked[0]
            assert form == {"token": "good", "token_type_hint": "access_token"}, form
            # RFC 6749 §2.3.1: escaped before they are joined.
            assert base64.b64decode(authorization.split()[1]) == b"pillarbox:s%26cret%3A", authorization
            assert not any(curl(own, imap, token) for token in ("bad", "web", "odd"))
            del issuer.active["good"]
            assert not curl(own, imap, "good")
        issuer.web.shutdown()
        issuer.web.server_close()


def one_password_for_development(server: Server) -> None:
    with running(server.binary, "--dev-password", "pencil") as own:
        box = imaplib.IMAP4("localhost", own.port["imap"], timeout=30)
        offered = [name for name in box.capabilities if name.startswith("AUTH=")]
        assert "AUTH=SCRAM-SHA-256" in offered and "AUTH=SCRAM-SHA-256-PLUS" not in offered, offered
        assert box.login(USER, "pencil")[0] == "OK"
        box.logout()
        pop = poplib.POP3("localhost", own.port["pop3"], timeout=30)
        pop.user(USER)
        try:
            pop.pass_("pen")
        except poplib.error_proto:
            pass
        else:
            raise AssertionError("a wrong password was right")
        pop.close()
    # Any token opens the account of the name that goes with it.
    with running(server.binary) as own:
        box = imaplib.IMAP4("localhost", own.port["imap"], timeout=30)
        assert not any("SCRAM" in name for name in box.capabilities), box.capabilities
        box.authenticate("XOAUTH2", lambda _: f"user={USER}\x01auth=Bearer anything\x01\x01".encode())
        box.logout()


def digests_by_pythons_clients(server: Server) -> None:
    with running(server.binary, "--dev-password", "pencil", "--apop", "--cram-md5") as own:
        pop = poplib.POP3("localhost", own.port["pop3"], timeout=30)
        assert pop.apop(USER, "pencil").startswith(b"+OK"), "APOP"
        pop.quit()
        pop = poplib.POP3("localhost", own.port["pop3"], timeout=30)
        try:
            pop.apop(USER, "pen")
        except poplib.error_proto:
            pass
        else:
            raise AssertionError("a wrong password was right")
        pop.close()
        box = imaplib.IMAP4("localhost", own.port["imap"], timeout=30)
        assert box.login_cram_md5(USER, "pencil")[0] == "OK"
        box.logout()
        with smtplib.SMTP("localhost", own.port["smtp"], timeout=30) as client:
            client.ehlo()
            client.user, client.password = USER, "pencil"
            assert client.auth("CRAM-MD5", client.auth_cram_md5)[0] == 235
    with running(server.binary) as own:
        pop = poplib.POP3("localhost", own.port["pop3"], timeout=30)
        try:
            pop.apop(USER, "pencil")
        except poplib.error_proto:
            pass
        else:
            raise AssertionError("APOP is off unless it is wanted")
        pop.close()


CHECKS = [
    real_clients_log_in_to_accounts,
    signed_tokens_open_accounts,
    tokens_are_asked_about_and_withdrawn,
    one_password_for_development,
    digests_by_pythons_clients,
]
