//! `/mail/live`: server-sent events that tell a page of web mail that something happened to the mail it shows. The page then
//! asks for what it shows, as it does when it is loaded. A stream ends with its visit, with its page and with the server.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use pillarbox_world::service::web::{Listening, WebMail};
use pillarbox_world::web;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

use super::super::stream::{Events, PING_EVERY, SEND_WITHIN};
use super::super::{Shared, told_to_stop};
use crate::backend::HostBackend;

/// Pages that are told at once, of all visits.
const STREAMS_MAX: usize = 512;
/// Pages of one visit; beyond, the one that was opened first is told no more. A page that is not seen closes its stream, so
/// these are windows that somebody looks at.
const OF_VISIT_MAX: usize = 8;
/// What happens within this time is told once.
const GATHER: Duration = Duration::from_millis(150);
/// A browser that lost its stream comes back after so long, in milliseconds.
const HELLO: &str = "retry: 2000\n\n";
/// An event needs data to be one.
const MAIL: &str = "event: mail\ndata: 1\n\n";
const ENDED: &str = "event: ended\ndata: 1\n\n";

/// The streams of all visits.
pub(super) struct Streams {
    places: Arc<Semaphore>,
    /// By visit, in the order in which they were opened. Who loses the other end ends.
    open: Mutex<VecDeque<(String, oneshot::Sender<()>)>>,
    /// A visit has ended; each stream looks whether it was its own.
    pub(super) ended: Notify,
}

impl Default for Streams {
    fn default() -> Self {
        let places = Arc::new(Semaphore::new(STREAMS_MAX));
        Self { places, open: Mutex::default(), ended: Notify::new() }
    }
}

impl Streams {
    /// The response to a page that wants to be told.
    pub(super) fn open(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        mail: &WebMail<HostBackend>,
        request: &web::Request,
    ) -> Response {
        let news = Arc::new(Notify::new());
        let wake = Arc::clone(&news);
        let wake = Box::new(move || wake.notify_one());
        let Some(listening) = mail.listen(shared.now(), request, wake) else {
            return (StatusCode::UNAUTHORIZED, "nobody has signed in\n").into_response();
        };
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            let why = "too many pages are told already; this one is not told by itself\n";
            return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
        };
        let left = self.enter(listening.visit());
        let (sender, events) = mpsc::channel(1);
        let (streams, shared) = (Arc::clone(self), Arc::clone(shared));
        tokio::spawn(async move {
            streams.tell(&shared, &sender, &listening, &news, left).await;
            drop(place);
        });
        ([(header::CONTENT_TYPE, "text/event-stream")], Body::new(Events(events))).into_response()
    }

    fn enter(&self, visit: &str) -> oneshot::Receiver<()> {
        let (stays, left) = oneshot::channel();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(_, stays)| !stays.is_closed());
        let own = open.iter().filter(|(own, _)| own == visit).count();
        if own >= OF_VISIT_MAX
            && let Some(first) = open.iter().position(|(own, _)| own == visit)
        {
            open.remove(first);
        }
        open.push_back((visit.to_owned(), stays));
        left
    }

    async fn tell(
        &self,
        shared: &Shared,
        sender: &mpsc::Sender<Bytes>,
        listening: &Listening,
        news: &Notify,
        mut left: oneshot::Receiver<()>,
    ) {
        let mut stopping = shared.stopping.clone();
        let mut pings = tokio::time::interval(PING_EVERY);
        let mut text = HELLO;
        loop {
            let sent = sender.send(Bytes::from_static(text.as_bytes()));
            if !matches!(tokio::time::timeout(SEND_WITHIN, sent).await, Ok(Ok(()))) {
                return;
            }
            if text == ENDED {
                return;
            }
            let happened = tokio::select! {
                () = news.notified() => {
                    tokio::time::sleep(GATHER).await;
                    MAIL
                }
                () = self.ended.notified() => ": a visit ended\n\n",
                _ = pings.tick() => ": still here\n\n",
                _ = &mut left => return,
                () = sender.closed() => return,
                () = told_to_stop(&mut stopping) => return,
            };
            text = match (listening.goes_on(shared.now()), happened) {
                (false, _) => ENDED,
                (true, MAIL) if !listening.heard() => ": nothing\n\n",
                (true, happened) => happened,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_has_so_many_streams_and_the_first_goes() {
        let streams = Streams::default();
        let mut first = streams.enter("a");
        let _other = streams.enter("b");
        let mut own: Vec<_> = (1..OF_VISIT_MAX).map(|_| streams.enter("a")).collect();
        assert!(first.try_recv().is_err_and(|why| why == oneshot::error::TryRecvError::Empty));
        own.push(streams.enter("a"));
        assert!(first.try_recv().is_err_and(|why| why == oneshot::error::TryRecvError::Closed));
        drop(own);
        drop(streams.enter("c"));
        let open = streams.open.lock().expect("nobody panicked");
        assert_eq!(open.len(), 2, "what has ended is forgotten");
    }
}
