//! From lines and literals to a parsed command, and what is answered to those that are none (RFC
//! 9051 §2.2, §4.3).

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use super::capability::Feature;
use super::job::Next;
use super::reply::Reply;
use super::runs::Runs;
use super::state::State;
use super::{Base, Doing, Server, append, metadata, phase};
use crate::foreign;
use crate::imap::grammar::lex;
use crate::imap::grammar::{
    self, Assembled, Assembly, Bad, Command, Literal, Piece, Piecewise, Problem, Token,
};
use crate::imap::types::Event;
use crate::role::{Cx, Line, LineFault, Role, Want};
use crate::text::charset;
use crate::trace::Rule;

/// RFC 9051 §2.2.1.
pub(crate) const SYNTAX: Rule = Rule {
    rfc: 9051,
    section: "2.2.1",
    gist: "A command that cannot be parsed is answered BAD, under its tag if it has one.",
};
/// RFC 9051 §4.3.
pub(crate) const LITERAL: Rule = Rule {
    rfc: 9051,
    section: "4.3",
    gist: "Before the octets of a literal the client waits for a continuation request.",
};
/// RFC 7888 §3.
pub(crate) const NON_SYNC: Rule = Rule {
    rfc: 7888,
    section: "3",
    gist: "Octets announced with {n+} come without waiting and belong to \
           their command, even a bad one.",
};

/// Octets of a tag under which a line that is too long is answered.
const TAG_MAX: usize = 1000;

/// A command being gathered.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    assembly: Assembly,
    /// It will be refused so under this tag, once all that belongs to it has passed by.
    doomed: Option<(Vec<u8>, Reply)>,
}

impl Incoming {
    pub(crate) fn want(&self, base: &Base, state: &State) -> Want {
        if let Some(left) = self.assembly.due() {
            return Want::Octets { left };
        }
        let limits = &base.config.limits;
        let max = match state {
            State::NotAuthenticated => limits.line_max,
            _ => limits.line_after_login_max,
        };
        let max = max as usize;
        match state {
            State::NotAuthenticated if self.is_empty() => Want::FirstTagged { max },
            _ => Want::Line { max },
        }
    }

    /// Whether nothing of a command has come.
    pub(crate) fn is_empty(&self) -> bool {
        self.assembly.is_empty() && self.doomed.is_none()
    }

    /// What follows a message that must be the last thing of its command.
    pub(crate) fn doomed(tag: Vec<u8>, reply: Reply) -> Self {
        Self { assembly: Assembly::default(), doomed: Some((tag, reply)) }
    }
}

impl Server {
    /// A line of a command came.
    ///
    /// Where nobody has to log in a web page must not get in: it can make a browser on this machine send a request, whose
    /// body could hold commands. So a line that begins as HTTP does ends the connection, though it could be a command with
    /// an odd tag. Before a login what is HTTP for certain does.
    pub(super) fn command_line(self, cx: &mut Cx<Self>, incoming: Incoming, line: Line) -> Self {
        let Incoming { assembly, doomed } = incoming;
        let start = assembly.start().unwrap_or(line.start);
        let secret = may_hold_secret(assembly.first().unwrap_or(&line.octets));
        let logged_in = !matches!(self.state, State::NotAuthenticated);
        let request = match self.base.config.preauth {
            Some(_) => foreign::is_request(&line.octets),
            None => !logged_in && foreign::is_http(&line.octets),
        };
        if request || line.fault == Some(LineFault::Foreign) {
            note_refused(cx, start, secret);
            return self.bye(cx, None, "This server speaks IMAP and no other protocol");
        }
        let plus = self.base.features.has(Feature::LiteralPlus);
        let assembled = assembly.line(&line, &self.base.config.limits, logged_in, plus);
        match (assembled, doomed) {
            (Assembled::Literal(assembly, head), doomed) => {
                if head.waits && doomed.is_some() {
                    note_refused(cx, start, secret);
                }
                self.literal_due(cx, assembly, head, doomed)
            }
            (Assembled::Append(_, head), Some((tag, reply))) => {
                note_refused(cx, start, secret);
                self.refuse_append(cx, tag, head, reply)
            }
            (assembled, Some((tag, reply))) => {
                note_refused(cx, start, secret);
                let tag = if tag.is_empty() { tag_of_assembled(assembled) } else { tag };
                self.go(cx, tag, Next::done(reply))
            }
            (Assembled::Append(pieces, head), None) => self.append(cx, &pieces, head),
            (Assembled::Whole(pieces), None) => self.command(cx, &pieces),
            (Assembled::Refused(tag, problem), None) => {
                note_refused(cx, start, secret);
                // Of a line that is too long only the beginning is known: a tag that fills it is no
                // tag.
                self.refuse(cx, tag.filter(|tag| tag.len() <= TAG_MAX), problem)
            }
        }
    }

