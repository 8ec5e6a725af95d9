"""The fixture for pytest, by a program that sends mail; run by tests/run."""

import email.message
import imaplib
import os
import pathlib
import smtplib
import subprocess
import sys

import pytest
from pillarbox_testing import Failure, Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("PILLARBOX", str(ROOT / "target" / "release" / "pillarbox"))


def send(place, to, subject, text):
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = "shop@shop.test", to, subject
    message.set_content(text)
    with smtplib.SMTP(*place) as smtp:
        smtp.send_message(message)


def ask_for_a_new_password(place, to):
    send(place, to, "Reset", "Your code is 482913, or go to https://shop.test/reset/77?a=b.")


# As the README has it.
def test_reset(mail):
    ask_for_a_new_password(mail.smtp, mail.address)
    link = mail.wait(subject="Reset").link("/reset/")
    assert link == "https://shop.test/reset/77?a=b"


def test_the_readme_has_this_example():
    own = pathlib.Path(__file__).read_text().split("# As the README has it.\n")[1].split("\n\n\n")[0]
    assert own in (ROOT / "README.md").read_text()


def test_what_a_test_wants_to_know(mail, mail_server):
    ask_for_a_new_password(mail.smtp, mail.address)
    message = mail.wait(sender="shop@shop.test")
    assert (message.subject, message.sender, message.code) == ("Reset", "shop@shop.test", "482913")
    assert "Your code is" in message.text and message.raw.startswith(b"Return-Path: <shop@shop.test>")
    other = mail_server.inbox("other")
    assert other.address != mail.address
    other.stays_empty(0.2)
    with imaplib.IMAP4(*mail_server.place("imap")) as imap:
        imap.login(mail.address, mail.password)
        assert imap.select()[1] == [b"1"]


@pytest.mark.parametrize("number", [1, 2])
def test_each_test_has_an_address_of_its_own(mail, number):
    mail.stays_empty(0)
    ask_for_a_new_password(mail.smtp, mail.address)
    mail.wait()


def test_failures_tell_what_came_and_what_was_said(mail):
    ask_for_a_new_password(mail.smtp, mail.address)
    message = mail.wait()
    with pytest.raises(Failure) as failed:
        mail.wait(subject="Rest", timeout=0.1)
    text = str(failed.value)
    for part in ("0 of 1 came in time", "subject `Rest`", "`Reset`", message.url, f"C: RCPT TO:<{mail.address}>"):
        assert part.lower() in text.lower(), text
    with pytest.raises(Failure, match="nothing should"):
        mail.stays_empty(0.1)
    with pytest.raises(Failure, match="https://shop.test/reset/77"):
        message.link("/login/")
    ask_for_a_new_password(mail.smtp, mail.address)
    assert len(mail.wait_for(2)) == 2
    with pytest.raises(Failure, match="one message should be there"):
        mail.wait()


def test_mail_is_put_back(mail, mail_server):
    ask_for_a_new_password(mail.smtp, mail.address)
    mail.wait()
    mail_server.snapshot("one")
    ask_for_a_new_password(mail.smtp, mail.address)
    assert len(mail.wait_for(2)) == 2
    mail_server.restore("one")
    assert mail.wait().subject == "Reset"
    with pytest.raises(Failure, match="no such snapshot.*one"):
        mail_server.restore("two")


def test_flags_and_failures_of_a_start():
    with Server(("--fault", "any/verb=RCPT,nth=1/reply=451 4.7.1 Later")) as server:
        inbox = server.inbox()
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            ask_for_a_new_password(server.smtp, inbox.address)
        ask_for_a_new_password(server.smtp, inbox.address)
        inbox.wait()
        taken = "{}:{}".format(*server.smtp)
        with pytest.raises(Failure, match="--smtp.*in use"):
            Server(("--smtp", taken))
    with pytest.raises(Failure, match="PILLARBOX"):
        Server(binary="/nowhere/pillarbox")


def test_the_server_ends_with_the_program_that_started_it():
    code = "import os, pillarbox_testing as t; s = t.Server(); print(s._process.pid, flush=True); os._exit(0)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=pathlib.Path(__file__).parent, capture_output=True, timeout=60)
    pid = int(ran.stdout)
    for _ in range(200):
        try:
            state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        subprocess.run(["sleep", "0.05"])
    raise AssertionError(f"process {pid} is still there")
