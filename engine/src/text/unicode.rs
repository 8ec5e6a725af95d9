//! What characters are made of (Unicode Standard Annex #15): by tables that the build makes, or by whom the program gives.

#[cfg(feature = "given-unicode")]
mod given;
#[cfg(not(feature = "given-unicode"))]
mod tables;

#[cfg(feature = "given-unicode")]
pub use given::{Given, give};
#[cfg(feature = "given-unicode")]
pub(crate) use given::{decomposition, is_combining_mark};
#[cfg(not(feature = "given-unicode"))]
pub(crate) use tables::{decomposition, is_combining_mark};
