//! What IMAP sessions and their hosts say to each other, in words for the log.

use pillarbox_engine::imap::client::types as client;
use pillarbox_engine::imap::types::{Answer, Ask, Call, Change, Event, UidRun};

use super::words::{
    Worded, credentials, instead, login_answer, login_ask, login_secret, octets, phase, plain,
    refused, text,
};

type Words = (&'static str, String);

fn uids(runs: &[UidRun]) -> String {
    let run = |run: &UidRun| match run.first == run.last {
        true => run.first.to_string(),
        false => format!("{}:{}", run.first, run.last),
    };
    runs.iter().map(run).collect::<Vec<_>>().join(",")
}

fn number(runs: &[UidRun]) -> String {
    runs.iter().map(|run| u64::from(run.last - run.first) + 1).sum::<u64>().to_string()
}

impl Worded for Ask {
    fn words(&self) -> Words {
        match self {
            Self::Login(given) => credentials(given),
            Self::Mailboxes(_) => plain("mailboxes"),
            Self::Create(ask) => ("create", text(&ask.name)),
            Self::Delete(name) => ("delete", text(name)),
            Self::Rename(ask) => ("rename", format!("{} to {}", text(&ask.from), text(&ask.to))),
            Self::Subscribe(ask) => ("subscribe", text(&ask.name)),
            Self::Status(name) => ("status", text(name)),
            Self::Open(ask) => ("open", text(&ask.name)),
            Self::Uids(after) => ("uids", format!("above {after}")),
            Self::Rows(ask) => ("rows", uids(&ask.uids)),
            Self::Flags(ask) => ("flags", uids(&ask.uids)),
            Self::Vanished(_) => plain("vanished"),
            Self::Octets(range) => ("octets", format!("{} octets", range.length)),
            Self::Store(ask) => ("store", uids(&ask.uids)),
            Self::Expunge(runs) => ("expunge", uids(runs)),
            Self::Copy(ask) => {
                let kind = if ask.remove { "move" } else { "copy" };
                ("copy", format!("{kind} {} to {}", uids(&ask.uids), text(&ask.to)))
            }
            Self::Append(ask) => ("append", text(&ask.name)),
            Self::Chunk(content) => octets("chunk", content.len()),
            Self::Commit => plain("commit"),
            Self::Search(_) => plain("search"),
            Self::Order(ask) => ("order", uids(&ask.uids)),
            Self::SortKeys(told) => ("sort-keys", told.keys.len().to_string()),
            Self::Quota(_) => plain("quota"),
            Self::Rights(_) => plain("rights"),
            Self::Metadata(_) => plain("metadata"),
            Self::AuthorizeUrl(url) => ("authorize-url", text(&url.mailbox)),
            Self::ResetKey(name) => ("reset-key", text(name.as_deref().unwrap_or_default())),
            Self::RedeemUrl(claim) => ("redeem-url", text(&claim.url.mailbox)),
            Self::Watch => plain("watch"),
            Self::Peek(name) => ("peek", text(name)),
            Self::Phase(at) => phase(at),
        }
    }
}

impl Worded for Answer {
    fn words(&self) -> Words {
        match self {
            Self::Login(answer) => login_answer(answer),
            Self::Mailboxes(page) => ("mailboxes", page.rows.len().to_string()),
            Self::Status(status) => ("status", format!("{} messages", status.messages)),
            Self::Opened(opened) => ("opened", format!("{} messages", opened.status.messages)),
            Self::Uids(_) => plain("uids"),
            Self::Rows(page) => ("rows", page.rows.len().to_string()),
            Self::Flags(page) => ("flags", page.uids.len().to_string()),
            Self::Octets(given) => octets("octets", given.len()),
            Self::Stored(_) => plain("stored"),
            Self::Vanished(_) => plain("vanished"),
            Self::Expunged(gone) => ("expunged", uids(&gone.runs)),
            Self::Copied(_) => plain("copied"),
            Self::Appended(_) => plain("appended"),
            Self::Found(runs) => ("found", number(runs)),
            Self::Declined => plain("declined"),
            Self::Candidates(runs) => ("candidates", number(runs)),
            Self::Order(page) => ("order", page.uids.len().to_string()),
            Self::Quota(_) => plain("quota"),
            Self::Rights(_) => plain("rights"),
            Self::Metadata(_) => plain("metadata"),
            Self::UrlToken(_) => plain("url-token"),
            Self::Done => plain("done"),
            Self::Refused(refusal) => refused(refusal),
            Self::Instead(said) => instead(said),
        }
    }
}

impl Worded for Call {
    fn words(&self) -> Words {
        match self {
            Self::Changed(changes) => {
                let word = |change: &Change| match change {
                    Change::Arrived(_) => "arrived",
                    Change::Expunged(_) => "expunged",
                    Change::Flags(_) => "flags",
                    Change::Resynchronise => "resynchronise",
                    Change::Deleted => "deleted",
                };
                ("changed", changes.iter().map(word).collect::<Vec<_>>().join(", "))
            }
            Self::Noticed(notices) => ("noticed", notices.len().to_string()),
            Self::Farewell(why) => ("farewell", format!("{why:?}")),
        }
    }
}

impl Worded for Event {
    fn words(&self) -> Words {
        match self {
            Self::Closed => plain("closed"),
            Self::AppendDropped => plain("append-dropped"),
            Self::Defect(rule) => ("defect", text(rule)),
            Self::Logout => plain("logout"),
            Self::Unauthenticated => plain("unauthenticated"),
            Self::Unwatched => plain("unwatched"),
            Self::Unpeeked => plain("unpeeked"),
        }
    }
}

impl Worded for client::Ask {
    fn words(&self) -> Words {
        match self {
            Self::Login(ask) => login_ask(ask),
            Self::Chunk(chunk) => octets("chunk", chunk.octets.len()),
        }
    }
}

impl Worded for client::Answer {
    fn words(&self) -> Words {
        match self {
            Self::Login(secret) => login_secret(secret),
            Self::Done => plain("done"),
            Self::Refused(refusal) => refused(refusal),
        }
    }
}

impl Worded for client::Call {
    fn words(&self) -> Words {
        use client::Command;
        match &self.command {
            Command::Select(ask) => ("select", text(&ask.name)),
            Command::Unselect => plain("unselect"),
            Command::Close => plain("close"),
            Command::List(ask) => ("list", text(&ask.pattern)),
            Command::Status(name) => ("status", text(name)),
            Command::Create(ask) => ("create", text(&ask.name)),
            Command::Delete(name) => ("delete", text(name)),
            Command::Rename(ask) => ("rename", text(&ask.from)),
            Command::Subscribe(name) => ("subscribe", text(name)),
            Command::Unsubscribe(name) => ("unsubscribe", text(name)),
            Command::Namespace => plain("namespace"),
            Command::Fetch(ask) => ("fetch", uids(&ask.uids)),
            Command::Store(ask) => ("store", uids(&ask.uids)),
            Command::Copy(ask) => ("copy", format!("{} to {}", uids(&ask.uids), text(&ask.to))),
            Command::Expunge(runs) => ("expunge", uids(runs)),
            Command::Search(_) => plain("search"),
            Command::Sort(_) => plain("sort"),
            Command::Thread(_) => plain("thread"),
            Command::CancelUpdate(_) => plain("cancel-update"),
            Command::MultiSearch(_) => plain("multi-search"),
            Command::Append(ask) => ("append", text(&ask.name)),
            Command::AppendAll(ask) => ("append-all", text(&ask.name)),
            Command::Assemble(ask) => ("assemble", text(&ask.name)),
            Command::Idle => plain("idle"),
            Command::DoneIdling => plain("done-idling"),
            Command::Notify(_) => plain("notify"),
            Command::Noop => plain("noop"),
            Command::Quota(_) => plain("quota"),
            Command::Rights(_) => plain("rights"),
            Command::ListRights(_) => plain("list-rights"),
            Command::Metadata(_) => plain("metadata"),
            Command::AuthorizeUrls(_) => plain("authorize-urls"),
            Command::ResetKey(_) => plain("reset-key"),
            Command::FetchUrls(_) => plain("fetch-urls"),
            Command::Language(_) => plain("language"),
            Command::Compress => plain("compress"),
            Command::Unauthenticate => plain("unauthenticate"),
            Command::Logout => plain("logout"),
        }
    }
}

impl Worded for client::Event {
    fn words(&self) -> Words {
        match self {
            Self::Ready(_) => plain("ready"),
            Self::Completed(done) => ("completed", format!("{:?}", done.outcome)),
            Self::Opened(opened) => ("opened", text(&opened.name)),
            Self::Closed => plain("closed"),
            Self::Mailbox(mailbox) => ("mailbox", text(&mailbox.name)),
            Self::Status(_) => plain("status"),
            Self::Namespaces(_) => plain("namespaces"),
            Self::Capabilities(_) => plain("capabilities"),
            Self::Exists(count) => ("exists", count.to_string()),
            Self::Recent(count) => ("recent", count.to_string()),
            Self::Flags(_) => plain("flags"),
            Self::Fetched(fetched) => ("fetched", fetched.uid.to_string()),
            Self::Expunged(number) => ("expunged", number.to_string()),
            Self::Vanished(gone) => ("vanished", uids(&gone.uids)),
            Self::Found(found) => ("found", uids(&found.uids)),
            Self::Counted(found) => ("counted", found.count.to_string()),
            Self::FoundIn(place) => ("found-in", text(&place.name)),
            Self::Scored(_) => plain("scored"),
            Self::Updated(_) => plain("updated"),
            Self::UpdateRefused(_) => plain("update-refused"),
            Self::Progress(_) => plain("progress"),
            Self::Sorted(_) => plain("sorted"),
            Self::Threaded(_) => plain("threaded"),
            Self::Quota(_) => plain("quota"),
            Self::Rights(_) => plain("rights"),
            Self::Grantable(_) => plain("grantable"),
            Self::Metadata(_) => plain("metadata"),
            Self::MetadataLeftOut(_) => plain("metadata-left-out"),
            Self::UrlsAuthorized(_) => plain("urls-authorized"),
            Self::UrlFetched(_) => plain("url-fetched"),
            Self::Languages(_) => plain("languages"),
            Self::Alert(words) => ("alert", text(words)),
            Self::NotifyOverflow => plain("notify-overflow"),
            Self::Bye(words) => ("bye", text(words)),
            Self::Defect(rule) => ("defect", text(rule)),
            Self::Done(why) => {
                ("done", why.as_ref().map_or_else(String::new, |why| text(&why.text)))
            }
        }
    }
}
