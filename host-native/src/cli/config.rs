//! `pillarbox config`: what the settings are and where each comes from, and the schema of the configuration file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Subcommand, ValueEnum};
use pillarbox_engine::limits::Limits;
use serde_json::Value;

use super::ServeFlags;
use crate::config::{Data, SCHEMA, Settings};
use crate::error::Error;

/// Flags of `config`.
#[derive(Clone, Debug, Args)]
pub(super) struct ConfigFlags {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Print the settings that `serve` would have with the same flags, variables and file, as TOML; secrets are masked
    Show(Box<ShowFlags>),
    /// Print the JSON Schema of the configuration file
    Schema,
}

/// Flags of `config show`.
#[derive(Clone, Debug, Args)]
struct ShowFlags {
    /// Say of each where it comes from: a flag, a variable, the file, the preset or the default
    #[arg(long)]
    origin: bool,
    #[command(flatten)]
    serve: ServeFlags,
}

/// Flags that have a key in the file, with that.
const KEYS: [(&str, &str); 23] = [
    ("smtp", "listen.smtp"),
    ("pop3", "listen.pop3"),
    ("imap", "listen.imap"),
    ("http", "listen.http"),
    ("submission", "listen.submission"),
    ("submissions", "listen.submissions"),
    ("pop3s", "listen.pop3s"),
    ("imaps", "listen.imaps"),
    ("lmtp", "listen.lmtp"),
    ("unsafe_bind", "listen.unsafe_bind"),
    ("tls_source", "tls.source"),
    ("starttls", "tls.starttls"),
    ("data", "data"),
    ("database", "database"),
    ("max_size", "limits.message_max"),
    ("slots", "limits.slots"),
    ("connections", "limits.connections"),
    ("imap_without", "imap.without"),
    ("imap_message_limit", "imap.message_limit"),
    ("pop3_without", "pop3.without"),
    ("smtp_without", "smtp.without"),
    ("apop", "pop3.apop"),
    ("cram_md5", "auth.cram_md5"),
];

/// One setting.
struct Shown {
    value: toml::Value,
    origin: String,
}

pub(super) fn run(flags: ConfigFlags, matches: &ArgMatches) -> Result<(), Error> {
    let show = match flags.what {
        What::Schema => {
            print!("{SCHEMA}");
            return Ok(());
        }
        What::Show(show) => show,
    };
    let matches = matches.subcommand_matches("config").and_then(|m| m.subcommand_matches("show"));
    let matches = matches.ok_or_else(|| Error::failed("config show: the flags are gone"))?;
    let all = settings(show.serve, matches)?;
    let width = all.iter().map(|(key, shown)| line(key, shown).chars().count()).max().unwrap_or(0);
    for (key, shown) in &all {
        let line = line(key, shown);
        match show.origin {
            true => println!("{line:width$}  # {}", shown.origin),
            false => println!("{line}"),
        }
    }
    Ok(())
}

fn line(key: &str, shown: &Shown) -> String {
    format!("{key} = {}", shown.value)
}

