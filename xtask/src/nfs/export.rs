//! A directory of this machine as NFSv3 operations see it. Plain synchronous file access; the
//! protocol is `vfs.rs`'s and the library's.
//!
//! Users are not looked at: everything is done as whoever runs this process.

use super::faults::{Injected, Monitor, Operation, Refusal};
use super::handles::Handles;
use nfs3_server::nfs3_types::nfs3::{Nfs3Option, set_gid3, set_mode3, set_uid3};
use nfs3_server::nfs3_types::nfs3::{
    createverf3, fattr3, ftype3, nfsstat3, nfstime3, sattr3, set_atime, set_mtime, specdata3,
    stable_how,
};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// The most that one READ returns; the largest that the server announces.
const READ_LIMIT: usize = 1 << 20;

pub(super) type Answer<T> = Result<T, nfsstat3>;

/// The exported directory.
#[derive(Debug)]
pub(super) struct Export {
    root: PathBuf,
    device: u64,
    handles: Mutex<Handles>,
    /// The verifiers of files made by exclusive creates, to recognise a repeated request.
    verifiers: Mutex<BTreeMap<u64, [u8; 8]>>,
    pub(super) monitor: Monitor,
}

/// One entry of a directory.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) name: Vec<u8>,
    pub(super) inode: u64,
    pub(super) attributes: fattr3,
}

