//! The queue at work: what is due is carried to its next hop, and what follows is written down.
//! Where mail goes, when it is tried again and what is reported is decided by the engine's `relay`.

mod clock;

pub use clock::QueueClock;
