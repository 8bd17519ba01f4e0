//! `BLAKE2b` with a digest of 256 bits and without a key (RFC 7693), as Btrfs has it for checksums.

use crate::layout::Layout;

/// The start values of SHA-512.
const START: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// The digest's length, no key, no tree.
const PARAMETERS: u64 = 0x0101_0020;

const BLOCK: usize = 128;

/// The order of a block's words in each round; rounds 10 and 11 are as 0 and 1.
const ORDER: [[usize; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

/// The digest of `bytes`.
pub(super) fn digest(bytes: &[u8]) -> [u8; 32] {
    let mut state = START;
    if let Some(first) = state.first_mut() {
        *first ^= PARAMETERS;
    }
    let mut blocks = bytes.chunks(BLOCK).peekable();
    let mut block = [0; BLOCK];
    let mut summed = 0_u64;
    // Of nothing, too, there is one block.
    loop {
        let part = blocks.next().unwrap_or_default();
        block.fill(0);
        for (to, from) in block.iter_mut().zip(part) {
            *to = *from;
        }
        summed = summed.wrapping_add(u64::try_from(part.len()).unwrap_or_default());
        let is_last = blocks.peek().is_none();
        compress(&mut state, &block, summed, is_last);
        if is_last {
            break;
        }
    }
    let mut digest = [0; 32];
    for (to, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
        *to = word.to_le_bytes();
    }
    digest
}

fn compress(state: &mut [u64; 8], block: &[u8; BLOCK], summed: u64, is_last: bool) {
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.chunks(8)) {
        *word = Layout::<8>::new(bytes).map_or(0, Layout::u64::<0>);
    }
    let mut rows = [[0; 4]; 4];
    for (to, from) in rows.as_flattened_mut().iter_mut().zip(state.iter().chain(&START)) {
        *to = *from;
    }
    let [_, _, _, [count, _, flag, _]] = &mut rows;
    *count ^= summed;
    if is_last {
        *flag = !*flag;
    }
    for order in ORDER.iter().cycle().take(12) {
        let (columns, diagonals) = order.split_at(8);
        for (indices, turn) in [(columns, 0), (diagonals, 1)] {
            turned(&mut rows, turn, false);
            let [first, second, third, fourth] = &mut rows;
            let columns = first.iter_mut().zip(second).zip(third).zip(fourth);
            for ((((a, b), c), d), pair) in columns.zip(indices.chunks_exact(2)) {
                for (at, turns) in pair.iter().zip([(32, 24), (16, 63)]) {
                    mix([a, b, c, d], words.get(*at).copied().unwrap_or_default(), turns);
                }
            }
            turned(&mut rows, turn, true);
        }
    }
    let [first, second, third, fourth] = rows;
    let low = first.iter().chain(&second);
    for (word, (low, high)) in state.iter_mut().zip(low.zip(third.iter().chain(&fourth))) {
        *word ^= low ^ high;
    }
}

/// Turns each row so that diagonals become columns, or back.
fn turned(rows: &mut [[u64; 4]; 4], turn: usize, back: bool) {
    for (row, number) in rows.iter_mut().zip(0..4_usize) {
        let by = number.wrapping_mul(turn);
        if back { row.rotate_right(by) } else { row.rotate_left(by) }
    }
}

fn mix([a, b, c, d]: [&mut u64; 4], word: u64, (d_by, b_by): (u32, u32)) {
    *a = a.wrapping_add(*b).wrapping_add(word);
    *d = (*d ^ *a).rotate_right(d_by);
    *c = c.wrapping_add(*d);
    *b = (*b ^ *c).rotate_right(b_by);
}

#[cfg(test)]
mod tests {
    use super::digest;
    use std::string::String;
    use std::vec::Vec;

    fn hex(bytes: &[u8]) -> String {
        digest(bytes).iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
    }

    fn digit(value: u8) -> char {
        char::from_digit(value.into(), 16).unwrap()
    }

    /// Values of `b2sum -l 256` (coreutils).
    #[test]
    fn known_values() {
        let long: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for (bytes, expected) in [
            (&b""[..], "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"),
            (b"abc", "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"),
            (&long[..128], "c3582f71ebb2be66fa5dd750f80baae97554f3b015663c8be377cfcb2488c1d1"),
            (&long[..129], "f7f3c46ba2564ff4c4c162da1f5b605f9f1c4aa6a20652a9f9a337c1a2f5b9c9"),
            (&long, "c636324d47d89f2b2434dc2c994100663fbbaea880ff020fc5de89dd0f77a1ec"),
        ] {
            assert_eq!(hex(bytes), expected, "{} bytes", bytes.len());
        }
    }
}
