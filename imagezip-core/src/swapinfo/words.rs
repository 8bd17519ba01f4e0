//! Words `KEY=value` and their encoding.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::{Expected, ParseError};

/// A word and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Word<'a> {
    /// Where the key begins, in bytes from the start of the file.
    pub(super) at: usize,
    pub(super) key: &'a [u8],
    value: &'a [u8],
}

impl<'a> Word<'a> {
    /// Takes apart a word that begins `at` bytes into the file.
    pub(super) fn new(at: usize, text: &'a [u8]) -> Result<Self, ParseError> {
        let expected = Expected::Described("a word KEY=value");
        let length =
            text.iter().position(|&byte| byte == b'=').ok_or(ParseError { at, expected })?;
        let (key, value) = text.split_at_checked(length).unwrap_or_default();
        if !key.first().is_some_and(u8::is_ascii_uppercase) {
            return Err(ParseError { at, expected });
        }
        let allowed =
            |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
        if let Some(bad) = key.iter().position(|byte| !allowed(byte)) {
            return Err(ParseError { at: at.saturating_add(bad), expected });
        }
        Ok(Self { at, key, value: value.get(1..).unwrap_or_default() })
    }

    /// Where the value begins.
    pub(super) fn value_at(&self) -> usize {
        self.at.saturating_add(self.key.len()).saturating_add(1)
    }

    /// The value as text, decoded.
    pub(super) fn text(&self, key: &'static str) -> Result<String, ParseError> {
        decode(self.value).ok_or(ParseError {
            at: self.value_at(),
            expected: Expected::Value(key, "text with %-encoded special characters"),
        })
    }

    /// The value as a decimal number.
    pub(super) fn number<T: FromStr>(&self, key: &'static str) -> Result<T, ParseError> {
        let digits = !self.value.is_empty() && self.value.iter().all(u8::is_ascii_digit);
        core::str::from_utf8(self.value)
            .ok()
            .filter(|_| digits)
            .and_then(|text| text.parse().ok())
            .ok_or(ParseError {
                at: self.value_at(),
                expected: Expected::Value(key, "a decimal number in its range"),
            })
    }

    /// The value as hexadecimal bytes.
    pub(super) fn digest<const N: usize>(&self, key: &'static str) -> Result<[u8; N], ParseError> {
        let mut bytes = [0; N];
        let mut pairs = self.value.chunks_exact(2);
        let mut good = self.value.len() == N.saturating_mul(2);
        for (byte, pair) in bytes.iter_mut().zip(&mut pairs) {
            match hex_pair(pair) {
                Some(value) => *byte = value,
                None => good = false,
            }
        }
        good.then_some(bytes).ok_or(ParseError {
            at: self.value_at(),
            expected: Expected::Value(key, "hexadecimal digits, two for each byte,"),
        })
    }
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    }
}

/// The text that an encoded value stands for; `None` if it isn't encoded right.
pub fn decode(value: &[u8]) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = value;
    while let [first, tail @ ..] = rest {
        match first {
            b'%' => {
                bytes.push(hex_pair(tail.get(..2)?)?);
                rest = tail.get(2..)?;
            }
            b'!'..=b'~' => {
                bytes.push(*first);
                rest = tail;
            }
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

/// Shows text encoded as a value.
pub(super) struct Encoded<'a>(pub(super) &'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'%' => f.write_str("%25"),
            b'!'..=b'~' => write!(f, "{}", char::from(byte)),
            _ => write!(f, "%{byte:02X}"),
        })
    }
}

/// Shows bytes in hexadecimal.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The words of a file, in any order.
pub(super) struct Words<'a> {
    words: Vec<Word<'a>>,
    end: usize,
}

impl<'a> Words<'a> {
    /// Takes apart a file of at most [`super::TEXT_LIMIT`] bytes.
    pub(super) fn new(text: &'a [u8]) -> Result<Self, ParseError> {
        let limit = super::TEXT_LIMIT;
        if text.len() > limit {
            return Err(ParseError { at: limit, expected: Expected::AtMost(limit) });
        }
        let mut words = Vec::new();
        let mut at = 0_usize;
        for piece in text.split(u8::is_ascii_whitespace) {
            if !piece.is_empty() {
                words.push(Word::new(at, piece)?);
            }
            at = at.saturating_add(piece.len()).saturating_add(1);
        }
        Ok(Self { words, end: text.len() })
    }

    /// The word with this key, if there is one.
    pub(super) fn find(&self, key: &'static str) -> Result<Option<Word<'a>>, ParseError> {
        self.only(key.as_bytes(), key)
    }

    /// The word whose key is `prefix` and a number, if there is one.
    pub(super) fn numbered(
        &self,
        prefix: &'static str,
        number: usize,
    ) -> Result<Option<Word<'a>>, ParseError> {
        self.only(format!("{prefix}{number}").as_bytes(), prefix)
    }

    /// The word with this key, which errors call `name`.
    fn only(&self, key: &[u8], name: &'static str) -> Result<Option<Word<'a>>, ParseError> {
        let mut found = self.words.iter().filter(|word| word.key == key);
        let first = found.next().copied();
        match found.next() {
            Some(second) => Err(ParseError { at: second.at, expected: Expected::Once(name) }),
            None => Ok(first),
        }
    }

    /// The word with this key.
    pub(super) fn get(&self, key: &'static str) -> Result<Word<'a>, ParseError> {
        self.find(key)?.ok_or(ParseError { at: self.end, expected: Expected::Key(key) })
    }

    pub(super) fn text(&self, key: &'static str) -> Result<String, ParseError> {
        self.get(key)?.text(key)
    }

    pub(super) fn number<T: FromStr>(&self, key: &'static str) -> Result<T, ParseError> {
        self.get(key)?.number(key)
    }

    pub(super) fn digest<const N: usize>(&self, key: &'static str) -> Result<[u8; N], ParseError> {
        self.get(key)?.digest(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn values_hold_no_white_space() {
        assert_eq!(Encoded("a b\n100% ü").to_string(), "a%20b%0A100%25%20%C3%BC");
        assert_eq!(decode(b"a%20b%0a").unwrap(), "a b\n");
        for bad in ["a b", "%", "%2", "%2x", "%ff", "a\u{7f}"] {
            assert_eq!(decode(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn twice_is_once_too_often() {
        let words = Words::new(b"A=1 B=2\nA=3\n").unwrap();
        assert_eq!(words.number::<u8>("B"), Ok(2));
        let error = words.number::<u8>("A").unwrap_err();
        assert_eq!(error, ParseError { at: 8, expected: Expected::Once("A") });
        assert_eq!(error.to_string(), "at byte 8: expected only one word A=");
        assert_eq!(words.text("C").unwrap_err().at, 12);
    }

    #[test]
    fn numbers_are_digits_and_nothing_else() {
        for bad in ["A=", "A=+1", "A=-1", "A=0x1", "A=256", "A=1.0"] {
            assert!(Words::new(bad.as_bytes()).unwrap().number::<u8>("A").is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_survives(text in any::<String>()) {
            prop_assert_eq!(decode(Encoded(&text).to_string().as_bytes()), Some(text));
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(words) = Words::new(&bytes) {
                let _ = (words.text("A"), words.number::<u64>("A"), words.digest::<4>("A"));
            }
        }
    }
}
