//! `pillarbox trace`: what is said to a running server of the dev profile, as it is said, in the terminal.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::ServeFlags;
use crate::config::{Settings, is_loopback};
use crate::error::Error;
use crate::serve::{CONTROL, shown};

/// The server says that it is there at least so often.
const SILENT_MAX: Duration = Duration::from_secs(60);
/// Octets of one event: a session tells no more in all.
const EVENT_MAX: usize = 16 << 20;
/// Octets of the control socket's answer.
const ANSWER_MAX: u64 = 64 * 1024;

/// Flags of `trace`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Each line has the number of its conversation, C for what the client said and S for what the server \
did; passwords are masked. Below stands the sentence of the RFC that a line follows, once for each.\n\nConversations that began \
before are not shown. Exit codes: 0 the server stopped; 1 failed; 2 wrong flag."
)]
pub(super) struct TraceFlags {
    /// The ready file of the server that is watched [default: the server on --data is asked]
    #[arg(long, value_name = "FILE", env = "PILLARBOX_READY_FILE", conflicts_with = "data")]
    ready_file: Option<PathBuf>,
    /// The data directory of the server that is watched [default: pillarbox in the user's data directory]
    #[arg(long, value_name = "DIR", env = "PILLARBOX_DATA")]
    data: Option<PathBuf>,
    /// Only of these
    #[arg(long, value_name = "NAMES", value_enum, value_delimiter = ',')]
    protocol: Vec<Protocol>,
    /// Write each event as the server tells it, one JSON object per line
    #[arg(long)]
    json: bool,
}

/// What a conversation speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Protocol {
    Smtp,
    Pop3,
    Imap,
}

/// Who is asked, and with what.
#[derive(Debug)]
struct Watched {
    http: SocketAddr,
    token: String,
}

pub(super) fn run(flags: &TraceFlags) -> Result<(), Error> {
    let watched = match &flags.ready_file {
        Some(file) => {
            let at = file.display();
            let text = std::fs::read_to_string(file);
            let text = text.map_err(|e| Error::usage(format!("--ready-file {at}: {e}")))?;
            watched(&text).map_err(|why| Error::usage(format!("--ready-file {at}: {why}")))?
        }
        None => asked(flags)?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::failed(format!("no runtime: {error}")))?;
    let mut printing = Printing { flags, sessions: BTreeMap::new(), told: Vec::new() };
    runtime.block_on(watch(&watched, |event| printing.event(event)))
}

/// What a ready file, or the control socket, says.
fn watched(text: &str) -> Result<Watched, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let http = value["http"].as_str().and_then(|http| http.parse::<SocketAddr>().ok());
    let http =
        http.filter(|http| is_loopback(http.ip())).ok_or("it names no HTTP of this machine")?;
    let token = value["token"].as_str().ok_or(
        "it has no token: only a server without --config, on this machine alone, shows its conversations",
    )?;
    Ok(Watched { http, token: token.to_owned() })
}

/// Asks the server on the data directory.
fn asked(flags: &TraceFlags) -> Result<Watched, Error> {
    let settings = Settings::new(ServeFlags { data: flags.data.clone(), ..ServeFlags::default() })?;
    let Some(directory) = settings.data.directory() else {
        return Err(Error::usage("trace: name a data directory, or a --ready-file"));
    };
    let at = directory.display();
    let failed = |why: String| {
        let help =
            "is `pillarbox` running there? A server with --memory is found by its --ready-file";
        Error::failed(format!("--data {at}: {why}; {help}"))
    };
    let answer = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(directory.join(CONTROL))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"{\"live\":true}\n")?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut text = String::new();
        stream.take(ANSWER_MAX).read_to_string(&mut text)?;
        Ok(text)
    };
    let answer = answer().map_err(|error| failed(error.to_string()))?;
    watched(&answer).map_err(|why| Error::failed(format!("--data {at}: {why}")))
}

/// Takes events until the server stops.
async fn watch(
    watched: &Watched,
    mut take: impl FnMut(&str) -> Result<(), Error>,
) -> Result<(), Error> {
    let failed = |what: &dyn std::fmt::Display| {
        let http = watched.http;
        Error::failed(format!("http://{http}/api/stream: {what}; is the server still running?"))
    };
    let stream = TcpStream::connect(watched.http).await.map_err(|error| failed(&error))?;
    let connected = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = connected.map_err(|error| failed(&error))?;
    tokio::spawn(connection);
    let request = Request::builder()
        .uri("/api/stream")
        .header(header::HOST, watched.http.to_string())
        .header(header::AUTHORIZATION, format!("Bearer {}", watched.token))
        .body(Empty::<Bytes>::new());
    let request = request.map_err(|error| failed(&error))?;
    let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
    let status = answer.status();
    let mut body = answer.into_body();
    if !status.is_success() {
        let text = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        return Err(failed(&format!("{status}: {}", String::from_utf8_lossy(&text).trim())));
    }
    let mut open = Vec::new();
    loop {
        let frame = tokio::time::timeout(SILENT_MAX, body.frame()).await;
        let frame = match frame.map_err(|_| failed(&"it says nothing any more"))? {
            Some(Ok(frame)) => frame,
            // The server stopped.
            None | Some(Err(_)) => return Ok(()),
        };
        open.extend_from_slice(frame.data_ref().map(Bytes::as_ref).unwrap_or_default());
        if open.len() > EVENT_MAX {
            return Err(failed(&"an event is too long"));
        }
        while let Some(end) = open.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = open.drain(..end + 2).collect();
            for line in String::from_utf8_lossy(&event).lines() {
                if let Some(data) = line.strip_prefix("data: ") {
                    take(data)?;
                }
            }
        }
    }
}

