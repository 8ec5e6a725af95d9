//! What an operator asks of the queue and what is answered, as JSON: the same from a running server and from a data
//! directory that nobody has open.

use pillarbox_engine::types::Reason;
use pillarbox_world::queue::{Action, Destination, QueuedMessage, Task, Which};
use pillarbox_world::service::Backend;
use serde::{Deserialize, Serialize};

use super::metrics::RelayMetrics;
use super::settle::{address, answer};
use super::steer::{Done, bounce, steer};
use crate::backend::HostBackend;
use crate::serve::shown;
use crate::store;

/// Messages or destinations in one answer.
pub(crate) const PAGE_MAX: u32 = 200;
/// Tasks that are shown of one message; a message has a thousand recipients at most by default.
const TASKS_MAX: u32 = 1000;
/// Destinations of messages in one answer, about: two hundred messages to a thousand each would fill the memory.
const PARTS_MAX: usize = 2000;

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ask")]
pub(crate) enum Request {
    /// Messages behind one.
    List {
        /// The one.
        after: u64,
    },
    /// One message.
    Show {
        /// Its number.
        message: u64,
    },
    /// Numbers, and destinations behind one.
    Stats {
        /// The one.
        after: String,
    },
    /// Tries them now.
    Retry(Target),
    /// Keeps them until they are released.
    Hold(Target),
    /// Lets them go on.
    Release(Target),
    /// Removes them.
    Delete {
        /// Which.
        target: Target,
        /// Whether their senders are told.
        bounce: bool,
    },
}

/// Which messages.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "which", content = "name")]
pub(crate) enum Target {
    /// All.
    All,
    /// One.
    Message(u64),
    /// All for this destination.
    Destination(String),
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub(crate) enum Response {
    /// To list; there may be more behind the last.
    Messages {
        /// Oldest first.
        messages: Vec<Message>,
        /// Whether there is more.
        more: bool,
    },
    /// To show.
    Message(Box<Message>),
    /// To stats.
    Stats(Stats),
    /// To all that changes something.
    Changed {
        /// Messages, counted once for each destination.
        tasks: u64,
        /// Messages that are held, and so are not tried.
        #[serde(default)]
        held: u64,
    },
    /// It cannot be done.
    Error {
        /// Why.
        message: String,
    },
}

/// A message of the queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: u64,
    pub(crate) from: String,
    pub(crate) size: u64,
    pub(crate) came_unix_ms: u64,
    pub(crate) by: String,
    pub(crate) destinations: Vec<Part>,
}

/// A message's part for one destination.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) destination: String,
    pub(crate) held: bool,
    pub(crate) next_unix_ms: u64,
    pub(crate) recipients: Vec<Recipient>,
}

/// A recipient that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Recipient {
    pub(crate) address: String,
    pub(crate) attempts: u32,
    pub(crate) last: Option<String>,
}

/// The queue in numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stats {
    pub(crate) now_unix_ms: u64,
    pub(crate) messages: u64,
    pub(crate) tasks: u64,
    pub(crate) held: u64,
    pub(crate) oldest_unix_ms: Option<u64>,
    pub(crate) destinations: Vec<Place>,
    /// The destination to go on behind, if there may be more.
    pub(crate) after: Option<String>,
}

/// A destination.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) destination: String,
    pub(crate) tasks: u64,
    pub(crate) next_unix_ms: Option<u64>,
    pub(crate) failures: u32,
    pub(crate) blocked_until_unix_ms: Option<u64>,
    pub(crate) why: String,
}

/// Answers a request.
pub(crate) async fn operate(
    backend: &HostBackend,
    metrics: &RelayMetrics,
    request: Request,
) -> Response {
    let missing = not_found(&request);
    match answered(backend, metrics, request).await {
        Ok(response) => response,
        Err(Reason::NotFound) => Response::Error { message: missing },
        Err(reason) => Response::Error { message: store::words(reason).to_owned() },
    }
}

/// What is said if there is nothing that the request is about.
fn not_found(request: &Request) -> String {
    let target = match request {
        Request::Show { message } => Some(&Target::Message(*message)),
        Request::Retry(target)
        | Request::Hold(target)
        | Request::Release(target)
        | Request::Delete { target, .. } => Some(target),
        _ => None,
    };
    match target {
        Some(Target::Message(message)) => {
            format!("message {message} is not in the queue; `pillarbox queue list` shows what is")
        }
        Some(Target::Destination(name)) => {
            let name = shown(name.as_bytes());
            format!(
                "nothing waits for `{name}`; `pillarbox queue stats` shows for what something does"
            )
        }
        Some(Target::All) | None => "the queue has nothing of the kind".to_owned(),
    }
}

