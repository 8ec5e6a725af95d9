//! The engine as one WebAssembly component that imports nothing: converts types and calls, decides
//! nothing. One instance serves one connection (or indexes one message), so that a trap costs
//! exactly that.

mod convert;
#[cfg(feature = "crash-verbs")]
mod crash;
#[cfg(target_arch = "wasm32")]
mod memory;
mod mime;
mod relay;
mod roles;
mod trace;

/// What `wit-bindgen` makes of the contract. Its code is unsafe by nature, which is why it lives
/// outside the engine.
#[allow(missing_docs, unreachable_pub, clippy::all)]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "servers",
        generate_all,
    });
}

use bindings::exports::pillarbox::mail as wit;

/// Carries the contract's exports; it has no state of its own.
struct Component;

bindings::export!(Component with_types_in bindings);
