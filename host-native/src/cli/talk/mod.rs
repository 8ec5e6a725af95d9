//! `pillarbox talk`: be the client of a server, or the server of a client, line by line, with what each line means. The engine
//! reads along: what a line is, whose turn it is and what nobody may see is its to say.

use std::io::{BufRead, IsTerminal, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use pillarbox_engine::observe::{self, Heard, Observer, Party};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::agent::{host_and_port, host_name};
use crate::cli::asking::{duration, too_late};
use crate::config::is_loopback;
use crate::error::{Error, Kind};
use crate::serve::shown;
use crate::tls::{ClientTls, Trust};

const EXAMPLES: &str = "\
What you type is sent with CRLF behind it; what the other side says stands behind S: (or C:), and what a line means below it, with
the section of the RFC. Passwords are masked in what is printed, not in what you type. From a pipe a line waits for the answer to
the one before, and when there are no more the conversation ends; at a terminal Ctrl-D ends it.

Examples:
  pillarbox talk smtp 127.0.0.1:1025
  pillarbox talk imap mail.hamburger.edu:993 --tls
  printf 'EHLO me.test\\nQUIT\\n' | pillarbox talk smtp mail.hamburger.edu:25 --starttls
  pillarbox talk pop3 --listen 127.0.0.1:1110    be the server: `+OK` is what greets

Exit codes: 0 the conversation ended; 1 failed; 2 wrong flag; 3 no answer in time; 5 --listen cannot be used.";

/// Stands for what nobody may see.
const MASK: &[u8] = b"******";

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Protocol {
    /// Also submission
    Smtp,
    /// RFC 1939
    Pop3,
    /// Rev1 and rev2
    Imap,
}

/// Flags of `talk`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TalkFlags {
    /// What is spoken
    #[arg(value_name = "PROTOCOL", value_enum)]
    protocol: Protocol,
    /// The server; without a port: 25, 110 or 143, with --tls 465, 995 or 993
    #[arg(
        value_name = "HOST[:PORT]",
        required_unless_present = "listen",
        conflicts_with = "listen"
    )]
    server: Option<String>,
    /// Be the server of one client that connects there; port 0 takes a free one, which is told
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["starttls", "tls"])]
    listen: Option<SocketAddr>,
    /// Begin with STARTTLS (STLS), and talk over TLS
    #[arg(long, conflicts_with = "tls")]
    starttls: bool,
    /// Talk over TLS from the first octet on
    #[arg(long)]
    tls: bool,
    /// Certificate authorities that are trusted beside those of the system, as PEM; on this machine any is
    #[arg(long, value_name = "FILE", env = "PILLARBOX_CA")]
    ca: Option<PathBuf>,
    /// How long an answer may take, where lines come from a pipe, and how long a connection may
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    timeout: Duration,
}

impl From<Protocol> for observe::Protocol {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Smtp => Self::Smtp,
            Protocol::Pop3 => Self::Pop3,
            Protocol::Imap => Self::Imap,
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub(super) fn run(flags: &TalkFlags) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::failed(format!("no runtime: {error}")))?;
    let done = runtime.block_on(async {
        match flags.listen {
            Some(address) => listen(flags, address).await,
            None => connect(flags).await,
        }
    });
    // A thread may still wait for a line that nobody types.
    runtime.shutdown_background();
    done
}

async fn listen(flags: &TalkFlags, address: SocketAddr) -> Result<(), Error> {
    let failed =
        |error: std::io::Error| Error::new(Kind::Address, format!("--listen {address}: {error}"));
    if !is_loopback(address.ip()) {
        let help = "other machines can reach it; use a 127.0.0.1 address";
        return Err(Error::usage(format!("--listen {address}: {help}")));
    }
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    eprintln!("-- you are the server at {address}; the client waits for your greeting");
    let (stream, peer) = listener.accept().await.map_err(failed)?;
    drop(listener);
    eprintln!("-- {peer} connected");
    Talk::new(flags, Box::new(stream), Party::Server).run().await
}

