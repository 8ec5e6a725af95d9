//! The component with verbs that break its sandbox: a session that receives `XCRASH PANIC`, `LOOP`,
//! `MEMORY` or `STACK` at the beginning of its octets does so. Otherwise it is the product's
//! component.

/// The component, with crash verbs.
pub static COMPONENT: &[u8] = include_bytes!(env!("PILLARBOX_CRASH_FILE"));
