//! SMTP commands (RFC 5321 §4.1.1), parsed whole: verb, argument and parameters at once.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::params::{self, ParamError, Text};
use super::parts::{Parts, words};
use super::path::{self, Cursor, PathError};
use super::values::Hold;
use super::xclient::{self, Attributes};
use crate::limits::DOMAIN_MAX;
use crate::sasl::Mechanism;
use crate::smtp::{Extensions, Flush, MailFrom, RcptTo};

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// EHLO, or LHLO for LMTP; the domain or literal as given.
    Ehlo(Vec<u8>),
    /// HELO.
    Helo(Vec<u8>),
    /// LHLO (RFC 2033 §4.1).
    Lhlo(Vec<u8>),
    /// MAIL FROM
    Mail(Mail),
    /// RCPT TO
    Rcpt(RcptTo),
    /// DATA
    Data,
    /// RFC 3030 BDAT: octets that follow, and whether they are the last.
    Bdat(u64, bool),
    /// RSET
    Rset,
    /// NOOP
    Noop,
    /// VRFY
    Vrfy(Vec<u8>),
    /// EXPN
    Expn(Vec<u8>),
    /// HELP
    Help,
    /// QUIT
    Quit,
    /// RFC 4954 AUTH: the mechanism, `None` if unknown, and the initial response, still base64.
    Auth(Option<Mechanism>, Option<Vec<u8>>),
    /// RFC 3207
    StartTls,
    /// RFC 1985; `None` for a queue by a name of the server's own (`#`), of which this one has none.
    Etrn(Flush),
    /// Postfix's XCLIENT.
    Xclient(Box<Attributes>),
}

/// MAIL, as far as its line tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// The path and its parameters; how long it is held back is in `hold`.
    pub from: MailFrom,
    /// RFC 4865: for which, and until when the time of day tells.
    pub hold: Option<Hold>,
}

/// Why a line is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// The verb is not known (500).
    Verb,
    /// The argument is wrong (501).
    Argument,
    /// A parameter is not known (555).
    Parameter,
    /// A path is wrong: of the sender (true: the recipient), and how.
    Path(bool, PathError),
    /// BDAT without a usable size: where the next command begins cannot be known (501, close).
    Framing,
}

/// Parses a line without its CRLF, and notes its parts.
///
/// # Errors
/// What is wrong with it.
pub fn parse(
    line: &[u8],
    offered: Extensions,
    auth: bool,
    parts: &mut Parts,
) -> Result<Command, Syntax> {
    let end = line.iter().position(|&octet| octet == b' ').unwrap_or(line.len());
    let verb = line[..end].to_ascii_uppercase();
    parts.note(0, end, "verb");
    let spaces = line[end..].len() - line[end..].trim_ascii_start().len();
    // RFC 5321 §4.1.1: trailing white space is tolerated.
    let mut argument = Argument { octets: line[end..].trim_ascii(), base: end + spaces, parts };
    match &verb[..] {
        b"EHLO" => argument.domain().map(Command::Ehlo),
        b"HELO" => argument.domain().map(Command::Helo),
        b"LHLO" => argument.domain().map(Command::Lhlo),
        b"MAIL" => argument.mail(offered, auth),
        b"RCPT" => argument.rcpt(offered),
        b"DATA" => argument.none(Command::Data),
        b"BDAT" if offered.chunking => argument.bdat(),
        b"RSET" => argument.none(Command::Rset),
        // RFC 5321 §4.1.1.9: NOOP may carry a string that means nothing.
        b"NOOP" => argument.text().map(|_| Command::Noop),
        b"VRFY" => argument.text().and_then(filled).map(Command::Vrfy),
        b"EXPN" => argument.text().and_then(filled).map(Command::Expn),
        b"HELP" => argument.text().map(|_| Command::Help),
        b"QUIT" => argument.none(Command::Quit),
        b"AUTH" => argument.auth(),
        b"STARTTLS" => argument.none(Command::StartTls),
        b"ETRN" if offered.etrn => argument.etrn(),
        b"XCLIENT" if offered.xclient => argument.xclient(),
        _ => Err(Syntax::Verb),
    }
}

