//! Every store answers alike: the same random writes and reads against the store in memory and against those that last.

mod rig;

use pillarbox::config::Data;
use pillarbox::store::MailStore;
use pillarbox_engine::imap::rights::Rights;
use pillarbox_engine::imap::types::{
    Flags, MailboxesAsk, RowsAsk, SpecialUse, StoreMode, UidRun, VanishedAsk, VanishedPage,
};
use pillarbox_engine::imap::url_token::AccessKey;
use pillarbox_engine::types::{BlobRange, Reason};
use pillarbox_world::store::{
    Append, Body, Collect, Copy, Create, Deliver, EXPUNGED_RUNS_MAX, Expunge, MAILBOXES_MAX,
    MarkRecent, Named, NewMessage, Outcome, QuotaLimits, Rename, SetAccessKey, SetFlags,
    SetMetadata, SetQuota, SetRights, SharedAsk, Stage, Store, Subscribe, Write,
};

use rig::{Kind, Place};

/// Each of these runs against each store that lasts.
macro_rules! of_each {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Kind::Sqlite).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Kind::Postgres).await;
            })*
        }
    };
}

of_each! {
    memory_and_what_lasts_answer_alike
    what_went_is_remembered_with_its_modseq_and_up_to_a_bound
    a_large_message_comes_in_pieces
    octets_stay_while_a_session_holds_them
    what_was_collected_before_is_not_stored_again
    access_keys_are_of_one_account_and_one_mailbox_and_go_with_either
    a_keyword_is_the_mailboxs_once_a_message_has_it
    an_account_has_so_many_mailboxes_and_no_more
    an_account_subscribes_so_many_names_and_no_more
}

/// Steps of one run; 40 runs of them.
const STEPS: u32 = 250;

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn name(&mut self) -> Vec<u8> {
        const NAMES: [&[u8]; 9] =
            [b"INBOX", b"Sent", b"a", b"a/b", b"a/b/c", b"a/x", b"b", b"b/c", b"Trash"];
        NAMES[self.below(9) as usize].to_vec()
    }

    fn runs(&mut self) -> Vec<UidRun> {
        let first = 1 + self.below(12) as u32;
        vec![UidRun { first, last: first + self.below(6) as u32 }]
    }

    fn flags(&mut self) -> Flags {
        const KEYWORDS: [&[u8]; 4] = [b"$Work", b"$work", b"x", b"y"];
        let keywords = (0..self.below(3)).map(|_| KEYWORDS[self.below(4) as usize].to_vec());
        let mut keywords: Vec<Vec<u8>> = keywords.collect();
        keywords.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
        Flags { system: self.below(32) as u8, keywords }
    }

    /// All of them mostly, since that is so with one's own mailboxes.
    fn rights(&mut self) -> Rights {
        let some = Rights::from_bits(self.below(1 << 11) as u16);
        if self.below(2) == 0 { Rights::ALL } else { some }
    }

    fn message(&mut self) -> NewMessage {
        let octets = vec![b'x'; self.below(200_000) as usize];
        let plain = self.below(2) == 0;
        NewMessage {
            index: octets.len().to_string().into_bytes(),
            body: Body::Whole(octets),
            plain,
            flags: self.flags(),
            internal_date_ms: self.below(1 << 40),
            internal_date_zone: 60,
        }
    }
}

struct Pair {
    memory: MailStore,
    lasting: MailStore,
    place: Place,
}

impl Pair {
    fn new(kind: Kind, name: &str) -> Self {
        let place = Place::new(kind, name);
        let memory = MailStore::open(&Data::Memory).expect("memory is there");
        let lasting = MailStore::open(&place.data).expect("a new store opens");
        for store in [&memory, &lasting] {
            // The first account, and everybody.
            store.hub().listen(1, &[1, 0], Box::new(|| ()));
        }
        Self { memory, lasting, place }
    }

    /// Closes what lasts, and opens it again.
    async fn opened_again(self) -> Self {
        self.filled("").await
    }

    /// The same with what is done by hand in between.
    async fn filled(self, sql: &str) -> Self {
        self.lasting.close().await;
        let Self { memory, lasting, place } = self;
        drop(lasting);
        if !sql.is_empty() {
            place.by_hand(sql);
        }
        let lasting = MailStore::open(&place.data).expect("it opens again");
        Self { memory, lasting, place }
    }

