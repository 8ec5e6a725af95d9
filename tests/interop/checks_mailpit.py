"""The interface in the form of Mailpit: its published client, what listeners are told, and who is turned away."""

import base64
import http.client
import imaplib
import json
import os
import pathlib
import smtplib
import socket
import struct
import subprocess

from server import Server

SCRIPT = pathlib.Path(__file__).resolve().parent / "node" / "mailpit.mjs"


def mailpits_client(server: Server) -> None:
    command = ["node", str(SCRIPT), f"http://127.0.0.1:{server.port['http']}", str(server.port["smtp"])]
    ran = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr.decode()[-3000:]


def asked(server: Server, method: str, path: str, body: str | None = None, **fields: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port["http"], timeout=10)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in fields.items()})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def strangers_and_nonsense_are_turned_away(server: Server) -> None:
    own = f"127.0.0.1:{server.port['http']}"
    for method, path in (("GET", "/api/v1/messages"), ("DELETE", "/api/v1/messages"), ("GET", "/api/events"), ("GET", "/view/latest")):
        assert asked(server, method, path, Host="evil.example")[0] == 421, path
        assert asked(server, method, path, Origin="http://evil.example")[0] == 403, path
        assert asked(server, method, path, Origin="null")[0] == 403, path
    assert asked(server, "GET", "/api/v1/messages", Origin=f"http://{own}")[0] == 200
    for method, path, body, status, words in (
        ("GET", "/api/v1/messages?limit=x", None, 400, "limit"),
        ("GET", "/api/v1/messages?limit=10001", None, 400, "10000"),
        ("GET", "/api/v1/messages?start=-1", None, 400, "start"),
        ("GET", "/api/v1/search?query=", None, 400, "query"),
        ("GET", "/api/v1/search?query=%FF%22", None, 200, "messages"),
        ("GET", "/api/v1/message/..%2F..%2Fetc", None, 400, "id"),
        ("GET", "/api/v1/message/01", None, 400, "id"),
        ("GET", "/api/v1/message/18446744073709551615", None, 404, "no message"),
        ("GET", "/api/v1/message/99999999999999999999", None, 400, "id"),
        ("GET", "/api/v1/nothing", None, 404, "README"),
        ("PUT", "/api/v1/messages", "{", 400, "body"),
        ("PUT", "/api/v1/messages", '{"IDs": ["1"], "Search": "x"}', 400, "one of them"),
        ("DELETE", "/api/v1/messages", '{"IDs": ["x"]}', 400, "id"),
        ("DELETE", "/api/v1/messages", '{"IDs": "1"}', 400, "body"),
        ("PUT", "/api/v1/tags", '{"IDs": ["1"], "Tags": ["two words"]}', 400, "no spaces"),
        ("POST", "/api/v1/send", "[]", 400, "body"),
        ("POST", "/api/v1/send", "{}", 400, "From"),
        ("GET", "/view/latest.exe", None, 400, ".txt"),
    ):
        seen = asked(server, method, path, body)
        assert seen[0] == status and words in seen[1], (method, path, body, seen)
    assert asked(server, "DELETE", "/api/v1/messages", "x" * (2 << 20))[0] == 413
    assert asked(server, "GET", "/livez")[0] == asked(server, "GET", "/readyz")[0] == 200


class Socket:
    """As much of RFC 6455 as a listener needs."""

    def __init__(self, port: int, path: str):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n").encode())
        self.file = self.socket.makefile("rb")
        assert b" 101 " in self.file.readline()
        while self.file.readline() != b"\r\n":
            pass

    def next(self) -> dict:
        while True:
            first, second = self.file.read(2)
            length = second & 127
            if length == 126:
                length = struct.unpack(">H", self.file.read(2))[0]
            octets = self.file.read(length)
            if first & 15 == 1:
                return json.loads(octets)

    def until(self, kind: str) -> dict:
        while True:
            told = self.next()
            if told["Type"] == kind:
                return told["Data"]


def listeners_are_told(server: Server) -> None:
    listener = Socket(server.port["http"], "/api/events")
    before = listener.until("stats")["Total"]
    text = "From: alice@crepes.fr\r\nTo: told@hamburger.edu\r\nSubject: told\r\n\r\nhello\r\n"
    with smtplib.SMTP("127.0.0.1", server.port["smtp"]) as smtp:
        smtp.sendmail("alice@crepes.fr", ["told@hamburger.edu"], text)
    new = listener.until("new")
    assert new["Subject"] == "told" and new["Read"] is False, new
    assert listener.until("stats")["Total"] == before + 1
    # What is done by IMAP is told as what is done here.
    with imaplib.IMAP4("127.0.0.1", server.port["imap"]) as imap:
        imap.login("told@hamburger.edu", "any")
        imap.select("INBOX")
        imap.store("1", "+FLAGS", r"(\Seen later)")
        update = listener.until("update")
        assert (update["ID"], update["Read"], update["Tags"]) == (new["ID"], True, ["later"]), update
        copied = imap.copy("1", "Archive")
        assert copied[0] == "OK", copied
        imap.store("1", "+FLAGS", r"\Deleted")
        imap.expunge()
    # It lies in Archive still; only when it is gone there, too, it is gone.
    assert asked(server, "GET", f"/api/v1/message/{new['ID']}")[0] == 200
    assert asked(server, "DELETE", "/api/v1/messages", json.dumps({"IDs": [new["ID"]]}))[0] == 200
    assert listener.until("delete") == {"ID": new["ID"]}
    assert asked(server, "GET", f"/api/v1/message/{new['ID']}")[0] == 404


CHECKS = [mailpits_client, strangers_and_nonsense_are_turned_away, listeners_are_told]
