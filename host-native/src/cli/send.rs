//! `pillarbox send`: a message from flags, files or standard input, handed to a server.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::Args;
use pillarbox_engine::limits::Limits;
use pillarbox_engine::message::compose::{
    self, Draft, FieldName, FileName, MediaType, Person, Refused, Text, compose, parse_people,
    parse_person,
};
use pillarbox_engine::smtp::{Body, MailFrom, Mailbox, Notify, RcptTo};

use crate::agent::{
    Access, Outgoing, Progress, Server, Spool, Submission, TlsChoice, host_name, origin, submit,
};
use crate::client::{Envelope, Source};
use crate::error::{Error, Kind};

/// Octets of a text from a file: what is larger is a file to attach.
const TEXT_MAX: u64 = 16 << 20;

const EXAMPLES: &str = "\
Examples:
  pillarbox send --to bob@hamburger.edu --subject ketchup --text 'Do you like ketchup?'
  pillarbox send --to 'Bob <bob@hamburger.edu>, ann@crepes.fr' --text-file letter.txt --attach menu.pdf
  pillarbox send --message letter.eml --server mail.crepes.fr --user alice --password-file secret
  git format-patch -1 --stdout | pillarbox send --message - --to list@hamburger.edu --trace

Without --server the message goes to a Pillarbox on this machine: 127.0.0.1:1587, else 127.0.0.1:1025. Any other server
must prove its name by a certificate, unless --tls says otherwise.

Exit codes: 0 every recipient was accepted; 2 wrong flag; 65 the message or an address is wrong; 66 a file cannot be
read; 69 the server refused a recipient or the message for good, or TLS is not good enough; 75 later it may work;
77 the login was refused; 1 anything else.";

/// How a server is reached; the same for `send` and `sendmail`.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct ServerFlags {
    /// Where to hand the message over; without a port: 587 [default: 127.0.0.1:1587, else 127.0.0.1:1025]
    #[arg(long, value_name = "HOST[:PORT]", env = "PILLARBOX_SERVER")]
    server: Option<String>,
    /// How far TLS is insisted on [default: implicit on ports 465 and 1465, opportunistic on this machine, else required]
    #[arg(long, value_name = "HOW", env = "PILLARBOX_TLS", value_enum)]
    tls: Option<TlsChoice>,
    /// Certificate authorities that are trusted beside those of the system, as PEM
    #[arg(long, value_name = "FILE", env = "PILLARBOX_CA")]
    ca: Option<PathBuf>,
    /// Whom to log in as
    #[arg(long, value_name = "USER", env = "PILLARBOX_USER")]
    user: Option<String>,
    /// File whose first line is the password; or set PILLARBOX_PASSWORD
    #[arg(long, value_name = "FILE", env = "PILLARBOX_PASSWORD_FILE")]
    password_file: Option<PathBuf>,
    /// File whose first line is an OAuth 2.0 access token, in place of a password
    #[arg(
        long,
        value_name = "FILE",
        env = "PILLARBOX_TOKEN_FILE",
        conflicts_with = "password_file"
    )]
    token_file: Option<PathBuf>,
    /// Our own certificate, as PEM, shown to a server that asks for one; without a password, --user or --mechanism EXTERNAL
    /// also logs in by it
    #[arg(long, value_name = "FILE", env = "PILLARBOX_CERT")]
    cert: Option<PathBuf>,
    /// The certificate's private key, as PEM
    #[arg(long, value_name = "FILE", env = "PILLARBOX_KEY")]
    key: Option<PathBuf>,
    /// The login's only mechanism, such as SCRAM-SHA-256 [default: the best that both sides have]
    #[arg(long, value_name = "NAME", env = "PILLARBOX_MECHANISM")]
    mechanism: Option<String>,
    /// How we introduce ourselves [default: this machine's name]
    #[arg(long, value_name = "HOST", env = "PILLARBOX_NAME")]
    name: Option<String>,
}

impl ServerFlags {
    pub(super) fn access(self) -> Access {
        Access {
            server: self.server,
            tls: self.tls,
            ca: self.ca,
            user: self.user,
            // No flag: other users see the flags of a program.
            password: std::env::var("PILLARBOX_PASSWORD").ok(),
            password_file: self.password_file,
            token_file: self.token_file,
            cert: self.cert,
            key: self.key,
            mechanism: self.mechanism,
            name: self.name,
        }
    }
}

