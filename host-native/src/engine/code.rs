//! Where the component's compiled code lies: in pages of 2 MiB where the system has them. Every message
//! walks through some fifty of the small ones in each of which it stays for a few instructions only, so
//! that with the small ones the processor spends more on finding the code than on running it. What code is
//! loaded, and whether it may be trusted, is for `cache`.

use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

use wasmtime::component::Component;
use wasmtime::{Config, CustomCodeMemory, Engine, Error};

/// A page of the processor, and one of its large ones.
const PAGE: usize = 4 << 10;
const LARGE_PAGE: usize = 2 << 20;

/// Whether code is put into memory of ours: elsewhere it has to be written in other ways (BTI on ARM, `MAP_JIT`), which
/// is left to wasmtime.
const OWN: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));

/// The memory that holds the code, from its loading until the engine and all that it runs are gone.
#[derive(Default)]
pub(super) struct CodeMemory(OnceLock<Mapping>);

/// Memory of our own: first one small page, the head of the compiled component, then at a multiple of
/// [`LARGE_PAGE`] its code and whatever follows.
struct Mapping {
    begin: NonNull<u8>,
    octets: usize,
    image: NonNull<[u8]>,
}

// SAFETY: nothing in it is written after it is made, but for what wasmtime does under its own locks.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl CodeMemory {
    /// Has an engine run its code in this memory.
    pub(super) fn install(self: &Arc<Self>, config: &mut Config) {
        if OWN {
            config.with_custom_code_memory(Some(Arc::clone(self) as Arc<dyn CustomCodeMemory>));
        }
    }

    /// Loads what a component was compiled to.
    ///
    /// # Safety
    ///
    /// The octets are what wasmtime made for this very engine: they are run as they are.
    pub(super) unsafe fn load(
        self: &Arc<Self>,
        engine: &Engine,
        compiled: &[u8],
    ) -> Result<Component, Error> {
        let first = OWN && self.0.get().is_none();
        let Some(mapping) = first.then(|| Mapping::of(compiled)).flatten() else {
            // SAFETY: the caller's promise.
            return unsafe { Component::deserialize(engine, compiled) };
        };
        let image = self.0.get_or_init(|| mapping).image;
        // SAFETY: the caller's promise; and the memory is this engine's own, which the code keeps
        // through its configuration.
        unsafe { Component::deserialize_raw(engine, image) }
    }

    /// The range of whole pages that this code is in: for our own memory up to the end of the last large
    /// page that has code, since one that were half code and half data would be split into small ones.
    fn pages(&self, begin: usize, octets: usize) -> (usize, usize) {
        let own = self.0.get().filter(|mapping| mapping.holds(begin));
        let Some(mapping) = own else { return (begin, octets.next_multiple_of(PAGE)) };
        let end = mapping.begin.as_ptr() as usize + mapping.octets;
        (begin, (begin + octets).next_multiple_of(LARGE_PAGE).min(end) - begin)
    }

    fn protect(&self, begin: *const u8, octets: usize, may: libc::c_int) -> Result<(), Error> {
        let begin = begin as usize;
        if let Some(mapping) = self.0.get().filter(|mapping| mapping.holds(begin)) {
            // Its data too: nothing of it is written any more.
            change(mapping.begin.as_ptr() as usize, mapping.octets, may & !libc::PROT_EXEC)?;
        }
        let (begin, octets) = self.pages(begin, octets);
        change(begin, octets, may)
    }
}

/// Changes what may be done with pages of compiled code and its data.
fn change(begin: usize, octets: usize, may: libc::c_int) -> Result<(), Error> {
    // SAFETY: wasmtime asks this of code that it has written and does not run yet, or does not run any more.
    let done = unsafe { libc::mprotect(begin as *mut libc::c_void, octets, may) };
    if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}

impl CustomCodeMemory for CodeMemory {
    fn required_alignment(&self) -> usize {
        PAGE
    }

    fn publish_executable(&self, begin: *const u8, octets: usize) -> Result<(), Error> {
        self.protect(begin, octets, libc::PROT_READ | libc::PROT_EXEC)
    }

    fn unpublish_executable(&self, begin: *const u8, octets: usize) -> Result<(), Error> {
        self.protect(begin, octets, libc::PROT_READ | libc::PROT_WRITE)
    }
}

impl Mapping {
    /// A copy of these octets; none if there is no memory for it.
    fn of(compiled: &[u8]) -> Option<Self> {
        let octets = (compiled.len() + LARGE_PAGE).next_multiple_of(LARGE_PAGE) + LARGE_PAGE;
        let (may, kind) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: new memory, wherever the system has room.
        let begin = unsafe { libc::mmap(std::ptr::null_mut(), octets, may, kind, -1, 0) };
        if begin == libc::MAP_FAILED {
            return None;
        }
        let begin = NonNull::new(begin.cast::<u8>())?;
        let code = (begin.as_ptr() as usize + PAGE).next_multiple_of(LARGE_PAGE);
        let at = code - PAGE - begin.as_ptr() as usize;
        // SAFETY: `at` is below LARGE_PAGE, and there are two more of these than the octets need.
        let image = unsafe {
            let image = begin.add(at);
            // Where the system has none this changes nothing.
            #[cfg(target_os = "linux")]
            libc::madvise(image.add(PAGE).as_ptr().cast(), octets - at - PAGE, libc::MADV_HUGEPAGE);
            std::ptr::copy_nonoverlapping(compiled.as_ptr(), image.as_ptr(), compiled.len());
            NonNull::slice_from_raw_parts(image, compiled.len())
        };
        Some(Self { begin, octets, image })
    }

    fn holds(&self, address: usize) -> bool {
        let begin = self.begin.as_ptr() as usize;
        (begin..begin + self.octets).contains(&address)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nothing that ran in it is left: code keeps its engine's memory.
        unsafe { libc::munmap(self.begin.as_ptr().cast(), self.octets) };
    }
}
