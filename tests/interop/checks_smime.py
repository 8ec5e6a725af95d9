"""S/MIME on the command line, against OpenSSL and through our own server."""

import json
import os
import pathlib
import subprocess
import tempfile

from checks_agent import at, newest, pillarbox
from server import Server

LETTER = """From: Alice <alice@crepes.fr>
To: bob@hamburger.edu
Subject: Ketchup
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Do you like Crème brûlée?
From here it is far.
.
"""


def openssl(directory: str, *arguments: str) -> bytes:
    ran = subprocess.run(["openssl", *arguments], cwd=directory, capture_output=True, timeout=60)
    assert ran.returncode == 0, (arguments, ran.stderr.decode())
    return ran.stdout


def people(server: Server, directory: str) -> None:
    """An authority, Alice with a key of RSA, Bob with one of P-256; and the letter."""
    def keygen(*arguments: str) -> None:
        pillarbox(server, "smime", "keygen", *arguments, cwd=directory)

    keygen("--authority", "Little authority", "--key", "ca.key", "--cert", "ca.crt")
    issuer = ("--issuer-key", "ca.key", "--issuer-cert", "ca.crt")
    keygen("--address", "alice@crepes.fr", "--name", "Alice", "--key", "alice.key", "--cert", "alice.crt", *issuer)
    keygen("--address", "bob@hamburger.edu", "--algorithm", "p256", "--key", "bob.key", "--cert", "bob.crt", *issuer)
    pathlib.Path(directory, "letter.eml").write_text(LETTER)


def verdict(server: Server, directory: str, message: bytes, *arguments: str, code: int = 0) -> dict:
    ran = pillarbox(server, "smime", "verify", "--json", *arguments, cwd=directory, input=message, code=code)
    return json.loads(ran.stdout)


def signed_mail_arrives_as_it_was_signed(server: Server) -> None:
    """Signed and encrypted on the command line, sent through the server, fetched by IMAP, and judged."""
    with tempfile.TemporaryDirectory() as directory:
        people(server, directory)
        assert os.stat(pathlib.Path(directory, "alice.key")).st_mode & 0o077 == 0
        assert openssl(directory, "verify", "-purpose", "smimesign", "-CAfile", "ca.crt", "alice.crt") == b"alice.crt: OK\n"
        own = ("--key", "alice.key", "--cert", "alice.crt")
        trust = ("--trust", "ca.crt")
        for count, opaque in enumerate([(), ("--opaque",)], 1):
            signed = pillarbox(server, "smime", "sign", *own, *opaque, "letter.eml", cwd=directory).stdout
            assert signed.isascii()
            pathlib.Path(directory, "signed.eml").write_bytes(signed)
            text = openssl(directory, "cms", "-verify", "-in", "signed.eml", "-CAfile", "ca.crt")
            assert b"Cr=C3=A8me" in text or "Crème".encode() in text, text
            pillarbox(server, "send", "--server", at(server), "--message", "-", "--to", f"smime{count}@hamburger.edu",
                      cwd=directory, input=signed)
            came = newest(server, f"smime{count}@hamburger.edu")
            found = verdict(server, directory, came, *trust)
            assert found["word"] == "trusted" and found["state"] == 2, found
            assert found["layers"][0]["signers"][0]["addresses"] == ["alice@crepes.fr"]
            start, end = found["layers"][0]["covered"]
            assert 0 < start < end <= len(came)
            if not opaque:
                # One octet within, and one octet outside of what is covered.
                changed = bytearray(came)
                changed[came.index(b"far", start)] ^= 1
                assert verdict(server, directory, bytes(changed), *trust, code=1)["word"] == "content-altered"
                outside = came.replace(b"Subject: Ketchup", b"Subject: Mustard")
                assert verdict(server, directory, outside, *trust)["word"] == "trusted"
            other = came.replace(b"alice@crepes.fr", b"mallory@crepes.fr")
            assert verdict(server, directory, other, *trust, code=1)["word"] == "address-differs"
            assert verdict(server, directory, came, code=1)["word"] == "signer-unknown"
        plain = verdict(server, directory, LETTER.encode(), *trust, code=1)
        assert plain["word"] == "not-signed" and plain["layers"] == []


