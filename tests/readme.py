#!/usr/bin/env python3
"""Types what the README says, from the fenced blocks marked `sh tour`, against a server on free ports, and compares.

Every `$ command` in such a block is run; the lines below it must all appear in its output, in order. Ports and
directories of the text are replaced by those of the test's own server.
"""

import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "interop"))
from server import ROOT, TARGET, Server  # noqa: E402

PORTS = {"1025": "smtp", "1110": "pop3", "1143": "imap", "8025": "http"}


def main() -> int:
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```sh tour\n(.*?)```", text, re.S)
    if not blocks:
        print("README.md has no block `sh tour`")
        return 1
    server = Server(TARGET / "release" / "pillarbox")
    passed, failed = 0, 0
    try:
        for block in blocks:
            for typed in re.split(r"^\$ ", block, flags=re.M)[1:]:
                command, *expected = typed.rstrip("\n").split("\n")
                for port, service in PORTS.items():
                    command = command.replace(f"127.0.0.1:{port}", f"127.0.0.1:{server.port[service]}")
                command = command.replace("./target/release/pillarbox", str(TARGET / "release" / "pillarbox"))
                ran = subprocess.run(["bash", "-c", command], cwd=server.directory, capture_output=True, text=True, timeout=120)
                output = ran.stdout + ran.stderr
                at = 0
                missing = None
                for line in filter(str.strip, expected):
                    wanted = line.strip()
                    if wanted in ("…", "..."):
                        continue
                    found = output.find(wanted.rstrip("…"), at)
                    if found < 0:
                        missing = wanted
                        break
                    at = found + len(wanted.rstrip("…"))
                if missing is None and ran.returncode == 0:
                    passed += 1
                else:
                    failed += 1
                    print(f"FAILED: {command}\nexit code {ran.returncode}, missing: {missing}\n{output}")
    finally:
        server.stop()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
