//! What an inode says of its file.

use alloc::vec::Vec;

use crate::error::{CorruptKind, ErrorKind, Result};
use crate::filesystem::Content;
use crate::layout::Layout;

use super::super::extent_tree;
use super::super::inode::EXTENTS_FLAG;
use crate::filesystem::checksum::Crc32c;

/// The bytes in an inode that tell where the blocks are, or hold what is short enough.
pub(super) const BLOCK_MAP: usize = 60;

const ENCRYPTED_FLAG: u32 = 0x800;
const INLINE_FLAG: u32 = 0x1000_0000;
/// The most bytes that may lie in an inode: those of the largest block.
const INLINE_MAX: usize = 1 << 16;
/// What `chattr` sets: s, u, c, S, i, a, d, A, j, t, D, T.
const USER_FLAGS: u32 = 0x0003_c0ff;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A character device.
    Character,
    /// A block device.
    Block,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

impl FileKind {
    fn of_mode(mode: u16) -> Option<Self> {
        Some(match mode & 0xf000 {
            0x1000 => Self::Fifo,
            0x2000 => Self::Character,
            0x4000 => Self::Directory,
            0x6000 => Self::Block,
            0x8000 => Self::Regular,
            0xa000 => Self::Symlink,
            0xc000 => Self::Socket,
            _ => return None,
        })
    }

    /// The kind that an entry of a directory says, if it says one.
    pub(super) fn of_entry(number: u8) -> Option<Self> {
        // The upper half says what may follow the name.
        Some(match number & 0xf {
            1 => Self::Regular,
            2 => Self::Directory,
            3 => Self::Character,
            4 => Self::Block,
            5 => Self::Fifo,
            6 => Self::Socket,
            7 => Self::Symlink,
            _ => return None,
        })
    }
}

/// A point in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since the start of 1970, UTC.
    pub seconds: i64,
    /// Nanoseconds after those: fewer than a second's.
    pub nanoseconds: u32,
}

impl Timestamp {
    /// The time that an inode's fields say: seconds of 32 bits with a sign, and as far as there is
    /// one a second field with two more bits, and nanoseconds.
    fn new(seconds: u32, extra: Option<u32>) -> Self {
        let extra = extra.unwrap_or(0);
        let low = i64::from(seconds.cast_signed());
        let epochs = i64::from(extra & 3);
        let nanoseconds = extra.wrapping_shr(2);
        Self {
            seconds: low.saturating_add(epochs.saturating_mul(1 << 32)),
            nanoseconds: Some(nanoseconds).filter(|nano| *nano < 1_000_000_000).unwrap_or(0),
        }
    }
}

/// The inode of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode {
    number: u32,
    kind: FileKind,
    bytes: Vec<u8>,
    seed: Crc32c,
}

/// The part that all inodes have.
///
/// Offsets: Linux, Documentation/filesystems/ext4, "Index Nodes".
struct View<'a>(Layout<'a, 128>);

#[rustfmt::skip]
impl View<'_> {
    fn mode(&self) -> u16 { self.0.u16::<0x0>() }
    fn owner_low(&self) -> u16 { self.0.u16::<0x2>() }
    fn size_low(&self) -> u32 { self.0.u32::<0x4>() }
    fn changed(&self) -> u32 { self.0.u32::<0xc>() }
    fn modified(&self) -> u32 { self.0.u32::<0x10>() }
    fn group_low(&self) -> u16 { self.0.u16::<0x18>() }
    fn links(&self) -> u16 { self.0.u16::<0x1a>() }
    fn flags(&self) -> u32 { self.0.u32::<0x20>() }
    fn block_map(&self) -> [u8; BLOCK_MAP] { self.0.array::<0x28, BLOCK_MAP>() }
    fn devices(&self) -> (u32, u32) { (self.0.u32::<0x28>(), self.0.u32::<0x2c>()) }
    fn attributes_low(&self) -> u32 { self.0.u32::<0x68>() }
    fn size_high(&self) -> u32 { self.0.u32::<0x6c>() }
    fn attributes_high(&self) -> u16 { self.0.u16::<0x76>() }
    fn owner_high(&self) -> u16 { self.0.u16::<0x78>() }
    fn group_high(&self) -> u16 { self.0.u16::<0x7a>() }
}

impl Inode {
    /// The inode in `bytes`, unless it is no file's.
    pub(super) fn new(number: u32, bytes: Vec<u8>, seed: Crc32c) -> Option<Self> {
        let view = View(Layout::new(&bytes)?);
        let kind = FileKind::of_mode(view.mode())?;
        Some(Self { number, kind, bytes, seed })
    }