impl Export {
    pub(super) fn new(root: &Path) -> io::Result<Self> {
        let root = root.canonicalize()?;
        let metadata = fs::metadata(&root)?;
        if !metadata.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self {
            root,
            device: metadata.dev(),
            handles: Mutex::new(Handles::new(metadata.ino())),
            verifiers: Mutex::default(),
            monitor: Monitor::default(),
        })
    }

    pub(super) fn root(&self) -> u64 {
        lock(&self.handles).root()
    }

    pub(super) fn getattr(&self, inode: u64) -> Answer<fattr3> {
        self.enter(Operation::GetAttr)?;
        self.resolve(inode).map(|(_, metadata)| attributes(&metadata))
    }

    pub(super) fn lookup(&self, directory: u64, name: &[u8]) -> Answer<u64> {
        self.enter(Operation::Lookup)?;
        let inside = self.directory(directory)?;
        match name {
            b"." => Ok(directory),
            b".." => self.note(inside.parent().unwrap_or(Path::new("")).to_owned()),
            _ => self.note(inside.join(checked(name)?)),
        }
    }

    pub(super) fn readlink(&self, inode: u64) -> Answer<Vec<u8>> {
        self.enter(Operation::ReadLink)?;
        let (path, metadata) = self.resolve(inode)?;
        if !metadata.is_symlink() {
            return Err(nfsstat3::NFS3ERR_INVAL);
        }
        Ok(fs::read_link(path).map_err(|e| status(&e))?.into_os_string().into_vec())
    }

    /// The bytes, and whether the file ends with them.
    pub(super) fn read(&self, inode: u64, offset: u64, count: u32) -> Answer<(Vec<u8>, bool)> {
        self.enter(Operation::Read)?;
        let _under_way = self.monitor.serve(Operation::Read);
        self.monitor.pause(Operation::Read);
        let file = self.open(inode, OpenOptions::new().read(true))?;
        let length = file.metadata().map_err(|e| status(&e))?.len();
        let left = usize::try_from(length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut data = vec![0; left.min(count as usize).min(READ_LIMIT)];
        file.read_exact_at(&mut data, offset).map_err(|e| status(&e))?;
        self.monitor.has_read(data.len());
        let end = offset.saturating_add(data.len() as u64) >= length;
        Ok((data, end))
    }

    pub(super) fn write(
        &self,
        inode: u64,
        offset: u64,
        data: &[u8],
        stable: stable_how,
    ) -> Answer<fattr3> {
        self.enter(Operation::Write)?;
        let _under_way = self.monitor.serve(Operation::Write);
        self.monitor.pause(Operation::Write);
        let file = self.open(inode, OpenOptions::new().write(true))?;
        self.monitor.take_space(data.len()).map_err(injected)?;
        match self.monitor.damage(offset, data.len()) {
            None => file.write_all_at(data, offset),
            Some(place) => {
                let mut damaged = data.to_vec();
                if let Some(byte) = damaged.get_mut(place) {
                    *byte = !*byte;
                }
                file.write_all_at(&damaged, offset)
            }
        }
        .map_err(|e| status(&e))?;
        if stable != stable_how::UNSTABLE {
            file.sync_all().map_err(|e| status(&e))?;
        }
        file.metadata().map(|metadata| attributes(&metadata)).map_err(|e| status(&e))
    }

    pub(super) fn commit(&self, inode: u64) -> Answer<()> {
        self.enter(Operation::Commit)?;
        let _under_way = self.monitor.serve(Operation::Commit);
        self.monitor.pause(Operation::Commit);
        // Syncing through any open file syncs what was written through others.
        let file = self.open(inode, OpenOptions::new().read(true))?;
        file.sync_all().map_err(|e| status(&e))
    }

    pub(super) fn create(&self, directory: u64, name: &[u8], attr: &sattr3) -> Answer<u64> {
        self.enter(Operation::Create)?;
        let path = self.directory(directory)?.join(checked(name)?);
        let full = self.root.join(&path);
        // Opening would follow a link out of the export.
        if fs::symlink_metadata(&full).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(nfsstat3::NFS3ERR_EXIST);
        }
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&full)
            .map_err(|e| status(&e))?;
        apply(&file, attr)?;
        self.note(path)
    }

    pub(super) fn create_exclusive(
        &self,
        directory: u64,
        name: &[u8],
        verifier: createverf3,
    ) -> Answer<u64> {
        self.enter(Operation::Create)?;
        let path = self.directory(directory)?.join(checked(name)?);
        let made = OpenOptions::new().write(true).create_new(true).open(self.root.join(&path));
        match made {
            Ok(_) => {
                let inode = self.note(path)?;
                lock(&self.verifiers).insert(inode, verifier.0);
                Ok(inode)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let inode = self.note(path)?;
                let same = lock(&self.verifiers).get(&inode) == Some(&verifier.0);
                if same { Ok(inode) } else { Err(nfsstat3::NFS3ERR_EXIST) }
            }
            Err(error) => Err(status(&error)),
        }
    }

    pub(super) fn mkdir(&self, directory: u64, name: &[u8]) -> Answer<u64> {
        self.enter(Operation::MkDir)?;
        let path = self.directory(directory)?.join(checked(name)?);
        fs::create_dir(self.root.join(&path)).map_err(|e| status(&e))?;
        self.note(path)
    }

    pub(super) fn symlink(&self, directory: u64, name: &[u8], target: &[u8]) -> Answer<u64> {
        self.enter(Operation::Symlink)?;
        let path = self.directory(directory)?.join(checked(name)?);
        std::os::unix::fs::symlink(OsStr::from_bytes(target), self.root.join(&path))
            .map_err(|e| status(&e))?;
        self.note(path)
    }

    /// Removes a file or an empty directory.
    pub(super) fn remove(&self, directory: u64, name: &[u8]) -> Answer<()> {
        self.enter(Operation::Remove)?;
        let path = self.directory(directory)?.join(checked(name)?);
        let full = self.root.join(&path);
        let metadata = fs::symlink_metadata(&full).map_err(|e| status(&e))?;
        let removed = if metadata.is_dir() { fs::remove_dir(full) } else { fs::remove_file(full) };
        removed.map_err(|e| status(&e))?;
        lock(&self.handles).forget(&path);
        lock(&self.verifiers).remove(&metadata.ino());
        Ok(())
    }

    pub(super) fn rename(&self, from: (u64, &[u8]), to: (u64, &[u8])) -> Answer<()> {
        self.enter(Operation::Rename)?;
        let old = self.directory(from.0)?.join(checked(from.1)?);
        let new = self.directory(to.0)?.join(checked(to.1)?);
        fs::rename(self.root.join(&old), self.root.join(&new)).map_err(|e| status(&e))?;
        lock(&self.handles).rename(&old, &new);
        Ok(())
    }

    pub(super) fn setattr(&self, inode: u64, attr: &sattr3) -> Answer<fattr3> {
        self.enter(Operation::SetAttr)?;
        let (path, metadata) = self.resolve(inode)?;
        if metadata.is_file() || metadata.is_dir() {
            let mut options = OpenOptions::new();
            let resize = matches!(attr.size, Nfs3Option::Some(_));
            options.read(!resize).write(resize);
            apply(&options.open(&path).map_err(|e| status(&e))?, attr)?;
        }
        if let (set_uid3::None, set_gid3::None) = (&attr.uid, &attr.gid) {
        } else {
            let uid = if let set_uid3::Some(uid) = attr.uid { Some(uid) } else { None };
            let gid = if let set_gid3::Some(gid) = attr.gid { Some(gid) } else { None };
            std::os::unix::fs::lchown(&path, uid, gid).map_err(|e| status(&e))?;
        }
        self.resolve(inode).map(|(_, metadata)| attributes(&metadata))
    }

    /// The entries of a directory by inode, from the first beyond `after`. The inode is also the
    /// cookie, so removing entries while listing them skips nothing.
    pub(super) fn list(&self, directory: u64, after: u64) -> Answer<Vec<Listed>> {
        self.enter(Operation::ReadDir)?;
        let inside = self.directory(directory)?;
        let mut listed = Vec::new();
        for entry in fs::read_dir(self.root.join(&inside)).map_err(|e| status(&e))? {
            let entry = entry.map_err(|e| status(&e))?;
            // An entry that is gone by now is no entry.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.ino() > after && metadata.dev() == self.device {
                let name = entry.file_name();
                lock(&self.handles).insert(metadata.ino(), inside.join(&name));
                listed.push(Listed {
                    name: name.into_vec(),
                    inode: metadata.ino(),
                    attributes: attributes(&metadata),
                });
            }
        }
        listed.sort_by_key(|entry| entry.inode);
        Ok(listed)
    }

    fn enter(&self, operation: Operation) -> Answer<()> {
        self.monitor.enter(operation).map_err(injected)
    }

    /// Where a handle's file is; `STALE` if it is there no more.
    fn resolve(&self, inode: u64) -> Answer<(PathBuf, Metadata)> {
        let path = self.relative(inode)?;
        let full = self.root.join(path);
        let metadata = fs::symlink_metadata(&full).map_err(|_| nfsstat3::NFS3ERR_STALE)?;
        if metadata.ino() == inode && metadata.dev() == self.device {
            Ok((full, metadata))
        } else {
            Err(nfsstat3::NFS3ERR_STALE)
        }
    }

    fn relative(&self, inode: u64) -> Answer<PathBuf> {
        lock(&self.handles).path(inode).map(Path::to_owned).ok_or(nfsstat3::NFS3ERR_STALE)
    }

    /// A directory's path within the export.
    fn directory(&self, inode: u64) -> Answer<PathBuf> {
        let (_, metadata) = self.resolve(inode)?;
        if metadata.is_dir() { self.relative(inode) } else { Err(nfsstat3::NFS3ERR_NOTDIR) }
    }

    /// Opens a regular file; never follows a link, never blocks on a pipe.
    fn open(&self, inode: u64, options: &OpenOptions) -> Answer<File> {
        let (path, metadata) = self.resolve(inode)?;
        if !metadata.is_file() {
            return Err(nfsstat3::NFS3ERR_INVAL);
        }
        options.open(path).map_err(|e| status(&e))
    }

    /// Remembers what is at `path` (within the export) and returns its handle.
    fn note(&self, path: PathBuf) -> Answer<u64> {
        let metadata = fs::symlink_metadata(self.root.join(&path)).map_err(|e| status(&e))?;
        if metadata.dev() != self.device {
            // Inode numbers are unique on one file system only.
            return Err(nfsstat3::NFS3ERR_XDEV);
        }
        lock(&self.handles).insert(metadata.ino(), path);
        Ok(metadata.ino())
    }
}

