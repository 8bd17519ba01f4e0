//! The header of a signature file (docs/format.md, "Signature file").

use super::cut::HashBlockSize;
use crate::digest::HashType;
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Limit};
use crate::layout::Layout;
use crate::sector::SectorCount;

/// The size of the header.
pub(super) const HEADER_BYTES: usize = 32;

const MAGIC: [u8; 8] = *b".ndzsig\0";

/// The versions of signature files that can be written. Version 3 can only be read: its number
/// is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Hash blocks are always 64 KiB.
    V1,
    /// The header says how large hash blocks are.
    #[default]
    V2,
}

impl Version {
    /// The number that stands for it in a file.
    const fn code(self) -> u32 {
        match self {
            Self::V1 => 0x2003_1107,
            Self::V2 => 0x2014_0618,
        }
    }

    /// The block size as it is in a header.
    const fn block_word(self, block: HashBlockSize) -> u32 {
        match self {
            Self::V1 => 0,
            Self::V2 => block.sectors(),
        }
    }

    /// Whether a signature of an image of `sectors` can be written in this version: asked before
    /// much work is done for one.
    ///
    /// # Errors
    /// `Incompatible` for SHA-256 and, in version 1, for hash blocks of another size than 64 KiB;
    /// `Sector32` for an image with sectors beyond 32 bits.
    pub fn check(
        self,
        hash_type: HashType,
        block: HashBlockSize,
        sectors: SectorCount,
    ) -> Result<(), ErrorKind> {
        if hash_type == HashType::Sha256 {
            return Err(ErrorKind::Incompatible(IncompatibleKind::SignatureSha256));
        }
        if self == Self::V1 && block != HashBlockSize::DEFAULT {
            return Err(ErrorKind::Incompatible(IncompatibleKind::SignatureV1Block));
        }
        if sectors.get() > 1 << 32 {
            return Err(ErrorKind::TooLarge(Limit::Sector32));
        }
        Ok(())
    }
}

/// The version that a file says it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileVersion {
    /// One of those with entries of 32 bytes.
    Known(Version),
    /// A higher one.
    Later,
}

impl FileVersion {
    fn new(code: u32) -> Option<Self> {
        match code {
            _ if code == Version::V1.code() => Some(Self::Known(Version::V1)),
            _ if code == Version::V2.code() => Some(Self::Known(Version::V2)),
            _ => (code > Version::V2.code()).then_some(Self::Later),
        }
    }
}

/// A signature's header: a file of known version with digests of a known type.
pub(super) struct Header {
    /// The version.
    pub(super) version: FileVersion,
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
        let version = FileVersion::new(layout.u32::<8>())
            .ok_or(ErrorKind::Incompatible(IncompatibleKind::Version))?;
        let block = if version == FileVersion::Known(Version::V1) {
            HashBlockSize::DEFAULT
        } else {
            HashBlockSize::new(layout.u32::<20>())
                .ok_or(ErrorKind::Incompatible(IncompatibleKind::HashBlockSize))?
        };
        let hash_type = HashType::try_from(layout.u32::<12>()).map_err(ErrorKind::Incompatible)?;
        Ok(Self { version, hash_type, block, count: layout.u32::<16>() })
    }
}

/// The bytes of a header.
pub(super) fn header_bytes(
    version: Version,
    hash_type: HashType,
    block: HashBlockSize,
    count: u32,
) -> [u8; HEADER_BYTES] {
    let numbers = [version.code(), hash_type.code(), count, version.block_word(block)];
    let fields = MAGIC.into_iter().chain(numbers.into_iter().flat_map(u32::to_le_bytes));
    let mut bytes = [0; HEADER_BYTES];
    bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
    bytes
}
