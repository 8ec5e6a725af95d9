//! The table of what is served under `/api/`: a line of it makes the route and describes it (OpenAPI 3.1), so that neither is
//! there without the other. Routes that other files make are described by lines of their own, which a test holds against them.

use std::collections::BTreeSet;

use axum::extract::Request;
use axum::handler::Handler;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

/// Characters of an unknown name that are repeated.
const NAME_SHOWN: usize = 40;

/// A method of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Put,
    Delete,
}

impl Method {
    fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Delete => MethodFilter::DELETE,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Delete => "delete",
        }
    }
}

/// What is answered if all goes well.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gives {
    /// An object of JSON with at least these fields.
    Object(&'static [&'static str]),
    /// An array of JSON.
    Array,
    /// An object of JSON whose fields have names of their own.
    Map,
    /// Something else, of this media type.
    Text(&'static str),
    /// A WebSocket.
    Socket,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// What it is for.
    pub(super) what: &'static str,
    /// Names of what may stand behind the question mark.
    pub(super) query: &'static [&'static str],
    /// Whether the request brings JSON.
    pub(super) brings: bool,
    pub(super) status: u16,
    pub(super) gives: Gives,
}

impl Line {
    const fn new(method: Method, path: &'static str, what: &'static str, gives: Gives) -> Self {
        Self { method, path, what, query: &[], brings: false, status: 200, gives }
    }

    pub(super) const fn get(path: &'static str, what: &'static str, gives: Gives) -> Self {
        Self::new(Method::Get, path, what, gives)
    }

    pub(super) const fn post(path: &'static str, what: &'static str, gives: Gives) -> Self {
        Self::new(Method::Post, path, what, gives)
    }

    pub(super) const fn put(path: &'static str, what: &'static str, gives: Gives) -> Self {
        let mut line = Self::new(Method::Put, path, what, gives);
        line.brings = true;
        line
    }

    pub(super) const fn delete(path: &'static str, what: &'static str, gives: Gives) -> Self {
        Self::new(Method::Delete, path, what, gives)
    }

    /// With these names behind the question mark.
    pub(super) const fn asks(mut self, query: &'static [&'static str]) -> Self {
        self.query = query;
        self
    }

    /// With JSON in the request.
    pub(super) const fn with_body(mut self) -> Self {
        self.brings = true;
        self
    }

    pub(super) const fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    fn operation(&self) -> Value {
        let parameter = |name: &str, place: &str| {
            let required = place == "path";
            json!({ "name": name, "in": place, "required": required, "schema": { "type": "string" } })
        };
        let in_path = self.path.split('/').filter_map(|part| {
            let (name, _) = part.strip_prefix('{')?.split_once('}')?;
            Some(parameter(name.trim_start_matches('*'), "path"))
        });
        let in_query = self.query.iter().map(|name| parameter(name, "query"));
        let parameters: Vec<Value> = in_path.chain(in_query).collect();
        let content = |kind: &str, schema: Value| json!({ (kind): { "schema": schema } });
        let json_of = |schema: Value| Some(content("application/json", schema));
        let (status, content) = match self.gives {
            Gives::Object(fields) => {
                let all = fields.iter().map(|field| ((*field).to_owned(), json!({})));
                let all: Map<String, Value> = all.collect();
                let schema = json!({ "type": "object", "required": fields, "properties": all });
                (self.status, json_of(schema))
            }
            Gives::Array => (self.status, json_of(json!({ "type": "array" }))),
            Gives::Map => (self.status, json_of(json!({ "type": "object" }))),
            Gives::Text(kind) => (self.status, Some(content(kind, json!({ "type": "string" })))),
            Gives::Socket => (101, None),
        };
        let mut good = json!({ "description": self.what });
        if let Some(content) = content {
            good["content"] = content;
        }
        let wrong = "What is wrong, and what to do.";
        let mut operation = json!({
            "summary": self.what,
            "parameters": parameters,
            "responses": { (status.to_string()): good, "default": { "description": wrong } },
        });
        if self.brings {
            let schema = json!({ "type": ["object", "array"] });
            operation["requestBody"] =
                json!({ "content": { "application/json": { "schema": schema } } });
        }
        operation
    }
}

/// Routes with their lines.
pub(super) struct Routes<S> {
    router: Router<S>,
    lines: Vec<Line>,
    is_strict: bool,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    pub(super) fn new() -> Self {
        Self { router: Router::new(), lines: Vec::new(), is_strict: false }
    }

