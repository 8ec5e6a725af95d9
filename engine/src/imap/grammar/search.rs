//! SEARCH (RFC 9051 §6.4.4): keys as a program in postfix order, so that neither nesting nor evaluation recurses.

use alloc::vec::Vec;

use super::command::{MultiSearch, PartialRange, Search, SearchReturn, Update};
use super::cursor::{Bad, Piecewise, Read};
use super::date::date;
use super::parse::{Options, SYSTEM_FLAGS};
use super::set::{SequenceSet, SetNumber, sequence_set};
use super::{fetch, notify};
use crate::limits::DEPTH_MAX;
use crate::text::{charset, fuzzy};

/// Keys of one program.
const KEYS_MAX: usize = 10_000;

/// One step of a search program: a key pushes one result, a join takes its own off and pushes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// Every message.
    All,
    /// This system flag (a bit of `Flags::system`) is set.
    System(u8),
    /// \Recent (RFC 3501).
    Recent,
    /// This keyword is set.
    Keyword(Vec<u8>),
    /// These sequence numbers.
    Numbers(SequenceSet),
    /// These UIDs.
    Uids(SequenceSet),
    /// Larger than so many octets.
    Larger(u64),
    /// Smaller.
    Smaller(u64),
    /// Internal date before this day, in days since 1970.
    Before(i32),
    /// On it.
    On(i32),
    /// On it or later.
    Since(i32),
    /// Date field before this day.
    SentBefore(i32),
    /// On it.
    SentOn(i32),
    /// On it or later.
    SentSince(i32),
    /// This field contains this text (UTF-8); an empty text: the field is there.
    Header(Vec<u8>, Vec<u8>),
    /// The body contains this text (UTF-8).
    Body(Vec<u8>),
    /// Header or body contain this text (UTF-8).
    Text(Vec<u8>),
    /// Mod-sequence at least this (RFC 7162).
    Modseq(u64),
    /// Received within so many seconds (RFC 5032).
    Younger(u32),
    /// Not within.
    Older(u32),
    /// Save date before this day, in days since 1970 (RFC 8514).
    SavedBefore(i32),
    /// On it.
    SavedOn(i32),
    /// On it or later.
    SavedSince(i32),
    /// Save dates are known (RFC 8514): every message, but only where that is offered.
    SaveDateSupported,
    /// This email (RFC 8474); one that no message has is `None`.
    EmailId(Option<u64>),
    /// This thread (RFC 8474): no message has one.
    ThreadId,
    /// The last result was asked for fuzzily (RFC 6203); which of its texts are, they say themselves.
    Fuzzy,
    /// As `Header`, fuzzily (RFC 6203).
    FuzzyHeader(Vec<u8>, Vec<u8>),
    /// As `Body`, fuzzily.
    FuzzyBody(Vec<u8>),
    /// As `Text`, fuzzily.
    FuzzyText(Vec<u8>),
    /// Not the last result.
    Not,
    /// Either of the last two.
    Or,
    /// All of the last so many.
    And(u32),
}

/// `[SP "RETURN" …] SP search-program`
pub(super) fn search(cursor: &mut Piecewise<'_>, uid: bool, options: Options) -> Read<Search> {
    cursor.space()?;
    search_behind(cursor, uid, options)
}

/// `[SP "IN" SP "(" … ")"] [SP "RETURN" …] SP search-program` (RFC 7377 §4)
pub(super) fn multi_search(cursor: &mut Piecewise<'_>, options: Options) -> Read<MultiSearch> {
    cursor.space()?;
    let mut sources = Vec::new();
    if cursor.take_word(b"IN") {
        cursor.space()?;
        sources = cursor.labelled("source-mbox", false, |cursor| {
            cursor.list("( and mailboxes", |cursor| notify::source(cursor, options))
        })?;
        if sources.is_empty() {
            return cursor.expected("at least one mailbox specifier");
        }
        cursor.space()?;
    }
    let mut search = search_behind(cursor, true, options)?;
    // RFC 7377 §2.1: without a result option it is ALL.
    let all = SearchReturn { all: true, ..SearchReturn::default() };
    search.returns.get_or_insert(all);
    Ok(MultiSearch { sources, search })
}

