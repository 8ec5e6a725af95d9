//! The component as a factory of sessions: in wasmtime, each in a sandbox, and in Node, driven over JSON lines.

use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;

use pillarbox::engine::{Begin, Engine, StartError};
use pillarbox_engine::types::Now;
use pillarbox_engine::{Input, Output, Role, Step, imap, pop3, smtp};
use pillarbox_world::conversation::Driven;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::freezing::{Freeze, Freezing};
use super::roles::Factory;

/// The component in wasmtime, as the native host runs it.
pub struct Sandboxes(pub Arc<Engine>);

struct Sandbox<R: Role>(Box<dyn pillarbox::engine::Driven<R>>);

impl<R: Role> Driven<R> for Sandbox<R> {
    type Broken = String;

    fn step(&mut self, now: Now, input: Input<R>) -> Result<Step<R>, String> {
        let stepped = self.0.step(now, input).map_err(|trap| trap.to_string())?;
        Ok(Step { taken: stepped.taken, outputs: stepped.outputs })
    }
}

impl<R: Role> Freeze for Sandbox<R> {
    fn freeze(&mut self) -> Result<Option<Vec<u8>>, String> {
        self.0.freeze().map_err(|trap| trap.to_string())
    }
}

fn sandbox<R: Role + 'static>(
    started: Result<Box<dyn pillarbox::engine::Driven<R>>, StartError>,
) -> Box<dyn Driven<R, Broken = String>> {
    Box::new(Sandbox(started.unwrap_or_else(|error| panic!("a session starts: {error:?}"))))
}

impl Factory for Sandboxes {
    fn smtp(
        &self,
        config: smtp::Config,
        now: Now,
    ) -> Box<dyn Driven<smtp::Server, Broken = String>> {
        sandbox(self.0.smtp(config, now))
    }
    fn smtp_client(
        &self,
        config: smtp::client::types::Config,
        now: Now,
    ) -> Box<dyn Driven<smtp::Client, Broken = String>> {
        sandbox(self.0.smtp_client(config, now))
    }
    fn pop3(
        &self,
        config: pop3::Config,
        now: Now,
    ) -> Box<dyn Driven<pop3::Server, Broken = String>> {
        sandbox(self.0.pop3(config, now))
    }
    fn pop3_client(
        &self,
        config: pop3::client::types::Config,
        now: Now,
    ) -> Box<dyn Driven<pop3::Client, Broken = String>> {
        sandbox(self.0.pop3_client(config, now))
    }
    fn imap(
        &self,
        config: imap::types::Config,
        now: Now,
    ) -> Box<dyn Driven<imap::Server, Broken = String>> {
        sandbox(self.0.imap(config, now))
    }
    fn imap_frozen(
        &self,
        config: imap::types::Config,
        now: Now,
    ) -> Box<dyn Driven<imap::Server, Broken = String>> {
        let begin = |engine: &Engine, begin: Begin<'_>, config, now| {
            let slot = engine.slots().try_take().ok_or("no slot is free")?;
            let session = engine.imap_in(slot, begin, config, now);
            session.map(Sandbox).map_err(|error| format!("{error:?}"))
        };
        let engine = Arc::clone(&self.0);
        let session = begin(&engine, Begin::New, config.clone(), now);
        let session = session.unwrap_or_else(|error| panic!("a session starts: {error}"));
        Box::new(Freezing::new(session, move |now, octets: &[u8]| {
            begin(&engine, Begin::Frozen(octets), config.clone(), now)
        }))
    }
    fn imap_client(
        &self,
        config: imap::client::types::Config,
        now: Now,
    ) -> Box<dyn Driven<imap::Client, Broken = String>> {
        sandbox(self.0.imap_client(config, now))
    }
}

/// The component in Node, transpiled by jco.
pub struct Node {
    pipes: Rc<RefCell<Pipes>>,
    sessions: Cell<u32>,
}

struct Pipes {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Node {
    /// Starts Node with the driver in `tests/node`.
    ///
    /// # Panics
    /// If it does not start; `tests/setup.sh` installs what it needs.
    #[must_use]
    pub fn start() -> Self {
        let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("node").join("drive.mjs");
        let mut node = Command::new("node");
        node.arg(driver).arg(pillarbox_component_binary::COMPONENT_FILE);
        let node = node.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = node.spawn().expect("node is installed (tests/setup.sh)");
        let stdin = child.stdin.take().expect("it is piped");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let pipes = Rc::new(RefCell::new(Pipes { child, stdin, stdout }));
        Self { pipes, sessions: Cell::new(0) }
    }

    fn session<R: Role + 'static>(
        &self,
        role: &str,
        config: &impl Serialize,
        now: Now,
    ) -> Box<dyn Driven<R, Broken = String>>
    where
        R::Ask: DeserializeOwned,
        R::Event: DeserializeOwned,
        R::Answer: Serialize,
        R::Call: Serialize,
    {
        Box::new(self.in_node(role, config, now))
    }

    fn in_node(&self, role: &str, config: &impl Serialize, now: Now) -> InNode {
        let session = self.sessions.get();
        self.sessions.set(session + 1);
        let request =
            json!({"verb": "new", "session": session, "role": role, "config": config, "now": now});
        self.pipes
            .borrow_mut()
            .ask(&request)
            .unwrap_or_else(|error| panic!("a session starts: {error}"));
        InNode { pipes: Rc::clone(&self.pipes), session }
    }
}

