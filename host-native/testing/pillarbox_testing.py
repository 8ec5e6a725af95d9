"""A mail server for the tests of a program that sends mail: one file, for Python 3.9 and later, with nothing but its
standard library.

Copy it beside your tests, have `pillarbox` in the path (or its place in PILLARBOX), and say in `conftest.py`:

    from pillarbox_testing import mail_server, mail  # noqa: F401

    def test_reset(mail):
        ask_for_a_new_password(mail.smtp, mail.address)
        link = mail.wait(subject="Reset").link("/reset/")
        assert link.startswith("https://")

`mail_server` is one server for all tests, on free ports and in memory; it ends with the tests, however they end. `mail` is an
address of its own for each test. Waiting is by exact match and without sleeping, so tests may run beside each other. A test
that fails shows what came instead, where to look at it, and what was said in its conversations.

Without pytest, `with Server() as server:` is the same.
"""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import queue
import re
import shutil
import subprocess
import tempfile
import threading
import urllib.parse

#: Seconds that are waited for mail, unless a test says.
WAIT = 10.0
#: Seconds for a start, on a busy machine.
START = 60.0
#: Conversations that a failure shows, and lines of each of them.
SHOWN, LINES = 4, 60


class Failure(AssertionError):
    """What was waited for did not come, or is not there."""


