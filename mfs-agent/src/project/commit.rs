//! Replacing the swap image, its signature and its description so that at every moment the
//! previous set or the next one is whole.
//!
//! A set is `<vname>-swap.ndz`, `-swap.sig` and `-swap.meta`. The next one is made under the same
//! names with `.tmp` after them, in this order, each synced before the next. Then they are
//! renamed, in this order too. So the temporary files tell how far a run came that was cut off:
//!
//! * A temporary `.meta` without a temporary `.ndz`: the image has its name already, and all
//!   that is missing is renames. [`Commit::recover`] does them.
//! * Anything else: the previous set is whole, and the temporary files are rubbish. They are
//!   removed in the order `.meta`, `.sig`, `.ndz`, so that the first case can't come about.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, Stat, fsync, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::ownership::{self, give_to_group};
use super::patience::Patience;
use crate::failure::{Failure, FailureKind, Result};
use crate::file::{read_all, write_all};
use imagezip_core::swapinfo::{Meta, TEXT_LIMIT};

/// A file of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// The image.
    Image,
    /// The signature of the disk's state with the image applied.
    Signature,
    /// What the image is made of and belongs to.
    Meta,
}

const MEMBERS: [Member; 3] = [Member::Image, Member::Signature, Member::Meta];

/// A change of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The temporary file gets the final name.
    Rename(Member),
    /// The temporary file is removed.
    Remove(Member),
    /// The steps before are on stable storage.
    Sync,
}

/// From three synced temporary files to a whole next set.
const PUBLISH: [Step; 5] = [
    Step::Sync,
    Step::Rename(Member::Image),
    Step::Rename(Member::Signature),
    Step::Rename(Member::Meta),
    Step::Sync,
];

/// From any temporary files to none.
const DISCARD: [Step; 6] = [
    Step::Remove(Member::Meta),
    Step::Sync,
    Step::Remove(Member::Signature),
    Step::Sync,
    Step::Remove(Member::Image),
    Step::Sync,
];

/// What [`Commit::recover`] found of an earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// Nothing.
    Clean,
    /// An unfinished set, which is removed.
    Discarded,
    /// A set that was whole but for renames, which are done.
    Completed,
}

/// The files of one node.
#[derive(Clone, Copy)]
pub struct Commit<'a> {
    directory: BorrowedFd<'a>,
    vname: &'a str,
    patience: &'a Patience,
}

impl<'a> Commit<'a> {
    /// Those in `directory` of the node `vname`.
    pub fn new(directory: BorrowedFd<'a>, vname: &'a str, patience: &'a Patience) -> Self {
        Self { directory, vname, patience }
    }

    /// The final name.
    pub fn name(&self, member: Member) -> String {
        let suffix = match member {
            Member::Image => "ndz",
            Member::Signature => "sig",
            Member::Meta => "meta",
        };
        format!("{}-swap.{suffix}", self.vname)
    }

    /// The temporary name.
    pub fn temporary_name(&self, member: Member) -> String {
        format!("{}.tmp", self.name(member))
    }

