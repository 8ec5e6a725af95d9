//! `pillarbox probe`: a table of what a server does, each row with the RFC section that it is held to.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use pillarbox_engine::probe as mail_probe;
use pillarbox_engine::smtp::grammar::parse_domain;
use pillarbox_engine::smtp::probe::{Channel, Row, Verdict};
use serde_json::{Value, json};

use crate::agent::{
    MailProbed, MailTries, Probed, Tries, host_and_port, host_name, probe, probe_mail,
};
use crate::error::{Error, Kind};
use crate::serve::shown;

/// The port of servers that take mail from others.
const SMTP: u16 = 25;

/// Ports of servers that have mail, in the clear and with TLS first.
const IMAP: (u16, u16) = (143, 993);
const POP3: (u16, u16) = (110, 995);

const MAIL_EXAMPLES: &str = "\
Each row is one test: what was tried, what the RFC wants, what the server did, and how that is:
  good  as the RFC wants it
  weak  allowed, but not what the RFC recommends
  bad   against the RFC
  ?     the answer tells nothing, or the server did not come to it

Nobody logs in, so no mail is seen or changed. It takes about ten connections; --unsafe makes three more, which a server may
take for an attack: a login that must fail, HTTP, and many errors. Probe only servers that are yours, or whose owner agrees.

Examples:
  pillarbox probe imap 127.0.0.1:1143
  pillarbox probe imap mail.hamburger.edu --implicit
  pillarbox probe pop3 mail.hamburger.edu:110 --starttls --json

Exit codes: 0 no row is bad; 69 some are; 75 the server cannot be reached; 2 wrong flag.";

const EXAMPLES: &str = "\
Each row is one test: what was tried, what the RFC wants, what the server did, and how that is:
  good  as the RFC wants it
  weak  allowed, but not what the RFC recommends
  bad   against the RFC
  ?     the answer tells nothing, or the server did not come to it

No test sends a message. It takes about ten connections; --unsafe makes three more, which a server may take for an
attack: recipients elsewhere, HTTP, and many errors. Probe only servers that are yours, or whose owner agrees.

Examples:
  pillarbox probe smtp 127.0.0.1:1025
  pillarbox probe smtp mail.hamburger.edu:465 --implicit --json

Exit codes: 0 no row is bad; 69 some are; 75 the server cannot be reached; 2 wrong flag.";

/// Flags of `probe`.
#[derive(Clone, Debug, Args)]
pub(super) struct ProbeFlags {
    #[command(subcommand)]
    protocol: Protocol,
}

#[derive(Clone, Debug, Subcommand)]
enum Protocol {
    /// An SMTP or submission server
    Smtp(SmtpFlags),
    /// An IMAP server
    Imap(MailFlags),
    /// A POP3 server
    Pop3(MailFlags),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = MAIL_EXAMPLES)]
struct MailFlags {
    /// The server; without a port: 143 or 110, with --implicit 993 or 995
    #[arg(value_name = "HOST[:PORT]")]
    server: String,
    /// Make the tests over TLS by STARTTLS or STLS, and not in the clear
    #[arg(long, conflicts_with = "implicit")]
    starttls: bool,
    /// Make them over TLS from the first octet on
    #[arg(long)]
    implicit: bool,
    /// Also try what a server may take for an attack
    #[arg(long = "unsafe")]
    with_unsafe: bool,
    /// Write it as JSON
    #[arg(long)]
    json: bool,
    /// Show the conversations on standard error
    #[arg(long)]
    trace: bool,
    /// Certificate authorities that are trusted beside those of the system, as PEM
    #[arg(long, value_name = "FILE", env = "PILLARBOX_CA")]
    ca: Option<PathBuf>,
    /// Seconds that an answer may take
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    timeout: u16,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
struct SmtpFlags {
    /// The server; without a port: 25
    #[arg(value_name = "HOST[:PORT]")]
    server: String,
    /// Make the tests over TLS by STARTTLS, and not in the clear
    #[arg(long, conflicts_with = "implicit")]
    starttls: bool,
    /// Make them over TLS from the first octet on
    #[arg(long)]
    implicit: bool,
    /// Also try what a server may take for an attack
    #[arg(long = "unsafe")]
    with_unsafe: bool,
    /// Write it as JSON
    #[arg(long)]
    json: bool,
    /// Show the conversations on standard error
    #[arg(long)]
    trace: bool,
    /// Certificate authorities that are trusted beside those of the system, as PEM
    #[arg(long, value_name = "FILE", env = "PILLARBOX_CA")]
    ca: Option<PathBuf>,
    /// How we introduce ourselves [default: this machine's name]
    #[arg(long, value_name = "HOST", env = "PILLARBOX_NAME")]
    name: Option<String>,
    /// Seconds that an answer may take
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    timeout: u16,
}

pub(super) fn run(flags: ProbeFlags) -> Result<(), Error> {
    let flags = match flags.protocol {
        Protocol::Smtp(flags) => flags,
        Protocol::Imap(flags) => return mail(flags, mail_probe::Protocol::Imap, IMAP),
        Protocol::Pop3(flags) => return mail(flags, mail_probe::Protocol::Pop3, POP3),
    };
    let (host, port) = host_and_port("HOST:PORT", &flags.server, SMTP)?;
    let name = flags.name.clone().unwrap_or_else(host_name);
    if parse_domain(name.as_bytes()).is_none() {
        return Err(Error::usage(format!("--name: `{name}` is no host name")));
    }
    let channel = channel(flags.starttls, flags.implicit);
    let tries = Tries {
        host,
        port,
        channel,
        with_unsafe: flags.with_unsafe,
        name,
        reply_within: Duration::from_secs(flags.timeout.into()),
        trace: flags.trace,
    };
    let probed = probe(&tries, flags.ca.as_deref())?;
    if flags.json {
        println!("{}", json_of(&probed));
    } else {
        print(&probed);
    }
    verdict_of(&probed.rows)
}

fn mail(flags: MailFlags, protocol: mail_probe::Protocol, ports: (u16, u16)) -> Result<(), Error> {
    let port = if flags.implicit { ports.1 } else { ports.0 };
    let (host, port) = host_and_port("HOST:PORT", &flags.server, port)?;
    let tries = MailTries {
        protocol,
        host,
        port,
        channel: channel(flags.starttls, flags.implicit),
        with_unsafe: flags.with_unsafe,
        reply_within: Duration::from_secs(flags.timeout.into()),
        trace: flags.trace,
    };
    // The same table, from what the same places hold.
    let MailProbed { address, greeting, offers, tls, rows } =
        probe_mail(&tries, flags.ca.as_deref())?;
    let probed = Probed { address, greeting, offers, tls, rows, wants_login: false };
    if flags.json {
        println!("{}", json_of(&probed));
    } else {
        print(&probed);
    }
    verdict_of(&probed.rows)
}

fn channel(starttls: bool, implicit: bool) -> Channel {
    match (starttls, implicit) {
        (true, _) => Channel::StartTls,
        (_, true) => Channel::Implicit,
        _ => Channel::Clear,
    }
}

fn verdict_of(rows: &[Row]) -> Result<(), Error> {
    let bad = rows.iter().filter(|row| row.verdict == Verdict::Bad).count();
    if bad == 0 {
        return Ok(());
    }
    let message = format!("{bad} of {} tests are against an RFC", rows.len());
    Err(Error::new(Kind::Unavailable, message))
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "good",
        Verdict::Weak => "weak",
        Verdict::Bad => "bad",
        Verdict::Unknown => "?",
    }
}

