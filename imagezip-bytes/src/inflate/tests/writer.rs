//! Making deflate by hand.

use std::vec::Vec;

/// Writes bits as RFC 1951, 3.1.1 has it.
#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    word: u64,
    count: u32,
}

/// The order in which the lengths of the code of lengths come.
const LENGTH_ORDER: [usize; 19] =
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

impl Writer {
    /// A number, least significant bit first.
    pub(super) fn number(&mut self, value: usize, bits: u32) -> &mut Self {
        self.word |= (value as u64) << self.count;
        self.count += bits;
        while self.count >= 8 {
            self.bytes.push(self.word.to_le_bytes()[0]);
            self.word >>= 8;
            self.count -= 8;
        }
        self
    }

    /// A code, most significant bit first.
    pub(super) fn code(&mut self, (value, bits): (usize, u32)) -> &mut Self {
        for bit in (0..bits).rev() {
            self.number(value >> bit & 1, 1);
        }
        self
    }

    /// A symbol of the fixed code.
    pub(super) fn fixed(&mut self, symbol: usize) -> &mut Self {
        self.code(match symbol {
            0..=143 => (0x30 + symbol, 8),
            144..=255 => (0x190 + symbol - 144, 9),
            256..=279 => (symbol - 256, 7),
            _ => (0xc0 + symbol - 280, 8),
        })
    }

    /// The header of a block up to the lengths of so many codes of literals and distances,
    /// `lengths` being the code of these lengths.
    pub(super) fn counts(
        &mut self,
        last: bool,
        lengths: &[u32; 19],
        literals: usize,
        distances: usize,
    ) -> &mut Self {
        self.number(last.into(), 1).number(2, 2);
        self.number(literals - 257, 5).number(distances - 1, 5).number(15, 4);
        for symbol in LENGTH_ORDER {
            self.number(lengths[symbol] as usize, 3);
        }
        self
    }

    /// The header of a block with the given codes.
    pub(super) fn dynamic(&mut self, literals: &[u32], distances: &[u32]) -> &mut Self {
        self.counts(true, &ALL_LENGTHS, literals.len(), distances.len());
        let codes = codes(&ALL_LENGTHS);
        for len in literals.iter().chain(distances) {
            self.code(codes[*len as usize]);
        }
        self
    }

    /// A stored block.
    pub(super) fn stored(&mut self, last: bool, bytes: &[u8]) -> &mut Self {
        self.number(last.into(), 1).number(0, 2).align();
        self.number(bytes.len(), 16).number(!bytes.len() & 0xffff, 16);
        self.bytes.extend(bytes);
        self
    }

    pub(super) fn align(&mut self) -> &mut Self {
        self.number(0, (8 - self.count % 8) % 8)
    }

    pub(super) fn finish(&mut self) -> Vec<u8> {
        self.align();
        core::mem::take(&mut self.bytes)
    }
}

/// The canonical code of the given lengths (RFC 1951, 3.2.2).
pub(super) fn codes(lens: &[u32]) -> Vec<(usize, u32)> {
    let mut next = [0_usize; 17];
    for bits in 1..16_u32 {
        let count = lens.iter().filter(|len| **len == bits).count();
        next[bits as usize + 1] = (next[bits as usize] + count) << 1;
    }
    let code = |len: &u32| {
        let code = next[*len as usize];
        next[*len as usize] += 1;
        (code, *len)
    };
    lens.iter().map(code).collect()
}

/// A code of lengths that has them all.
const ALL_LENGTHS: [u32; 19] = [4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5];
