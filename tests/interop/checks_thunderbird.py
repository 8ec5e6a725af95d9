"""Thunderbird as somebody uses it, on a screen: each thing it does is seen in its windows, in the mailboxes and in the trace."""

import email
import email.policy
import re
import shutil
import smtplib
import time
import urllib.request

import thunderbird as program
from checks_clients import home, no_errors
from checks_python import imap
from server import TARGET, Server

USER, FRIEND = "thunderbird@hamburger.edu", "carol@hamburger.edu"
SHOTS = TARGET / "thunderbird"
# As IMAP4rev1 writes it, in modified UTF-7 (RFC 3501 §5.1.3), and as people read it.
KITCHEN, KITCHEN_READ = "So&AN8-e &- K&APw-che", "Soße & Küche"
FOLDERS = ["Sauces", "Sauces/Ketchup", KITCHEN]
WORDS = {"salt": "Do you like salt?", "ketchup": "Do you like ketchup?", "pickles": "How about pickles?"}
# Comes last, while Thunderbird idles.
PUSHED, PUSHED_WORDS = "mustard", "How about mustard?"
DRAFT, DRAFT_WORDS = "Grüße", "A spoon of ketchup, please."
# What tells its sessions from those of our own clients here, which use LOGIN and send without a login.
OWN = {"imap": " authenticate ", "smtp": "C: AUTH "}


