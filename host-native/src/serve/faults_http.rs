//! `/api/faults`: faults on purpose, listed, set and cleared by tests while the server runs, as JSON or one rule a line.
//! `/api/v1/chaos` is the same in the form of Mailpit, for tests that were written for it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use pillarbox_world::fault::{Faults, Problem, RULES_MAX, Rule, parse_file};
use serde_json::{Map, Value, json};

use super::Shared;
use super::faults::SharedFaults;
use crate::config::here;

/// Who added a rule over HTTP.
const HTTP: &str = "http";
/// Who added a rule in Mailpit's form.
const CHAOS: &str = "chaos";
/// Octets of a request: as many rules as there may be, none of them short.
const BODY_MAX: usize = 512 * 1024;

const CLAUSES: [&str; 10] =
    ["verb", "after", "octet", "sender", "to", "nth", "p", "over", "from", "until"];
const ACTIONS: [&str; 14] = [
    "reply",
    "delay",
    "rate",
    "chunk",
    "corrupt",
    "greylist",
    "hide",
    "down",
    "refuse",
    "drop",
    "lf-only",
    "full",
    "uidvalidity",
    "strip-starttls",
];

/// What was wrong with a request.
struct Refused {
    status: StatusCode,
    problem: Problem,
    /// Of several faults, which one; from 1.
    fault: Option<usize>,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { status: StatusCode::BAD_REQUEST, problem, fault: None }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Problem { field, message } = self.problem;
        let mut body = json!({ "error": format!("{field}: {message}"), "field": field });
        if let Some(fault) = self.fault {
            body["fault"] = fault.into();
        }
        (self.status, Json(body)).into_response()
    }
}

/// The routes; in a server profile each of them only says why it does nothing.
pub(super) fn routes(shared: &Arc<Shared>) -> Router {
    let with = |act: fn(&SharedFaults, &HeaderMap, &[u8]) -> Result<Response, Refused>| {
        let shared = Arc::clone(shared);
        async move |headers: HeaderMap, body: Bytes| {
            let faults = allowed(&shared, &headers)?;
            act(faults, &headers, &body)
        }
    };
    let one = Arc::clone(shared);
    let remove = async move |Path(number): Path<String>, headers: HeaderMap| {
        let faults = allowed(&one, &headers)?;
        if number.parse().is_ok_and(|number| faults.lock().remove(number)) {
            return listed(faults, &headers);
        }
        let problem = Problem::new("number", format!("there is no fault {number}"));
        Err(Refused { status: StatusCode::NOT_FOUND, problem, fault: None })
    };
    let list = get(with(|faults, headers, _| listed(faults, headers)))
        .put(with(|faults, headers, body| set(faults, headers, body, true)))
        .post(with(|faults, headers, body| set(faults, headers, body, false)))
        .delete(with(|faults, headers, _| {
            let mut list = faults.lock();
            let seed = list.seed();
            list.clear(seed);
            drop(list);
            listed(faults, headers)
        }));
    let chaos = get(with(|faults, _, _| Ok(Json(chaos_of(&faults.lock())).into_response())))
        .put(with(|faults, _, body| set_chaos(faults, body)));
    Router::new()
        .route("/api/faults", list)
        .route("/api/faults/{number}", delete(remove))
        .route("/api/v1/chaos", chaos)
        .layer(DefaultBodyLimit::max(BODY_MAX))
}

/// The faults, if this server has any and no page of another site asks for them.
fn allowed<'a>(shared: &'a Shared, headers: &HeaderMap) -> Result<&'a SharedFaults, Refused> {
    let forbidden = |field: &str, message: &str| {
        let problem = Problem::new(field, message);
        Refused { status: StatusCode::FORBIDDEN, problem, fault: None }
    };
    // A browser says where a request comes from that may change something.
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(origin) = text(header::ORIGIN)
        && origin.split_once("://").map(|(_, host)| host) != text(header::HOST)
    {
        return Err(forbidden("origin", "pages of other sites may not use this"));
    }
    shared.faults.as_ref().ok_or_else(|| {
        let message = "faults on purpose belong to the dev profile; this server runs with --config";
        forbidden("profile", message)
    })
}

