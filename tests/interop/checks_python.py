"""Python's own clients: the whole corpus in by SMTP and APPEND, out by POP3 and IMAP, octet for octet."""

import email
import email.header
import imaplib
import poplib
import smtplib

from server import Server, corpus, without_trace_fields

imaplib._MAXLINE = 10_000_000
poplib._MAXLINE = 1_000_000


def terminated(octets: bytes) -> bytes:
    """What DATA can carry: the last line ended."""
    return octets if octets.endswith(b"\r\n") else octets + b"\r\n"


def pop3(server: Server, user: str, utf8: bool = False) -> poplib.POP3:
    client = poplib.POP3("127.0.0.1", server.port["pop3"], timeout=30)
    if utf8:
        client.utf8()
    client.user(user)
    client.pass_("any")
    return client


def imap(server: Server, user: str, mailbox: str | None = "INBOX", password: str = "any") -> imaplib.IMAP4:
    client = imaplib.IMAP4("127.0.0.1", server.port["imap"], timeout=30)
    assert client.login(user, password)[0] == "OK"
    if mailbox:
        assert client.select(mailbox)[0] == "OK"
    return client


def body(client: imaplib.IMAP4, uid: str, section: str = "BODY.PEEK[]") -> bytes:
    status, data = client.uid("FETCH", uid, f"({section})")
    assert status == "OK" and data[0], (section, data)
    if isinstance(data[0], tuple):
        return data[0][1]
    # Nothing is a quoted string of nothing.
    assert data[0].endswith(b' "")'), (section, data)
    return b""


def corpus_by_smtp_arrives_by_pop3_and_imap(server: Server) -> None:
    user = "corpus@hamburger.edu"
    with smtplib.SMTP("127.0.0.1", server.port["smtp"], timeout=30) as client:
        client.ehlo("crepes.fr")
        for entry in corpus():
            options = ["BODY=8BITMIME"] if entry["eight_bit"] else []
            options += ["SMTPUTF8"] if entry["utf8_headers"] else []
            client.mail("alice@crepes.fr", options)
            client.rcpt(user)
            code, reply = client.data(entry["octets"])
            assert code == 250, (entry["file"], code, reply)
    # RFC 6856 §2.1: without UTF8 there would be a surrogate of what has it in its header fields.
    pop = pop3(server, user, utf8=True)
    box = imap(server, user)
    uids = box.uid("SEARCH", "ALL")[1][0].decode().split()
    sizes = [int(line.split()[1]) for line in pop.list()[1]]
    assert len(uids) == len(sizes) == len(corpus())
    for number, (uid, size, entry) in enumerate(zip(uids, sizes, corpus()), 1):
        lines = pop.retr(number)[1]
        by_pop = b"".join(line + b"\r\n" for line in lines)
        by_imap = body(box, uid)
        assert by_imap == by_pop, entry["file"]
        assert len(by_imap) == size, entry["file"]
        assert without_trace_fields(by_imap) == terminated(entry["octets"]), entry["file"]
        top = pop.top(number, 0)[1]
        assert b"".join(line + b"\r\n" for line in top).startswith(by_imap.split(b"\r\n\r\n")[0]), entry["file"]
    pop.quit()
    pop = pop3(server, user)
    for number, (uid, entry) in enumerate(zip(uids, corpus()), 1):
        if entry["eight_bit"]:
            surrogate_says_the_same(pop.retr(number)[1], body(box, uid), entry["file"])
    pop.quit()
    box.logout()


def no_message_closes_its_mailbox(server: Server) -> None:
    """A session has 4 MiB, and tells a test what each octet is: messages that are made to need more still can be read."""
    wide = "\u00f6"
    messages = {
        "parts": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\nContent-Type: text/plain; a=b\r\n\r\nx\r\n" * 20_000 + b"--x--\r\n",
        "groups": b"Cc: " + b"a:;\r\n " * 9000 + b"\r\n\r\nx\r\n",
        "people": "From: {}\r\n\r\nx\r\n".format(",\r\n ".join(f"J{wide} {n} <{wide}{n}@{wide}{n}.example>" for n in range(6000))).encode(),
        "names": f'Content-Type: a/b; n="{wide * 16_000}"\r\nSubject: {wide * 16_000}\r\n\r\nx\r\n'.encode(),
        "longer": f'Content-Type: a/b; n="{wide * 50_000}"\r\nSubject: {wide * 50_000}\r\n\r\nx\r\n'.encode(),
    }
    for name, octets in messages.items():
        user = f"bomb-{name}@hamburger.edu"
        with smtplib.SMTP("127.0.0.1", server.port["smtp"], timeout=30) as client:
            client.ehlo("crepes.fr")
            client.mail("alice@crepes.fr", ["BODY=8BITMIME", "SMTPUTF8"])
            client.rcpt(user)
            assert client.data(octets)[0] == 250, name
        box = imap(server, user)
        for items in ("ENVELOPE", "BODYSTRUCTURE", "FULL", "BODY.PEEK[1]", "BODY.PEEK[HEADER]"):
            assert box.fetch("1", f"({items})" if items != "FULL" else items)[0] == "OK", (name, items)
        assert box.search(None, "TEXT", "zz") == ("OK", [b""]), name
        box.logout()
        pop = pop3(server, user)
        assert len(pop.retr(1)[1]) > 2, name
        pop.quit()


