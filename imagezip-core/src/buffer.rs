//! Memory for reads and writes around the page cache.

use alloc::vec::Vec;

/// Bytes that begin at a page's bound, as direct input and output want them.
#[derive(Clone, Debug, Default)]
pub struct PageBuffer {
    bytes: Vec<u8>,
    /// Where in `bytes` the page begins.
    start: usize,
}

impl PageBuffer {
    /// The unit of direct input and output: no disk has larger sectors.
    pub const PAGE: usize = 4096;

    /// A buffer of no bytes.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), start: 0 }
    }

    /// The first `len` bytes, of which those that were not there before are zeros. Where the buffer
    /// has to grow, nothing that was in it counts.
    pub fn grown(&mut self, len: usize) -> &mut [u8] {
        if self.get().len() < len {
            self.bytes = Vec::new();
            self.bytes.resize(len.saturating_add(Self::PAGE), 0);
            self.start = self.bytes.as_ptr().align_offset(Self::PAGE).min(Self::PAGE);
        }
        self.bytes.get_mut(self.start..).and_then(|bytes| bytes.get_mut(..len)).unwrap_or_default()
    }

    /// All bytes.
    pub fn get(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// All bytes.
    pub fn get_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_at_a_page() {
        let mut buffer = PageBuffer::new();
        for len in [0, 1, 4096, 1, 100_000, 1 << 20] {
            let bytes = buffer.grown(len);
            assert_eq!(bytes.len(), len);
            assert!(len == 0 || bytes.as_ptr().align_offset(PageBuffer::PAGE) == 0);
            bytes.fill(7);
            assert!(buffer.get().len() >= len && buffer.get_mut().len() >= len);
        }
    }
}
