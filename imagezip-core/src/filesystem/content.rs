//! What a file holds: where on the device its bytes lie.

use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{ErrorKind, Place, Result};
use crate::sector::Bytes;

/// Bytes of a file that follow each other on the device, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The position of the first in the file.
    pub at: u64,
    /// The position of the first on the device.
    pub position: Bytes,
    /// How many they are.
    pub len: u64,
}

impl Piece {
    /// The position in the file after the last byte.
    fn end(&self) -> u64 {
        self.at.saturating_add(self.len)
    }
}

/// What a file holds. What none of its pieces covers is a hole, and reads as zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    size: u64,
    data: Data,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Data {
    /// The bytes themselves: they lie among the file's attributes.
    Inline(Vec<u8>),
    /// In ascending order; none overlap, none reaches beyond the end.
    Pieces(Vec<Piece>),
}

impl Content {
    /// A file of these bytes.
    pub fn inline(bytes: Vec<u8>) -> Self {
        Self { size: u64::try_from(bytes.len()).unwrap_or(u64::MAX), data: Data::Inline(bytes) }
    }

    /// A file of `size` bytes. Pieces must come in the order of the file; what of them lies before
    /// the end of the one before, or beyond the end of the file, is left out.
    pub fn new(size: u64, pieces: impl IntoIterator<Item = Piece>) -> Self {
        let mut kept: Vec<Piece> = Vec::new();
        for mut piece in pieces {
            piece.len = piece.len.min(size.saturating_sub(piece.at));
            let end = kept.last().map_or(0, Piece::end);
            if piece.len == 0 || piece.at < end {
                continue;
            }
            match kept.last_mut() {
                Some(last)
                    if last.end() == piece.at
                        && last.position.checked_add(last.len) == Some(piece.position) =>
                {
                    last.len = last.len.saturating_add(piece.len);
                }
                _ => kept.push(piece),
            }
        }
        Self { size, data: Data::Pieces(kept) }
    }

    /// The size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The pieces on the device, in the order of the file.
    pub fn pieces(&self) -> &[Piece] {
        match &self.data {
            Data::Inline(_) => &[],
            Data::Pieces(pieces) => pieces,
        }
    }

    /// The part of the file around or after byte `at` that isn't a hole: where it begins, not
    /// before `at`, and where it ends. `None` if there is none.
    pub fn data_after(&self, at: u64) -> Option<(u64, u64)> {
        match &self.data {
            Data::Inline(_) => (at < self.size).then_some((at, self.size)),
            Data::Pieces(pieces) => {
                let first = pieces.partition_point(|piece| piece.end() <= at);
                pieces.get(first).map(|piece| (piece.at.max(at), piece.end()))
            }
        }
    }

    /// Fills `buf` with the bytes from `at` on, as far as the file goes; how many those are.
    ///
    /// # Errors
    /// As [`ReadAt::read_at`]; `device` is what the pieces are pieces of.
    pub fn read(&self, device: &dyn ReadAt, at: u64, buf: &mut [u8]) -> Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX);
        let len = left.min(buf.len());
        let buf = buf.get_mut(..len).unwrap_or_default();
        match &self.data {
            Data::Inline(bytes) => {
                let bytes = usize::try_from(at).ok().and_then(|at| bytes.get(at..));
                let bytes = bytes.and_then(|bytes| bytes.get(..len)).unwrap_or_default();
                buf.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            }
            Data::Pieces(pieces) => read_pieces(pieces, device, at, buf)?,
        }
        Ok(len)
    }
}

fn read_pieces(pieces: &[Piece], device: &dyn ReadAt, at: u64, buf: &mut [u8]) -> Result<()> {
    let end = at.saturating_add(u64::try_from(buf.len()).unwrap_or(u64::MAX));
    let first = pieces.partition_point(|piece| piece.end() <= at);
    let pieces = pieces.get(first..).unwrap_or_default();
    buf.fill(0);
    for piece in pieces.iter().take_while(|piece| piece.at < end) {
        let (from, to) = (piece.at.max(at), piece.end().min(end));
        let wrong = || ErrorKind::Truncated.at(Place::Byte(piece.position));
        let index = |place: u64| usize::try_from(place.checked_sub(at)?).ok();
        let range = index(from).zip(index(to)).map(|(from, to)| from..to);
        let part = range.and_then(|range| buf.get_mut(range)).ok_or_else(wrong)?;
        let position = piece.position.checked_add(from.saturating_sub(piece.at));
        device.read_at(position.ok_or_else(wrong)?, part)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;

    proptest! {
        #[test]
        fn reads_what_the_pieces_are(
            places in prop::collection::vec((0..20_u64, 0..90_u64, 0..20_u64), 0..8),
            size in 0..200_u64,
            at in 0..250_u64,
            len in 0..100_usize,
        ) {
            let device: Vec<u8> = (1..=120).collect();
            let mut next = 0;
            let pieces: Vec<_> = places.iter().map(|(gap, position, len)| {
                let at = next + gap;
                next = at + len;
                Piece { at, position: Bytes(*position), len: *len }
            }).collect();
            let mut file = vec![0_u8; 1000];
            for piece in &pieces {
                let from = usize::try_from(piece.position.get()).unwrap();
                for i in 0..usize::try_from(piece.len).unwrap() {
                    file[usize::try_from(piece.at).unwrap() + i] = device[from + i];
                }
            }
            file.truncate(usize::try_from(size).unwrap());
            let content = Content::new(size, pieces);
            let mut buf = vec![0xff; len];
            let read = content.read(&device, at, &mut buf).unwrap();
            let expected = file.get(usize::try_from(at).unwrap()..).unwrap_or_default();
            let expected = &expected[..expected.len().min(len)];
            prop_assert_eq!(&buf[..read], expected);
            match content.data_after(at) {
                None => prop_assert!(file.iter().skip(usize::try_from(at).unwrap()).all(|b| *b == 0)),
                Some((from, to)) => {
                    prop_assert!(at <= from && from < to && to <= size);
                    prop_assert!(file[usize::try_from(from).unwrap()] != 0);
                }
            }
        }
    }

    #[test]
    fn bytes_among_the_attributes() {
        let content = Content::inline(vec![1, 2, 3]);
        let mut buf = [0; 8];
        assert_eq!(content.read(&Vec::new(), 1, &mut buf), Ok(2));
        assert_eq!(
            (content.size(), buf[0], buf[1], content.data_after(2)),
            (3, 2, 3, Some((2, 3)))
        );
        assert_eq!(content.read(&Vec::new(), 9, &mut buf), Ok(0));
    }
}
