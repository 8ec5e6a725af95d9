//! The queue at work: what is due is carried to its next hop, and what follows is written down.
//! Where mail goes, when it is tried again and what is reported is decided by the engine's `relay`.

mod active;
mod ask;
mod begun;
mod carrier;
mod clock;
mod hosts;
mod local;
mod metrics;
mod operate;
mod outgoing;
mod resting;
mod routes;
mod runner;
mod said;
mod settle;
mod steer;
mod worker;

pub use carrier::{Carrier, Connection, NotReached, Parcel, Proof};
pub use clock::QueueClock;
pub use resting::Rest;

pub(crate) use ask::broke;
pub(crate) use metrics::RelayMetrics;
pub(crate) use operate::{Message, Request, Response, Stats, Target, answered, operate};
pub(crate) use outgoing::Outgoing;
pub(crate) use resting::Resting;
pub(crate) use routes::Routes;
pub(crate) use runner::Runner;
pub(crate) use said::Said;
pub(crate) use settle::address;

#[cfg(test)]
mod tests;