fn search_behind(cursor: &mut Piecewise<'_>, uid: bool, options: Options) -> Read<Search> {
    let returns = returns(cursor)?;
    let mut charset = Vec::new();
    if cursor.take_word(b"CHARSET") {
        if options.no_charset {
            return Err(Bad::NeedlessCharset);
        }
        cursor.space()?;
        charset = cursor.labelled("charset", false, |cursor| cursor.astring("a charset"))?;
        cursor.space()?;
        if !charset::is_known(&charset) {
            return Err(Bad::Charset { saves: returns.is_some_and(|returns| returns.save) });
        }
    }
    let program = keys(cursor, &charset)?;
    needs_fuzzy(cursor, returns.is_some_and(|returns| returns.relevancy), &program)?;
    Ok(Search { uid, returns, program })
}

/// RFC 6203 §4, §6: RELEVANCY is of a FUZZY key.
pub(super) fn needs_fuzzy(cursor: &Piecewise<'_>, relevancy: bool, program: &[Key]) -> Read<()> {
    match relevancy && !program.contains(&Key::Fuzzy) {
        true => cursor.expected("FUZZY, which RELEVANCY is about"),
        false => Ok(()),
    }
}

/// `["RETURN" SP "(" … ")" SP]`
pub(super) fn returns(cursor: &mut Piecewise<'_>) -> Read<Option<SearchReturn>> {
    if !cursor.take_word(b"RETURN") {
        return Ok(None);
    }
    cursor.space()?;
    let returns = search_return(cursor)?;
    cursor.space()?;
    Ok(Some(returns))
}

/// `search-key *(SP search-key)`, with texts in this charset.
pub(super) fn keys(cursor: &mut Piecewise<'_>, charset: &[u8]) -> Read<Vec<Key>> {
    cursor.labelled("search-key", false, |cursor| program(cursor, charset))
}

fn search_return(cursor: &mut Piecewise<'_>) -> Read<SearchReturn> {
    let mut returns = SearchReturn::default();
    cursor.labelled("search-return-opts", false, |cursor| {
        cursor.list("(", |cursor| {
            let SearchReturn { min, max, all, count, save, partial, context, relevancy, update } =
                &mut returns;
            if partial.is_none() && cursor.take_word(b"PARTIAL") {
                cursor.space()?;
                *partial = Some(partial_range(cursor)?);
                return Ok(());
            }
            if update.is_none() && cursor.take_word(b"UPDATE") {
                *update = Some(Update::Results);
                if cursor.text().starts_with(b" (") {
                    cursor.space()?;
                    fetch::attributes(cursor)?;
                    *update = Some(Update::WithItems);
                }
                return Ok(());
            }
            let options = [
                (&b"CONTEXT"[..], context),
                (b"RELEVANCY", relevancy),
                (b"MIN", min),
                (b"MAX", max),
                (b"ALL", all),
                (b"COUNT", count),
                (b"SAVE", save),
            ];
            for (name, option) in options {
                if cursor.take_word(name) {
                    *option = true;
                    return Ok(());
                }
            }
            cursor.expected(
                "MIN, MAX, ALL, COUNT, SAVE, CONTEXT, RELEVANCY, or one PARTIAL or UPDATE",
            )
        })
    })?;
    let SearchReturn { min, max, all, count, save, partial, relevancy, .. } = returns;
    // RFC 9394 §3.1
    if all && partial.is_some() {
        return cursor.expected("either ALL or PARTIAL");
    }
    // RFC 9051 §6.4.4: no option means ALL; SAVE alone returns nothing.
    returns.all = all || !(min || max || count || save || relevancy || partial.is_some());
    Ok(returns)
}