/// Flags of `send`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SendFlags {
    /// Who gets it: an address, `Name <address>`, or a list with commas
    #[arg(long, value_name = "LIST")]
    to: Vec<String>,
    /// Who gets a copy that everyone sees
    #[arg(long, value_name = "LIST")]
    cc: Vec<String>,
    /// Who gets a copy that nobody else sees
    #[arg(long, value_name = "LIST")]
    bcc: Vec<String>,
    /// Who wrote it [default: you at this machine]
    #[arg(long, value_name = "ADDRESS", env = "PILLARBOX_FROM")]
    from: Option<String>,
    /// Where reports go; empty for nowhere [default: the address of --from]
    #[arg(long, value_name = "ADDRESS")]
    return_path: Option<String>,
    /// Where answers go
    #[arg(long, value_name = "LIST")]
    reply_to: Vec<String>,
    /// What it is about
    #[arg(long)]
    subject: Option<String>,
    /// Another field, such as `X-Priority: 1`
    #[arg(long = "header", value_name = "NAME: TEXT")]
    headers: Vec<String>,
    /// The text
    #[arg(long, conflicts_with = "text_file")]
    text: Option<String>,
    /// File with the text, in UTF-8; - is standard input
    #[arg(long, value_name = "FILE")]
    text_file: Option<PathBuf>,
    /// The same as HTML
    #[arg(long, conflicts_with = "html_file")]
    html: Option<String>,
    /// File with the same as HTML, in UTF-8; - is standard input
    #[arg(long, value_name = "FILE")]
    html_file: Option<PathBuf>,
    /// File to attach
    #[arg(long, value_name = "FILE")]
    attach: Vec<PathBuf>,
    /// File that the HTML shows: logo.png as cid:logo.png@inline
    #[arg(long, value_name = "FILE")]
    inline: Vec<PathBuf>,
    /// A ready message in place of all that; - is standard input. It goes to --to, --cc and --bcc, or to whom it names
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subject", "headers", "text", "text_file", "html",
        "html_file", "attach", "inline", "reply_to"])]
    message: Option<PathBuf>,
    /// When to report, with commas: never, success, failure, delay
    #[arg(long, value_name = "WHEN")]
    notify: Option<String>,
    #[command(flatten)]
    server: ServerFlags,
    /// Show the conversation, explained, on standard error; secrets are masked
    #[arg(long)]
    trace: bool,
    /// Write the outcome as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(flags: SendFlags) -> Result<(), Error> {
    let server = Server::new(flags.server.clone().access())?;
    let submission =
        if let Some(path) = &flags.message { ready_file(&flags, path)? } else { composed(&flags)? };
    let shows = !flags.trace && !flags.json && io::stderr().is_terminal();
    let progress = Progress::new(submission.message.size()).filter(|_| shows);
    let message = submission.message.showing(progress);
    let outcome = submit(&server, Submission { message, ..submission })?;
    if flags.json {
        println!("{}", outcome.json());
    } else {
        outcome.lines().iter().for_each(|line| println!("{line}"));
    }
    outcome.verdict()
}

fn composed(flags: &SendFlags) -> Result<Submission, Error> {
    let (from, return_path) = sender(flags.from.as_deref(), flags.return_path.as_deref())?;
    let bcc = people("--bcc", &flags.bcc)?;
    let mut draft = Draft {
        from: vec![from],
        reply_to: people("--reply-to", &flags.reply_to)?,
        to: people("--to", &flags.to)?,
        cc: people("--cc", &flags.cc)?,
        subject: flags.subject.as_deref().map(|text| text_of("--subject", text)).transpose()?,
        fields: flags.headers.iter().map(|header| field(header)).collect::<Result<_, _>>()?,
        text: said("--text-file", flags.text.as_ref(), flags.text_file.as_deref())?,
        html: said("--html-file", flags.html.as_ref(), flags.html_file.as_deref())?,
        ..Draft::default()
    };
    let mut files = Vec::new();
    for path in &flags.inline {
        draft.inline.push(attached("--inline", path, &mut files)?);
    }
    for path in &flags.attach {
        draft.attachments.push(attached("--attach", path, &mut files)?);
    }
    let to = recipients(draft.to.iter().chain(&draft.cc).chain(&bcc).map(|p| p.mailbox.clone()));
    let message = compose(&draft, origin()?).map_err(|refused| wrong("the message", &refused))?;
    let utf8 = message.needs_utf8();
    let plain = message.is_plain();
    let envelope = envelope(return_path, to, notify(flags)?, Body::SevenBit, utf8, plain)?;
    Ok(Submission { envelope, message: Outgoing::composed(message, files), trace: flags.trace })
}

