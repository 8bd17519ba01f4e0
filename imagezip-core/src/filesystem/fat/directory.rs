//! The directories: which clusters they say that files begin in.
//!
//! A driver writes a directory's entry and the FAT in no order that is known, and a file system
//! whose FAT came late is not always marked: older Linux has no mark. So a cluster in which a file
//! begins counts as in use, whatever the FAT says. What follows it is known to the FAT alone.

use alloc::vec;
use alloc::vec::Vec;

use super::boot_sector::{Geometry, Root, Width};
use super::table;
use crate::device::ReadAt;
use crate::error::{ErrorKind, Limit, Result};
use crate::filesystem::clusters::ClusterSet;
use crate::layout::Layout;
use crate::sector::Bytes;

/// The size of an entry in bytes.
const ENTRY: usize = 32;

/// The most clusters of directories. Their list takes 64 MiB.
const MAX_CLUSTERS: usize = 1 << 24;

/// The first byte of an entry that was deleted.
const DELETED: u8 = 0xe5;
/// The attribute of the volume's label, and of the parts of long names.
const VOLUME: u8 = 0x08;
const DIRECTORY: u8 = 0x10;

/// An entry of a directory (docs/format.md, "FAT").
struct View<'a>(Layout<'a, ENTRY>);

#[rustfmt::skip]
impl View<'_> {
    fn mark(&self) -> u8 { self.0.u8::<0>() }
    fn attributes(&self) -> u8 { self.0.u8::<11>() }
    fn cluster_high(&self) -> u16 { self.0.u16::<20>() }
    fn cluster_low(&self) -> u16 { self.0.u16::<26>() }
}

struct Walk<'a> {
    device: &'a dyn ReadAt,
    geometry: &'a Geometry,
    in_use: &'a mut ClusterSet,
    /// The clusters of directories that were found so far.
    found: ClusterSet,
    /// Those of them that are yet to be read.
    left: Vec<u32>,
    read: usize,
    added: u64,
}

/// Adds to `in_use` each cluster in which a file or directory begins. Returns how many of them
/// were not in use before.
///
/// # Errors
/// `TooLarge(Metadata)` if there are too many directories, `Read` if the device fails.
pub(super) fn walk(
    device: &dyn ReadAt,
    geometry: &Geometry,
    in_use: &mut ClusterSet,
) -> Result<u64> {
    let found = ClusterSet::new(geometry.heap.clusters)?;
    let mut walk = Walk { device, geometry, in_use, found, left: Vec::new(), read: 0, added: 0 };
    match geometry.root {
        Root::Fixed(at, len) => walk.entries(at, len)?,
        Root::Cluster(index) => walk.begins(index, true),
    }
    while let Some(index) = walk.left.pop() {
        walk.cluster(index)?;
    }
    Ok(walk.added)
}

impl Walk<'_> {
    /// Reads a cluster of a directory.
    fn cluster(&mut self, index: u32) -> Result<()> {
        self.read = self.read.saturating_add(1);
        if self.read > MAX_CLUSTERS {
            return Err(ErrorKind::TooLarge(Limit::Metadata).into());
        }
        let Self { found, left, .. } = self;
        table::next(self.device, self.geometry, index, |next| {
            if found.insert(next) {
                left.push(next);
            }
        })?;
        let at = self.geometry.heap.position(index).ok_or(ErrorKind::Truncated)?;
        self.entries(at, self.geometry.heap.cluster_bytes)
    }

    /// Reads entries of a directory. Linux looks at those behind the one that ends the directory,
    /// too.
    fn entries(&mut self, at: Bytes, len: u64) -> Result<()> {
        // At most 65535 entries, or 128 sectors of 4 KiB.
        let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
        self.device.read_at(at, &mut bytes)?;
        for entry in bytes.chunks_exact(ENTRY).filter_map(Layout::new).map(View) {
            if matches!(entry.mark(), 0 | DELETED) || entry.attributes() & VOLUME != 0 {
                continue;
            }
            let high = match self.geometry.width {
                Width::Bits32 => entry.cluster_high(),
                _ => 0,
            };
            let number = u32::from(high) << 16 | u32::from(entry.cluster_low());
            if let Some(index) = self.geometry.heap.index(number) {
                self.begins(index, entry.attributes() & DIRECTORY != 0);
            }
        }
        Ok(())
    }

    /// A file or directory begins in this cluster.
    fn begins(&mut self, index: u32, is_directory: bool) {
        if self.in_use.insert(index) {
            self.added = self.added.saturating_add(1);
        }
        if is_directory && self.found.insert(index) {
            self.left.push(index);
        }
    }
}