/// All of them, by key; flags without a key in the file stand under their names, in quotes.
fn settings(flags: ServeFlags, matches: &ArgMatches) -> Result<BTreeMap<String, Shown>, Error> {
    let origins = origins(matches);
    let mut all = BTreeMap::new();
    let mut put = |key: &str, value: toml::Value, origin: &str| {
        all.entry(key.to_owned()).or_insert(Shown { value, origin: origin.to_owned() });
    };
    let (preset, offset) = (flags.preset, flags.port_offset);
    let config = flags.config.clone();
    let settings = Settings::new(flags)?;
    let file = config.as_deref().map(document).transpose()?.unwrap_or_default();
    let in_file = config.as_ref().map(|path| format!("file {}", path.display()));
    let in_file = in_file.as_deref().unwrap_or_default();
    // What is known by another name in the end comes first: the value that holds.
    let of = |key: &str| match (origins.iter().find(|given| given.key == key), file.get(key)) {
        (Some(given), _) => Some(given.origin.clone()),
        (None, Some(_)) => Some(in_file.to_owned()),
        (None, None) => None,
    };
    let text = |text: &str| toml::Value::String(text.to_owned());
    let listen = settings.listen;
    let places: [(&str, Option<SocketAddr>); 9] = [
        ("listen.smtp", Some(listen.smtp)),
        ("listen.pop3", Some(listen.pop3)),
        ("listen.imap", Some(listen.imap)),
        ("listen.http", Some(listen.http)),
        ("listen.submission", listen.submission),
        ("listen.submissions", listen.submissions),
        ("listen.pop3s", listen.pop3s),
        ("listen.imaps", listen.imaps),
        ("listen.lmtp", listen.lmtp),
    ];
    for (key, address) in places {
        let is_flag = origins.iter().any(|given| given.key == key);
        let preset = preset.and_then(|preset| preset.to_possible_value());
        let usual = preset.map(|preset| format!("preset {}", preset.get_name()));
        let mut origin = of(key).or(usual).unwrap_or_else(|| "default".to_owned());
        if let Some(offset) = offset.filter(|_| !is_flag && address.is_some()) {
            origin.push_str(&format!(", --port-offset {offset}"));
        }
        let address = address.map_or_else(|| "off".to_owned(), |address| address.to_string());
        put(key, text(&address), &origin);
    }
    let or_default = |key: &str| of(key).unwrap_or_else(|| "default".to_owned());
    put("host_name", text(&settings.host_name), &or_default("host_name"));
    if let Data::Database(database) = &settings.data {
        put("database", text(&database.to_string()), &or_default("database"));
    }
    if let Some(directory) = settings.data.directory() {
        put("data", text(&directory.display().to_string()), &or_default("data"));
    }
    let message_max = settings.limits.message_max.unwrap_or(Limits::SMTP.message_max);
    let message_max = i64::try_from(message_max).unwrap_or(i64::MAX);
    put("limits.message_max", toml::Value::Integer(message_max), &or_default("limits.message_max"));
    let starttls = settings.tls.as_ref().is_some_and(|tls| tls.starttls);
    put("tls.starttls", toml::Value::Boolean(starttls), &or_default("tls.starttls"));
    for given in &origins {
        put(&given.key, given.value.clone(), &given.origin);
    }
    for (key, value) in &file {
        put(key, value.clone(), in_file);
    }
    if config.is_some() {
        let schema: Value =
            serde_json::from_str(SCHEMA).map_err(|error| Error::failed(error.to_string()))?;
        let mut defaults = Vec::new();
        usual(&schema, "", &mut defaults);
        defaults.into_iter().for_each(|(key, value)| put(&key, value, "default"));
    }
    Ok(all)
}

/// A flag or a variable that is set.
struct Given {
    key: String,
    value: toml::Value,
    origin: String,
}

fn origins(matches: &ArgMatches) -> Vec<Given> {
    let command = super::help::command();
    let serve = command.find_subcommand("serve").map(clap::Command::get_arguments);
    let mut all = Vec::new();
    for argument in serve.into_iter().flatten() {
        let id = argument.get_id().as_str();
        let flag = argument.get_long().map_or_else(|| id.to_owned(), |name| format!("--{name}"));
        let variable = argument.get_env().unwrap_or_default().to_string_lossy();
        let origin = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => format!("flag {flag}"),
            Some(ValueSource::EnvVariable) => format!("variable {variable}"),
            _ => continue,
        };
        let key = KEYS.into_iter().find(|(known, _)| *known == id);
        let key = key.map_or_else(|| format!("\"{flag}\""), |(_, key)| key.to_owned());
        let raw = matches.get_raw(id).into_iter().flatten();
        let raw: Vec<String> = raw.map(|text| text.to_string_lossy().into_owned()).collect();
        let is_flag = !argument.get_action().takes_values();
        let value = |text: &String| match text.parse() {
            _ if argument.is_hide_env_values_set() => toml::Value::String("******".to_owned()),
            Ok(number) => toml::Value::Integer(number),
            Err(_) => toml::Value::String(text.clone()),
        };
        let value = match &raw[..] {
            _ if is_flag => toml::Value::Boolean(matches.get_flag(id)),
            [one] if !matches!(argument.get_action(), clap::ArgAction::Append) => value(one),
            all => toml::Value::Array(all.iter().map(value).collect()),
        };
        all.push(Given { key, value, origin });
    }
    all
}