/// `partial-range = partial-range-first / partial-range-last` (RFC 9394 §4)
pub(super) fn partial_range(cursor: &mut Piecewise<'_>) -> Read<PartialRange> {
    let from_end = cursor.take(b'-');
    let first = cursor.nz_number("a place from 1")?;
    cursor.must(b':', ":")?;
    if from_end {
        cursor.must(b'-', "-")?;
    }
    let last = cursor.nz_number("a place from 1")?;
    Ok(PartialRange { from_end, first, last })
}

/// What is not complete: a join that waits for its operands.
enum Waiting {
    /// NOT
    Not,
    /// FUZZY
    Fuzzy,
    /// OR, and how many operands it still needs.
    Or(u8),
    /// A list, and how many keys it has so far.
    List(u32),
}

/// `search-key *(SP search-key)`; the stack is ours, not the machine's.
fn program(cursor: &mut Piecewise<'_>, charset: &[u8]) -> Read<Vec<Key>> {
    let mut out: Vec<Key> = Vec::new();
    let mut waiting: Vec<Waiting> = Vec::new();
    let (mut keys, mut fuzzy) = (0u32, 0u32);
    loop {
        if waiting.len() > DEPTH_MAX || out.len() > KEYS_MAX {
            return Err(Bad::TooDeep);
        }
        // One key, or the beginning of one.
        if cursor.take(b'(') {
            waiting.push(Waiting::List(0));
            continue;
        }
        if cursor.take_word(b"NOT") {
            cursor.space()?;
            waiting.push(Waiting::Not);
            continue;
        }
        if cursor.take_word(b"OR") {
            cursor.space()?;
            waiting.push(Waiting::Or(2));
            continue;
        }
        if cursor.take_word(b"FUZZY") {
            cursor.space()?;
            waiting.push(Waiting::Fuzzy);
            fuzzy += 1;
            continue;
        }
        key(cursor, charset, &mut out)?;
        if fuzzy > 0 {
            out.last_mut().into_iter().for_each(become_fuzzy);
        }
        // What this key completes.
        loop {
            match waiting.last_mut() {
                Some(Waiting::Not) => {
                    waiting.pop();
                    out.push(Key::Not);
                }
                Some(Waiting::Fuzzy) => {
                    waiting.pop();
                    fuzzy -= 1;
                    out.push(Key::Fuzzy);
                }
                Some(Waiting::Or(1)) => {
                    waiting.pop();
                    out.push(Key::Or);
                }
                Some(Waiting::Or(needed)) => {
                    *needed -= 1;
                    cursor.space()?;
                    break;
                }
                Some(Waiting::List(count)) => {
                    *count += 1;
                    if !cursor.take(b')') {
                        cursor.space()?;
                        break;
                    }
                    let count = *count;
                    waiting.pop();
                    and(&mut out, count);
                }
                None => {
                    keys += 1;
                    if cursor.take(b' ') {
                        break;
                    }
                    and(&mut out, keys);
                    return Ok(out);
                }
            }
        }
    }
}

/// RFC 6203 §5: texts are matched fuzzily, and all else is as it is. So is a text without words.
fn become_fuzzy(key: &mut Key) {
    let taken = core::mem::replace(key, Key::All);
    *key = match taken {
        Key::Header(name, text) if fuzzy::has_words(&text) => Key::FuzzyHeader(name, text),
        Key::Body(text) if fuzzy::has_words(&text) => Key::FuzzyBody(text),
        Key::Text(text) if fuzzy::has_words(&text) => Key::FuzzyText(text),
        key => key,
    };
}

fn and(out: &mut Vec<Key>, count: u32) {
    if count > 1 {
        out.push(Key::And(count));
    }
}

