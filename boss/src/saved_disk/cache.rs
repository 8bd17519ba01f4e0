//! What was found out about saved disks, as long as there is room.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::open::Key;

/// How many saved disks are known at a time.
const ROOM: usize = 32;

/// Values by saved disk; those that were not asked for for longest go first.
#[derive(Debug)]
pub(super) struct Cache<T>(Mutex<Entries<T>>);

#[derive(Debug)]
struct Entries<T> {
    entries: HashMap<Key, (u64, T)>,
    /// Counts the uses.
    clock: u64,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(Mutex::new(Entries { entries: HashMap::new(), clock: 0 }))
    }
}

impl<T: Clone> Cache<T> {
    /// What is known of a disk.
    pub(super) fn get(&self, key: &Key) -> Option<T> {
        let mut guard = self.lock();
        let entries = &mut *guard;
        entries.clock = entries.clock.saturating_add(1);
        let (used, value) = entries.entries.get_mut(key)?;
        *used = entries.clock;
        Some(value.clone())
    }

    /// What is known of a disk if `is_good`; else `new` is noted, and there is none. Nobody else
    /// gets in between. Of what `must_stay` there can be more than there is room for.
    pub(super) fn get_or_note(
        &self,
        key: &Key,
        new: T,
        is_good: impl Fn(&T) -> bool,
        must_stay: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let mut guard = self.lock();
        let entries = &mut *guard;
        entries.clock = entries.clock.saturating_add(1);
        if let Some((used, value)) = entries.entries.get_mut(key)
            && is_good(value)
        {
            *used = entries.clock;
            return Some(value.clone());
        }
        entries.put(key.clone(), new, must_stay);
        None
    }

    /// Notes what is known of a disk now.
    pub(super) fn put(&self, key: Key, value: T, must_stay: impl Fn(&T) -> bool) {
        let mut guard = self.lock();
        guard.clock = guard.clock.saturating_add(1);
        guard.put(key, value, must_stay);
    }

    /// How many there are of which this is true.
    pub(super) fn count(&self, of: impl Fn(&T) -> bool) -> usize {
        self.lock().entries.values().filter(|(_, value)| of(value)).count()
    }

    fn lock(&self) -> MutexGuard<'_, Entries<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Entries<T> {
    fn put(&mut self, key: Key, value: T, must_stay: impl Fn(&T) -> bool) {
        self.entries.insert(key, (self.clock, value));
        while self.entries.len() > ROOM {
            let free = self.entries.iter().filter(|(_, (_, value))| !must_stay(value));
            let Some(oldest) = free.min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone())
            else {
                return;
            };
            self.entries.remove(&oldest);
        }
    }
}