fn ready_file(flags: &SendFlags, path: &Path) -> Result<Submission, Error> {
    let mut input: Box<dyn Read> = if is_stdin(path) {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(|error| unreadable("--message", path, &error))?)
    };
    let named: Vec<&String> = flags.to.iter().chain(&flags.cc).chain(&flags.bcc).collect();
    let how = Ready {
        place: format!("--message {}", path.display()),
        to: people("--to, --cc or --bcc", &named)?,
        from: flags.from.clone(),
        return_path: flags.return_path.clone(),
        notify: notify(flags)?,
        trace: flags.trace,
    };
    ready(&mut *input, &how)
}

/// What is told of a message that is ready.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    /// Where it is from, for errors.
    pub(super) place: String,
    /// Who gets it; nobody: whom it names.
    pub(super) to: Vec<Person>,
    /// As `--from` and `--return-path` have it; none: who wrote it.
    pub(super) from: Option<String>,
    pub(super) return_path: Option<String>,
    pub(super) notify: Option<Notify>,
    pub(super) trace: bool,
}

/// A message that somebody else has made, with what it lacks.
///
/// # Errors
/// It is no message, or names nobody; it cannot be read.
pub(super) fn ready(input: &mut dyn Read, how: &Ready) -> Result<Submission, Error> {
    let (head, facts, body) = Spool::read(input, false)?;
    if head.is_empty() {
        let what = "it does not begin with header fields, so it is no message";
        let help = "is it a text? then name it with --text-file";
        return Err(Error::new(Kind::Input, format!("{}: {what}; {help}", how.place)));
    }
    let in_message = |refused: Refused| wrong("the message", &refused);
    let to = if how.to.is_empty() {
        head.recipients(None).map_err(in_message)?
    } else {
        recipients(how.to.iter().map(|person| person.mailbox.clone()))
    };
    let (mut from, mut return_path) = sender(how.from.as_deref(), how.return_path.as_deref())?;
    if how.from.is_none()
        && let Some(author) = head.author(None).map_err(in_message)?
    {
        if how.return_path.is_none() {
            return_path = Some(author.clone());
        }
        from = Person { name: None, mailbox: author };
    }
    let section = head.complete(&from, None, origin()?);
    let body_kind = if facts.eight_bit { Body::EightBitMime } else { Body::SevenBit };
    let utf8 = head.is_eight_bit();
    let envelope = envelope(return_path, to, how.notify, body_kind, utf8, facts.plain)?;
    Ok(Submission { envelope, message: Outgoing::ready(section, body), trace: how.trace })
}

/// Who wrote it, and where reports go.
fn sender(
    from: Option<&str>,
    return_path: Option<&str>,
) -> Result<(Person, Option<Mailbox>), Error> {
    let domain = host_name();
    let from = match from {
        Some(from) => parse_person(from, None).map_err(|refused| wrong("--from", &refused))?,
        None => you(&domain)?,
    };
    let return_path = match return_path {
        None => Some(from.mailbox.clone()),
        Some("" | "<>") => None,
        Some(path) => {
            let person = parse_person(path, None);
            Some(person.map_err(|refused| wrong("--return-path", &refused))?.mailbox)
        }
    };
    Ok((from, return_path))
}

/// Whoever runs this program.
pub(super) fn you(domain: &str) -> Result<Person, Error> {
    let of = |name: &str| std::env::var(name).ok().filter(|user| !user.is_empty());
    let user = of("LOGNAME").or_else(|| of("USER")).or_else(user_name);
    let user = user.unwrap_or_else(|| "nobody".to_owned());
    parse_person(&user, Some(domain)).map_err(|_| {
        Error::new(Kind::Input, format!("who sends it? `{user}` is no address; give --from"))
    })
}

/// What the system calls the user that this runs as; a server such as PHP's has no variables that say it.
fn user_name() -> Option<String> {
    let own = fs::metadata("/proc/self").ok()?.uid().to_string();
    let users = fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)? == own).then(|| name.to_owned())
    })
}

/// Each once, in order.
pub(super) fn recipients(all: impl Iterator<Item = Mailbox>) -> Vec<Mailbox> {
    let mut out = Vec::new();
    for mailbox in all {
        if !out.contains(&mailbox) {
            out.push(mailbox);
        }
    }
    out
}

