"""The API for tests: Mailpit's published client against it, what Mailpit has not, and who may not use it. And packets that a
scenario makes, read by Wireshark's tshark."""

import json
import pathlib
import smtplib
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import imaplib

from server import Server

SCRIPT = pathlib.Path(__file__).resolve().parent / "node" / "mailpit.mjs"
SUBJECT = "Crêpes for all"


def mailpits_own_client(server: Server) -> None:
    other = Server(server.binary)
    try:
        ran = subprocess.run(["node", str(SCRIPT), str(other.port["http"]), str(other.port["smtp"])],
                             capture_output=True, timeout=120, check=False)
        assert ran.returncode == 0, ran.stderr.decode()[-3000:]
        judge(json.loads(ran.stdout))
    finally:
        other.stop()


def judge(seen: dict) -> None:
    assert (seen["info"]["Messages"], seen["info"]["Unread"], seen["info"]["RuntimeStats"]["SMTPAccepted"]) == (1, 1, 1), seen["info"]
    assert seen["info"]["Version"].startswith("pillarbox "), seen["info"]
    listed = seen["list"]
    assert [listed[name] for name in ("total", "unread", "count", "messages_count", "start")] == [1, 1, 1, 1, 0], listed
    item = listed["messages"][0]
    assert item["Subject"] == SUBJECT and item["From"] == {"Name": "Alice", "Address": "alice@crepes.fr"}, item
    assert item["To"] == [{"Name": "Bob B.", "Address": "bob@hamburger.edu"}, {"Name": "", "Address": "carol@hamburger.edu"}], item
    assert item["MessageID"] == "one@crepes.fr" and item["Attachments"] == 1 and item["Read"] is False, item
    assert item["Snippet"].startswith("Your code is 424242.") and item["Cc"][0]["Address"] == "dave@hamburger.edu", item
    whole = seen["whole"]
    assert whole["Date"] == "2026-01-05T09:00:00Z" and whole["ReturnPath"] == "alice@crepes.fr", whole
    assert whole["Text"].startswith("Your code is 424242. See https://crepes.fr/reset/abc?d=e"), whole["Text"]
    assert "<a href" in whole["HTML"] and whole["ListUnsubscribe"]["Links"] == ["https://crepes.fr/off?x=1", "mailto:off@crepes.fr"], whole
    attached = whole["Attachments"][0]
    assert (attached["FileName"], attached["ContentType"], attached["Size"], attached["PartID"]) == ("a b.csv", "text/csv", 10, "3"), attached
    assert len(attached["Checksums"]["SHA256"]) == 64 and whole["Inline"] == []
    assert seen["file"] == "a,b\r\n1,2\r\n" and seen["fileType"] == "text/csv"
    assert seen["latest"] == item["ID"] and seen["readAfter"] is True and seen["unreadAfter"] == 1
    assert seen["headers"]["Subject"] == [SUBJECT] and seen["headers"]["Message-Id"] == ["<one@crepes.fr>"], seen["headers"]
    assert "Return-Path: <alice@crepes.fr>\r\n" in seen["source"] and "--b--" in seen["source"]
    sent = seen["sent"]
    assert (sent["Subject"], sent["Text"].strip(), sent["HTML"].strip()) == ("By the API", "Plain.", "<b>Rich.</b>"), sent
    assert sent["From"] == {"Name": 'Erin "E"', "Address": "erin@crepes.fr"} and sent["Bcc"] == [], sent
    assert sent["Attachments"][0]["FileName"] == "x.bin" and seen["sentHeaders"]["X-Test"] == ["yes"], sent
    both, first, second = ["By the API", SUBJECT], [SUBJECT], ["By the API"]
    expected = {
        "subject:crêpes": first, "to:carol": first, "-to:carol": second, "from:erin": second, "code": first, '"your code is"': first,
        "has:attachment": both, "addressed:dave": first, "message-id:one@crepes.fr": first, "larger:1m": [], "smaller:1m": both,
        "is:read": second, "!is:read": first, "after:2020-01-01": both, "before:2020-01-01": [], "nowhere": [],
    }
    assert seen["found"] == expected, {query: found for query, found in seen["found"].items() if found != expected[query]}
    assert seen["waited"] == "late" and seen["withoutLate"] == 2 and seen["withoutFirst"] == second and seen["empty"] == 0, seen
    assert "Hello" in seen["html"] and "script" not in seen["html"].lower(), seen["html"]
    assert seen["text"].startswith("Your code is") and seen["tags"] == [] and seen["chaos"]["Recipient"]["Probability"] == 0, seen
    assert "404" in seen["missing"] and "is: expected" in seen["bad"], (seen["missing"], seen["bad"])


