//! The sandboxes: one pool of instances with hard bounds on memory, time and stack, and what each
//! one is counted by.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::component::{
    self, Component, ComponentNamedList, InstancePre, Lift, Linker, Lower, TypedFunc,
};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, ResourceLimiter, Store,
};

use super::code::CodeMemory;
use super::deadline::Deadline;
use super::entries::{Entries, SmallIndexer};
use super::functions::Functions;
use super::settings::{EngineSettings, INDEX_SLOTS, RELAY_SLOTS, TEXT_SLOTS};
use super::{INDEX_HERE_MAX, Slot, StartError, Trap, cache};
use crate::error::Error;

/// The clock that ends endless calls.
const TICK: Duration = Duration::from_nanos(TICK_NS);
const TICK_NS: u64 = 10_000_000;
/// Octets that one call may give out: a step gives 16 KiB and a few; an index grows with its
/// message.
const STEP_OCTETS_MAX: usize = 4 << 20;
const INDEX_OCTETS_MAX: usize = 64 << 20;
/// The same for the relay functions, and octets of their memory: a report holds a message of 1 MiB at most, and some
/// KiB for each of its recipients; settling holds as many.
const RELAY_OCTETS_MAX: usize = 16 << 20;
const RELAY_MEMORY_MAX: usize = 48 << 20;
/// The same for texts of messages: at most 1 MiB, which decoding makes some times longer.
const TEXT_OCTETS_MAX: usize = 64 << 20;
const TEXT_MEMORY_MAX: usize = 48 << 20;
/// Octets of stack of native code; the sandbox's own, in its memory, is 64 KiB.
const STACK_MAX: usize = 256 << 10;
/// Frames of a trap's backtrace.
pub(super) const BACKTRACE_FRAMES_MAX: usize = 64;

/// What every sandbox is made from.
pub(super) struct Sandbox {
    engine: Engine,
    pre: InstancePre<Guard>,
    entries: Entries,
    index_free: Mutex<u32>,
    index_freed: Condvar,
    session_memory_max: usize,
    index_memory_max: usize,
    step_ticks_max: u64,
    index_ticks_max: u64,
    /// Whether a message broke the session that indexed it.
    index_broke_session: AtomicBool,
}

/// One instance and the slot that it holds.
pub(super) struct Instance {
    // Dropped before the slot is given back.
    pub(super) store: Store<Guard>,
    pub(super) instance: component::Instance,
    /// What indexes small messages here, once one has come.
    indexer: Option<SmallIndexer>,
    _slot: Slot,
}

/// The instance that gives the relay functions, call after call.
pub(super) struct RelayInstance {
    store: Store<Guard>,
    functions: Functions,
}

/// The instance that reads texts of messages, one after the other.
pub(super) struct TextInstance {
    store: Store<Guard>,
    instance: component::Instance,
}

/// What an instance is told when it asks for memory, or for more time.
pub(super) struct Guard {
    memory_max: usize,
    deadline: Deadline,
}

/// An instance asked for more memory than it may have.
#[derive(Debug)]
pub(super) struct OverMemory {
    max: usize,
}

impl Sandbox {
    pub(super) fn new(settings: &EngineSettings, slots: u32) -> Result<Self, Error> {
        let failed = |error: wasmtime::Error| Error::failed(format!("the sandbox: {error:#}"));
        let mut config = config(settings, slots + INDEX_SLOTS + RELAY_SLOTS + TEXT_SLOTS);
        let memory = Arc::new(CodeMemory::default());
        memory.install(&mut config);
        let engine = Engine::new(&config).map_err(failed)?;
        let directory = settings.cache.as_deref();
        let component = cache::load(&engine, &settings.component, directory, &memory);
        let component: Component = component.map_err(failed)?;
        // An empty linker: a component that imports anything fails here.
        let pre = Linker::new(&engine).instantiate_pre(&component).map_err(failed)?;
        let deadline = Deadline::new(1, TICK_NS);
        let memory_max = settings.session_memory_max;
        let mut store = Store::new(&engine, Guard { memory_max, deadline });
        store.set_epoch_deadline(1);
        let instance = pre.instantiate(&mut store).map_err(failed)?;
        let entries = Entries::find(&component, instance, &mut store).map_err(failed)?;
        Functions::find(&component, instance, &mut store).map_err(failed)?;
        drop(store);
        start_clock(&engine)?;
        let ticks = |ms: u64| ms.div_ceil(u64::try_from(TICK.as_millis()).unwrap_or(1)).max(1);
        Ok(Self {
            engine,
            pre,
            entries,
            index_free: Mutex::new(INDEX_SLOTS),
            index_freed: Condvar::new(),
            session_memory_max: settings.session_memory_max,
            index_memory_max: settings.index_memory_max,
            step_ticks_max: ticks(settings.step_ms_max),
            index_ticks_max: ticks(settings.index_ms_max),
            index_broke_session: AtomicBool::new(false),
        })
    }

