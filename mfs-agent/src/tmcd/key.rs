//! The one-time key by which boss knows this run of the node.

use core::fmt;

use heapless::String;

/// The shortest and the longest key, in characters.
const SHORTEST: usize = 8;
const LONGEST: usize = 64;

/// A key, of letters, digits, `_` and `-`. Who has it may speak for the node, so it is shown as `…`
/// and only sent to boss.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String<LONGEST>);

/// Why a key is none. Tells nothing of what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFault;

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be {SHORTEST} to {LONGEST} letters, digits, - and _")
    }
}

impl core::error::Error for KeyFault {}

impl Key {
    /// Checks a key.
    ///
    /// # Errors
    /// It is too short or too long, or has another character.
    pub fn new(text: &str) -> Result<Self, KeyFault> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let good = text.len() >= SHORTEST && text.bytes().all(allowed);
        let key = String::try_from(text).ok().filter(|_| good);
        key.map(Self).ok_or(KeyFault)
    }

    /// The key itself, for requests.
    pub(super) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn keys_follow_their_grammar_and_are_not_shown() {
        let longest = "x".repeat(64);
        for good in ["aZ09-_zz", "--------", &longest] {
            let key = Key::new(good).unwrap();
            assert_eq!(key.secret(), good);
            assert_eq!(format!("{key} {key:?}"), "… …");
        }
        let longer = "x".repeat(65);
        for bad in [
            "",
            "seven_7",
            &longer,
            "with blank",
            "with.dot",
            "quoted\"\"",
            "größer12",
            "1234567\n",
        ] {
            assert_eq!(Key::new(bad), Err(KeyFault), "{bad}");
        }
    }
}
