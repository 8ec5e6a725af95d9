//! `pillarbox sendmail`: called as `sendmail` is, by cron, git, PHP and everyone else who has mail to give away.
//! There is no queue behind it: the message is handed over at once, or the caller is told that it was not.

mod arguments;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use pillarbox_engine::message::compose::{Person, Refused, Text, parse_mailboxes, parse_person};
use pillarbox_engine::smtp::Body;

use super::send::{envelope, recipients, you};
use crate::agent::{
    Access, Outgoing, Server, ServerFile, Spool, Submission, TlsChoice, host_name, origin, submit,
};
use crate::error::{Error, Kind};
use arguments::{Arguments, Mode};

const HELP: &str = "\
Take a message from standard input and hand it to a server, as sendmail does.

Usage: pillarbox sendmail [OPTIONS] [--] [RECIPIENT...]
       sendmail ...   (a link of that name, or of pillarbox-sendmail, to pillarbox)

  -t                also send to whom To, Cc and Bcc name; Bcc is taken out in any case
  -i, -oi           a line with a single dot is text; without it, it ends the message
  -f ADDRESS        where reports go, and who wrote it if the message does not say; -r is the same; '' is nowhere
  -F NAME           the sender's name, if the message has no From
  -N WHEN           when to report: never, or success,failure,delay
  -R full|hdrs      how much of the message a report returns
  -V ENVID          an id that reports repeat
  -B 7BIT|8BITMIME  accepted; what the body holds is seen from itself
  -v                show the conversation on standard error
  -bm               deliver a message (the default)
  --config FILE     instead of ~/.config/pillarbox/sendmail.toml, then /etc/pillarbox/sendmail.toml
  --                recipients follow

Options of sendmail that do not matter here (-o..., -O..., -m, -n, -U, -G, -h N, -L TAG, -e MODE ...) are accepted.
There is no queue: -bp and -q have nothing to show or run; `pillarbox queue` is the server's.

The file says which server, in TOML; each key has a variable that beats it:
  server = \"mail.crepes.fr:587\"         PILLARBOX_SERVER   [default: 127.0.0.1:1587, else 127.0.0.1:1025]
  tls = \"required\"                      PILLARBOX_TLS      never, opportunistic, required, implicit
  ca = \"/etc/ssl/crepes.pem\"            PILLARBOX_CA
  user = \"alice\"                        PILLARBOX_USER
  password_file = \"/etc/alice.secret\"   PILLARBOX_PASSWORD_FILE, or PILLARBOX_PASSWORD
  cert = \"/etc/alice.pem\"               PILLARBOX_CERT     with key, in place of a password (EXTERNAL)
  key = \"/etc/alice.key\"                PILLARBOX_KEY
  domain = \"crepes.fr\"                  for addresses without one  [default: this machine's name]
  from = \"alice@crepes.fr\"              the sender, if nothing else names one

git:  git config sendemail.sendmailCmd 'pillarbox sendmail'
PHP:  sendmail_path = \"/usr/local/bin/pillarbox sendmail -t -i\"
cron: link /usr/sbin/sendmail to pillarbox

Exit codes are those of sysexits.h: 0 every recipient was accepted; 64 wrong call; 65 the message or an address is
wrong; 66 standard input cannot be read; 69 refused for good; 75 try again later; 77 the login was refused;
78 the configuration is wrong.
";

pub(super) fn run(arguments: Vec<OsString>) -> Result<(), Error> {
    let arguments = Arguments::parse(arguments)?;
    match arguments.mode {
        Mode::Help => {
            print!("{HELP}");
            return Ok(());
        }
        Mode::Deliver => {}
    }
    let file = configuration(arguments.config.clone())?;
    let (domain, from) = (file.domain.clone(), file.from.clone());
    let server = Server::new(file.under(environment()?)).map_err(|error| match error.kind {
        // The caller's arguments are right; what stands behind them is not.
        Kind::Usage => Error::new(Kind::Configuration, error.message),
        _ => error,
    })?;
    let domain = domain.unwrap_or_else(host_name);
    let submission = message(&arguments, &domain, from.as_deref())?;
    let outcome = submit(&server, submission)?;
    // Whoever calls sendmail reads its errors, if anything.
    outcome.failures().iter().for_each(|line| eprintln!("{line}"));
    outcome.verdict()
}

