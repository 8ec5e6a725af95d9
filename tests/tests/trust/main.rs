//! Who sent a message: SPF, DKIM, DMARC and ARC against a name server on loopback, what the settings make of each result,
//! our own signatures, and senders who want it to cost much.

mod chain;
mod dmarc;
mod hostile;
mod policies;
mod rig;
mod signatures;
mod signing;
mod spf;
