//! The built component, as octets: whoever hosts it depends on this crate and builds nothing else.
//! How it is built, and what can be set, is told in `build.rs`.

/// The component: world `servers` of package `pillarbox:mail`, checked and without imports.
pub static COMPONENT: &[u8] = include_bytes!(env!("PILLARBOX_COMPONENT_FILE"));

/// Where the build left the component, for tools that want a file.
pub const COMPONENT_FILE: &str = env!("PILLARBOX_COMPONENT_FILE");
