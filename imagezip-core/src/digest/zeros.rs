//! Blocks of zeros, which need not be hashed again and again.

use imagezip_bytes::is_zero;

use super::{Digest, HashType, Hasher};

/// Digests data; a block of zeros of the usual length only once.
#[derive(Clone, Copy, Debug)]
pub struct BlockDigester {
    block: usize,
    /// Of `block` zeros.
    zeros: Digest,
}

impl BlockDigester {
    /// The most zeros that are hashed in advance.
    const BLOCK_MAX: usize = 1 << 20;

    /// For digests of that type, where blocks usually have `block` bytes.
    pub fn new(hash_type: HashType, block: usize) -> Self {
        const ZEROS: &[u8] = &[0; 4096];
        // Of a block that is longer nothing is known in advance: no data have 0 bytes.
        let block = if block > Self::BLOCK_MAX { 0 } else { block };
        let mut hasher = Hasher::new(hash_type);
        let mut left = block;
        while let Some(part) = ZEROS.get(..left.min(ZEROS.len())).filter(|part| !part.is_empty()) {
            hasher.update(part);
            left = left.saturating_sub(part.len());
        }
        Self { block, zeros: hasher.finish() }
    }

    /// The type of the digests.
    pub const fn hash_type(&self) -> HashType {
        self.zeros.hash_type()
    }

    /// The digest of `bytes`.
    pub fn digest(&self, bytes: &[u8]) -> Digest {
        if bytes.len() == self.block && is_zero(bytes) {
            return self.zeros;
        }
        self.hash_type().digest(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;

    proptest! {
        #[test]
        fn digests_are_those_of_the_bytes(block in 0..5000_usize, len in 0..5000_usize, at: usize, value: u8) {
            for hash_type in HashType::ALL {
                let digester = BlockDigester::new(hash_type, block);
                for len in [block, len] {
                    let mut bytes = vec![0; len];
                    prop_assert!(is_zero(&bytes));
                    prop_assert_eq!(digester.digest(&bytes), hash_type.digest(&bytes));
                    let at = at.checked_rem(len).unwrap_or(0);
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = value;
                        prop_assert_eq!(is_zero(&bytes), value == 0);
                        prop_assert_eq!(digester.digest(&bytes), hash_type.digest(&bytes));
                    }
                }
            }
        }
    }
}
