//! The access lab: one mailbox, and devices that reach it in different ways. What each of them shows is read from the world;
//! nothing here remembers what it should show.

use pillarbox_world::tape::{Lab, Scenario};
use pillarbox_world::world::{Action, Check, Dir, Letter, NodeId, Way};

use super::{Source, Story};

/// How much time passes after each step.
const AFTER_MS: u64 = 5_000;
/// How much passes until the first letters have come.
const BEFORE_MS: u64 = 20_000;
/// The server that keeps the mailbox.
const SERVER: &str = "hamburger.edu";
/// \Seen, as the world numbers system flags.
const SEEN: u8 = 8;
/// Whose mailbox.
const OWNER: &str = "bob@hamburger.edu";
/// What makes its UIDs worthless.
const RENEWS: &str = "imap/verb=SELECT,nth=1/uidvalidity";
/// Subjects of letters that can still come.
const MORE: [&str; 4] = ["Dinner", "Pickles", "Crepes", "Dessert"];

/// How a device reaches the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// POP3, download-and-keep.
    Keep,
    /// POP3, download-and-delete.
    Delete,
    /// IMAP.
    Imap,
    /// HTTP, in a browser.
    Web,
}

impl Mode {
    /// As the book calls it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Keep => "POP3, download-and-keep",
            Self::Delete => "POP3, download-and-delete",
            Self::Imap => "IMAP",
            Self::Web => "HTTP, in a browser",
        }
    }
}

/// The devices, by name, and how each reaches the mailbox.
const DEVICES: [(&str, Mode); 5] = [
    ("bob-laptop", Mode::Keep),
    ("bob-office", Mode::Delete),
    ("bob-phone", Mode::Imap),
    ("bob-tablet", Mode::Imap),
    ("bob-library", Mode::Web),
];

/// Something that Bob can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Fetch mail on a device, or open the mailbox there.
    Check(&'static str, Mode),
    /// Mark a message as read on a device, by its UID, or as unread.
    Read(&'static str, u32, bool),
    /// Delete it.
    Delete(&'static str, u32),
    /// Open it in a browser, or delete it there.
    Browse(&'static str, u32, bool),
    /// Move it to the folder for work.
    File(&'static str, u32),
    /// Alice sends another letter.
    More,
    /// The mailbox gets another UIDVALIDITY once it is opened by IMAP.
    Renew,
}

/// A message somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is about.
    pub subject: String,
    /// Its UID, where it is shown as it is on the server.
    pub uid: Option<u32>,
    /// Whether it was read, where that is known.
    pub read: Option<bool>,
    /// The folder that it is in, on the server.
    pub folder: String,
}

/// What a device shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desk {
    /// Its name in actions.
    pub device: &'static str,
    /// What people call it.
    pub title: String,
    /// How it reaches the mailbox.
    pub mode: Mode,
    /// What it shows.
    pub rows: Vec<Row>,
    /// Whether the mailbox is open there now.
    pub open: bool,
    /// Octets that came to it.
    pub octets: u64,
}

/// One message, and who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// What it is about.
    pub subject: String,
    /// In which folder the server has it.
    pub server: Option<String>,
    /// Whether the server knows it as read.
    pub read: bool,
    /// By device: whether it has it, or shows it.
    pub devices: Vec<bool>,
}

/// The lab at its beginning: two letters wait for Bob.
///
/// # Panics
/// If the world that is built in makes no sense, which a test would find.
#[must_use]
pub fn begin() -> Story {
    let source =
        Source::new(Scenario::lab(Lab::Access)).expect("the world that is built in makes sense");
    let mut story = Story::of(source);
    story.act(|source| source.pass(BEFORE_MS));
    story
}

impl Story {
    /// Whether it is the access lab's world, which a link may have brought.
    #[must_use]
    pub fn is_access(&self) -> bool {
        self.source.tape().scenario().of_lab() == Some(Lab::Access)
    }
}

impl Step {
    /// What it shows, in the words of the book.
    #[must_use]
    pub fn lesson(&self) -> &'static str {
        match self {
            Self::Check(_, Mode::Keep) => {
                "Download-and-keep: the device has its own copies now, and the server still has the messages. \
                 POP3 keeps no state from one session to the next, so nobody else learns what is read here."
            }
            Self::Check(_, Mode::Delete) => {
                "Download-and-delete: the messages were listed, retrieved and deleted. They reside on this device alone; \
                 no other device will ever see them, except those that had a copy."
            }
            Self::Check(_, Mode::Imap) => {
                "IMAP: the messages are displayed rather than downloaded. They stay on the server, in folders, \
                 and this device shows the mailbox as it is there."
            }
            Self::Check(_, Mode::Web) => {
                "HTTP: the server wrote a page that shows the mailbox, and sent it to the browser. Nothing is kept here, \
                 and what is shown is as old as the page: reload it to see what changed."
            }
            Self::Browse(_, _, true) => {
                "The browser asked for a page with this message, and the server marked it as read. Who shows the mailbox \
                 by IMAP is told; the list in the browser is still the old page."
            }
            Self::Browse(..) => {
                "A form was sent, and the server moved the message to Trash: gone from the inbox on every device that shows \
                 it. A downloaded copy stays where it was downloaded."
            }
            Self::Read(..) => {
                "The IMAP server keeps user state: the mark is on the server, and every device that has the mailbox open \
                 is told. A copy that was downloaded by POP3 knows nothing of it."
            }
            Self::Delete(..) => {
                "Deleted on the server: it is gone from every device that shows the mailbox by IMAP. \
                 A downloaded copy stays where it was downloaded."
            }
            Self::File(..) => {
                "Moved to another folder on the server. Folders are shared by all devices that use IMAP; \
                 POP3 sees the inbox alone."
            }
            Self::More => {
                "A new message is in the mailbox. Who has the mailbox open by IMAP is told at once; \
                 who uses POP3 learns of it at the next check."
            }
            Self::Renew => {
                "Open the mailbox again on a device with IMAP, and see its UIDVALIDITY: it is another one. UIDs look as before \
                 and mean nothing that they meant, so every client forgets what it knew (RFC 9051 §2.3.1.1); who has the mailbox \
                 open meanwhile is sent away, and a POP3 device that keeps mail fetches all of it once more."
            }
        }
    }
}

