//! The small text files of `/proj/<pid>/exp/<eid>/swapinfo` that boss and nodes write for each
//! other (docs/format.md, "Swap information").
//!
//! All are words `KEY=value`. A key is a capital letter, then capital letters, digits and `_`.
//! A value is any UTF-8 text in which white space, control characters, `%` and what is not ASCII
//! are written as `%` and two hexadecimal digits per byte, so that a word is a word however it is
//! split. Readers skip words that they don't know.
//!
//! `.part` is one line in a fixed order, because programs exist that read it; `.meta` and `.status`
//! have a word per line in any order.

mod decided;
mod meta;
mod part;
mod status;
mod words;

pub use decided::Decided;
pub use meta::{Base, Meta};
pub use part::Part;
pub use status::{Phase, Status};
pub use words::decode;

use core::fmt;

/// The longest `.part` that is read, in bytes.
pub const PART_LIMIT: usize = 1024;
/// The longest `.meta` or `.status` that is read, in bytes.
pub const TEXT_LIMIT: usize = 8192;

/// Why a file is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Where, in bytes from the start of the file.
    pub at: usize,
    /// What was expected there.
    pub expected: Expected,
}

/// What a parser expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// This text.
    Text(&'static str),
    /// What the sentence says.
    Described(&'static str),
    /// A word with this key, somewhere in the file.
    Key(&'static str),
    /// No second word with this key.
    Once(&'static str),
    /// A value for this key of the form that the sentence says.
    Value(&'static str, &'static str),
    /// An end after at most so many bytes.
    AtMost(usize),
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: expected ", self.at)?;
        match self.expected {
            Expected::Text(text) => write!(f, "\"{}\"", text.escape_default()),
            Expected::Described(what) => f.write_str(what),
            Expected::Key(key) => write!(f, "a word {key}="),
            Expected::Once(key) => write!(f, "only one word {key}="),
            Expected::Value(key, what) => write!(f, "{what} as value of {key}="),
            Expected::AtMost(limit) => write!(f, "the end, as it is at most {limit} bytes long"),
        }
    }
}

impl core::error::Error for ParseError {}
