//! What stands before a block's data (RFC 1951, 3.2.3 to 3.2.7).

use super::Fault;
use super::bits::Bits;
use super::entry::{DISTANCE_SYMBOLS, LENGTH_SYMBOLS, LITERAL_SYMBOLS};
use super::table::{DistanceTable, LengthTable, LiteralTable, Rule};

/// The tables of a block's codes.
pub(super) struct Tables {
    pub(super) literals: LiteralTable,
    pub(super) distances: DistanceTable,
    lengths: LengthTable,
    /// They are those of the fixed codes.
    fixed: bool,
}

/// What a block consists of.
pub(super) enum BlockType {
    /// So many bytes, which begin here.
    Stored(usize),
    /// Symbols.
    Codes,
}

/// The order in which the lengths of the code of lengths come.
const LENGTH_ORDER: [usize; 19] =
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

impl Tables {
    pub(super) const fn new() -> Self {
        Self {
            literals: LiteralTable::new(),
            distances: DistanceTable::new(),
            lengths: LengthTable::new(),
            fixed: false,
        }
    }

    /// Makes them those of the fixed codes (RFC 1951, 3.2.6).
    fn become_fixed(&mut self) -> Result<(), Fault> {
        if self.fixed {
            return Ok(());
        }
        let mut lens = [8; 288];
        lens.iter_mut().take(256).skip(144).for_each(|len| *len = 9);
        lens.iter_mut().take(280).skip(256).for_each(|len| *len = 7);
        self.literals.build(&lens, &LITERAL_SYMBOLS, Rule::Complete)?;
        self.distances.build(&[5; 32], &DISTANCE_SYMBOLS, Rule::Complete)?;
        self.fixed = true;
        Ok(())
    }

    /// Makes them those whose lengths follow (RFC 1951, 3.2.7).
    fn become_dynamic(&mut self, bits: &mut Bits<'_>) -> Result<(), Fault> {
        bits.refill();
        let literals = 257_usize.saturating_add(bits.take(5).into());
        let distances = 1_usize.saturating_add(bits.take(5).into());
        let lengths = 4_usize.saturating_add(bits.take(4).into());
        if literals > 286 || distances > 30 {
            return fault(bits);
        }
        self.fixed = false;
        let mut lens = [0; 19];
        for place in LENGTH_ORDER.into_iter().take(lengths) {
            bits.refill();
            let [len, _] = bits.take(3).to_le_bytes();
            if let Some(to) = lens.get_mut(place) {
                *to = len;
            }
        }
        self.lengths.build(&lens, &LENGTH_SYMBOLS, Rule::Complete).or_else(|_| fault(bits))?;
        let mut lens = [0; 286 + 30];
        let lens = lens.get_mut(..literals.saturating_add(distances)).unwrap_or_default();
        self.read_lens(bits, lens)?;
        let (of_literals, of_distances) = lens.split_at_checked(literals).ok_or(Fault::Code)?;
        // A block without an end is refused even if it could be left by the stream's end.
        if of_literals.get(256) == Some(&0) {
            return fault(bits);
        }
        self.literals
            .build(of_literals, &LITERAL_SYMBOLS, Rule::OneSymbol)
            .and_then(|()| self.distances.build(of_distances, &DISTANCE_SYMBOLS, Rule::Few))
            .or_else(|_| fault(bits))
    }

    /// Reads the lengths of codes; repetitions may go from the literals' into the distances'.
    fn read_lens(&self, bits: &mut Bits<'_>, lens: &mut [u8]) -> Result<(), Fault> {
        let mut at = 0_usize;
        let mut before = None;
        while at < lens.len() {
            bits.refill();
            let entry = self.lengths.first(bits.peek());
            let symbol = entry.value(bits.peek());
            bits.skip(entry.bits());
            let (len, count) = match symbol {
                16 => (before, 3_u16.saturating_add(bits.take(2))),
                17 => (Some(0), 3_u16.saturating_add(bits.take(3))),
                18 => (Some(0), 11_u16.saturating_add(bits.take(7))),
                _ => (u8::try_from(symbol).ok(), 1),
            };
            let end = at.saturating_add(count.into());
            let (Some(len), Some(places)) = (len, lens.get_mut(at..end)) else {
                return fault(bits);
            };
            places.fill(len);
            before = Some(len);
            at = end;
        }
        Ok(())
    }
}

/// Reads a block's header: whether it is the last one, and what it consists of.
pub(super) fn read(bits: &mut Bits<'_>, tables: &mut Tables) -> Result<(bool, BlockType), Fault> {
    bits.refill();
    let last = bits.take(1) == 1;
    let block_type = match bits.take(2) {
        0 => {
            bits.align();
            let (len, complement) = (bits.take(16), bits.take(16));
            if len != !complement {
                return fault(bits);
            }
            BlockType::Stored(len.into())
        }
        1 => {
            tables.become_fixed()?;
            BlockType::Codes
        }
        2 => {
            tables.become_dynamic(bits)?;
            BlockType::Codes
        }
        _ => return fault(bits),
    };
    if bits.exhausted() { Err(Fault::Short) } else { Ok((last, block_type)) }
}

/// What is wrong where the bits taken make no sense: if some of them weren't there, only that.
#[cold]
pub(super) fn fault<T>(bits: &Bits<'_>) -> Result<T, Fault> {
    Err(if bits.exhausted() { Fault::Short } else { Fault::Code })
}