fn listed(faults: &SharedFaults, headers: &HeaderMap) -> Result<Response, Refused> {
    let list = faults.lock();
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("text/plain")) {
        let mut text = format!("seed={}\n", list.seed());
        for fault in list.list() {
            let (number, hits, matches) = (fault.number, fault.hits, fault.matches);
            text.push_str(&format!(
                "# {number}: {hits} hits of {matches} matches\n{}\n",
                fault.rule
            ));
        }
        return Ok(text.into_response());
    }
    let shown = list.list().into_iter().map(|fault| {
        let Rule { place, when, action } = &fault.rule;
        json!({
            "number": fault.number,
            "rule": fault.rule.to_string(),
            "where": place.to_string(),
            "when": when.to_string(),
            "what": action.to_string(),
            "owner": fault.owner,
            "matches": fault.matches,
            "hits": fault.hits,
        })
    });
    let shown: Vec<Value> = shown.collect();
    Ok(Json(json!({ "seed": list.seed(), "faults": shown })).into_response())
}

/// Adds faults, or puts them in place of all others; all of them or none.
fn set(
    faults: &SharedFaults,
    headers: &HeaderMap,
    body: &[u8],
    replace: bool,
) -> Result<Response, Refused> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_json = content_type.is_some_and(|content_type| content_type.contains("json"));
    let (seed, rules) = if is_json { from_json(body)? } else { from_text(body)? };
    for (at, rule) in rules.iter().enumerate() {
        here(rule).map_err(|problem| Refused { fault: Some(at + 1), ..problem.into() })?;
    }
    let mut list = faults.lock();
    let there = if replace { 0 } else { list.list().len() };
    if there + rules.len() > RULES_MAX {
        return Err(Problem::new("faults", format!("at most {RULES_MAX} at once")).into());
    }
    match seed {
        Some(_) if !replace && there > 0 => {
            let message = "chances are drawn from it already; set it with PUT";
            return Err(Problem::new("seed", message).into());
        }
        _ if replace || seed.is_some() => {
            let seed = seed.unwrap_or_else(|| list.seed());
            list.clear(seed);
        }
        _ => {}
    }
    for rule in rules {
        list.add(rule, HTTP);
    }
    drop(list);
    listed(faults, headers)
}

type Given = (Option<u64>, Vec<Rule>);

fn from_text(body: &[u8]) -> Result<Given, Refused> {
    let text = std::str::from_utf8(body).map_err(|_| Problem::new("body", "not UTF-8"))?;
    parse_file(text).map_err(|(line, problem)| Refused { fault: Some(line), ..problem.into() })
}

/// One fault, a list of them, or `{"seed": 7, "faults": […]}`.
fn from_json(body: &[u8]) -> Result<Given, Refused> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| Problem::new("body", format!("not JSON: {error}")))?;
    let (seed, list) = match value {
        Value::Array(list) => (None, list),
        Value::Object(mut object) if object.contains_key("faults") => {
            let seed = object.remove("seed").filter(|seed| !seed.is_null());
            let seed = seed.map(|seed| {
                seed.as_u64().ok_or_else(|| Problem::new("seed", "expected a whole number"))
            });
            let Some(Value::Array(list)) = object.remove("faults") else {
                return Err(Problem::new("faults", "expected a list").into());
            };
            if let Some(field) = object.keys().next() {
                return Err(
                    Problem::new(field, "beside a list of faults there is only seed").into()
                );
            }
            (seed.transpose()?, list)
        }
        one => (None, vec![one]),
    };
    let numbered = list.iter().enumerate();
    let rules = numbered.map(|(at, fault)| {
        rule_of(fault).map_err(|problem| Refused { fault: Some(at + 1), ..problem.into() })
    });
    Ok((seed, rules.collect::<Result<_, _>>()?))
}

