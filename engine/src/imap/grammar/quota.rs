//! The arguments of the QUOTA commands (RFC 9208 §7).

use alloc::vec::Vec;

use super::command::Command;
use super::cursor::{Piecewise, Read};
use super::parse::{Options, mailbox};
use crate::imap::types::QuotaLimit;

/// Limits of one SETQUOTA: four resources have a name.
const LIMITS_MAX: usize = 16;

/// `"GETQUOTA" SP quota-root-name`
pub(super) fn get(cursor: &mut Piecewise<'_>) -> Read<Command> {
    root(cursor).map(Command::GetQuota)
}

/// `"GETQUOTAROOT" SP mailbox`
pub(super) fn get_root(cursor: &mut Piecewise<'_>, options: Options) -> Read<Command> {
    mailbox(cursor, options).map(Command::GetQuotaRoot)
}

/// `"SETQUOTA" SP quota-root-name SP setquota-list`
pub(super) fn set(cursor: &mut Piecewise<'_>) -> Read<Command> {
    let root = root(cursor)?;
    cursor.space()?;
    let limits = cursor.list("( and limits", |cursor| {
        let resource = cursor.atom("a resource")?.to_ascii_uppercase();
        cursor.space()?;
        Ok(QuotaLimit { resource, limit: cursor.number64("a limit")? })
    })?;
    let twice = |(at, limit): (usize, &QuotaLimit)| {
        limits[..at].iter().any(|one| one.resource == limit.resource)
    };
    if limits.len() > LIMITS_MAX || limits.iter().enumerate().any(twice) {
        return cursor.expected("each resource but once");
    }
    Ok(Command::SetQuota(root, limits))
}

/// `SP astring`
fn root(cursor: &mut Piecewise<'_>) -> Read<Vec<u8>> {
    cursor.space()?;
    cursor.astring("a quota root")
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
    fn quota_commands_are_parsed() {
        assert_eq!(command("a GETQUOTA \"\""), Some(Command::GetQuota(Vec::new())));
        assert_eq!(command("a getquotaroot inbox"), Some(Command::GetQuotaRoot(b"INBOX".to_vec())));
        let limit = QuotaLimit { resource: b"STORAGE".to_vec(), limit: 512 };
        let set = Command::SetQuota(b"x".to_vec(), [limit].to_vec());
        assert_eq!(command("a SETQUOTA x (storage 512)"), Some(set));
        assert_eq!(command("a SETQUOTA x ()"), Some(Command::SetQuota(b"x".to_vec(), Vec::new())));
        for wrong in
            ["a SETQUOTA x", "a SETQUOTA x (STORAGE)", "a SETQUOTA x (A 1 A 2)", "a GETQUOTA"]
        {
            assert_eq!(command(wrong), None, "{wrong}");
        }
    }
}
