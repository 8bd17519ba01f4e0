//! The entries of a directory.
//!
//! The nodes of a directory's index look like blocks without entries, so that a directory with an
//! index is read as one without.

use crate::error::{CorruptKind, Error, ErrorKind, Result};
use crate::layout::Layout;

use super::inode::FileKind;

/// An entry of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The name: 1 to 255 bytes, none of them 0 or `/`.
    pub name: &'a [u8],
    /// The file's inode.
    pub inode: u32,
    /// The kind of file, if the file system says so here.
    pub kind: Option<FileKind>,
}

/// The part of an entry that comes before the name.
///
/// Offsets: Linux, Documentation/filesystems/ext4, "Directory Entries".
const HEAD: usize = 8;
/// The size of entries is a multiple of this.
const ALIGNMENT: usize = 4;

/// That a directory is damaged.
pub(super) fn damaged() -> Error {
    ErrorKind::Corrupt(CorruptKind::Directory).into()
}

/// Tells of the entries in a block. `types`: the file system keeps the kinds of files here.
pub(super) fn visit(
    mut block: &[u8],
    types: bool,
    visit: &mut dyn FnMut(Entry<'_>) -> Result<()>,
) -> Result<()> {
    while !block.is_empty() {
        let head = Layout::<HEAD>::new(block).ok_or_else(damaged)?;
        let len = match usize::from(head.u16::<0x4>()) {
            // The two ways to write the size of an entry that fills the largest block.
            0 | 0xffff if block.len() == 0x1_0000 => block.len(),
            len => len,
        };
        let name_len = if types { head.u8::<0x6>().into() } else { usize::from(head.u16::<0x6>()) };
        let bytes = block.get(..len).filter(|_| len >= HEAD && len.is_multiple_of(ALIGNMENT));
        let bytes = bytes.ok_or_else(damaged)?;
        let inode = head.u32::<0x0>();
        if inode != 0 {
            let name = bytes.get(HEAD..).and_then(|rest| rest.get(..name_len));
            let name = name.filter(|name| is_name(name)).ok_or_else(damaged)?;
            if name != b"." && name != b".." {
                let kind = Some(head.u8::<0x7>()).filter(|_| types).and_then(FileKind::of_entry);
                visit(Entry { name, inode, kind })?;
            }
        }
        block = block.get(len..).unwrap_or_default();
    }
    Ok(())
}

fn is_name(bytes: &[u8]) -> bool {
    (1..=255).contains(&bytes.len()) && !bytes.iter().any(|byte| matches!(byte, 0 | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn any_bytes_end(mut block in prop::collection::vec(any::<u8>(), 0..400), types: bool) {
            // Sizes that make sense let it go further.
            for at in (4..block.len()).step_by(16) {
                block[at] = 16;
            }
            let mut names: Vec<Vec<u8>> = Vec::new();
            let _ = visit(&block, types, &mut |entry| {
                names.push(entry.name.into());
                Ok(())
            });
            prop_assert!(names.iter().all(|name| is_name(name)));
        }
    }

    #[test]
    fn entries_are_found() {
        let block = b"\x02\0\0\0\x0c\0\x01\x02.\0\0\0\x02\0\0\0\x0c\0\x02\x02..\0\0\
                      \x0c\0\0\0\x0c\0\x03\x01abc\0\0\0\0\0\x0c\0\0\xde\x01\x02\x03\x04";
        let mut found = Vec::new();
        visit(block, true, &mut |entry| {
            found.push((entry.name.to_vec(), entry.inode, entry.kind));
            Ok(())
        })
        .unwrap();
        assert_eq!(found, [(b"abc".to_vec(), 12, Some(FileKind::Regular))]);
    }
}
