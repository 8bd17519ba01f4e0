//! The library's file-system traits on top of an `Export`.

use super::export::{Answer, Export, Listed};
use nfs3_server::nfs3_types::nfs3::{createverf3, fattr3, filename3, nfspath3, sattr3, stable_how};
use nfs3_server::vfs::{
    DirEntryPlus, FileHandleU64, NextResult, NfsFileSystem, NfsReadFileSystem, ReadDirPlusIterator,
    VFSCapabilities,
};
use std::sync::Arc;
use std::vec::IntoIter;
use tokio::task::block_in_place;

/// A shared export; each start of the server takes a clone.
#[derive(Debug, Clone)]
pub(super) struct Vfs(pub(super) Arc<Export>);

impl Vfs {
    fn with_attributes(&self, inode: u64) -> Answer<(FileHandleU64, fattr3)> {
        Ok((FileHandleU64::new(inode), self.0.getattr(inode)?))
    }
}

impl NfsReadFileSystem for Vfs {
    type Handle = FileHandleU64;

    fn root_dir(&self) -> FileHandleU64 {
        FileHandleU64::new(self.0.root())
    }

    async fn lookup(
        &self,
        directory: &FileHandleU64,
        name: &filename3<'_>,
    ) -> Answer<FileHandleU64> {
        self.0.lookup(directory.as_u64(), name.as_ref()).map(FileHandleU64::new)
    }

    async fn getattr(&self, id: &FileHandleU64) -> Answer<fattr3> {
        self.0.getattr(id.as_u64())
    }

    async fn read(&self, id: &FileHandleU64, offset: u64, count: u32) -> Answer<(Vec<u8>, bool)> {
        block_in_place(|| self.0.read(id.as_u64(), offset, count))
    }

    async fn readdirplus(
        &self,
        directory: &FileHandleU64,
        cookie: u64,
    ) -> Answer<impl ReadDirPlusIterator<FileHandleU64>> {
        block_in_place(|| self.0.list(directory.as_u64(), cookie))
            .map(|entries| Listing(entries.into_iter()))
    }

    async fn readlink(&self, id: &FileHandleU64) -> Answer<nfspath3<'_>> {
        self.0.readlink(id.as_u64()).map(nfspath3::from)
    }
}

impl NfsFileSystem for Vfs {
    fn capabilities(&self) -> VFSCapabilities {
        if self.0.monitor.read_only() {
            VFSCapabilities::ReadOnly
        } else {
            VFSCapabilities::ReadWrite
        }
    }

    async fn setattr(&self, id: &FileHandleU64, attributes: sattr3) -> Answer<fattr3> {
        self.0.setattr(id.as_u64(), &attributes)
    }

    async fn write(
        &self,
        id: &FileHandleU64,
        offset: u64,
        data: &[u8],
        stable: stable_how,
    ) -> Answer<(fattr3, stable_how)> {
        block_in_place(|| self.0.write(id.as_u64(), offset, data, stable))
            .map(|attributes| (attributes, stable))
    }

    async fn create(
        &self,
        directory: &FileHandleU64,
        name: &filename3<'_>,
        attributes: sattr3,
    ) -> Answer<(FileHandleU64, fattr3)> {
        self.with_attributes(self.0.create(directory.as_u64(), name.as_ref(), &attributes)?)
    }

    async fn create_exclusive(
        &self,
        directory: &FileHandleU64,
        name: &filename3<'_>,
        verifier: createverf3,
    ) -> Answer<FileHandleU64> {
        self.0.create_exclusive(directory.as_u64(), name.as_ref(), verifier).map(FileHandleU64::new)
    }

    async fn mkdir(
        &self,
        directory: &FileHandleU64,
        name: &filename3<'_>,
    ) -> Answer<(FileHandleU64, fattr3)> {
        self.with_attributes(self.0.mkdir(directory.as_u64(), name.as_ref())?)
    }

    async fn remove(&self, directory: &FileHandleU64, name: &filename3<'_>) -> Answer<()> {
        self.0.remove(directory.as_u64(), name.as_ref())
    }

    async fn rename<'a>(
        &self,
        from_directory: &FileHandleU64,
        from: &filename3<'a>,
        to_directory: &FileHandleU64,
        to: &filename3<'a>,
    ) -> Answer<()> {
        self.0
            .rename((from_directory.as_u64(), from.as_ref()), (to_directory.as_u64(), to.as_ref()))
    }

    async fn symlink<'a>(
        &self,
        directory: &FileHandleU64,
        name: &filename3<'a>,
        target: &nfspath3<'a>,
        _attributes: &sattr3,
    ) -> Answer<(FileHandleU64, fattr3)> {
        self.with_attributes(self.0.symlink(directory.as_u64(), name.as_ref(), target.as_ref())?)
    }

    async fn commit(&self, id: &FileHandleU64, _offset: u64, _count: u32) -> Answer<()> {
        block_in_place(|| self.0.commit(id.as_u64()))
    }
}

/// The rest of a directory.
#[derive(Debug)]
pub(super) struct Listing(IntoIter<Listed>);

impl ReadDirPlusIterator<FileHandleU64> for Listing {
    async fn next(&mut self) -> NextResult<DirEntryPlus<FileHandleU64>> {
        match self.0.next() {
            None => NextResult::Eof,
            Some(entry) => NextResult::Ok(DirEntryPlus {
                fileid: entry.inode,
                name: filename3::from(entry.name),
                cookie: entry.inode,
                name_attributes: Some(entry.attributes),
                name_handle: Some(FileHandleU64::new(entry.inode)),
            }),
        }
    }
}
