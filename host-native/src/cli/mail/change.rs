//! Moves, flags and deletes messages.

use pillarbox_engine::imap::client::types::{
    Command, CopyCommand, ListCommand, Outcome, StoreCommand,
};
use pillarbox_engine::imap::types::{Flags, SearchKey, StoreMode, UidRun};
use serde_json::json;

use super::{Session, Stopped};
use crate::error::Error;
use crate::serve::shown;

const DELETED: u8 = 4;

/// The bit of a system flag's name, with or without its backslash.
pub(super) fn system_flag(word: &str) -> Option<u8> {
    let names = [("answered", 1), ("flagged", 2), ("deleted", DELETED), ("seen", 8), ("draft", 16)];
    let word = word.strip_prefix('\\').unwrap_or(word);
    names.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, bit)| *bit)
}

/// Whether IMAP can name it (RFC 9051 §9 `flag-keyword`).
pub(super) fn is_keyword(word: &str) -> bool {
    let right = |octet: u8| octet.is_ascii_graphic() && !b"(){%*\"\\]".contains(&octet);
    !word.is_empty() && word.bytes().all(right)
}

/// What is set and what is taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    add: Flags,
    remove: Flags,
}

impl Changes {
    pub(super) fn read(words: &[String]) -> Result<Self, Error> {
        let mut changes = Self::default();
        for word in words {
            let wrong = || {
                let form = "+ or - and then seen, answered, flagged, deleted, draft or a keyword";
                Error::usage(format!("`{word}` changes no flag: it must be {form}"))
            };
            let (flags, name) = match word.split_at_checked(1) {
                Some(("+", name)) => (&mut changes.add, name),
                Some(("-", name)) => (&mut changes.remove, name),
                _ => return Err(wrong()),
            };
            match system_flag(name) {
                Some(bit) => flags.system |= bit,
                None if is_keyword(name) => flags.keywords.push(name.as_bytes().to_vec()),
                None => return Err(wrong()),
            }
        }
        Ok(changes)
    }
}

/// Which of these are there.
async fn present(session: &mut Session, uids: Vec<UidRun>) -> Result<Vec<UidRun>, Stopped> {
    let found = session.search(vec![SearchKey::Uids(uids)]).await?;
    if found.is_empty() {
        return Err(Stopped::Nothing("no message there has such a UID".to_owned()));
    }
    let mut runs = Vec::new();
    found.into_iter().for_each(|uid| pillarbox_world::store::push_uid(&mut runs, uid));
    Ok(runs)
}

fn count(uids: &[UidRun]) -> u64 {
    uids.iter().map(|run| u64::from(run.last - run.first) + 1).sum()
}

fn say(session: &Session, what: &str, count: u64, place: Option<&str>) {
    if session.json {
        println!("{}", json!({ "done": what, "messages": count, "mailbox": place }));
    } else {
        let place = place.map_or_else(String::new, |place| format!(" to {place}"));
        println!("{count} {what}{place}");
    }
}

pub(super) async fn move_to(
    session: &mut Session,
    mailbox: &str,
    uids: Vec<UidRun>,
    to: String,
    copy: bool,
) -> Result<(), Stopped> {
    session.open(mailbox, false).await?;
    let uids = present(session, uids).await?;
    let count = count(&uids);
    let command = CopyCommand { uids, to: to.clone().into_bytes(), remove: !copy };
    session.call(Command::Copy(command)).await?;
    say(session, if copy { "copied" } else { "moved" }, count, Some(&to));
    Ok(())
}

pub(super) async fn flag(
    session: &mut Session,
    mailbox: &str,
    uids: Vec<UidRun>,
    changes: Changes,
) -> Result<(), Stopped> {
    session.open(mailbox, false).await?;
    let uids = present(session, uids).await?;
    let count = count(&uids);
    for (mode, flags) in [(StoreMode::Add, changes.add), (StoreMode::Remove, changes.remove)] {
        if flags != Flags::default() {
            store(session, &uids, mode, flags).await?;
        }
    }
    say(session, "flagged", count, None);
    Ok(())
}

async fn store(
    session: &mut Session,
    uids: &[UidRun],
    mode: StoreMode,
    flags: Flags,
) -> Result<(), Stopped> {
    let (uids, silent, unchanged_since) = (uids.to_vec(), true, None);
    let store = StoreCommand { uids, mode, flags, silent, unchanged_since };
    session.call(Command::Store(store)).await.map(|_| ())
}

pub(super) async fn delete(
    session: &mut Session,
    mailbox: &str,
    uids: Vec<UidRun>,
    now: bool,
) -> Result<(), Stopped> {
    let trash = if now { None } else { trash(session).await? };
    session.open(mailbox, false).await?;
    let uids = present(session, uids).await?;
    let count = count(&uids);
    if let Some(trash) = trash.filter(|trash| trash != mailbox.as_bytes()) {
        let to = String::from_utf8_lossy(&trash).into_owned();
        session.call(Command::Copy(CopyCommand { uids, to: trash, remove: true })).await?;
        say(session, "moved", count, Some(&to));
        return Ok(());
    }
    let deleted = Flags { system: DELETED, keywords: Vec::new() };
    store(session, &uids, StoreMode::Add, deleted).await?;
    let end = session.reading.call_for_all(Command::Expunge(uids)).await?;
    match end.outcome {
        Outcome::Ok => say(session, "deleted", count, None),
        Outcome::Unsupported => {
            // EXPUNGE without UIDs would remove what others have marked too (RFC 4315 §2.1).
            eprintln!("the server can only remove all that is marked (it has no UIDPLUS)");
            say(session, "marked as deleted", count, None);
        }
        _ => return Err(Stopped::Refused(shown(&end.text))),
    }
    Ok(())
}

/// The mailbox for trash (RFC 6154), if the server names one.
async fn trash(session: &mut Session) -> Result<Option<Vec<u8>>, Stopped> {
    let list = ListCommand { pattern: b"*".to_vec(), ..ListCommand::default() };
    session.call(Command::List(list)).await?;
    let all = std::mem::take(&mut session.reading.sink().mailboxes);
    let is = |attribute: &Vec<u8>| attribute.eq_ignore_ascii_case(b"\\Trash");
    Ok(all.into_iter().find(|found| found.attributes.iter().any(is)).map(|found| found.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read() {
        let words = ["+Seen", "-\\flagged", "+$Work"].map(str::to_owned);
        let changes = Changes::read(&words).expect("right");
        assert_eq!(changes.add, Flags { system: 8, keywords: vec![b"$Work".to_vec()] });
        assert_eq!(changes.remove, Flags { system: 2, keywords: vec![] });
        for wrong in ["seen", "+", "+a b", "", "é", "+a*"] {
            assert!(Changes::read(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
