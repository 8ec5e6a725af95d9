//! `pillarbox read` and `pillarbox wait`: what came to a server for development, by its API.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Args;
use pillarbox_world::fault::parse_duration;
use serde_json::Value;

use crate::error::{Error, Kind};
use crate::http::{HttpClient, Url, escaped};
use crate::serve::shown;

/// How long one request waits: shorter than the client's own patience.
const ASKED: Duration = Duration::from_secs(3);
/// Messages that a list shows.
const LISTED_MAX: usize = 50;

/// Where the server is.
#[derive(Clone, Debug, Args)]
struct At {
    /// Where its HTTP listens
    #[arg(long, value_name = "ADDR", env = "PILLARBOX_HTTP", default_value = "127.0.0.1:8025")]
    http: SocketAddr,
}

/// Flags of `read`.
#[derive(Clone, Debug, Args)]
pub(super) struct ReadFlags {
    /// Whose mail: an address, or a part of one [default: everybody's]
    who: Option<String>,
    /// List what came, the newest first, and show none of it
    #[arg(long, short)]
    list: bool,
    /// Show this message, by its id
    #[arg(long, value_name = "ID", conflicts_with = "list")]
    id: Option<u64>,
    /// Print what the API says, as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Flags of `wait`.
#[derive(Clone, Debug, Args)]
pub(super) struct WaitFlags {
    /// To exactly this address
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// From exactly this address
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// With exactly this subject
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// So many messages; 0: none may come within the time
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: usize,
    /// Only messages behind this id
    #[arg(long, value_name = "ID")]
    since: Option<u64>,
    /// For so long at most, such as 30s or 2m
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    timeout: String,
    /// Print what the API says, as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Asks the API, and gives the status and what it says.
fn ask(at: &At, path: &str) -> Result<(u16, Value), Error> {
    let address = format!("http://{}{path}", at.http);
    let url = Url::parse(&address)
        .ok_or_else(|| Error::failed(format!("{address} is no address of a web server")))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::failed(format!("no runtime: {error}")))?;
    let client = HttpClient::new(None)?;
    let answer = runtime.block_on(client.ask(&url, None)).map_err(|error| {
        let why = format!(
            "nothing answers at {} ({error}); start `pillarbox`, or say --http ADDR",
            at.http
        );
        Error::new(Kind::Unavailable, why)
    })?;
    let status = answer.status.as_u16();
    let said = serde_json::from_slice(&answer.body).map_err(|_| {
        Error::failed(format!(
            "{} says {status} and nothing that can be read: it has an API for tests in the dev profile alone",
            at.http
        ))
    })?;
    Ok((status, said))
}

/// What a request was refused with.
fn refused(said: &Value) -> Error {
    Error::failed(said["Error"].as_str().unwrap_or("the server refused").to_owned())
}

/// Text for a terminal: nothing in a message moves its cursor.
fn plain(value: &Value) -> String {
    shown(value.as_str().unwrap_or_default().as_bytes())
}

fn people(list: &Value) -> String {
    let one = |person: &Value| match plain(&person["Name"]) {
        name if name.is_empty() => plain(&person["Address"]),
        name => format!("{name} <{}>", plain(&person["Address"])),
    };
    match list {
        Value::Array(all) => all.iter().map(one).collect::<Vec<_>>().join(", "),
        other => one(other),
    }
}

/// One line for a message in a list.
fn line(item: &Value) -> String {
    let (id, when) = (plain(&item["ID"]), plain(&item["Created"]));
    let mark = if item["Read"] == true { ' ' } else { '*' };
    format!("{id:>6} {mark} {when}  {}  {}", people(&item["From"]), plain(&item["Subject"]))
}

/// `pillarbox read`.
pub(super) fn read(flags: ReadFlags) -> Result<(), Error> {
    let ReadFlags { who, list, id, json, at } = flags;
    let path = match &who {
        Some(who) => {
            let query = escaped(&format!("to:\"{}\"", who.replace('"', "")));
            format!("/api/v1/search?limit={LISTED_MAX}&query={query}")
        }
        None => format!("/api/v1/messages?limit={LISTED_MAX}"),
    };
    let id = match id {
        Some(id) => id.to_string(),
        None => {
            let (status, found) = ask(&at, &path)?;
            if status != 200 {
                return Err(refused(&found));
            }
            if list && json {
                println!("{found}");
                return Ok(());
            }
            let none = Vec::new();
            let messages = found["messages"].as_array().unwrap_or(&none);
            if list {
                messages.iter().for_each(|item| println!("{}", line(item)));
                return Ok(());
            }
            let Some(newest) = messages.first() else {
                let whom = who.map_or_else(String::new, |who| format!(" to {who}"));
                let why = format!("nothing has come{whom} yet; `pillarbox wait` waits for it");
                return Err(Error::new(Kind::Temporary, why));
            };
            if messages.len() > 1 {
                eprintln!("the newest of {}; --list shows them all", messages.len());
            }
            plain(&newest["ID"])
        }
    };
    let (status, message) = ask(&at, &format!("/api/v1/message/{id}"))?;
    if status != 200 {
        return Err(refused(&message));
    }
    if json {
        println!("{message}");
        return Ok(());
    }
    for name in ["From", "To", "Cc"] {
        let people = people(&message[name]);
        if !people.is_empty() {
            println!("{name}: {people}");
        }
    }
    println!("Date: {}\nSubject: {}", plain(&message["Date"]), plain(&message["Subject"]));
    for file in message["Attachments"].as_array().into_iter().flatten() {
        println!("Attachment: {} ({} octets)", plain(&file["FileName"]), file["Size"]);
    }
    println!();
    let text = message["Text"].as_str().unwrap_or_default();
    let text = match text.trim().is_empty() {
        true => {
            pillarbox_world::service::web::rich::text(message["HTML"].as_str().unwrap_or_default())
        }
        false => text.to_owned(),
    };
    text.lines().for_each(|line| println!("{}", shown(line.as_bytes())));
    Ok(())
}

/// `pillarbox wait`.
pub(super) fn wait(flags: WaitFlags) -> Result<(), Error> {
    let usage = |why: &str| Error::new(Kind::Usage, why);
    let timeout = parse_duration(&flags.timeout).map(Duration::from_millis);
    let timeout =
        timeout.ok_or_else(|| usage("--timeout: expected a duration, such as 30s or 2m"))?;
    let named = [("to", &flags.to), ("from", &flags.from), ("subject", &flags.subject)];
    let mut asked = format!("/api/wait?count={}", flags.count);
    for (name, value) in named {
        if let Some(value) = value {
            asked.push_str(&format!("&{name}={}", escaped(value)));
        }
    }
    if let Some(since) = flags.since {
        asked.push_str(&format!("&since={since}"));
    }
    let until = Instant::now() + timeout;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let path = format!("{asked}&timeout={}ms", left.min(ASKED).as_millis());
        let (status, said) = ask(&flags.at, &path)?;
        let over = left <= ASKED;
        match status {
            408 if !over => continue,
            200 if flags.count == 0 && !over => continue,
            200 => {}
            408 | 409 => {
                if flags.json {
                    println!("{said}");
                }
                for item in said["arrived"].as_array().into_iter().flatten() {
                    eprintln!(
                        "arrived: {}  to {}  {}",
                        people(&item["From"]),
                        people(&item["To"]),
                        plain(&item["Subject"])
                    );
                }
                return Err(Error::new(Kind::Temporary, refused(&said).message));
            }
            _ => return Err(refused(&said)),
        }
        if flags.json {
            println!("{said}");
        } else {
            said["messages"]
                .as_array()
                .into_iter()
                .flatten()
                .for_each(|item| println!("{}", line(item)));
        }
        return Ok(());
    }
}