def surrogate_says_the_same(lines: list[bytes], whole: bytes, file: str) -> None:
    """Python reads what a client gets that knows nothing of UTF-8: the subject means the same, and the body is the same."""
    head, _, rest = b"".join(line + b"\r\n" for line in lines).partition(b"\r\n\r\n")
    first, _, content = whole.partition(b"\r\n\r\n")
    assert head.isascii(), file
    if first.isascii() and b"multipart" not in first:
        assert (head, rest) == (first, content), file
    means = lambda head: str(email.header.make_header(email.header.decode_header(email.message_from_bytes(head)["Subject"] or "")))
    subject = next((line for line in first.split(b"\r\n") if line.lower().startswith(b"subject:")), b"")
    if not subject.isascii():
        assert means(head) == subject[8:].decode().strip(), file


def corpus_by_append_is_bit_identical(server: Server) -> None:
    box = imap(server, "append@hamburger.edu")
    wide = next(entry for entry in corpus() if entry["file"] == "utf8-headers.eml")
    status, data = box.append("INBOX", "", '" 5-Jan-2026 10:00:00 +0100"', wide["octets"])
    assert status == "NO" and b"ENABLE UTF8=ACCEPT" in data[0], "RFC 6855 §4: 8-bit header fields are refused before"
    # imaplib knows ENABLE before SELECT alone, as RFC 5161 §3.1 has it.
    box.unselect()
    assert box.enable("UTF8=ACCEPT")[0] == "OK"
    # What follows in imaplib is the `UTF8 (…)` around a message, which RFC 9755 took away.
    box._mode_ascii()
    box.select()
    for entry in corpus():
        status, data = box.append("INBOX", "(\\Flagged)", '" 5-Jan-2026 10:00:00 +0100"', entry["octets"])
        assert status == "OK" and b"APPENDUID" in data[0], (entry["file"], data)
    box.noop()
    uids = box.uid("SEARCH", "ALL")[1][0].decode().split()
    for uid, entry in zip(uids, corpus(), strict=True):
        octets = entry["octets"]
        assert body(box, uid) == octets, entry["file"]
        header, text = body(box, uid, "BODY.PEEK[HEADER]"), body(box, uid, "BODY.PEEK[TEXT]")
        assert header + text == octets, entry["file"]
        middle = len(octets) // 2
        assert body(box, uid, f"BODY.PEEK[]<{middle}.100>") == octets[middle : middle + 100], entry["file"]
        status, data = box.uid("FETCH", uid, "(RFC822.SIZE FLAGS INTERNALDATE ENVELOPE BODY BODYSTRUCTURE)")
        assert status == "OK" and data[0], entry["file"]
        line = data[0] if isinstance(data[0], bytes) else data[0][0]
        assert f"RFC822.SIZE {len(octets)}".encode() in line and b"\\Flagged" in line, (entry["file"], line)
    box.logout()


def parts_are_what_python_finds(server: Server) -> None:
    """Leaves of messages that Python's parser reads as MIME says, compared by section."""
    import email
    import email.policy

    names = {"alternative", "related", "mixed", "folded-boundary", "boundary-prefix", "signed", "encrypted", "calendar",
             "deep", "wide", "attachment-large"}
    box = imap(server, "append@hamburger.edu")
    uids = box.uid("SEARCH", "ALL")[1][0].decode().split()
    compared = 0
    for uid, entry in zip(uids, corpus(), strict=True):
        if entry["file"].removesuffix(".eml") not in names:
            continue
        message = email.message_from_bytes(entry["octets"], policy=email.policy.compat32)
        open_parts = [((), message)]
        while open_parts:
            path, part = open_parts.pop()
            if part.is_multipart():
                inside = part.get_payload()
                open_parts += [((*path, number), one) for number, one in enumerate(inside, 1)]
                continue
            if compared > 700:
                break
            payload = part.get_payload().encode("ascii", "surrogateescape")
            section = ".".join(map(str, path))
            got = body(box, uid, f"BODY.PEEK[{section}]")
            assert got == payload, (entry["file"], section, got[:80], payload[:80])
            compared += 1
    assert compared > 500, compared
    box.logout()


def pop3_keeps_its_promises(server: Server) -> None:
    user = "pop@hamburger.edu"
    with smtplib.SMTP("127.0.0.1", server.port["smtp"]) as client:
        for number in range(5):
            client.sendmail("alice@crepes.fr", [user], f"Subject: {number}\r\n\r\n.dot {number}\r\n".encode())
    first = pop3(server, user)
    uids = first.uidl()[1]
    try:
        pop3(server, user)
    except poplib.error_proto as error:
        assert b"[IN-USE]" in error.args[0], error
    else:
        raise AssertionError("two sessions hold one maildrop")
    first.dele(2)
    first.rset()
    first.dele(1)
    first.dele(3)
    first.quit()
    second = pop3(server, user)
    assert [line.split()[1] for line in second.uidl()[1]] == [uids[at].split()[1] for at in (1, 3, 4)]
    assert second.retr(1)[1][-1] == b".dot 1"
    second.dele(1)
    second.close()
    time_to_notice = pop3_when_free(server, user)
    assert time_to_notice.stat()[0] == 3
    time_to_notice.quit()


def pop3_when_free(server: Server, user: str) -> poplib.POP3:
    """The server learns of a cut connection a moment later."""
    import time

    for _ in range(100):
        try:
            return pop3(server, user)
        except poplib.error_proto:
            time.sleep(0.05)
    raise AssertionError("the maildrop is never free again")


CHECKS = [
    corpus_by_smtp_arrives_by_pop3_and_imap,
    corpus_by_append_is_bit_identical,
    no_message_closes_its_mailbox,
    parts_are_what_python_finds,
    pop3_keeps_its_promises,
]
