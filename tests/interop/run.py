#!/usr/bin/env python3
"""Real clients against a real server: one line per check, compared by octets, and a count at the end."""

import argparse
import pathlib
import sys
import time
import traceback

import checks_agent
import checks_clients
import checks_imap
import checks_logins
import checks_postfix
import checks_python
import checks_tls
import checks_trust
from server import TARGET, Server


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pillarbox", type=pathlib.Path, default=TARGET / "release" / "pillarbox")
    parser.add_argument("--only", help="checks whose name contains this")
    parser.add_argument("--full", action="store_true", help="also drive Thunderbird")
    arguments = parser.parse_args()
    if not arguments.pillarbox.exists():
        print(f"{arguments.pillarbox} is missing; build it: cargo build --release", file=sys.stderr)
        return 2
    checks = [*checks_python.CHECKS, *checks_imap.CHECKS, *checks_clients.CHECKS,
              *checks_tls.CHECKS, *checks_logins.CHECKS, *checks_agent.CHECKS,
              *checks_postfix.CHECKS, *checks_trust.CHECKS]
    if arguments.full:
        checks.append(checks_clients.thunderbird)
    server = Server(arguments.pillarbox)
    passed, failed = 0, 0
    try:
        for check in checks:
            name = check.__name__.replace("_", " ")
            if arguments.only and arguments.only not in name:
                continue
            start = time.monotonic()
            try:
                check(server)
            except Exception as error:  # a check may fail in any way, and the others go on
                failed += 1
                print(f"FAILED {name}: {error}")
                traceback.print_exc()
            else:
                passed += 1
                print(f"ok     {name} ({time.monotonic() - start:.1f} s)", flush=True)
    finally:
        log = (server.directory / "log").read_text()
        code = server.stop()
    broken = [line for line in log.splitlines() if " ERROR " in line or "panicked" in line]
    if broken or code != 0:
        failed += 1
        print(f"FAILED the server's own log (exit code {code}):", *broken, sep="\n")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
