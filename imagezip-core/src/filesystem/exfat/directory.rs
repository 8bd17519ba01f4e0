//! The directories: which clusters they say that files have.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, Limit, Result};
use crate::filesystem::clusters::ClusterSet;
use crate::layout::Layout;

use super::boot_region::Geometry;
use super::chain::{Chain, Stream};

/// The size of an entry in bytes.
const ENTRY: usize = 32;

/// How much of a directory is read at once.
const PIECE: u64 = 64 << 10;

/// The most directories that wait to be read. Their list takes 24 MiB.
const MAX_WAITING: usize = 1 << 20;

/// An entry of a directory (docs/format.md, "exFAT").
struct View<'a>(Layout<'a, ENTRY>);

#[rustfmt::skip]
impl View<'_> {
    fn kind(&self) -> u8 { self.0.u8::<0>() }
    /// Of what belongs to a file.
    fn flags(&self) -> u8 { self.0.u8::<1>() }
    /// Of a file.
    fn attributes(&self) -> u16 { self.0.u16::<4>() }
    fn first_cluster(&self) -> u32 { self.0.u32::<20>() }
    fn len(&self) -> u64 { self.0.u64::<24>() }
}

/// An entry that has clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// An allocation bitmap.
    Bitmap(Stream),
    Directory(Stream),
    /// A file, the table of capital letters, or what a vendor keeps beside a file.
    Other(Stream),
}

impl Entry {
    fn stream(self) -> Stream {
        match self {
            Self::Bitmap(stream) | Self::Directory(stream) | Self::Other(stream) => stream,
        }
    }
}

/// Takes the entries of one directory apart, which come in pieces.
#[derive(Default)]
struct Entries {
    /// Whether the last file's first entry was that of a directory.
    is_directory: bool,
}

impl Entries {
    /// The entry that these bytes are, if it is in use and has clusters.
    fn next(&mut self, view: &View<'_>, geometry: &Geometry) -> Option<Entry> {
        let stream = |is_contiguous| {
            let first = geometry.heap.index(view.first_cluster())?;
            Some(Stream { first, len: view.len(), is_contiguous })
        };
        let (has_clusters, is_contiguous) = (view.flags() & 1 != 0, view.flags() & 2 != 0);
        match view.kind() {
            0x81 => stream(false).map(Entry::Bitmap),
            0x82 => stream(false).map(Entry::Other),
            0x85 => {
                self.is_directory = view.attributes() & 0x10 != 0;
                None
            }
            0xc0 if has_clusters && self.is_directory => {
                stream(is_contiguous).map(Entry::Directory)
            }
            0xc0.. if has_clusters => stream(is_contiguous).map(Entry::Other),
            _ => None,
        }
    }
}

/// Reads the entries in a cluster of a directory.
fn read_cluster(
    device: &dyn ReadAt,
    geometry: &Geometry,
    index: u32,
    entries: &mut Entries,
    mut found: impl FnMut(Entry) -> Result<()>,
) -> Result<()> {
    let start = geometry.heap.position(index).ok_or(ErrorKind::Truncated)?;
    let cluster = geometry.heap.cluster_bytes;
    let mut piece = vec![0; usize::try_from(cluster.min(PIECE)).unwrap_or_default()];
    let mut at = 0;
    while at < cluster {
        device.read_at(start.checked_add(at).ok_or(ErrorKind::Truncated)?, &mut piece)?;
        for view in piece.chunks_exact(ENTRY).filter_map(Layout::new).map(View) {
            entries.next(&view, geometry).map(&mut found).transpose()?;
        }
        at = at.saturating_add(PIECE);
    }
    Ok(())
}

