//! Fixtures of tests: disks as the output of `od -A x -t x1`, a text format without zeros.

use alloc::vec;
use alloc::vec::Vec;

/// The bytes of which `text` is the dump.
pub(crate) fn parse(text: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> = vec![];
    let mut last = vec![];
    for line in text.lines().filter(|line| *line != "*") {
        let mut words = line.split_whitespace();
        let at = usize::from_str_radix(words.next().unwrap(), 16).unwrap();
        // A line with only "*" stands for repetitions of the line before.
        while bytes.len() < at {
            bytes.extend_from_slice(&last);
        }
        last = words.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        bytes.extend_from_slice(&last);
    }
    bytes
}