/// A name that stays within its directory.
fn checked(name: &[u8]) -> Answer<&OsStr> {
    match name {
        b"" | b"." | b".." => Err(nfsstat3::NFS3ERR_INVAL),
        _ if name.contains(&b'/') || name.contains(&0) => Err(nfsstat3::NFS3ERR_INVAL),
        _ if name.len() > 255 => Err(nfsstat3::NFS3ERR_NAMETOOLONG),
        _ => Ok(OsStr::from_bytes(name)),
    }
}

fn apply(file: &File, attr: &sattr3) -> Answer<()> {
    if let Nfs3Option::Some(size) = attr.size {
        file.set_len(size).map_err(|e| status(&e))?;
    }
    if let set_mode3::Some(mode) = attr.mode {
        let permissions = Permissions::from_mode(mode & 0o7777);
        file.set_permissions(permissions).map_err(|e| status(&e))?;
    }
    let mut times = FileTimes::new();
    match attr.atime {
        set_atime::DONT_CHANGE => {}
        set_atime::SET_TO_SERVER_TIME => times = times.set_accessed(SystemTime::now()),
        set_atime::SET_TO_CLIENT_TIME(time) => times = times.set_accessed(system_time(time)),
    }
    match attr.mtime {
        set_mtime::DONT_CHANGE => {}
        set_mtime::SET_TO_SERVER_TIME => times = times.set_modified(SystemTime::now()),
        set_mtime::SET_TO_CLIENT_TIME(time) => times = times.set_modified(system_time(time)),
    }
    file.set_times(times).map_err(|e| status(&e))
}

