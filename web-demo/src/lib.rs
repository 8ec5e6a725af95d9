//! The playground: a simulated mail Internet inside a page, every octet explained.
//! What is shown comes from the world (`pillarbox-world`) and its engine; what a view is made of is here.

// Leptos makes the structs of components `pub`, wherever they are.
#![cfg_attr(target_arch = "wasm32", allow(unreachable_pub))]

pub mod route;
pub mod story;

#[cfg(target_arch = "wasm32")]
mod app;
#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(any(test, target_arch = "wasm32"))]
mod charsets;
#[cfg(target_arch = "wasm32")]
mod controls;
#[cfg(target_arch = "wasm32")]
mod explanations;
#[cfg(target_arch = "wasm32")]
mod link;
#[cfg(target_arch = "wasm32")]
mod player;
#[cfg(target_arch = "wasm32")]
mod smime;
#[cfg(target_arch = "wasm32")]
mod view;
