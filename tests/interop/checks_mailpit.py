"""The interface in the form of Mailpit: its published client, what listeners are told, and who is turned away."""

import base64
import http.client
import imaplib
import json
import os
import pathlib
import re
import smtplib
import socket
import struct
import subprocess
import threading
import time

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
    # Packets are no text.
    text = response.read().decode(errors="replace")
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
        ("GET", "/api/v1/nothing", None, 404, "/api/openapi.json"),
        ("GET", "/api/nothing", None, 404, "/api/openapi.json"),
        ("GET", "/api/wait?too=bob", None, 400, "there are to, from"),
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
    try:
        assert asked(server, "DELETE", "/api/v1/messages", "x" * (2 << 20))[0] == 413
    except (BrokenPipeError, ConnectionResetError):
        # It is refused before all of it was sent, and then the server need not read the rest.
        pass
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


def tests_wait_and_do_not_sleep(server: Server) -> None:
    status, text = asked(server, "POST", "/api/inboxes")
    inbox = json.loads(text)
    assert status == 201 and inbox["ports"]["smtp"] == server.port["smtp"], text
    address = inbox["address"]
    path = f"/api/wait?to={address}&subject=Awaited"
    status, text = asked(server, "GET", f"{path}&timeout=50ms")
    assert status == 408 and json.loads(text)["messages"] == [], text
    status, text = asked(server, "GET", f"{path}&count=0&timeout=50ms")
    assert status == 200 and json.loads(text) == {"messages": []}, text
    waited: list[tuple[int, str]] = []
    waiter = threading.Thread(target=lambda: waited.append(asked(server, "GET", f"{path}&count=2&timeout=9s")))
    waiter.start()
    for number in (1, 2):
        body = f"Subject: awaited\r\nTo: {address}\r\n\r\nCode 48291{number}, http://a.example/{number}\r\n"
        with smtplib.SMTP("127.0.0.1", server.port["smtp"]) as smtp:
            smtp.sendmail("alice@crepes.fr", [address], body)
    waiter.join()
    status, text = waited[0]
    assert status == 200, text
    first = json.loads(text)["messages"][-1]["ID"]
    assert asked(server, "GET", f"/api/messages/{first}/links") == (200, '["http://a.example/1"]')
    assert asked(server, "GET", f"/api/messages/{first}/codes") == (200, '["482911"]')
    structure = json.loads(asked(server, "GET", f"/api/messages/{first}/structure")[1])
    assert [part["type"] for part in structure["parts"]] == ["text/plain"], structure
    assert "Subject: awaited" in asked(server, "GET", f"/api/messages/{first}/raw")[1]
    assert asked(server, "GET", f"/api/messages/{first}/colour")[0] == 404
    status, text = asked(server, "GET", f"{path}&count=0&timeout=50ms")
    assert status == 409 and len(json.loads(text)["messages"]) == 2, text
    # Another subject: what did come is told.
    status, text = asked(server, "GET", f"/api/wait?to={address}&subject=Await&timeout=1ms")
    assert status == 408 and "awaited" in [one["Subject"] for one in json.loads(text)["others"]], text
    for wrong in ("timeout=x", "timeout=301s", "count=-1", "count=1001"):
        assert asked(server, "GET", f"/api/wait?{wrong}")[0] == 400, wrong
    server_url = ("--url", f"http://127.0.0.1:{server.port['http']}")
    ran = subprocess.run([str(server.binary), "wait", "--to", address, "--timeout", "20ms", "--subject", "no", *server_url],
                         capture_output=True, text=True, timeout=20)
    assert ran.returncode == 3 and "awaited" in ran.stderr, (ran.returncode, ran.stderr)
    assert subprocess.run([str(server.binary), "ready", "--wait", "1s", *server_url], timeout=20).returncode == 0
    # The last check, since it leaves no mail.
    assert asked(server, "POST", "/api/reset")[0] == 200
    assert json.loads(asked(server, "GET", "/api/v1/messages")[1])["total"] == 0


def read(server: Server, path: str, status: int = 200) -> dict:
    seen = asked(server, "GET", path)
    assert seen[0] == status, (path, seen)
    return json.loads(seen[1])


