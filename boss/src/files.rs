//! Files in directories where users may write, handled by root.
//!
//! A user can put a link where boss expects a file or a directory, at any moment. So nothing here
//! goes by a path: a [`Directory`] is opened once, each name is looked up in it without following
//! links, and owners and modes are set on what was opened.

mod content;
mod replace;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::fchown;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail, ensure};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

pub use content::{Contents, FileReader, copy, digest, read};
pub use replace::{TEMPORARY_AGE, is_temporary, temporary_name, token};

use crate::layout::Layout;

/// Whose a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// The mode of files of an experiment or a project.
pub const FILE_MODE: u32 = 0o660;
/// The mode of their directories: what is made in them is of the same group.
pub const DIRECTORY_MODE: u32 = 0o2770;

/// A directory that was opened, and what it is called in messages.
#[derive(Debug)]
pub struct Directory {
    fd: OwnedFd,
    path: PathBuf,
}

const OPEN_DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Runs work on files where it doesn't hold up anything else.
pub async fn blocking<T, F>(work: F) -> anyhow::Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> anyhow::Result<T> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.context("work on files was broken off")?
}

impl Directory {
    /// Opens a directory by a path that only administrators can change.
    pub fn trusted(path: &Path) -> anyhow::Result<Self> {
        let flags = OPEN_DIRECTORY.difference(OFlags::NOFOLLOW);
        let fd = rustix::fs::openat(CWD, path, flags, Mode::empty())
            .with_context(|| format!("opening the directory {}", path.display()))?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Opens a directory of a project or a subgroup. The site's roots and what is directly in them
    /// are the administrators', and may be links; all below may not.
    pub fn below(layout: &Layout, path: &Path) -> anyhow::Result<Self> {
        let Some((root, rest)) = layout.root_of(path) else {
            bail!("{} is not in a directory of projects or subgroups", path.display());
        };
        let mut components = rest.components();
        let first = components.next().map_or(root.to_owned(), |first| root.join(first));
        Self::trusted(&first)?.descend(components.as_path())
    }

    /// Opens a directory some way below this one.
    pub fn descend(self, path: &Path) -> anyhow::Result<Self> {
        path.components().try_fold(self, |directory, component| match component {
            Component::Normal(name) => directory.open(&name.to_string_lossy()),
            _ => bail!("{} has to be a plain path", path.display()),
        })
    }

    /// Opens a directory in this one.
    pub fn open(&self, name: &str) -> anyhow::Result<Self> {
        self.open_if_there(name)?.with_context(|| format!("there is no {}", self.shown(name)))
    }

    /// Opens a directory in this one, if it is there.
    pub fn open_if_there(&self, name: &str) -> anyhow::Result<Option<Self>> {
        match rustix::fs::openat(&self.fd, plain(name)?, OPEN_DIRECTORY, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, path: self.path.join(name) })),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP | Errno::NOTDIR) => bail!(
                "{} is a link or a file where a directory has to be: remove it",
                self.shown(name)
            ),
            Err(error) => Err(error).with_context(|| format!("opening {}", self.shown(name))),
        }
    }

    /// The same directory, opened once more.
    pub fn again(&self) -> io::Result<Self> {
        Ok(Self { fd: self.fd.try_clone()?, path: self.path.clone() })
    }

    /// Makes a directory in this one if it isn't there, and opens it; owner and mode are set in any
    /// case. Without an owner they are left alone.
    pub fn make(&self, name: &str, owner: Option<Owner>, mode: u32) -> anyhow::Result<Self> {
        match rustix::fs::mkdirat(&self.fd, plain(name)?, Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => {
                return Err(error).with_context(|| format!("making {}", self.shown(name)));
            }
        }
        let directory = self.open(name)?;
        if let Some(owner) = owner {
            directory.give(owner, mode)?;
        }
        Ok(directory)
    }

    /// Opens a directory in this one, or makes it. One that is there keeps its owner and mode, which
    /// an administrator may have changed.
    pub fn make_or_open(&self, name: &str, owner: Owner, mode: u32) -> anyhow::Result<Self> {
        match self.open_if_there(name)? {
            Some(there) => Ok(there),
            None => self.make(name, Some(owner), mode),
        }
    }

    /// Sets whose the directory is, and who may do what.
    pub fn give(&self, owner: Owner, mode: u32) -> anyhow::Result<()> {
        fchown(&self.fd, Some(owner.uid), Some(owner.gid))
            .and_then(|()| Ok(rustix::fs::fchmod(&self.fd, Mode::from_raw_mode(mode))?))
            .with_context(|| format!("giving {} its owner and mode", self.path.display()))
    }

    /// Lets everybody do what these bits of a mode say, beside what is allowed already.
    pub fn allow(&self, bits: u32) -> anyhow::Result<()> {
        let context = || format!("changing the mode of {}", self.path.display());
        let mode = rustix::fs::fstat(&self.fd).with_context(context)?.st_mode;
        let mode = Mode::from_raw_mode(mode | bits);
        rustix::fs::fchmod(&self.fd, mode).with_context(context)
    }

    /// Makes a file; an error if the name is taken, also by a link.
    pub fn create(&self, name: &str) -> io::Result<File> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, plain(name)?, flags, Mode::from_raw_mode(0o600))?;
        Ok(File::from(fd))
    }

    /// Opens a file for reading, if it is there.
    pub fn file(&self, name: &str) -> anyhow::Result<Option<File>> {
        // A pipe would make the call wait for somebody who writes.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = match rustix::fs::openat(&self.fd, plain(name)?, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => bail!("{} is a link, which isn't followed", self.shown(name)),
            Err(error) => {
                return Err(error).with_context(|| format!("opening {}", self.shown(name)));
            }
        };
        let data = file.metadata().with_context(|| format!("looking at {}", self.shown(name)))?;
        if !data.is_file() {
            bail!("{} is no regular file", self.shown(name));
        }
        Ok(Some(file))
    }

    /// Reads a file of at most `limit` bytes, if it is there.
    pub fn read(&self, name: &str, limit: u64) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(file) = self.file(name)? else { return Ok(None) };
        read(&file, limit).map(Some).with_context(|| format!("reading {}", self.shown(name)))
    }

    /// What a link says, if there is one of this name.
    pub fn link_target(&self, name: &str) -> anyhow::Result<Option<PathBuf>> {
        match rustix::fs::readlinkat(&self.fd, plain(name)?, Vec::new()) {
            Ok(target) => Ok(Some(target.to_string_lossy().into_owned().into())),
            Err(Errno::NOENT | Errno::INVAL) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", self.shown(name))),
        }
    }

    /// What there is of this name; links aren't followed.
    pub fn look(&self, name: &str) -> anyhow::Result<Option<Stat>> {
        match rustix::fs::statat(&self.fd, plain(name)?, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("looking at {}", self.shown(name))),
        }
    }

    /// The kind of what there is of this name.
    pub fn kind(&self, name: &str) -> anyhow::Result<Option<FileType>> {
        Ok(self.look(name)?.map(|stat| FileType::from_raw_mode(stat.st_mode)))
    }

    /// Removes a file or a link; false if there was none.
    pub fn remove(&self, name: &str) -> anyhow::Result<bool> {
        self.unlink(name, AtFlags::empty())
    }

    /// Removes an empty directory; false if there was none.
    pub fn remove_directory(&self, name: &str) -> anyhow::Result<bool> {
        self.unlink(name, AtFlags::REMOVEDIR)
    }

    fn unlink(&self, name: &str, flags: AtFlags) -> anyhow::Result<bool> {
        match rustix::fs::unlinkat(&self.fd, plain(name)?, flags) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error).with_context(|| format!("removing {}", self.shown(name))),
        }
    }

    /// Renames a file, in place of another if there is one; false if there is none to rename.
    pub fn rename(&self, from: &str, to: &str) -> anyhow::Result<bool> {
        match rustix::fs::renameat(&self.fd, plain(from)?, &self.fd, plain(to)?) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => {
                Err(error).with_context(|| format!("renaming {} to {to}", self.shown(from)))
            }
        }
    }

    /// The names of all that is in the directory, in order. What isn't UTF-8 is nothing of ours.
    pub fn names(&self) -> anyhow::Result<Vec<String>> {
        self.names_up_to(usize::MAX)
    }

    /// The same where there should be only a few: an error, if there are more than `most`.
    pub fn names_up_to(&self, most: usize) -> anyhow::Result<Vec<String>> {
        let context = || format!("listing {}", self.path.display());
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd).with_context(context)? {
            let entry = entry.with_context(context)?;
            match entry.file_name().to_str() {
                Ok(name) if name != "." && name != ".." => names.push(name.to_owned()),
                _ => {}
            }
            ensure!(names.len() <= most, "{} has more than {most} files", self.path.display());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Makes durable which names there are.
    pub fn sync(&self) -> anyhow::Result<()> {
        rustix::fs::fsync(&self.fd).with_context(|| format!("syncing {}", self.path.display()))
    }

    /// What it is called.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A name in it, for messages.
    pub fn shown(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A name that leads nowhere else.
fn plain(name: &str) -> io::Result<&str> {
    let good = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
    good.then_some(name).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("{name:?} is not a file name"))
    })
}
