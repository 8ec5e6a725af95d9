//! `/api/queue`: what waits to be relayed, and steering it, as `pillarbox queue` does.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use pillarbox_engine::types::Reason;
use serde_json::json;

use super::listing::number_of;
use super::{Answer, Refused, asked, number};
use crate::relay::{Request, Response, Target, answered};
use crate::serve::Shared;

/// `GET /api/queue`: oldest first; `after` is the number of the last one that is known.
pub(super) async fn list(State(shared): State<Arc<Shared>>, uri: Uri) -> Answer {
    let after = number(&asked(&uri), "after", 0, usize::MAX)? as u64;
    let Response::Messages { messages, more } = ask(&shared, Request::List { after }).await? else {
        return Err(Reason::Unsupported.into());
    };
    Ok(Json(json!({ "messages": messages, "more": more })).into_response())
}

/// `GET /api/queue/{id}`.
pub(super) async fn show(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Answer {
    let message = number_of(&id)?;
    let Response::Message(message) = ask(&shared, Request::Show { message }).await? else {
        return Err(Reason::Unsupported.into());
    };
    Ok(Json(message).into_response())
}

/// `POST /api/queue/{id}/{what}`: `retry`, `hold` or `release`.
pub(super) async fn steer(
    State(shared): State<Arc<Shared>>,
    Path((id, what)): Path<(String, String)>,
) -> Answer {
    let target = Target::Message(number_of(&id)?);
    let request = match &what[..] {
        "retry" => Request::Retry(target),
        "hold" => Request::Hold(target),
        "release" => Request::Release(target),
        _ => {
            let what = format!("{what}: there are retry, hold and release");
            return Err(Refused(StatusCode::NOT_FOUND, what));
        }
    };
    change(&shared, request).await
}

/// `DELETE /api/queue/{id}`: with `bounce=true` its sender is told.
pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer {
    let target = Target::Message(number_of(&id)?);
    let bounce = match asked(&uri).get("bounce") {
        "" | "false" => false,
        "true" => true,
        _ => return Err(Refused::wrong("bounce: expected true or false")),
    };
    change(&shared, Request::Delete { target, bounce }).await
}

async fn change(shared: &Shared, request: Request) -> Answer {
    let Response::Changed { tasks, held } = ask(shared, request).await? else {
        return Err(Reason::Unsupported.into());
    };
    Ok(Json(json!({ "changed": tasks, "held": held })).into_response())
}

async fn ask(shared: &Shared, request: Request) -> Result<Response, Refused> {
    let answer = answered(&shared.backend, &shared.metrics.relay, request).await;
    answer.map_err(|reason| match reason {
        Reason::NotFound => {
            let what = "this message is not in the queue; GET /api/queue lists what is".to_owned();
            Refused(StatusCode::NOT_FOUND, what)
        }
        reason => reason.into(),
    })
}
