#!/usr/bin/env python3
"""Makes the corpus: messages that are as varied as real mail, each octet chosen here.

    make.py            writes the .eml files, manifest.json and README.md beside this file
    make.py --check    fails if they are not what it would write
"""

import base64
import hashlib
import json
import pathlib
import quopri
import sys

HERE = pathlib.Path(__file__).resolve().parent
MESSAGES: dict[str, tuple[str, bytes]] = {}

HEAD = (
    "From: Alice <alice@crepes.fr>\r\nTo: Bob <bob@hamburger.edu>\r\n"
    "Date: Mon, 05 Jan 2026 09:00:00 +0000\r\nMessage-ID: <{name}@crepes.fr>\r\n"
)
TEXT = "Do you like ketchup?\r\nHow about pickles?\r\n"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def octets(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def raw(name: str, what: str, message: str | bytes) -> None:
    message = octets(message)
    rest = message.replace(b"\r\n", b"")
    assert b"\r" not in rest and b"\n" not in rest and b"\0" not in rest, name
    assert name not in MESSAGES, name
    MESSAGES[name] = (what, message)


def mail(name: str, what: str, fields: str, body: str | bytes = TEXT) -> None:
    subject = "" if "subject:" in fields.lower() else f"Subject: {what}\r\n"
    if not subject.isascii():
        subject = "Subject: corpus\r\n"
    mime = "MIME-Version: 1.0\r\n" if "content-" in fields.lower() else ""
    raw(name, what, octets(HEAD.format(name=name) + subject + mime + fields + "\r\n") + octets(body))


def b64(data: bytes, width: int = 76) -> bytes:
    text = base64.b64encode(data)
    return b"".join(text[at : at + width] + b"\r\n" for at in range(0, len(text), width))


def qp(data: bytes) -> bytes:
    return quopri.encodestring(data).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def part(fields: str, body: str | bytes) -> bytes:
    return octets(fields) + b"\r\n" + octets(body)


def multi(boundary: str, *parts: bytes, preamble: str = "", epilogue: str = "", close: bool = True) -> bytes:
    out = octets(preamble)
    for one in parts:
        out += octets(f"--{boundary}\r\n") + one + b"\r\n"
    return out + (octets(f"--{boundary}--\r\n{epilogue}") if close else b"")


PLAIN = part("Content-Type: text/plain\r\n", "plain words")
HTML = part("Content-Type: text/html; charset=utf-8\r\n", "<p>words</p>")
IMAGE = part(
    'Content-Type: image/png; name="a.png"\r\nContent-ID: <a@b>\r\nContent-Transfer-Encoding: base64\r\n'
    'Content-Disposition: inline; filename="a.png"\r\n',
    b64(PNG),
)


def plain_mail() -> None:
    mail("plain", "plain text", "")
    mail("empty-body", "an empty body", "", "")
    raw("header-only", "a header section without blank line", HEAD.format(name="header-only") + "Subject: x\r\n")
    raw("body-only", "the lecture's message: no header section", "Do you like ketchup?\r\nHow about pickles?\r\n")
    raw("minimal", "one field", "From: a@b\r\n\r\nx\r\n")
    mail("dots", "lines that begin with dots", "", ".\r\n..\r\n...\r\n. a\r\n.b\r\n\r\n.\r\n")
    mail("long-lines", "lines of up to 10,000 octets", "", "".join("x" * n + "\r\n" for n in (77, 997, 998, 999, 10_000)))
    mail("long-header", "a folded field of 20 KiB", "X-Long: " + "\r\n ".join(["word " * 12] * 340) + "\r\n")
    mail("many-fields", "500 fields", "".join(f"X-Field-{n}: value {n}\r\n" for n in range(500)))
    people = ",\r\n ".join(f"Person {n} <p{n}@example.org>" for n in range(300))
    mail("many-recipients", "300 addresses in Cc", f"Cc: {people}\r\n")
    mail("blank-lines", "many blank lines", "", "\r\n" * 200)
    mail("from-line", "lines that look like mbox and like commands", "", "From a@b\r\n>From c\r\nQUIT\r\nBDAT 5\r\na1 LOGOUT\r\n")
    mail("medium", "100 KiB of text", "", "The quick brown fox jumps over the lazy dog. 0123456789 abcdefghij.\r\n" * 1500)
    mail("trailing-space", "white space at line ends", "", "a \r\nb\t\r\n \r\n\t\r\n")


def encodings() -> None:
    text = "Grüße aus Köln: äöüß – “quoted” … 漢字 😀\r\n= equals = at = places =\r\ntrailing \r\n"
    for name in ("7bit", "8bit", "binary"):
        body = TEXT if name == "7bit" else text
        mail(f"cte-{name}", f"transfer encoding {name}", f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {name}\r\n", body)
    utf8 = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
    mail("cte-quoted-printable", "quoted-printable", utf8 + "quoted-printable\r\n", qp(text.encode()))
    mail("cte-base64", "base64", utf8 + "base64\r\n", b64(text.encode()))
    mail("cte-upper", "an encoding in capitals with a comment", utf8 + "BASE64 (why not)\r\n", b64(b"words\r\n"))
    mail("cte-unknown", "an unknown transfer encoding", utf8 + "x-rot13\r\n", "Qb lbh yvxr xrgpuhc?\r\n")
    mail("cte-uuencode", "uuencode", utf8 + "x-uuencode\r\n", "begin 644 a.txt\r\n&=V]R9',*\r\n`\r\nend\r\n")
    mail("base64-broken", "base64 with junk, short lines and no padding", utf8 + "base64\r\n", "d29y\r\nZ\r\nHM!!=\r\nZm9v\r\n")
    mail("base64-one-line", "base64 in one line of 8,000 octets", utf8 + "base64\r\n", b64(b"x" * 6000, 8000))
    mail("qp-broken", "quoted-printable that is not quite", utf8 + "quoted-printable\r\n", "a=\r\nb=zz =e4= \r\n=\r\n==41\r\nend=")


def charsets() -> None:
    samples = {
        "iso-8859-1": "Ærlig øl å", "iso-8859-2": "Żółw ąęść", "iso-8859-5": "Привет", "iso-8859-7": "Γειά σου",
        "iso-8859-9": "İğışç", "iso-8859-15": "€ ž œ", "windows-1251": "Привет, мир", "windows-1252": "“curly” €",
        "windows-1256": "مرحبا", "koi8-r": "Привет", "koi8-u": "Їжак", "shift_jis": "日本語テキスト",
        "iso-2022-jp": "日本語テキスト", "euc-jp": "日本語", "euc-kr": "한국어", "gb2312": "简体中文", "gb18030": "繁體中文",
        "big5": "繁體中文", "utf-7": "Grüße", "utf-8": "ünïcödé",
    }
    for name, text in samples.items():
        data = text.encode(name) + b"\r\n"
        eight = "8bit" if any(octet > 127 for octet in data) else "7bit"
        mail(f"charset-{name}", f"text in {name}", f"Content-Type: text/plain; charset={name}\r\nContent-Transfer-Encoding: {eight}\r\n", data)
    mail("charset-utf-16", "text in UTF-16, in base64", "Content-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n", b64("Grüße\r\n".encode("utf-16")))
    mail("charset-unknown", "an unknown charset", "Content-Type: text/plain; charset=x-klingon\r\nContent-Transfer-Encoding: 8bit\r\n", b"\xe4\xf6\xfc\r\n")
    mail("charset-lie", "us-ascii that is not", "Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 8bit\r\n", "Käse\r\n")


def headers() -> None:
    mail("encoded-words", "encoded words in every place", "Subject: =?utf-8?b?R3LDvMOfZQ==?= =?iso-8859-1?q?aus_K=F6ln?=\r\nCc: =?utf-8?q?J=C3=B6rg?= <j@example.org>\r\nComments: (=?utf-8?q?=C3=A4?=)\r\n")
    mail("encoded-words-split", "a character split over two encoded words", "Subject: =?utf-8?b?w6Q=?=\r\n =?utf-8?b?w7Y=?= =?utf-8?q?=E6=BC?= =?utf-8?q?=A2?=\r\n")
    mail("encoded-words-broken", "encoded words that are none", "Subject: =?utf-8?x?abc?= =?utf-8?b?!!!?= =?utf-8?q?open a=?=\r\n")
    mail("encoded-words-language", "an encoded word with a language (RFC 2231)", "Subject: =?utf-8*de?q?Gr=C3=BC=C3=9Fe?=\r\n")
    mail("utf8-headers", "UTF-8 in header fields (RFC 6532)", "Subject: Grüße aus Köln\r\nCc: Jörg <jörg@bücher.example>\r\n")
    mail("rfc2231", "parameters of RFC 2231", "Content-Type: application/octet-stream;\r\n name*1*=%20%C3%B6;\r\n name*0*=utf-8'de'%C3%A4;\r\n name*2=\" plain\"\r\nContent-Disposition: attachment; filename*=iso-8859-1''%E4.txt\r\n")
    mail("rfc2231-gap", "a continuation with a gap", "Content-Type: text/plain; name*0=a; name*2=c\r\n")
    mail("groups", "groups, comments and quoted names", 'Cc: Team: a@b.example, "B, C" <c@d.example>;, (comment) e@f.example (E (nested)),\r\n "quoted local"@g.example\r\nReply-To: undisclosed-recipients:;\r\n')
    mail("obsolete", "obsolete forms", "Cc: <@r.example,@s.example:u@t.example>, J. R. Ewing <j@d.example>\r\nResent-From : x@y.example\r\n")
    mail("obsolete-date", "a date of old", "X-Old: 1\r\nResent-Date: Mon, 5 Jan 26 10:00 EST\r\n")
    mail("repeated", "fields that stand twice", "Subject: first\r\nSubject: second\r\nFrom: Mallory <m@evil.example>\r\nContent-Type: text/plain\r\nContent-Type: text/html\r\n")
    raw("no-date-no-from", "neither Date nor From", "Subject: x\r\nTo: bob@hamburger.edu\r\n\r\nwords\r\n")
    mail("odd-fields", "lines in the header section that are no fields", "no colon here\r\nX-Empty:\r\n: no name\r\nX Space: y\r\n")
    mail("list", "a mailing list's fields", "List-Id: Ketchup <k.lists.example>\r\nList-Unsubscribe: <mailto:u@lists.example>, <https://lists.example/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nPrecedence: list\r\n")
    mail("reply", "a reply with References", "In-Reply-To: <plain@crepes.fr>\r\nReferences: <a@b> <plain@crepes.fr>\r\nSubject: Re: [k] Re: plain\r\n")
    mail("flowed", "format=flowed", "Content-Type: text/plain; charset=utf-8; format=flowed; delsp=yes\r\n", "This is a \r\nflowed paragraph. \r\n\r\n> quoted \r\n> text\r\n-- \r\nsig\r\n")


def multiparts() -> None:
    typed = "Content-Type: multipart/{kind}; boundary={boundary}\r\n".format
    mail("alternative", "text and HTML", typed(kind="alternative", boundary="b"), multi("b", PLAIN, HTML))
    related = part(typed(kind='related; type="text/html"', boundary="r"), multi("r", HTML, IMAGE))
    mail("related", "HTML with an inline image", typed(kind="related", boundary="r"), multi("r", HTML, IMAGE))
    alternative = part(typed(kind="alternative", boundary="a"), multi("a", PLAIN, related))
    pdf = part('Content-Type: application/pdf\r\nContent-Disposition: attachment;\r\n filename="r\\"eport.pdf"; size=300\r\nContent-Transfer-Encoding: base64\r\n', b64(bytes(range(256)) * 20))
    mail("mixed", "what a mail program makes: alternative, related, attachment", typed(kind="mixed", boundary='"=_mixed 1"'), multi("=_mixed 1", alternative, pdf, preamble="This is MIME.\r\n", epilogue="The end.\r\n"))
    inner = MESSAGES["alternative"][1]
    mail("forwarded", "a message inside", typed(kind="mixed", boundary="f"), multi("f", PLAIN, part("Content-Type: message/rfc822\r\nContent-Description: forwarded\r\n", inner)))
    raw("message-alone", "message/rfc822 as the whole body", octets(HEAD.format(name="message-alone") + "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n") + inner)
    mail("digest", "a digest", typed(kind="digest", boundary="d"), multi("d", part("", MESSAGES["plain"][1]), part("", MESSAGES["dots"][1])))
    mail("folded-boundary", "a boundary after a fold", 'Content-Type: multipart/mixed; boundary=\r\n "folded"\r\n', multi("folded", PLAIN, HTML))
    mail("boundary-prefix", "boundaries that begin with one another", typed(kind="mixed", boundary="b"), multi("b", part(typed(kind="mixed", boundary="bb"), multi("bb", PLAIN, HTML)), PLAIN))
    mail("boundary-padding", "white space after delimiters", typed(kind="mixed", boundary="p"), b"--p  \r\n\r\none\r\n--p\t\r\n\r\ntwo\r\n--p-- \r\n")
    mail("no-close", "no close delimiter", typed(kind="mixed", boundary="n"), multi("n", PLAIN, HTML, close=False))
    mail("no-boundary", "a multipart without boundary", "Content-Type: multipart/mixed\r\n", multi("x", PLAIN))
    mail("never-begun", "a boundary that no line has", typed(kind="mixed", boundary="never"), "just words\r\n")
    mail("no-blank-line", "a part without blank line", typed(kind="mixed", boundary="q"), b"--q\r\nContent-Type: text/plain\r\n--q\r\n\r\ntwo\r\n--q--\r\n")
    mail("empty-parts", "parts of nothing", typed(kind="mixed", boundary="e"), b"--e\r\n\r\n\r\n--e\r\n\r\n--e\r\n--e--\r\n")
    mail("dashes", "lines of dashes in a part", typed(kind="mixed", boundary="-"), multi("-", part("", "--\r\n---x\r\n--- -\r\n")))
    mail("signed", "multipart/signed, S/MIME", 'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary=s\r\n', multi("s", PLAIN, part('Content-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n', b64(b"0\x82" + b"\x01" * 500))))
    mail("encrypted", "multipart/encrypted, OpenPGP", 'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=e\r\n', multi("e", part("Content-Type: application/pgp-encrypted\r\n", "Version: 1\r\n"), part("Content-Type: application/octet-stream\r\n", "-----BEGIN PGP MESSAGE-----\r\n\r\nabcd\r\n-----END PGP MESSAGE-----\r\n")))
    dsn = part("Content-Type: message/delivery-status\r\n", "Reporting-MTA: dns; crepes.fr\r\n\r\nFinal-Recipient: rfc822; bob@hamburger.edu\r\nAction: failed\r\nStatus: 5.1.1\r\n")
    mail("dsn", "a delivery status notification (RFC 3464)", "Content-Type: multipart/report; report-type=delivery-status; boundary=d\r\nAuto-Submitted: auto-replied\r\n", multi("d", PLAIN, dsn, part("Content-Type: message/rfc822\r\n", MESSAGES["plain"][1])))
    mdn = part("Content-Type: message/disposition-notification\r\n", "Final-Recipient: rfc822; bob@hamburger.edu\r\nDisposition: manual-action/MDN-sent-manually; displayed\r\n")
    mail("mdn", "a read receipt (RFC 8098)", "Content-Type: multipart/report; report-type=disposition-notification; boundary=m\r\n", multi("m", PLAIN, mdn))
    ics = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260105T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    mail("calendar", "an invitation", typed(kind="alternative", boundary="c"), multi("c", PLAIN, part("Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n", ics)))
    mail("tnef", "winmail.dat", typed(kind="mixed", boundary="t"), multi("t", PLAIN, part("Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n", b64(b"\x78\x9f\x3e\x22" + b"\0" * 100))))
    mail("extension-fields", "every Content- field", "Content-Type: text/plain; charset=utf-8\r\nContent-ID: <x@y>\r\nContent-Description: words\r\nContent-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\nContent-Language: de, en\r\nContent-Location: https://example.org/a\r\nContent-Disposition: inline; filename=a.txt\r\n")
    mail("encoded-multipart", "a multipart in base64, which none may be", "Content-Type: multipart/mixed; boundary=z\r\nContent-Transfer-Encoding: base64\r\n", b64(multi("z", PLAIN)))
    mail("wide", "500 parts", typed(kind="mixed", boundary="w"), multi("w", *[part("Content-Type: text/plain\r\n", f"part {n}") for n in range(500)]))
    deep = PLAIN
    for level in range(60):
        deep = part(typed(kind="mixed", boundary=f"level{level}"), multi(f"level{level}", deep))
    raw("deep", "60 multiparts in one another", octets(HEAD.format(name="deep") + "MIME-Version: 1.0\r\n") + deep)
    mail("attachment-large", "an attachment of 300 KiB", typed(kind="mixed", boundary="l"), multi("l", PLAIN, part("Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=big.bin\r\nContent-Transfer-Encoding: base64\r\n", b64(hashlib.sha256(b"seed").digest() * 9600))))


def files() -> dict[str, bytes]:
    for make in (plain_mail, encodings, charsets, headers, multiparts):
        make()
    out = {}
    manifest = []
    rows = ["# Corpus", "", "Made by `make.py`; `make.py --check` compares. No bare CR, bare LF or NUL is in any of them.", "", "| file | octets | what |", "|---|---|---|"]
    for name, (what, message) in sorted(MESSAGES.items()):
        out[f"{name}.eml"] = message
        head = message.split(b"\r\n\r\n")[0]
        manifest.append({
            "file": f"{name}.eml", "sha256": hashlib.sha256(message).hexdigest(),
            "eight_bit": not message.isascii(), "utf8_headers": not head.isascii() and b"\r\n\r\n" in message,
        })
        rows.append(f"| `{name}.eml` | {len(message)} | {what} |")
    out["manifest.json"] = (json.dumps(manifest, indent=1) + "\n").encode()
    out["README.md"] = ("\n".join(rows) + "\n").encode()
    return out


def main() -> int:
    wrong = 0
    for name, content in files().items():
        file = HERE / name
        if sys.argv[1:] == ["--check"]:
            if not file.exists() or file.read_bytes() != content:
                print(f"{name} is not what make.py makes")
                wrong += 1
        else:
            file.write_bytes(content)
    print(f"{len(MESSAGES)} messages, {wrong} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
