//! The header of a signature file (docs/format.md, "Signature file").

use super::cut::HashBlockSize;
use crate::digest::HashType;
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind};
use crate::layout::Layout;

/// The size of the header.
pub(super) const HEADER_BYTES: usize = 32;

const MAGIC: [u8; 8] = *b".ndzsig\0";

/// The version of a signature file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version(u32);

impl Version {
    /// Hash blocks are always 64 KiB.
    const V1: Self = Self(0x2003_1107);
    /// The header says how large hash blocks are.
    const V2: Self = Self(0x2014_0618);
}

/// A signature's header: a file of known version with digests of a known type.
pub(super) struct Header {
    /// The type of the digests.
    pub(super) hash_type: HashType,
    /// The size of hash blocks. [`HashBlockSize::MAX`] may be an old writer's way to say
    /// [`HashBlockSize::DEFAULT`].
    pub(super) block: HashBlockSize,
    /// The number of entries.
    pub(super) count: u32,
}

impl Header {
    /// Checks a header.
    pub(super) fn new(bytes: &[u8; HEADER_BYTES]) -> Result<Self, ErrorKind> {
        let layout = Layout::from(bytes);
        if layout.array::<0, 8>() != MAGIC {
            return Err(ErrorKind::Corrupt(CorruptKind::SignatureMagic));
        }
        let block = match Version(layout.u32::<8>()) {
            Version::V1 => HashBlockSize::DEFAULT,
            Version::V2 => HashBlockSize::new(layout.u32::<20>())
                .ok_or(ErrorKind::Incompatible(IncompatibleKind::HashBlockSize))?,
            _ => return Err(ErrorKind::Incompatible(IncompatibleKind::Version)),
        };
        let hash_type = HashType::try_from(layout.u32::<12>()).map_err(ErrorKind::Incompatible)?;
        Ok(Self { hash_type, block, count: layout.u32::<16>() })
    }

    /// The bytes of a header of version 2.
    pub(super) fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let numbers = [Version::V2.0, self.hash_type.code(), self.count, self.block.sectors()];
        let fields = MAGIC.into_iter().chain(numbers.into_iter().flat_map(u32::to_le_bytes));
        let mut bytes = [0; HEADER_BYTES];
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        bytes
    }
}
