//! Makes a Maildir of this machine the same as a server's mailboxes: what is new comes, flags follow, and what is gone there
//! goes here. Nothing is changed there.

use std::collections::HashSet;
use std::path::Path;

use pillarbox_engine::imap::client::types::{
    Command, FetchCommand, FetchSection, Fetched, ListCommand,
};
use pillarbox_engine::imap::types::{SearchKey, UidRun};
use pillarbox_world::store::push_uid;
use serde_json::json;

use super::sink::{Body, Filing};
use super::{Session, Stopped};
use crate::error::{Error, Kind};
use crate::folders::{Mirror, Place, Sync, Tally, prune_others};
use crate::local::Row;

/// Messages that are asked for at once.
const PAGE: usize = 100;
/// UIDs that one search looks through: servers without ESEARCH name every message in one line.
const SEARCH_UIDS: u32 = 30_000;

/// What was done.
#[derive(Default)]
struct Done {
    new: u64,
    there: u64,
    gone: u64,
}

pub(super) async fn sync(
    session: &mut Session,
    path: &Path,
    only: &[String],
    mut tally: Tally,
) -> Result<(), Stopped> {
    let list = ListCommand { pattern: b"*".to_vec(), ..ListCommand::default() };
    let is_whole = !session.call(Command::List(list)).await?.incomplete;
    let mut all = std::mem::take(&mut session.reading.sink().mailboxes);
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all.dedup_by(|a, b| a.name == b.name);
    let closed = |attribute: &Vec<u8>| {
        attribute.eq_ignore_ascii_case(b"\\Noselect")
            || attribute.eq_ignore_ascii_case(b"\\NonExistent")
    };
    all.retain(|mailbox| !mailbox.attributes.iter().any(closed));
    let mut total = Done::default();
    for name in only {
        if !all.iter().any(|mailbox| mailbox.name == name.as_bytes()) {
            let help = "`pillarbox mail mailboxes` shows what there is";
            return Err(Stopped::Refused(format!("there is no mailbox {name}; {help}")));
        }
    }
    let (mut places, mut left_out) = (HashSet::new(), Vec::new());
    for mailbox in all {
        let name = String::from_utf8_lossy(&mailbox.name).into_owned();
        let mut levels = mailbox.name.clone();
        if let Some(separator) = mailbox.separator.filter(|separator| *separator != b'/') {
            levels.iter_mut().filter(|o| **o == separator).for_each(|octet| *octet = b'/');
        }
        let place = Place::in_maildir(path, &levels);
        places.insert(place.path.clone());
        if !only.is_empty() && !only.contains(&name) {
            continue;
        }
        let levels = String::from_utf8_lossy(&levels);
        let done = one(session, &name, &levels, &place, &mut tally).await;
        tally.clear();
        let done = match done {
            Ok(done) => done,
            Err(stopped) => {
                let why = match &stopped {
                    Stopped::Refused(why) if only.len() != 1 => why.clone(),
                    Stopped::Here(error) if only.len() != 1 => error.to_string(),
                    _ => return Err(stopped),
                };
                eprintln!("{name}: left out: {why}");
                left_out.push(name);
                continue;
            }
        };
        if session.json {
            println!(
                "{}",
                json!({ "mailbox": name, "new": done.new, "there": done.there, "gone": done.gone })
            );
        }
        total.new += done.new;
        total.there += done.there;
        total.gone += done.gone;
    }
    // A list that lacks something says nothing about what is gone; and INBOX is on each that is whole.
    if only.is_empty() && is_whole && places.contains(path) {
        for pruned in prune_others(path, &places).map_err(Stopped::Here)? {
            if session.json {
                let (name, gone) = (pruned.mailbox, pruned.gone);
                println!("{}", json!({ "mailbox": name, "new": 0, "there": 0, "gone": gone }));
            }
            total.gone += pruned.gone;
        }
    }
    if !session.json {
        let Done { new, there, gone } = total;
        println!("{new} new, {there} were there, {gone} gone");
    }
    if !left_out.is_empty() {
        let names = left_out.join(", ");
        let message = format!("not copied, while the rest is: {names}");
        return Err(Stopped::Here(Error::new(Kind::Failed, message)));
    }
    Ok(())
}

