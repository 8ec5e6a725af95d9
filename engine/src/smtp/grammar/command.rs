//! SMTP commands (RFC 5321 §4.1.1), parsed whole: verb, argument and parameters at once.

use alloc::vec::Vec;

use super::params::{self, ParamError, Text};
use super::parts::{Parts, words};
use super::path::{self, Cursor, PathError};
use crate::limits::DOMAIN_MAX;
use crate::sasl::Mechanism;
use crate::smtp::{Extensions, MailFrom, RcptTo};

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// EHLO, or LHLO for LMTP; the domain or literal as given.
    Ehlo(Vec<u8>),
    /// HELO.
    Helo(Vec<u8>),
    /// LHLO (RFC 2033 §4.1).
    Lhlo(Vec<u8>),
    /// MAIL FROM; whether white space stood after the colon, which RFC 5321 does not allow.
    Mail(MailFrom, bool),
    /// RCPT TO; as MAIL.
    Rcpt(RcptTo, bool),
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

    /// What EHLO and HELO take. Names with underscores and the like are common and say nothing wrong: RFC 5321 §4.1.4
    /// forbids to refuse mail for a name that does not verify, so any word that cannot do harm in a trace field is
    /// taken.
    fn domain(&mut self) -> Result<Vec<u8>, Syntax> {
        let octets = self.octets;
        let harmless = |&octet: &u8| octet.is_ascii_alphanumeric() || b"-._:[]".contains(&octet);
        let word = !octets.is_empty() && octets.len() <= DOMAIN_MAX && octets.iter().all(harmless);
        let domain = path::parse_domain(octets).or_else(|| word.then(|| octets.to_vec()));
        let domain = domain.ok_or(Syntax::Argument)?;
        self.parts.note(self.base, self.base + octets.len(), "domain");
        Ok(domain)
    }

    /// `"MAIL FROM:" Reverse-path [SP Mail-parameters]`
    fn mail(self, offered: Extensions, auth: bool) -> Result<Command, Syntax> {
        let (mut path, spaced) = self.after_colon(b"FROM:", "FROM:")?;
        let utf8 = offered.smtputf8 && has_smtputf8(path.octets);
        let mut cursor = Cursor::noting(path.octets, utf8, path.base, &mut *path.parts);
        let reverse_path = path::path(&mut cursor).map_err(|error| Syntax::Path(false, error))?;
        let at = cursor.at;
        let mut mail = MailFrom { reverse_path, ..MailFrom::default() };
        params::mail(path.parameters(at)?, offered, auth, &mut mail).map_err(syntax)?;
        Ok(Command::Mail(mail, spaced))
    }

    /// `"RCPT TO:" Forward-path [SP Rcpt-parameters]`
    fn rcpt(self, offered: Extensions) -> Result<Command, Syntax> {
        let (mut path, spaced) = self.after_colon(b"TO:", "TO:")?;
        // Whether UTF-8 is allowed was said at MAIL; the flow looks.
        let mut cursor = Cursor::noting(path.octets, offered.smtputf8, path.base, &mut *path.parts);
        let forward_path =
            path::forward_path(&mut cursor).map_err(|error| Syntax::Path(true, error))?;
        let at = cursor.at;
        let mut rcpt = RcptTo { forward_path, ..RcptTo::default() };
        params::rcpt(path.parameters(at)?, offered, &mut rcpt).map_err(syntax)?;
        Ok(Command::Rcpt(rcpt, spaced))
    }

    /// What follows the word that names the path, and whether a space stands before it.
    fn after_colon(self, word: &[u8], label: &'static str) -> Result<(Self, bool), Syntax> {
        let head = self.octets.get(..word.len()).ok_or(Syntax::Argument)?;
        if !head.eq_ignore_ascii_case(word) {
            return Err(Syntax::Argument);
        }
        self.parts.note(self.base, self.base + word.len(), label);
        let text = &self.octets[word.len()..];
        let octets = text.trim_ascii_start();
        let base = self.base + word.len() + text.len() - octets.len();
        Ok((Self { octets, base, parts: self.parts }, text.starts_with(b" ")))
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

fn has_smtputf8(text: &[u8]) -> bool {
    words(text).any(|word| word.octets.eq_ignore_ascii_case(b"SMTPUTF8"))
}

fn syntax(error: ParamError) -> Syntax {
    match error {
        ParamError::Unknown => Syntax::Parameter,
        ParamError::Value => Syntax::Argument,
    }
}
