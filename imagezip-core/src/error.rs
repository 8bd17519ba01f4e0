//! What can go wrong, and where.

use core::fmt;

use crate::sector::{Bytes, Sector};

/// A result whose error is an [`Error`].
pub type Result<T> = core::result::Result<T, Error>;

/// What went wrong and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What went wrong.
    pub kind: ErrorKind,
    /// Where.
    pub place: Place,
}

/// The kinds of error. Each has its own exit code at the edges ([`ErrorKind::exit_code`]).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A read from the source failed; the operating system's error number, 0 if it gave none.
    Read(i32),
    /// A write to the result failed; the operating system's error number, 0 if it gave none.
    Write(i32),
    /// The source ends before the data that should be there.
    Truncated,
    /// The bytes contradict their own format.
    Corrupt(CorruptKind),
    /// Well formed, but of a form that this program doesn't handle.
    Incompatible(IncompatibleKind),
    /// More than the format or a limit of this program allows.
    TooLarge(Limit),
}

/// Defines an enum of faults whose doc comments are also what is shown to people.
macro_rules! faults {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $text:literal])+ $variant:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[doc = $text])+ $variant,)+
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = match self {
                    $(Self::$variant => concat!($($text),+),)+
                };
                f.write_str(text.trim())
            }
        }
    };
}

faults! {
    /// Contradictions in what was read.
    CorruptKind {
        /// the image does not give back what was written
        NotAsWritten,
        /// the target does not give back what was written to it
        TargetNotAsWritten,
        /// the partition is not in the partition table
        NoSuchPartition,
        /// partition overlaps another one or ends beyond the disk
        PartitionLimits,
        /// no GPT where the protective MBR promises one
        GptMissing,
        /// GPT header contradicts itself or lies in the wrong place
        GptHeader,
        /// wrong checksum of the GPT header
        GptHeaderChecksum,
        /// wrong checksum of the GPT entries
        GptEntriesChecksum,
        /// swap space of another version or size than its partition holds
        SwapHeader,
        /// not a chunk of an image
        ChunkMagic,
        /// chunk of another version than the one before
        ChunkVersion,
        /// chunk of another image than the one before
        ChunkIdentity,
        /// chunk's header area is not 4096 bytes
        ChunkHeaderArea,
        /// chunk's payload is longer than a chunk has room for
        ChunkPayload,
        /// chunk's number is not its place in the file
        ChunkNumber,
        /// chunk does not begin where the one before ends
        ChunkTiling,
        /// no region, or more regions and relocations than the header area holds
        RegionCount,
        /// regions are empty, touch, overlap or do not ascend
        RegionOrder,
        /// region outside the sectors that its chunk describes
        RegionBounds,
        /// relocation outside the sectors that its chunk describes
        RelocBounds,
        /// relocation of a size that its type doesn't have
        RelocSize,
        /// relocation of data that are not in its chunk
        RelocData,
        /// no BSD disklabel
        Disklabel,
        /// wrong checksum of the BSD disklabel
        DisklabelChecksum,
        /// LILO's sector address lies outside of its partition
        LiloAddress,
        /// compressed data are no zlib stream
        PayloadCode,
        /// compressed data end before the regions are full
        PayloadShort,
        /// more compressed data than the regions hold
        PayloadLong,
        /// bytes after the end of the compressed data
        PayloadTrailing,
        /// wrong checksum of the compressed data
        PayloadChecksum,
        /// wrong checksum of a protected chunk
        SealChecksum,
        /// chunk is not signed with this key
        SealSignature,
        /// encrypted data are damaged, or the key is not theirs
        SealPadding,
        /// data for an image out of order, or not as long as their extents
        PieceOrder,
        /// not a signature file
        SignatureMagic,
        /// bytes after the last entry of a signature
        SignatureTrailing,
        /// signature entry before the end of the one before
        SignatureOrder,
        /// signature entry is empty or crosses the bounds of a hash block
        SignatureBlock,
        /// signature is not this image's
        SignatureForeign,
        /// free-space information of a file system is damaged or contradicts itself
        AllocationMap,
        /// metadata of a file system are damaged
        Metadata,
        /// wrong checksum of metadata
        MetadataChecksum,
        /// file system is marked as in need of repair
        NeedsRepair,
        /// not an ext2, ext3 or ext4 file system
        ExtMagic,
        /// no complete checkpoint, or one that contradicts its file system
        Checkpoint,
        /// wrong checksum of the superblock
        SuperblockChecksum,
        /// superblock contradicts itself
        Superblock,
        /// file system ends beyond its partition
        FileSystemSize,
        /// inode, or its list of blocks, is damaged
        Inode,
        /// directory is damaged
        Directory,
        /// symbolic link is damaged
        SymbolicLink,
        /// LVM label contradicts itself
        LvmLabel,
        /// wrong checksum of LVM's label or metadata
        LvmChecksum,
        /// LVM metadata contradict themselves
        LvmMetadata,
        /// superblock of Linux RAID contradicts itself, or there are several
        RaidSuperblock,
        /// wrong checksum of a superblock of Linux RAID
        RaidChecksum,
        /// boot sector of a FAT file system contradicts itself
        FatGeometry,
        /// chain of clusters is damaged
        FatChain,
        /// boot sector of an NTFS volume contradicts itself
        NtfsBootSector,
        /// record of the MFT is damaged
        MftRecord,
        /// journal needs recovery, but there is none
        JournalMissing,
        /// journal's inode or its list of blocks is damaged
        JournalInode,
        /// journal's superblock is damaged
        JournalSuperblock,
        /// journal was given up after an error
        JournalAborted,
        /// wrong checksum in a transaction of the journal
        JournalChecksum,
        /// journal contradicts itself
        JournalLog,
    }
}