fn filled(text: Vec<u8>) -> Result<Vec<u8>, Syntax> {
    if text.is_empty() { Err(Syntax::Argument) } else { Ok(text) }
}

/// What follows a verb, without the white space around it.
struct Argument<'a> {
    octets: &'a [u8],
    /// Where it begins in its line.
    base: usize,
    parts: &'a mut Parts,
}

impl Argument<'_> {
    fn none(&self, command: Command) -> Result<Command, Syntax> {
        if self.octets.is_empty() { Ok(command) } else { Err(Syntax::Argument) }
    }

    fn text(&mut self) -> Result<Vec<u8>, Syntax> {
        self.parts.note(self.base, self.base + self.octets.len(), "string");
        Ok(self.octets.to_vec())
    }

    /// What EHLO and HELO take.
    fn domain(&mut self) -> Result<Vec<u8>, Syntax> {
        let octets = self.octets;
        let domain = host_name(octets).ok_or(Syntax::Argument)?;
        self.parts.note(self.base, self.base + octets.len(), "domain");
        Ok(domain)
    }

    /// `"MAIL FROM:" Reverse-path [SP Mail-parameters]`
    fn mail(self, offered: Extensions, auth: bool) -> Result<Command, Syntax> {
        let mut path = self.after_colon(b"FROM:", "FROM:")?;
        let utf8 = offered.smtputf8 && has_smtputf8(path.octets);
        let mut cursor = Cursor::noting(path.octets, utf8, path.base, &mut *path.parts);
        let reverse_path = path::path(&mut cursor).map_err(|error| Syntax::Path(false, error))?;
        let at = cursor.at;
        let from = MailFrom { reverse_path, ..MailFrom::default() };
        let mut mail = Mail { from, hold: None };
        params::mail(path.parameters(at)?, offered, auth, &mut mail).map_err(syntax)?;
        Ok(Command::Mail(mail))
    }

    /// `"RCPT TO:" Forward-path [SP Rcpt-parameters]`
    fn rcpt(self, offered: Extensions) -> Result<Command, Syntax> {
        let mut path = self.after_colon(b"TO:", "TO:")?;
        // Whether UTF-8 is allowed was said at MAIL; the flow looks.
        let mut cursor = Cursor::noting(path.octets, offered.smtputf8, path.base, &mut *path.parts);
        let forward_path =
            path::forward_path(&mut cursor).map_err(|error| Syntax::Path(true, error))?;
        let at = cursor.at;
        let mut rcpt = RcptTo { forward_path, ..RcptTo::default() };
        params::rcpt(path.parameters(at)?, offered, &mut rcpt).map_err(syntax)?;
        Ok(Command::Rcpt(rcpt))
    }

    /// What follows the word that names the path. A space before it, which RFC 5321 does not allow, is a gap in the parts.
    fn after_colon(self, word: &[u8], label: &'static str) -> Result<Self, Syntax> {
        let head = self.octets.get(..word.len()).ok_or(Syntax::Argument)?;
        if !head.eq_ignore_ascii_case(word) {
            return Err(Syntax::Argument);
        }
        self.parts.note(self.base, self.base + word.len(), label);
        let text = &self.octets[word.len()..];
        let octets = text.trim_ascii_start();
        let base = self.base + word.len() + text.len() - octets.len();
        Ok(Self { octets, base, parts: self.parts })
    }

    /// What follows the path, which ends at `at`.
    fn parameters(&mut self, at: usize) -> Result<Text<'_>, Syntax> {
        let octets = &self.octets[at..];
        if octets.is_empty() || octets.starts_with(b" ") {
            Ok(Text { octets, base: self.base + at, parts: &mut *self.parts })
        } else {
            Err(Syntax::Argument)
        }
    }

    /// `"BDAT" SP chunk-size [SP "LAST"]` (RFC 3030 §2)
    fn bdat(&mut self) -> Result<Command, Syntax> {
        self.parts.note_words(self.octets, self.base, &["chunk size", "LAST"]);
        let mut words = words(self.octets).map(|word| word.octets);
        let size = words.next().and_then(params::number).ok_or(Syntax::Framing)?;
        let last = match words.next() {
            None => false,
            Some(word) if word.eq_ignore_ascii_case(b"LAST") => true,
            Some(_) => return Err(Syntax::Framing),
        };
        if words.next().is_some() { Err(Syntax::Framing) } else { Ok(Command::Bdat(size, last)) }
    }

    /// `ETRN [<option character>]<node name>` (RFC 1985 §5)
    fn etrn(&mut self) -> Result<Command, Syntax> {
        let (option, name) = match self.octets.first() {
            Some(option @ (b'@' | b'#')) => (Some(*option), &self.octets[1..]),
            _ => (None, self.octets),
        };
        let start = self.base + self.octets.len() - name.len();
        self.parts.note(self.base, start, "option");
        self.parts.note(start, start + name.len(), "node name");
        if option == Some(b'#') {
            // What stands behind it is the server's own business; a word it has to be.
            let word = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
            let queue = word.then(|| Flush::Queue(name.to_vec()));
            return queue.map(Command::Etrn).ok_or(Syntax::Argument);
        }
        let domain = path::parse_domain(name).ok_or(Syntax::Argument)?;
        // RFC 1985 §5: a fully qualified name, which a literal is not.
        if !domain.contains(&b'.') || domain.starts_with(b"[") {
            return Err(Syntax::Argument);
        }
        Ok(Command::Etrn(match option {
            Some(_) => Flush::Subdomains(domain),
            None => Flush::Node(domain),
        }))
    }

    /// `"XCLIENT" 1*(SP attribute-name "=" attribute-value)`
    fn xclient(&mut self) -> Result<Command, Syntax> {
        let text = Text { octets: self.octets, base: self.base, parts: &mut *self.parts };
        let attributes = xclient::attributes(text).ok_or(Syntax::Argument)?;
        Ok(Command::Xclient(Box::new(attributes)))
    }

    /// `"AUTH" SP mechanism [SP initial-response]`
    fn auth(&mut self) -> Result<Command, Syntax> {
        self.parts.note_words(self.octets, self.base, &["mechanism"]);
        let mut words = words(self.octets).map(|word| word.octets);
        let name = words.next().ok_or(Syntax::Argument)?;
        let initial = words.next().map(<[u8]>::to_vec);
        if words.next().is_some() {
            return Err(Syntax::Argument);
        }
        Ok(Command::Auth(Mechanism::from_name(name), initial))
    }
}

/// What a host may call itself. Names with underscores and the like are common and say nothing wrong: RFC 5321 §4.1.4
/// forbids to refuse mail for a name that does not verify, so any word that cannot do harm in a trace field is taken.
pub(super) fn host_name(octets: &[u8]) -> Option<Vec<u8>> {
    let harmless = |&octet: &u8| octet.is_ascii_alphanumeric() || b"-._:[]".contains(&octet);
    let word = !octets.is_empty() && octets.len() <= DOMAIN_MAX && octets.iter().all(harmless);
    // RFC 6531 §3.7.1: who says hello does not know yet whether UTF-8 is understood. What is no name at all, such as a
    // line separator of Unicode, would end in a trace field.
    let domain = path::parse_domain(octets).filter(|domain| domain.is_ascii());
    domain.or_else(|| word.then(|| octets.to_vec()))
}

fn has_smtputf8(text: &[u8]) -> bool {
    words(text).any(|word| word.octets.eq_ignore_ascii_case(b"SMTPUTF8"))
}

fn syntax(error: ParamError) -> Syntax {
    match error {
        ParamError::Unknown => Syntax::Parameter,
        ParamError::Value => Syntax::Argument,
    }
}
