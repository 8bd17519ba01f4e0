//! Where an output goes, and the file that gets its name there.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use crate::unfinished;

/// What a path names.
pub(super) enum Destination {
    StandardOutput,
    /// A device, a pipe or a file that somebody else has open.
    Special(PathBuf),
    /// A regular file, there or not; all symbolic links are followed.
    Regular(PathBuf),
}

/// Finds out what `path` names. Links are followed, so that their targets are replaced, not they.
pub(super) fn destination(path: &Path) -> io::Result<Destination> {
    if path == Path::new("-") || path == Path::new("/dev/stdout") {
        return Ok(Destination::StandardOutput);
    }
    // These are what others have open; a file that is put in their place is not.
    if ["/dev/fd", "/dev/stderr", "/proc"].iter().any(|dir| path.starts_with(dir)) {
        return Ok(Destination::Special(path.to_owned()));
    }
    let path = follow(path);
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(metadata) if !metadata.is_file() => Ok(Destination::Special(path)),
        Ok(_) => Ok(Destination::Regular(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.file_name().is_some() => {
            Ok(Destination::Regular(path))
        }
        Err(error) => Err(error),
    }
}

/// Follows the symbolic links that a path ends in; its end need not exist.
fn follow(path: &Path) -> PathBuf {
    // As many links as Linux follows; it refuses what has more.
    const LINKS_MAX: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&path) {
            Ok(target) => path = directory(&path).join(target),
            Err(_) => break,
        }
    }
    path
}

/// The directory that a file is in.
pub(super) fn directory(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file with a temporary name in the directory of `path`, with the owner and mode of the file
/// that it is to replace, if there is one.
pub(super) fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    // The error without the temporary name, which tells nobody anything.
    create_temporary(path).map_err(|error| error.kind().into())
}

fn create_temporary(path: &Path) -> io::Result<NamedTempFile> {
    let mut options = tempfile::Builder::new();
    options.prefix(OsStr::new(".imagezip-")).suffix(".tmp");
    let Ok(old) = fs::metadata(path) else {
        // As any new file: the umask takes away what the user doesn't want.
        return options.permissions(Permissions::from_mode(0o666)).tempfile_in(directory(path));
    };
    let file = options.tempfile_in(directory(path))?;
    // Only root may give files away; nobody shall get rights through a wrong group.
    let _ = fchown(file.as_file(), Some(old.uid()), None);
    let same_group = fchown(file.as_file(), None, Some(old.gid())).is_ok();
    let mode = old.mode() & if same_group { 0o777 } else { 0o707 };
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    Ok(file)
}

/// Waits until the names in the directory of `path` are on the disk.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    // Not every directory can be read by who may write to it, and not every file system has
    // directories that can be waited for.
    let Ok(directory) = File::open(directory(path)) else { return Ok(()) };
    match directory.sync_all() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

/// Gives a file the name `path` if no file has that name; whether it has it then.
///
/// NFS and most file systems in user space can't do both in one step. There a file that somebody
/// else makes in between would be replaced, as it would be when this one is finished. A second,
/// hard link would do, but leaves NFS with the first name, and others with two ideas of the size.
fn rename_to_new(from: &Path, path: &Path) -> bool {
    match rustix::fs::renameat_with(CWD, from, CWD, path, RenameFlags::NOREPLACE) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(_) => {
            let free = fs::symlink_metadata(path)
                .is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
            free && fs::rename(from, path).is_ok()
        }
    }
}

/// A regular file in the making. Dropping it removes it.
#[derive(Debug)]
pub(super) struct NamedFile {
    file: File,
    /// Under which name the file is now.
    now: unfinished::Guard,
    /// The name that it is to have.
    path: PathBuf,
}

impl NamedFile {
    /// A file that has the name `path`, if no file has that yet, or gets it at the end.
    ///
    /// It holds one zero byte. A file of no bytes would be a complete image: an empty delta.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        unfinished::making(|| Self::create_guarded(path))
    }

    fn create_guarded(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let temporary = temporary(&path)?;
        temporary.as_file().write_all_at(&[0], 0)?;
        let (file, name) = temporary.keep().map_err(|error| error.error)?;
        let in_place = rename_to_new(&name, &path);
        let now = unfinished::Guard::new(if in_place { &path } else { &name })?;
        Ok(Self { file, now, path })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its name for good.
    pub(super) fn keep(self, sync: bool) -> io::Result<()> {
        if self.now.path() != self.path {
            fs::rename(self.now.path(), &self.path)?;
        }
        self.now.disarm();
        if sync { sync_directory(&self.path) } else { Ok(()) }
    }
}