    pub(super) fn entries(&self) -> &Entries {
        &self.entries
    }

    /// A fresh instance for a session.
    pub(super) fn instance(&self, slot: Slot) -> Result<Instance, StartError> {
        let mut store = self.store(self.session_memory_max, STEP_OCTETS_MAX, self.step_ticks_max);
        let instance = self.pre.instantiate(&mut store);
        let instance = instance.map_err(|error| {
            StartError::Trap(Trap::new("the start of a session".into(), &error))
        })?;
        Ok(Instance { store, instance, indexer: None, _slot: slot })
    }

    pub(super) fn has_index_broken_session(&self) -> bool {
        self.index_broke_session.load(Ordering::Relaxed)
    }

    /// A session broke that may have been indexing a message.
    pub(super) fn suspect_index(&self) {
        self.index_broke_session.store(true, Ordering::Relaxed);
    }

    /// Indexes one message in an instance that lives no longer.
    pub(super) fn index(&self, octets: &[u8], total_size: u64) -> Result<Vec<u8>, Trap> {
        // A counter is whole after every operation, so a panic elsewhere spoils nothing.
        let free = self.index_free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .index_freed
            .wait_while(free, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        drop(free);
        let index = self.index_now(octets, total_size);
        *self.index_free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.index_freed.notify_one();
        let during = || format!("indexing a message of {total_size} octets");
        index.map_err(|error| Trap::new(during(), &error))
    }

    /// Indexes a small message in a session's own instance, between two of its steps.
    ///
    /// A message that breaks the session is not acknowledged, so it will come again: from then on each is indexed in
    /// an instance of its own, where a break costs nothing but the index.
    pub(super) fn index_here(
        &self,
        instance: &mut Instance,
        octets: &[u8],
    ) -> Result<Option<Vec<u8>>, Trap> {
        if octets.len() > INDEX_HERE_MAX || self.has_index_broken_session() {
            return Ok(None);
        }
        instance.start_call();
        let Instance { store, instance: exports, indexer, .. } = instance;
        // Looked up once, by the first message: it costs a part of what indexing does.
        let found = match indexer {
            Some(indexer) => Ok(*indexer),
            None => self.entries.small_indexer(*exports, store),
        };
        let index = found.and_then(|found| indexer.insert(found).index(store, octets));
        index.map_err(|error| {
            self.suspect_index();
            Trap::new(format!("indexing a message of {} octets", octets.len()), &error)
        })
    }

    /// A fresh instance for the relay functions; its caller keeps to [`RELAY_SLOTS`] of them.
    pub(super) fn relay_instance(&self) -> Result<RelayInstance, wasmtime::Error> {
        let mut store = self.store(RELAY_MEMORY_MAX, RELAY_OCTETS_MAX, self.index_ticks_max);
        let instance = self.pre.instantiate(&mut store)?;
        let functions = Functions::find(self.pre.component(), instance, &mut store)?;
        Ok(RelayInstance { store, functions })
    }

    /// A fresh instance that reads texts; its caller keeps to one at a time.
    pub(super) fn text_instance(&self) -> Result<TextInstance, wasmtime::Error> {
        let mut store = self.store(TEXT_MEMORY_MAX, TEXT_OCTETS_MAX, self.index_ticks_max);
        let instance = self.pre.instantiate(&mut store)?;
        Ok(TextInstance { store, instance })
    }

    fn index_now(&self, octets: &[u8], total_size: u64) -> Result<Vec<u8>, wasmtime::Error> {
        let mut store = self.store(self.index_memory_max, INDEX_OCTETS_MAX, self.index_ticks_max);
        let instance = self.pre.instantiate(&mut store)?;
        self.entries.index(instance, &mut store, octets, total_size)
    }

    fn store(&self, memory_max: usize, octets_max: usize, ticks_max: u64) -> Store<Guard> {
        let deadline = Deadline::new(ticks_max, TICK_NS);
        let mut store = Store::new(&self.engine, Guard { memory_max, deadline });
        store.limiter(|guard| guard);
        store.set_hostcall_fuel(octets_max);
        store.epoch_deadline_callback(|mut store| Ok(store.data_mut().deadline.passed()));
        start_call(&mut store);
        store
    }
}

impl Instance {
    /// Starts the clock of one call.
    pub(super) fn start_call(&mut self) {
        start_call(&mut self.store);
    }
}

impl TextInstance {
    /// Where the texts of a message stand.
    pub(super) fn spans(
        &mut self,
        sandbox: &Sandbox,
        index: &[u8],
        size: u64,
    ) -> Result<Vec<(u64, u64)>, wasmtime::Error> {
        start_call(&mut self.store);
        sandbox.entries.text_spans(self.instance, &mut self.store, index, size)
    }