impl Story {
    /// Bob, or Alice, does something; then a little time passes.
    ///
    /// # Errors
    /// Why it cannot be done.
    pub fn take_step(&mut self, step: &Step) -> Result<(), String> {
        let imap = |device: &str, order: String| Action::Imap { device: device.to_owned(), order };
        let action = match step {
            Step::Check(device, mode) => {
                let way = match mode {
                    Mode::Keep => Way::PopKeep,
                    Mode::Delete => Way::PopDelete,
                    Mode::Imap => Way::Imap,
                    Mode::Web => Way::Web,
                };
                Action::Check(Check { device: (*device).to_owned(), way })
            }
            Step::Read(device, uid, true) => imap(device, format!("seen {uid}")),
            Step::Read(device, uid, false) => imap(device, format!("unseen {uid}")),
            Step::Browse(device, uid, open) => Action::Browse {
                device: (*device).to_owned(),
                order: format!("{} {uid}", if *open { "read" } else { "delete" }),
            },
            Step::Delete(device, uid) => imap(device, format!("delete {uid}")),
            Step::File(device, uid) => {
                let end = self.source.length();
                let made = !self.folders().iter().any(|folder| folder == FOLDER);
                if made {
                    let make = imap(device, format!("create {FOLDER}"));
                    self.act(|source| {
                        let done = source.act_at(end, make);
                        source.pass(1_000);
                        done
                    })?;
                }
                imap(device, format!("move {uid} {FOLDER}"))
            }
            Step::Renew => Action::AddFault(RENEWS.to_owned()),
            Step::More => Action::Send(Letter {
                device: "alice-laptop".to_owned(),
                to: "bob@hamburger.edu".to_owned(),
                subject: self
                    .next_subject()
                    .ok_or("Alice has said all that she wanted")?
                    .to_owned(),
                text: "More of it.".to_owned(),
                ..Letter::default()
            }),
        };
        let end = self.source.length();
        self.act(|source| {
            let done = source.act_at(end, action);
            source.pass(AFTER_MS);
            done
        })
    }

