//! What was decided about each partition when a disk was saved, in its `.meta`.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::words::{Encoded, Words};
use super::{Expected, ParseError};

/// So many bytes of a `.meta` are for this; other words need less than the rest of
/// [`super::TEXT_LIMIT`].
const LIMIT: usize = 4096;

const KEY: &str = "MAP";

/// What was decided about a partition, or about a part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// The partition's number, or `disk`; after it `/` and the part's name. There is no comma in it.
    pub name: String,
    /// How many sectors of 512 bytes it has.
    pub sectors: u64,
    /// How many of them are in use.
    pub in_use: u64,
    /// What was decided, in words: `aware(ext4)`.
    pub verdict: String,
}

/// Reads the words `MAP1`, `MAP2` and so on, to the first that is not there.
pub(super) fn read(words: &Words<'_>) -> Result<Vec<Decided>, ParseError> {
    let mut found = Vec::new();
    for number in 1..=LIMIT {
        let Some(word) = words.numbered(KEY, number)? else { break };
        let text = word.text(KEY)?;
        let expected = Expected::Value(KEY, "name, sectors, sectors in use and verdict");
        let error = ParseError { at: word.value_at(), expected };
        found.push(Decided::parse(&text).ok_or(error)?);
    }
    Ok(found)
}

/// Writes the words, a line each, as far as there is room.
pub(super) fn write(decided: &[Decided], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut left = LIMIT;
    for (number, one) in (1_usize..).zip(decided) {
        let line = format!("{KEY}{number}={}\n", Encoded(&one.to_string()));
        let Some(rest) = left.checked_sub(line.len()) else { break };
        left = rest;
        f.write_str(&line)?;
    }
    Ok(())
}

impl Decided {
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.splitn(4, ',');
        Some(Self {
            name: fields.next()?.to_string(),
            sectors: fields.next()?.parse().ok()?,
            in_use: fields.next()?.parse().ok()?,
            verdict: fields.next()?.to_string(),
        })
    }
}

impl fmt::Display for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{},{}", self.name, self.sectors, self.in_use, self.verdict)
    }
}
