//! What carries mail to a next hop, as the runner sees it: connections to servers, or in tests something that plays them.

use std::future::Future;

use pillarbox_engine::relay::{Fared, Hop};
use pillarbox_engine::smtp::{MailFrom, RcptTo};
use pillarbox_engine::types::BlobId;

use super::resting::Rest;
use crate::config::RouteLogin;

/// Opens connections to next hops.
pub trait Carrier: Send + Sync + 'static {
    /// One of them.
    type Connection: Connection;

    /// Connects to the first server of this hop that serves us.
    ///
    /// # Errors
    /// There is none; what follows holds for everything that waits for this hop.
    fn connect(
        &self,
        hop: &Hop,
        proof: Proof,
        login: Option<&RouteLogin>,
    ) -> impl Future<Output = Result<Self::Connection, NotReached>> + Send;
}

/// What a message asks of TLS (RFC 8689), beyond what its way asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// Nothing.
    #[default]
    Usual,
    /// `TLS-Required: No`: what the domain publishes keeps the message from nobody.
    Optional,
    /// REQUIRETLS: a server that is proved, and proved to be the domain's.
    Required,
}

/// Why there is no connection.
#[derive(Clone, Debug)]
pub struct NotReached {
    /// For each recipient.
    pub fared: Fared,
    /// Until when all hosts are left alone; none if that does not lie in the hosts.
    pub rest: Option<Rest>,
}

/// A connection over which one message after another can be sent.
pub trait Connection: Send + 'static {
    /// Whether another message can be sent; waits for nothing.
    fn is_usable(&mut self) -> impl Future<Output = bool> + Send;
    /// Sends a message, and says how each recipient fared, in order.
    fn deliver(&mut self, parcel: Parcel) -> impl Future<Output = Vec<Fared>> + Send;
    /// Says goodbye.
    fn quit(self) -> impl Future<Output = ()> + Send;
}

/// A message for some recipients.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// MAIL as it was given to us.
    pub mail: MailFrom,
    /// The recipients.
    pub recipients: Vec<RcptTo>,
    /// The message's octets.
    pub blob: BlobId,
    /// Octets at their beginning that are not sent.
    pub skip: u64,
    /// How many are sent.
    pub size: u64,
    /// Whether they can be sent as they are stored.
    pub plain: bool,
}