/// What stands in the file, by key; [`Settings::new`] has found it right.
fn document(path: &Path) -> Result<BTreeMap<String, toml::Value>, Error> {
    let at = path.display();
    let wrong = |why: String| Error::usage(format!("--config {at}: {why}"));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let mut all = BTreeMap::new();
    leaves(&table, "", &mut all);
    Ok(all)
}

fn leaves(table: &toml::Table, place: &str, all: &mut BTreeMap<String, toml::Value>) {
    for (key, value) in table {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let key = match key.chars().all(plain) && !key.is_empty() {
            true => key.clone(),
            false => toml::Value::String(key.clone()).to_string(),
        };
        let key = if place.is_empty() { key } else { format!("{place}.{key}") };
        match value {
            toml::Value::Table(inner) => leaves(inner, &key, all),
            value => drop(all.insert(key, value.clone())),
        }
    }
}

/// What the schema says of keys that are not set.
fn usual(schema: &Value, place: &str, all: &mut Vec<(String, toml::Value)>) {
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        let key = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
        match &schema["default"] {
            Value::Bool(value) => all.push((key.clone(), toml::Value::Boolean(*value))),
            Value::Number(value) => {
                all.extend(value.as_i64().map(|value| (key.clone(), toml::Value::Integer(value))));
            }
            _ => {}
        }
        usual(schema, &key, all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(words: &[&str]) -> BTreeMap<String, (String, String)> {
        let words = ["pillarbox", "config", "show"].iter().chain(words);
        let matches = super::super::help::command().try_get_matches_from(words);
        let matches = matches.expect("these are flags");
        let matches = matches.subcommand_matches("config").expect("it is");
        let matches = matches.subcommand_matches("show").expect("it is");
        let flags = <ServeFlags as clap::FromArgMatches>::from_arg_matches(matches);
        let all = settings(flags.expect("these are flags"), matches).expect("they are right");
        all.into_iter().map(|(key, s)| (key, (s.value.to_string(), s.origin))).collect()
    }

    #[test]
    fn every_key_is_one() {
        let command = super::super::help::command();
        let serve = command.find_subcommand("serve").expect("it is there");
        let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
        for (id, key) in KEYS {
            assert!(serve.get_arguments().any(|argument| argument.get_id() == id), "{id}");
            let path = key.replace('.', "/properties/");
            assert!(schema.pointer(&format!("/properties/{path}")).is_some(), "{key}");
        }
    }

    #[test]
    fn each_value_has_an_origin() {
        let file = std::env::temp_dir().join(format!("pillarbox-show-{}.toml", std::process::id()));
        let text = "domains = ['x.test']\n[listen]\npop3 = '127.0.0.1:2110'\nimap = '127.0.0.1:2143'\n\
                    [aliases]\n'a@x.test' = ['b@x.test']\n";
        std::fs::write(&file, text).expect("ours");
        let path = file.display().to_string();
        let words = ["--config", &path, "--pop3", "127.0.0.1:3110", "--port-offset", "5"];
        let all = shown(&words);
        let is = |key: &str, value: &str, origin: &str| {
            assert_eq!(all.get(key), Some(&(value.to_owned(), origin.to_owned())), "{key}");
        };
        is("listen.pop3", "\"127.0.0.1:3110\"", "flag --pop3");
        is("listen.imap", "\"127.0.0.1:2148\"", &format!("file {path}, --port-offset 5"));
        is("listen.smtp", "\"127.0.0.1:1030\"", "default, --port-offset 5");
        is("domains", "[\"x.test\"]", &format!("file {path}"));
        is("aliases.\"a@x.test\"", "[\"b@x.test\"]", &format!("file {path}"));
        is("relay.mta_sts", "true", "default");
        is("\"--port-offset\"", "5", "flag --port-offset");
        std::fs::remove_file(file).expect("ours");
        let all = shown(&["--preset", "greenmail", "--memory", "--user", "bob@x.test:secret"]);
        assert_eq!(all["listen.smtp"], ("\"127.0.0.1:3025\"".into(), "preset greenmail".into()));
        assert_eq!(all["\"--memory\""].0, "true");
        assert_eq!(all["\"--user\""].0, "[\"******\"]");
        let toml: String =
            all.iter().map(|(key, (value, _))| format!("{key} = {value}\n")).collect();
        toml::from_str::<toml::Table>(&toml).expect("what is printed is TOML");
    }
}