class Visit:
    """One run of Thunderbird at the server, and what the trace must show of it once it has ended."""

    def __init__(self, server: Server):
        self.server = server
        self.profile = home(server, "thunderbird")
        self.before = {name for protocol in OWN for name in server.traces(protocol)}
        self.due: list[tuple[str, str, re.Pattern]] = []
        self.thunderbird: program.Thunderbird | None = None

    def start(self) -> None:
        """Puts mailboxes and messages there, makes the account, and opens the program."""
        # Pictures are of this run.
        shutil.rmtree(SHOTS, ignore_errors=True)
        box = imap(self.server, USER, None)
        for name in FOLDERS:
            assert box.create(f'"{name}"')[0] == "OK" and box.subscribe(f'"{name}"')[0] == "OK", name
        box.logout()
        for subject, words in WORDS.items():
            self.deliver(subject, words)
        program.make(self.profile, USER, "any", self.server.port["imap"], self.server.port["submission"])
        self.thunderbird = program.Thunderbird(self.profile)
        self.thunderbird.open()

    def deliver(self, subject: str, words: str) -> None:
        text = (f"From: Alice <alice@crepes.fr>\r\nTo: {USER}\r\nSubject: {subject}\r\nMessage-ID: <{subject}@crepes.fr>\r\n"
                f"Date: Mon, 5 Jan 2026 10:00:00 +0000\r\n\r\n{words}\r\n")
        with smtplib.SMTP("127.0.0.1", self.server.port["smtp"], timeout=30) as client:
            client.sendmail("alice@crepes.fr", [USER], text.encode())

    def mailbox(self, name: str, user: str = USER) -> dict[str, tuple[set[str], str]]:
        """What the server has in a mailbox: by subject the flags and the text."""
        box = imap(self.server, user, None)
        # Only looked at: what is recent stays so for Thunderbird.
        assert box.select(f'"{name}"', readonly=True)[0] == "OK", name
        status, lines = box.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")
        assert status == "OK", lines
        box.logout()
        found = {}
        for head, octets in (line for line in lines if isinstance(line, tuple)):
            flags = set(re.search(rb"FLAGS \(([^)]*)\)", head).group(1).decode().split()) - {"\\Recent"}
            message = email.message_from_bytes(octets, policy=email.policy.default)
            assert message["Subject"] not in found, f"{name} has {message['Subject']} twice"
            found[str(message["Subject"])] = (flags, message.get_content())
        return found

    def wait_for_flags(self, name: str, subject: str, wanted: set[str]) -> None:
        """Waits until the server has a message with just these flags."""
        program.wait(f"“{subject}” in {name} with {wanted or 'no flag'}",
                     lambda: self.mailbox(name).get(subject, (None, ""))[0] == wanted)

    def traced(self, what: str, pattern: str, protocol: str = "imap") -> None:
        """Says what one of its sessions must have in its transcript; a transcript is whole once its session is over."""
        self.due.append((protocol, what, re.compile(pattern, re.MULTILINE)))

    def sessions(self, protocol: str) -> list[str]:
        """Transcripts of Thunderbird's sessions of one protocol."""
        return [text for name, text in self.server.traces(protocol).items() if name not in self.before and OWN[protocol] in text]

    def command(self, name: str, *folders: str) -> None:
        """Does what this command of its menus does with the selected message."""
        self.thunderbird.script("pane.commandController.doCommand(arguments[0], ...arguments[1].map(folder))", name, folders)

    def show(self, subject: str, words: str) -> None:
        """Selects a message of the folder that is open, and waits for its text in the message pane."""
        self.thunderbird.wait(f"“{subject}” in its message pane", """
            const header = [...pane.gFolder.messages].find(header => header.mime2DecodedSubject == arguments[0]);
            if (!header) {
                return false;
            }
            pane.selectMessage(header);
            const view = pane.messageBrowser.contentDocument;
            return view.getElementById("expandedsubjectBox")?.textContent.includes(arguments[0])
                && view.getElementById("messagepane").contentDocument?.body?.textContent.includes(arguments[1]);
        """, subject, words)

    def resting(self) -> bool:
        """Whether the server froze all IMAP sessions: none of them has anything to do."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.server.port['http']}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        opened, frozen = (re.search(rf'^pillarbox_{name}{{protocol="imap"}} (\d+)$', text, re.MULTILINE)
                          for name in ("connections_open", "sessions_frozen"))
        return bool(opened and frozen) and 0 < int(opened.group(1)) == int(frozen.group(1))

    def shoot(self, name: str) -> None:
        """Stores the screen once two pictures in a row are alike, so that nothing is half painted."""
        last = b""

        def still() -> bool:
            nonlocal last
            before, last = last, self.thunderbird.screen.png()
            return last == before

        program.wait("a screen that stands still", still)
        self.thunderbird.screen.store(SHOTS / f"{name}.png")


def lists_folders(visit: Visit) -> None:
    """The mailboxes are in its tree, below each other and named as people read them."""
    wanted = ["2 Inbox", "2 Sauces", "3 Ketchup", f"2 {KITCHEN_READ}", "2 Drafts", "2 Sent"]
    visit.thunderbird.wait(f"{wanted} in its tree", """
        for (const row of [...pane.folderTree.rows]) {
            pane.folderTree.expandRow(row);
        }
        const rows = [...pane.folderTree.rows].map(row => `${row.depth} ${row.name}`);
        return arguments[0].every(row => rows.includes(row));
    """, wanted)
    # Only then is it moved: what it finds out about its folders at the start takes as long as the machine is busy.
    program.wait("rest in all IMAP sessions", visit.resting)
    above = visit.thunderbird.script("""
        return pane.folderPane.getRowForFolder(folder("Sauces/Ketchup")).parentNode.closest("li").name;
    """)
    assert above == "Sauces", above
    visit.traced("the folders being listed", r"(?i)^C: \S+ list .*\n(?:(?!C: ).*\n)*?S: \* LIST .* Sauces/Ketchup$")


def opens_a_message(visit: Visit) -> None:
    """Its text is in the message pane, and the server has it as seen from then on."""
    visit.thunderbird.wait("the messages in its list", "return pane.gDBView?.rowCount == arguments[0]", len(WORDS))
    assert visit.mailbox("INBOX")["ketchup"][0] == set(), "nobody has opened it yet"
    visit.show("ketchup", WORDS["ketchup"])
    visit.wait_for_flags("INBOX", "ketchup", {"\\Seen"})
    visit.traced("the message being fetched", r"(?i)^C: \S+ UID fetch .*BODY(?:\.PEEK)?\[")


def marks_it_unread_and_read(visit: Visit) -> None:
    visit.command("cmd_markAsUnread")
    visit.wait_for_flags("INBOX", "ketchup", set())
    visit.command("cmd_markAsRead")
    visit.wait_for_flags("INBOX", "ketchup", {"\\Seen"})
    visit.thunderbird.wait("it as read in its list", "return pane.gDBView?.hdrForFirstSelectedMessage?.isRead")
    visit.traced("it being marked unread, then read",
                 r"(?i)^C: \S+ UID store \d+ -Flags \(\\Seen\)\n(?:.*\n)*?C: \S+ UID store \d+ \+Flags \(\\Seen\)")


def stars_it(visit: Visit) -> None:
    visit.command("cmd_markAsFlagged")
    visit.wait_for_flags("INBOX", "ketchup", {"\\Seen", "\\Flagged"})
    visit.thunderbird.wait("its star in its list", """
        const row = pane.threadTree.getRowAtIndex(pane.threadTree.selectedIndex);
        return row?.dataset.properties.split(" ").includes("flagged");
    """)
    visit.traced("it being starred", r"(?i)^C: \S+ UID store \d+ \+Flags \(\\Flagged\)")


def moves_it(visit: Visit) -> None:
    """To the folder whose name is not ASCII; its flags go along."""
    visit.command("cmd_moveMessage", KITCHEN_READ)
    visit.wait_for_flags(KITCHEN, "ketchup", {"\\Seen", "\\Flagged"})
    assert set(visit.mailbox("INBOX")) == set(WORDS) - {"ketchup"}
    visit.thunderbird.wait("it gone from its list", "return pane.gDBView?.rowCount == arguments[0]", len(WORDS) - 1)
    visit.thunderbird.script("pane.displayFolder(folder(arguments[0]))", KITCHEN_READ)
    visit.show("ketchup", WORDS["ketchup"])
    visit.thunderbird.script("pane.displayFolder(folder('INBOX'))")
    # With UTF8=ACCEPT, which it enables, the name is UTF-8; the trace shows other octets than ASCII by their numbers.
    visit.traced("it being moved", r'(?i)^C: \S+ UID move \d+ "So\\xc3\\x9fe & K\\xc3\\xbcche"')


def searches(visit: Visit) -> None:
    """By its search window, at the server, for what only one message has in its text."""
    visit.thunderbird.script("main.searchAllMessages(folder('INBOX'))")
    visit.thunderbird.wait("its search window", "return !!opened('mailnews:search')?.document.querySelector('#searchVal0 input')")
    visit.thunderbird.script("""
        const window = opened("mailnews:search"), get = id => window.document.getElementById(id);
        const server = get("checkSearchOnline");
        if (!server.checked) {
            server.click();
        }
        const attribute = get("searchAttr0").querySelector("menulist");
        attribute.value = Ci.nsMsgSearchAttrib.Body;
        attribute.dispatchEvent(new window.CustomEvent("command", { bubbles: true }));
        get("searchVal0").querySelector("input").value = arguments[0];
        get("search-button").click();
    """, WORDS["pickles"])
    found = visit.thunderbird.wait("what its search found", """
        const view = opened("mailnews:search").gFolderDisplay.view.dbView;
        return view?.rowCount && Array.from({ length: view.rowCount }, (_, row) => view.cellTextForColumn(row, "subjectCol"));
    """)
    assert found == ["pickles"], found
    visit.thunderbird.script("opened('mailnews:search').close()")
    visit.traced("a search of texts", rf'(?i)^C: \S+ UID SEARCH .*BODY "{re.escape(WORDS["pickles"])}"\n(?:.*\n)*?S: \* E?SEARCH')


def saves_a_draft(visit: Visit) -> None:
    visit.thunderbird.script("main.MsgNewMessage()")
    visit.thunderbird.wait("its window to write in", "return !!opened('msgcompose')?.composeEditorReady")
    visit.thunderbird.script("""
        const window = opened("msgcompose"), get = id => window.document.getElementById(id);
        window.addressRowAddRecipientsArray(get("addressRowTo"), [arguments[0]]);
        get("msgSubject").value = arguments[1];
        get("msgSubject").dispatchEvent(new window.Event("input", { bubbles: true }));
        window.GetCurrentEditor().insertText(arguments[2]);
        window.goDoCommand("cmd_saveAsDraft");
    """, FRIEND, DRAFT, DRAFT_WORDS)
    visit.wait_for_flags("Drafts", DRAFT, {"\\Draft"})
    assert DRAFT_WORDS in visit.mailbox("Drafts")[DRAFT][1]
    visit.thunderbird.wait("the end of saving", """
        const window = opened("msgcompose");
        return !window.gSaveOperationInProgress && !window.gWindowLocked && !window.gContentChanged;
    """)
    visit.thunderbird.wait("it in its folder of drafts", "return folder('Drafts').getTotalMessages(false) == 1")
    visit.shoot("draft")
    visit.traced("the draft being appended", r'(?i)^C: \S+ append "Drafts" \([^)]*\\Draft')


def sends_it(visit: Visit) -> None:
    """The friend has it, a copy is in Sent, and the draft is gone."""
    visit.thunderbird.script("opened('msgcompose').goDoCommand('cmd_sendNow')")
    visit.thunderbird.wait("its window to write in closed", "return !opened('msgcompose')")
    program.wait("it at the friend's", lambda: DRAFT in visit.mailbox("INBOX", FRIEND))
    assert DRAFT_WORDS in visit.mailbox("INBOX", FRIEND)[DRAFT][1]
    visit.wait_for_flags("Sent", DRAFT, {"\\Seen"})
    program.wait("no draft any more", lambda: not visit.mailbox("Drafts"))
    visit.traced("it being submitted after a login", rf"^C: AUTH (?:.*\n)*?C: RCPT TO:<{re.escape(FRIEND)}>", "smtp")


def is_told_while_it_idles(visit: Visit) -> None:
    """A message appears without anybody asking, although the server had frozen all sessions."""
    program.wait("rest in all IMAP sessions", visit.resting)
    visit.deliver(PUSHED, PUSHED_WORDS)
    visit.thunderbird.wait("the new message in its list", """
        const view = pane.gDBView;
        const subjects = Array.from({ length: view?.rowCount ?? 0 }, (_, row) => view.cellTextForColumn(row, "subjectCol"));
        return subjects.includes(arguments[0]);
    """, PUSHED)
    # Nothing is said by it between IDLE and what it is told.
    visit.traced("a push to a session that idled",
                 rf"^C: \S+ IDLE\n(?:(?!C: ).*\n)*?S: \* {len(WORDS)} EXISTS\n(?:(?!C: ).*\n)*?C: DONE")


def is_seen_on_the_screen(visit: Visit) -> None:
    """Account, folders and the message are painted where its windows say they are; the picture is kept."""
    visit.show(PUSHED, PUSHED_WORDS)
    visit.shoot("message")
    places = visit.thunderbird.script("""
        const place = element => {
            const { x, y, width, height } = element.getBoundingClientRect();
            const view = element.ownerDocument.defaultView;
            return [view.mozInnerScreenX + x, view.mozInnerScreenY + y, width, height].map(Math.round);
        };
        const row = path => pane.folderPane.getRowForFolder(path).querySelector(".name");
        return {
            account: place(row(root)), ketchup: place(row(folder("Sauces/Ketchup"))), kitchen: place(row(folder(arguments[0]))),
            text: place(pane.messageBrowser.contentDocument.getElementById("messagepane").contentDocument.querySelector("pre")),
        };
    """, KITCHEN_READ)
    for name, place in places.items():
        assert visit.thunderbird.screen.colours(*place) > 4, f"{name} is not painted at {place}; see {SHOTS / 'message.png'}"


TASKS = [
    lists_folders,
    opens_a_message,
    marks_it_unread_and_read,
    stars_it,
    moves_it,
    searches,
    saves_a_draft,
    sends_it,
    is_told_while_it_idles,
    is_seen_on_the_screen,
]


def carry_out(visit: Visit) -> None:
    """All tasks in their order; what the screen shows when one fails is kept."""
    doing = "does not start"
    try:
        visit.start()
        for task in TASKS:
            doing, start = f"fails where it {task.__name__.replace('_', ' ')}", time.monotonic()
            task(visit)
            print(f"       thunderbird {task.__name__.replace('_', ' ')} ({time.monotonic() - start:.1f} s)", flush=True)
    except Exception as error:
        seen = ""
        if visit.thunderbird:
            visit.thunderbird.screen.store(SHOTS / "failed.png")
            seen = f"; what its screen showed is in {SHOTS / 'failed.png'}"
        raise AssertionError(f"Thunderbird {doing}: {error}{seen}") from error
    finally:
        if visit.thunderbird:
            visit.thunderbird.stop()


def tail(transcript: str) -> str:
    """Which session it is, and the end of what was said there, without what is said about it."""
    name, *lines = transcript.splitlines()
    said = [line[:300] for line in lines if not line.startswith("#") or "DEFECT" in line]
    return "\n".join([name, *said[-30:]])


def thunderbird(server: Server) -> None:
    """One run of the program, whose traces must then show all that it did, and no error."""
    visit = Visit(server)
    try:
        carry_out(visit)
        for protocol, what, pattern in visit.due:
            program.wait(f"{what} in the trace: {pattern.pattern}",
                         lambda: any(map(pattern.search, visit.sessions(protocol))), 30)
        for protocol in OWN:
            no_errors(server, protocol, visit.before)
    except Exception as error:
        shutil.copytree(server.directory / "traces", SHOTS / "traces", dirs_exist_ok=True)
        tails = [tail(text) for protocol in OWN for text in visit.sessions(protocol)]
        raise AssertionError("\n\n".join([str(error), f"Its sessions ended so (whole in {SHOTS / 'traces'}):", *tails])) from error


CHECKS = [thunderbird]