    fn view(&self) -> View<'_> {
        const NOTHING: &[u8; 128] = &[0; 128];
        View(Layout::new(&self.bytes).unwrap_or(Layout::from(NOTHING)))
    }

    /// The 32-bit field at `at`, if the inode is large enough to have it.
    fn extra(&self, at: usize) -> Option<u32> {
        let size = usize::from(Layout::<2>::at(&self.bytes, 0x80)?.u16::<0>());
        let end = at.checked_add(4)?.checked_sub(0x80)?;
        (end <= size).then(|| Layout::<4>::at(&self.bytes, at))?.map(Layout::u32::<0>)
    }

    /// Its number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The kind of file.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// The permissions, with the bits for set-user-ID, set-group-ID and sticky: 12 bits.
    pub fn permissions(&self) -> u16 {
        self.view().mode() & 0xfff
    }

    /// The user and the group that it belongs to.
    pub fn owner(&self) -> (u32, u32) {
        let view = self.view();
        let join = |high: u16, low: u16| u32::from(high) << 16 | u32::from(low);
        (join(view.owner_high(), view.owner_low()), join(view.group_high(), view.group_low()))
    }

    /// In how many directories it is. A directory of many others may say 1.
    pub fn links(&self) -> u16 {
        self.view().links()
    }

    /// The size of the content in bytes.
    pub fn size(&self) -> u64 {
        let view = self.view();
        u64::from(view.size_high()) << 32 | u64::from(view.size_low())
    }

    /// When the content was changed last.
    pub fn modified(&self) -> Timestamp {
        Timestamp::new(self.view().modified(), self.extra(0x88))
    }

    /// When the content or the inode was changed last.
    pub fn changed(&self) -> Timestamp {
        Timestamp::new(self.view().changed(), self.extra(0x84))
    }

    /// The major and the minor number of a device.
    pub fn device_numbers(&self) -> Option<(u32, u32)> {
        if !matches!(self.kind, FileKind::Character | FileKind::Block) {
            return None;
        }
        Some(match self.view().devices() {
            // 12 bits for the major number between 8 and 12 more for the minor one.
            (0, new) => ((new >> 8) & 0xfff, (new & 0xff) | ((new >> 12) & 0xf_ff00)),
            (old, _) => ((old >> 8) & 0xff, old & 0xff),
        })
    }

    /// The flags that users can set, such as append-only and immutable.
    pub fn flags(&self) -> u32 {
        self.view().flags() & USER_FLAGS
    }

    /// The extended attributes that lie in the inode, as they are stored.
    pub fn attributes(&self) -> &[u8] {
        let size = Layout::<2>::at(&self.bytes, 0x80).map_or(0, Layout::u16::<0>);
        self.bytes.get(0x80_usize.saturating_add(size.into())..).unwrap_or_default()
    }

    /// The block that holds further extended attributes; 0 if there are none.
    pub fn attribute_block(&self) -> u64 {
        let view = self.view();
        u64::from(view.attributes_high()) << 32 | u64::from(view.attributes_low())
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.view().flags() & ENCRYPTED_FLAG != 0
    }

    pub(super) fn has_extents(&self) -> bool {
        self.view().flags() & EXTENTS_FLAG != 0
    }

    pub(super) fn block_map(&self) -> [u8; BLOCK_MAP] {
        self.view().block_map()
    }

    pub(super) fn seed(&self) -> Crc32c {
        self.seed
    }

    /// What lies in the inode itself, if it is there.
    pub(super) fn inline_content(&self) -> Result<Option<Content>> {
        let map = self.block_map();
        let size = usize::try_from(self.size()).unwrap_or(usize::MAX);
        // Links of fewer than 60 bytes lie here, unless they are marked otherwise.
        let link = self.kind == FileKind::Symlink
            && size < BLOCK_MAP
            && !(self.has_extents() && extent_tree::has_magic(&map));
        if !link && !is_inline(self) {
            return Ok(None);
        }
        if let Some(bytes) = map.get(..size) {
            return Ok(Some(Content::inline(bytes.into())));
        }
        if size > INLINE_MAX {
            return Err(ErrorKind::Corrupt(CorruptKind::Inode).into());
        }
        let mut bytes = [map.as_slice(), self.inline_rest().unwrap_or_default()].concat();
        // A file that was made longer, and not written since, goes on with zeros.
        bytes.resize(size, 0);
        Ok(Some(Content::inline(bytes)))
    }

    /// What of the content is an extended attribute in the inode: `system.data`.
    ///
    /// Offsets: Linux, Documentation/filesystems/ext4, "Extended Attributes".
    fn inline_rest(&self) -> Option<&[u8]> {
        const MAGIC: u32 = 0xea02_0000;
        /// The part of an entry before the name.
        const HEAD: usize = 16;
        /// Stands for `system.` before a name.
        const SYSTEM: u8 = 7;
        let attributes = self.attributes();
        if Layout::<4>::new(attributes)?.u32::<0>() != MAGIC {
            return None;
        }
        let values = attributes.get(4..)?;
        let mut entries = values;
        // This ends: each entry takes some bytes.
        loop {
            let head = Layout::<HEAD>::new(entries)?;
            let (name_len, index) = (usize::from(head.u8::<0x0>()), head.u8::<0x1>());
            if name_len == 0 && index == 0 {
                return None;
            }
            let end = HEAD.checked_add(name_len)?;
            if index == SYSTEM && entries.get(HEAD..end)? == b"data" {
                let start = usize::from(head.u16::<0x2>());
                let len = usize::try_from(head.u32::<0x8>()).ok()?;
                return values.get(start..start.checked_add(len)?);
            }
            entries = entries.get(end.checked_next_multiple_of(4)?..)?;
        }
    }
}

/// Whether what the file holds lies in its inode.
pub(super) fn is_inline(inode: &Inode) -> bool {
    inode.view().flags() & INLINE_FLAG != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_and_after_2038() {
        let time = |seconds, extra| Timestamp::new(seconds, extra).seconds;
        assert_eq!(time(u32::MAX, None), -1);
        assert_eq!(time(0x7fff_ffff, Some(0)), 2_147_483_647);
        // One second later.
        assert_eq!(time(0x8000_0000, Some(1)), 2_147_483_648);
        assert_eq!(Timestamp::new(0, Some(5 << 2)).nanoseconds, 5);
        assert_eq!(Timestamp::new(0, Some(u32::MAX)).nanoseconds, 0);
    }
}