    fn literal_due(
        mut self,
        cx: &mut Cx<Self>,
        assembly: Assembly,
        head: Literal,
        mut doomed: Option<(Vec<u8>, Reply)>,
    ) -> Self {
        if head.waits {
            if let Some((tag, reply)) = doomed {
                return self.go(cx, tag, Next::done(reply));
            }
            lex::send(cx, b"+ Ready for the literal\r\n", Some(&LITERAL));
        } else if !self.base.takes_non_sync() {
            doomed.get_or_insert((
                Vec::new(),
                Reply::bad("This form of literal is not offered").because(&NON_SYNC),
            ));
        }
        self.doing = Doing::Command(Box::new(Incoming { assembly, doomed }));
        self.settle(cx)
    }

    pub(super) fn command_octets(
        mut self,
        cx: &mut Cx<Self>,
        incoming: Incoming,
        octets: &[u8],
    ) -> Self {
        let end = cx.received();
        let Incoming { assembly, doomed } = incoming;
        let assembly = assembly.octets(octets, end);
        self.doing = Doing::Command(Box::new(Incoming { assembly, doomed }));
        self.settle(cx)
    }

    /// A command that is refused before it is parsed.
    fn refuse(mut self, cx: &mut Cx<Self>, tag: Option<Vec<u8>>, problem: Problem) -> Self {
        let reply = match problem {
            Problem::LineTooLong => {
                if matches!(self.state, State::NotAuthenticated) {
                    // Nobody who means to log in sends such lines: the third ends it.
                    self.base.errors += self.base.config.limits.errors_max / 3;
                }
                Reply::bad("The line is too long")
            }
            Problem::BadOctet => Reply::bad("Lines end with CRLF, and hold neither CR, LF nor NUL"),
            Problem::LiteralTooBig => {
                Reply::bad("The literal is too large").with_code(&b"TOOBIG"[..])
            }
            // RFC 5464 §4.3 names this answer; it breaks no rule of the grammar.
            Problem::ValueTooBig => {
                return self.go(cx, tag.unwrap_or_default(), Next::done(metadata::too_long()));
            }
            Problem::BadLiteral => Reply::bad("This is no literal"),
        };
        cx.note_defect(&SYNTAX);
        self.defect(cx, tag.unwrap_or_default(), reply)
    }

    /// Answers a command that broke a rule, and tells the host.
    fn defect(self, cx: &mut Cx<Self>, tag: Vec<u8>, reply: Reply) -> Self {
        cx.event(Event::Defect(reply.text.to_vec()));
        self.go(cx, tag, Next::done(reply))
    }

    fn command(mut self, cx: &mut Cx<Self>, pieces: &[Piece]) -> Self {
        self.begin_progress(cx);
        let mut cursor = Piecewise::new(pieces);
        let options = self.base.options();
        let parsed = grammar::parse(&mut cursor, options);
        note_tokens(cx, pieces, &cursor.tokens, parsed.is_err(), false);
        let binary = pieces.iter().any(|piece| matches!(piece, Piece::Literal(_, _, true)));
        match parsed {
            Ok(tagged) if binary && !matches!(tagged.command, Command::SetMetadata(..)) => {
                let reply = Reply::bad("A literal8 has no place here");
                self.defect(cx, tag_of(pieces), reply)
            }
            Ok(tagged) => {
                let next = phase::begin(&mut self.work(cx), pieces, &tagged.tag, tagged.command);
                self.go(cx, tagged.tag, next)
            }
            Err(bad) => {
                cx.note_defect(&SYNTAX);
                if let (Bad::Charset { saves: true }, Some((_, open, _))) =
                    (bad, self.work(cx).selected())
                {
                    // RFC 9051 §6.4.4.1: a search that ends in NO saves nothing.
                    open.saved = Runs::new();
                }
                self.defect(cx, tag_of(pieces), reply_to(bad))
            }
        }
    }