/// What the server is told of a message.
pub(super) fn envelope(
    reverse_path: Option<Mailbox>,
    to: Vec<Mailbox>,
    notify: Option<Notify>,
    body: Body,
    utf8: bool,
    plain: bool,
) -> Result<Envelope, Error> {
    let most = Limits::SMTP.recipients_max as usize;
    if to.is_empty() {
        return Err(Error::new(Kind::Input, "nobody gets it: no recipient is named"));
    }
    if to.len() > most {
        let message = format!("{} recipients are more than the {most} of one message", to.len());
        return Err(Error::new(Kind::Input, message));
    }
    let wide = |mailbox: &Mailbox| !mailbox.local_part.is_ascii() || !mailbox.domain.is_ascii();
    let smtputf8 = utf8 || reverse_path.iter().chain(&to).any(wide);
    let mail = MailFrom { reverse_path, body, smtputf8, ..MailFrom::default() };
    let rcpt = |forward_path| RcptTo { forward_path, notify, ..RcptTo::default() };
    let recipients = to.into_iter().map(rcpt).collect();
    Ok(Envelope { mail, recipients, plain, require_tls: false })
}

pub(super) fn people<S: AsRef<str>>(flag: &str, lists: &[S]) -> Result<Vec<Person>, Error> {
    let mut out = Vec::new();
    for list in lists {
        let people = parse_people(list.as_ref(), None);
        out.extend(people.map_err(|refused| wrong(flag, &refused))?);
    }
    Ok(out)
}

fn text_of(flag: &str, text: &str) -> Result<Text, Error> {
    Text::new(text).map_err(|refused| wrong(flag, &refused))
}

fn field(header: &str) -> Result<(FieldName, Text), Error> {
    let (name, text) = header.split_once(':').unwrap_or((header, ""));
    let name = FieldName::new(name).map_err(|refused| wrong("--header", &refused))?;
    Ok((name, text_of("--header", text.trim_start())?))
}

fn said(flag: &str, text: Option<&String>, file: Option<&Path>) -> Result<Option<String>, Error> {
    let Some(path) = file else { return Ok(text.cloned()) };
    let failed = |error: &dyn std::fmt::Display| unreadable(flag, path, error);
    let mut octets = Vec::new();
    let read = if is_stdin(path) {
        io::stdin().lock().take(TEXT_MAX + 1).read_to_end(&mut octets)
    } else {
        let file = File::open(path).map_err(|error| failed(&error))?;
        file.take(TEXT_MAX + 1).read_to_end(&mut octets)
    };
    read.map_err(|error| failed(&error))?;
    if octets.len() as u64 > TEXT_MAX {
        return Err(failed(&"it is too large for a text; use --attach"));
    }
    let text = String::from_utf8(octets).map_err(|_| failed(&"it is not UTF-8; use --attach"))?;
    Ok(Some(text))
}

fn attached(flag: &str, path: &Path, files: &mut Vec<File>) -> Result<compose::File, Error> {
    let failed = |error: &dyn std::fmt::Display| unreadable(flag, path, error);
    let data = fs::metadata(path).map_err(|error| failed(&error))?;
    // What has no size beforehand (a pipe, a device) cannot be announced.
    if !data.is_file() {
        return Err(failed(&"it is no plain file"));
    }
    let file = File::open(path).map_err(|error| failed(&error))?;
    let size = file.metadata().map_err(|error| failed(&error))?.len();
    let name = FileName::new(&path.to_string_lossy()).map_err(|refused| wrong(flag, &refused))?;
    let media_type = MediaType::of_name(name.as_str());
    files.push(file);
    Ok(compose::File { name, media_type, size })
}

fn notify(flags: &SendFlags) -> Result<Option<Notify>, Error> {
    let Some(list) = &flags.notify else { return Ok(None) };
    let parsed = parse_notify(list);
    parsed.map(Some).ok_or_else(|| {
        let words = "`never`, or some of `success`, `failure` and `delay` with commas";
        Error::usage(format!("--notify: `{list}` is not {words}"))
    })
}

/// `never`, or some of the other three words, in any case.
pub(super) fn parse_notify(list: &str) -> Option<Notify> {
    let mut notify = Notify::default();
    if list.trim().eq_ignore_ascii_case("never") {
        return Some(notify);
    }
    for word in list.split(',') {
        match &word.trim().to_ascii_lowercase()[..] {
            "success" => notify.success = true,
            "failure" => notify.failure = true,
            "delay" => notify.delay = true,
            _ => return None,
        }
    }
    Some(notify)
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn wrong(flag: &str, refused: &Refused) -> Error {
    Error::new(Kind::Input, format!("{flag}: {refused}"))
}

fn unreadable(flag: &str, path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(Kind::NoInput, format!("{flag} {}: {error}", path.display()))
}
