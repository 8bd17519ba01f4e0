//! Huffman codes, against the textbook's way to make them.

use super::super::huffman::{LONGEST, LONGEST_LENGTH, code_lengths, codes};
use super::*;
use proptest::prelude::*;

fn lengths(frequencies: &[u32], longest: u32) -> Vec<u8> {
    let mut lengths = vec![0xff; frequencies.len()];
    code_lengths(frequencies, longest, &mut lengths);
    lengths
}

fn total(frequencies: &[u32], lengths: &[u8]) -> u64 {
    frequencies.iter().zip(lengths).map(|(n, length)| u64::from(*n) * u64::from(*length)).sum()
}

/// The total of the best code without a limit: the sum of the weights of all inner nodes.
fn best_total(frequencies: &[u32]) -> u64 {
    let mut weights: Vec<u64> =
        frequencies.iter().filter(|n| **n > 0).map(|n| u64::from(*n)).collect();
    let mut total = 0;
    while weights.len() > 1 {
        weights.sort_unstable_by(|one, other| other.cmp(one));
        let node = weights.pop().unwrap() + weights.pop().unwrap();
        weights.push(node);
        total += node;
    }
    total
}

/// The total of the best code that keeps within the limit, by package-merge.
fn best_limited_total(frequencies: &[u32], longest: u32) -> u64 {
    let mut leaves: Vec<u64> =
        frequencies.iter().filter(|n| **n > 0).map(|n| u64::from(*n)).collect();
    leaves.sort_unstable();
    let mut level = leaves.clone();
    for _ in 1..longest {
        let pairs = level.chunks_exact(2).map(|pair| pair[0] + pair[1]);
        let mut merged: Vec<u64> = pairs.chain(leaves.iter().copied()).collect();
        merged.sort_unstable();
        level = merged;
    }
    level.iter().take(2 * leaves.len() - 2).sum()
}

fn check_code(frequencies: &[u32], longest: u32) {
    let lengths = lengths(frequencies, longest);
    let used = frequencies.iter().filter(|n| **n > 0).count();
    for (n, length) in frequencies.iter().zip(&lengths) {
        assert_eq!(*n > 0, *length > 0);
        assert!(u32::from(*length) <= longest);
    }
    if used < 2 {
        assert_eq!(lengths.iter().map(|length| usize::from(*length)).sum::<usize>(), used);
        return;
    }
    let share =
        |length: &u8| if *length == 0 { 0 } else { 1_u64 << (longest - u32::from(*length)) };
    assert_eq!(lengths.iter().map(share).sum::<u64>(), 1 << longest, "not complete");
    let total = total(frequencies, &lengths);
    let best = best_limited_total(frequencies, longest);
    if best == best_total(frequencies) {
        assert_eq!(total, best, "not the best code");
    } else {
        assert!(total >= best && total <= best + best / 16, "{total} instead of {best}");
    }
}

proptest! {
    #[test]
    fn codes_are_complete_and_good(
        frequencies in prop::collection::vec((0..16_u32, any::<u32>()), 1..286),
    ) {
        // Small numbers are as frequent as large ones.
        let frequencies: Vec<u32> =
            frequencies.iter().map(|(bits, n)| n % (1 << bits)).collect();
        check_code(&frequencies, LONGEST);
    }

    #[test]
    fn short_codes_are_complete_and_good(
        frequencies in prop::collection::vec((0..9_u32, any::<u32>()), 19),
    ) {
        let frequencies: Vec<u32> =
            frequencies.iter().map(|(bits, n)| n % (1 << bits)).collect();
        check_code(&frequencies, LONGEST_LENGTH);
    }
}

#[test]
fn the_steepest_frequencies() {
    for (symbols, longest) in [(24, LONGEST), (16, LONGEST), (17, LONGEST), (12, LONGEST_LENGTH)] {
        let mut frequencies = vec![1_u32, 1];
        while frequencies.len() < symbols {
            frequencies.push(frequencies.iter().rev().take(2).sum());
        }
        check_code(&frequencies, longest);
        frequencies.reverse();
        check_code(&frequencies, longest);
    }
    for symbols in 0..4 {
        check_code(&vec![1; symbols], LONGEST);
    }
    check_code(&[1; 286], LONGEST);
}

/// The example of RFC 1951, 3.2.2.
#[test]
fn codes_are_canonical() {
    let mut table = [0; 8];
    codes(&[3, 3, 3, 3, 3, 2, 4, 4], &mut table);
    let expected = [0b010, 0b110, 0b001, 0b101, 0b011, 0b00, 0b0111, 0b1111];
    assert_eq!(table, expected);
}
