//! Canonical Huffman codes of limited length (RFC 1951, 3.2.2).

use super::token::LITLENS;

/// The longest code of literals, lengths and distances, and of code lengths.
pub(super) const LONGEST: u32 = 15;
pub(super) const LONGEST_LENGTH: u32 = 7;

/// Finds the code lengths for symbols of these frequencies: none longer than `longest`, 0 for what
/// doesn't occur. Where only one symbol occurs, it gets one bit.
///
/// Without the limit, the lengths are the best ones: the symbols are sorted, and Moffat and
/// Katajainen's method ("In-place calculation of minimum-redundancy codes", 1995) builds the tree
/// in the sorted array itself. Codes above the limit are rare and weigh little then, so they are
/// cut down to it, and the space for that is taken from the codes for which that costs least.
pub(super) fn code_lengths(frequencies: &[u32], longest: u32, lengths: &mut [u8]) {
    lengths.fill(0);
    // Frequency and symbol in one word sort fastest.
    let mut sorted = [0_u32; LITLENS];
    let mut n = 0_usize;
    for (symbol, frequency) in (0_u32..).zip(frequencies) {
        if *frequency > 0
            && let Some(place) = sorted.get_mut(n)
        {
            *place = frequency << 9 | symbol;
            n = n.wrapping_add(1);
        }
    }
    let sorted = sorted.get_mut(..n).unwrap_or_default();
    sorted.sort_unstable();

    let mut tree = [0_u32; LITLENS];
    let tree = tree.get_mut(..n).unwrap_or_default();
    for (node, word) in tree.iter_mut().zip(sorted.iter()) {
        *node = word >> 9;
    }
    let mut counts = depths(tree);
    limit(&mut counts, longest);

    // The rarest symbols come first and get the longest codes.
    let mut words = sorted.iter();
    for (length, count) in (0_u8..32).zip(counts).rev() {
        for word in words.by_ref().take(count as usize) {
            if let Some(place) = lengths.get_mut((word & 511) as usize) {
                *place = length;
            }
        }
    }
}

/// How many codes of each length a set of codes has. A tree of 2^16 tokens isn't deeper than 23:
/// its frequencies would have to grow like the Fibonacci numbers.
type LengthCounts = [u32; 32];

/// Turns the ascending frequencies in `tree` into the numbers of leaves at each depth.
#[expect(clippy::indexing_slicing, reason = "all indices are below that of the loop")]
fn depths(tree: &mut [u32]) -> LengthCounts {
    let mut counts = [0; 32];
    let n = tree.len();
    match n {
        0 => return counts,
        1 => {
            counts[1] = 1;
            return counts;
        }
        _ => {}
    }
    // An internal node takes the place of a leaf that has been used, and holds its weight until
    // its parent is known, then the parent's index.
    let (mut root, mut leaf) = (0_usize, 0_usize);
    for next in 0..n.wrapping_sub(1) {
        let mut weight = 0_u32;
        for _ in 0..2 {
            if leaf >= n || (root < next && tree[root] < tree[leaf]) {
                weight = weight.wrapping_add(tree[root]);
                #[expect(clippy::cast_possible_truncation, reason = "there are few symbols")]
                let parent = next as u32;
                tree[root] = parent;
                root = root.wrapping_add(1);
            } else {
                weight = weight.wrapping_add(tree[leaf]);
                leaf = leaf.wrapping_add(1);
            }
        }
        tree[next] = weight;
    }
    // From the root down: the depth of each internal node, and so the number of leaves at each.
    let root = n.wrapping_sub(2);
    tree[root] = 0;
    let mut internal = [0_u32; 32];
    internal[0] = 1;
    for node in (0..root).rev() {
        let parent = tree[node] as usize;
        let depth = tree[parent].wrapping_add(1).min(31);
        tree[node] = depth;
        let place = &mut internal[depth as usize];
        *place = place.wrapping_add(1);
    }
    // Every internal node has two children.
    for depth in 0..31_usize {
        let below = depth.wrapping_add(1);
        counts[below] = internal[depth].wrapping_mul(2).wrapping_sub(internal[below]);
    }
    counts
}

/// Shortens what is longer than `longest` and makes room for it: the sum of 2^−length stays 1.
fn limit(counts: &mut LengthCounts, longest: u32) {
    let (within, above) = counts.split_at_mut((longest as usize).saturating_add(1));
    let cut = above.iter_mut().fold(0_u32, |sum, count| sum.wrapping_add(core::mem::take(count)));
    let Some((last, shorter)) = within.split_last_mut() else { return };
    if cut == 0 {
        return;
    }
    *last = last.wrapping_add(cut);
    // In units of the longest code's share.
    let mut excess = 0_u32;
    for count in shorter.iter().chain([&*last]) {
        excess = excess.wrapping_mul(2).wrapping_add(*count);
    }
    let mut excess = excess.wrapping_sub(1_u32.wrapping_shl(longest));
    while excess > 0 {
        // A code becomes one bit longer and takes one of the longest as its neighbour, whose
        // place becomes free.
        *last = last.wrapping_sub(1);
        let Some(from) = shorter.iter().rposition(|count| *count > 0) else { return };
        if let Some(count) = shorter.get_mut(from) {
            *count = count.wrapping_sub(1);
        }
        match shorter.get_mut(from.wrapping_add(1)) {
            Some(count) => *count = count.wrapping_add(2),
            None => *last = last.wrapping_add(2),
        }
        excess = excess.wrapping_sub(1);
    }
}

/// Finds the codes of these lengths, each with its first bit lowest, as they are written.
pub(super) fn codes(lengths: &[u8], codes: &mut [u16]) {
    let mut next = [0_u16; LONGEST as usize + 1];
    let mut counts = [0_u16; LONGEST as usize + 1];
    for length in lengths {
        if let Some(count) = counts.get_mut(usize::from(*length)) {
            *count = count.wrapping_add(1);
        }
    }
    counts[0] = 0;
    let mut code = 0_u16;
    for (first, count) in next.iter_mut().skip(1).zip(&counts) {
        code = code.wrapping_add(*count) << 1;
        *first = code;
    }
    for (place, length) in codes.iter_mut().zip(lengths) {
        if let Some(next) = next.get_mut(usize::from(*length)) {
            *place = next.reverse_bits().wrapping_shr(16_u32.wrapping_sub(u32::from(*length)));
            *next = next.wrapping_add(1);
        }
    }
}