    /// What the file system knows of a file, `None` if it isn't there.
    fn look(&self, name: &str) -> Result<Option<Stat>> {
        let doing = format_args!("looking for {name}");
        let look = || statat(self.directory, name, AtFlags::SYMLINK_NOFOLLOW);
        match self.patience.retry(doing, look) {
            Ok(status) => Ok(Some(status)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(Failure::of_project(errno, doing)),
        }
    }

    fn is_there(&self, name: &str) -> Result<bool> {
        Ok(self.look(name)?.is_some())
    }

    /// The size of the image that is there.
    pub fn image_size(&self) -> Result<Option<u64>> {
        let status = self.look(&self.name(Member::Image))?;
        Ok(status.map(|status| status.st_size.try_into().unwrap_or(0)))
    }

    /// Reads a file of the current set; `None` if it isn't there.
    ///
    /// # Errors
    /// It can't be read, or has more than `limit` bytes.
    pub fn read(&self, member: Member, limit: usize) -> Result<Option<Vec<u8>>> {
        let name = self.name(member);
        let doing = format_args!("reading {name}");
        match self.patience.retry(doing, || self.read_all(&name, limit)) {
            Ok(content) => Ok(Some(content)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(Failure::of_project(errno, doing)),
        }
    }

    fn read_all(&self, name: &str, limit: usize) -> rustix::io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        openat(self.directory, name, flags, Mode::empty()).and_then(|file| read_all(file, limit))
    }

    /// Puts in order what a run left that was cut off or failed. To be called before anything
    /// else, and after a failure.
    pub fn recover(&self) -> Result<Recovered> {
        let has = |member| self.is_there(&self.temporary_name(member));
        let (image, meta) = (has(Member::Image)?, has(Member::Meta)?);
        if meta && !image {
            if self.describes_the_image()? {
                self.run(PUBLISH.get(2..).unwrap_or_default())?;
                return Ok(Recovered::Completed);
            }
            log::warn!("{} belongs to no image", self.temporary_name(Member::Meta));
        } else if !meta && !image && !has(Member::Signature)? {
            return Ok(Recovered::Clean);
        }
        self.discard()?;
        Ok(Recovered::Discarded)
    }

    /// Whether the temporary `.meta` is one of the image that is there. It always is, unless
    /// somebody else was at work here.
    fn describes_the_image(&self) -> Result<bool> {
        let name = self.temporary_name(Member::Meta);
        let doing = format_args!("reading {name}");
        let read = || self.read_all(&name, TEXT_LIMIT);
        let text =
            self.patience.retry(doing, read).map_err(|errno| Failure::of_project(errno, doing))?;
        let size = self.image_size()?;
        Ok(Meta::parse(&text).is_ok_and(|meta| Some(meta.image_size) == size))
    }

    /// Makes a temporary file, empty and open for reading and writing, that the group may read and write.
    pub fn create(&self, member: Member) -> Result<OwnedFd> {
        let name = self.temporary_name(member);
        let doing = format_args!("creating {name}");
        self.make_anew(&name, doing, Ok).map_err(|errno| Failure::of_project(errno, doing))
    }

    /// Makes a whole temporary file and syncs it.
    pub fn write(&self, member: Member, content: &[u8]) -> Result<()> {
        let name = self.temporary_name(member);
        let doing = format_args!("writing {name}");
        // A successful fsync leaves nothing that close could fail at.
        let fill = |file| write_all(&file, content).and_then(|()| fsync(&file));
        self.make_anew(&name, doing, fill).map_err(|errno| Failure::of_project(errno, doing))
    }

    /// Makes a file that isn't there, and does something with it. If either is refused, both are
    /// done again, with what there is of the file removed before: a create that was refused in its
    /// second half, when the mode is set, has made it.
    fn make_anew<T>(
        &self,
        name: &str,
        doing: fmt::Arguments<'_>,
        mut using: impl FnMut(OwnedFd) -> rustix::io::Result<T>,
    ) -> rustix::io::Result<T> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mut again = false;
        self.patience.retry(doing, || {
            if core::mem::replace(&mut again, true) {
                match unlinkat(self.directory, name, AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(errno) => return Err(errno),
                }
            }
            let file = openat(self.directory, name, flags | OFlags::CLOEXEC, ownership::FILE)?;
            give_to_group(&file, self.directory, ownership::FILE, name);
            using(file)
        })
    }