def call(server: Server, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> tuple[int, object]:
    """A request, and its status and JSON."""
    octets = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{server.port['http']}{path}", octets, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    return status, json.loads(text) if text.startswith(("{", "[")) else text


def deliver(server: Server, to: str, subject: str, text: str = "Hello.") -> None:
    with smtplib.SMTP("127.0.0.1", server.port["smtp"]) as smtp:
        smtp.sendmail("alice@crepes.fr", [to], f"From: alice@crepes.fr\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n{text}\r\n")


def a_test_waits_and_does_not_sleep(server: Server) -> None:
    status, box = call(server, "POST", "/api/inboxes")
    to = box["address"]
    assert status == 200 and to.endswith("@inbox.test"), box
    # Nothing is there, and nothing comes.
    status, late = call(server, "GET", f"/api/wait?to={to}&timeout=100ms")
    assert status == 408 and late["messages"] == [] and "0 of 1" in late["Error"], late
    assert call(server, "GET", f"/api/wait?to={to}&count=0&timeout=100ms") == (200, {"count": 0, "messages": []})
    # It comes while somebody waits; exactly this address, and no longer one.
    timer = threading.Timer(0.3, lambda: (deliver(server, f"a{to}", "Other"), deliver(server, to, "Reset", "Code 987654: https://t.example/reset/x")))
    timer.start()
    began = time.monotonic()
    status, came = call(server, "GET", f"/api/wait?to={to}&subject=Reset&timeout=10s")
    timer.join()
    assert status == 200 and came["count"] == 1 and 0.2 < time.monotonic() - began < 5, came
    message = came["messages"][0]["ID"]
    assert call(server, "GET", f"/api/messages/{message}/links") == (200, ["https://t.example/reset/x"])
    assert call(server, "GET", f"/api/messages/{message}/codes") == (200, ["987654"])
    assert call(server, "GET", f"/api/messages/{message}/structure")[1]["parts"][0]["type"] == "text/plain"
    status, wrong = call(server, "GET", f"/api/wait?to={to}&count=0&timeout=50ms")
    assert status == 409 and wrong["messages"][0]["Subject"] == "Reset", wrong
    status, none = call(server, "GET", f"/api/wait?to={to}&since={message}&timeout=50ms")
    assert status == 408 and none["arrived"] == [], none
    # The same mailbox by IMAP: what one way reads is read by the other.
    box_by_imap = imaplib.IMAP4("127.0.0.1", server.port["imap"])
    box_by_imap.login(box["user"], box["password"])
    assert box_by_imap.select("INBOX") == ("OK", [b"1"])
    call(server, "GET", f"/api/v1/message/{message}")
    assert box_by_imap.search(None, "SEEN") == ("OK", [b"1"])
    box_by_imap.logout()


def bad_requests_and_strangers_get_nothing(server: Server) -> None:
    for method, path, status in [
        ("GET", "/api/v1/message/x", 404), ("GET", "/api/v1/message/../../etc/passwd", 404), ("GET", "/api/v1/messages?start=-1", 400),
        ("GET", "/api/v1/search", 400), ("GET", "/api/v1/search?query=larger:x", 400), ("GET", "/api/wait?timeout=forever", 400),
        ("GET", "/api/wait?too=x", 400), ("GET", "/view/latest.exe", 404), ("GET", "/api/v1/message/latest/html-check", 501),
    ]:
        got, body = call(server, method, path)
        assert got == status, (path, got, body)
    for body in ["{", "[1]", '{"IDs": 5}']:
        request = urllib.request.Request(f"http://127.0.0.1:{server.port['http']}/api/v1/messages", body.encode(), method="DELETE")
        try:
            urllib.request.urlopen(request, timeout=30)
            raise AssertionError(body)
        except urllib.error.HTTPError as error:
            assert error.code == 400 and b"expected JSON" in error.read(), body
    for bad in [{}, {"From": {"Email": "a@b.example"}}, {"From": {"Email": "no address"}, "To": [{"Email": "a@b.example"}]},
                {"From": {"Email": "a@b.example"}, "To": [{"Email": "a@b.example"}], "Subject": "x\r\nBcc: evil@b.example"},
                {"From": {"Email": "a@b.example"}, "To": [{"Email": "a@b.example"}], "Attachments": [{"Content": "!", "Filename": "x"}]}]:
        status, why = call(server, "POST", "/api/v1/send", bad)
        assert status == 400 and why["Error"], (bad, status, why)
    # A page of another site, and a name that was made to lead here.
    assert call(server, "DELETE", "/api/v1/messages", headers={"Origin": "http://evil.example"})[0] == 403
    assert call(server, "GET", "/api/v1/messages", headers={"Host": "evil.example"})[0] == 421


def tshark_reads_the_packets_of_a_scenario(server: Server) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "packets.pcapng"

        def packets(scenario: str, *fields: str, wanted: str) -> list[str]:
            subprocess.run([str(server.binary), "replay", scenario, "--pcapng", str(file)], check=True, capture_output=True, timeout=60)
            command = ["tshark", "-r", str(file), "-Y", wanted, "-T", "fields", *(part for name in fields for part in ("-e", name))]
            ran = subprocess.run(command, check=True, capture_output=True, timeout=60)
            return ran.stdout.decode().splitlines()

        codes = packets("alice-to-bob", "smtp.response.code", wanted="smtp.response && tcp.port == 25")
        assert codes == ["220", "250", "250", "250", "354", "250", "221"], codes
        assert packets("alice-to-bob", "frame.number", wanted="_ws.malformed || tcp.analysis.flags || ip.checksum.status == 0") == []
        assert any("bob" in line for line in packets("pop-phases", "pop.request.parameter", wanted="pop.request"))
        assert any("SELECT" in line for line in packets("imap-folders", "imap.request.command", wanted="imap.request"))
        assert "GET" in packets("http-and-smtp", "http.request.method", wanted="http.request")


CHECKS = [mailpits_own_client, a_test_waits_and_does_not_sleep, bad_requests_and_strangers_get_nothing,
          tshark_reads_the_packets_of_a_scenario]
