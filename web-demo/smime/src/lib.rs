//! S/MIME for the playground: people with keys, and what can be done with them. It is a module of its own beside the page's,
//! since few who open the page need it; the page loads it when a screen first does.
//!
//! Private keys are made here, stay in this module's memory, and are given out by nothing.

mod desk;
mod told;

#[cfg(target_arch = "wasm32")]
mod page;

pub use desk::{Author, Desk, Reader};
pub use told::Told;