    /// Runs `save`, which makes the next set. If the server refused data in the middle of that,
    /// what there is of the set is discarded, and `save` runs once more.
    ///
    /// A write or fsync that failed can't be repeated: the kernel has dropped the data that the
    /// server refused, and tells of it once only, so a second fsync would be a success with a hole
    /// in the file. The data are on the disk still; so they are read again, into another file. A
    /// second refusal is believed.
    pub fn save_again_if_refused<T>(&self, mut save: impl FnMut() -> Result<T>) -> Result<T> {
        match save() {
            Err(failure)
                if failure.errno.is_some_and(Patience::is_refusal)
                    && !self.patience.is_exhausted() =>
            {
                log::warn!("{failure}; all of it is discarded, and saved once more");
                self.recover()?;
                self.patience.progress().start_again();
                save()
            }
            result => result,
        }
    }

    /// Makes the temporary files the current set. `image` is the inode of the image that was found
    /// right. If it fails, [`Commit::recover`] puts the files in order.
    ///
    /// # Errors
    /// `Verification`: another file has come in the place of one of them.
    pub fn publish(&self, image: u64) -> Result<()> {
        let files = self.finished_files(image)?;
        self.run(&PUBLISH)?;
        files.into_iter().try_for_each(|(member, inode)| self.must_be(&self.name(member), inode))
    }

    /// The inodes of the three temporary files.
    fn finished_files(&self, image: u64) -> Result<[(Member, u64); 3]> {
        let mut files = MEMBERS.map(|member| (member, image));
        for (member, inode) in &mut files {
            let name = self.temporary_name(*member);
            let doing = format_args!("publishing {name}, which somebody removed");
            let status = self.look(&name)?;
            let status = status.ok_or_else(|| Failure::of_project(Errno::NOENT, doing))?;
            match member {
                Member::Image => self.must_be(&name, image)?,
                Member::Signature | Member::Meta => *inode = status.st_ino,
            }
        }
        Ok(files)
    }

    /// Makes sure that a file is the one with this inode. A second machine that takes itself for
    /// the same node removes temporary files and makes its own, so a name may stand for one of
    /// those, and a rename may have met one, or none.
    fn must_be(&self, name: &str, inode: u64) -> Result<()> {
        match self.look(name)? {
            Some(status) if status.st_ino == inode => Ok(()),
            _ => Err(FailureKind::Verification.because(format_args!(
                "{name} is not the file that this run has made; is another machine saving as {}?",
                self.vname
            ))),
        }
    }

    /// Removes the temporary files that there are.
    fn discard(&self) -> Result<()> {
        self.run(&DISCARD)
    }

    fn run(&self, steps: &[Step]) -> Result<()> {
        steps.iter().try_for_each(|step| self.step(*step))
    }

    fn step(&self, step: Step) -> Result<()> {
        match step {
            Step::Rename(member) => self.rename(member),
            Step::Remove(member) => {
                let name = self.temporary_name(member);
                let doing = format_args!("removing {name}");
                let remove = || unlinkat(self.directory, name.as_str(), AtFlags::empty());
                match self.patience.retry(doing, remove) {
                    Ok(()) | Err(Errno::NOENT) => Ok(()),
                    Err(errno) => Err(Failure::of_project(errno, doing)),
                }
            }
            Step::Sync => {
                let doing = "syncing the directory swapinfo";
                self.patience
                    .retry(doing, || fsync(self.directory))
                    .map_err(|errno| Failure::of_project(errno, doing))
            }
        }
    }

    fn rename(&self, member: Member) -> Result<()> {
        let (from, to) = (self.temporary_name(member), self.name(member));
        let file = self.look(&from)?.map(|status| status.st_ino);
        let doing = format_args!("renaming {from} to {to}");
        let rename = || renameat(self.directory, from.as_str(), self.directory, to.as_str());
        match self.patience.retry(doing, rename) {
            // Either the run that is being recovered has done it, and there was no file; or the
            // request was sent twice because the first answer was lost, and the file is there.
            Err(Errno::NOENT)
                if self
                    .look(&to)?
                    .is_some_and(|there| file.is_none_or(|it| it == there.st_ino)) =>
            {
                Ok(())
            }
            result => result.map_err(|errno| Failure::of_project(errno, doing)),
        }
    }
}

#[cfg(test)]
mod tests;