    /// What stands behind the question mark and has no meaning is refused from here on: a test that misspells what it
    /// waits for should not wait for anything. Where another program's form is kept, it is let pass as there.
    pub(super) fn strict(mut self) -> Self {
        self.is_strict = true;
        self
    }

    pub(super) fn on<H, T>(mut self, line: Line, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let mut route = on(line.method.filter(), handler);
        if self.is_strict {
            let known = line.query;
            route = route.layer(from_fn(async move |request: Request, next: Next| {
                match unknown(request.uri().query().unwrap_or_default(), known) {
                    Some(refused) => refused,
                    None => next.run(request).await,
                }
            }));
        }
        self.router = self.router.route(line.path, route);
        self.lines.push(line);
        self
    }

    /// Another path of this kind that a route serves which is there.
    pub(super) fn also(mut self, line: Line) -> Self {
        self.lines.push(line);
        self
    }

    pub(super) fn into_parts(self) -> (Router<S>, Vec<Line>) {
        (self.router, self.lines)
    }
}

/// What is said of a name in a query that has no meaning.
fn unknown(query: &str, known: &[&str]) -> Option<Response> {
    let names = query.split('&').map(|given| given.split_once('=').map_or(given, |(name, _)| name));
    let name = names.filter(|name| !name.is_empty()).find(|name| !known.contains(name))?;
    let name: String = name.chars().take(NAME_SHOWN).collect();
    let why = match known {
        [] => format!("{name}: nothing is asked behind the ? here"),
        known => format!("{name}: nothing has this name here; there are {}", known.join(", ")),
    };
    let answer = Json(json!({ "error": why, "Error": why }));
    Some((StatusCode::BAD_REQUEST, answer).into_response())
}

/// The paths of lines, each once; but none whose last part only ends with a name of its own, which the route of that part
/// serves.
pub(super) fn paths(lines: &[Line]) -> BTreeSet<&'static str> {
    lines.iter().map(|line| line.path).filter(|path| !path.contains("}.")).collect()
}

const FAULTS: Gives = Gives::Object(&["seed", "faults"]);

/// What other files serve.
pub(super) const ELSEWHERE: [Line; 8] = [
    Line::get("/api/faults", "The faults on purpose.", FAULTS),
    Line::put("/api/faults", "Sets the faults, in place of those that are there.", FAULTS),
    Line::post("/api/faults", "Adds faults.", FAULTS).with_body(),
    Line::delete("/api/faults", "Removes all faults.", FAULTS),
    Line::delete("/api/faults/{number}", "Removes one fault.", FAULTS),
    Line::get("/api/v1/chaos", "The faults, as Mailpit says them.", Gives::Map),
    Line::put("/api/v1/chaos", "Sets the faults, as Mailpit says them.", Gives::Map),
    Line::get(
        "/api/stream",
        "What is said, as it is said; needs the token of the printed address or of the ready file.",
        Gives::Text("text/event-stream"),
    ),
];

/// The document.
pub(super) fn document(lines: &[Line]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for line in lines {
        // What may hold slashes is marked for the router alone.
        let path = paths.entry(line.path.replace("{*", "{")).or_insert_with(|| json!({}));
        path[line.method.name()] = line.operation();
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Pillarbox", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_files_serve_is_described_and_there() {
        let files = [
            include_str!("../faults_http.rs"),
            include_str!("../stream.rs"),
            include_str!("../bridge.rs"),
            include_str!("../visitors.rs"),
            include_str!("../http.rs"),
        ];
        let mut served = BTreeSet::new();
        for text in files {
            for call in ["route(\"", "route(\n        \""] {
                let found = text.split(call).skip(1).filter_map(|rest| rest.split('"').next());
                served.extend(found.filter(|path| path.starts_with("/api/")));
            }
        }
        assert_eq!(served, paths(&ELSEWHERE));
    }

    #[test]
    fn a_name_without_a_meaning_is_told() {
        assert!(unknown("", &[]).is_none());
        assert!(unknown("to=a%40b&count=2", &["to", "count"]).is_none());
        assert!(unknown("too=a", &["to", "count"]).is_some());
        assert!(unknown("x", &[]).is_some());
    }

    #[test]
    fn a_line_is_an_operation() {
        let line = Line::delete("/api/a/{id}", "Removes one.", Gives::Object(&["gone"]));
        let document = document(&[line.asks(&["how"])]);
        let operation = &document["paths"]["/api/a/{id}"]["delete"];
        assert_eq!(operation["parameters"][0]["in"], "path");
        assert_eq!(operation["parameters"][1]["name"], "how");
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        assert_eq!(schema["required"], json!(["gone"]));
    }
}