/// A key without keys inside.
fn key(cursor: &mut Piecewise<'_>, charset: &[u8], out: &mut Vec<Key>) -> Read<()> {
    if cursor.peek().is_some_and(|octet| octet.is_ascii_digit() || matches!(octet, b'*' | b'$')) {
        out.push(Key::Numbers(sequence_set(cursor)?));
        return Ok(());
    }
    let name = cursor.atom("a search key")?.to_ascii_uppercase();
    if let Some(key) = flag_key(&name) {
        out.extend(key);
        return Ok(());
    }
    match argument_key(cursor, &name, charset)? {
        Some(key) => out.push(key),
        None => return cursor.expected("a search key that is known"),
    }
    if name == b"UNKEYWORD" {
        out.push(Key::Not);
    }
    Ok(())
}

/// Keys that are about flags: `ANSWERED`, `UNANSWERED`, `NEW` and the like.
fn flag_key(name: &[u8]) -> Option<Vec<Key>> {
    let system = |name: &[u8]| {
        let found =
            SYSTEM_FLAGS.iter().find(|(flag, _)| name.eq_ignore_ascii_case(flag.as_bytes()));
        found.map(|(_, bit)| Key::System(*bit))
    };
    match name {
        b"ALL" => Some(alloc::vec![Key::All]),
        b"SAVEDATESUPPORTED" => Some(alloc::vec![Key::SaveDateSupported]),
        b"RECENT" => Some(alloc::vec![Key::Recent]),
        b"OLD" => Some(alloc::vec![Key::Recent, Key::Not]),
        b"NEW" => Some(alloc::vec![Key::Recent, Key::System(8), Key::Not, Key::And(2)]),
        _ => match (system(name), name.strip_prefix(b"UN").and_then(system)) {
            (Some(key), _) => Some(alloc::vec![key]),
            (None, Some(key)) => Some(alloc::vec![key, Key::Not]),
            (None, None) => None,
        },
    }
}

fn argument_key(cursor: &mut Piecewise<'_>, name: &[u8], charset: &[u8]) -> Read<Option<Key>> {
    let takes_argument = [
        &b"BCC"[..],
        b"BEFORE",
        b"BODY",
        b"CC",
        b"EMAILID",
        b"FROM",
        b"HEADER",
        b"KEYWORD",
        b"LARGER",
        b"MODSEQ",
        b"OLDER",
        b"ON",
        b"SAVEDBEFORE",
        b"SAVEDON",
        b"SAVEDSINCE",
        b"SENTBEFORE",
        b"SENTON",
        b"SENTSINCE",
        b"SINCE",
        b"SMALLER",
        b"SUBJECT",
        b"TEXT",
        b"THREADID",
        b"TO",
        b"UID",
        b"UIDAFTER",
        b"UIDBEFORE",
        b"UNKEYWORD",
        b"YOUNGER",
    ];
    if !takes_argument.contains(&name) {
        return Ok(None);
    }
    cursor.space()?;
    Ok(Some(match name {
        b"BEFORE" => Key::Before(date(cursor)?),
        b"ON" => Key::On(date(cursor)?),
        b"SINCE" => Key::Since(date(cursor)?),
        b"SAVEDBEFORE" => Key::SavedBefore(date(cursor)?),
        b"SAVEDON" => Key::SavedOn(date(cursor)?),
        b"SAVEDSINCE" => Key::SavedSince(date(cursor)?),
        b"EMAILID" => Key::EmailId(email_id(object_id(cursor)?)),
        b"THREADID" => {
            object_id(cursor)?;
            Key::ThreadId
        }
        b"SENTBEFORE" => Key::SentBefore(date(cursor)?),
        b"SENTON" => Key::SentOn(date(cursor)?),
        b"SENTSINCE" => Key::SentSince(date(cursor)?),
        b"BODY" => Key::Body(text(cursor, charset)?),
        b"TEXT" => Key::Text(text(cursor, charset)?),
        b"KEYWORD" | b"UNKEYWORD" => Key::Keyword(cursor.atom("a keyword")?.to_vec()),
        b"LARGER" => Key::Larger(cursor.number64("a size")?),
        b"SMALLER" => Key::Smaller(cursor.number64("a size")?),
        b"YOUNGER" => Key::Younger(cursor.nz_number("seconds")?),
        b"OLDER" => Key::Older(cursor.nz_number("seconds")?),
        b"UID" => Key::Uids(sequence_set(cursor)?),
        // RFC 9738 §3.2; unlike `n:*` they never mean the highest UID by its name.
        b"UIDAFTER" => {
            let first = cursor.nz_number("a UID")?.checked_add(1);
            Key::Uids(first.map_or_else(SequenceSet::default, |first| range(first, u32::MAX)))
        }
        b"UIDBEFORE" => match cursor.nz_number("a UID")? {
            1 => Key::Uids(SequenceSet::default()),
            uid => Key::Uids(range(1, uid - 1)),
        },
        b"MODSEQ" => modseq(cursor)?,
        b"HEADER" => {
            let field = cursor.astring("a field name")?;
            cursor.space()?;
            Key::Header(field, text(cursor, charset)?)
        }
        field => Key::Header(field.to_vec(), text(cursor, charset)?),
    }))
}

