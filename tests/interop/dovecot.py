"""A Dovecot of Debian's with mailboxes of its own, for the checks that read mail at somebody else's server."""

import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from postfix import free_port, run

CONFIG = """\
protocols = imap pop3
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
ssl = yes
ssl_cert = <{home}/cert.pem
ssl_key = <{home}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login scram-sha-1 scram-sha-256
first_valid_uid = 1
mail_location = maildir:~/mail
namespace inbox {{
  inbox = yes
  mailbox Trash {{
    special_use = \\Trash
    auto = create
  }}
}}
passdb {{
  driver = passwd-file
  args = {home}/users
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={home}/mail/%u
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    address = 127.0.0.1
    port = {pop3}
  }}
  inet_listener pop3s {{
    address = 127.0.0.1
    port = {pop3s}
    ssl = yes
  }}
}}
"""


class Dovecot:
    """Runs it with one user."""

    USER, PASSWORD = "ann@far.example", "s3cret"

    def __init__(self) -> None:
        # Names of Unix sockets are short, and its other users must get through.
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="pillarbox-dovecot-"))
        self.home.chmod(0o755)
        self.ports = {name: free_port() for name in ("imap", "imaps", "pop3", "pop3s")}
        self.config = self.home / "dovecot.conf"
        self.config.write_text(CONFIG.format(home=self.home, **self.ports))
        (self.home / "users").write_text(f"{self.USER}:{{PLAIN}}{self.PASSWORD}\n")
        (self.home / "mail").mkdir()
        run("chown", "mail:mail", str(self.home / "mail"))
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
            "-keyout", str(self.home / "key.pem"), "-out", str(self.home / "cert.pem"))
        run("dovecot", "-c", str(self.config))
        until = time.monotonic() + 30
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.ports["imap"]), 5) as wire:
                    if wire.recv(4) == b"* OK":
                        return
            except OSError:
                pass
            if time.monotonic() > until:
                raise RuntimeError("Dovecot does not answer: " + (self.home / "log").read_text())
            time.sleep(0.1)

    @property
    def ca(self) -> str:
        return str(self.home / "cert.pem")

    def url(self, scheme: str, rest: str = "") -> str:
        return f"{scheme}://{self.USER}@localhost:{self.ports[scheme]}{rest}"

    def stop(self) -> None:
        subprocess.run(["doveadm", "-c", str(self.config), "stop"], check=False, capture_output=True, timeout=60)
        shutil.rmtree(self.home, ignore_errors=True)