class Server:
    """A running server. `flags` are those of `pillarbox serve`, such as `("--fault", "any/verb=RCPT,nth=1/reply=451 Later")`."""

    def __init__(self, flags: tuple[str, ...] = (), binary: str | None = None):
        self._directory = tempfile.mkdtemp(prefix="pillarbox-")
        self._log = pathlib.Path(self._directory, "log")
        self._traces = pathlib.Path(self._directory, "traces")
        program = binary or os.environ.get("PILLARBOX", "pillarbox")
        command = [program, "serve", "--memory", "--json", "--exit-with-parent", "--trace-sessions", str(self._traces)]
        for service in ("smtp", "pop3", "imap", "http"):
            # A place that is named twice is a mistake, so a flag of the test's own takes this one's place.
            if not any(flag == f"--{service}" or flag.startswith(f"--{service}=") for flag in flags):
                command += [f"--{service}", "127.0.0.1:0"]
        # Variables of whoever runs the tests are for other servers.
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PILLARBOX")}
        try:
            with open(self._log, "wb") as log:
                self._process = subprocess.Popen(
                    [*command, *flags], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=clean
                )
            self.addresses: dict[str, str] = self._ready()
        except OSError as error:
            shutil.rmtree(self._directory, ignore_errors=True)
            raise Failure(f"{program} cannot be started: {error}; build it, or name it in PILLARBOX") from error
        except Failure:
            self.stop()
            raise

    def _ready(self) -> dict[str, str]:
        lines: queue.Queue[bytes] = queue.Queue()
        reader = threading.Thread(target=lambda: lines.put(self._process.stdout.readline()), daemon=True)
        reader.start()
        try:
            line = lines.get(timeout=START)
        except queue.Empty:
            line = b""
        if not line:
            self._process.kill()
            raise Failure(f"the server did not start: {self._log.read_text(errors='replace').strip()}")
        return json.loads(line)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends it."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def place(self, service: str) -> tuple[str, int]:
        """Host and port of `smtp`, `pop3`, `imap`, `http`, `submission`, `submissions`, `pop3s` or `imaps`."""
        host, port = self.addresses[service].rsplit(":", 1)
        return host.strip("[]"), int(port)

    @property
    def smtp(self) -> tuple[str, int]:
        """Host and port of SMTP."""
        return self.place("smtp")

    @property
    def url(self) -> str:
        """Where the pages and the interface for tests are."""
        return f"http://{self.addresses['http']}"

    def inbox(self, name: str = "") -> Inbox:
        """An address that no other test has."""
        name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:30]
        made = self.ask("POST", f"/api/inboxes?name={name}")[1]
        return Inbox(self, made["address"], made["password"])

    def snapshot(self, name: str = "default") -> None:
        """Keeps all mail as it is now, to be put back by `restore`."""
        self._change(f"/api/snapshot?name={name}")

    def restore(self, name: str = "default") -> None:
        """Puts users, mailboxes, messages and flags back as they were at `snapshot`."""
        self._change(f"/api/restore?name={name}")

    def _change(self, path: str) -> None:
        status, body = self.ask("POST", path)
        if status not in (200, 201):
            raise Failure(f"the server says {status}: {body['Error']}")

    def ask(self, method: str, path: str, timeout: float = 30.0) -> tuple[int, object]:
        """What the server answers: the status, and the JSON or the octets."""
        host, port = self.place("http")
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
        try:
            connection.request(method, path, headers={"Content-Length": "0"} if method == "POST" else {})
            answer = connection.getresponse()
            body = answer.read()
            is_json = "json" in (answer.getheader("Content-Type") or "")
            return answer.status, json.loads(body) if is_json else body
        except OSError as error:
            raise Failure(f"the server does not answer: {error}\n{self.log()}") from error
        finally:
            connection.close()

    def wait(self, *, to: str | None = None, sender: str | None = None, subject: str | None = None,
             count: int = 1, timeout: float = WAIT) -> list[Message]:
        """Messages, newest first, once there are `count` of them; with `count=0`, that for `timeout` seconds there is none."""
        given = {"to": to, "from": sender, "subject": subject, "count": count, "timeout": f"{int(timeout * 1000)}ms"}
        query = urllib.parse.urlencode({name: value for name, value in given.items() if value is not None})
        status, answer = self.ask("GET", f"/api/wait?{query}", timeout + 30)
        if status == 200:
            return [Message(self, listed) for listed in answer["messages"]]
        if status not in (408, 409):
            raise Failure(f"the server says {status}: {answer}")
        what = [answer["error"] + "".join(f", {name} `{given[name]}`" for name in ("to", "from", "subject") if given[name])]
        what += [f"  came: {self.line(listed)}" for listed in answer["messages"]]
        what += [f"  there is: {self.line(listed)}" for listed in answer.get("others", [])]
        raise Failure("\n".join([*what, self.transcripts()]))

    def line(self, listed: dict) -> str:
        """A message on one line, with where to look at it."""
        to = ", ".join(party["Address"] for party in listed["To"] + listed["Bcc"])
        return f"{listed['From']['Address']} -> {to}  `{listed['Subject']}`  {self.url}/view/{listed['ID']}"

    def log(self) -> str:
        """The last lines of the server's log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-LINES:])

    def transcripts(self) -> str:
        """What was said in the latest conversations, explained, with secrets masked."""
        files = sorted(self._traces.glob("*.transcript"))[-SHOWN:] if self._traces.exists() else []
        if not files:
            return "nobody connected to the server"
        texts = [file.read_text(errors="replace").splitlines() for file in files]
        return "what was said:\n" + "\n\n".join("\n".join(lines[-LINES:]) for lines in texts)


class Inbox:
    """An address of one test."""

    def __init__(self, server: Server, address: str, password: str):
        self.server = server
        #: Where the test has its mail sent; it logs in to IMAP and POP3 by this name too.
        self.address = address
        self.password = password

    @property
    def smtp(self) -> tuple[str, int]:
        """Host and port of SMTP."""
        return self.server.smtp

    def wait(self, *, sender: str | None = None, subject: str | None = None, timeout: float = WAIT) -> Message:
        """The one message that came here, or comes in time."""
        found = self.server.wait(to=self.address, sender=sender, subject=subject, timeout=timeout)
        if len(found) > 1:
            all_of_them = "\n".join(f"  {self.server.line(message.listed)}" for message in found)
            raise Failure(f"one message should be there, and these are:\n{all_of_them}")
        return found[0]

    def wait_for(self, count: int, *, timeout: float = WAIT) -> list[Message]:
        """So many messages, newest first."""
        return self.server.wait(to=self.address, count=count, timeout=timeout)

    def stays_empty(self, timeout: float = 0.5) -> None:
        """That nothing is here, and for so many seconds nothing comes."""
        self.server.wait(to=self.address, count=0, timeout=timeout)


class Message:
    """A message that came."""

    def __init__(self, server: Server, listed: dict):
        self.server = server
        #: What lists say of it, as Mailpit has it.
        self.listed = listed
        self.id: str = listed["ID"]
        self.subject: str = listed["Subject"]
        self.sender: str = listed["From"]["Address"]
        #: Where a person can look at it.
        self.url = f"{server.url}/view/{self.id}"

    def _get(self, path: str) -> object:
        status, answer = self.server.ask("GET", path)
        if status != 200:
            raise Failure(f"{path}: the server says {status}: {answer}\n  it is at {self.url}")
        return answer

    @property
    def text(self) -> str:
        """Its text; of a message of HTML alone, what that says."""
        return self._get(f"/view/{self.id}.txt").decode(errors="replace")

    @property
    def raw(self) -> bytes:
        """All its octets."""
        return self._get(f"/api/messages/{self.id}/raw")

    @property
    def links(self) -> list[str]:
        """Its links, those of the HTML first."""
        return self._get(f"/api/messages/{self.id}/links")

    def link(self, part: str = "") -> str:
        """The first link with this in it."""
        links = self.links
        for link in links:
            if part in link:
                return link
        raise Failure(f"no link has `{part}` in it; there are {links}\n  the message is at {self.url}")

    @property
    def code(self) -> str:
        """The first code: a word of digits, or of capitals and digits, that is typed somewhere."""
        codes = self._get(f"/api/messages/{self.id}/codes")
        if not codes:
            raise Failure(f"it has no code\n  the message is at {self.url}")
        return codes[0]


try:
    import pytest
except ImportError:
    pass
else:

    @pytest.fixture(scope="session")
    def mail_server():
        """One server for all tests."""
        with Server() as server:
            yield server

    @pytest.fixture
    def mail(request, mail_server):
        """An address of this test's own."""
        return mail_server.inbox(request.node.name)
