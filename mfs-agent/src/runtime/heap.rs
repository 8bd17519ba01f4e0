//! The heap. Large buffers begin at a page, so that a disk can be read into them directly.

use core::alloc::{GlobalAlloc, Layout};
use core::ops::RangeInclusive;
use core::ptr;

use rustix_dlmalloc::GlobalDlmalloc;

const PAGE: usize = 4096;
/// What is a buffer. Growing one means to copy it, so tables that become larger are left out.
const BUFFERS: RangeInclusive<usize> = 64 << 10..=4 << 20;

/// The program's heap.
pub(super) struct Heap;

/// What is asked of the heap in place of `layout`.
fn placed(layout: Layout) -> Layout {
    if BUFFERS.contains(&layout.size()) { layout.align_to(PAGE).unwrap_or(layout) } else { layout }
}

// SAFETY: the other heap does all of it, with layouts that ask for more than the caller's; the
// same layout leads to the same one each time.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { GlobalDlmalloc.alloc(placed(layout)) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { GlobalDlmalloc.alloc_zeroed(placed(layout)) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block was asked for with the same layout.
        unsafe { GlobalDlmalloc.dealloc(block, placed(layout)) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Ok(new) = Layout::from_size_align(size, layout.align()) else {
            return ptr::null_mut();
        };
        let (old_place, new_place) = (placed(layout), placed(new));
        if old_place.align() == new_place.align() {
            // SAFETY: the block was asked for with this layout, and the size is as the caller
            // promises.
            return unsafe { GlobalDlmalloc.realloc(block, old_place, size) };
        }
        // SAFETY: the size isn't 0, as the caller promises.
        let moved = unsafe { GlobalDlmalloc.alloc(new_place) };
        if !moved.is_null() {
            // SAFETY: both blocks are at least that long, and the new one is nobody's yet; the old
            // one was asked for with this layout.
            unsafe {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                GlobalDlmalloc.dealloc(block, old_place);
            }
        }
        moved
    }
}
