//! What a lenient server lets pass (`Config::lenient`): a client that is out of order or out of step, or that writes a path
//! or its own name wrongly, is understood as it was meant. Each time a reader is told of the rule that was broken.

use alloc::vec::Vec;

use super::{Common, Server};
use crate::role::Cx;
use crate::smtp::grammar::{Command, Parts, PathError, Syntax, parse};
use crate::smtp::types::Event;
use crate::trace::Rule;

impl Server {
    /// The peer broke this rule, and nothing comes of it.
    pub(super) fn tolerate(&self, cx: &mut Cx<Self>, rule: &'static Rule) {
        cx.note_defect(rule);
        cx.event(Event::Defect(rule.gist.as_bytes().to_vec()));
    }

    /// What a command was meant to be whose argument is wrong; none if that cannot be known.
    pub(super) fn meant(&self, line: &[u8], syntax: Syntax) -> Option<Command> {
        let Common { config, .. } = &*self.common;
        let line = match syntax {
            Syntax::Path(_, PathError::Syntax) => in_brackets(line)?,
            // What it says of itself is not believed anyway, so its address does as well (RFC 5321 §4.1.4).
            Syntax::Argument if says_hello(line) => {
                let address = &config.peer.address[..];
                let tag: &[u8] = if address.contains(&b':') { b"IPv6:" } else { b"" };
                [&line[..4], b" [", tag, address, b"]"].concat()
            }
            _ => return None,
        };
        let auth = !config.auth.mechanisms.is_empty();
        parse(&line, self.common.offered(), auth, &mut Parts::new(false)).ok()
    }
}

fn says_hello(line: &[u8]) -> bool {
    let verb = line.get(..4).unwrap_or_default();
    let end = line.get(4).is_none_or(|octet| *octet == b' ');
    end && [b"EHLO", b"HELO", b"LHLO"].iter().any(|hello| verb.eq_ignore_ascii_case(*hello))
}

/// `MAIL FROM:bob@hamburger.edu` with the brackets that it lacks.
fn in_brackets(line: &[u8]) -> Option<Vec<u8>> {
    let colon = line.iter().position(|octet| *octet == b':')?;
    let (head, rest) = line.split_at(colon + 1);
    let rest = rest.trim_ascii();
    let end = rest.iter().position(|octet| *octet == b' ').unwrap_or(rest.len());
    let (path, parameters) = rest.split_at(end);
    let bare = !path.is_empty() && !path.contains(&b'<') && !path.contains(&b'>');
    bare.then(|| [head, b"<", path, b">", parameters].concat())
}
