//! The arguments of NOTIFY (RFC 5465 §8): which changes of which mailboxes a client wants to be told of.

use alloc::vec::Vec;

use super::command::{Command, EventGroup, Events, Notify, Scope};
use super::cursor::{Piecewise, Read};
use super::fetch;
use super::mailbox::mailbox_name;
use super::parse::Options;

/// `"NOTIFY" SP (notify-set / notify-none)`
pub(super) fn notify(cursor: &mut Piecewise<'_>, options: Options) -> Read<Command> {
    cursor.space()?;
    if cursor.take_word(b"NONE") {
        return Ok(Command::Notify(Notify::None));
    }
    if !cursor.take_word(b"SET") {
        return cursor.expected("SET or NONE");
    }
    cursor.space()?;
    let status = cursor.take_word(b"STATUS");
    if status {
        cursor.space()?;
    }
    let mut groups = [group(cursor, options)?].to_vec();
    while cursor.take(b' ') {
        groups.push(group(cursor, options)?);
    }
    let selected = |group: &&EventGroup| group.scope.is_selected();
    if groups.iter().filter(selected).count() > 1 {
        return cursor.expected("SELECTED or SELECTED-DELAYED, and only once");
    }
    Ok(Command::Notify(Notify::Set { status, groups }))
}

/// `event-group = "(" filter-mailboxes SP events ")"`
fn group(cursor: &mut Piecewise<'_>, options: Options) -> Read<EventGroup> {
    cursor.must(b'(', "( and mailboxes")?;
    let scope = cursor.labelled("filter-mailboxes", false, |cursor| scope(cursor, options))?;
    cursor.space()?;
    let events = cursor.labelled("events", false, |cursor| events(cursor, scope.is_selected()))?;
    cursor.must(b')', ")")?;
    Ok(EventGroup { scope, events })
}

fn scope(cursor: &mut Piecewise<'_>, options: Options) -> Read<Scope> {
    let word = cursor.atom("which mailboxes")?.to_ascii_uppercase();
    Ok(match &word[..] {
        b"SELECTED" => Scope::Selected,
        b"SELECTED-DELAYED" => Scope::SelectedDelayed,
        b"INBOXES" => Scope::Inboxes,
        b"PERSONAL" => Scope::Personal,
        b"SUBSCRIBED" => Scope::Subscribed,
        b"SUBTREE" => Scope::Subtree(tops(cursor, options)?),
        b"MAILBOXES" => Scope::Mailboxes(names(cursor, options, false)?),
        _ => return cursor.expected("a mailbox specifier that is known"),
    })
}

/// RFC 7377 §4: `filter-mailboxes` of ESEARCH, which has SUBTREE-ONE and no SELECTED-DELAYED.
pub(super) fn source(cursor: &mut Piecewise<'_>, options: Options) -> Read<Scope> {
    if cursor.take_word(b"SUBTREE-ONE") {
        return tops(cursor, options).map(Scope::SubtreeOne);
    }
    match scope(cursor, options)? {
        Scope::SelectedDelayed => cursor.expected("a mailbox specifier of ESEARCH"),
        scope => Ok(scope),
    }
}

/// `SP one-or-more-mailbox` of a subtree; the empty name is that of the root.
fn tops(cursor: &mut Piecewise<'_>, options: Options) -> Read<Vec<Vec<u8>>> {
    names(cursor, options, true)
}

/// `SP one-or-more-mailbox`. A name that no mailbox can have is passed over, as one that no mailbox has (RFC 5465 §3.1).
fn names(cursor: &mut Piecewise<'_>, options: Options, root: bool) -> Read<Vec<Vec<u8>>> {
    cursor.space()?;
    let wire = if cursor.peek() == Some(b'(') {
        cursor.list("(", |cursor| cursor.astring("a mailbox name"))?
    } else {
        [cursor.astring("a mailbox name")?].to_vec()
    };
    if wire.is_empty() {
        return cursor.expected("at least one mailbox name");
    }
    let name = |name: &Vec<u8>| match name.is_empty() {
        true => root.then(Vec::new),
        false => mailbox_name(name, options.utf8).ok(),
    };
    Ok(wire.iter().filter_map(name).collect())
}

