#!/usr/bin/env python3
"""Real clients against a real server: one line per check, compared by octets, and a count at the end."""

import sys

import checks_agent
import checks_clients
import checks_dovecot
import checks_firefox
import checks_imap
import checks_imapflow
import checks_logins
import checks_mailpit
import checks_packets
import checks_postfix
import checks_python
import checks_readers
import checks_smime
import checks_submission
import checks_thunderbird
import checks_tls
import checks_trust
import runner
from server import Server


def main() -> int:
    parser = runner.parser(__doc__)
    parser.add_argument("--full", action="store_true", help="also drive Thunderbird and Firefox")
    arguments = parser.parse_args()
    if not arguments.pillarbox.exists():
        print(f"{arguments.pillarbox} is missing; build it: cargo build --release", file=sys.stderr)
        return 2
    checks = [*checks_python.CHECKS, *checks_imap.CHECKS, *checks_imapflow.CHECKS, *checks_clients.CHECKS, *checks_readers.CHECKS,
              *checks_tls.CHECKS, *checks_logins.CHECKS, *checks_agent.CHECKS,
              *checks_submission.CHECKS, *checks_postfix.CHECKS, *checks_trust.CHECKS,
              *checks_smime.CHECKS, *checks_packets.CHECKS, *checks_dovecot.CHECKS, *checks_mailpit.CHECKS]
    if arguments.full:
        checks += checks_thunderbird.CHECKS + checks_firefox.CHECKS
    return runner.run(Server(arguments.pillarbox), checks, arguments.only)


if __name__ == "__main__":
    sys.exit(main())
