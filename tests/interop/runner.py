"""Runs checks against a server: one line for each, and a count at the end; what each check means is its own matter."""

import argparse
import pathlib
import time
import traceback
from collections.abc import Callable

from server import TARGET, Server

Check = Callable[[Server], None]


def parser(words: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=words)
    made.add_argument("--pillarbox", type=pathlib.Path, default=TARGET / "release" / "pillarbox", help="the binary")
    made.add_argument("--only", help="checks whose name contains this")
    return made


def run(server: Server, checks: list[Check], only: str | None) -> int:
    """Runs them, stops the server, and judges its log; gives the exit code."""
    passed, failed = 0, 0
    try:
        for check in checks:
            name = check.__name__.replace("_", " ")
            if only and only not in name:
                continue
            start = time.monotonic()
            try:
                check(server)
            except Exception as error:  # a check may fail in any way, and the others go on
                failed += 1
                print(f"FAILED {name}: {type(error).__name__}: {error}", flush=True)
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
    # A name that no check has is a mistake, not a success.
    return 1 if failed or not passed else 0
