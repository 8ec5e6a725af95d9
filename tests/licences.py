#!/usr/bin/env python3
"""Checks the licence of every crate in the build against deny.toml, where cargo-deny itself is not installed.

Prints one line per crate whose licence expression the list does not satisfy, and exits 1 if there is one.
"""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def satisfied(expression: str, allowed: set[str]) -> bool:
    """Whether an SPDX expression can be met with the allowed licences. OR binds weaker than AND (SPDX 2.3, annex D)."""
    text = re.sub(r"(\S+)\s+WITH\s+(\S+)", r"\1~WITH~\2", expression.replace("/", " OR "))
    tokens = re.findall(r"[()]|[^\s()]+", text)
    python = []
    for token in tokens:
        if token in ("(", ")"):
            python.append(token)
        elif token in ("AND", "OR"):
            python.append(token.lower())
        else:
            python.append(str(token.replace("~", " ") in allowed))
    return bool(eval(" ".join(python), {"__builtins__": {}}))  # only True, False, and, or, parentheses


def main() -> int:
    deny = tomllib.loads((ROOT / "deny.toml").read_text())
    allowed = set(deny["licenses"]["allow"])
    banned = {entry["crate"] for entry in deny["bans"]["deny"]}
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    wrong = 0
    for package in metadata["packages"]:
        name = f"{package['name']} {package['version']}"
        if package["name"] in banned:
            print(f"{name}: banned by deny.toml")
            wrong += 1
        if package["source"] is None:
            continue
        if not package["source"].startswith("registry+"):
            print(f"{name}: comes from {package['source']}, not from the registry")
            wrong += 1
        licence = package["license"]
        if licence is None or not satisfied(licence, allowed):
            print(f"{name}: licence {licence!r} is not allowed by deny.toml")
            wrong += 1
    print(f"{len(metadata['packages'])} crates, {wrong} not allowed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