    async fn write(&self, write: Write) -> Result<Outcome, pillarbox_engine::types::Reason> {
        let shown = format!("{write:?}");
        let (one, two) =
            (self.memory.write(0, write.clone()).await, self.lasting.write(0, write).await);
        // Messages are named by numbers that each store chooses.
        let same = |outcome: &Result<Outcome, _>| match outcome {
            Ok(Outcome::Delivered(_)) => "delivered".to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(same(&one), same(&two), "after {}", &shown[..shown.len().min(300)]);
        one
    }

    /// Everything that can be read of an account.
    fn compare(&self, account: u64) {
        let read = |store: &MailStore| {
            let store = store.reads();
            let mut seen = Vec::new();
            seen.push(format!("{:?}", store.quota(account).expect("the account is there")));
            seen.push(format!("{:?} {:?}", store.is_full(b"bob@x"), store.metadata(account, None)));
            for (after, prefix) in [(None, ""), (Some("bob@x/a"), ""), (None, "bob@x/a")] {
                let (who, except) = (b"ann@x".to_vec(), 0);
                let after = after.map(|after| after.as_bytes().to_vec());
                let prefix = prefix.as_bytes().to_vec();
                let ask = SharedAsk { who, except, after, prefix, max: 3 };
                seen.push(format!("{:?}", store.shared(&ask)));
            }
            seen.push(format!("{:?}", store.sharers(b"carl@x", 0)));
            seen.push(format!("{:?}", store.sharers(b"carl@x", account)));
            let mut after = None;
            loop {
                let ask = MailboxesAsk { after, prefix: Vec::new(), max: 3, status: true };
                let page = store.mailboxes(account, &ask).expect("the account is there");
                after = page.rows.last().map(|row| row.name.clone());
                for row in &page.rows {
                    seen.push(format!("{row:?}"));
                    if row.selectable {
                        seen.extend(mailbox(store, account, &row.name));
                    }
                }
                if !page.more {
                    return seen;
                }
            }
        };
        assert_eq!(read(&self.memory), read(&self.lasting));
        assert_eq!(self.memory.hub().heard(1), self.lasting.hub().heard(1));
    }
}

/// Everything that can be read of a mailbox, but for the numbers of messages.
fn mailbox(store: &(dyn Store + Send + Sync), account: u64, name: &[u8]) -> Vec<String> {
    let id = store.mailbox(account, name).expect("it is listed");
    let opened = store.opened(id).expect("it is there");
    let mut seen = vec![format!("{opened:?}"), format!("{:?}", store.uids(id, 3))];
    seen.push(format!("{:?}", store.metadata(account, Some(id)).expect("it is there")));
    seen.push(format!("{:?} {:?}", store.place(id), store.acl(id)));
    // A key is not shown by itself.
    let key = store.access_key(account, id).expect("it is there");
    seen.push(format!("{:?}", key.map(|key| *key.octets())));
    let all = vec![UidRun { first: 1, last: u32::MAX }];
    for since in [0, opened.status.highest_modseq / 2, opened.status.highest_modseq] {
        let ask = VanishedAsk { since, above: 2 };
        seen.push(format!("{:?}", store.vanished(id, &ask).expect("it is there")));
        let (uids, changed_since) = (all.clone(), Some(since));
        let ask = RowsAsk { uids, max: 3, index: false, changed_since };
        let page = store.rows(id, &ask).expect("it is there");
        assert!(page.rows.iter().all(|row| row.modseq > since));
        let uids = page.rows.iter().map(|row| (row.uid, row.modseq)).collect::<Vec<_>>();
        seen.push(format!("{uids:?} {}", page.more));
    }
    let ask = RowsAsk { uids: all, max: 100, index: true, changed_since: None };
    let page = store.rows(id, &ask).expect("it is there");
    let drop_entries = store.maildrop(id).expect("it is there");
    for (row, entry) in page.rows.iter().zip(&drop_entries) {
        assert_eq!((row.uid, row.blob, row.size), (entry.uid, entry.blob, entry.size));
        let range = BlobRange { blob: row.blob, offset: row.size / 3, length: row.size / 2 };
        let octets = store.octets(range).expect("the octets are there");
        assert_eq!(octets.len() as u64, range.length);
        let beyond = BlobRange { length: row.size + 1, offset: 0, ..range };
        assert!(store.octets(beyond).is_err(), "nothing is behind the end");
        let mut row = row.clone();
        row.blob = 0;
        seen.push(format!("{row:?} {}", entry.plain));
    }
    seen
}

fn write(random: &mut Random, account: u64, mailbox: u64) -> Write {
    let now_ms = random.below(1 << 40);
    match random.below(17) {
        0..=3 => Write::Deliver(Box::new(Deliver {
            accounts: vec![b"bob@x".to_vec()],
            junk: random.below(4) == 0,
            relay: None,
            message: random.message(),
            reports: Vec::new(),
            now_ms,
        })),
        4 | 5 => {
            let messages = (0..=random.below(2)).map(|_| random.message()).collect();
            let replaces = (random.below(3) == 0).then(|| (mailbox, 1 + random.below(9) as u32));
            Write::Append(Append { account, name: random.name(), messages, replaces, now_ms })
        }
        6..=8 => {
            let mode =
                [StoreMode::Add, StoreMode::Remove, StoreMode::Replace][random.below(3) as usize];
            let unchanged_since = (random.below(4) == 0).then(|| random.below(200));
            let (uids, flags) = (random.runs(), random.flags());
            let may = random.rights();
            Write::SetFlags(SetFlags { mailbox, uids, mode, flags, unchanged_since, may })
        }
        9 => Write::Expunge(Expunge {
            mailbox,
            uids: random.runs(),
            deleted_only: random.below(2) == 0,
        }),
        10 | 11 => {
            let (to, remove) = (random.name(), random.below(2) == 0);
            let (uids, keeps) = (random.runs(), random.rights());
            Write::Copy(Copy { account, mailbox, uids, to, remove, keeps, now_ms })
        }
        12 => {
            let special_uses =
                if random.below(2) == 0 { vec![SpecialUse::Flagged] } else { Vec::new() };
            Write::Create(Create { account, name: random.name(), special_uses })
        }
        13 if random.below(2) == 0 => {
            const ENTRIES: [&[u8]; 3] = [b"/private/comment", b"/shared/a/b", b"/private/x"];
            let entries = (0..=random.below(2)).map(|_| {
                let value = (random.below(3) > 0).then(|| vec![b'v'; random.below(9) as usize]);
                (ENTRIES[random.below(3) as usize].to_vec(), value)
            });
            let entries = entries.collect();
            let mailbox = (random.below(4) > 0).then_some(mailbox);
            Write::SetMetadata(SetMetadata { account, mailbox, entries })
        }
        13 => Write::Delete(Named { account, name: random.name() }),
        14 if random.below(2) == 0 => {
            let some = |random: &mut Random, end| (random.below(3) > 0).then(|| random.below(end));
            let limits = QuotaLimits {
                storage_kib: some(random, 20_000),
                messages: some(random, 60),
                mailboxes: some(random, 16),
            };
            Write::SetQuota(SetQuota { account, limits })
        }
        14 => Write::Rename(Rename { account, from: random.name(), to: random.name() }),
        15 => {
            const WHO: [&[u8]; 3] = [b"ann@x", b"anyone", b"carl@x"];
            let identifier = WHO[random.below(3) as usize].to_vec();
            let mode =
                [StoreMode::Add, StoreMode::Remove, StoreMode::Replace][random.below(3) as usize];
            let rights = random.rights();
            Write::SetRights(SetRights { mailbox, identifier, mode, rights })
        }
        16 if random.below(3) > 0 => {
            let (key, replaces) =
                (AccessKey::new([random.below(256) as u8; 32]), random.below(2) == 0);
            Write::SetAccessKey(SetAccessKey { account, mailbox, key, replaces })
        }
        16 if random.below(4) == 0 => Write::ForgetAccessKeys(account),
        _ if random.below(5) == 0 => Write::Renew(mailbox),
        _ if random.below(2) == 0 => {
            Write::MarkRecent(MarkRecent { mailbox, recent_from: random.below(9) as u32 })
        }
        _ => {
            let (name, subscribed) = (random.name(), random.below(2) == 0);
            Write::Subscribe(Subscribe { account, name, subscribed })
        }
    }
}

async fn memory_and_what_lasts_answer_alike(kind: Kind) {
    for seed in 1..=kind.runs(40) {
        let mut random = Random(seed);
        let pair = Pair::new(kind, &format!("alike-{seed}"));
        let ensured = pair.write(Write::EnsureAccount(b"bob@x".to_vec())).await;
        let Ok(Outcome::Account(account)) = ensured else { panic!("an account: {ensured:?}") };
        for step in 0..STEPS {
            let name = random.name();
            let (one, two) = (pair.memory.reads(), pair.lasting.reads());
            assert_eq!(one.mailbox(account, &name), two.mailbox(account, &name));
            let Ok(mailbox) = one.mailbox(account, &name) else { continue };
            drop(pair.write(write(&mut random, account, mailbox)).await);
            if step % 25 == 0 {
                pair.compare(account);
            }
        }
        pair.compare(account);
        // What was written is there after a restart.
        let pair = pair.opened_again().await;
        pair.compare(account);
        let removed = pair.write(Write::RemoveAccount(b"bob@x".to_vec())).await;
        assert!(removed.is_ok(), "{removed:?}");
        pair.lasting.close().await;
    }
}

/// All UIDs of a mailbox, page by page.
fn all_uids(store: &(dyn Store + Send + Sync), mailbox: u64) -> Vec<u32> {
    let mut all = Vec::new();
    loop {
        let page = store.uids(mailbox, all.last().copied().unwrap_or(0)).expect("it is there");
        assert!(page.runs.len() <= 256 && (page.runs.len() == 256 || !page.more));
        all.extend(page.runs.iter().flat_map(|run| run.first..=run.last));
        if !page.more {
            return all;
        }
    }
}

async fn what_went_is_remembered_with_its_modseq_and_up_to_a_bound(kind: Kind) {
    let pair = Pair::new(kind, "vanished");
    let ensured = pair.write(Write::EnsureAccount(b"bob@x".to_vec())).await;
    let Ok(Outcome::Account(account)) = ensured else { panic!("an account: {ensured:?}") };
    let inbox = pair.memory.reads().mailbox(account, b"INBOX").expect("it is there");
    let mut random = Random(7);
    let mut message = random.message();
    message.body = Body::Whole(b"x".to_vec());
    // Every second of so many messages goes, in three steps: more runs than are remembered.
    let count = (EXPUNGED_RUNS_MAX as u32 * 2 + 200) / 100 * 100;
    for _ in 0..count / 100 {
        let messages = vec![message.clone(); 100];
        let append =
            Append { account, name: b"INBOX".to_vec(), messages, replaces: None, now_ms: 1 };
        pair.write(Write::Append(append)).await.expect("there is room");
    }
    let highest = |store: &MailStore| {
        store.reads().status(account, b"INBOX").expect("it is there").highest_modseq
    };
    let mut marks = vec![highest(&pair.memory)];
    let third = count / 3 / 2 * 2;
    for (first, last) in [(1, third), (third + 1, 2 * third), (2 * third + 1, count)] {
        let every_second = (first..=last).step_by(2);
        let uids = every_second.map(|uid| UidRun { first: uid, last: uid }).collect();
        let expunge = Expunge { mailbox: inbox, uids, deleted_only: false };
        let Ok(Outcome::Expunged(expunged)) = pair.write(Write::Expunge(expunge)).await else {
            panic!("they go")
        };
        assert_eq!(expunged.modseq, highest(&pair.memory));
        assert!(expunged.modseq > marks[marks.len() - 1], "each removal raises it");
        marks.push(expunged.modseq);
        // Told from what went as long as that is remembered, and else by the messages themselves.
        for store in [&pair.memory, &pair.lasting] {
            let left = (1..=count).filter(|uid| *uid > last || uid % 2 == 0);
            assert!(all_uids(store.reads(), inbox).into_iter().eq(left), "up to {last}");
        }
    }
    for store in [&pair.memory, &pair.lasting] {
        let vanished = |since| {
            let (mut above, mut all) = (0, 0);
            loop {
                let ask = VanishedAsk { since, above };
                let VanishedPage { known, runs, more } =
                    store.reads().vanished(inbox, &ask).expect("it is there");
                assert!(runs.len() <= 256 && runs.iter().all(|run| run.first > above));
                all += runs.len();
                match runs.last().filter(|_| more) {
                    Some(run) => above = run.last,
                    None => return (known, all),
                }
            }
        };
        assert_eq!(vanished(marks[0]), (false, 0), "the first step is forgotten");
        assert_eq!(vanished(marks[1]), (true, (count / 2 - third / 2) as usize));
        assert_eq!(vanished(marks[2]), (true, (count / 2 - third) as usize));
        assert_eq!(vanished(marks[3]), (true, 0));
    }
}

async fn a_large_message_comes_in_pieces(kind: Kind) {
    let pair = Pair::new(kind, "staged");
    for store in [&pair.memory, &pair.lasting] {
        let upload = store.reads().upload();
        let mut whole = Vec::new();
        for at in 0..40u32 {
            let octets = at.to_le_bytes().repeat(5000 + at as usize);
            whole.extend_from_slice(&octets);
            store.write(0, Write::Stage(Stage { upload, octets })).await.expect("there is room");
        }
        let size = whole.len() as u64;
        assert_eq!(
            store.reads().staged(upload, 70_000, 100_000).as_deref(),
            Ok(&whole[70_000..170_000])
        );
        let message = NewMessage {
            body: Body::Staged(upload, size),
            index: Vec::new(),
            plain: false,
            flags: Flags::default(),
            internal_date_ms: 0,
            internal_date_zone: 0,
        };
        let wrong = NewMessage { body: Body::Staged(upload + 1000, size), ..message.clone() };
        let deliver = |message| {
            let accounts = vec![b"a@x".to_vec(), b"b@x".to_vec()];
            let (junk, relay, reports) = (false, None, Vec::new());
            let deliver = Deliver { accounts, junk, relay, message, reports, now_ms: 0 };
            Write::Deliver(Box::new(deliver))
        };
        assert!(store.write(0, deliver(wrong)).await.is_err(), "what was not staged is not stored");
        let Ok(Outcome::Delivered(blob)) = store.write(0, deliver(message)).await else {
            panic!("it is delivered")
        };
        for (offset, length) in [(0, size), (65_535, 2), (65_536, 65_536), (size - 1, 1), (size, 0)]
        {
            let octets = store.reads().octets(BlobRange { blob, offset, length });
            assert_eq!(octets.as_deref(), Ok(&whole[offset as usize..(offset + length) as usize]));
        }
    }
}

#[tokio::test]
async fn a_directory_that_is_not_ours_is_refused_with_a_reason() {
    let directory = std::env::temp_dir().join(format!("pillarbox-foreign-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("the directory can be made");
    std::fs::write(directory.join("holiday.jpg"), b"x").expect("it is ours to write");
    let open = || MailStore::open(&Data::Directory(directory.clone())).err().map(|e| e.message);
    let message = open().expect("it is refused");
    assert!(message.contains("holiday.jpg") && message.contains("use an empty"), "{message}");
    std::fs::remove_file(directory.join("holiday.jpg")).expect("it is ours");
    std::fs::write(
        directory.join("mail.db"),
        b"not a database, but long enough to look at; ".repeat(50),
    )
    .expect("it is ours to write");
    let message = open().expect("it is refused");
    assert!(message.contains("another directory"), "{message}");
    std::fs::remove_file(directory.join("mail.db")).expect("it is ours");
    let held = MailStore::open(&Data::Directory(directory.clone())).expect("it is empty now");
    let message = open().expect("it is in use");
    assert!(message.contains(&std::process::id().to_string()), "{message}");
    drop(held);
    drop(std::fs::remove_dir_all(&directory));
}

/// RFC 2180 §4.1, RFC 1939 §8: octets that a session was told of stay until it lets go of them, and then go.
async fn octets_stay_while_a_session_holds_them(kind: Kind) {
    let pair = Pair::new(kind, "held");
    let mut random = Random(3);
    let ensured = pair.write(Write::EnsureAccount(b"bob@x".to_vec())).await;
    let Ok(Outcome::Account(account)) = ensured else { panic!("an account: {ensured:?}") };
    for store in [&pair.memory, &pair.lasting] {
        let inbox = store.reads().mailbox(account, b"INBOX").expect("it is there");
        let mut message = random.message();
        message.body = Body::Whole(b"0123456789".to_vec());
        let messages = vec![message.clone(), message.clone(), message.clone()];
        let (name, replaces) = (b"INBOX".to_vec(), None);
        let append = Append { account, name, messages, replaces, now_ms: 1 };
        store.write(0, Write::Append(append.clone())).await.expect("there is room");
        let held = store.hub().hold(7);
        let blobs: Vec<u64> =
            store.reads().maildrop(inbox).expect("it is there").iter().map(|e| e.blob).collect();
        held.only(vec![blobs[2], blobs[0]]);
        let uids = vec![UidRun { first: 1, last: 3 }];
        let expunge = Expunge { mailbox: inbox, uids, deleted_only: false };
        store.write(0, Write::Expunge(expunge)).await.expect("they are there");
        let octets = |blob| store.reads().octets(BlobRange { blob, offset: 2, length: 3 });
        if kind == Kind::Postgres && std::ptr::eq(store, &pair.lasting) {
            // Nodes wait for a while, since any of them may have told somebody of it.
            for blob in &blobs {
                assert_eq!(octets(*blob).as_deref(), Ok(&b"234"[..]), "it is held");
            }
            drop(held);
            pair.place.by_hand("UPDATE blob SET went_ms = went_ms - 100000 WHERE uses = 0");
            let began = std::time::Instant::now();
            while blobs.iter().any(|blob| octets(*blob).is_ok()) {
                assert!(began.elapsed().as_secs() < 20, "it was let go of");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            continue;
        }
        // The sweep follows a commit; what is not held goes by it.
        let mut gone = false;
        for _ in 0..100 {
            store.write(0, Write::Append(append.clone())).await.expect("there is room");
            gone = octets(blobs[1]).is_err();
            if gone {
                break;
            }
        }
        assert!(gone, "nobody holds it");
        for blob in [blobs[0], blobs[2]] {
            assert_eq!(octets(blob).as_deref(), Ok(&b"234"[..]), "it is held");
        }
        drop(held);
        for _ in 0..100 {
            store.write(0, Write::Append(append.clone())).await.expect("there is room");
            if octets(blobs[0]).is_err() && octets(blobs[2]).is_err() {
                break;
            }
        }
        assert!(octets(blobs[0]).is_err() && octets(blobs[2]).is_err(), "it was let go of");
    }
    pair.lasting.close().await;
}

/// What is collected comes once: the message and that it was taken are one transaction.
async fn what_was_collected_before_is_not_stored_again(kind: Kind) {
    let pair = Pair::new(kind, "collected");
    let mut random = Random(11);
    let ensured = pair.write(Write::EnsureAccount(b"bob@x".to_vec())).await;
    let Ok(Outcome::Account(account)) = ensured else { panic!("an account: {ensured:?}") };
    let mut message = random.message();
    message.body = Body::Whole(b"0123456789".to_vec());
    let collect = |name: &[u8], source: &[u8], key: &[u8], message: &NewMessage| {
        let messages = vec![message.clone()];
        let append = Append { account, name: name.to_vec(), messages, replaces: None, now_ms: 1 };
        let (source, key) = (source.to_vec(), key.to_vec());
        Write::Collect(Box::new(Collect { append, source, key }))
    };
    let known = |store: &MailStore, source: &[u8]| {
        let keys = [b"1".to_vec(), b"2".to_vec()];
        store.reads().collected(account, source, &keys).expect("the account is there")
    };
    assert!(matches!(
        pair.write(collect(b"INBOX", b"a", b"1", &message)).await,
        Ok(Outcome::Appended(_))
    ));
    let again = pair.write(collect(b"Sent", b"a", b"1", &message)).await;
    assert!(matches!(again, Ok(Outcome::Known)), "{again:?}");
    // Other sources and keys are others.
    for (source, key) in [(b"b", b"1"), (b"a", b"2")] {
        let stored = pair.write(collect(b"INBOX", source, key, &message)).await;
        assert!(matches!(stored, Ok(Outcome::Appended(_))), "{stored:?}");
    }
    // What fails is not remembered.
    let failed = pair.write(collect(b"No", b"c", b"1", &message)).await;
    assert_eq!(failed.map(|_| ()), Err(pillarbox_engine::types::Reason::NotFound));
    for store in [&pair.memory, &pair.lasting] {
        assert_eq!(known(store, b"a"), [true, true]);
        assert_eq!(known(store, b"b"), [true, false]);
        assert_eq!(known(store, b"c"), [false, false]);
        // A staged message that is known already leaves nothing behind.
        let upload = store.reads().upload();
        let octets = vec![b'x'; 70_000];
        store.write(0, Write::Stage(Stage { upload, octets })).await.expect("there is room");
        let staged = NewMessage { body: Body::Staged(upload, 70_000), ..message.clone() };
        let again = store.write(0, collect(b"INBOX", b"a", b"1", &staged)).await;
        assert!(matches!(again, Ok(Outcome::Known)), "{again:?}");
        assert!(store.reads().staged(upload, 0, 1).is_err());
        // And a staged one that is new is taken.
        let upload = store.reads().upload();
        let octets = vec![b'y'; 70_000];
        store.write(0, Write::Stage(Stage { upload, octets })).await.expect("there is room");
        let staged = NewMessage { body: Body::Staged(upload, 70_000), ..message.clone() };
        let stored = store.write(0, collect(b"INBOX", b"a", b"3", &staged)).await;
        assert!(matches!(stored, Ok(Outcome::Appended(_))), "{stored:?}");
    }
    pair.compare(account);
    pair.write(Write::RemoveAccount(b"bob@x".to_vec())).await.expect("it is there");
}

async fn access_keys_are_of_one_account_and_one_mailbox_and_go_with_either(kind: Kind) {
    let pair = Pair::new(kind, "access-keys");
    let mut accounts = Vec::new();
    for name in [&b"bob@x"[..], b"ann@x"] {
        let ensured = pair.write(Write::EnsureAccount(name.to_vec())).await;
        let Ok(Outcome::Account(account)) = ensured else { panic!("an account: {ensured:?}") };
        accounts.push(account);
    }
    let [bob, ann] = accounts[..] else { panic!("two accounts") };
    let create = Create { account: bob, name: b"a".to_vec(), special_uses: Vec::new() };
    pair.write(Write::Create(create)).await.expect("it is made");
    let mailbox = pair.memory.reads().mailbox(bob, b"a").expect("it is there");
    let inbox = pair.memory.reads().mailbox(bob, b"INBOX").expect("it is there");
    let set = async |account, mailbox, octet, replaces| {
        let key = AccessKey::new([octet; 32]);
        let write = Write::SetAccessKey(SetAccessKey { account, mailbox, key, replaces });
        match pair.write(write).await {
            Ok(Outcome::AccessKey(kept)) => Ok(kept.octets()[0]),
            Ok(other) => panic!("a key: {other:?}"),
            Err(reason) => Err(reason),
        }
    };
    let kept = |account, mailbox| {
        let one = pair.memory.reads().access_key(account, mailbox);
        assert_eq!(one, pair.lasting.reads().access_key(account, mailbox));
        one.map(|key| key.map(|key| key.octets()[0]))
    };
    assert_eq!(kept(bob, mailbox), Ok(None));
    assert_eq!(set(bob, mailbox, 1, false).await, Ok(1));
    assert_eq!(set(bob, mailbox, 2, false).await, Ok(1), "the one that is there is kept");
    assert_eq!(set(bob, mailbox, 3, true).await, Ok(3));
    assert_eq!(set(ann, mailbox, 4, false).await, Ok(4));
    assert_eq!(set(bob, inbox, 5, false).await, Ok(5));
    assert_eq!(set(bob, 999, 6, false).await, Err(Reason::NotFound));
    assert_eq!(set(999, mailbox, 6, false).await, Err(Reason::NotFound));
    assert_eq!((kept(bob, mailbox), kept(ann, mailbox)), (Ok(Some(3)), Ok(Some(4))));
    // Over a rename it stays, since it is of the mailbox and not of its name.
    let rename = Rename { account: bob, from: b"a".to_vec(), to: b"b".to_vec() };
    pair.write(Write::Rename(rename)).await.expect("it is renamed");
    assert_eq!(kept(bob, mailbox), Ok(Some(3)));
    pair.write(Write::ForgetAccessKeys(bob)).await.expect("they are forgotten");
    assert_eq!((kept(bob, mailbox), kept(bob, inbox)), (Ok(None), Ok(None)));
    assert_eq!(kept(ann, mailbox), Ok(Some(4)), "hers is her own");
    pair.write(Write::RemoveAccount(b"ann@x".to_vec())).await.expect("she is removed");
    assert_eq!(kept(ann, mailbox), Ok(None));
    assert_eq!(set(bob, mailbox, 7, false).await, Ok(7));
    pair.write(Write::Delete(Named { account: bob, name: b"b".to_vec() })).await.expect("it goes");
    assert_eq!(kept(bob, mailbox), Err(Reason::NotFound));
    assert_eq!(set(bob, inbox, 8, false).await, Ok(8));
    let pair = pair.opened_again().await;
    let after = pair.lasting.reads().access_key(bob, inbox);
    assert_eq!(after, Ok(Some(AccessKey::new([8; 32]))), "it is durable");
    pair.lasting.close().await;
}

/// RFC 7162 §3.1.3: a change that changes nothing leaves nothing behind, not even a keyword's name.
async fn a_keyword_is_the_mailboxs_once_a_message_has_it(kind: Kind) {
    let pair = Pair::new(kind, "keywords");
    let ensured = pair.write(Write::EnsureAccount(b"bob@x".to_vec())).await;
    let Ok(Outcome::Account(account)) = ensured else { panic!("an account: {ensured:?}") };
    let inbox = pair.memory.reads().mailbox(account, b"INBOX").expect("it is there");
    let mut message = Random(3).message();
    (message.flags, message.body) = (Flags::default(), Body::Whole(b"x".to_vec()));
    let append = Append {
        account,
        name: b"INBOX".to_vec(),
        messages: vec![message],
        replaces: None,
        now_ms: 1,
    };
    pair.write(Write::Append(append)).await.expect("there is room");
    let set = |mode, keyword: &str| SetFlags {
        mailbox: inbox,
        uids: vec![UidRun { first: 1, last: 9 }],
        mode,
        flags: Flags { system: 0, keywords: vec![keyword.as_bytes().to_vec()] },
        unchanged_since: None,
        may: Rights::ALL,
    };
    let known = || {
        let [one, two] = [&pair.memory, &pair.lasting]
            .map(|store| store.reads().opened(inbox).expect("it is there").keywords);
        assert_eq!(one, two);
        one.iter().map(|keyword| String::from_utf8_lossy(keyword).into_owned()).collect::<Vec<_>>()
    };
    let (add, remove) = (StoreMode::Add, StoreMode::Remove);
    let nothing = [
        SetFlags { unchanged_since: Some(1), ..set(add, "changed") },
        SetFlags { uids: vec![UidRun { first: 7, last: 9 }], ..set(add, "gone") },
        SetFlags { may: Rights::READ, ..set(StoreMode::Replace, "forbidden") },
        set(remove, "removed"),
    ];
    for change in nothing {
        let stored = pair.write(Write::SetFlags(change)).await;
        assert!(matches!(stored, Ok(Outcome::Stored(_))), "{stored:?}");
        assert_eq!(known(), [""; 0]);
    }
    pair.write(Write::SetFlags(set(add, "There"))).await.expect("it is there");
    // The first spelling stays, and what a message has had is listed from then on.
    pair.write(Write::SetFlags(set(add, "THERE"))).await.expect("it is there");
    pair.write(Write::SetFlags(set(remove, "there"))).await.expect("it is there");
    assert_eq!(known(), ["There"]);
}

async fn an_account_has_so_many_mailboxes_and_no_more(kind: Kind) {
    let pair = Pair::new(kind, "many-names");
    let ensured = pair.write(Write::EnsureAccount(b"bob@x".to_vec())).await;
    let Ok(Outcome::Account(account)) = ensured else { panic!("an account: {ensured:?}") };
    let create = |name: &str| {
        let (name, special_uses) = (name.as_bytes().to_vec(), Vec::new());
        Write::Create(Create { account, name, special_uses })
    };
    // One path of so many levels makes as many mailboxes as there may be, but for three.
    let first = pair.memory.reads().quota(account).expect("it is there").mailboxes;
    let (mut left, mut at) = (MAILBOXES_MAX - first - 3, 0);
    while left > 0 {
        let levels = left.min(200);
        let path = format!("{at}{}", "/a".repeat(usize::try_from(levels).expect("few") - 1));
        pair.memory.write(0, create(&path)).await.expect("there is room");
        (left, at) = (left - levels, at + 1);
    }
    // There the names alone count, and putting them in by hand is quicker than making a mailbox for each.
    let more = MAILBOXES_MAX - first - 3;
    let fill = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {more})
        INSERT INTO name (account, name) SELECT {account}, CAST('n' || i AS BLOB) FROM n"
    );
    let pair = pair.filled(&fill).await;

    let too_many = || Err(Reason::TooMany);
    let rename = |from: &str, to: &str| {
        let (from, to) = (from.as_bytes().to_vec(), to.as_bytes().to_vec());
        Write::Rename(Rename { account, from, to })
    };
    let done = |outcome: Result<Outcome, Reason>| outcome.map(|_| ());
    assert_eq!(done(pair.write(create("x/y/z/w")).await), too_many());
    assert_eq!(done(pair.write(create("x/y")).await), Ok(()));
    assert_eq!(done(pair.write(rename("x/y", "x/z/v/y")).await), too_many());
    assert_eq!(done(pair.write(rename("INBOX", "v/w")).await), too_many());
    assert_eq!(done(pair.write(rename("INBOX", "old")).await), Ok(()));
    assert_eq!(done(pair.write(create("one")).await), too_many());
    assert_eq!(done(pair.write(rename("INBOX", "older")).await), too_many());
    // What is taken away makes room, and another name is no new one.
    assert_eq!(done(pair.write(rename("old", "older")).await), Ok(()));
    let named = Named { account, name: b"older".to_vec() };
    assert_eq!(done(pair.write(Write::Delete(named)).await), Ok(()));
    assert_eq!(done(pair.write(create("one")).await), Ok(()));
}

async fn an_account_subscribes_so_many_names_and_no_more(kind: Kind) {
    let pair = Pair::new(kind, "many-subscriptions");
    let ensured = pair.write(Write::EnsureAccount(b"bob@x".to_vec())).await;
    let Ok(Outcome::Account(account)) = ensured else { panic!("an account: {ensured:?}") };
    let subscribe = |name: String, subscribed| {
        Write::Subscribe(Subscribe { account, name: name.into_bytes(), subscribed })
    };
    let ask = MailboxesAsk { after: None, prefix: Vec::new(), max: 200, status: false };
    let listed = pair.memory.reads().mailboxes(account, &ask).expect("they are there").rows;
    let first = listed.iter().filter(|mailbox| mailbox.subscribed).count() as u64;
    let left = MAILBOXES_MAX - first - 1;
    for at in 0..left {
        pair.memory.write(0, subscribe(format!("n{at}"), true)).await.expect("there is room");
    }
    let fill = format!(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {left} - 1)
        INSERT INTO subscription (account, name) SELECT {account}, CAST('n' || i AS BLOB) FROM n"
    );
    let pair = pair.filled(&fill).await;
    let done = |outcome: Result<Outcome, Reason>| outcome.map(|_| ());
    assert_eq!(done(pair.write(subscribe("one".into(), true)).await), Ok(()));
    assert_eq!(done(pair.write(subscribe("two".into(), true)).await), Err(Reason::TooMany));
    // Again, it is no new one; and what is taken away makes room.
    assert_eq!(done(pair.write(subscribe("one".into(), true)).await), Ok(()));
    assert_eq!(done(pair.write(subscribe("n7".into(), false)).await), Ok(()));
    assert_eq!(done(pair.write(subscribe("two".into(), true)).await), Ok(()));
}
