//! The relay functions give the same in the library and in the component, for each case of `tests/relay`.
//! Node reads the same files (`tests/node/relay.test.mjs`). `PILLARBOX_RECORD=1` writes what the library gives.

use std::fs;
use std::path::{Path, PathBuf};

use pillarbox::cli::EngineChoice;
use pillarbox::engine::{Engine, EngineSettings, Relay};
use pillarbox_engine::relay;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("relay")
}

/// Octets are written as text there; here they are numbers.
fn octets(value: Value) -> Value {
    match value {
        Value::Object(mut fields) => match fields.remove("octets") {
            Some(Value::String(text)) if fields.is_empty() => json!(text.into_bytes()),
            other => {
                fields.extend(other.map(|value| ("octets".to_owned(), value)));
                fields.into_iter().map(|(name, value)| (name, octets(value))).collect()
            }
        },
        Value::Array(items) => items.into_iter().map(octets).collect(),
        value => value,
    }
}

/// The arguments of one call, by name.
struct Given(Map<String, Value>);

impl Given {
    fn take<T: DeserializeOwned>(&self, name: &str) -> T {
        let value = self.0.get(name).unwrap_or_else(|| panic!("{name} is not given")).clone();
        serde_json::from_value(value).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

fn both<T: Serialize + PartialEq + std::fmt::Debug>(
    library: T,
    component: Result<T, pillarbox::engine::Trap>,
) -> Value {
    assert_eq!(component.expect("the sandbox holds"), library);
    serde_json::to_value(library).expect("it is data")
}

fn call(sandbox: &Relay, function: &str, given: &Given) -> Value {
    let octets = |name: &str| given.take::<Vec<u8>>(name);
    let number = |name: &str| given.take::<u64>(name);
    match function {
        "destination" => {
            let domain = octets("domain");
            both(relay::destination(&domain), sandbox.destination(&domain))
        }
        "nextHop" => {
            let (map, domain) = (given.take::<Vec<_>>("transports"), octets("domain"));
            both(relay::next_hop(&map, &domain), sandbox.next_hop(&map, &domain))
        }
        "chooseRoute" => {
            let (records, own) =
                (given.take::<Vec<_>>("exchanges"), given.take::<Vec<_>>("ownNames"));
            let seed = number("seed");
            let library = relay::choose_route(&records, &own, seed);
            both(library, sandbox.choose_route(&records, &own, seed))
        }
        "fateOf" => {
            let why = given.take("why");
            both(relay::fate_of(why), sandbox.fate_of(why))
        }
        "nextHostMayHelp" => {
            let fate = given.take("fate");
            both(relay::next_host_may_help(&fate), sandbox.next_host_may_help(&fate))
        }
        "endUnixMs" => {
            let (schedule, times) = (given.take("schedule"), given.take("times"));
            both(relay::end_unix_ms(&schedule, &times), sandbox.end_unix_ms(&schedule, &times))
        }
        "timesOf" => {
            let (mail, came) = (given.take("mail"), number("cameUnixMs"));
            both(relay::times_of(&mail, came), sandbox.times_of(&mail, came))
        }
        "noticeUnixMs" => {
            let (schedule, times) = (given.take("schedule"), given.take("times"));
            let now = number("nowUnixMs");
            let library = relay::notice_unix_ms(&schedule, &times, now);
            both(library, sandbox.notice_unix_ms(&schedule, &times, now))
        }
        "firstAttempt" => {
            let (times, now) = (given.take("times"), number("nowUnixMs"));
            both(relay::first_attempt(&times, now), sandbox.first_attempt(&times, now))
        }
        "nextAttempt" => {
            let (schedule, times) = (given.take("schedule"), given.take("times"));
            let (now, failures, seed) =
                (number("nowUnixMs"), given.take("failures"), number("seed"));
            let library = relay::next_attempt(&schedule, &times, now, failures, seed);
            both(library, sandbox.next_attempt(&schedule, &times, now, failures, seed))
        }
        "hostBackoff" => {
            let (schedule, failures) = (given.take("schedule"), given.take("failures"));
            let seed = number("seed");
            let library = relay::host_backoff(failures, &schedule, seed);
            both(library, sandbox.host_backoff(failures, &schedule, seed))
        }
        "inOrder" => {
            let turns = given.take::<Vec<_>>("turns");
            both(relay::in_order(&turns), sandbox.in_order(&turns))
        }
        "settle" => {
            let attempted: relay::Attempted = given.take("attempted");
            both(relay::settle(attempted.clone()), sandbox.settle(attempted))
        }
        "octetsWanted" => {
            let (kind, mail, size) =
                (given.take("kind"), given.take("mail"), number("messageSize"));
            let library = relay::octets_wanted(kind, &mail, size);
            both(library, sandbox.octets_wanted(kind, &mail, size))
        }
        "makeReport" => {
            let report: relay::Report = given.take("report");
            both(relay::make_report(&report), sandbox.make_report(report))
        }
        _ => panic!("no function {function}"),
    }
}

/// A report's octets are read by people as a file of their own; gives its name in their place.
fn apart(name: &str, result: &mut Value) -> Option<(PathBuf, Vec<u8>)> {
    let octets = result.get_mut("octets")?.take();
    let octets: Vec<u8> = serde_json::from_value(octets).expect("octets are numbers");
    let file = format!("{name}.eml");
    result["octets"] = json!({ "file": file });
    Some((directory().join(file), octets))
}

#[test]
fn library_and_component_give_what_the_vectors_say() {
    let record = std::env::var_os("PILLARBOX_RECORD").is_some();
    let engine =
        EngineSettings { cache: None, ..EngineSettings::new(EngineChoice::Sandbox, Some(1)) };
    let engine = Engine::new(&engine).expect("it starts");
    let file = directory().join("vectors.json");
    let text = fs::read_to_string(&file).expect("the vectors are there");
    let mut vectors: Vec<Value> = serde_json::from_str(&text).expect("they are JSON");
    let mut functions = Vec::new();
    for vector in &mut vectors {
        let name = vector["name"].as_str().expect("each has a name").to_owned();
        let function = vector["function"].as_str().expect("each names its function").to_owned();
        let Value::Object(arguments) = octets(vector["arguments"].clone()) else {
            panic!("{name}")
        };
        let mut result = call(engine.relay(), &function, &Given(arguments));
        if let Some((file, octets)) = apart(&name, &mut result) {
            if record {
                fs::write(&file, octets).expect("the directory can be written");
            } else {
                let expected = fs::read(&file).expect("the report is there");
                let text = String::from_utf8_lossy;
                assert_eq!(text(&octets), text(&expected), "{name}");
            }
        }
        if record {
            vector["result"] = result;
        } else {
            assert_eq!(result, vector["result"], "{name}");
        }
        functions.push(function);
    }
    functions.sort_unstable();
    functions.dedup();
    assert_eq!(functions.len(), 15, "every function has a vector");
    if record {
        let text = serde_json::to_string_pretty(&vectors).expect("they are JSON");
        fs::write(&file, text + "\n").expect("the directory can be written");
    }
}