    fn append(mut self, cx: &mut Cx<Self>, pieces: &[Piece], literal: Literal) -> Self {
        let options = self.base.options();
        if cx.tracing() {
            let mut cursor = Piecewise::new(pieces);
            let parsed = grammar::parse(&mut cursor, options);
            note_tokens(cx, pieces, &cursor.tokens, parsed.is_err(), true);
        }
        let Some(head) = grammar::append_head(pieces) else {
            let reply = Reply::bad("This is no APPEND");
            return self.refuse_append(cx, tag_of(pieces), literal, reply);
        };
        let form = append::form_refused(&self.work(cx), Some(literal), &head.data);
        if let Some(reply) = form {
            return self.refuse_append(cx, head.tag, literal, reply);
        }
        let name = match grammar::mailbox_name(&head.mailbox, options.utf8) {
            Ok(name) => name,
            Err(bad) => return self.refuse_append(cx, head.tag, literal, reply_to(bad)),
        };
        let replaces = match append::replaced(&mut self.work(cx), head.replaces) {
            Ok(replaces) => replaces,
            Err(reply) => return self.refuse_append(cx, head.tag, literal, reply),
        };
        let verb = phase::verb(pieces);
        let form = append::Form::new(Some(literal), &head.data, head.rest);
        let ask = append::message(name, Some(literal), head.data, replaces);
        let next = phase::append(&mut self.work(cx), ask, form, verb);
        self.go(cx, head.tag, next)
    }

    fn refuse_append(
        self,
        cx: &mut Cx<Self>,
        tag: Vec<u8>,
        literal: Literal,
        reply: Reply,
    ) -> Self {
        let next = append::refuse(Some(literal), reply);
        self.go(cx, tag, next)
    }
}

fn tag_of_assembled(assembled: Assembled) -> Vec<u8> {
    match assembled {
        Assembled::Whole(pieces) | Assembled::Append(pieces, _) => tag_of(&pieces),
        Assembled::Refused(tag, _) => tag.unwrap_or_default(),
        Assembled::Literal(..) => Vec::new(),
    }
}

