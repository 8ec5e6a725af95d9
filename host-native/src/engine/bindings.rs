//! What wasmtime makes of the contract.
#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated; documented in wit/")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "servers",
});

pub(super) use exports::pillarbox::mail as wit;
