"""Postfix from Debian as a peer: an instance with its own configuration, queue and mailboxes, on a free loopback port."""

import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import time

DOMAIN = "postfix.example"
MAILBOXES = ("bob", "carol", "dave", "erin")
USER, PASSWORD = f"carol@{DOMAIN}", "p ckles"

SERVICES = """\
{smtpd} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
error unix - - n - - error
retry unix - - n - - error
smtp unix - - n - - smtp
relay unix - - n - - smtp
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
pickup unix n - n 1 1 pickup
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""

SETTINGS = """\
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {home}/log
maillog_file_prefixes = {home}
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = mx.{domain}
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
smtpd_peername_lookup = no
disable_dns_lookups = yes
smtp_dns_support_level = disabled
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {home}/mail
virtual_mailbox_maps = texthash:{home}/config/mailboxes
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_tls_security_level = may
smtpd_tls_cert_file = {home}/config/cert.pem
smtpd_tls_key_file = {home}/config/key.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_local_domain = {domain}
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
minimal_backoff_time = 2s
maximal_backoff_time = 4s
queue_run_delay = 2s
{more}
"""

LOGINS = """\
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/logins.log
protocols =
ssl = no
auth_mechanisms = plain login scram-sha-1 scram-sha-256
passdb {{
  driver = passwd-file
  args = {users}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={home}
}}
service auth {{
  unix_listener {socket} {{
    mode = 0600
    user = postfix
  }}
}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*words: str) -> None:
    # A file, not a pipe: a daemon that stays keeps its output open.
    with tempfile.TemporaryFile() as said:
        ran = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=60)
        said.seek(0)
        if ran.returncode != 0:
            raise RuntimeError(f"{' '.join(words[:2])} … ended with {ran.returncode}: {said.read().decode()}")


class Postfix:
    """Takes mail for DOMAIN into Maildirs, and relays the rest over `transport`, lines such as `b.example smtp:[127.0.0.1]:25`."""

    def __init__(self, transport: list[str], passwords: list[str] = (), more: str = ""):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="postfix-interop-"))
        self.home.chmod(0o755)
        self.port = free_port()
        config = self.home / "config"
        for name in ("config", "queue", "data", "mail"):
            (self.home / name).mkdir()
        mail = pwd.getpwnam("mail")
        os.chown(self.home / "mail", mail.pw_uid, mail.pw_gid)
        os.chown(self.home / "data", pwd.getpwnam("postfix").pw_uid, -1)
        (config / "mailboxes").write_text("".join(f"{name}@{DOMAIN} {name}/\n" for name in MAILBOXES))
        (config / "transport").write_text("".join(f"{line}\n" for line in transport))
        (config / "passwords").write_text("".join(f"{line}\n" for line in passwords))
        more += f"\ntransport_maps = texthash:{config}/transport\n"
        if passwords:
            more += f"smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = texthash:{config}/passwords\nsmtp_sasl_security_options =\n"
        (config / "main.cf").write_text(
            SETTINGS.format(home=self.home, domain=DOMAIN, uid=mail.pw_uid, gid=mail.pw_gid, more=more)
        )
        (config / "master.cf").write_text(SERVICES.format(smtpd=f"127.0.0.1:{self.port}"))
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN=mx.{DOMAIN}",
            "-addext", f"subjectAltName=DNS:mx.{DOMAIN},IP:127.0.0.1", "-keyout", str(config / "key.pem"), "-out", str(config / "cert.pem"))
        run("postfix", "-c", str(config), "check")
        self._sasl(config)
        run("postfix", "-c", str(config), "start")
        self._await_port()

    def _sasl(self, config: pathlib.Path) -> None:
        """Dovecot judges Postfix's logins: its SASL settings may lie anywhere, and it knows SCRAM."""
        (config / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
        (config / "dovecot.conf").write_text(
            LOGINS.format(home=self.home, socket=self.home / "queue" / "private" / "auth", users=config / "users")
        )
        run("dovecot", "-c", str(config / "dovecot.conf"))

    def _await_port(self) -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as wire:
                    if wire.recv(4).startswith(b"220"):
                        return
            except OSError:
                pass
            time.sleep(0.1)
        raise RuntimeError("Postfix does not answer: " + self.log())

    def log(self) -> str:
        file = self.home / "log"
        return file.read_text() if file.exists() else ""

    def mail(self, local_part: str, count: int = 1, within_s: float = 60) -> list[bytes]:
        """What arrived for a local part, once there are at least `count` messages."""
        new = self.home / "mail" / local_part / "new"
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            files = sorted(new.glob("*")) if new.is_dir() else []
            if len(files) >= count:
                return [file.read_bytes() for file in files]
            time.sleep(0.1)
        raise AssertionError(f"{count} messages for {local_part} did not come to Postfix: {self.log()[-3000:]}")

    def stop(self) -> None:
        config = self.home / "config"
        for words in (("postfix", "-c", str(config), "stop"), ("doveadm", "-c", str(config / "dovecot.conf"), "stop")):
            run(*words)
        shutil.rmtree(self.home)