/// What is printed, and what was.
struct Printing<'a> {
    flags: &'a TraceFlags,
    /// Conversations that are shown, each with what it speaks.
    sessions: BTreeMap<String, String>,
    /// Rules whose sentences are there already.
    told: Vec<(u64, String, String)>,
}

impl Printing<'_> {
    fn event(&mut self, text: &str) -> Result<(), Error> {
        let event: Value = serde_json::from_str(text)
            .map_err(|error| Error::failed(format!("the server tells no JSON: {error}")))?;
        let session = event["session"].as_str().unwrap_or_default();
        if event["what"] == "opened" && self.is_wanted(&event) {
            let protocol = event["protocol"].as_str().unwrap_or_default();
            self.sessions.insert(session.to_owned(), protocol.to_owned());
        }
        if !session.is_empty() && !self.sessions.contains_key(session) {
            return Ok(());
        }
        let mut out = String::new();
        if self.flags.json {
            out = format!("{text}\n");
        } else {
            self.lines(session, &event, &mut out);
        }
        if event["what"] == "closed" {
            self.sessions.remove(session);
        }
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(out.as_bytes()).and_then(|()| stdout.flush());
        written.map_err(|error| Error::failed(format!("standard output: {error}")))
    }

    fn is_wanted(&self, event: &Value) -> bool {
        let spoken = event["protocol"].as_str().unwrap_or_default();
        let named = |protocol: &Protocol| {
            protocol.to_possible_value().is_some_and(|value| value.matches(spoken, true))
        };
        self.flags.protocol.is_empty() || self.flags.protocol.iter().any(named)
    }

    fn lines(&mut self, session: &str, event: &Value, out: &mut String) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let protocol = self.sessions.get(session).cloned().unwrap_or_default();
        let mut line = |what: &str| out.push_str(&format!("{protocol} #{session} {what}\n"));
        match event["what"].as_str().unwrap_or_default() {
            "opened" => {
                let tls = if event["tls"] == true { ", over TLS" } else { "" };
                line(&format!(
                    "-- {} connected to {}{tls}",
                    text(&event["peer"]),
                    text(&event["service"])
                ));
            }
            "closed" => line("-- closed"),
            "full" => line("-- what follows is too much to be told"),
            "gap" => out.push_str("-- some of it was too fast, and is missing here\n"),
            "said" => {
                let parts = event["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
                parts.iter().for_each(|part| self.part(&protocol, session, part, out));
            }
            _ => {}
        }
    }

    fn part(&mut self, protocol: &str, session: &str, part: &Value, out: &mut String) {
        let mut line = |what: &str| out.push_str(&format!("{protocol} #{session} {what}\n"));
        for side in ["C", "S"] {
            let Some(octets) = part[side].as_str().filter(|_| part["span"].is_null()) else {
                continue;
            };
            for said in octets.split_inclusive('\n') {
                // Each character is the octet of its number.
                let said = said.strip_suffix("\r\n").unwrap_or(said);
                let said: Vec<u8> = said.chars().filter_map(|c| u8::try_from(c).ok()).collect();
                line(&format!("{side}: {}", shown(&said)));
            }
        }
        if let Some(rule) = part["fault"].as_str() {
            line(&format!("!  a fault on purpose: {rule}"));
        }
        if let Some(version) = part["secured"].as_str() {
            line(&format!("-- {version} from here on"));
        }
        let sign = if part["defect"] == true { '!' } else { '#' };
        let (section, gist) = (part["section"].as_str(), part["gist"].as_str());
        let (Some(rfc), Some(section), Some(gist)) = (part["rfc"].as_u64(), section, gist) else {
            return;
        };
        let rule = (rfc, section.to_owned(), gist.to_owned());
        if sign == '!' || !self.told.contains(&rule) {
            line(&format!("{sign}  RFC {rfc} §{section}: {gist}"));
            self.told.push(rule);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_is_watched_is_named_whole() {
        let fine = watched(r#"{"http":"127.0.0.1:8025","token":"t"}"#).expect("both");
        assert_eq!((fine.http.port(), &fine.token[..]), (8025, "t"));
        for (text, part) in [
            ("{}", "no HTTP"),
            (r#"{"http":"192.0.2.1:80","token":"t"}"#, "no HTTP"),
            (r#"{"http":"127.0.0.1:80"}"#, "--config"),
            ("x", "expected"),
        ] {
            let error = watched(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_said_is_shown_with_its_rule_once() {
        let flags = TraceFlags { ready_file: None, data: None, protocol: vec![], json: false };
        let mut printing = Printing { flags: &flags, sessions: BTreeMap::new(), told: Vec::new() };
        printing.sessions.insert("7".to_owned(), "pop3".to_owned());
        let rule =
            json!({ "span": "status", "side": "S", "rfc": 1939, "section": "3", "gist": "A." });
        let parts =
            json!([{ "C": "PASS ***\r\nA\u{1b}[2J\u{e9}\r\n" }, { "S": "+OK\r\n" }, rule, rule]);
        let mut out = String::new();
        printing.lines("7", &json!({ "what": "said", "parts": parts }), &mut out);
        let wanted = "pop3 #7 C: PASS ***\npop3 #7 C: A\\x1b[2J\\xe9\npop3 #7 S: +OK\npop3 #7 #  RFC 1939 §3: A.\n";
        assert_eq!(out, wanted);
        let only = TraceFlags { protocol: vec![Protocol::Smtp], ..flags.clone() };
        let printing = Printing { flags: &only, sessions: BTreeMap::new(), told: Vec::new() };
        assert!(printing.is_wanted(&json!({ "protocol": "smtp" })));
        assert!(!printing.is_wanted(&json!({ "protocol": "pop3" })));
    }
}
