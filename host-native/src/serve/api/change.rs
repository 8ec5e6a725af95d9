//! Messages marked and removed, and everything as at the beginning.

use axum::body::Bytes;
use axum::extract::{Query as Asked, State};
use axum::response::IntoResponse;
use pillarbox_world::service::catch::{Caught, Query};
use serde::Deserialize;

use super::read::Page;
use super::{Api, Failed, Given, Mail};

/// Which messages, and what becomes of them.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Which {
    #[serde(rename = "IDs")]
    ids: Vec<String>,
    read: bool,
    search: String,
}

impl Which {
    /// An empty body names all.
    fn of(body: &[u8]) -> Result<Self, Failed> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        serde_json::from_slice(body).map_err(|why| {
            Failed::bad(format!("expected JSON such as {{\"IDs\": [\"5\"]}}: {why}"))
        })
    }

    fn messages(&self, mail: &Mail) -> Result<Vec<Caught>, Failed> {
        if !self.search.is_empty() {
            let query = Query::read(&self.search).map_err(Failed::bad)?;
            return Ok(mail.search(&query)?);
        }
        let mut all = mail.all()?;
        if !self.ids.is_empty() {
            let ids: Vec<u64> = self.ids.iter().filter_map(|id| id.parse().ok()).collect();
            all.retain(|caught| ids.contains(&caught.id));
        }
        Ok(all)
    }
}

/// `PUT /api/v1/messages`: `{"IDs": […], "Read": true}`; without ids and `Search` all.
pub(super) async fn mark(State(api): State<Api>, body: Bytes) -> Given {
    let which = Which::of(&body)?;
    api.with(move |mail, handle| {
        handle.block_on(mail.mark(&which.messages(mail)?, which.read))?;
        Ok("ok".into_response())
    })
    .await
}

/// `DELETE /api/v1/messages`: `{"IDs": […]}`; without ids all.
pub(super) async fn delete(State(api): State<Api>, body: Bytes) -> Given {
    let which = Which::of(&body)?;
    api.with(move |mail, handle| {
        handle.block_on(mail.remove(&which.messages(mail)?))?;
        Ok("ok".into_response())
    })
    .await
}

/// `DELETE /api/v1/search`
pub(super) async fn delete_found(State(api): State<Api>, Asked(page): Asked<Page>) -> Given {
    let query = page.query()?;
    api.with(move |mail, handle| {
        handle.block_on(mail.remove(&mail.search(&query)?))?;
        Ok("ok".into_response())
    })
    .await
}

/// `POST /api/reset`: no mail that came, and no faults. Accounts and the queue stay.
pub(super) async fn reset(State(api): State<Api>) -> Given {
    if let Some(faults) = &api.shared.faults {
        let mut list = faults.lock();
        let seed = list.seed();
        list.clear(seed);
    }
    api.with(|mail, handle| {
        handle.block_on(mail.remove(&mail.all()?))?;
        Ok("ok".into_response())
    })
    .await
}
