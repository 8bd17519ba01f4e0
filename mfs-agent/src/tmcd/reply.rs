//! Replies, on their way from the socket to what they mean.

use alloc::string::String;
use alloc::vec::Vec;

/// What a reply turns out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// What was asked for.
    Good(T),
    /// An answer that a server also gives when something is wrong with it. Another server, or
    /// the same one a little later, may know better; if none does, it counts.
    Doubtful(T),
    /// Nothing that can be used, and why.
    Bad(String),
}

/// Room for a reply. It may hold password hashes, so it is wiped when it isn't needed any more,
/// and never grows, which would leave a copy.
pub(super) struct Room(Vec<u8>);

impl Room {
    /// Room for so many bytes; `None` if there is no memory for it.
    pub(super) fn new(limit: usize) -> Option<Self> {
        let mut room = Vec::new();
        room.try_reserve_exact(limit).ok()?;
        room.resize(limit, 0);
        Some(Self(room))
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.0.fill(0);
        // Or the compiler leaves out the writes, since nothing reads what they have written.
        core::hint::black_box(&self.0);
    }
}