async fn one(
    session: &mut Session,
    name: &str,
    levels: &str,
    place: &Place,
    tally: &mut Tally,
) -> Result<Done, Stopped> {
    session.open(name, true).await?;
    let opened = session.reading.sink().opened.take().unwrap_or_default();
    let validity = opened.counters.uid_validity.unwrap_or(0);
    let mut mirror = Mirror::open(place, levels, validity, Sync::Later).map_err(Stopped::Here)?;
    let mut done = Done::default();
    for uids in uids(session, opened.counters.uid_next).await?.chunks(PAGE) {
        let mut missing = Vec::new();
        for fetched in facts(session, uids).await? {
            let row = row(&fetched);
            if mirror.has(&row).map_err(Stopped::Here)? {
                done.there += 1;
                tally.message(name, 0);
            } else {
                missing.push((fetched.number, row));
            }
        }
        let mut runs = Vec::new();
        missing.iter().for_each(|(_, row)| push_uid(&mut runs, row.uid));
        if runs.is_empty() {
            continue;
        }
        let whole = FetchSection { section: Vec::new(), binary: false, part: None };
        let sections = vec![whole];
        let fetch = FetchCommand { uids: runs, sections, ..FetchCommand::default() };
        session.reading.sink().body = Body::Filed(Box::new(Filing::new(mirror, missing)));
        let fetching = session.call(Command::Fetch(fetch)).await;
        let Body::Filed(filing) = std::mem::take(&mut session.reading.sink().body) else {
            return Err(Stopped::Here(Error::new(Kind::Failed, "the Maildir was lost")));
        };
        let (back, filed, failed) = filing.finish();
        match (fetching, failed) {
            (Err(stopped @ Stopped::There(_)), _) => return Err(stopped),
            (_, Some(error)) => return Err(Stopped::Here(error)),
            (fetching, None) => fetching?,
        };
        for row in &filed {
            done.new += 1;
            tally.message(name, row.size);
        }
        mirror = back;
    }
    done.gone = mirror.prune().map_err(Stopped::Here)?;
    Ok(done)
}

/// All UIDs, ascending.
async fn uids(session: &mut Session, next: Option<u32>) -> Result<Vec<u32>, Stopped> {
    let windows = next.map_or(1, |next| next / SEARCH_UIDS + 1);
    if windows > 200 || windows == 1 {
        return session.search(vec![SearchKey::All]).await;
    }
    let mut all = Vec::new();
    for at in 0..windows {
        let run = UidRun { first: at * SEARCH_UIDS + 1, last: (at + 1) * SEARCH_UIDS };
        all.extend(session.search(vec![SearchKey::Uids(vec![run])]).await?);
    }
    Ok(all)
}

async fn facts(session: &mut Session, uids: &[u32]) -> Result<Vec<Fetched>, Stopped> {
    let mut runs = Vec::new();
    uids.iter().for_each(|uid| push_uid(&mut runs, *uid));
    let fetch =
        FetchCommand { uids: runs, with_flags: true, with_facts: true, ..FetchCommand::default() };
    session.call(Command::Fetch(fetch)).await?;
    let mut all = std::mem::take(&mut session.reading.sink().fetched);
    all.retain(|fetched| fetched.flags.is_some() && fetched.size.is_some());
    all.sort_by_key(|fetched| fetched.uid);
    all.dedup_by_key(|fetched| fetched.uid);
    Ok(all)
}

fn row(fetched: &Fetched) -> Row {
    let flags = fetched.flags.clone().unwrap_or_default();
    Row {
        uid: fetched.uid,
        blob: 0,
        size: fetched.size.unwrap_or(0),
        system: flags.system,
        keywords: flags.keywords.iter().map(|w| String::from_utf8_lossy(w).into_owned()).collect(),
        date_ms: fetched.internal_date_ms.unwrap_or(0),
        zone: fetched.internal_date_zone,
    }
}