fn section(row: &Row) -> String {
    format!("RFC {} §{}", row.rule.rfc, row.rule.section)
}

fn print(probed: &Probed) {
    println!("server    {}", probed.address);
    println!("greeting  {}", probed.greeting.as_deref().unwrap_or("none"));
    for (secured, lines) in &probed.offers {
        let place = if *secured { "over TLS" } else { "offers" };
        println!("{place:<9} {}", lines.join(", "));
    }
    if let Some(facts) = &probed.tls {
        println!("TLS       {} {}", shown(&facts.version), shown(&facts.cipher));
    }
    let width = |of: fn(&Row) -> usize| probed.rows.iter().map(of).max().unwrap_or(0);
    let test = width(|row| row.test.len());
    let expected = width(|row| row.expected.len());
    let rule = width(|row| section(row).chars().count());
    println!("\n{:<4}  {:<test$}  {:<rule$}  {:<expected$}  seen", "", "test", "rule", "expected");
    for row in &probed.rows {
        let (verdict, rule_text) = (word(row.verdict), section(row));
        println!(
            "{verdict:<4}  {:<test$}  {rule_text:<rule$}  {:<expected$}  {}",
            row.test, row.expected, row.seen
        );
    }
    let count = |verdict| probed.rows.iter().filter(|row| row.verdict == verdict).count();
    let counts = [Verdict::Good, Verdict::Weak, Verdict::Bad, Verdict::Unknown]
        .map(|verdict| format!("{} {}", count(verdict), word(verdict)));
    println!("\n{}", counts.join(", "));
    if let Some(hint) = hint(probed) {
        println!("{hint}");
    }
}

/// What the rows that tell nothing have in common.
fn hint(probed: &Probed) -> Option<&'static str> {
    probed.wants_login.then_some(
        "The server takes no mail here before a login, as ports for submission do, so tests of transactions tell\n\
         nothing. How it takes mail from other servers is seen at its port 25.",
    )
}

fn json_of(probed: &Probed) -> Value {
    let rows: Vec<Value> = probed
        .rows
        .iter()
        .map(|row| {
            let verdict =
                if row.verdict == Verdict::Unknown { "unknown" } else { word(row.verdict) };
            json!({
                "test": row.test,
                "expected": row.expected,
                "seen": row.seen,
                "verdict": verdict,
                "rfc": row.rule.rfc,
                "section": row.rule.section,
                "rule": row.rule.gist,
            })
        })
        .collect();
    let offers: Vec<Value> = probed
        .offers
        .iter()
        .map(|(secured, lines)| json!({ "secured": secured, "lines": lines }))
        .collect();
    let tls = probed
        .tls
        .as_ref()
        .map(|facts| json!({ "version": shown(&facts.version), "cipher": shown(&facts.cipher) }));
    json!({
        "address": probed.address.to_string(),
        "greeting": probed.greeting,
        "offers": offers,
        "tls": tls,
        "rows": rows,
        "hint": hint(probed),
    })
}