    /// The subject of the next letter, if there is one.
    #[must_use]
    pub fn next_subject(&self) -> Option<&'static str> {
        let actions = self.source.tape().actions().iter();
        let sent = actions.filter(|planned| !planned.scripted);
        let sent = sent.filter(|planned| matches!(planned.action, Action::Send(_))).count();
        MORE.get(sent).copied()
    }

    fn folders(&self) -> Vec<String> {
        let Some(server) = self.source.node_named(SERVER) else { return Vec::new() };
        self.source.tape().world().mailboxes(server).into_iter().map(|row| row.name).collect()
    }

    /// What the server keeps for Bob.
    #[must_use]
    pub fn kept(&self) -> Vec<Row> {
        let Some(server) = self.source.node_named(SERVER) else { return Vec::new() };
        let stored = self.source.tape().world().stored(server).into_iter();
        let row = |stored: pillarbox_world::world::StoredView| Row {
            subject: pillarbox_mime::view(&stored.octets).unwrap_or_default().subject,
            uid: Some(stored.uid),
            read: Some(stored.flags & SEEN != 0),
            folder: stored.mailbox,
        };
        stored.map(row).collect()
    }

    /// By which numbers clients know the mailbox again.
    #[must_use]
    pub fn numbers(&self) -> String {
        let world = self.source.tape().world();
        let server = self.source.node_named(SERVER);
        let numbers = server.and_then(|server| world.uid_numbers(server, OWNER, "INBOX"));
        numbers.map_or_else(String::new, |(validity, next)| {
            format!("UIDVALIDITY {validity}, UIDNEXT {next}")
        })
    }

    /// What each device shows.
    #[must_use]
    pub fn desks(&self) -> Vec<Desk> {
        DEVICES.iter().filter_map(|(device, mode)| self.desk(device, *mode)).collect()
    }

    fn desk(&self, device: &'static str, mode: Mode) -> Option<Desk> {
        let node = self.source.node_named(device)?;
        let world = self.source.tape().world();
        let (rows, open) = match mode {
            Mode::Imap => {
                let remote = world.remote(node);
                let row = |row: &pillarbox_world::world::RemoteRow| Row {
                    subject: row.subject.clone(),
                    uid: Some(row.uid),
                    read: Some(row.flags & SEEN != 0),
                    folder: remote.mailbox.clone(),
                };
                (remote.rows.iter().map(row).collect(), remote.wire.is_some())
            }
            Mode::Web => {
                let browser = world.browser(node);
                let row = |line: &pillarbox_world::web::page::Line| {
                    let uid = line.link.as_ref()?.strip_prefix("/in/INBOX/")?.parse().ok()?;
                    Some(Row {
                        subject: line.label.clone(),
                        uid: Some(uid),
                        read: Some(!line.text.ends_with("unread")),
                        folder: String::new(),
                    })
                };
                let rows: Vec<_> = browser.list.lines.iter().filter_map(row).collect();
                (rows, browser.signed_in)
            }
            Mode::Keep | Mode::Delete => {
                let shown = world.screen(node).into_iter();
                let row = |shown: pillarbox_world::world::ShownView| Row {
                    subject: shown.subject,
                    uid: None,
                    read: None,
                    folder: String::new(),
                };
                (shown.map(row).collect(), false)
            }
        };
        Some(Desk { device, title: self.name(node), mode, rows, open, octets: self.came_to(node) })
    }

    /// Octets that came to a node over connections that it opened.
    fn came_to(&self, node: NodeId) -> u64 {
        let wires = self.source.tape().world().wires().into_iter();
        let own = wires.filter(|wire| wire.client == node);
        own.map(|wire| self.source.octets(wire.id, Dir::ToClient).len() as u64).sum()
    }

    /// Who has which message.
    #[must_use]
    pub fn truth(&self) -> Vec<Truth> {
        let (kept, desks) = (self.kept(), self.desks());
        let mut subjects: Vec<String> = Vec::new();
        let shown = desks.iter().flat_map(|desk| &desk.rows);
        for row in kept.iter().chain(shown) {
            if !subjects.contains(&row.subject) {
                subjects.push(row.subject.clone());
            }
        }
        let has = |desk: &Desk, subject: &str| desk.rows.iter().any(|row| row.subject == subject);
        let truth = |subject: String| {
            let on_server = kept.iter().find(|row| row.subject == subject);
            Truth {
                server: on_server.map(|row| row.folder.clone()),
                read: on_server.is_some_and(|row| row.read == Some(true)),
                devices: desks.iter().map(|desk| has(desk, &subject)).collect(),
                subject,
            }
        };
        subjects.into_iter().map(truth).collect()
    }
}

/// Where messages for work go.
const FOLDER: &str = "Work";

#[cfg(test)]
mod tests {
    use super::*;

    fn who_has(story: &Story, subject: &str) -> (bool, Vec<bool>) {
        let truth = story.truth();
        let row = truth.iter().find(|row| row.subject == subject).expect("somebody has it");
        (row.server.is_some(), row.devices.clone())
    }

