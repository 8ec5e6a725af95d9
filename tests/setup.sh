#!/usr/bin/env bash
# Installs what the tests use: as root on Debian by itself; elsewhere it says what is missing and fails.
set -uo pipefail
cd "$(dirname "$0")/.."

# Command, and the Debian package that has it.
wanted=(
    "cc gcc" "curl curl" "git git" "gzip gzip" "python3 python3" "node nodejs" "npm npm"
    "swaks swaks" "msmtp msmtp" "mutt mutt" "mbsync isync" "fetchmail fetchmail" "getmail getmail6"
    "alpine alpine" "offlineimap offlineimap3"
    "chromium chromium" "postfix postfix" "dovecot dovecot-core" "openssl openssl" "strace strace" "tshark tshark"
)
[ "${1:-}" = --full ] && wanted+=("thunderbird thunderbird" "Xvfb xvfb" "firefox-esr firefox-esr")

missing=()
for entry in "${wanted[@]}"; do
    read -r command package <<<"$entry"
    command -v "$command" >/dev/null || missing+=("$package")
done
# Its servers are no commands in the path.
[ -x /usr/lib/dovecot/imap ] || missing+=("dovecot-imapd")
[ -x /usr/lib/dovecot/pop3 ] || missing+=("dovecot-pop3d")
# Nor are PostgreSQL's.
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=("postgresql")
# It is no command in the path, and a package of its own.
git send-email --dump-aliases >/dev/null 2>&1 || missing+=("git-email")
# What swaks speaks TLS and logs in with.
perl -MNet::SSLeay -e 1 2>/dev/null || missing+=("libnet-ssleay-perl")
perl -MAuthen::SASL -e 1 2>/dev/null || missing+=("libauthen-sasl-perl")
# And git send-email.
perl -MIO::Socket::SSL -e 1 2>/dev/null || missing+=("libio-socket-ssl-perl")
# Verifies our signatures; it belongs to Debian's own Python.
/usr/bin/python3 -c 'import dkim, nacl' 2>/dev/null || missing+=("python3-dkim" "python3-nacl")
# Runs the fixture for tests in Python.
/usr/bin/python3 -c 'import pytest' 2>/dev/null || missing+=("python3-pytest")
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing ${missing[*]}"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || {
            echo "tests/setup.sh: apt-get could not install: ${missing[*]}" >&2
            exit 2
        }
    else
        echo "tests/setup.sh: missing; please install these packages: ${missing[*]}" >&2
        exit 2
    fi
fi
# jco, which transpiles the component for Node; exactly the locked versions.
npm ci --prefix tests/node --no-audit --no-fund --silent || exit
# imapflow and Mailpit's client, of the interop tests.
npm ci --prefix tests/interop/node --no-audit --no-fund --silent || exit
# playwright-core, which drives the browser that Debian has, and axe-core; neither is part of the product.
npm ci --prefix tests/browser --no-audit --no-fund --silent