fn attributes(metadata: &Metadata) -> fattr3 {
    let kind = metadata.file_type();
    let type_ = if kind.is_dir() {
        ftype3::NF3DIR
    } else if kind.is_symlink() {
        ftype3::NF3LNK
    } else if kind.is_block_device() {
        ftype3::NF3BLK
    } else if kind.is_char_device() {
        ftype3::NF3CHR
    } else if kind.is_fifo() {
        ftype3::NF3FIFO
    } else if kind.is_socket() {
        ftype3::NF3SOCK
    } else {
        ftype3::NF3REG
    };
    fattr3 {
        type_,
        mode: metadata.mode() & 0o7777,
        nlink: u32::try_from(metadata.nlink()).unwrap_or(u32::MAX),
        uid: metadata.uid(),
        gid: metadata.gid(),
        size: metadata.len(),
        used: metadata.blocks() * 512,
        rdev: specdata3::default(),
        fsid: metadata.dev(),
        fileid: metadata.ino(),
        atime: nfs_time(metadata.atime(), metadata.atime_nsec()),
        mtime: nfs_time(metadata.mtime(), metadata.mtime_nsec()),
        ctime: nfs_time(metadata.ctime(), metadata.ctime_nsec()),
    }
}

/// NFSv3 has unsigned seconds; what lies outside becomes 1970.
fn nfs_time(seconds: i64, nanoseconds: i64) -> nfstime3 {
    nfstime3 {
        seconds: u32::try_from(seconds).unwrap_or(0),
        nseconds: u32::try_from(nanoseconds).unwrap_or(0),
    }
}

fn system_time(time: nfstime3) -> SystemTime {
    let nanoseconds = time.nseconds.min(999_999_999);
    SystemTime::UNIX_EPOCH + Duration::new(time.seconds.into(), nanoseconds)
}

fn injected(fault: Injected) -> nfsstat3 {
    match fault {
        Injected::ReadOnly => nfsstat3::NFS3ERR_ROFS,
        Injected::NoSpace => nfsstat3::NFS3ERR_NOSPC,
        Injected::Failure => nfsstat3::NFS3ERR_IO,
        Injected::Refused(Refusal::Access) => nfsstat3::NFS3ERR_ACCES,
        Injected::Refused(Refusal::Stale) => nfsstat3::NFS3ERR_STALE,
    }
}

fn status(error: &io::Error) -> nfsstat3 {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::NotFound => nfsstat3::NFS3ERR_NOENT,
        Kind::PermissionDenied => nfsstat3::NFS3ERR_ACCES,
        Kind::AlreadyExists => nfsstat3::NFS3ERR_EXIST,
        Kind::NotADirectory => nfsstat3::NFS3ERR_NOTDIR,
        Kind::IsADirectory => nfsstat3::NFS3ERR_ISDIR,
        Kind::DirectoryNotEmpty => nfsstat3::NFS3ERR_NOTEMPTY,
        Kind::StorageFull => nfsstat3::NFS3ERR_NOSPC,
        Kind::QuotaExceeded => nfsstat3::NFS3ERR_DQUOT,
        Kind::FileTooLarge => nfsstat3::NFS3ERR_FBIG,
        Kind::ReadOnlyFilesystem => nfsstat3::NFS3ERR_ROFS,
        Kind::InvalidInput | Kind::InvalidFilename => nfsstat3::NFS3ERR_INVAL,
        _ => nfsstat3::NFS3ERR_IO,
    }
}

/// What is behind these locks is whole after each change, whatever a panicking thread was doing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
