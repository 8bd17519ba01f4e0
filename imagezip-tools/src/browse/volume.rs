//! A file system on a device, whichever it is.

use anyhow::Context;
use imagezip_core::device::ReadAt;
use imagezip_core::error::{CorruptKind, ErrorKind, Limit, Result};
use imagezip_core::filesystem::Content;
use imagezip_core::filesystem::ext;
use imagezip_core::filesystem::ext::files::{FileKind, Files, Inode, Timestamp};
use imagezip_core::sector::Bytes;

use super::fat::{self, Fat};

/// The most entries of a directory that are taken into memory.
pub(super) const MAX_CHILDREN: usize = 1 << 22;

/// A file system.
pub struct Volume<'a>(System<'a>);

enum System<'a> {
    Ext(Box<Files<'a>>),
    Fat(Fat<'a>),
}

/// A file, a directory or anything else that has a name in a file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node(NodeOf);

#[derive(Clone, Debug, PartialEq, Eq)]
enum NodeOf {
    Ext(Inode),
    Fat(fat::Node),
}

/// A name in a directory, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The name: at least a byte, none of them 0 or `/`.
    pub name: Vec<u8>,
    is: ChildOf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ChildOf {
    Inode(u32),
    Fat(Box<fat::Node>),
}

impl<'a> Volume<'a> {
    /// The file system that fills `device`; `None` if it is none whose files can be read.
    ///
    /// # Errors
    /// If there is one and it is damaged, or has features that this program doesn't know, or the
    /// device can't be read.
    pub fn open(device: &'a dyn ReadAt) -> anyhow::Result<Option<Self>> {
        if ext::is_present(device)? {
            let files =
                Files::open(device).context("reading the ext2, ext3 or ext4 file system")?;
            return Ok(Some(Self(System::Ext(Box::new(files)))));
        }
        let fat = Fat::open(device).context("reading the FAT file system")?;
        Ok(fat.map(|fat| Self(System::Fat(fat))))
    }

    /// What kind of file system it is: `ext4`, `FAT32`.
    pub fn name(&self) -> String {
        match &self.0 {
            System::Ext(files) => files.kind().to_string(),
            System::Fat(fat) => fat.name().to_owned(),
        }
    }

    /// For people: why what is shown may not be what a mount would show.
    pub fn notes(&self) -> &[String] {
        match &self.0 {
            System::Ext(files) => files.notes(),
            System::Fat(_) => &[],
        }
    }

    /// What contents are read from: the device as it is after recovery.
    pub fn device(&self) -> &dyn ReadAt {
        match &self.0 {
            System::Ext(files) => files.device(),
            System::Fat(fat) => fat.device(),
        }
    }

    /// Whether recovery changes any of these bytes of the device.
    pub(super) fn recovery_changes(&self, start: Bytes, end: Bytes) -> bool {
        match &self.0 {
            System::Ext(files) => files.recovery_changes(start, end),
            System::Fat(_) => false,
        }
    }

    /// The root directory.
    ///
    /// # Errors
    /// As [`Volume::node`].
    pub fn root(&self) -> Result<Node> {
        match &self.0 {
            System::Ext(files) => files.root().map(|inode| Node(NodeOf::Ext(inode))),
            System::Fat(fat) => Ok(Node(NodeOf::Fat(fat.root()))),
        }
    }

    /// What an entry of a directory stands for.
    ///
    /// # Errors
    /// If it is damaged, or the device can't be read.
    pub fn node(&self, child: &Child) -> Result<Node> {
        match (&self.0, &child.is) {
            (System::Ext(files), ChildOf::Inode(number)) => {
                files.inode(*number).map(|inode| Node(NodeOf::Ext(inode)))
            }
            (System::Fat(_), ChildOf::Fat(node)) => Ok(Node(NodeOf::Fat((**node).clone()))),
            _ => Err(foreign()),
        }
    }

    /// The bytes of the device that say what an entry stands for, if they are not the directory's
    /// own: where they begin and end.
    pub(super) fn node_bytes(&self, child: &Child) -> Result<Option<(Bytes, Bytes)>> {
        match (&self.0, &child.is) {
            (System::Ext(files), ChildOf::Inode(number)) => {
                let (start, len) = files.locate(*number)?;
                Ok(start.checked_add(len).map(|end| (start, end)))
            }
            _ => Ok(None),
        }
    }

    /// The entries of a directory, by ascending name.
    ///
    /// # Errors
    /// If it is none or damaged, has more than four million, or the device can't be read.
    pub fn children(&self, directory: &Node) -> Result<Vec<Child>> {
        let mut children = Vec::new();
        match (&self.0, &directory.0) {
            (System::Ext(files), NodeOf::Ext(inode)) => {
                files.entries(inode, &mut |entry| {
                    if children.len() >= MAX_CHILDREN {
                        return Err(ErrorKind::TooLarge(Limit::Memory).into());
                    }
                    let is = ChildOf::Inode(entry.inode);
                    children.push(Child { name: entry.name.to_vec(), is });
                    Ok(())
                })?;
            }
            (System::Fat(fat), NodeOf::Fat(node)) => {
                let entries = fat.entries(node)?.into_iter();
                children.extend(entries.map(|entry| Child {
                    name: entry.name.into_bytes(),
                    is: ChildOf::Fat(Box::new(entry.node)),
                }));
            }
            _ => return Err(foreign()),
        }
        children.sort_by(|a, b| a.name.cmp(&b.name));
        // A name that is there twice is damage, and the first is found by a mount.
        children.dedup_by(|a, b| a.name == b.name);
        Ok(children)
    }

    /// The entry of that name in a directory.
    ///
    /// # Errors
    /// As [`Volume::children`].
    pub fn child(&self, directory: &Node, name: &[u8]) -> Result<Option<Child>> {
        let children = self.children(directory)?;
        let folded = |name: &[u8]| String::from_utf8_lossy(name).to_lowercase();
        let fat = matches!(self.0, System::Fat(_));
        let same = |child: &Child| child.name == name || fat && folded(&child.name) == folded(name);
        Ok(children.into_iter().find(same))
    }

    /// What a file, a directory or a symbolic link holds.
    ///
    /// # Errors
    /// If it is damaged or of a form that this program doesn't know, or the device can't be read.
    pub fn content(&self, node: &Node) -> Result<Content> {
        match (&self.0, &node.0) {
            (System::Ext(files), NodeOf::Ext(inode)) => files.content(inode),
            (System::Fat(fat), NodeOf::Fat(node)) => fat.content(node),
            _ => Err(foreign()),
        }
    }

    /// Where a symbolic link leads.
    ///
    /// # Errors
    /// If it is none or damaged, or the device can't be read.
    pub fn link_target(&self, node: &Node) -> Result<Vec<u8>> {
        match (&self.0, &node.0) {
            (System::Ext(files), NodeOf::Ext(inode)) => files.link_target(inode),
            _ => Err(foreign()),
        }
    }

    /// Reads the block with extended attributes of which `node` tells, if any, as it is stored
    /// after its head, which counts how many share the block.
    pub(super) fn attribute_block(&self, node: &Node) -> Result<Vec<u8>> {
        match (&self.0, &node.0) {
            (System::Ext(files), NodeOf::Ext(inode)) => files.attribute_block(inode),
            _ => Ok(Vec::new()),
        }
    }
}

/// That a node was asked of another file system than its own.
fn foreign() -> imagezip_core::Error {
    ErrorKind::Corrupt(CorruptKind::Directory).into()
}

impl Node {
    /// The kind of file.
    pub fn kind(&self) -> FileKind {
        match &self.0 {
            NodeOf::Ext(inode) => inode.kind(),
            NodeOf::Fat(node) if node.is_directory => FileKind::Directory,
            NodeOf::Fat(_) => FileKind::Regular,
        }
    }

    /// A number that no other directory of the file system has.
    pub(super) fn directory_id(&self) -> u64 {
        match &self.0 {
            NodeOf::Ext(inode) => inode.number().into(),
            NodeOf::Fat(node) => Fat::directory_id(node),
        }
    }

    /// The permissions; those of FAT are what is usual.
    pub fn permissions(&self) -> u16 {
        match &self.0 {
            NodeOf::Ext(inode) => inode.permissions(),
            NodeOf::Fat(node) => {
                let mode = if node.is_directory { 0o755 } else { 0o644 };
                if node.is_read_only { mode & !0o222 } else { mode }
            }
        }
    }

    /// The user and the group that it belongs to. FAT knows none.
    pub fn owner(&self) -> Option<(u32, u32)> {
        match &self.0 {
            NodeOf::Ext(inode) => Some(inode.owner()),
            NodeOf::Fat(_) => None,
        }
    }

    /// In how many directories it is. In FAT, in one.
    pub fn links(&self) -> u16 {
        match &self.0 {
            NodeOf::Ext(inode) => inode.links(),
            NodeOf::Fat(_) => 1,
        }
    }

    /// The size of what it holds in bytes. A directory of FAT says 0.
    pub fn size(&self) -> u64 {
        match &self.0 {
            NodeOf::Ext(inode) => inode.size(),
            NodeOf::Fat(node) => node.size,
        }
    }

    /// When what it holds was changed last, if that is known. In FAT that is local time, as if it
    /// were UTC.
    pub fn modified(&self) -> Option<Timestamp> {
        match &self.0 {
            NodeOf::Ext(inode) => Some(inode.modified()),
            NodeOf::Fat(node) => node.modified,
        }
    }

    /// The major and the minor number of a device.
    pub fn device_numbers(&self) -> Option<(u32, u32)> {
        match &self.0 {
            NodeOf::Ext(inode) => inode.device_numbers(),
            NodeOf::Fat(_) => None,
        }
    }

    /// Whether permissions, owner, flags or the attributes that lie in the inode differ.
    pub(super) fn properties_differ(&self, other: &Self) -> bool {
        let flags = |node: &Self| match &node.0 {
            NodeOf::Ext(inode) => (inode.flags(), inode.attributes().to_vec()),
            NodeOf::Fat(node) => (node.is_read_only.into(), Vec::new()),
        };
        let rest = |node: &Self| (node.permissions(), node.owner());
        rest(self) != rest(other) || flags(self) != flags(other)
    }

    /// The block with further attributes; 0 if there is none.
    pub(super) fn attribute_block(&self) -> u64 {
        match &self.0 {
            NodeOf::Ext(inode) => inode.attribute_block(),
            NodeOf::Fat(_) => 0,
        }
    }
}
