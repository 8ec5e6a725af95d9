//! The parts of a mail world that need no I/O: what a store does, one store in memory, and the services that answer
//! a session's asks from any store; and a whole simulated mail Internet made of them. The native host, the tests and
//! the playground share them.

pub mod annotate;
pub mod catalogue;
pub mod conversation;
pub mod fault;
#[cfg(feature = "given-texts")]
pub mod given;
pub mod hub;
pub mod memory;
pub mod orders;
pub mod queue;
pub mod service;
pub mod store;
pub mod tape;
pub mod web;
pub mod world;