/// A fault as its text, or as an object of its clauses.
fn rule_of(fault: &Value) -> Result<Rule, Problem> {
    match fault {
        Value::String(text) => text.parse(),
        Value::Object(fields) => match fields.get("rule") {
            // As it is listed: what else is told there follows from the text.
            Some(Value::String(text)) => text.parse(),
            Some(_) => Err(Problem::new("rule", "expected a text")),
            None => text_of(fields)?.parse(),
        },
        _ => Err(Problem::new("faults", "each is a text or an object")),
    }
}

/// The text form of an object, so that there is one reading of both.
fn text_of(fields: &Map<String, Value>) -> Result<String, Problem> {
    let (mut place, mut when, mut what) = ("any".to_owned(), Vec::new(), None);
    for (name, value) in fields {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(true) => String::new(),
            Value::Array(words) if name == "hide" => {
                let words: Option<Vec<&str>> = words.iter().map(Value::as_str).collect();
                words.ok_or_else(|| Problem::new(name, "expected keywords"))?.join(",")
            }
            _ => return Err(Problem::new(name, "expected a text or a number")),
        };
        if name == "where" {
            place.clone_from(&text);
        } else if CLAUSES.contains(&name.as_str()) {
            when.push(format!("{name}={text}"));
        } else if ACTIONS.contains(&name.as_str()) {
            let action = if text.is_empty() { name.clone() } else { format!("{name}={text}") };
            if what.replace(action).is_some() {
                return Err(Problem::new(name, "a fault does one thing; make two of it"));
            }
            continue;
        } else {
            let (clauses, actions) = (CLAUSES.join(", "), ACTIONS.join(", "));
            let message = format!("no such field; there are rule, where, {clauses}, {actions}");
            return Err(Problem::new(name, message));
        }
        if text.contains(['/', ',', '\n']) {
            return Err(Problem::new(name, "may hold neither comma, slash nor line end"));
        }
    }
    let what =
        what.ok_or_else(|| Problem::new("what", format!("one of {}", ACTIONS.join(", "))))?;
    let when = if when.is_empty() { "always".to_owned() } else { when.join(",") };
    Ok(format!("{place}/{when}/{what}"))
}

/// Mailpit's three triggers, each with the command that it stands for.
const TRIGGERS: [(&str, &str); 3] =
    [("Sender", "MAIL"), ("Recipient", "RCPT"), ("Authentication", "AUTH")];
/// Mailpit's code where none is set.
const CHAOS_CODE: u64 = 451;

fn chaos_of(faults: &Faults) -> Value {
    let mut shown = Map::new();
    let list = faults.list();
    for (trigger, verb) in TRIGGERS {
        let rule = list.iter().find(|fault| {
            fault.owner == CHAOS
                && fault.rule.when.point == pillarbox_world::fault::Point::Verb(verb.to_owned())
        });
        let (mut code, mut percent) = (CHAOS_CODE, 0);
        if let Some(fault) = rule
            && let pillarbox_world::fault::Action::Reply(own, _) = fault.rule.action
        {
            code = u64::from(own);
            percent = u64::from(fault.rule.when.probability_ppm.unwrap_or_default()) / 10_000;
        }
        shown.insert(trigger.to_owned(), json!({ "ErrorCode": code, "Probability": percent }));
    }
    Value::Object(shown)
}

