//! Messages on standard error.
//!
//! The macros of std panic when a message can't be written, because nobody reads standard error
//! or its disk is full. That is no reason to end in the middle of a save: these take their place.

use std::fmt::Arguments;
use std::io::{self, Write};

macro_rules! eprint {
    ($($message:tt)*) => { $crate::say::say(format_args!($($message)*), "") };
}

macro_rules! eprintln {
    ($($message:tt)*) => { $crate::say::say(format_args!($($message)*), "\n") };
}

/// Writes a message in one piece, if somebody reads it.
pub(crate) fn say(message: Arguments<'_>, end: &str) {
    let _ = io::stderr().write_all(format!("{message}{end}").as_bytes());
}
