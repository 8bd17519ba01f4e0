//! The chunks that are open.

use alloc::sync::Arc;
use alloc::vec::Vec;

use rustix_futex_sync::Mutex;

use super::AnyImage;
use super::open::OpenChunk;
use crate::error::Result;
use crate::sector::Bytes;

/// Which chunk of which image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The image's number.
    pub(super) layer: usize,
    /// The chunk's number in its image.
    pub(super) chunk: u32,
}

/// Chunks that are open, each with a lock of its own: threads that read different chunks don't
/// wait for each other.
pub(super) struct Cache {
    capacity: usize,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    slots: Vec<Slot>,
    /// Counts the uses.
    clock: u64,
}

struct Slot {
    key: Key,
    last_use: u64,
    chunk: Arc<Mutex<OpenChunk>>,
}

impl Cache {
    /// A cache for about so many chunks: there are more while as many are in use at once.
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, slots: Mutex::default() }
    }

    /// Runs `read` on the chunk `key` of `image`.
    pub(super) fn with<T>(
        &self,
        key: Key,
        image: &AnyImage<'_>,
        read: impl FnOnce(&mut OpenChunk) -> Result<T>,
    ) -> Result<T> {
        let chunk = self.slots.lock().get(key, self.capacity);
        let mut open = chunk.lock();
        open.become_chunk(key, image)?;
        read(&mut open)
    }

    /// How many chunks are open.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots.lock().slots.len()
    }

    /// All data that were decoded so far.
    pub(super) fn decoded(&self) -> Bytes {
        let chunks: Vec<_> =
            self.slots.lock().slots.iter().map(|slot| Arc::clone(&slot.chunk)).collect();
        let decoded = chunks.iter().map(|chunk| chunk.lock().decoded());
        Bytes(decoded.fold(0, u64::saturating_add))
    }
}

impl Slots {
    /// The open chunk for `key`: the one that is, or the one that was unused for longest, or
    /// another one while there are fewer than `capacity` or all are in use.
    fn get(&mut self, key: Key, capacity: usize) -> Arc<Mutex<OpenChunk>> {
        self.clock = self.clock.saturating_add(1);
        let full = self.slots.len() >= capacity;
        let slots = &mut self.slots;
        let found = slots.iter().position(|slot| slot.key == key).or_else(|| {
            // A chunk is in use by those that got it here, and only while they read.
            let unused = slots.iter().enumerate().filter(|(_, s)| Arc::strong_count(&s.chunk) == 1);
            unused.min_by_key(|(_, slot)| slot.last_use).map(|(i, _)| i).filter(|_| full)
        });
        if let Some(slot) = found.and_then(|found| slots.get_mut(found)) {
            (slot.key, slot.last_use) = (key, self.clock);
            return Arc::clone(&slot.chunk);
        }
        let chunk = Arc::<Mutex<OpenChunk>>::default();
        slots.push(Slot { key, last_use: self.clock, chunk: Arc::clone(&chunk) });
        chunk
    }
}
