//! Charsets, decoded by the browser: it has the Encoding Standard, whose tables would be a tenth of the page.

#[cfg(target_arch = "wasm32")]
mod browsers;
mod exact;

#[cfg(target_arch = "wasm32")]
pub(crate) use browsers::give;
