//! The component's memory: small pieces come from lists of pieces that were used before, and everything else from the
//! general allocator. A command makes a dozen small pieces and drops them again, which was a quarter of its work.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;

#[global_allocator]
static MEMORY: Memory = Memory(UnsafeCell::new(Small {
    unused: [ptr::null_mut(); CLASSES],
    used: 0,
    region: Region([0; REGION]),
}));

/// Octets of all small pieces together; what is beyond comes from the general allocator, so that pieces of a size that
/// nobody needs any more cannot take up much.
const REGION: usize = 64 << 10;
/// Sizes of pieces are multiples of this, and so are their places.
const STEP: usize = 16;
/// Octets of the largest small piece.
const SMALL_MAX: usize = 512;
const CLASSES: usize = SMALL_MAX / STEP;

struct Memory(UnsafeCell<Small>);

// SAFETY: an instance has one thread; without atomics WebAssembly knows no other.
unsafe impl Sync for Memory {}

struct Small {
    /// Of each size the piece that was given back last; it begins with the address of the one before.
    unused: [*mut u8; CLASSES],
    /// Octets of `region` that were handed out at some time.
    used: usize,
    region: Region,
}

#[repr(align(16))]
struct Region([u8; REGION]);

/// Which list a layout's pieces are in, if they are small.
fn class(layout: Layout) -> Option<usize> {
    let small = layout.size() <= SMALL_MAX && layout.align() <= STEP;
    small.then(|| layout.size().div_ceil(STEP).saturating_sub(1))
}

impl Small {
    fn take(&mut self, class: usize) -> Option<*mut u8> {
        let piece = self.unused[class];
        if !piece.is_null() {
            // SAFETY: what is in the list is unused, of the region, aligned, and begins with such an address.
            self.unused[class] = unsafe { piece.cast::<*mut u8>().read() };
            return Some(piece);
        }
        let size = (class + 1) * STEP;
        let piece = self.region.0.get_mut(self.used..self.used + size)?;
        self.used += size;
        Some(piece.as_mut_ptr())
    }

    fn has(&self, piece: *mut u8) -> bool {
        self.region.0.as_ptr_range().contains(&piece.cast_const())
    }

    fn give_back(&mut self, piece: *mut u8, class: usize) {
        // SAFETY: its owner has given it up; it is of the region and has room for an address.
        unsafe { piece.cast::<*mut u8>().write(self.unused[class]) };
        self.unused[class] = piece;
    }
}

// SAFETY: every piece is handed out once until it is given back, is as large and aligned as its layout, and goes back to
// where it came from, which its address tells.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and nothing here is called from here.
        let small = unsafe { &mut *self.0.get() };
        let piece = class(layout).and_then(|class| small.take(class));
        // SAFETY: as the caller promises.
        piece.unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        // SAFETY: as above.
        let small = unsafe { &mut *self.0.get() };
        match class(layout) {
            Some(class) if small.has(piece) => small.give_back(piece, class),
            // SAFETY: as the caller promises; it is not of the region, so it came from there.
            _ => unsafe { System.dealloc(piece, layout) },
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        let is_small = unsafe { (*self.0.get()).has(piece) };
        if !is_small {
            // SAFETY: as the caller promises.
            return unsafe { System.realloc(piece, layout, size) };
        }
        // SAFETY: the caller promises that the size fits this alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if class(wanted) == class(layout) {
            return piece;
        }
        // SAFETY: both pieces are there, apart from each other, and have as many octets as are copied.
        unsafe {
            let new = self.alloc(wanted);
            if !new.is_null() {
                ptr::copy_nonoverlapping(piece, new, layout.size().min(size));
                self.dealloc(piece, layout);
            }
            new
        }
    }
}
