//! The most recently decoded data of a chunk.

use alloc::vec::Vec;
use core::ops::Range;

use crate::codec::WINDOW;
use crate::error::{ErrorKind, Limit, Result};

/// How many bytes are kept: many windows of the pipeline, so that threads may overtake each other.
/// A multiple of what the decompressor delivers at a time.
pub(super) const KEPT: usize = 128 * WINDOW;

/// The last [`KEPT`] bytes of data that come in order.
#[derive(Default)]
pub(super) struct Kept {
    /// Byte `n` of the data is at `n` modulo [`KEPT`].
    ring: Vec<u8>,
    /// How many bytes have come.
    end: u64,
}

impl Kept {
    /// Forgets everything; data begin anew.
    pub(super) fn clear(&mut self) {
        self.end = 0;
    }

    /// The bytes that are kept, by their place in the data.
    pub(super) fn range(&self) -> Range<u64> {
        let start = self.end.saturating_sub(u64::try_from(KEPT).unwrap_or(u64::MAX));
        start..self.end
    }

    /// Adds what comes next: [`WINDOW`] bytes or, the last time, fewer.
    pub(super) fn push(&mut self, data: &[u8]) -> Result<()> {
        let at = place(self.end);
        let written = self.ring.get_mut(at..).map_or(0, |old| {
            let len = old.len().min(data.len());
            old.iter_mut().zip(data).for_each(|(to, from)| *to = *from);
            len
        });
        let rest = data.get(written..).unwrap_or_default();
        self.ring.try_reserve(rest.len()).map_err(|_| ErrorKind::TooLarge(Limit::Memory))?;
        self.ring.extend_from_slice(rest);
        self.end = self.end.saturating_add(u64::try_from(data.len()).unwrap_or_default());
        Ok(())
    }

    /// Fills `buf` as far as possible with the kept bytes from `from` on; how many those are.
    pub(super) fn copy(&self, from: u64, buf: &mut [u8]) -> usize {
        let mut at = from;
        let mut copied = 0;
        while self.range().contains(&at) {
            let place = place(at);
            let left = usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX);
            let run = self.ring.get(place..).unwrap_or_default();
            let room = buf.get_mut(copied..).unwrap_or_default();
            let len = run.len().min(left).min(room.len());
            let (Some(to), Some(run)) = (room.get_mut(..len), run.get(..len)) else { break };
            if len == 0 {
                break;
            }
            to.copy_from_slice(run);
            copied = copied.saturating_add(len);
            at = at.saturating_add(u64::try_from(len).unwrap_or_default());
        }
        copied
    }
}

/// Where byte `at` of the data lies in the ring.
fn place(at: u64) -> usize {
    let kept = u64::try_from(KEPT).unwrap_or(u64::MAX);
    at.checked_rem(kept).and_then(|place| usize::try_from(place).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn the_last_bytes_are_kept() {
        let mut kept = Kept::default();
        let mut buf = vec![0; 2 * KEPT];
        assert_eq!(kept.copy(0, &mut buf), 0);
        let part = |number: usize| vec![u8::try_from(number % 251).unwrap(); WINDOW];
        for number in 0..300 {
            kept.push(&part(number)).unwrap();
        }
        kept.push(&[7; 512]).unwrap();
        assert_eq!(kept.ring.len(), KEPT);
        let end = 300 * WINDOW + 512;
        assert_eq!(kept.range(), (end - KEPT) as u64..end as u64);
        assert_eq!(kept.copy(kept.range().start - 1, &mut buf), 0);
        assert_eq!(kept.copy(kept.range().end, &mut buf), 0);
        assert_eq!(kept.copy(kept.range().start, &mut buf), KEPT);
        for (i, byte) in buf[..KEPT - 512].iter().enumerate() {
            assert_eq!(usize::from(*byte), (end - KEPT + i) / WINDOW % 251);
        }
        assert!(buf[KEPT - 512..KEPT].iter().all(|byte| *byte == 7));
        assert_eq!(kept.copy(kept.range().end - 700, &mut buf[..600]), 600);
        kept.clear();
        kept.push(&[1]).unwrap();
        assert_eq!((kept.range(), kept.copy(0, &mut buf)), (0..1, 1));
    }
}