fn range(first: u32, last: u32) -> SequenceSet {
    let ranges = [(SetNumber::Number(first), SetNumber::Number(last))].to_vec();
    SequenceSet { ranges, saved: false }
}

/// `MODSEQ [SP entry-name SP entry-type-req] SP mod-sequence-valzer` (RFC 7162 §3.1.5)
fn modseq(cursor: &mut Piecewise<'_>) -> Read<Key> {
    if cursor.peek() == Some(b'"') {
        cursor.string("an entry name")?;
        cursor.space()?;
        cursor.atom("priv, shared or all")?;
        cursor.space()?;
    }
    cursor.number64("a mod-sequence").map(Key::Modseq)
}

/// `objectid = 1*255(ALPHA / DIGIT / "_" / "-")` (RFC 8474 §7)
fn object_id<'a>(cursor: &mut Piecewise<'a>) -> Read<&'a [u8]> {
    let right = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-');
    let id = cursor.take_while(right);
    if id.is_empty() || id.len() > 255 { cursor.expected("an object identifier") } else { Ok(id) }
}

/// Our own form: `M` and the number of the message's octets.
fn email_id(id: &[u8]) -> Option<u64> {
    let digits = core::str::from_utf8(id.strip_prefix(b"M")?).ok()?;
    let canonical = !digits.starts_with(['0', '+', '-']) || digits == "0";
    digits.parse().ok().filter(|_| canonical)
}