    #[test]
    fn each_way_to_the_mailbox_leaves_what_the_book_says() {
        let mut story = begin();
        assert_eq!(who_has(&story, "Lunch"), (true, vec![false; 5]));
        story.take_step(&Step::Check("bob-laptop", Mode::Keep)).expect("mail is fetched");
        assert_eq!(who_has(&story, "Lunch"), (true, vec![true, false, false, false, false]));
        story.take_step(&Step::Check("bob-phone", Mode::Imap)).expect("the mailbox opens");
        story.take_step(&Step::Check("bob-tablet", Mode::Imap)).expect("the mailbox opens");
        assert_eq!(who_has(&story, "Lunch"), (true, vec![true, false, true, true, false]));
        // A mark on one device is seen on the other, and not on what was downloaded.
        story.take_step(&Step::Read("bob-phone", 1, true)).expect("it is marked");
        let read: Vec<_> =
            story.desks().iter().map(|desk| desk.rows.first().and_then(|row| row.read)).collect();
        assert_eq!(read, [None, None, Some(true), Some(true), None]);
        story.take_step(&Step::File("bob-tablet", 2)).expect("it is moved");
        let invoice = story.truth().into_iter().find(|row| row.subject == "Invoice");
        assert_eq!(invoice.expect("it is somewhere").server.as_deref(), Some("Work"));
        // Download-and-delete takes what is left from everybody else.
        story.take_step(&Step::Check("bob-office", Mode::Delete)).expect("mail is fetched");
        assert_eq!(who_has(&story, "Lunch"), (false, vec![true, true, false, false, false]));
        assert!(story.desks().iter().take(4).all(|desk| desk.octets > 0));
    }

    #[test]
    fn a_server_that_loses_its_uids_makes_everybody_begin_anew() {
        let mut story = begin();
        let numbers = story.numbers();
        assert!(numbers.starts_with("UIDVALIDITY ") && numbers.ends_with("UIDNEXT 3"), "{numbers}");
        story.take_step(&Step::Check("bob-laptop", Mode::Keep)).expect("mail is fetched");
        story.take_step(&Step::Check("bob-phone", Mode::Imap)).expect("the mailbox opens");
        story.take_step(&Step::Renew).expect("it is planned");
        assert_eq!(story.numbers(), numbers, "nobody has opened it");
        story.take_step(&Step::Check("bob-tablet", Mode::Imap)).expect("the mailbox opens");
        assert_ne!(story.numbers(), numbers);
        assert!(story.numbers().ends_with("UIDNEXT 3"));
        let open: Vec<bool> = story.desks().iter().map(|desk| desk.open).collect();
        assert_eq!(open, [false, false, false, true, false], "the phone was sent away");
        story.take_step(&Step::Check("bob-laptop", Mode::Keep)).expect("mail is fetched");
        assert_eq!(story.desks()[0].rows.len(), 4, "each letter twice");
    }

    #[test]
    fn a_browser_shows_a_page_and_keeps_nothing() {
        let mut story = begin();
        story.take_step(&Step::Check("bob-phone", Mode::Imap)).expect("the mailbox opens");
        story.take_step(&Step::Check("bob-library", Mode::Web)).expect("the page is made");
        assert_eq!(who_has(&story, "Lunch"), (true, vec![false, false, true, false, true]));
        let read =
            |story: &Story, at: usize| story.desks()[at].rows.last().and_then(|row| row.read);
        let desk = story.desks().remove(4);
        assert_eq!(desk.rows.last().map(|row| row.uid), Some(Some(1)), "newest first");
        story.take_step(&Step::Browse("bob-library", 1, true)).expect("it is opened");
        // Who shows the mailbox by IMAP is told; the page is as old as it is.
        assert_eq!(story.desks()[2].rows.first().and_then(|row| row.read), Some(true));
        assert_eq!(read(&story, 4), Some(false));
        story.take_step(&Step::Check("bob-library", Mode::Web)).expect("the page is made");
        assert_eq!(read(&story, 4), Some(true));
        story.take_step(&Step::Browse("bob-library", 1, false)).expect("it is deleted");
        // The server has it in another folder, and nobody shows that.
        assert_eq!(who_has(&story, "Lunch"), (true, vec![false; 5]));
    }

    #[test]
    fn new_mail_is_told_to_imap_alone() {
        let mut story = begin();
        story.take_step(&Step::Check("bob-phone", Mode::Imap)).expect("the mailbox opens");
        story.take_step(&Step::More).expect("Alice sends");
        assert_eq!(who_has(&story, "Dinner"), (true, vec![false, false, true, false, false]));
        for _ in 0..MORE.len() - 1 {
            story.take_step(&Step::More).expect("Alice sends");
        }
        assert!(story.take_step(&Step::More).is_err());
    }
}
