//! FAT12, FAT16 and FAT32, for reading.
//!
//! The facts about the format are from Microsoft's specification ("FAT: General Overview of
//! On-Disk Format"), and which FAT it is from what Linux takes it for.

mod directory;
mod geometry;

use imagezip_core::device::ReadAt;
use imagezip_core::error::{CorruptKind, ErrorKind, Result};
use imagezip_core::filesystem::Content;
use imagezip_core::filesystem::content::Piece;
use imagezip_core::filesystem::ext::files::Timestamp;
use imagezip_core::sector::Bytes;

pub(super) use directory::DirectoryEntry;
use geometry::{Geometry, Width};

/// The most bytes of a directory: 65536 entries.
const DIRECTORY_MAX: u64 = 2 << 20;

/// A FAT file system.
pub(super) struct Fat<'a> {
    device: &'a dyn ReadAt,
    geometry: Geometry,
}

/// A file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// Where its first bytes lie.
    start: Start,
    /// The size of a file in bytes; a directory doesn't say.
    pub(super) size: u64,
    pub(super) is_directory: bool,
    /// It must not be written to.
    pub(super) is_read_only: bool,
    /// When it was changed, by a clock that showed local time, as if that were UTC.
    pub(super) modified: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// At the place between the tables and the clusters where FAT12 and FAT16 have their root.
    Root,
    /// In this cluster; 0 if it has none.
    Cluster(u32),
}

impl<'a> Fat<'a> {
    /// The file system that fills `device`; `None` if it is none of FAT.
    pub(super) fn open(device: &'a dyn ReadAt) -> Result<Option<Self>> {
        let mut sector = [0; 512];
        if device.size() < Bytes(512) {
            return Ok(None);
        }
        device.read_at(Bytes(0), &mut sector)?;
        Ok(Geometry::parse(&sector)?.map(|geometry| Self { device, geometry }))
    }

    /// What it is called.
    pub(super) fn name(&self) -> &'static str {
        match self.geometry.width {
            Width::Bits12 => "FAT12",
            Width::Bits16 => "FAT16",
            Width::Bits32 => "FAT32",
        }
    }

    pub(super) fn device(&self) -> &'a dyn ReadAt {
        self.device
    }

    pub(super) fn root(&self) -> Node {
        let start = self.geometry.root_cluster.map_or(Start::Root, Start::Cluster);
        Node { start, size: 0, is_directory: true, is_read_only: false, modified: None }
    }

    /// A number that no other directory has.
    pub(super) fn directory_id(node: &Node) -> u64 {
        match node.start {
            Start::Root => u64::MAX,
            Start::Cluster(number) => number.into(),
        }
    }

    /// What a file or directory holds.
    pub(super) fn content(&self, node: &Node) -> Result<Content> {
        let size = if node.is_directory { DIRECTORY_MAX } else { node.size };
        let cluster = match node.start {
            Start::Root => {
                let Geometry { root, root_bytes, .. } = self.geometry;
                let piece = Piece { at: 0, position: root, len: root_bytes };
                return Ok(Content::new(root_bytes, [piece]));
            }
            Start::Cluster(0) if size == 0 || node.is_directory => return Ok(Content::new(0, [])),
            Start::Cluster(number) => number,
        };
        if size == 0 {
            return Ok(Content::new(0, []));
        }
        let (pieces, found) = self.chain(cluster, size)?;
        // A file ends before its last cluster does, and not before.
        if !node.is_directory && found < size {
            return Err(ErrorKind::Corrupt(CorruptKind::FatChain).into());
        }
        Ok(Content::new(size.min(found), pieces))
    }

    /// The pieces of at most `size` bytes that begin in cluster `first`, and how many bytes the
    /// chain has.
    fn chain(&self, first: u32, size: u64) -> Result<(Vec<Piece>, u64)> {
        let damaged = || ErrorKind::Corrupt(CorruptKind::FatChain);
        let len = self.geometry.cluster_bytes;
        let mut pieces: Vec<Piece> = Vec::new();
        let mut at = 0_u64;
        let mut cluster = Some(first);
        // This ends: the chain is followed as far as the size goes, and not further than there
        // are clusters.
        let mut left = self.geometry.clusters;
        while let Some(number) = cluster.filter(|_| at < size) {
            left = left.checked_sub(1).ok_or_else(damaged)?;
            let position = self.geometry.position(number).ok_or_else(damaged)?;
            match pieces.last_mut() {
                Some(last) if last.position.checked_add(last.len) == Some(position) => {
                    last.len = last.len.saturating_add(len);
                }
                _ => pieces.push(Piece { at, position, len }),
            }
            at = at.saturating_add(len);
            cluster = if at < size { self.next(number)? } else { None };
        }
        Ok((pieces, at))
    }

    /// The cluster after cluster `number`; `None` if it is the last of its chain.
    fn next(&self, number: u32) -> Result<Option<u32>> {
        let Geometry { table, width, .. } = self.geometry;
        let number = u64::from(number);
        let (offset, len) = match width {
            Width::Bits12 => (number.saturating_add(number / 2), 2),
            Width::Bits16 => (number.saturating_mul(2), 2),
            Width::Bits32 => (number.saturating_mul(4), 4),
        };
        let mut bytes = [0; 4];
        let at = table.checked_add(offset).ok_or(ErrorKind::Truncated)?;
        let entry = bytes.get_mut(..len).unwrap_or_default();
        self.device.read_at(at, entry)?;
        let value = u32::from_le_bytes(bytes);
        let (value, last) = match width {
            Width::Bits12 if number % 2 == 1 => (value >> 4, 0xff8),
            Width::Bits12 => (value & 0xfff, 0xff8),
            Width::Bits16 => (value, 0xfff8),
            Width::Bits32 => (value & 0x0fff_ffff, 0x0fff_fff8),
        };
        Ok((value < last).then_some(value))
    }

    /// The entries of a directory, without those for itself and its parent.
    pub(super) fn entries(&self, node: &Node) -> Result<Vec<DirectoryEntry>> {
        if !node.is_directory {
            return Err(ErrorKind::Corrupt(CorruptKind::Directory).into());
        }
        let content = self.content(node)?;
        let size = usize::try_from(content.size()).unwrap_or_default();
        let mut bytes = vec![0; size];
        content.read(self.device, 0, &mut bytes)?;
        Ok(directory::entries(&bytes, self.geometry.width))
    }
}
