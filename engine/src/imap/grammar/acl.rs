//! The arguments of the commands about rights (RFC 4314 §7).

use alloc::vec::Vec;

use super::command::{Command, SetAcl};
use super::cursor::{Piecewise, Read};
use super::parse::{Options, mailbox};
use crate::imap::rights::Rights;
use crate::imap::types::StoreMode;
use crate::limits::ACL_IDENTIFIER_MAX;

/// `"SETACL" SP mailbox SP identifier SP mod-rights`
pub(super) fn set(cursor: &mut Piecewise<'_>, options: Options) -> Read<Command> {
    let name = mailbox(cursor, options)?;
    let identifier = identifier(cursor)?;
    cursor.space()?;
    let letters = cursor.astring("rights")?;
    let (mode, letters) = match letters.split_first() {
        Some((b'+', letters)) => (StoreMode::Add, letters),
        Some((b'-', letters)) => (StoreMode::Remove, letters),
        _ => (StoreMode::Replace, &letters[..]),
    };
    // RFC 4314 §3.1: a letter that is not known is never passed over.
    match Rights::parse(letters) {
        Some(rights) => Ok(Command::SetAcl(SetAcl { name, identifier, mode, rights })),
        None => cursor.expected("rights that are known, in small letters"),
    }
}

/// `SP mailbox SP identifier`
pub(super) fn about(cursor: &mut Piecewise<'_>, options: Options) -> Read<(Vec<u8>, Vec<u8>)> {
    let name = mailbox(cursor, options)?;
    Ok((name, identifier(cursor)?))
}

/// `SP identifier`; those that begin with a dash take rights away, which nobody need offer (RFC 4314 §2).
fn identifier(cursor: &mut Piecewise<'_>) -> Read<Vec<u8>> {
    cursor.space()?;
    let identifier = cursor.labelled("identifier", false, |c| c.astring("an identifier"))?;
    let text = core::str::from_utf8(&identifier);
    let right = text.is_ok_and(|text| !text.is_empty() && !text.chars().any(char::is_control));
    if !right || identifier.len() > ACL_IDENTIFIER_MAX {
        return cursor.expected("an identifier");
    }
    if identifier.starts_with(b"-") {
        return cursor.expected("an identifier without a dash before it");
    }
    Ok(identifier)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::grammar::{Piece, parse};

    fn command(text: &str) -> Option<Command> {
        let pieces = [Piece::Text(text.as_bytes().to_vec(), 0)];
        Some(parse(&mut Piecewise::new(&pieces), Options::default()).ok()?.command)
    }

    #[test]
    fn commands_about_rights_are_parsed() {
        let set = |mode, letters: &str| {
            let rights = Rights::parse(letters.as_bytes()).expect("known");
            let (name, identifier) = (b"INBOX".to_vec(), b"ann@x".to_vec());
            Some(Command::SetAcl(SetAcl { name, identifier, mode, rights }))
        };
        assert_eq!(command("a SETACL inbox ann@x lrs"), set(StoreMode::Replace, "lrs"));
        assert_eq!(command("a setacl inbox ann@x +cd"), set(StoreMode::Add, "kxte"));
        assert_eq!(command("a setacl inbox ann@x -l"), set(StoreMode::Remove, "l"));
        assert_eq!(command("a setacl inbox ann@x \"\""), set(StoreMode::Replace, ""));
        let both = (b"x".to_vec(), b"anyone".to_vec());
        assert_eq!(
            command("a DELETEACL x anyone"),
            Some(Command::DeleteAcl(both.0.clone(), both.1))
        );
        assert_eq!(command("a MYRIGHTS x"), Some(Command::MyRights(both.0)));
        for wrong in [
            "a SETACL x ann lrQ",
            "a SETACL x ann lrq",
            "a SETACL x ann",
            "a SETACL x -ann lr",
            "a SETACL x \"\" lr",
            "a GETACL",
            "a LISTRIGHTS x",
        ] {
            assert_eq!(command(wrong), None, "{wrong}");
        }
    }
}
