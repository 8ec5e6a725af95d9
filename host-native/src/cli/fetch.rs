//! `pillarbox fetch`: mail from another server into an account here, once or for as long as this runs.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use pillarbox_engine::imap::client::types::{Command, Outcome};
use pillarbox_engine::pop3;
use pillarbox_engine::types::TlsFacts;
use serde_json::json;

use super::import::{StoreFlags, runtime, tell_if_interrupted};
use super::reading::ReadFlags;
use crate::agent::{
    Collecting, ImapSink, MailHost, MailUrl, PopSink, Protocol, Round, Stopped, collect_imap,
    collect_pop3,
};
use crate::client::Client;
use crate::client::reading::Reading;
use crate::config::Settings;
use crate::error::{Error, Kind};
use crate::folders::{INBOX, Shows, Tally, mailbox_named, mebi};
use crate::local::{Key, Local};
use crate::serve::shown;

/// How long the first pause after a lost connection is; each further one is twice as long.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(300);

const EXAMPLES: &str = "\
Download and keep, or download and delete: with --keep, the default, the server's mailbox stays as it was, and every device
that reads it sees the same. With --delete each message is removed there once it is on the disk here, and never before.

What was fetched is remembered in the data directory, with the message and in the same transaction: by UIDVALIDITY and UID of
IMAP, by the unique-id (UIDL) of POP3, by its octets where a POP3 server has no UIDL. So a run that was cut off is simply run
again: nothing is lost, and nothing comes twice. IMAP's flags and dates are kept; POP3 tells neither.

If a server runs on the data directory, it does the storing; if none does, this command does.

Examples:
  pillarbox fetch imaps://bob@mail.provider.example --account bob@hamburger.edu --config pillarbox.toml
  pillarbox fetch pop3s://bob@pop.provider.example --account bob@hamburger.edu --delete
  pillarbox fetch imaps://bob@mail.provider.example/Archive --mailbox Archive --account bob@hamburger.edu --watch

A user's own @ may stand in the URL as it is, or as %40. The password is read from --password-file, PILLARBOX_PASSWORD or the
terminal. A server must prove its name by a certificate, unless --tls says otherwise.

Exit codes: 0 all is here; 2 wrong flag; 4 the data directory cannot be used; 69 the server cannot do it, or TLS is not good
enough; 75 later it may work; 77 the login was refused; 130 interrupted; 1 anything else.";

/// Flags of `fetch`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct FetchFlags {
    /// Where from: imaps://USER@HOST/MAILBOX, imap:, pop3s: or pop3:
    #[arg(value_name = "URL")]
    url: String,
    #[command(flatten)]
    store: StoreFlags,
    /// Where it goes
    #[arg(long, value_name = "NAME", default_value = INBOX)]
    mailbox: String,
    /// Leave the messages there (this is the default)
    #[arg(long, conflicts_with = "delete")]
    keep: bool,
    /// Remove there what is stored here
    #[arg(long)]
    delete: bool,
    /// Go on: wait for new mail by IDLE where there is that, else look every --interval; connect again when it breaks
    #[arg(long)]
    watch: bool,
    /// Seconds between two looks, where the server does not tell of new mail
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    interval: u32,
    #[command(flatten)]
    read: ReadFlags,
    /// Write progress and outcome as JSON: one object per line
    #[arg(long)]
    json: bool,
    /// Say nothing but the outcome
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(flags: &FetchFlags) -> Result<(), Error> {
    let url = MailUrl::read("URL", &flags.url)?;
    let settings = flags.store.settings()?;
    let host = MailHost::new(url, flags.read.access(), flags.read.trace)?;
    let client = host.client()?;
    tell_if_interrupted("stored")?;
    runtime()?.block_on(async {
        let how = loop {
            match prepare(&settings, flags, &host).await {
                Err(error) if flags.watch && error.kind == Kind::Busy => {
                    say_pause(flags, &host, &error, BACKOFF_MIN);
                    tokio::time::sleep(BACKOFF_MIN).await;
                }
                prepared => break prepared?,
            }
        };
        let fetch = Fetch { settings: &settings, flags, host: &host, client: &client, how };
        if flags.watch { fetch.watch().await } else { fetch.once().await }
    })
}

