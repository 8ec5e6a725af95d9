//! What an engine is made with, and how many sandboxes this machine can hold.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::cli::EngineChoice;
use crate::error::Error;

/// Sessions at work at once, unless set or limited by the kernel.
const SLOTS_DEFAULT: u32 = 2000;
/// Connections at once for each slot, unless set or limited by the kernel: one that rests needs no slot, but some 20 KiB.
const CONNECTIONS_PER_SLOT: u32 = 16;
/// Kernel mappings of one live instance: memory with its copy-on-write image and guards, and its
/// tables.
const MAPPINGS_PER_SLOT: u32 = 4;
/// Mappings left to the rest of the program: threads, libraries, the store's own.
const MAPPINGS_SPARE: u32 = 5000;
/// Descriptors left to the rest of the program.
const DESCRIPTORS_SPARE: u64 = 128;
/// Instances for indexing, beside those of sessions.
pub(super) const INDEX_SLOTS: u32 = 16;
/// Instances of the relay functions: more than one, since a report may take milliseconds; and few, since calls are short.
pub(super) const RELAY_SLOTS: u32 = 4;
/// The instance that reads texts for the full-text index.
pub(super) const TEXT_SLOTS: u32 = 1;

/// What an engine is made with.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Where the engine runs.
    pub choice: EngineChoice,
    /// Sessions at once; none: as many as this machine allows, at most 2,000.
    pub slots: Option<u32>,
    /// The component.
    pub component: Cow<'static, [u8]>,
    /// Where compiled components are kept; none: compile at each start. It is trusted as the
    /// program itself is.
    pub cache: Option<PathBuf>,
    /// Octets of memory of a session.
    pub session_memory_max: usize,
    /// Octets of memory of an instance that indexes; it holds the message several times.
    pub index_memory_max: usize,
    /// Milliseconds that one step of a session may take.
    pub step_ms_max: u64,
    /// Milliseconds that indexing one message may take.
    pub index_ms_max: u64,
}

impl EngineSettings {
    /// The component of this build with the usual bounds.
    #[must_use]
    pub fn new(choice: EngineChoice, slots: Option<u32>) -> Self {
        Self {
            choice,
            slots,
            component: Cow::Borrowed(pillarbox_component_binary::COMPONENT),
            cache: super::cache::directory(),
            session_memory_max: 4 << 20,
            index_memory_max: 512 << 20,
            step_ms_max: 200,
            index_ms_max: 20_000,
        }
    }

    /// How many slots this machine has for what was asked.
    pub(crate) fn slots(&self) -> Result<u32, Error> {
        let by_mappings = mappings_max().map(|mappings| {
            (mappings.saturating_sub(MAPPINGS_SPARE) / MAPPINGS_PER_SLOT)
                .saturating_sub(INDEX_SLOTS + RELAY_SLOTS + TEXT_SLOTS)
        });
        let by_mappings = match self.choice {
            EngineChoice::Sandbox => by_mappings.unwrap_or(SLOTS_DEFAULT),
            EngineChoice::Native => u32::MAX,
        };
        choose(self.slots, by_mappings, by_descriptors())
    }
}

/// How many connections this machine has room for beside so many slots, for what was asked.
pub(crate) fn connections(asked: Option<u32>, slots: u32) -> Result<u32, Error> {
    choose_connections(asked, slots, by_descriptors())
}

fn choose_connections(asked: Option<u32>, slots: u32, by_descriptors: u32) -> Result<u32, Error> {
    match asked {
        None => Ok(slots.saturating_mul(CONNECTIONS_PER_SLOT).min(by_descriptors).max(1)),
        Some(0) => Err(Error::usage("connections: at least 1")),
        Some(asked) if asked > by_descriptors => Err(Error::usage(format!(
            "connections: {asked} of them need as many file descriptors, and {by_descriptors} are \
             allowed; lower it, or raise the limit (ulimit -n)"
        ))),
        Some(asked) => Ok(asked),
    }
}

fn by_descriptors() -> u32 {
    let descriptors = raise_descriptors().saturating_sub(DESCRIPTORS_SPARE);
    u32::try_from(descriptors).unwrap_or(u32::MAX)
}

fn choose(asked: Option<u32>, by_mappings: u32, by_descriptors: u32) -> Result<u32, Error> {
    let Some(asked) = asked else {
        return Ok(SLOTS_DEFAULT.min(by_mappings).min(by_descriptors).max(1));
    };
    if asked == 0 {
        return Err(Error::usage("slots: at least 1"));
    }
    if asked > by_mappings {
        return Err(Error::usage(format!(
            "slots: {asked} sandboxes need {} memory mappings, and the kernel allows for \
             {by_mappings} of them; lower it, or raise vm.max_map_count (sysctl)",
            u64::from(MAPPINGS_PER_SLOT) * u64::from(asked)
        )));
    }
    if asked > by_descriptors {
        return Err(Error::usage(format!(
            "slots: {asked} sessions need as many file descriptors, and {by_descriptors} are \
             allowed; lower it, or raise the limit (ulimit -n)"
        )));
    }
    Ok(asked)
}

fn mappings_max() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok()?;
    Some(text.trim().parse::<u64>().ok()?.try_into().unwrap_or(u32::MAX))
}

/// Raises the soft limit of file descriptors to the hard one, which any process may do, and says
/// what it is.
fn raise_descriptors() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls only use the struct that they are given, which lives on this stack.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) != 0 {
            return u64::MAX;
        }
        let raised = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
        if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) == 0 {
            limit = raised;
        }
    }
    limit.rlim_cur
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_cut_to_what_the_machine_has() {
        assert_eq!(choose(None, 15_000, 1_000_000).expect("valid"), SLOTS_DEFAULT);
        assert_eq!(choose(None, 1200, 1_000_000).expect("valid"), 1200);
        assert_eq!(choose(None, 15_000, 900).expect("valid"), 900);
    }

    #[test]
    fn more_connections_than_slots_may_be_open() {
        assert_eq!(choose_connections(None, 2000, 1_000_000).expect("valid"), 32_000);
        assert_eq!(choose_connections(None, 2000, 20_000).expect("valid"), 20_000);
        assert_eq!(choose_connections(Some(40_000), 100, 50_000).expect("valid"), 40_000);
        let error = choose_connections(Some(60_000), 100, 50_000).expect_err("too many");
        assert!(error.message.contains("ulimit -n"), "{error}");
        assert!(choose_connections(Some(0), 100, 50_000).is_err());
    }

    #[test]
    fn a_setting_beyond_the_machine_is_refused_with_a_reason() {
        let error = choose(Some(100_000), 15_000, 1_000_000).expect_err("too many");
        assert!(error.message.contains("vm.max_map_count"), "{error}");
        let error = choose(Some(10_000), 15_000, 900).expect_err("too many");
        assert!(error.message.contains("ulimit -n"), "{error}");
        assert_eq!(choose(Some(10_000), 15_000, 20_000).expect("valid"), 10_000);
    }
}