async fn connect(flags: &TalkFlags) -> Result<(), Error> {
    let port = match (flags.protocol, flags.tls) {
        (Protocol::Smtp, false) => 25,
        (Protocol::Smtp, true) => 465,
        (Protocol::Pop3, false) => 110,
        (Protocol::Pop3, true) => 995,
        (Protocol::Imap, false) => 143,
        (Protocol::Imap, true) => 993,
    };
    let server = flags.server.as_deref().unwrap_or_default();
    let (host, port) = host_and_port("talk", server, port)?;
    let failed = |error: std::io::Error| Error::failed(format!("{host} port {port}: {error}"));
    let dialled = TcpStream::connect((host.as_str(), port));
    let dialled = tokio::time::timeout(flags.timeout, dialled).await;
    let stream = dialled.map_err(|_| too_late(format!("{host} port {port}: no answer in time")))?;
    let mut stream = stream.map_err(failed)?;
    if !flags.tls && !flags.starttls {
        return Talk::new(flags, Box::new(stream), Party::Client).run().await;
    }
    if flags.starttls {
        upgrade(flags, &mut stream).await?;
    }
    let local =
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(is_loopback);
    let trust = if local { Trust::Any } else { Trust::Pkix };
    let tls = ClientTls::new(flags.ca.as_deref())?;
    let (stream, facts) = tls.connect(stream, &host, &trust).await.map_err(failed)?;
    let version = shown(&facts.version);
    println!("-- {version}{}", if local { ", the certificate not looked at" } else { "" });
    let mut talk = Talk::new(flags, Box::new(stream), Party::Client);
    if flags.starttls {
        talk.observer.secured();
    }
    talk.run().await
}

/// Asks for TLS, octet by octet: what comes after the answer is the handshake.
async fn upgrade(flags: &TalkFlags, stream: &mut TcpStream) -> Result<(), Error> {
    let name = host_name();
    let asks = match flags.protocol {
        Protocol::Smtp => vec![format!("EHLO {name}"), "STARTTLS".to_owned()],
        Protocol::Pop3 => vec!["STLS".to_owned()],
        Protocol::Imap => vec!["tls STARTTLS".to_owned()],
    };
    let mut talk = Talk::new(flags, Box::new(stream), Party::Client);
    talk.answer().await?;
    for ask in asks {
        talk.say(ask.as_bytes()).await?;
        talk.answer().await?;
    }
    match talk.observer.last_is_good() {
        true => Ok(()),
        false => Err(Error::new(Kind::Unavailable, "the server does not begin TLS, see above")),
    }
}

/// A conversation.
struct Talk<'a> {
    flags: &'a TalkFlags,
    stream: Box<dyn Stream + 'a>,
    we_are: Party,
    observer: Observer,
    /// The client's line and the server's, as far as it is known: a literal may end within one.
    begun: [Begun; 2],
    /// Whether our own lines are printed: at a terminal they stand there already.
    prints_ours: bool,
    is_over: bool,
}

/// A line that has not ended.
#[derive(Default)]
struct Begun {
    shown: Vec<u8>,
    meaning: Vec<String>,
}

impl<'a> Talk<'a> {
    fn new(flags: &'a TalkFlags, stream: Box<dyn Stream + 'a>, we_are: Party) -> Self {
        let observer = Observer::new(flags.protocol.into());
        let begun = <[Begun; 2]>::default();
        Self { flags, stream, we_are, observer, begun, prints_ours: true, is_over: false }
    }

    async fn run(mut self) -> Result<(), Error> {
        let is_terminal = std::io::stdin().is_terminal();
        self.prints_ours = !is_terminal;
        let mut typed = typed();
        loop {
            // From a pipe each line waits until it is its turn.
            let may_say = is_terminal || self.observer.turn() == self.we_are;
            let idle = tokio::time::sleep(self.flags.timeout);
            tokio::select! {
                line = typed.recv(), if may_say => match line {
                    Some(line) => self.say(&line).await?,
                    None => return self.end().await,
                },
                more = self.hear() => {
                    more?;
                    if self.is_over {
                        println!("-- the other side closed");
                        return Ok(());
                    }
                }
                () = idle, if !may_say => return Err(too_late("no answer in time")),
            }
        }
    }

