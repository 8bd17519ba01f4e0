//! Writing blocks (RFC 1951, 3.2.3 to 3.2.7).

use super::bits::BitWriter;
use super::huffman::{LONGEST, LONGEST_LENGTH, code_lengths, codes};
use super::split::hopeless;
use super::token::{
    Counts, DISTANCES, END_OF_BLOCK, LITLENS, NO_DISTANCE, Token, distance_extra_bits,
    length_extra_bits, length_symbol,
};

/// The most data in a stored block: whole sectors, so that the data can be cut after any of them.
pub(super) const STORED_MAX: usize = 65_024;

/// The bytes before the data of a stored block that begins at a byte's bound.
pub(super) const STORED_HEADER: usize = 5;

/// The order in which the lengths of the code-length code are written.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Writes at most [`STORED_MAX`] bytes as a stored block.
pub(super) fn store(out: &mut BitWriter<'_>, data: &[u8]) {
    out.put(0, 3);
    out.align();
    let len = u16::try_from(data.len()).unwrap_or(u16::MAX);
    out.bytes(&len.to_le_bytes());
    out.bytes(&(!len).to_le_bytes());
    out.bytes(data);
}

/// The code lengths of a block's two codes.
struct Lengths {
    litlen: [u8; LITLENS],
    distance: [u8; DISTANCES],
}

impl Lengths {
    /// The codes that a block of the fixed type has.
    #[expect(clippy::indexing_slicing, reason = "it is a constant")]
    const FIXED: Self = {
        let mut litlen = [8; LITLENS];
        let mut symbol = 144;
        while symbol < 280 {
            litlen[symbol] = if symbol < 256 { 9 } else { 7 };
            symbol += 1;
        }
        Self { litlen, distance: [5; DISTANCES] }
    };

    /// The best codes for these counts.
    fn of(counts: &Counts) -> Self {
        let mut lengths = Self { litlen: [0; LITLENS], distance: [0; DISTANCES] };
        code_lengths(&counts.litlen, LONGEST, &mut lengths.litlen);
        code_lengths(&counts.distance, LONGEST, &mut lengths.distance);
        lengths
    }

    /// The bits that the codes of so many symbols take.
    fn bits(&self, counts: &Counts) -> u64 {
        let bits = |sum: u64, (length, count): (&u8, &u32)| {
            sum.wrapping_add(u64::from(*length).wrapping_mul(u64::from(*count)))
        };
        let litlens = self.litlen.iter().zip(&counts.litlen).fold(0, bits);
        self.distance.iter().zip(&counts.distance).fold(litlens, bits)
    }
}

/// The bits that lengths and distances need besides their codes.
pub(super) fn extra_bits(counts: &Counts) -> u64 {
    let bits = |sum: u64, (extra, count): (u32, &u32)| {
        sum.wrapping_add(u64::from(extra).wrapping_mul(u64::from(*count)))
    };
    let lengths = (0..).zip(&counts.litlen);
    let lengths = lengths.map(|(symbol, n)| (length_extra_bits(symbol), n)).fold(0, bits);
    let distances = (0..).zip(&counts.distance);
    distances.map(|(symbol, n)| (distance_extra_bits(symbol), n)).fold(lengths, bits)
}

/// A block of the fixed or of the dynamic type, whichever takes less.
pub(super) struct Block {
    lengths: Lengths,
    /// `None` if the codes are the fixed ones.
    header: Option<Header>,
    /// The bits of the tokens and of the end.
    bits: u64,
}

