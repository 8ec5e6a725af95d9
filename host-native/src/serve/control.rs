//! The control socket: one question about the queue, about mail or about this server per line, one answer per line, as JSON.
//! Only the server's own user can open it, since its file is for nobody else.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::Shared;
use crate::local::{Ask, serve_desk};
use crate::relay::{Request, Response, operate};

/// The socket in the data directory.
pub(crate) const SOCKET: &str = "control";
/// Octets of a question.
const LINE_MAX: u64 = 64 * 1024;
/// Operators at once.
const OPERATORS_MAX: usize = 16;
/// A socket on which nothing is asked for so long is closed.
const IDLE: Duration = Duration::from_secs(60);

/// Where a program of the same user watches what is said, and with what; none where nobody may.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) http: SocketAddr,
    pub(super) token: String,
}

/// The question after that: `{"live":true}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskLive {
    live: bool,
}

/// Listens in the data directory, if there is one. Who cannot be controlled can still serve.
pub(super) fn open(shared: &Shared) -> Option<UnixListener> {
    let directory = shared.backend.mail_store().directory()?;
    let listener = listen(&directory.join(SOCKET));
    let failed = |error: &std::io::Error| {
        tracing::warn!(%error, "no control socket: `pillarbox queue`, `import` and others cannot reach it");
    };
    listener.inspect_err(failed).ok()
}

/// Answers until the task is ended.
pub(super) async fn serve(listener: Option<UnixListener>, shared: Arc<Shared>, live: Option<Live>) {
    let Some(listener) = listener else { return };
    let operators = Arc::new(Semaphore::new(OPERATORS_MAX));
    loop {
        let Ok(operator) = Arc::clone(&operators).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the control socket");
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let (shared, live) = (Arc::clone(&shared), live.clone());
        tokio::spawn(async move {
            // Whoever asked may be gone.
            drop(talk(&shared, live.as_ref(), stream).await);
            drop(operator);
        });
    }
}

fn listen(path: &Path) -> std::io::Result<UnixListener> {
    // The directory is locked by us, so a socket that is there is of a process that ended.
    if path.exists() {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn talk(shared: &Shared, live: Option<&Live>, stream: UnixStream) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut read).take(LINE_MAX);
        let next = tokio::time::timeout(IDLE, bounded.read_until(b'\n', &mut line)).await;
        if !matches!(next, Ok(Ok(length)) if length > 0) {
            return Ok(());
        }
        if let Ok(ask) = serde_json::from_slice::<Ask>(&line) {
            // A command that brings or takes mail has the connection for itself.
            return serve_desk(Arc::clone(&shared.backend), ask, read, write).await;
        }
        if let Ok(AskLive { live: true }) = serde_json::from_slice(&line) {
            let answer = match live {
                Some(Live { http, token }) => json!({ "http": http, "token": token }),
                None => json!({ "http": shared.settings.listen.http }),
            };
            write.write_all(format!("{answer}\n").as_bytes()).await?;
            continue;
        }
        let response = match serde_json::from_slice::<Request>(&line) {
            Ok(request) => operate(&shared.backend, &shared.metrics.relay, request).await,
            Err(error) => Response::Error { message: format!("not a question: {error}") },
        };
        let mut answer = serde_json::to_vec(&response)?;
        answer.push(b'\n');
        write.write_all(&answer).await?;
    }
}
