//! What a page that is open is told by: that something happened to the mail of who has signed in. What it was, the page sees
//! when it asks for its list again.

use std::sync::Arc;

use pillarbox_engine::types::Now;

use super::{COOKIE, Visits, WebMail};
use crate::hub::{Heard, Hub, SessionKey, Wake};
use crate::service::Backend;
use crate::store::Store;
use crate::web::Request;

/// Accounts of others to whose mailboxes one page listens, as a session of IMAP does.
const SHARERS_MAX: usize = 1024;

/// Listens for one page until it is dropped.
pub struct Listening {
    hub: Hub,
    key: SessionKey,
    visits: Arc<Visits>,
    visit: String,
}

impl<B: Backend> WebMail<B> {
    /// Listens for a page of who asks, if they have signed in; `wake` is called when something has happened. To listen is no
    /// sign that somebody is there: a visit ends by itself though its page is open.
    pub fn listen(&self, now: Now, request: &Request, wake: Wake) -> Option<Listening> {
        let visit = self.visits.glance(request.cookie(COOKIE)?, now)?;
        let store = self.backend.store();
        let mut accounts = store.sharers(visit.name.as_bytes(), visit.account).unwrap_or_default();
        accounts.truncate(SHARERS_MAX);
        accounts.push(visit.account);
        let hub = self.backend.hub().clone();
        hub.listen(self.key, &accounts, wake);
        let visits = Arc::clone(&self.visits);
        Some(Listening { hub, key: self.key, visits, visit: visit.id })
    }
}

impl Listening {
    /// Whether something happened since this was asked before.
    #[must_use]
    pub fn heard(&self) -> bool {
        self.hub.heard(self.key) != Heard::default()
    }

    /// Whether the visit goes on: nobody has signed out, and it has not ended by itself.
    #[must_use]
    pub fn goes_on(&self, now: Now) -> bool {
        self.visits.glance(&self.visit, now).is_some()
    }

    /// The name of the visit, which is a secret.
    #[must_use]
    pub fn visit(&self) -> &str {
        &self.visit
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.hub.stop_listening(self.key);
    }
}
