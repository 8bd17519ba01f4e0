//! Values of options that several tools have.

use std::str::FromStr;

/// A partition, or one of the partitions of a BSD label in it: `2`, `1c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The partition's number, counted from 1.
    pub number: u32,
    /// The letter in its BSD label, `a` to `p`.
    pub letter: Option<char>,
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, letter) = match text.char_indices().next_back() {
            Some((at, letter @ 'a'..='p')) => (text.get(..at).unwrap_or(""), Some(letter)),
            _ => (text, None),
        };
        match digits.parse() {
            Ok(number @ 1..=128) => Ok(Self { number, letter }),
            _ => Err("a partition is a number from 1 to 128, with a letter from a to p for a \
                      partition of a BSD label"
                .to_owned()),
        }
    }
}

/// The identity of an image: 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageId(pub [u8; 16]);

impl FromStr for ImageId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "an image's identity is 32 hexadecimal digits".to_owned();
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        u128::from_str_radix(text, 16).map(|id| Self(id.to_be_bytes())).map_err(|_| wrong())
    }
}

/// The size of a hash block in bytes: a multiple of 512, at most 32 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSize(pub u32);

impl BlockSize {
    /// The largest.
    const MAX: u32 = 32 << 20;
}

impl Default for BlockSize {
    fn default() -> Self {
        Self(64 << 10)
    }
}

impl std::fmt::Display for BlockSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for BlockSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(bytes @ 512..=Self::MAX) if bytes % 512 == 0 => Ok(Self(bytes)),
            _ => Err("a hash block has 512 to 33554432 bytes, a multiple of 512".to_owned()),
        }
    }
}

/// A number as C writes it: decimal, `0x…` or `0…` for octal.
///
/// # Errors
/// If it is none, or has more than 32 bits.
pub fn c_number(text: &str) -> Result<u32, String> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = match lower.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None if lower.len() > 1 && lower.starts_with('0') => (lower.as_str(), 8),
        None => (lower.as_str(), 10),
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    u32::from_str_radix(digits, radix)
        .ok()
        .filter(|_| plain)
        .ok_or_else(|| "a number of at most 32 bits is wanted: 131, 0x83 or 0203".to_owned())
}

/// The digests of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Digest {
    /// MD5
    Md5,
    /// SHA-1
    Sha1,
    /// SHA-256
    Sha256,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions() {
        assert_eq!("2".parse(), Ok(Part { number: 2, letter: None }));
        assert_eq!("12c".parse(), Ok(Part { number: 12, letter: Some('c') }));
        for wrong in ["", "0", "a", "129", "1q", "1ab", "-1", "1é"] {
            assert!(wrong.parse::<Part>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn identities() {
        let id: ImageId = "000102030405060708090a0B0c0d0e0f".parse().unwrap();
        assert_eq!(id.0, std::array::from_fn(|at| u8::try_from(at).unwrap()));
        for wrong in ["", "00", "+00102030405060708090a0b0c0d0e0f", "é".repeat(16).as_str()] {
            assert!(wrong.parse::<ImageId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_as_in_c() {
        for (text, number) in
            [("131", 131), ("0x83", 131), ("0203", 131), ("0", 0), ("0XA503", 0xa503)]
        {
            assert_eq!(c_number(text), Ok(number));
        }
        for wrong in ["", "0x", "09", "+1", "-1", "0x+1", "0x100000000"] {
            assert!(c_number(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn block_sizes() {
        assert_eq!("512".parse(), Ok(BlockSize(512)));
        assert_eq!("33554432".parse(), Ok(BlockSize(32 << 20)));
        for wrong in ["0", "511", "513", "33554944", "64K"] {
            assert!(wrong.parse::<BlockSize>().is_err(), "{wrong}");
        }
    }
}