/// The allocation bitmaps that the root directory has: of more than two only two.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn bitmaps(device: &dyn ReadAt, geometry: &Geometry) -> Result<Vec<Stream>> {
    let mut bitmaps = Vec::new();
    let mut visited = ClusterSet::new(geometry.heap.clusters)?;
    let mut entries = Entries::default();
    let mut chain = Chain::new(device, geometry, geometry.root);
    while let Some(index) = chain.next(&mut visited)? {
        read_cluster(device, geometry, index, &mut entries, |entry| {
            match entry {
                Entry::Bitmap(stream) if bitmaps.len() < 2 => bitmaps.push(stream),
                _ => {}
            }
            Ok(())
        })?;
    }
    Ok(bitmaps)
}

/// Follows all directories, and marks what they refer to.
struct Walk<'a> {
    device: &'a dyn ReadAt,
    geometry: &'a Geometry,
    in_use: &'a mut ClusterSet,
    /// The clusters of chains that are in `in_use`.
    walked: ClusterSet,
    /// The clusters of directories that were read.
    read: ClusterSet,
    /// The directories that are yet to be read.
    waiting: Vec<Stream>,
    /// How many clusters the contiguous files may still have together.
    contiguous_left: u64,
    added: u64,
}

/// Adds to `in_use` the clusters of all directories and of the files in them. Returns how many of
/// them were not in use before.
///
/// # Errors
/// `Corrupt(Directory)` if files share very many clusters, `TooLarge(Metadata)` if there are too
/// many directories, and `Read` if the device fails.
pub(super) fn walk(
    device: &dyn ReadAt,
    geometry: &Geometry,
    in_use: &mut ClusterSet,
) -> Result<u64> {
    let clusters = geometry.heap.clusters;
    let mut walk = Walk {
        device,
        geometry,
        in_use,
        walked: ClusterSet::new(clusters)?,
        read: ClusterSet::new(clusters)?,
        waiting: Vec::new(),
        // Files don't share clusters, but those of one that is being deleted may be in use again.
        contiguous_left: u64::from(clusters).saturating_mul(2),
        added: 0,
    };
    let root = Stream { first: geometry.root, len: 0, is_contiguous: false };
    walk.found(Entry::Directory(root))?;
    while let Some(directory) = walk.waiting.pop() {
        walk.directory(directory)?;
    }
    Ok(walk.added)
}

impl Walk<'_> {
    /// Marks the clusters of an entry.
    fn found(&mut self, entry: Entry) -> Result<()> {
        let stream = entry.stream();
        if stream.is_contiguous {
            let left = self.contiguous_left.checked_sub(stream.clusters(self.geometry));
            let shared = || ErrorKind::Corrupt(CorruptKind::Directory);
            self.contiguous_left = left.ok_or_else(shared)?;
            stream.side_by_side(self.geometry).for_each(|index| self.add(index));
        } else {
            let mut chain = Chain::new(self.device, self.geometry, stream.first);
            while let Some(index) = chain.next(&mut self.walked)? {
                self.add(index);
            }
        }
        if matches!(entry, Entry::Directory(_)) && !self.read.contains(stream.first) {
            if self.waiting.len() >= MAX_WAITING {
                return Err(ErrorKind::TooLarge(Limit::Metadata).into());
            }
            self.waiting.push(stream);
        }
        Ok(())
    }

    fn add(&mut self, index: u32) {
        if self.in_use.insert(index) {
            self.added = self.added.saturating_add(1);
        }
    }

    /// Reads those clusters of a directory that were not read yet.
    fn directory(&mut self, stream: Stream) -> Result<()> {
        let mut entries = Entries::default();
        if stream.is_contiguous {
            for index in stream.side_by_side(self.geometry) {
                if self.read.insert(index) {
                    self.cluster(index, &mut entries)?;
                }
            }
        } else {
            let mut chain = Chain::new(self.device, self.geometry, stream.first);
            while let Some(index) = chain.next(&mut self.read)? {
                self.cluster(index, &mut entries)?;
            }
        }
        Ok(())
    }

    fn cluster(&mut self, index: u32, entries: &mut Entries) -> Result<()> {
        let (device, geometry) = (self.device, self.geometry);
        read_cluster(device, geometry, index, entries, |entry| self.found(entry))
    }
}
