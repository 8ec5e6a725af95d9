//! `pillarbox read`, `wait` and `ready`: mail that a running server of the dev profile caught, for people and for scripts.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use super::asking::{AskFlags, Asked, duration, refused, too_late};
use super::mail::{lines, one_line};
use crate::error::Error;
use crate::http::escaped;

/// A server that is there answers within this time.
const ANSWER: Duration = Duration::from_secs(30);
/// How often it is looked whether a server is ready.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Flags of `read`.
#[derive(Clone, Debug, Args)]
pub(super) struct ReadFlags {
    /// Whose mail: an address, or what stands before its @
    #[arg(value_name = "USER")]
    user: String,
    /// The number of the message that is shown, or `latest`; without it, all are listed
    #[arg(value_name = "MESSAGE")]
    message: Option<String>,
    /// Write JSON, or of one message its source
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: AskFlags,
}

/// Flags of `wait`.
#[derive(Clone, Debug, Args)]
pub(super) struct WaitFlags {
    /// Whose mail: an address, or what stands before its @
    #[arg(long, value_name = "USER")]
    to: Option<String>,
    /// Who wrote it: an address
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// What it is about: the whole subject
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// How many are waited for; 0: that none comes in this time
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: u32,
    /// How long, such as 5s or 500ms; at most 300s
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    timeout: Duration,
    /// Write JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: AskFlags,
}

/// Flags of `ready`.
#[derive(Clone, Debug, Args)]
pub(super) struct ReadyFlags {
    /// How long it may take, such as 10s
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    wait: Duration,
    #[command(flatten)]
    server: AskFlags,
}

/// Lists a mailbox, or shows a message of it.
pub(super) fn read(flags: &ReadFlags) -> Result<(), Error> {
    let server = flags.server.open()?;
    let path = format!("/api/wait?count=1&timeout=0&to={}", escaped(&flags.user));
    let (status, answer) = server.json(&path, ANSWER)?;
    if !matches!(status, 200 | 408) {
        return Err(refused(status, &answer));
    }
    let own = answer["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(wanted) = &flags.message else {
        show(own, flags.json);
        return Ok(());
    };
    let found = match &wanted[..] {
        "latest" => own.first(),
        number => own.iter().find(|message| message["ID"] == *number),
    };
    let id = found.and_then(|message| message["ID"].as_str()).ok_or_else(|| {
        too_late(format!("{} has no message {wanted}; `pillarbox read {0}` lists them", flags.user))
    })?;
    if flags.json {
        let path = format!("/api/v1/message/{id}/raw");
        let answer = server.get(&path, ANSWER).map_err(|error| Error::failed(error.to_string()))?;
        print!("{}", String::from_utf8_lossy(&answer.body));
        return Ok(());
    }
    let (status, message) = server.json(&format!("/api/v1/message/{id}"), ANSWER)?;
    if status != 200 {
        return Err(refused(status, &message));
    }
    whole(&message);
    Ok(())
}

/// Waits for mail.
pub(super) fn wait(flags: &WaitFlags) -> Result<(), Error> {
    let server = flags.server.open()?;
    let mut path =
        format!("/api/wait?count={}&timeout={}ms", flags.count, flags.timeout.as_millis());
    let words = [("to", &flags.to), ("from", &flags.from), ("subject", &flags.subject)];
    for (name, text) in words {
        if let Some(text) = text {
            path.push_str(&format!("&{name}={}", escaped(text)));
        }
    }
    let (status, answer) = server.json(&path, flags.timeout.saturating_add(ANSWER))?;
    if !matches!(status, 200 | 408 | 409) {
        return Err(refused(status, &answer));
    }
    let came = answer["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    show(came, flags.json);
    if status == 200 {
        return Ok(());
    }
    let mut why = answer["error"].as_str().unwrap_or_default().to_owned();
    for other in answer["others"].as_array().into_iter().flatten() {
        why.push_str(&format!("\n  there is: {}", line(other)));
    }
    Err(if status == 408 { too_late(why) } else { Error::failed(why) })
}

/// Waits until the server takes mail.
pub(super) fn ready(flags: &ReadyFlags) -> Result<(), Error> {
    let server = flags.server.open()?;
    let until = Instant::now() + flags.wait;
    loop {
        let why = match is_ready(&server) {
            None => return Ok(()),
            Some(why) => why,
        };
        if Instant::now() >= until {
            return Err(too_late(format!("not ready: {why}")));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Why it is not.
fn is_ready(server: &Asked) -> Option<String> {
    match server.get("/readyz", Duration::from_secs(2)) {
        Ok(answer) if answer.status == 200 => None,
        Ok(answer) => Some(String::from_utf8_lossy(&answer.body).trim().to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

fn show(messages: &[Value], json: bool) {
    if json {
        println!("{}", Value::Array(messages.to_vec()));
        return;
    }
    messages.iter().for_each(|message| println!("{}", line(message)));
}

/// A message on one line.
fn line(message: &Value) -> String {
    let text = |value: &Value| one_line(value.as_str().unwrap_or_default());
    let from = &message["From"];
    let from = match from["Name"].as_str() {
        Some(name) if !name.is_empty() => one_line(name),
        _ => text(&from["Address"]),
    };
    let unread = if message["Read"] == true { ' ' } else { '*' };
    let (id, when) = (text(&message["ID"]), text(&message["Created"]));
    let when = when.get(..19).unwrap_or_default().replace('T', " ");
    format!("{id:>6} {unread} {when}  {from}  {}", text(&message["Subject"]))
}

/// A message for people.
fn whole(message: &Value) {
    let text = |value: &Value| one_line(value.as_str().unwrap_or_default());
    let person = |person: &Value| match &text(&person["Name"])[..] {
        "" => text(&person["Address"]),
        name => format!("{name} <{}>", text(&person["Address"])),
    };
    let people = |list: &Value| {
        let all = list.as_array().into_iter().flatten().map(person);
        all.collect::<Vec<_>>().join(", ")
    };
    println!("From:    {}", person(&message["From"]));
    for (name, list) in [("To:     ", "To"), ("Cc:     ", "Cc"), ("Bcc:    ", "Bcc")] {
        let list = people(&message[list]);
        if !list.is_empty() {
            println!("{name} {list}");
        }
    }
    println!("Date:    {}", text(&message["Date"]));
    println!("Subject: {}", text(&message["Subject"]));
    for kind in ["Attachments", "Inline"] {
        for file in message[kind].as_array().into_iter().flatten() {
            println!(
                "File:    {} ({}, {} octets)",
                text(&file["FileName"]),
                text(&file["ContentType"]),
                file["Size"]
            );
        }
    }
    println!("\n{}", lines(message["Text"].as_str().unwrap_or_default()).trim_end());
}
