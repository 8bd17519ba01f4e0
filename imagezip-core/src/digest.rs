//! The digests of signatures, and the SHA-256 of identities.

mod zeros;

use core::fmt;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256 as Sha256State};

use crate::error::IncompatibleKind;

pub use zeros::BlockDigester;

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
cpufeatures::new!(cpu_sha1, "sha", "ssse3", "sse4.1");

/// The digests that signatures are made of (docs/format.md, "Signature file").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashType {
    /// MD5, 16 bytes.
    Md5,
    /// SHA-1, 20 bytes.
    #[default]
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
}

impl HashType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Md5, Self::Sha1, Self::Sha256];

    /// The number that stands for it in a signature file.
    pub const fn code(self) -> u32 {
        match self {
            Self::Md5 => 1,
            Self::Sha1 => 2,
            Self::Sha256 => 4,
        }
    }

    /// The length of its digests in bytes.
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => Digest::MAX_LEN,
        }
    }

    /// The digest of `bytes`.
    pub fn digest(self, bytes: &[u8]) -> Digest {
        let mut hasher = Hasher::new(self);
        hasher.update(bytes);
        hasher.finish()
    }
}

impl TryFrom<u32> for HashType {
    type Error = IncompatibleKind;

    fn try_from(code: u32) -> Result<Self, Self::Error> {
        match code {
            1 => Ok(Self::Md5),
            2 => Ok(Self::Sha1),
            4 => Ok(Self::Sha256),
            _ => Err(IncompatibleKind::HashType),
        }
    }
}

impl fmt::Display for HashType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
        })
    }
}

/// A digest of one of the types of signatures.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    hash_type: HashType,
    // Zero past the digest's length, so that the derived comparison is right.
    bytes: [u8; Self::MAX_LEN],
}

impl Digest {
    /// The length of the longest digest.
    pub const MAX_LEN: usize = 32;

    /// The digest in the first bytes of `field`, unless they are too few; those past its length
    /// mean nothing.
    pub fn from_field(hash_type: HashType, field: &[u8]) -> Option<Self> {
        let own = field.get(..hash_type.digest_len())?;
        let mut bytes = [0; Self::MAX_LEN];
        bytes.iter_mut().zip(own).for_each(|(to, from)| *to = *from);
        Some(Self { hash_type, bytes })
    }

    /// What made it.
    pub const fn hash_type(self) -> HashType {
        self.hash_type
    }

    /// The digest's own bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.hash_type.digest_len()).unwrap_or_default()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, self.as_bytes())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, self.as_bytes())
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Makes a [`Digest`] of bytes that come in parts.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Md5(Md5),
    /// With the CPU's SHA instructions, about 2.5 times as fast as the portable one.
    Sha1(Sha1),
    Sha1Portable(sha1_smol::Sha1),
    Sha256(Sha256State),
}

impl Hasher {
    /// A hasher that has seen nothing.
    pub fn new(hash_type: HashType) -> Self {
        Self(match hash_type {
            HashType::Md5 => State::Md5(Md5::new()),
            HashType::Sha1 if cpu_has_sha1() => State::Sha1(Sha1::new()),
            HashType::Sha1 => State::Sha1Portable(sha1_smol::Sha1::new()),
            HashType::Sha256 => State::Sha256(Sha256State::new()),
        })
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Md5(state) => state.update(bytes),
            State::Sha1(state) => state.update(bytes),
            State::Sha1Portable(state) => state.update(bytes),
            State::Sha256(state) => state.update(bytes),
        }
    }

    /// The digest of everything taken in.
    pub fn finish(self) -> Digest {
        let mut bytes = [0; Digest::MAX_LEN];
        let mut put = |digest: &[u8]| {
            bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = *from);
        };
        let hash_type = match self.0 {
            State::Md5(state) => {
                put(&state.finalize());
                HashType::Md5
            }
            State::Sha1(state) => {
                put(&state.finalize());
                HashType::Sha1
            }
            State::Sha1Portable(state) => {
                put(&state.digest().bytes());
                HashType::Sha1
            }
            State::Sha256(state) => {
                put(&state.finalize());
                HashType::Sha256
            }
        };
        Digest { hash_type, bytes }
    }
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn cpu_has_sha1() -> bool {
    cpu_sha1::get()
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
fn cpu_has_sha1() -> bool {
    false
}

/// A SHA-256 digest: how files are told apart from all others (a delta names its base by it).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Sha256Hasher::new();
        hasher.update(bytes);
        hasher.finish()
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

/// Makes a [`Sha256`] of bytes that come in parts.
#[derive(Clone, Default)]
pub struct Sha256Hasher(Sha256State);

impl Sha256Hasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything taken in.
    pub fn finish(self) -> Sha256 {
        Sha256(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;
    use std::vec::Vec;

    #[test]
    fn known_digests() {
        // RFC 1321 and FIPS 180-2.
        let md5 = HashType::Md5.digest(b"message digest");
        assert_eq!(md5.to_string(), "f96b697d7cb7938d525a2f31aaf161d0");
        let sha1 = HashType::Sha1.digest(b"abc");
        assert_eq!(sha1.to_string(), "a9993e364706816aba3e25717850c26c9cd0d89d");
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Sha256::of(b"abc").to_string(), known);
        assert_eq!(HashType::Sha256.digest(b"abc").to_string(), known);
    }

    #[test]
    fn what_follows_a_short_digest_is_not_compared() {
        let clean = HashType::Md5.digest(b"");
        let mut field = [0xaa; 20];
        field[..16].copy_from_slice(clean.as_bytes());
        assert_eq!(Digest::from_field(HashType::Md5, &field), Some(clean));
        assert_eq!(Digest::from_field(HashType::Md5, &field[..16]), Some(clean));
        assert_eq!(Digest::from_field(HashType::Md5, &field[..15]), None);
        assert_ne!(Digest::from_field(HashType::Sha1, &field), Some(clean));
        assert_eq!(Digest::from_field(HashType::Sha256, &field), None);
        field[15] ^= 1;
        assert_ne!(Digest::from_field(HashType::Md5, &field), Some(clean));
    }

    #[test]
    fn unknown_types_are_refused() {
        for code in [0, 3, 5, u32::MAX] {
            assert_eq!(HashType::try_from(code), Err(IncompatibleKind::HashType));
        }
        for known in HashType::ALL {
            assert_eq!(HashType::try_from(known.code()), Ok(known));
        }
    }

    proptest! {
        #[test]
        fn both_sha1s_agree(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8)) {
            let states = [State::Sha1(Sha1::new()), State::Sha1Portable(sha1_smol::Sha1::new())];
            let [fast, portable] = states.map(|state| {
                let mut hasher = Hasher(state);
                for part in &parts {
                    hasher.update(part);
                }
                hasher.finish()
            });
            prop_assert_eq!(fast, portable);
            let whole: Vec<u8> = parts.concat();
            prop_assert_eq!(fast, HashType::Sha1.digest(&whole));
        }
    }
}
