//! The checksums of superblocks and tree blocks.

use sha2::{Digest as _, Sha256};

use super::super::checksum::Crc32c;
use super::blake2b;

/// The bytes that every structure has for its checksum, at its start.
pub(super) const FIELD: usize = 32;

/// How checksums are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChecksumType {
    Crc32c,
    Xxhash64,
    Sha256,
    Blake2b,
}

impl ChecksumType {
    /// By its number in the superblock.
    pub(super) const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            0 => Self::Crc32c,
            1 => Self::Xxhash64,
            2 => Self::Sha256,
            3 => Self::Blake2b,
            _ => return None,
        })
    }

    /// Whether the checksum at the start of `structure` is that of the rest.
    pub(super) fn is_right(self, structure: &[u8]) -> bool {
        let Some((stored, summed)) = structure.split_at_checked(FIELD) else {
            return false;
        };
        cfg!(fuzzing) || self.is_sum_of(stored, summed)
    }

    fn is_sum_of(self, stored: &[u8], summed: &[u8]) -> bool {
        match self {
            Self::Crc32c => stored.starts_with(&(!Crc32c::START.add(summed).get()).to_le_bytes()),
            Self::Xxhash64 => {
                stored.starts_with(&xxhash_rust::xxh64::xxh64(summed, 0).to_le_bytes())
            }
            Self::Sha256 => Sha256::digest(summed).as_slice() == stored,
            Self::Blake2b => blake2b::digest(summed) == *stored,
        }
    }
}