    /// Says one line.
    async fn say(&mut self, line: &[u8]) -> Result<(), Error> {
        let line = [line, b"\r\n"].concat();
        let heard = self.observer.hear(self.we_are, &line);
        self.tell(heard);
        let failed = |error: std::io::Error| Error::failed(format!("the other side: {error}"));
        self.stream.write_all(&line).await.map_err(failed)?;
        self.stream.flush().await.map_err(failed)
    }

    /// Reads some octets, and prints the lines that end in them.
    async fn hear(&mut self) -> Result<(), Error> {
        let mut octets = [0; 4096];
        let read = self.stream.read(&mut octets).await;
        self.took(&octets, read)
    }

    /// Whole answers, one octet after the other, so that nothing behind them is read.
    async fn answer(&mut self) -> Result<(), Error> {
        let within = self.flags.timeout;
        let answered = async {
            loop {
                let mut octet = [0];
                let read = self.stream.read(&mut octet).await;
                self.took(&octet, read)?;
                if self.is_over {
                    return Err(Error::failed("the other side closed"));
                }
                let is_whole = self.observer.is_between(self.we_are.other());
                if is_whole && self.observer.turn() == self.we_are {
                    return Ok(());
                }
            }
        };
        tokio::time::timeout(within, answered).await.map_err(|_| too_late("no answer in time"))?
    }

    fn took(&mut self, octets: &[u8], read: std::io::Result<usize>) -> Result<(), Error> {
        match read {
            // TLS that ends without its goodbye is the end too.
            Ok(0) => self.is_over = true,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => self.is_over = true,
            Err(error) => return Err(Error::failed(format!("the other side: {error}"))),
            Ok(count) => {
                let heard = self.observer.hear(self.we_are.other(), &octets[..count]);
                self.tell(heard);
            }
        }
        if self.is_over {
            for party in [self.we_are.other(), self.we_are] {
                let heard = self.observer.end(party);
                self.tell(heard);
                if !self.begun[place(party)].shown.is_empty() {
                    self.print(party);
                }
            }
        }
        Ok(())
    }

    /// Prints lines that have ended, and what they mean.
    fn tell(&mut self, heard: Vec<Heard>) {
        for one in heard {
            let begun = &mut self.begun[place(one.party)];
            begun.shown.extend(one.shown(MASK));
            begun.meaning.extend(one.meaning());
            if one.octets.ends_with(b"\n") || begun.shown.len() >= observe::LINE_MAX {
                self.print(one.party);
            }
        }
    }

    fn print(&mut self, party: Party) {
        let begun = &mut self.begun[place(party)];
        let Begun { shown: line, meaning } = std::mem::take(begun);
        let sign = if party == Party::Client { 'C' } else { 'S' };
        if party != self.we_are || self.prints_ours {
            println!("{sign}: {}", shown(&line));
        }
        meaning.iter().for_each(|text| println!("   # {text}"));
        // Somebody may read along through a pipe; what is gone is gone.
        drop(std::io::stdout().flush());
    }

    /// Nothing more is said: what is still to come is printed.
    async fn end(&mut self) -> Result<(), Error> {
        drop(self.stream.shutdown().await);
        let rest = async {
            while !self.is_over {
                self.hear().await?;
            }
            Ok(())
        };
        // A server may wait for a goodbye that does not come.
        tokio::time::timeout(Duration::from_secs(1), rest).await.unwrap_or(Ok(()))
    }
}

/// Where a side's line is kept.
fn place(party: Party) -> usize {
    usize::from(party == Party::Server)
}

/// Lines of standard input, without their ends.
fn typed() -> mpsc::Receiver<Vec<u8>> {
    let (tell, told) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().split(b'\n').map_while(Result::ok) {
            let line = line.strip_suffix(b"\r").unwrap_or(&line).to_vec();
            if tell.blocking_send(line).is_err() {
                return;
            }
        }
    });
    told
}