fn text(cursor: &mut Piecewise<'_>, charset: &[u8]) -> Read<Vec<u8>> {
    let wire = cursor.astring("a text to search for")?;
    Ok(charset::decode(charset, &wire).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::grammar::Piece;
    use alloc::vec;

    fn parsed(text: &str) -> Result<Vec<Key>, Bad> {
        let pieces = [Piece::Text(alloc::format!(" {text}").into_bytes(), 0)];
        let mut cursor = Piecewise::new(&pieces);
        let search = search(&mut cursor, false, Options::default())?;
        cursor.end()?;
        Ok(search.program)
    }

    #[test]
    fn keys_become_a_program() {
        let (seen, deleted) = (Key::System(8), Key::System(4));
        assert_eq!(parsed("UNSEEN"), Ok(vec![seen.clone(), Key::Not]));
        assert_eq!(parsed("UNKEYWORD x"), Ok(vec![Key::Keyword(b"x".to_vec()), Key::Not]));
        assert_eq!(parsed("SEEN DELETED"), Ok(vec![seen.clone(), deleted.clone(), Key::And(2)]));
        assert_eq!(
            parsed("OR (SEEN DELETED) NOT ALL 1:5"),
            Ok(vec![
                seen,
                deleted,
                Key::And(2),
                Key::All,
                Key::Not,
                Key::Or,
                Key::Numbers(SequenceSet {
                    ranges: vec![(
                        super::super::SetNumber::Number(1),
                        super::super::SetNumber::Number(5)
                    )],
                    saved: false,
                }),
                Key::And(2),
            ])
        );
        let header = Key::Header(b"SUBJECT".to_vec(), "ä".as_bytes().to_vec());
        let pieces = [
            Piece::Text(b" CHARSET iso-8859-1 SUBJECT ".to_vec(), 0),
            Piece::Literal(b"\xe4".to_vec(), 29, false),
            Piece::Text(Vec::new(), 32),
        ];
        let program = search(&mut Piecewise::new(&pieces), true, Options::default())
            .map(|search| search.program);
        assert_eq!(program, Ok(vec![header]));
    }

    #[test]
    fn what_is_behind_fuzzy_is_fuzzy() {
        let subject = |text: &str| Key::FuzzyHeader(b"SUBJECT".to_vec(), text.as_bytes().to_vec());
        assert_eq!(
            parsed("FUZZY (SUBJECT x SEEN) BODY y"),
            Ok(vec![
                subject("x"),
                Key::System(8),
                Key::And(2),
                Key::Fuzzy,
                Key::Body(b"y".to_vec()),
                Key::And(2)
            ])
        );
        assert_eq!(
            parsed("OR FUZZY NOT SUBJECT x TEXT y"),
            Ok(vec![subject("x"), Key::Not, Key::Fuzzy, Key::Text(b"y".to_vec()), Key::Or])
        );
        assert_eq!(parsed("FUZZY TEXT \"..\""), Ok(vec![Key::Text(b"..".to_vec()), Key::Fuzzy]));
        assert!(parsed("RETURN (RELEVANCY ALL) FUZZY TEXT x").is_ok());
        for wrong in ["FUZZY", "RETURN (RELEVANCY) TEXT x", "FUZZY FOO"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parsed(&"FUZZY ".repeat(1_000_000)), Err(Bad::TooDeep));
    }

    #[test]
    fn sources_stand_before_the_rest() {
        let sources = |text: &str| {
            let pieces = [Piece::Text(alloc::format!(" {text}").into_bytes(), 0)];
            let mut cursor = Piecewise::new(&pieces);
            let found = multi_search(&mut cursor, Options::default()).ok()?;
            cursor.end().ok()?;
            found.search.returns.filter(|returns| returns.all)?;
            Some(found.sources)
        };
        use super::super::Scope;
        let names = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect();
        assert_eq!(sources("UNSEEN"), Some(vec![]));
        assert_eq!(
            sources("IN (mailboxes f1 Subtree-One (\"a b\" c) selected) RETURN (ALL COUNT) SEEN"),
            Some(vec![
                Scope::Mailboxes(names(&["f1"])),
                Scope::SubtreeOne(names(&["a b", "c"])),
                Scope::Selected
            ])
        );
        for wrong in [
            "IN () ALL",
            "IN selected ALL",
            "IN (selected-delayed) ALL",
            "IN (mailboxes f1 (x)) ALL",
            "IN (selected)",
            "IN",
        ] {
            assert_eq!(sources(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        assert_eq!(parsed(&"(".repeat(1_000_000)), Err(Bad::TooDeep));
        assert_eq!(parsed(&"NOT ".repeat(1_000_000)), Err(Bad::TooDeep));
        assert_eq!(parsed(&"OR ".repeat(1_000_000)), Err(Bad::TooDeep));
        assert!(parsed(&alloc::format!("{}ALL{}", "(".repeat(60), ")".repeat(60))).is_ok());
        for wrong in
            ["", "()", "(", "OR SEEN", "NOT", "FOO", "SEEN)", "BEFORE x", "LARGER x", "UID 0"]
        {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parsed("CHARSET x-no ALL"), Err(Bad::Charset { saves: false }));
    }
}
