//! Keys that a node gets with its boot script, to show later that it is that node in that run.

use std::fmt::{self, Write as _};
use std::hint::black_box;

use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest as _, Sha256};

/// 128 bits from the system's random source. Only its [`Digest`] is ever stored, and `Debug` does
/// not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 16]);

/// The SHA-256 of a key's text. Nobody can make the key of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

/// The system has no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes for a key: {0}")]
pub struct KeyError(#[source] rand::rand_core::OsError);

impl Key {
    /// A new key.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = [0; 16];
        OsRng.try_fill_bytes(&mut bytes).map_err(KeyError)?;
        Ok(Self(bytes))
    }

    /// What the node is given and presents: 32 hexadecimal digits.
    pub fn reveal(&self) -> String {
        hexadecimal(&self.0)
    }

    /// What is stored.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.reveal())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Digest {
    /// The digest of what somebody presents as a key.
    pub fn of(presented: &str) -> Self {
        Self(Sha256::digest(presented.as_bytes()).into())
    }

    /// Whether somebody presents the key that this is the digest of. Takes as long whether it is
    /// nearly the key or not at all.
    pub fn matches(&self, presented: &str) -> bool {
        let other = Self::of(presented);
        let pairs = self.0.iter().zip(&other.0);
        black_box(pairs.fold(0, |difference, (a, b)| black_box(difference | (a ^ b)))) == 0
    }

    /// How it is stored: 64 hexadecimal digits.
    pub fn to_hex(self) -> String {
        hexadecimal(&self.0)
    }

    /// What was stored; `None` if that is no digest.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.to_hex())
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_matches_its_digest_and_no_other() {
        let (key, other) = (Key::generate().unwrap(), Key::generate().unwrap());
        assert_ne!(key, other);
        let stored = Digest::from_hex(&key.digest().to_hex()).unwrap();
        assert!(stored.matches(&key.reveal()));
        for wrong in [other.reveal(), String::new(), key.reveal() + "0", key.digest().to_hex()] {
            assert!(!stored.matches(&wrong), "{wrong}");
        }
        // Each digit counts.
        for at in 0..32 {
            let mut digits: Vec<char> = key.reveal().chars().collect();
            digits[at] = if digits[at] == '0' { '1' } else { '0' };
            assert!(!stored.matches(&digits.iter().collect::<String>()), "digit {at}");
        }
    }

    #[test]
    fn a_key_has_128_bits_and_is_not_shown() {
        let key = Key::generate().unwrap();
        assert_eq!(key.reveal().len(), 32);
        assert!(key.reveal().bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert!(!format!("{key:?}").contains(&key.reveal()));
    }

    /// As `sha256sum` has it, so that others can compare.
    #[test]
    fn a_digest_is_the_sha256_of_the_text() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of("").to_hex(), empty);
        for bad in ["", "e3", &empty[1..], &format!("{empty}0"), &empty.replace('e', "+")] {
            assert_eq!(Digest::from_hex(bad), None, "{bad}");
        }
    }
}
