"""A running pillarbox for the interop checks, and the corpus."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "corpus"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


class Server:
    """Starts the real binary on free ports; every conversation is traced.

    With `config`, the text of a configuration file, it is a server with accounts (address and password each)."""

    SERVICES = ("smtp", "pop3", "imap", "http", "submission", "submissions", "pop3s", "imaps")

    def __init__(self, binary: pathlib.Path, config: str = "", accounts: dict[str, str] | None = None,
                 ports: dict[str, int] | None = None, flags: tuple[str, ...] = (),
                 directory: pathlib.Path | None = None):
        self.binary = binary
        self.ports = ports or {}
        self.flags = flags
        # A directory that is given is kept: what a first server leaves there, a second finds.
        self.keep = directory is not None
        self.directory = directory or pathlib.Path(tempfile.mkdtemp(prefix="pillarbox-interop-"))
        self.has_tls = "[tls]" in config
        self.settings = ["--data", str(self.directory / "data")]
        if config:
            (self.directory / "pillarbox.toml").write_text(config)
            self.settings += ["--config", str(self.directory / "pillarbox.toml")]
        for address, password in (accounts or {}).items():
            self.run("account", "add", address, stdin=password.encode())
        self.start()

    def run(self, *words: str, stdin: bytes = b"") -> bytes:
        """A command of pillarbox on this server's data."""
        ran = subprocess.run([str(self.binary), *words, *self.settings], input=stdin, capture_output=True, timeout=60)
        if ran.returncode != 0:
            raise AssertionError(f"pillarbox {' '.join(words)} ended with {ran.returncode}: {ran.stderr.decode()}")
        return ran.stdout

    def start(self) -> None:
        ready = self.directory / "ready.json"
        ready.unlink(missing_ok=True)
        command = [str(self.binary), "serve", *self.settings, "--ready-file", str(ready)]
        command += ["--trace-sessions", str(self.directory / "traces"), *self.flags]
        # Without a certificate nothing listens over TLS.
        without = ("submissions", "pop3s", "imaps") if self.settings[2:] and not self.has_tls else ()
        for service in (service for service in self.SERVICES if service not in without):
            command += [f"--{service}", f"127.0.0.1:{self.ports.get(service, 0)}"]
        log = open(self.directory / "log", "ab")
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        until = time.monotonic() + 60
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the server did not start: " + (self.directory / "log").read_text())
            time.sleep(0.02)
        addresses = json.loads(ready.read_text())
        # Lets pages and programs watch; there in the dev profile alone.
        self.token = addresses.get("token")
        self.port = {name: int(addresses[name].rsplit(":", 1)[1]) for name in self.SERVICES if name in addresses}

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(30)
        if not self.keep:
            shutil.rmtree(self.directory)
        return code

    def traces(self, protocol: str) -> dict[str, str]:
        """Transcripts of the sessions of one protocol, by file name; those still open may be incomplete."""
        files = sorted((self.directory / "traces").glob(f"*-{protocol}.transcript"))
        return {file.name: file.read_text() for file in files}

    def protocol_errors(self, protocol: str, since: set[str]) -> list[str]:
        """Lines that say that a client and the server did not understand each other."""
        wrong = {
            "imap": re.compile(r"^S: \S+ BAD|^S: \* BAD|^#  DEFECT"),
            "pop3": re.compile(r"^#  DEFECT"),
            "smtp": re.compile(r"^S: 5|^#  DEFECT"),
        }[protocol]
        found = []
        for name, text in self.traces(protocol).items():
            if name not in since:
                found += [f"{name}: {line}" for line in text.splitlines() if wrong.search(line)]
        return found


def corpus() -> list[dict]:
    """The corpus: manifest entries, each with its octets."""
    entries = json.loads((CORPUS / "manifest.json").read_text())
    return [entry | {"octets": (CORPUS / entry["file"]).read_bytes()} for entry in entries]


def without_trace_fields(message: bytes) -> bytes:
    """A delivered message without what this hop put before it: exactly one Return-Path and one Received."""
    match = re.match(rb"Return-Path: <[^\r\n]*>\r\nReceived: (?:[^\r\n]|\r\n[ \t])*\r\n", message)
    if not match:
        raise AssertionError(f"no trace fields: {message[:200]!r}")
    return message[match.end():]