def conversations_are_shown(server: Server) -> None:
    address = "shown@hamburger.edu"
    with smtplib.SMTP("127.0.0.1", server.port["smtp"]) as smtp:
        smtp.sendmail("alice@crepes.fr", [address], f"To: {address}\r\nSubject: shown\r\n\r\nhello \u00e9\r\n".encode())
    with imaplib.IMAP4("127.0.0.1", server.port["imap"]) as imap:
        imap.login(address, "very-secret")
    message = read(server, f"/api/wait?to={address}&timeout=9s")["messages"][0]["ID"]
    session = read(server, f"/api/messages/{message}/session")["session"]
    shown = read(server, f"/api/sessions/{session}")
    assert shown["messages"] == [message] and shown["protocol"] == "smtp" and shown["is_whole"], shown
    parts = [part for said in shown["said"] for part in said["parts"]]
    assert any(part.get("side") == "C" and "span" in part for part in parts), parts
    assert read(server, f"/api/messages/{message}/annotations") == shown
    status, text = asked(server, "GET", f"/api/sessions/{session}/transcript.txt")
    assert status == 200 and f"C: rcpt TO:<{address}>" in text and f"S: 250 2.0.0 Message accepted for delivery as {message}" in text, text
    events = [json.loads(line) for line in asked(server, "GET", f"/api/sessions/{session}/log")[1].splitlines()]
    assert events[0]["what"] == "opened" and events[-1]["what"] == "closed", events
    newest = read(server, "/api/sessions?protocol=imap&limit=1")["sessions"]
    assert [one["protocol"] for one in newest] == ["imap"], newest
    text = asked(server, "GET", f"/api/sessions/{newest[0]['id']}/transcript.txt")[1]
    assert address in text and "LOGIN" in text and "very-secret" not in text, text
    assert read(server, "/api/sessions?limit=0")["sessions"] == []
    for path, status in (("?protocol=x", 400), ("?limit=5000", 400), ("/zz", 404), ("/%2e%2e/log", 404), ("/zz/log.pcap", 404)):
        assert asked(server, "GET", f"/api/sessions{path}")[0] == status, path


def a_date_in_the_future_is_not_the_latest(server: Server) -> None:
    with imaplib.IMAP4("127.0.0.1", server.port["imap"]) as imap:
        imap.login("future@hamburger.edu", "any")
        done = imap.append("INBOX", None, '"01-Jan-2990 00:00:00 +0000"', b"Subject: in the future\r\n\r\n")
        assert done[0] == "OK", done
    with smtplib.SMTP("127.0.0.1", server.port["smtp"]) as smtp:
        smtp.sendmail("alice@crepes.fr", ["future@hamburger.edu"], "Subject: now\r\n\r\nhello\r\n")
    assert "Subject: now" in asked(server, "GET", "/api/messages/latest/raw")[1]


# Port 9 takes nothing, so mail waits.
ROUTE = """domains = ['ours.example']
[relay]
networks = ['127.0.0.1']
[[relay.routes]]
domain = '*'
next_hop = '[127.0.0.1]:9'
tls = 'none'
"""


def the_clock_moves_the_queue(server: Server) -> None:
    before = read(server, "/api/clock")["now_unix_ms"]
    for body, status in (('{"advance":"30m"}', 200), ('{"advance_ms":1}', 200), ("{}", 400), ('{"advance":"367d"}', 400),
                         ('{"advance":"-1s"}', 400), ('{"advance":"1s","advance_ms":1}', 400), ('{"back":1}', 400)):
        assert asked(server, "POST", "/api/clock", body)[0] == status, body
    assert read(server, "/api/clock")["now_unix_ms"] - before >= 1_800_001
    assert read(server, "/api/queue") == {"messages": [], "more": False}
    ours = Server(server.binary, ROUTE, {"alice@ours.example": "secret"}, flags=("--test-clock",))
    try:
        with smtplib.SMTP("127.0.0.1", ours.port["smtp"]) as smtp:
            smtp.sendmail("alice@ours.example", ["bob@theirs.example"], "Subject: later\r\n\r\nhello\r\n")

        def recipient() -> tuple[int, int]:
            part = read(ours, f"/api/queue/{number}")["destinations"][0]
            return part["recipients"][0]["attempts"], part["next_unix_ms"]

        number = read(ours, "/api/queue")["messages"][0]["id"]
        until(lambda: recipient()[1] > read(ours, "/api/clock")["now_unix_ms"])
        first = recipient()[1]
        # Its next attempt is far off; the clock brings it.
        assert asked(ours, "POST", "/api/clock", '{"advance":"5h"}')[0] == 200
        until(lambda: recipient()[1] > first)
        for method, what in (("POST", "/hold"), ("POST", "/release"), ("POST", "/retry"), ("DELETE", "")):
            status, text = asked(ours, method, f"/api/queue/{number}{what}")
            assert status == 200 and json.loads(text)["changed"] == 1, (what, text)
        assert read(ours, "/api/queue")["messages"] == []
        assert asked(ours, "POST", f"/api/queue/{number}/retry")[0] == 404
        assert asked(ours, "POST", f"/api/queue/{number}/colour")[0] == 404
        # All else of the interface is refused where there are accounts, with the reason.
        for path in ("/api/v1/messages", "/api/events", "/view/latest", "/api/sessions", "/api/wait", "/api/openapi.json"):
            assert "dev profile" in read(ours, path, 403)["Error"], path
    finally:
        ours.stop()
    plain = Server(server.binary, ROUTE, {"alice@ours.example": "secret"})
    try:
        for path in ("/api/clock", "/api/queue", "/api/queue/1"):
            assert "--clock virtual" in read(plain, path, 403)["Error"], path
    finally:
        plain.stop()