def encrypted_mail_opens_with_the_right_key(server: Server) -> None:
    with tempfile.TemporaryDirectory() as directory:
        people(server, directory)
        signed = pillarbox(server, "smime", "sign", "--key", "alice.key", "--cert", "alice.crt", "letter.eml", cwd=directory)
        for cipher in ("aes-256-gcm", "aes-128-gcm", "aes-256-cbc", "aes-128-cbc"):
            to = ("--to", "bob.crt", "--to", "alice.crt", "--cipher", cipher)
            sealed = pillarbox(server, "smime", "encrypt", *to, cwd=directory, input=signed.stdout).stdout
            # A word of the letter's, with what base64 has no octet for; three letters alone could come by chance.
            assert b"is far." not in sealed and b"Subject: Ketchup" in sealed
            pathlib.Path(directory, "sealed.eml").write_bytes(sealed)
            for name in ("alice", "bob"):
                keys = ("--key", f"{name}.key", "--cert", f"{name}.crt")
                opened = pillarbox(server, "smime", "decrypt", *keys, "sealed.eml", cwd=directory)
                assert (b"does not tell" in opened.stderr) == cipher.endswith("cbc"), opened.stderr
                assert verdict(server, directory, opened.stdout, "--trust", "ca.crt")["word"] == "trusted"
                found = verdict(server, directory, sealed, "--trust", "ca.crt", *keys)
                assert (found["word"], found["inner_word"]) == ("encrypted", "trusted"), found
                assert found["layers"][0]["cipher"] == cipher.upper()
                openssl(directory, "cms", "-decrypt", "-in", "sealed.eml", "-recip", f"{name}.crt", "-inkey", f"{name}.key",
                        "-out", "opened")
                assert b"far." in pathlib.Path(directory, "opened").read_bytes()
        pillarbox(server, "smime", "keygen", "--address", "eve@crepes.fr", "--algorithm", "p256", "--key", "eve.key",
                  "--cert", "eve.crt", cwd=directory)
        eve = ("--key", "eve.key", "--cert", "eve.crt")
        lost = pillarbox(server, "smime", "decrypt", *eve, "sealed.eml", cwd=directory, code=1)
        assert b"none of the given keys" in lost.stderr and lost.stdout == b""
        # OpenSSL encrypts, and streams it, so that lengths are indefinite.
        openssl(directory, "cms", "-encrypt", "-stream", "-aes-256-gcm", "-in", "letter.eml", "-out", "theirs.eml", "bob.crt")
        keys = ("--key", "bob.key", "--cert", "bob.crt")
        opened = pillarbox(server, "smime", "decrypt", *keys, "theirs.eml", cwd=directory)
        assert "Crème brûlée".encode() in opened.stdout


def what_is_wrong_is_named(server: Server) -> None:
    with tempfile.TemporaryDirectory() as directory:
        people(server, directory)
        alice = ("--key", "alice.key", "--cert", "alice.crt")
        pathlib.Path(directory, "open.key").write_bytes(pathlib.Path(directory, "alice.key").read_bytes())
        os.chmod(pathlib.Path(directory, "open.key"), 0o644)
        pathlib.Path(directory, "nothing").write_text("nothing\n")
        os.chmod(pathlib.Path(directory, "nothing"), 0o600)
        # A certificate of yesterday; `req` makes none.
        openssl(directory, "req", "-new", "-key", "bob.key", "-out", "old.csr", "-subj", "/CN=Old")
        openssl(directory, "x509", "-req", "-in", "old.csr", "-signkey", "bob.key", "-days", "-1", "-out", "old.crt")
        wrong = [
            (2, "valid from", "sign", "--key", "bob.key", "--cert", "old.crt", "letter.eml"),
            (2, "get a new one", "encrypt", "--to", "old.crt", "letter.eml"),
            (2, "is not that of bob.key", "sign", "--key", "bob.key", "--cert", "alice.crt", "letter.eml"),
            (2, "chmod 600 open.key", "sign", "--key", "open.key", "--cert", "alice.crt", "letter.eml"),
            (2, "no private key in PEM form", "sign", "--key", "nothing", "--cert", "alice.crt", "letter.eml"),
            (2, "no certificate in it", "verify", "--trust", "nothing", "letter.eml"),
            (2, "no revocation list", "verify", "--crl", "alice.crt", "letter.eml"),
            (2, "missing: No such file", "verify", "--trust", "missing", "letter.eml"),
            (2, "not one for signing mail", "sign", "--key", "ca.key", "--cert", "ca.crt", "letter.eml"),
            (2, "not for encrypting mail", "encrypt", "--to", "ca.crt", "letter.eml"),
            (2, "never written over", "keygen", "--address", "a@b.example", "--algorithm", "p256", "--key", "alice.key",
             "--cert", "new.crt"),
            (2, "no authority's", "keygen", "--address", "a@b.example", "--key", "new.key", "--cert", "new.crt",
             "--issuer-key", "alice.key", "--issuer-cert", "alice.crt"),
            (2, "no address such as", "keygen", "--address", "alice", "--key", "new.key", "--cert", "new.crt"),
            (2, "2048, 3072 or 4096", "keygen", "--address", "a@b.example", "--bits", "1024", "--key", "new.key",
             "--cert", "new.crt"),
            (65, "not encrypted", "decrypt", *alice, "letter.eml"),
            (65, "no message in it", "sign", *alice, "/dev/null"),
            (66, "missing: No such file", "sign", *alice, "missing"),
        ]
        for code, words, *arguments in wrong:
            ran = pillarbox(server, "smime", *arguments, cwd=directory, code=code, stdin=subprocess.DEVNULL)
            assert words in ran.stderr.decode(), (arguments, ran.stderr)
            assert ran.stdout == b"", arguments


CHECKS = [signed_mail_arrives_as_it_was_signed, encrypted_mail_opens_with_the_right_key, what_is_wrong_is_named]