impl Factory for Node {
    fn smtp(
        &self,
        config: smtp::Config,
        now: Now,
    ) -> Box<dyn Driven<smtp::Server, Broken = String>> {
        self.session("smtp-server", &config, now)
    }
    fn smtp_client(
        &self,
        config: smtp::client::types::Config,
        now: Now,
    ) -> Box<dyn Driven<smtp::Client, Broken = String>> {
        self.session("smtp-client", &config, now)
    }
    fn pop3(
        &self,
        config: pop3::Config,
        now: Now,
    ) -> Box<dyn Driven<pop3::Server, Broken = String>> {
        self.session("pop3-server", &config, now)
    }
    fn pop3_client(
        &self,
        config: pop3::client::types::Config,
        now: Now,
    ) -> Box<dyn Driven<pop3::Client, Broken = String>> {
        self.session("pop3-client", &config, now)
    }
    fn imap(
        &self,
        config: imap::types::Config,
        now: Now,
    ) -> Box<dyn Driven<imap::Server, Broken = String>> {
        self.session("imap-server", &config, now)
    }
    fn imap_frozen(
        &self,
        config: imap::types::Config,
        now: Now,
    ) -> Box<dyn Driven<imap::Server, Broken = String>> {
        let (role, pipes) = ("imap-server", Rc::clone(&self.pipes));
        let config = serde_json::to_value(config).expect("a configuration is JSON");
        let session = self.in_node(role, &config, now);
        let number = session.session;
        Box::new(Freezing::new(session, move |now, octets: &[u8]| {
            let request = json!({"verb": "thaw", "session": number, "role": role, "config": config,
                "now": now, "frozen": octets});
            pipes.borrow_mut().ask(&request)?;
            Ok(InNode { pipes: Rc::clone(&pipes), session: number })
        }))
    }
    fn imap_client(
        &self,
        config: imap::client::types::Config,
        now: Now,
    ) -> Box<dyn Driven<imap::Client, Broken = String>> {
        self.session("imap-client", &config, now)
    }
}

impl Pipes {
    fn ask(&mut self, request: &Value) -> Result<Value, String> {
        let failed = |error: std::io::Error| format!("Node: {error}");
        // In one piece: written straight into a pipe, each number of it would be a call of the system and an event in Node.
        self.stdin.write_all(format!("{request}\n").as_bytes()).map_err(failed)?;
        self.stdin.flush().map_err(failed)?;
        let mut line = String::new();
        self.stdout.read_line(&mut line).map_err(failed)?;
        let mut reply: Value =
            serde_json::from_str(&line).map_err(|error| format!("Node said {line:?}: {error}"))?;
        match reply.get_mut("ok") {
            Some(ok) => Ok(ok.take()),
            None => Err(format!("Node: {reply}")),
        }
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

struct InNode {
    pipes: Rc<RefCell<Pipes>>,
    session: u32,
}

impl<R: Role> Driven<R> for InNode
where
    R::Ask: DeserializeOwned,
    R::Event: DeserializeOwned,
    R::Answer: Serialize,
    R::Call: Serialize,
{
    type Broken = String;

    fn step(&mut self, now: Now, input: Input<R>) -> Result<Step<R>, String> {
        let input = match input {
            Input::Nothing => json!({"tag": "nothing"}),
            Input::Receive(octets) => json!({"tag": "receive", "val": octets}),
            Input::ReceiveEnd => json!({"tag": "receive-end"}),
            Input::Secured(facts) => json!({"tag": "secured", "val": facts}),
            Input::Answer(id, answer) => json!({"tag": "answer", "val": (id, answer)}),
            Input::Call(call) => json!({"tag": "call", "val": call}),
            Input::Tick => json!({"tag": "tick"}),
        };
        let request = json!({"verb": "step", "session": self.session, "now": now, "input": input});
        let mut stepped = self.pipes.borrow_mut().ask(&request)?;
        let taken = value(&mut stepped["taken"])?;
        let outputs = stepped["outputs"].as_array_mut().ok_or("a step has outputs")?;
        let outputs = outputs.iter_mut().map(output::<R>).collect::<Result<_, _>>()?;
        Ok(Step { taken, outputs })
    }
}

impl Freeze for InNode {
    fn freeze(&mut self) -> Result<Option<Vec<u8>>, String> {
        let request = json!({"verb": "freeze", "session": self.session});
        let mut frozen = self.pipes.borrow_mut().ask(&request)?;
        value(&mut frozen)
    }
}

impl Drop for InNode {
    fn drop(&mut self) {
        let request = json!({"verb": "drop", "session": self.session});
        drop(self.pipes.borrow_mut().ask(&request));
    }
}

fn output<R: Role>(output: &mut Value) -> Result<Output<R>, String>
where
    R::Ask: DeserializeOwned,
    R::Event: DeserializeOwned,
{
    let tag = output["tag"].as_str().unwrap_or_default().to_owned();
    let val = &mut output["val"];
    Ok(match tag.as_str() {
        "transmit" => Output::Transmit(value(val)?),
        "transmit-blob" => Output::TransmitBlob(value(val)?),
        "ask" => {
            let (id, ask) = value(val)?;
            Output::Ask(id, ask)
        }
        "event" => Output::Event(value(val)?),
        "start-tls" => Output::StartTls,
        "compress" => Output::Compress,
        "wait" => Output::Wait { deadline_ms: value(val)? },
        "close" => Output::Close,
        _ => return Err(format!("an output that is not known: {output}")),
    })
}

fn value<T: DeserializeOwned>(value: &mut Value) -> Result<T, String> {
    let shown = value.to_string();
    serde_json::from_value(value.take()).map_err(|error| format!("Node said {shown}: {error}"))
}
