//! The files of a file system, for reading.
//!
//! They are shown as they are after the recovery of the journal, which is done in memory: as a
//! mount would show them. What damage there is concerns the file that it is in; all others can be
//! read.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{CorruptKind, Error, ErrorKind, IncompatibleKind, Result};
use crate::filesystem::{Content, FilesystemKind};
use crate::sector::Bytes;

use super::features::Incompat;
use super::inode::{Source, locate_inode, read_inode};
use super::journal::{Overlay, recover};
use super::superblock::Superblock;
use super::{extent_tree, indirect, kind};

mod directory;
mod inode;
mod places;

pub use directory::Entry;
pub use inode::{FileKind, Inode, Timestamp};
use places::SparseMap;

/// The inode of the root directory.
const ROOT: u32 = 2;

/// A file system whose files can be read.
pub struct Files<'a> {
    state: State<'a>,
    superblock: Superblock,
    notes: Vec<String>,
}

/// How the file system was left.
enum State<'a> {
    /// All of it is in its place.
    Clean(&'a dyn ReadAt),
    /// A part of it is in the journal.
    Recovered(Overlay<'a>),
}

impl<'a> Files<'a> {
    /// The file system that fills `device`.
    ///
    /// # Errors
    /// `Corrupt` if the superblock is damaged or none, `Incompatible` if the file system has
    /// features that this program doesn't know, and `Read` if the device fails.
    pub fn open(device: &'a dyn ReadAt) -> Result<Self> {
        let superblock = Superblock::read(device)?;
        let mut notes = Vec::new();
        if superblock.state.has_errors() {
            notes.push("it is marked as having errors".into());
        }
        if !superblock.features.incompat.has(Incompat::RECOVER) {
            if superblock.journal.is_none() && !superblock.state.is_valid() {
                notes.push("it has no journal and was not unmounted cleanly".into());
            }
            return Ok(Self { state: State::Clean(device), superblock, notes });
        }
        match recover(device, &superblock) {
            Ok(recovered) => {
                if recovered.fast_commits {
                    notes.push(
                        "its journal ends with fast commits: what they changed is not shown".into(),
                    );
                }
                let state = State::Recovered(recovered.device);
                Ok(Self { state, superblock: recovered.superblock, notes })
            }
            Err(error @ Error { kind: ErrorKind::Read(_), .. }) => Err(error),
            Err(error) => {
                let what = "is shown as it is without it, and may be inconsistent";
                notes.push(alloc::format!("its journal can't be replayed ({error}); it {what}"));
                Ok(Self { state: State::Clean(device), superblock, notes })
            }
        }
    }

    /// The kind of file system.
    pub fn kind(&self) -> FilesystemKind {
        kind(&self.superblock)
    }

    /// For people: why what is shown may not be what a mount would show.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The device as it is after recovery: what the contents of files are read from.
    pub fn device(&self) -> &dyn ReadAt {
        match &self.state {
            State::Clean(device) => *device,
            State::Recovered(device) => device,
        }
    }

    /// Whether recovery changes any of these bytes of the device.
    pub fn recovery_changes(&self, start: Bytes, end: Bytes) -> bool {
        match &self.state {
            State::Clean(_) => false,
            State::Recovered(device) => device.touches(start, end),
        }
    }

    /// The root directory.
    ///
    /// # Errors
    /// As [`Files::inode`].
    pub fn root(&self) -> Result<Inode> {
        self.inode(ROOT)
    }

    /// Inode `number`.
    ///
    /// # Errors
    /// `Corrupt` if there is no such inode, or it is damaged; `Read` if the device fails.
    pub fn inode(&self, number: u32) -> Result<Inode> {
        let device = self.device();
        let fault = CorruptKind::Inode;
        let (bytes, seed) = read_inode(device, &self.superblock, number, fault)?;
        Inode::new(number, bytes, seed).ok_or_else(|| ErrorKind::Corrupt(fault).into())
    }

    /// Where inode `number` begins on the device, and its size in bytes.
    ///
    /// # Errors
    /// As [`Files::inode`].
    pub fn locate(&self, number: u32) -> Result<(Bytes, u64)> {
        let fault = CorruptKind::Inode;
        let position = locate_inode(self.device(), &self.superblock, number, fault)?;
        Ok((position, self.superblock.geometry.inode_size.into()))
    }

    /// What a file, a directory or a symbolic link holds. Other kinds of files hold nothing.
    ///
    /// # Errors
    /// `Corrupt` if it is damaged, `Incompatible` if it is encrypted or stored in a form that this
    /// program doesn't know, `TooLarge` if it is in more pieces than this program follows, and
    /// `Read` if the device fails.
    pub fn content(&self, inode: &Inode) -> Result<Content> {
        if inode.is_encrypted() {
            return Err(ErrorKind::Incompatible(IncompatibleKind::EncryptedFile).into());
        }
        if let Some(content) = inode.inline_content()? {
            return Ok(content);
        }
        if !matches!(inode.kind(), FileKind::Regular | FileKind::Directory | FileKind::Symlink) {
            return Ok(Content::inline(Vec::new()));
        }
        let source = Source {
            device: self.device(),
            superblock: &self.superblock,
            seed: Some(inode.seed()),
            fault: CorruptKind::Inode,
        };
        let mut map = SparseMap::new(self.superblock.geometry.block_size(), inode.size());
        if inode.has_extents() {
            extent_tree::walk(source, &inode.block_map(), &mut map)?;
        } else {
            indirect::walk(source, &inode.block_map(), &mut map)?;
        }
        map.content()
    }

    /// Tells `visit` of the entries of a directory in the order in which they are stored, without
    /// those for itself and its parent, until it fails.
    ///
    /// # Errors
    /// As [`Files::content`], and those of `visit`.
    pub fn entries(
        &self,
        directory: &Inode,
        visit: &mut dyn FnMut(Entry<'_>) -> Result<()>,
    ) -> Result<()> {
        if directory.kind() != FileKind::Directory {
            return Err(directory::damaged());
        }
        let content = self.content(directory)?;
        let types = self.superblock.features.incompat.has(Incompat::FILETYPE);
        if inode::is_inline(directory) {
            let size = usize::try_from(content.size()).unwrap_or_default();
            let mut bytes = vec![0; size];
            content.read(self.device(), 0, &mut bytes)?;
            // The parent's number comes in place of the entries for the two. What is an attribute
            // has entries of its own.
            let (first, rest) = bytes.split_at(inode::BLOCK_MAP.min(size));
            directory::visit(first.get(4..).unwrap_or_default(), types, visit)?;
            return directory::visit(rest, types, visit);
        }
        let mut block = vec![0; self.superblock.geometry.block_size().len()];
        let mut at = 0_u64;
        while let Some((from, _)) = content.data_after(at) {
            let size = u64::try_from(block.len()).unwrap_or(u64::MAX).max(1);
            // A hole may begin and end anywhere for all that is known here.
            at = from.checked_div(size).unwrap_or(0).saturating_mul(size);
            let read = content.read(self.device(), at, &mut block)?;
            directory::visit(block.get(..read).unwrap_or_default(), types, visit)?;
            at = at.saturating_add(size);
        }
        Ok(())
    }

    /// What is in the block with extended attributes of a file after its head, which counts how
    /// many files share it; nothing if there is no such block.
    ///
    /// # Errors
    /// `Corrupt` if the block can't be in the file system, `Read` if the device fails.
    pub fn attribute_block(&self, inode: &Inode) -> Result<Vec<u8>> {
        const HEAD: usize = 32;
        let number = inode.attribute_block();
        if number == 0 {
            return Ok(Vec::new());
        }
        let source = Source {
            device: self.device(),
            superblock: &self.superblock,
            seed: None,
            fault: CorruptKind::Inode,
        };
        let mut block = source.read(number)?;
        block.drain(..HEAD.min(block.len()));
        Ok(block)
    }

    /// Where a symbolic link leads.
    ///
    /// # Errors
    /// As [`Files::content`]; `Corrupt` if it leads to nowhere or is longer than the system allows.
    pub fn link_target(&self, link: &Inode) -> Result<Vec<u8>> {
        const LONGEST: u64 = 4096;
        let damaged = || ErrorKind::Corrupt(CorruptKind::SymbolicLink);
        let content = self.content(link)?;
        let size = Some(content.size()).filter(|size| (1..=LONGEST).contains(size));
        let size = size.and_then(|size| usize::try_from(size).ok()).ok_or_else(damaged)?;
        let mut target = vec![0; size];
        content.read(self.device(), 0, &mut target)?;
        if link.kind() != FileKind::Symlink || target.contains(&0) {
            return Err(damaged().into());
        }
        Ok(target)
    }
}