/// Makes sure that there is somewhere to store, before anybody is asked for anything.
async fn prepare(
    settings: &Settings,
    flags: &FetchFlags,
    host: &MailHost,
) -> Result<Collecting, Error> {
    let mailbox = mailbox_named("--mailbox", &flags.mailbox)?;
    let mut local = Local::open(settings, true).await?;
    let ready = async {
        let account = local.account(&flags.store.account).await?;
        local.make(&account, &mailbox).await?;
        Ok::<_, Error>(account)
    };
    let account = ready.await;
    local.close().await;
    let remote = host.url.mailbox.clone().unwrap_or_else(|| INBOX.to_owned());
    let remote = if remote.eq_ignore_ascii_case(INBOX) { INBOX.to_owned() } else { remote };
    Ok(Collecting {
        account: account?,
        mailbox,
        source: source(host, &remote),
        delete: flags.delete,
        remote,
    })
}

/// Names a mailbox of another server, however it is reached.
fn source(host: &MailHost, remote: &str) -> Key {
    let (protocol, usual) = match host.url.protocol {
        Protocol::Imap => ("imap", [143, 993]),
        Protocol::Pop3 => ("pop3", [110, 995]),
    };
    let port = if usual.contains(&host.url.port) { 0 } else { host.url.port };
    let name = host.url.host.to_ascii_lowercase();
    let parts = [protocol.as_bytes(), host.user.as_bytes(), name.as_bytes(), &port.to_be_bytes()];
    let [protocol, user, name, port] = parts;
    Key::of(&[protocol, user, name, port, remote.as_bytes()])
}

/// Tells why nothing is fetched for so long.
fn say_pause(flags: &FetchFlags, host: &MailHost, why: &dyn std::fmt::Display, pause: Duration) {
    let seconds = pause.as_secs();
    if flags.json {
        let why = why.to_string();
        println!("{}", json!({ "event": "pause", "seconds": seconds, "why": why }));
    } else {
        eprintln!("{}: {why}; again in {seconds} s", host.shown());
    }
}

struct Fetch<'a> {
    settings: &'a Settings,
    flags: &'a FetchFlags,
    host: &'a MailHost,
    client: &'a Client,
    how: Collecting,
}

type Imap = Reading<pillarbox_engine::imap::Client, ImapSink>;

