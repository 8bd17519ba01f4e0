//! Data to compress, the same in each run.

use std::vec;
use std::vec::Vec;

/// A generator of pseudo-random numbers (xorshift64*).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % bound.max(1)
    }

    /// A number below `bound` whose magnitude is evenly distributed.
    pub(crate) fn any_size_below(&mut self, bound: usize) -> usize {
        let bits = self.below(bound.max(2).ilog2() as usize + 2);
        self.below(1 << bits).min(bound.saturating_sub(1))
    }

    fn byte(&mut self, bound: usize) -> u8 {
        u8::try_from(self.below(bound)).unwrap()
    }

    /// Bytes below `bound`, all equally frequent.
    pub(crate) fn noise(&mut self, len: usize, bound: usize) -> Vec<u8> {
        (0..len).map(|_| self.byte(bound)).collect()
    }

    pub(crate) fn shuffle(&mut self, bytes: &mut [u8]) {
        for end in (1..bytes.len()).rev() {
            bytes.swap(end, self.below(end + 1));
        }
    }

    /// `len` bytes of runs, noise, few symbols, counting records, and copies of what was before,
    /// some with errors.
    pub(crate) fn structured(&mut self, len: usize) -> Vec<u8> {
        let mut data = Vec::with_capacity(len);
        while data.len() < len {
            let most = self.any_size_below(len - data.len() + 1).max(1);
            match self.below(8) {
                0 => data.extend(vec![self.byte(256); most]),
                1 => data.extend(self.noise(most, 256)),
                2 => {
                    let symbols = 1 + self.below(60);
                    data.extend(self.noise(most, symbols));
                }
                3 => {
                    let record = self.next();
                    let records = (0..most as u64).map(|n| record.wrapping_add(n * 0x100));
                    data.extend(records.flat_map(u64::to_le_bytes).take(most));
                }
                4 => {
                    // Frequencies that fall by half from symbol to symbol.
                    let steep = (0..most).map(|_| self.next().leading_zeros().to_le_bytes()[0] * 3);
                    let steep: Vec<u8> = steep.collect();
                    data.extend(steep);
                }
                _ if data.is_empty() => {}
                kind => {
                    let back = 1 + self.any_size_below(data.len().min(40_000));
                    let back = back.min(data.len());
                    for n in 0..most {
                        let byte = data[data.len() - back];
                        let wrong = kind == 7 && n % 32 == 31;
                        data.push(byte.wrapping_add(u8::from(wrong)));
                    }
                }
            }
        }
        data.truncate(len);
        data
    }
}