impl Block {
    /// The best block for tokens with these counts (the end of the block among them), unless it
    /// takes `limit` bits or more.
    pub(super) fn new(counts: &Counts, limit: u64) -> Option<Self> {
        if hopeless(counts, limit) {
            return None;
        }
        let lengths = Lengths::of(counts);
        let header = Header::of(&lengths);
        let extra = extra_bits(counts);
        let dynamic = lengths.bits(counts).wrapping_add(extra);
        let fixed = Lengths::FIXED.bits(counts).wrapping_add(extra);
        let with_header = dynamic.wrapping_add(header.bits());
        if fixed.min(with_header).wrapping_add(3) >= limit {
            None
        } else if fixed <= with_header {
            Some(Self { lengths: Lengths::FIXED, header: None, bits: fixed })
        } else {
            Some(Self { lengths, header: Some(header), bits: dynamic })
        }
    }

    /// Writes the block with `tokens`, which have the counts that it was made for.
    pub(super) fn write(&self, out: &mut BitWriter<'_>, tokens: &[Token]) {
        if let Some(header) = &self.header {
            out.put(0b100, 3);
            header.write(out);
        } else {
            out.put(0b010, 3);
        }
        write_tokens(out, tokens, &self.lengths, self.bits);
    }
}

/// What stands before the data of a block of the dynamic type: the two codes, by their lengths.
struct Header {
    /// Code lengths and repetitions: the symbol, and its extra bits.
    symbols: [(u8, u8); LITLENS + DISTANCES],
    used: usize,
    counts: [u32; 19],
    /// The code for these symbols.
    lengths: [u8; 19],
    litlens: usize,
    distances: usize,
    order: usize,
}

impl Header {
    fn of(code: &Lengths) -> Self {
        let needed = |lengths: &[u8], least: usize| {
            lengths
                .iter()
                .rposition(|length| *length > 0)
                .map_or(0, |last| last.wrapping_add(1))
                .max(least)
        };
        let mut header = Self {
            symbols: [(0, 0); LITLENS + DISTANCES],
            used: 0,
            counts: [0; 19],
            lengths: [0; 19],
            litlens: needed(&code.litlen, 257),
            distances: needed(&code.distance, 1),
            order: 0,
        };
        let mut all = [0_u8; LITLENS + DISTANCES];
        let litlens = code.litlen.iter().take(header.litlens);
        let distances = code.distance.iter().take(header.distances);
        let total = header.litlens.wrapping_add(header.distances);
        for (place, length) in all.iter_mut().zip(litlens.chain(distances)) {
            *place = *length;
        }
        let all = all.get(..total).unwrap_or_default();
        for run in all.chunk_by(|one, next| one == next) {
            header.add_run(run.first().copied().unwrap_or_default(), run.len());
        }
        code_lengths(&header.counts, LONGEST_LENGTH, &mut header.lengths);
        let last = ORDER
            .iter()
            .rposition(|symbol| header.lengths.get(*symbol).is_some_and(|length| *length > 0));
        header.order = last.map_or(0, |last| last.wrapping_add(1)).max(4);
        header
    }

    /// Adds `run` times the same length.
    fn add_run(&mut self, length: u8, mut run: usize) {
        if length == 0 {
            while run >= 11 {
                let n = run.min(138);
                self.add(18, n.wrapping_sub(11));
                run = run.wrapping_sub(n);
            }
            if run >= 3 {
                self.add(17, run.wrapping_sub(3));
                run = 0;
            }
        } else if run >= 4 {
            self.add(length, 0);
            run = run.wrapping_sub(1);
            while run >= 3 {
                let n = run.min(6);
                self.add(16, n.wrapping_sub(3));
                run = run.wrapping_sub(n);
            }
        }
        for _ in 0..run {
            self.add(length, 0);
        }
    }

    fn add(&mut self, symbol: u8, extra: usize) {
        if let Some(place) = self.symbols.get_mut(self.used) {
            *place = (symbol, u8::try_from(extra).unwrap_or_default());
            self.used = self.used.wrapping_add(1);
        }
        if let Some(count) = self.counts.get_mut(usize::from(symbol)) {
            *count = count.wrapping_add(1);
        }
    }

    /// The extra bits of a symbol.
    const fn extra_bits(symbol: usize) -> u32 {
        match symbol {
            16 => 2,
            17 => 3,
            18 => 7,
            _ => 0,
        }
    }