def until(holds) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def users_and_mailboxes_come_and_go(server: Server) -> None:
    def ask(method: str, path: str, status: int, **body: str) -> dict:
        given, text = asked(server, method, path, json.dumps(body) if body else None)
        assert given == status, (method, path, given, text)
        return json.loads(text)

    user = "people@hamburger.edu"
    assert ask("POST", "/api/users", 201, address="People@Hamburger.edu")["address"] == user
    assert ask("GET", f"/api/users/{user}", 200)["messages"] == 0
    assert "POST /api/users" in ask("GET", "/api/users/nobody.yet@hamburger.edu", 404)["Error"]
    assert ask("POST", "/api/mailboxes", 201, user=user, name="Work/S\u00fc\u00df")["name"] == "Work/S\u00fc\u00df"
    assert "there is one" in ask("POST", "/api/mailboxes", 409, user=user, name="Work")["Error"]
    for wrong in ("", "a//b", "..", "x\u0007"):
        ask("POST", "/api/mailboxes", 400, user=user, name=wrong)
    with imaplib.IMAP4("127.0.0.1", server.port["imap"]) as imap:
        imap.login(user, "any")
        assert imap.append("Work/S&APwA3w-", "", None, b"Subject: kept\r\n\r\nx\r\n")[0] == "OK"
        # A session that has it open is told, and goes on.
        assert imap.select("Work/S&APwA3w-")[1] == [b"1"]
        ask("PUT", f"/api/mailboxes/{user}/Work/S%C3%BC%C3%9F", 200, name="Sweet")
        assert imap.fetch("1", "BODY[HEADER]")[1][0][1] == b"Subject: kept\r\n\r\n"
    rows = {row["name"]: row for row in ask("GET", f"/api/mailboxes?user={user}", 200)["mailboxes"]}
    assert rows["Sweet"]["messages"] == 1 and rows["Sweet"]["unseen"] >= 0 and "Work" in rows and "INBOX" in rows, rows
    assert ask("GET", f"/api/mailboxes?user={user}&limit=1", 200)["more"]
    ask("DELETE", f"/api/mailboxes/{user}/INBOX", 409)
    ask("DELETE", f"/api/mailboxes/{user}/Sweet", 200)
    ask("DELETE", f"/api/mailboxes/{user}/Sweet", 404)
    ask("GET", "/api/mailboxes", 400)
    listed = ask("GET", "/api/users?limit=5000", 200)["users"]
    assert user in [one["address"] for one in listed], listed
    assert ask("DELETE", f"/api/users/{user}", 200) == {"removed": 1}
    ask("GET", f"/api/users/{user}", 404)