/// `events = ( "(" event *(SP event) ")" ) / "NONE"`
fn events(cursor: &mut Piecewise<'_>, selected: bool) -> Read<Events> {
    let mut events = Events::default();
    if cursor.take_word(b"NONE") {
        return Ok(events);
    }
    cursor.must(b'(', "( and events, or NONE")?;
    loop {
        event(cursor, selected, &mut events)?;
        if cursor.take(b')') {
            break;
        }
        cursor.space()?;
    }
    // RFC 5465 §5
    let new = events.message_new.is_some();
    if new != events.message_expunge || (events.flag_change && !new) {
        return cursor.expected("MessageNew and MessageExpunge together");
    }
    Ok(events)
}

fn event(cursor: &mut Piecewise<'_>, selected: bool, events: &mut Events) -> Read<()> {
    let name = cursor.atom("an event")?.to_ascii_uppercase();
    let of_messages = match &name[..] {
        b"MESSAGENEW" => {
            let mut items = Vec::new();
            if cursor.text().starts_with(b" (") {
                if !selected {
                    return cursor.expected("no data items but for the selected mailbox");
                }
                cursor.space()?;
                items = fetch::attributes(cursor)?;
            }
            events.message_new = Some(items);
            true
        }
        b"MESSAGEEXPUNGE" => {
            events.message_expunge = true;
            true
        }
        b"FLAGCHANGE" => {
            events.flag_change = true;
            true
        }
        b"MAILBOXNAME" => {
            events.mailbox_name = true;
            false
        }
        b"SUBSCRIPTIONCHANGE" => {
            events.subscription_change = true;
            false
        }
        b"MAILBOXMETADATACHANGE" => {
            events.mailbox_metadata_change = true;
            false
        }
        b"SERVERMETADATACHANGE" => {
            events.server_metadata_change = true;
            false
        }
        _ => {
            events.is_unknown = true;
            true
        }
    };
    // RFC 5465 §6.1
    if selected && !of_messages {
        return cursor.expected("events of messages for the selected mailbox");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::grammar::{Bad, FetchItem, Piece, parse};

    fn command(text: &str) -> Result<Command, Bad> {
        let pieces = [Piece::Text(text.as_bytes().to_vec(), 0)];
        parse(&mut Piecewise::new(&pieces), Options::default()).map(|tagged| tagged.command)
    }

    #[test]
    fn groups_are_parsed() {
        assert_eq!(command("a NOTIFY none"), Ok(Command::Notify(Notify::None)));
        let parsed = command(
            "a notify set status (selected-delayed (MessageNew (uid flags uid) MessageExpunge)) \
             (subtree (Lists \"a b\" x//y) (mailboxname))",
        );
        let selected = Events {
            message_new: Some([FetchItem::Uid, FetchItem::Flags].to_vec()),
            message_expunge: true,
            ..Events::default()
        };
        let names = Events { mailbox_name: true, ..Events::default() };
        let subtree = Scope::Subtree([b"Lists".to_vec(), b"a b".to_vec()].to_vec());
        let groups = [
            EventGroup { scope: Scope::SelectedDelayed, events: selected },
            EventGroup { scope: subtree, events: names },
        ];
        let set = Notify::Set { status: true, groups: groups.to_vec() };
        assert_eq!(parsed, Ok(Command::Notify(set)));
        for (text, right) in [
            ("(personal none)", true),
            ("(mailboxes INBOX (MessageNew MessageExpunge FlagChange))", true),
            ("(inboxes (AnnotationChange))", true),
            ("(personal (ServerMetadataChange))", true),
            ("personal none", false),
            ("(personal MessageNew)", false),
            ("(personal ())", false),
            ("(everything none)", false),
            ("(mailboxes () none)", false),
            ("(personal (MessageNew))", false),
            ("(personal (FlagChange))", false),
            ("(personal (MessageNew (uid) MessageExpunge))", false),
            ("(selected (MessageNew () MessageExpunge))", false),
            ("(selected (MailboxName))", false),
            ("(selected none) (selected-delayed none)", false),
        ] {
            let parsed = command(&alloc::format!("a NOTIFY SET {text}"));
            assert_eq!(parsed.is_ok(), right, "{text}: {parsed:?}");
        }
    }
}