/// Answers a request, or says why not.
///
/// # Errors
/// What the store says; [`Reason::NotFound`] if there is nothing that the request is about.
pub(crate) async fn answered(
    backend: &HostBackend,
    metrics: &RelayMetrics,
    request: Request,
) -> Result<Response, Reason> {
    let now_ms = backend.relaying().clock.now_ms();
    match request {
        Request::List { after } => {
            let found = backend.store().messages(after, PAGE_MAX)?;
            let mut more = found.len() == PAGE_MAX as usize;
            let (mut messages, mut parts) = (Vec::new(), 0);
            for found in found {
                let message = message(backend, found)?;
                parts += message.destinations.len();
                messages.push(message);
                if parts >= PARTS_MAX {
                    more = true;
                    break;
                }
            }
            Ok(Response::Messages { messages, more })
        }
        Request::Show { message: id } => {
            let found = backend.store().messages(id.saturating_sub(1), 1)?.into_iter().next();
            let found = found.filter(|found| found.id == id).ok_or(Reason::NotFound)?;
            Ok(Response::Message(Box::new(message(backend, found)?)))
        }
        Request::Stats { after } => stats(backend, now_ms, &after).map(Response::Stats),
        Request::Retry(target) => steered(backend, target, Action::Retry { now_ms }).await,
        Request::Hold(target) => steered(backend, target, Action::Hold).await,
        Request::Release(target) => steered(backend, target, Action::Release).await,
        Request::Delete { target, bounce: false } => steered(backend, target, Action::Delete).await,
        Request::Delete { target: Target::Message(id), bounce: true } => {
            let tasks = bounce(backend, metrics, id).await?;
            if tasks == 0 {
                Err(Reason::NotFound)
            } else {
                Ok(Response::Changed { tasks, held: 0 })
            }
        }
        Request::Delete { .. } => {
            let message = "--bounce is for one message at a time".to_owned();
            Ok(Response::Error { message })
        }
    }
}

async fn steered(
    backend: &HostBackend,
    target: Target,
    action: Action,
) -> Result<Response, Reason> {
    let which = which(backend, target)?;
    let Done { tasks, held } = steer(backend, &which, action).await?;
    Ok(Response::Changed { tasks, held })
}

fn which(backend: &HostBackend, target: Target) -> Result<Which, Reason> {
    match target {
        Target::All => Ok(Which::All),
        Target::Message(id) => {
            let tasks = backend.store().tasks(id, 0, 1)?;
            if tasks.is_empty() { Err(Reason::NotFound) } else { Ok(Which::Message(id)) }
        }
        Target::Destination(name) => {
            let name = name.into_bytes();
            let found = backend.has_destination(&name)?;
            if found { Ok(Which::Destination(name)) } else { Err(Reason::NotFound) }
        }
    }
}

fn message(backend: &HostBackend, found: QueuedMessage) -> Result<Message, Reason> {
    let tasks = backend.store().tasks(found.id, 0, TASKS_MAX)?;
    Ok(Message {
        id: found.id,
        from: found.mail.reverse_path.as_ref().map_or_else(String::new, address),
        size: found.sent_size(),
        came_unix_ms: found.times.came_unix_ms,
        by: shown(&found.by),
        destinations: tasks
            .into_iter()
            .map(|task| part(backend, task))
            .collect::<Result<_, _>>()?,
    })
}

fn part(backend: &HostBackend, task: Task) -> Result<Part, Reason> {
    // A host that is left alone is tried when that is over, however long its mail is due.
    let blocked_ms = match backend.store().destination(&task.destination) {
        Ok(found) => found.blocked_ms,
        // What waited there has been sent just now.
        Err(Reason::NotFound) => 0,
        Err(reason) => return Err(reason),
    };
    let recipients = task.recipients.into_iter().map(|queued| Recipient {
        address: address(&queued.recipient.forward_path),
        attempts: queued.attempts,
        last: queued.last.map(|tried| answer(&tried.fate)),
    });
    Ok(Part {
        destination: shown(&task.destination),
        held: task.held,
        next_unix_ms: task.due_ms.max(blocked_ms),
        recipients: recipients.collect(),
    })
}

fn stats(backend: &HostBackend, now_unix_ms: u64, after: &str) -> Result<Stats, Reason> {
    let stats = backend.store().queue_stats()?;
    let destinations = backend.store().destinations(after.as_bytes(), PAGE_MAX)?;
    let more = destinations.len() == PAGE_MAX as usize;
    let last = destinations.last().filter(|_| more);
    Ok(Stats {
        now_unix_ms,
        messages: stats.messages,
        tasks: stats.tasks,
        held: stats.held,
        oldest_unix_ms: stats.oldest_ms,
        after: last.map(|last| String::from_utf8_lossy(&last.name).into_owned()),
        destinations: destinations.into_iter().map(place).collect(),
    })
}

fn place(found: Destination) -> Place {
    Place {
        destination: shown(&found.name),
        tasks: found.tasks,
        next_unix_ms: found.wake_ms,
        failures: found.failures,
        blocked_until_unix_ms: Some(found.blocked_ms).filter(|until| *until > 0),
        why: String::from_utf8_lossy(&found.why).into_owned(),
    }
}
