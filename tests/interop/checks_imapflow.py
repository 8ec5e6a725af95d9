"""imapflow, the client of Node: two devices with CONDSTORE, QRESYNC and IDLE, and octets compared."""

import json
import pathlib
import subprocess

from server import CORPUS, Server

SCRIPT = pathlib.Path(__file__).resolve().parent / "node" / "imapflow.mjs"
TEXT = b"From: a@x.example\r\nSubject: for imapflow\r\n\r\nA spoon of ketchup, please.\r\n"


def imapflow_on_two_devices(server: Server) -> None:
    own = server.directory / "imapflow.eml"
    own.write_bytes(TEXT)
    files = [own, *sorted(CORPUS.glob("*.eml"))[:20]]
    command = ["node", str(SCRIPT), str(server.port["imap"]), "flow@hamburger.edu", *map(str, files)]
    ran = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr.decode()[-3000:]
    seen = json.loads(ran.stdout)
    assert "error" not in seen, seen["error"]
    assert {"CONDSTORE", "QRESYNC"} <= set(seen["enabled"]), seen["enabled"]
    assert seen["octets"] == [True] * len(files), seen["octets"]
    assert 1 in seen["found"] and seen["unseen"] == [], seen
    new = len(files) + 1
    assert seen["appendedUid"] == new
    assert ["exists", new] in seen["pushed"] and ["flags", new, ["\\Flagged"]] in seen["pushed"], seen["pushed"]
    assert ["expunge", 2, True, False] in seen["pushed"], seen["pushed"]
    assert seen["pushMs"] < 2000, seen["pushMs"]
    assert seen["moved"] == [[2, 1]] and seen["kept"] == 1 and seen["movedOctets"], seen
    assert ["expunge", 3, True, True] in seen["resynced"], seen["resynced"]
    assert ["flags", 1, ["$Work", "\\Seen"]] in seen["resynced"], seen["resynced"]
    assert [1, ["$Work", "\\Seen"]] in seen["changed"] and all(uid == 1 for uid, _ in seen["changed"]), seen["changed"]


CHECKS = [imapflow_on_two_devices]