def mail_is_put_back_as_it_was(server: Server) -> None:
    user, large = "known@hamburger.edu", b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 40_000

    def told(imap: imaplib.IMAP4, name: str) -> list[tuple[bytes, bytes]]:
        assert imap.select(name)[0] == "OK", name
        lines = imap.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (Subject)] RFC822.SIZE)")[1]
        return sorted((line[1].strip(), b"Flagged" in line[0]) for line in lines if isinstance(line, tuple))

    assert asked(server, "POST", "/api/restore?name=never")[0] == 404
    assert asked(server, "POST", "/api/snapshot?name=a%20b")[0] == 400
    with imaplib.IMAP4("127.0.0.1", server.port["imap"]) as imap:
        imap.login(user, "any")
        imap.create("Work/Deep")
        imap.subscribe("Work/Deep")
        imap.append("INBOX", r"(\Flagged)", None, b"Subject: one\r\n\r\n.\r\n")
        imap.append("INBOX", "", None, b"Subject: two\r\n\r\nx\r\n")
        imap.append("Work/Deep", "", None, large)
        was = {name: told(imap, name) for name in ("INBOX", "Work/Deep")}
        validity = imap.status("INBOX", "(UIDVALIDITY UIDNEXT)")[1]
        status, text = asked(server, "POST", "/api/snapshot?name=known")
        kept = json.loads(text)
        assert status == 201 and kept["name"] == "known" and kept["messages"] >= 3, text
        # All of it becomes something else, and somebody is there who was not.
        imap.select("INBOX")
        imap.store("1", "-FLAGS", r"(\Flagged)")
        imap.store("2", "+FLAGS", r"(\Deleted)")
        imap.expunge()
        imap.append("INBOX", "", None, b"Subject: three\r\n\r\nx\r\n")
        imap.delete("Work/Deep")
        imap.create("New/One")
        with smtplib.SMTP("127.0.0.1", server.port["smtp"]) as smtp:
            smtp.sendmail("alice@crepes.fr", ["later@hamburger.edu"], "Subject: later\r\n\r\nx\r\n")
        for _ in range(2):
            assert json.loads(asked(server, "POST", "/api/restore?name=known")[1]) == kept
        # The session that has it open is told, and no UID means another message.
        assert imap.noop()[0] == "OK"
        assert {name: told(imap, name) for name in ("INBOX", "Work/Deep")} == was
        names = b" ".join(imap.list()[1])
        assert b"New" not in names and b"Work/Deep" in b" ".join(imap.lsub()[1]), names
        now = imap.status("INBOX", "(UIDVALIDITY UIDNEXT)")[1]
        number = lambda line, word: int(re.search(rb"%s (\d+)" % word, line[0])[1])
        assert number(now, b"UIDVALIDITY") == number(validity, b"UIDVALIDITY"), (validity, now)
        assert number(now, b"UIDNEXT") > number(validity, b"UIDNEXT"), (validity, now)
        imap.select("Work/Deep")
        assert imap.fetch("1", "BODY.PEEK[]")[1][0][1] == large
    assert asked(server, "GET", "/api/users/later@hamburger.edu")[0] == 404
    found = read(server, "/api/v1/search?query=to:later@hamburger.edu%20subject:later")
    assert found["messages_count"] == 0, found


def what_is_served_is_described(server: Server) -> None:
    with smtplib.SMTP("127.0.0.1", server.port["smtp"]) as smtp:
        smtp.sendmail("alice@crepes.fr", ["described@hamburger.edu"], "Subject: described\r\n\r\nhello\r\n")
    message = read(server, "/api/wait?to=described@hamburger.edu&timeout=9s")["messages"][0]["ID"]
    document = read(server, "/api/openapi.json")
    assert document["openapi"] == "3.1.0"
    session = read(server, f"/api/messages/{message}/session")["session"]
    looked = 0
    for path, operations in document["paths"].items():
        if "get" not in operations or path in ("/api/events", "/api/stream", "/api/queue/{id}"):
            continue
        known = path.replace("/sessions/{id}", f"/sessions/{session}").replace("{id}", message)
        known = known.replace("{what}", "structure").replace("{part}", "1").replace("{name}", "latest.txt")
        known = known.replace("{address}", "described@hamburger.edu")
        query = {"/api/mailboxes": "?user=described@hamburger.edu", "/api/v1/search": "?query=described", "/api/wait": "?to=described@hamburger.edu"}.get(path, "")
        status, text = asked(server, "GET", known + query)
        good = operations["get"]["responses"]["200"]["content"]
        assert status == 200, (known, status, text)
        if "application/json" in good:
            schema, answer = good["application/json"]["schema"], json.loads(text)
            assert isinstance(answer, list if schema["type"] == "array" else dict), (known, answer)
            missing = [field for field in schema.get("required", []) if field not in answer]
            assert not missing, (known, missing, answer)
        looked += 1
    assert looked > 15, looked
    # What is not described is not there: another method at a path is refused.
    for path, operations in document["paths"].items():
        known = path.replace("{id}", "1").replace("{what}", "x").replace("{tag}", "x").replace("{part}", "1")
        known = known.replace("{address}", "x").replace("{user}", "x")
        for method in ("get", "post", "put", "delete"):
            if method not in operations:
                status = asked(server, method.upper(), known.replace("{name}", "x").replace("{number}", "1"))[0]
                assert status in (404, 405), (method, path, status)


CHECKS = [mailpits_client, strangers_and_nonsense_are_turned_away, listeners_are_told, conversations_are_shown, users_and_mailboxes_come_and_go,
          mail_is_put_back_as_it_was,
          a_date_in_the_future_is_not_the_latest, the_clock_moves_the_queue, what_is_served_is_described, tests_wait_and_do_not_sleep]