impl Fetch<'_> {
    async fn once(&self) -> Result<(), Error> {
        let done = match self.host.url.protocol {
            Protocol::Imap => {
                let mut reading = self.open_imap().await?;
                let done = self.imap_round(&mut reading, 0).await;
                if done.is_ok() {
                    reading.leave(Command::Logout).await;
                }
                done.map(|_| ())
            }
            Protocol::Pop3 => self.pop3_round().await,
        };
        done.map_err(|stopped| self.error(stopped))
    }

    /// Rounds without end; only what no time mends ends them.
    async fn watch(&self) -> Result<(), Error> {
        let mut pause = BACKOFF_MIN;
        loop {
            let mut rounds = 0;
            let ended = match self.host.url.protocol {
                Protocol::Imap => self.imap_session(&mut rounds).await,
                Protocol::Pop3 => self.pop3_round().await.inspect(|()| rounds += 1),
            };
            if rounds > 0 {
                pause = BACKOFF_MIN;
            }
            match ended {
                Ok(()) => {
                    tokio::time::sleep(Duration::from_secs(self.flags.interval.into())).await;
                    continue;
                }
                Err(Stopped::There(ended)) if ended.may_pass() => {
                    say_pause(self.flags, self.host, &ended, pause);
                }
                Err(Stopped::Here(error)) if matches!(error.kind, Kind::Temporary | Kind::Busy) => {
                    say_pause(self.flags, self.host, &error, pause);
                }
                Err(stopped) => return Err(self.error(stopped)),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BACKOFF_MAX);
        }
    }

    /// One connection, for as long as it holds.
    async fn imap_session(&self, rounds: &mut u32) -> Result<(), Stopped> {
        let mut reading = self.try_open_imap().await?;
        let mut above = 0;
        loop {
            above = self.imap_round(&mut reading, above).await?;
            *rounds += 1;
            let idle = reading.begin_call(Command::Idle).await?;
            reading.wait_for_news(idle).await?;
            if reading.sink().has_news {
                reading.call(Command::DoneIdling).await?;
                reading.complete(idle).await?;
                continue;
            }
            if reading.complete(idle).await?.outcome != Outcome::Ok {
                // RFC 9051 §6.1.2: without IDLE a NOOP now and then hears what is new.
                tokio::time::sleep(Duration::from_secs(self.flags.interval.into())).await;
                reading.call(Command::Noop).await?;
            }
        }
    }

    async fn try_open_imap(&self) -> Result<Imap, Stopped> {
        let target = self.host.target().await?;
        let reading =
            Reading::open(self.client, &target, &self.host.terms, ImapSink::default).await?;
        self.say_connected(reading.address(), reading.tls());
        Ok(reading)
    }

    async fn open_imap(&self) -> Result<Imap, Error> {
        self.try_open_imap().await.map_err(|stopped| self.error(stopped))
    }

    async fn imap_round(&self, reading: &mut Imap, above: u32) -> Result<u32, Stopped> {
        let local = Local::open(self.settings, true).await?;
        let (round, ended) = collect_imap(reading, local, &self.how, above, self.tally()).await;
        self.say(&round, ended.is_ok());
        ended.map(|()| round.last_uid)
    }

    async fn pop3_round(&self) -> Result<(), Stopped> {
        let target = self.host.target().await?;
        let reading: Reading<pop3::Client, PopSink> =
            Reading::open(self.client, &target, &self.host.terms, PopSink::default).await?;
        self.say_connected(reading.address(), reading.tls());
        let local = Local::open(self.settings, true).await?;
        let (round, ended) = collect_pop3(reading, local, &self.how, self.tally()).await;
        self.say(&round, ended.is_ok());
        ended
    }

    fn tally(&self) -> Tally {
        // Progress and a conversation on one terminal would be neither.
        Tally::new(Shows::new(self.flags.json, self.flags.quiet || self.flags.read.trace))
    }

    fn error(&self, stopped: Stopped) -> Error {
        match stopped {
            Stopped::There(ended) => self.host.error(&ended),
            Stopped::Here(error) => error,
        }
    }

    /// For programs: where it is, and how well that is proven.
    fn say_connected(&self, address: SocketAddr, tls: Option<(&TlsFacts, bool)>) {
        if self.flags.json {
            let version = tls.map(|(facts, _)| shown(&facts.version));
            let verified = tls.is_some_and(|(_, verified)| verified);
            let server = address.to_string();
            println!(
                "{}",
                json!({ "event": "connected", "server": server, "tls": version, "verified": verified })
            );
        }
    }

    fn say(&self, round: &Round, is_whole: bool) {
        let counts = round.counts;
        if self.flags.json {
            println!(
                "{}",
                json!({
                    "event": "round", "whole": is_whole, "found": counts.found,
                    "stored": counts.stored, "known": counts.known, "failed": counts.failed,
                    "gone": counts.gone, "deleted": counts.deleted, "octets": round.octets,
                    "notes": round.notes,
                })
            );
            return;
        }
        round.notes.iter().for_each(|note| eprintln!("{}: {note}", self.host.shown()));
        let nothing = counts.stored + counts.deleted + counts.failed == 0;
        if nothing && (self.flags.watch || !is_whole) {
            return;
        }
        let mut line = format!(
            "{}: {} new messages stored ({}), {} were here",
            self.host.shown(),
            counts.stored,
            mebi(round.octets),
            counts.known
        );
        for (count, what) in [
            (counts.deleted, "removed there"),
            (counts.failed, "could not be had"),
            (counts.gone, "went before they came"),
        ] {
            if count > 0 {
                line.push_str(&format!(", {count} {what}"));
            }
        }
        match is_whole {
            true => println!("{line}"),
            // Why follows.
            false => eprintln!("{line}; then it broke off"),
        }
    }
}