    /// Those texts.
    pub(super) fn texts(
        &mut self,
        sandbox: &Sandbox,
        index: &[u8],
        size: u64,
        octets: &[u8],
    ) -> Result<Vec<u8>, wasmtime::Error> {
        start_call(&mut self.store);
        sandbox.entries.texts(self.instance, &mut self.store, index, size, octets)
    }
}

impl RelayInstance {
    /// One call; after an error the instance is of no more use.
    pub(super) fn call<P, R>(
        &mut self,
        function: impl Fn(&Functions) -> &TypedFunc<P, (R,)>,
        taken: P,
    ) -> Result<R, wasmtime::Error>
    where
        P: ComponentNamedList + Lower,
        (R,): ComponentNamedList + Lift,
    {
        start_call(&mut self.store);
        Ok(function(&self.functions).call(&mut self.store, taken)?.0)
    }
}

fn start_call(store: &mut Store<Guard>) {
    let ticks = store.data_mut().deadline.start();
    store.set_epoch_deadline(ticks);
}

impl ResourceLimiter for Guard {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, wasmtime::Error> {
        if desired <= self.memory_max {
            return Ok(true);
        }
        // An error, not a refusal: it traps at once and says why, instead of a panic somewhere in
        // the guest.
        Err(wasmtime::Error::new(OverMemory { max: self.memory_max }))
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, wasmtime::Error> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

impl std::fmt::Display for OverMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "more than {} octets of memory", self.max)
    }
}

impl std::error::Error for OverMemory {}

/// Entries of a table, of functions that are called through pointers.
const TABLE_ELEMENTS_MAX: usize = 10_000;

fn config(settings: &EngineSettings, instances: u32) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(4))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(3))
        .max_core_instances_per_component(4)
        .max_memories_per_component(1)
        .max_tables_per_component(3)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(
            settings.session_memory_max.max(settings.index_memory_max).max(RELAY_MEMORY_MAX),
        )
        // What a session used is given back when it ends or is frozen. To clear it instead would save a third of a short
        // session's life, but clearing touches every page that may be kept, half a mebibyte for each slot ever used, and
        // of frozen sessions there are many more than of slots at work.
        .linear_memory_keep_resident(0)
        .table_keep_resident(0)
        .max_unused_warm_slots(64);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        // A session never waits inside, so it needs neither fibers nor what they cost each call.
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_MAX)
        .wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE_FRAMES_MAX))
        .wasm_relaxed_simd(false)
        .wasm_memory64(false);
    config
}

/// Makes time pass for the sandboxes until the engine is gone.
fn start_clock(engine: &Engine) -> Result<(), Error> {
    let engine = engine.weak();
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    let started = std::thread::Builder::new().name("sandbox-clock".to_owned()).spawn(tick);
    started.map_err(|error| Error::failed(format!("the sandbox's clock: {error}")))?;
    Ok(())
}