fn message(arguments: &Arguments, domain: &str, from: Option<&str>) -> Result<Submission, Error> {
    let named = arguments.recipients.iter().map(|list| {
        parse_mailboxes(list, Some(domain)).map_err(|refused| wrong("recipient", &refused))
    });
    let mut to: Vec<_> = named.collect::<Result<Vec<_>, _>>()?.concat();
    let mut author = author(arguments, domain, from)?;
    let stdin = io::stdin();
    let (head, facts, body) = Spool::read(&mut stdin.lock(), !arguments.ignore_dots)?;
    let in_message = |refused: Refused| wrong("the message", &refused);
    if arguments.read_recipients {
        to.extend(head.recipients(Some(domain)).map_err(in_message)?);
    }
    let return_path = match arguments.sender.as_deref() {
        Some("" | "<>") => None,
        _ => Some(author.mailbox.clone()),
    };
    if let Some(name) = &arguments.full_name {
        author.name = Some(Text::new(name).map_err(|refused| wrong("-F", &refused))?);
    }
    let section = head.complete(&author, Some(domain), origin()?);
    let kind = if facts.eight_bit { Body::EightBitMime } else { Body::SevenBit };
    let to = recipients(to.into_iter());
    let utf8 = head.is_eight_bit();
    let mut envelope = envelope(return_path, to, arguments.notify, kind, utf8, facts.plain)?;
    envelope.mail.ret = arguments.ret;
    envelope.mail.envid = arguments.envid.clone().map(String::into_bytes);
    Ok(Submission { envelope, message: Outgoing::ready(section, body), trace: arguments.verbose })
}

/// Who sends it: whom the caller names, or the file, or whoever runs this.
fn author(arguments: &Arguments, domain: &str, from: Option<&str>) -> Result<Person, Error> {
    match (arguments.sender.as_deref(), from) {
        (None | Some("" | "<>"), None) => you(domain),
        (None | Some("" | "<>"), Some(from)) => parse_person(from, Some(domain))
            .map_err(|refused| Error::new(Kind::Configuration, format!("from: {refused}"))),
        (Some(sender), _) => {
            parse_person(sender, Some(domain)).map_err(|refused| wrong("-f", &refused))
        }
    }
}

/// What the variables say.
fn environment() -> Result<Access, Error> {
    let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let path = |name: &str| text(name).map(PathBuf::from);
    let tls = match text("PILLARBOX_TLS") {
        None => None,
        Some(word) => {
            let parsed = <TlsChoice as clap::ValueEnum>::from_str(&word, true);
            let what = "never, opportunistic, required or implicit";
            let wrong = || format!("PILLARBOX_TLS: `{word}` is not {what}");
            Some(parsed.map_err(|_| Error::new(Kind::Configuration, wrong()))?)
        }
    };
    Ok(Access {
        server: text("PILLARBOX_SERVER"),
        tls,
        ca: path("PILLARBOX_CA"),
        user: text("PILLARBOX_USER"),
        password: text("PILLARBOX_PASSWORD"),
        password_file: path("PILLARBOX_PASSWORD_FILE"),
        token_file: path("PILLARBOX_TOKEN_FILE"),
        cert: path("PILLARBOX_CERT"),
        key: path("PILLARBOX_KEY"),
        mechanism: text("PILLARBOX_MECHANISM"),
        name: text("PILLARBOX_NAME"),
    })
}

/// The file that the caller names, or the first that is there; none is fine too.
fn configuration(named: Option<PathBuf>) -> Result<ServerFile, Error> {
    let named = named.or_else(|| std::env::var_os("PILLARBOX_SENDMAIL_CONFIG").map(PathBuf::from));
    if let Some(path) = named {
        return ServerFile::read(&path);
    }
    let of = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let own = of("XDG_CONFIG_HOME").or_else(|| of("HOME").map(|home| home.join(".config")));
    let own = own.map(|directory| directory.join("pillarbox/sendmail.toml"));
    let places = own.into_iter().chain([PathBuf::from("/etc/pillarbox/sendmail.toml")]);
    for path in places {
        if path.exists() {
            return ServerFile::read(&path);
        }
    }
    Ok(ServerFile::default())
}

fn wrong(what: &str, refused: &Refused) -> Error {
    Error::new(Kind::Input, format!("{what}: {refused}"))
}
