//! Why a sandbox broke, in words for the log and in kinds for the metrics.

use std::fmt;

use pillarbox_engine::types::Misuse;
use wasmtime::{Trap as Cause, WasmBacktrace};

use super::sandbox::OverMemory;

/// Frames of a backtrace that a message shows.
const FRAMES_SHOWN: usize = 3;
/// Beginnings of functions that say nothing about where a fault is.
const MACHINERY: [&str; 6] = ["core::", "alloc::", "std::", "__rust", "rust_", "abort"];

/// A session or an indexing that ended in its sandbox.
#[derive(Debug)]
pub struct Trap {
    kind: TrapKind,
    /// Which verb, and how much it brought.
    during: String,
    /// What failed, and where.
    message: String,
}

/// What kind of end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrapKind {
    /// The engine panicked: a bug of ours.
    Panic,
    /// It needed longer than one call may take.
    Timeout,
    /// It needed more memory than it may have.
    Memory,
    /// Its stack was used up.
    Stack,
    /// It, or the host, broke the contract between them.
    Contract,
    /// Any other fault of the sandbox.
    Fault,
}

impl TrapKind {
    /// One word for metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Contract => "contract",
            Self::Fault => "fault",
        }
    }
}

impl Trap {
    /// One word for metrics, as [`TrapKind::name`].
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind.name()
    }

    /// What kind of end it was.
    #[must_use]
    pub const fn trap_kind(&self) -> TrapKind {
        self.kind
    }

    pub(super) fn new(during: String, error: &wasmtime::Error) -> Self {
        let kind = classify(error);
        let place = place(error);
        let message = match (kind, place) {
            (TrapKind::Panic, Some(place)) => format!("panic in {place}"),
            (TrapKind::Timeout, Some(place)) => format!("no end in sight in {place}"),
            (TrapKind::Memory, Some(place)) => format!("out of memory in {place}"),
            (TrapKind::Stack, Some(place)) => format!("stack used up in {place}"),
            (_, Some(place)) => format!("{} in {place}", error.root_cause()),
            (_, None) => error.root_cause().to_string(),
        };
        Self { kind, during, message }
    }

    pub(super) fn misuse(misuse: Misuse) -> Self {
        let message = format!("the host broke the contract: {misuse:?}");
        Self { kind: TrapKind::Contract, during: "a step".to_owned(), message }
    }

    pub(super) fn lie(during: String, message: &str) -> Self {
        let message = format!("the sandbox broke the contract: {message}");
        Self { kind: TrapKind::Contract, during, message }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, during {}", self.kind(), self.message, self.during)
    }
}

impl std::error::Error for Trap {}

fn classify(error: &wasmtime::Error) -> TrapKind {
    if error.downcast_ref::<OverMemory>().is_some() {
        return TrapKind::Memory;
    }
    match error.downcast_ref::<Cause>() {
        Some(Cause::UnreachableCodeReached) => TrapKind::Panic,
        Some(Cause::Interrupt | Cause::OutOfFuel) => TrapKind::Timeout,
        Some(Cause::StackOverflow) => TrapKind::Stack,
        Some(Cause::AllocationTooLarge) => TrapKind::Memory,
        // The stack lies at the bottom of memory: what grows beyond it leaves memory.
        Some(Cause::MemoryOutOfBounds) if is_deep(error) => TrapKind::Stack,
        Some(Cause::CannotEnterComponent) => TrapKind::Contract,
        Some(_) => TrapKind::Fault,
        None => TrapKind::Contract,
    }
}

/// Whether the backtrace was cut because it was long.
fn is_deep(error: &wasmtime::Error) -> bool {
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    backtrace
        .is_some_and(|backtrace| backtrace.frames().len() >= super::sandbox::BACKTRACE_FRAMES_MAX)
}

/// The innermost functions of ours.
fn place(error: &wasmtime::Error) -> Option<String> {
    let backtrace = error.downcast_ref::<WasmBacktrace>()?;
    let names = backtrace.frames().iter().filter_map(|frame| frame.func_name());
    let names = names.map(|name| format!("{:#}", rustc_demangle::demangle(name)));
    let ours = names.filter(|name| {
        let start = name.trim_start_matches(['<', '&']);
        !MACHINERY.iter().any(|machinery| start.starts_with(machinery))
    });
    let shown: Vec<String> = ours.take(FRAMES_SHOWN).collect();
    (!shown.is_empty()).then(|| shown.join(", called by "))
}