fn tag_of(pieces: &[Piece]) -> Vec<u8> {
    match pieces.first() {
        Some(Piece::Text(text, _)) => grammar::tag_of(text).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// What is answered to a command that cannot be parsed.
fn reply_to(bad: Bad) -> Reply {
    match bad {
        Bad::Expected(what, at) => {
            let mut reply = Reply::bad("");
            reply.text = format!("Expected {what} at octet {at}").into_bytes().into();
            reply
        }
        Bad::Unknown => Reply::bad("This command is not known"),
        Bad::TooDeep => Reply::bad("Nested too deep, or too many keys"),
        // RFC 9051 §6.4.4
        Bad::Charset { .. } => Reply::no("", "This charset is not known")
            .with_code([b"BADCHARSET (", charset::NAMES.as_bytes(), b")"].concat()),
        // RFC 6855 §3
        Bad::NeedlessCharset => Reply::bad("After UTF8=ACCEPT no charset is named"),
        // RFC 5464 §3.2
        Bad::Entry => Reply::bad("No entry can have this name"),
        // RFC 6154 §3
        Bad::Use => Reply::no("USEATTR", "No mailbox here can have this use"),
        // RFC 9051 §5.1
        Bad::Mailbox => Reply::no("CANNOT", "No mailbox can have this name"),
    }
}

/// Notes what the octets of a command are; what follows LOGIN and cannot be parsed may be a
/// password all the same, and what follows URLFETCH a token.
///
/// With `open` a literal follows, whose head holds the line end.
pub(in crate::imap) fn note_tokens<R: Role>(
    cx: &mut Cx<R>,
    pieces: &[Piece],
    tokens: &[Token],
    failed: bool,
    open: bool,
) {
    if !cx.tracing() {
        return;
    }
    let mut at = match pieces.first() {
        Some(Piece::Text(_, start) | Piece::Literal(_, start, _)) => *start,
        None => return,
    };
    for token in tokens {
        note_between(cx, pieces, at, token.start, None);
        // A token may hold those that were read before it.
        let start = at.max(token.start);
        if token.secret {
            cx.note_secret(start, token.end, token.label);
        } else {
            note_between(cx, pieces, start, token.end, Some(token.label));
        }
        at = at.max(token.end);
    }
    let end = cx.received();
    let rest = if tokens.is_empty() && failed { at } else { at.min(end) };
    let text_end = if open { end } else { end.saturating_sub(2).max(rest) };
    if !failed {
        note_between(cx, pieces, at, text_end, None);
    } else if let Some(Piece::Text(text, _)) = pieces.first()
        && may_hold_secret(text)
    {
        cx.note_secret(rest, text_end, "unparsed");
    } else {
        cx.note_received(rest, text_end, "unparsed", Some(&SYNTAX));
    }
    cx.note_received(text_end, end, "CRLF", None);
}

/// Notes what stands in a range: spaces, parentheses, words, literals and their heads. Words are what `name` says, if it
/// says something, and so is a string that is all of it.
fn note_between<R: Role>(
    cx: &mut Cx<R>,
    pieces: &[Piece],
    start: u64,
    end: u64,
    name: Option<&'static str>,
) {
    if start >= end {
        return;
    }
    let mut parts: Vec<(u64, u64, &'static str)> = Vec::new();
    let mut at = start;
    for piece in pieces {
        let (Piece::Text(octets, from) | Piece::Literal(octets, from, _)) = piece;
        let to = from + octets.len() as u64;
        if to <= at || *from >= end {
            continue;
        }
        // What belongs to no piece is the head of the literal behind it.
        parts.push((at, *from, "literal head"));
        at = at.max(*from);
        let upto = to.min(end);
        if matches!(piece, Piece::Literal(..)) {
            parts.push((at, upto, "literal"));
        } else {
            let within = |offset: u64| usize::try_from(offset - from).unwrap_or(usize::MAX);
            for part in lex::parts(&octets[within(at)..within(upto)], lex::Place::Inside) {
                parts.push((at + part.start as u64, at + part.end as u64, part.label));
            }
        }
        at = upto;
    }
    parts.push((at, end, "literal head"));
    parts.retain(|(start, end, _)| start < end);
    let alone = parts.iter().filter(|(.., label)| *label != "literal head").count() == 1;
    for (start, end, label) in parts {
        let is_word = matches!(label, "atom" | "data item" | "status item" | "flag");
        let is_string = matches!(label, "quoted" | "literal" | "number" | "sequence-set" | "nil");
        let named = is_word || alone && is_string;
        cx.note_received(start, end, name.filter(|_| named).unwrap_or(label), None);
    }
}

/// Whether a command that begins so may hold what nobody may see.
pub(in crate::imap) fn may_hold_secret(text: &[u8]) -> bool {
    // A tag may be missing, or stand twice: what was meant is masked all the same.
    let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).take(3);
    words.any(|word| {
        let begins = |verb: &[u8]| {
            word.get(..verb.len()).is_some_and(|head| head.eq_ignore_ascii_case(verb))
        };
        begins(b"LOGIN") || begins(b"AUTHENTICATE") || begins(b"URLFETCH")
    })
}

/// Notes a command that is refused before it is parsed, from its tag on, with all literals that were passed over.
fn note_refused(cx: &mut Cx<Server>, start: u64, secret: bool) {
    let end = cx.received();
    if secret {
        cx.note_secret(start, end, "unparsed");
    } else {
        cx.note_received(start, end, "unparsed", Some(&SYNTAX));
    }
}