    fn bits(&self) -> u64 {
        let symbols = self.lengths.iter().zip(&self.counts).enumerate();
        let symbols = symbols.fold(0_u32, |sum, (symbol, (length, count))| {
            let each = u32::from(*length).wrapping_add(Self::extra_bits(symbol));
            sum.wrapping_add(each.wrapping_mul(*count))
        });
        (self.order as u64).wrapping_mul(3).wrapping_add(14).wrapping_add(u64::from(symbols))
    }

    fn write(&self, out: &mut BitWriter<'_>) {
        out.put(self.litlens.wrapping_sub(257) as u64, 5);
        out.put(self.distances.wrapping_sub(1) as u64, 5);
        out.put(self.order.wrapping_sub(4) as u64, 4);
        for symbol in ORDER.iter().take(self.order) {
            out.put(u64::from(self.lengths.get(*symbol).copied().unwrap_or_default()), 3);
        }
        let mut table = [0; 19];
        codes(&self.lengths, &mut table);
        for (symbol, extra) in self.symbols.iter().take(self.used) {
            let symbol = usize::from(*symbol);
            let length = u32::from(self.lengths.get(symbol).copied().unwrap_or_default());
            out.put(u64::from(table.get(symbol).copied().unwrap_or_default()), length);
            out.put(u64::from(*extra), Self::extra_bits(symbol));
        }
    }
}

/// Writes `tokens` and the end of the block, which take `bits` bits.
fn write_tokens(out: &mut BitWriter<'_>, tokens: &[Token], lengths: &Lengths, bits: u64) {
    let mut litlen_codes = [0; LITLENS];
    codes(&lengths.litlen, &mut litlen_codes);
    let mut distance_codes = [0; DISTANCES];
    codes(&lengths.distance, &mut distance_codes);
    let litlen = |symbol: usize| {
        let code = litlen_codes.get(symbol).copied().unwrap_or_default();
        let length = lengths.litlen.get(symbol).copied().unwrap_or_default();
        (u32::from(code), u32::from(length))
    };

    // By `Token::litlen`: the code with the length's extra bits << 5 | the number of both.
    let mut litlens = [0_u32; 512];
    let (literals, matches) = litlens.split_at_mut(256);
    for (literal, place) in literals.iter_mut().enumerate() {
        let (code, length) = litlen(literal);
        *place = code << 5 | length;
    }
    for (over, place) in (0..).zip(matches) {
        let (symbol, extra_bits, extra) = length_symbol(over);
        let (code, length) = litlen(symbol as usize);
        *place = (code | extra.wrapping_shl(length)) << 5 | length.wrapping_add(extra_bits);
    }
    // By `Token::distance`: code << 16 | bits with the extra bits << 8 | bits of the code.
    let mut distances = [0_u32; 32];
    for (symbol, (place, code)) in (0..NO_DISTANCE).zip(distances.iter_mut().zip(distance_codes)) {
        let length = u32::from(lengths.distance.get(symbol as usize).copied().unwrap_or_default());
        let total = length.wrapping_add(distance_extra_bits(symbol));
        *place = u32::from(code) << 16 | total << 8 | length;
    }
    debug_assert_eq!(distances.get(NO_DISTANCE as usize), Some(&0));

    out.put_all(
        bits,
        tokens.iter().map(|token| {
            let first = litlens.get(token.litlen()).copied().unwrap_or_default();
            let second = distances.get(token.distance()).copied().unwrap_or_default();
            let distance = u64::from(second >> 16) | token.extra().wrapping_shl(second & 0xff);
            let code = u64::from(first >> 5) | distance.wrapping_shl(first & 31);
            (code, (first & 31).wrapping_add(second >> 8 & 0xff))
        }),
    );
    let (code, length) = litlen(END_OF_BLOCK);
    out.put(u64::from(code), length);
}
