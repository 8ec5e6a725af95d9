//! Real conversations as a story: those that this page has with the server that served it, and those that the server tells
//! of. Octets and notes are entered as they come; nothing here knows how they travel.

mod listed;
pub mod next;
mod own;
mod simulated;
mod told;
mod visitors;

use pillarbox_world::tape::Scenario;
use pillarbox_world::world::{Time, WireId};

use super::{Source, Story};

pub use listed::Conversation;
pub use own::{Errand, Task};
pub use told::{Heard, Told};
pub use visitors::Service;

use own::Own;
use simulated::Known;
use visitors::Visitor;

/// Entries that are kept; then the record begins anew, as soon as nothing of it is open here.
const ENTRIES_MAX: usize = 3_000;
/// Octets of visitors that are kept, and of what they were answered; then it begins anew likewise.
const VISITED_MAX: u64 = 64 << 20;
/// What is told once the record began anew.
const FORGOTTEN: &str = "What this page keeps was full and began anew: conversations from before are not shown any more.";
/// What is told once nothing more can be taken into the record.
const NO_ROOM: &str = "What this page keeps is full, and something in it goes on, so that it cannot begin anew: what \
    begins now is not shown. End what is open.";
/// The page's own node, and the server's.
const PAGE: &str = "page";
const SERVER: &str = "server";

/// The server's services, by name, with the port that each of them usually has.
const SERVICES: [(&str, u16); 5] =
    [("smtp", 25), ("submission", 587), (LMTP, 25), ("pop3", 110), ("imap", 143)];
/// Spoken between the parts of one server; no world has it.
const LMTP: &str = "lmtp";

/// What is known of real conversations.
#[derive(Debug, Default)]
pub struct Live {
    // Lists, not maps: there are few of each, and maps of every kind are what makes a page large.
    sessions: Vec<(String, WireId)>,
    own: Vec<(WireId, Own)>,
    peers: Vec<(WireId, String)>,
    known: Vec<(WireId, Known)>,
    /// Those who are here.
    visitors: Vec<(WireId, Visitor)>,
    /// Connections of all who were, in order.
    visited: Vec<WireId>,
    /// Numbers of visitors for whom there is no place.
    unwelcome: Vec<u32>,
    /// Octets that visitors said and were told.
    visited_octets: u64,
    /// What came while it was not known whether it is of this page's own connections.
    waiting: Vec<Told>,
    /// Whether more came meanwhile than can wait.
    overflowed: bool,
    /// What is to be told to whoever reads this.
    notice: Option<&'static str>,
    listed: Vec<Conversation>,
    touched: Vec<WireId>,
    /// When the record began, by the reader's clock.
    began_ms: u64,
    /// Whether conversations were forgotten.
    pub has_forgotten: bool,
}

impl Live {
    /// A record that begins now.
    ///
    /// # Panics
    /// If the world that is built in makes no sense, which a test would find.
    #[must_use]
    pub fn begin(now_ms: u64) -> (Self, Story) {
        let mut scenario = Scenario::live();
        scenario.setup.start_unix_ms = now_ms;
        let source = Source::new(scenario).expect("the world that is built in makes sense");
        (Self { began_ms: now_ms, ..Self::default() }, Story::of(source))
    }

    /// Time has passed: what is due happens, and what is to be done outside for it is given out.
    pub fn pass(&mut self, story: &mut Story, now_ms: u64) -> Vec<Errand> {
        let until = Time(now_ms.saturating_sub(self.began_ms));
        let before = story.source().length();
        let due = story.source().tape().next_due().is_some_and(|due| due <= until);
        if due {
            story.act(|source| source.pass_to(until));
        } else {
            // Nothing that a reader sees has changed.
            story.keep_time(until);
        }
        let errands = self.errands(story);
        self.settle(story);
        if due && story.source().length() != before {
            self.list(story);
        }
        errands
    }

    /// What happened that whoever reads this must know: what was lost, and why. It is given out once.
    pub fn take_notice(&mut self) -> Option<&'static str> {
        self.notice.take()
    }

    /// Whether something new can be entered; if not, that is told.
    fn has_room(&mut self, story: &mut Story) -> bool {
        let is_full = story.source().length() > ENTRIES_MAX || self.visited_octets > VISITED_MAX;
        let has_room = !is_full || self.forget(story);
        if !has_room {
            self.notice = Some(NO_ROOM);
        }
        has_room
    }

    /// Begins the record anew, unless something of it is open here.
    fn forget(&mut self, story: &mut Story) -> bool {
        if !self.visitors.is_empty() || self.own.iter().any(|(_, own)| !own.closed) {
            return false;
        }
        let now_ms = story.source().start_unix_ms() + story.source().tape().now().0;
        let (mut fresh, record) = Self::begin(now_ms);
        fresh.has_forgotten = true;
        fresh.notice = Some(FORGOTTEN);
        fresh.unwelcome = std::mem::take(&mut self.unwelcome);
        *self = fresh;
        *story = record;
        true
    }
}

#[cfg(test)]
mod tests;
