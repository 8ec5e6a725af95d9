//! SMTP commands (RFC 5321 §4.1.1), parsed whole: verb, argument and parameters at once.

use alloc::vec::Vec;

use super::params::{self, ParamError};
use super::path::{self, Cursor, PathError};
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

/// Parses a line without its CRLF.
///
/// # Errors
/// What is wrong with it.
pub fn parse(line: &[u8], offered: Extensions, auth: bool) -> Result<Command, Syntax> {
    let end = line.iter().position(|&octet| octet == b' ').unwrap_or(line.len());
    let verb = line[..end].to_ascii_uppercase();
    // RFC 5321 §4.1.1: trailing white space is tolerated.
    let argument = line[end..].trim_ascii();
    let bare = |command| if argument.is_empty() { Ok(command) } else { Err(Syntax::Argument) };
    match &verb[..] {
        b"EHLO" => domain(argument).map(Command::Ehlo),
        b"HELO" => domain(argument).map(Command::Helo),
        b"LHLO" => domain(argument).map(Command::Lhlo),
        b"MAIL" => mail(argument, offered, auth),
        b"RCPT" => rcpt(argument, offered),
        b"DATA" => bare(Command::Data),
        b"BDAT" if offered.chunking => bdat(argument),
        b"RSET" => bare(Command::Rset),
        // RFC 5321 §4.1.1.9: NOOP may carry a string that means nothing.
        b"NOOP" => Ok(Command::Noop),
        b"VRFY" if !argument.is_empty() => Ok(Command::Vrfy(argument.to_vec())),
        b"EXPN" if !argument.is_empty() => Ok(Command::Expn(argument.to_vec())),
        b"VRFY" | b"EXPN" => Err(Syntax::Argument),
        b"HELP" => Ok(Command::Help),
        b"QUIT" => bare(Command::Quit),
        b"AUTH" => auth_command(argument),
        b"STARTTLS" => bare(Command::StartTls),
        _ => Err(Syntax::Verb),
    }
}

/// What EHLO and HELO take. Names with underscores and the like are common and say nothing wrong: RFC 5321 §4.1.4
/// forbids to refuse mail for a name that does not verify, so any word that cannot do harm in a trace field is taken.
fn domain(argument: &[u8]) -> Result<Vec<u8>, Syntax> {
    if let Some(domain) = path::parse_domain(argument) {
        return Ok(domain);
    }
    let harmless = |&octet: &u8| octet.is_ascii_alphanumeric() || b"-._:[]".contains(&octet);
    let right = !argument.is_empty() && argument.len() <= 255 && argument.iter().all(harmless);
    if right { Ok(argument.to_vec()) } else { Err(Syntax::Argument) }
}

/// `"MAIL FROM:" Reverse-path [SP Mail-parameters]`
fn mail(argument: &[u8], offered: Extensions, auth: bool) -> Result<Command, Syntax> {
    let (text, spaced) = after_colon(argument, b"FROM:")?;
    let utf8 = offered.smtputf8 && has_smtputf8(text);
    let mut cursor = Cursor::new(text, utf8);
    let reverse_path = path::path(&mut cursor).map_err(|error| Syntax::Path(false, error))?;
    let mut mail = MailFrom { reverse_path, ..MailFrom::default() };
    params::mail(parameters(&cursor)?, offered, auth, &mut mail).map_err(syntax)?;
    Ok(Command::Mail(mail, spaced))
}

/// `"RCPT TO:" Forward-path [SP Rcpt-parameters]`
fn rcpt(argument: &[u8], offered: Extensions) -> Result<Command, Syntax> {
    let (text, spaced) = after_colon(argument, b"TO:")?;
    // Whether UTF-8 is allowed was said at MAIL; the flow looks.
    let mut cursor = Cursor::new(text, offered.smtputf8);
    let forward_path =
        path::forward_path(&mut cursor).map_err(|error| Syntax::Path(true, error))?;
    let mut rcpt = RcptTo { forward_path, ..RcptTo::default() };
    params::rcpt(parameters(&cursor)?, offered, &mut rcpt).map_err(syntax)?;
    Ok(Command::Rcpt(rcpt, spaced))
}

fn after_colon<'a>(argument: &'a [u8], word: &[u8]) -> Result<(&'a [u8], bool), Syntax> {
    let head = argument.get(..word.len()).ok_or(Syntax::Argument)?;
    if !head.eq_ignore_ascii_case(word) {
        return Err(Syntax::Argument);
    }
    let text = &argument[word.len()..];
    Ok((text.trim_ascii_start(), text.starts_with(b" ")))
}

fn has_smtputf8(text: &[u8]) -> bool {
    text.split(|&octet| octet == b' ').any(|word| word.eq_ignore_ascii_case(b"SMTPUTF8"))
}

fn parameters<'a>(cursor: &Cursor<'a>) -> Result<&'a [u8], Syntax> {
    let rest = cursor.rest();
    if rest.is_empty() || rest.starts_with(b" ") { Ok(rest) } else { Err(Syntax::Argument) }
}

fn syntax(error: ParamError) -> Syntax {
    match error {
        ParamError::Unknown => Syntax::Parameter,
        ParamError::Value => Syntax::Argument,
    }
}

/// `"BDAT" SP chunk-size [SP "LAST"]` (RFC 3030 §2)
fn bdat(argument: &[u8]) -> Result<Command, Syntax> {
    let mut words = argument.split(|&octet| octet == b' ').filter(|word| !word.is_empty());
    let size = words.next().and_then(params::number).ok_or(Syntax::Framing)?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case(b"LAST") => true,
        Some(_) => return Err(Syntax::Framing),
    };
    if words.next().is_some() { Err(Syntax::Framing) } else { Ok(Command::Bdat(size, last)) }
}

/// `"AUTH" SP mechanism [SP initial-response]`
fn auth_command(argument: &[u8]) -> Result<Command, Syntax> {
    let mut words = argument.split(|&octet| octet == b' ').filter(|word| !word.is_empty());
    let name = words.next().ok_or(Syntax::Argument)?;
    let initial = words.next().map(<[u8]>::to_vec);
    if words.next().is_some() {
        return Err(Syntax::Argument);
    }
    Ok(Command::Auth(Mechanism::from_name(name), initial))
}