/// As in Mailpit: what is not named is off again.
fn set_chaos(faults: &SharedFaults, body: &[u8]) -> Result<Response, Refused> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| Problem::new("body", format!("not JSON: {error}")))?;
    let Value::Object(given) = value else {
        return Err(Problem::new("body", "expected an object").into());
    };
    let known = |name: &str| TRIGGERS.iter().any(|(trigger, _)| *trigger == name);
    if let Some(name) = given.keys().find(|name| !known(name)) {
        return Err(Problem::new(name, "no such trigger").into());
    }
    let mut rules = Vec::new();
    for (trigger, verb) in TRIGGERS {
        let Some(set) = given.get(trigger) else { continue };
        let number = |name: &str, default: u64, least: u64, most: u64| {
            let number = set.get(name).map_or(Some(default), Value::as_u64);
            number.filter(|number| (least..=most).contains(number)).ok_or_else(|| {
                let message = format!("expected a whole number from {least} to {most}");
                Problem::new(format!("{trigger}.{name}"), message)
            })
        };
        let code = number("ErrorCode", CHAOS_CODE, 400, 599)?;
        let percent = number("Probability", 0, 0, 100)?;
        if percent > 0 {
            let (p, lower) = (percent as f64 / 100.0, trigger.to_lowercase());
            rules.push(
                format!("any/verb={verb},p={p}/reply={code} Chaos: {lower}").parse::<Rule>()?,
            );
        }
    }
    let mut list = faults.lock();
    list.remove_of(CHAOS);
    for rule in rules {
        if list.add(rule, CHAOS).is_none() {
            return Err(Problem::new("faults", format!("at most {RULES_MAX} at once")).into());
        }
    }
    Ok(Json(chaos_of(&list)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(body: &str) -> String {
        match from_json(body.as_bytes()) {
            Ok(given) => panic!("{body} became {given:?}"),
            Err(refused) => refused.problem.field,
        }
    }

    #[test]
    fn every_form_of_json_is_the_text_form() {
        let text: Rule =
            "any/verb=RCPT,to=bob@*,nth=1..2/reply=451 4.7.1 later".parse().expect("a rule");
        for body in [
            r#""any/verb=RCPT,to=bob@*,nth=1..2/reply=451 4.7.1 later""#,
            r#"{"rule": "any/verb=RCPT,to=bob@*,nth=1..2/reply=451 4.7.1 later", "hits": 3}"#,
            r#"{"verb": "RCPT", "to": "bob@*", "nth": "1..2", "reply": "451 4.7.1 later"}"#,
            r#"{"where": "any", "to": "bob@*", "nth": "1..2", "reply": "451 4.7.1 later"}"#,
            r#"[{"to": "bob@*", "nth": "1..2", "reply": "451 4.7.1 later"}]"#,
            r#"{"faults": [{"to": "bob@*", "nth": "1..2", "reply": "451 4.7.1 later"}], "seed": null}"#,
        ] {
            let (seed, rules) =
                from_json(body.as_bytes()).unwrap_or_else(|r| panic!("{}", r.problem));
            assert_eq!((seed, rules), (None, vec![text.clone()]), "{body}");
        }
        let body =
            br#"{"seed": 7, "faults": [{"drop": true, "nth": 3}, {"hide": ["SIZE", "DSN"]}]}"#;
        let (seed, rules) = from_json(body).unwrap_or_else(|r| panic!("{}", r.problem));
        let rules: Vec<String> = rules.iter().map(ToString::to_string).collect();
        assert_eq!(seed, Some(7));
        assert_eq!(rules, ["any/after=connect,nth=3/drop", "any/verb=EHLO/hide=SIZE,DSN"]);
    }

    #[test]
    fn a_problem_names_its_field() {
        for (body, name) in [
            ("{", "body"),
            ("7", "faults"),
            (r#"{"faults": 7}"#, "faults"),
            (r#"{"faults": [], "sed": 7}"#, "sed"),
            (r#"{"faults": [], "seed": -1}"#, "seed"),
            (r#"{"rule": 7}"#, "rule"),
            (r#"{"verb": "MAIL"}"#, "what"),
            (r#"{"drop": true, "delay": "1s"}"#, "drop"),
            (r#"{"drop": false}"#, "drop"),
            (r#"{"drop": true, "verb": "MAL"}"#, "verb"),
            (r#"{"drop": true, "nth": 0}"#, "nth"),
            (r#"{"drop": true, "colour": "red"}"#, "colour"),
            (r#"{"drop": true, "verb": "MAIL,nth=1"}"#, "verb"),
            (r#"{"drop": true, "verb": "MAIL/delay=1s/x"}"#, "verb"),
            (r#"{"drop": true, "where": "any/always"}"#, "where"),
            (r#"{"hide": [7]}"#, "hide"),
            (r#"{"reply": "250 fine", "verb": "MAIL"}"#, "reply"),
        ] {
            assert_eq!(field(body), name, "{body}");
        }
    }
}