faults! {
    /// Forms of valid data that this program doesn't handle.
    IncompatibleKind {
        /// unknown format version
        Version,
        /// encrypted image, which needs a key
        Encrypted,
        /// relocations in an image of version 1, which has none
        RelocsV1,
        /// unknown cipher
        Cipher,
        /// unknown type of checksum
        ChecksumType,
        /// unknown type of digest
        HashType,
        /// size of hash blocks beyond 32 MiB, or none
        HashBlockSize,
        /// signature of a later version with entries of an unknown form
        SignatureForm,
        /// writing SHA-256 into a signature file (versions 1 and 2 have no room for it; use SHA-1)
        SignatureSha256,
        /// writing hash blocks of another size than 64 KiB into a signature file of version 1
        SignatureV1Block,
        /// type of partition that this partition table can't express
        PartitionType,
        /// logical partition, or one for a boot loader, as the root of a boot image
        BootRoot,
        /// file system feature
        Feature,
        /// size of blocks
        BlockSize,
        /// file system on several devices
        Devices,
        /// RAID level or profile
        RaidLevel,
        /// member of a RAID array that doesn't have all data: spare, failed, being rebuilt or reshaped
        RaidMember,
        /// RAID array that was not stopped cleanly, so its members may differ
        RaidUnclean,
        /// LVM physical volume whose metadata are only on other disks
        LvmElsewhere,
        /// LVM volume group that is exported, shared or incomplete
        LvmGroup,
        /// LVM logical volume of an unknown kind
        LvmSegment,
        /// LVM metadata that were being changed
        LvmChange,
        /// file system that was not unmounted cleanly, and whose log is not understood
        Unclean,
        /// encrypted file or directory
        EncryptedFile,
        /// journal device without its file system
        JournalDevice,
        /// journal on another device, in need of recovery
        ExternalJournal,
        /// log on another device, which may need recovery
        ExternalLog,
        /// journal feature
        JournalFeature,
    }
}

faults! {
    /// Limits of formats and of this program.
    Limit {
        /// sector number beyond 32 bits
        Sector32,
        /// sector number beyond what LILO's addresses can hold
        LiloAddress,
        /// image that ends beyond its target
        Target,
        /// more entries in a GPT than this program reads
        GptEntries,
        /// data that do not fit one chunk
        Piece,
        /// more chunks or entries than 32 bits count
        Count32,
        /// memory
        Memory,
        /// number of block groups
        Groups,
        /// file system's metadata
        Metadata,
        /// journal
        Journal,
        /// file in more pieces than this program follows
        FilePieces,
    }
}

/// The place of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// Not known, or the whole.
    Whole,
    /// A position in bytes.
    Byte(Bytes),
    /// A sector of the disk, partition or image.
    Sector(Sector),
    /// A chunk of an image, by its number.
    Chunk(u64),
    /// An entry of a table or list, by its number.
    Entry(u64),
    /// A partition, by its number.
    Partition(u32),
    /// A chunk of one of several images on top of each other.
    Layer {
        /// The image's number; the lowest is 0.
        layer: u32,
        /// The chunk's number in its image.
        chunk: u64,
    },
}

impl ErrorKind {
    /// The kind at a place.
    #[must_use]
    pub const fn at(self, place: Place) -> Error {
        Error { kind: self, place }
    }

    /// The exit code with which programs report this kind: 3 and up, so that it can't be
    /// mistaken for the classic tools' 1 and 2.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Read(_) => 3,
            Self::Write(_) => 4,
            Self::Truncated => 5,
            Self::Corrupt(_) => 6,
            Self::Incompatible(_) => 7,
            Self::TooLarge(_) => 8,
        }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        kind.at(Place::Whole)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(0) => f.write_str("reading failed"),
            Self::Read(code) => write!(f, "reading failed (error {code})"),
            Self::Write(0) => f.write_str("writing failed"),
            Self::Write(code) => write!(f, "writing failed (error {code})"),
            Self::Truncated => f.write_str("ends too early"),
            Self::Corrupt(what) => write!(f, "corrupt: {what}"),
            Self::Incompatible(what) => write!(f, "not supported: {what}"),
            Self::TooLarge(what) => write!(f, "too large: {what}"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => Ok(()),
            Self::Byte(at) => write!(f, " at byte {at}"),
            Self::Sector(at) => write!(f, " at sector {at}"),
            Self::Chunk(number) => write!(f, " in chunk {number}"),
            Self::Entry(number) => write!(f, " in entry {number}"),
            Self::Partition(number) => write!(f, " (partition {number})"),
            Self::Layer { layer, chunk } => write!(f, " in chunk {chunk} of image {layer}"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind, self.place)
    }
}

impl core::error::Error for Error {}
