//! The directory `/proj/<pid>/exp/<eid>/swapinfo` and what boss left there for this node.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use imagezip_core::digest::Sha256;
use imagezip_core::swapinfo::{PART_LIMIT, Part};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    CWD, FileType, Mode, OFlags, ResolveFlags, fstat, fstatvfs, openat, openat2, readlinkat,
};
use rustix::io::Errno;
use rustix::path::Arg;

use super::commit::Commit;
use crate::cmdline::Node;
use crate::failure::{Failure, FailureKind, Os, Result};
use crate::file::read_all;
use crate::names::Name;

/// The directory and the node's name.
pub struct SwapInfo {
    root: OwnedFd,
    directory: OwnedFd,
    path: String,
    vname: String,
}

/// The signature of the image that the disk was loaded from.
pub struct BaseSignature {
    /// The file.
    pub bytes: Vec<u8>,
    /// Its name behind the link.
    pub name: String,
    /// Its digest.
    pub sha256: Sha256,
}

impl SwapInfo {
    /// Opens the directory of `node` below `root`, which is `/proj`.
    ///
    /// # Errors
    /// `ProjectFile` or `ProjectReadOnly`: it isn't there or not for this user.
    pub fn open(root: impl Arg, node: &Node) -> Result<Self> {
        let Node { pid, eid, vname } = node;
        let path = format!("{pid}/exp/{eid}/swapinfo");
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fail = |errno| {
            let place = format_args!("opening /proj/{path}");
            match errno {
                Errno::NOENT => FailureKind::ProjectFile.because(format_args!(
                    "{place}: it isn't there; mfs.proj= must name the directory of all projects, \
                     and boss makes the directory when the experiment swaps in"
                )),
                Errno::XDEV => FailureKind::ProjectFile
                    .because(format_args!("{place}: a link there leads out of /proj")),
                _ => Failure::of_project(errno, place),
            }
        };
        let root = openat(CWD, root, flags, Mode::empty()).map_err(fail)?;
        let directory = open_beneath(&root, &path, flags).map_err(fail)?;
        Ok(Self { root, directory, path, vname: vname.as_str().into() })
    }

    /// The directory.
    pub fn directory(&self) -> &OwnedFd {
        &self.directory
    }

    /// The node's name.
    pub fn vname(&self) -> &str {
        &self.vname
    }

    /// The node's set of swap files.
    pub fn commit(&self) -> Commit<'_> {
        Commit::new(self.directory.as_fd(), &self.vname)
    }

    /// Reads `<vname>.part`.
    ///
    /// # Errors
    /// `PartFile`
    pub fn read_part(&self) -> Result<Part> {
        let name = format!("{}.part", self.vname);
        let fail = |why: &dyn core::fmt::Display| {
            FailureKind::PartFile.because(format_args!("{}/{name}: {why}", self.path))
        };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let text = openat(&self.directory, name.as_str(), flags, Mode::empty())
            // One byte more, so that the parser sees that it's too long.
            .and_then(|file| read_all(file, PART_LIMIT.saturating_add(4096)))
            .map_err(|errno| fail(&Os(errno)))?;
        Part::parse(&text).map_err(|error| fail(&error))
    }

    /// Reads `<vname>.sig`, which is a link to a file somewhere in `/proj`.
    ///
    /// # Errors
    /// `SignatureFile`: it can't be read, or has more than `limit` bytes.
    pub fn read_signature(&self, limit: usize) -> Result<BaseSignature> {
        let name = format!("{}.sig", self.vname);
        let path = format!("{}/{name}", self.path);
        let fail = |errno| {
            let hint = match errno {
                Errno::NOENT => {
                    "; without a signature of its base the disk can't be saved but as a full \
                     image, for which mfs.save=full asks"
                }
                Errno::XDEV => "; the link must stay in /proj",
                Errno::FBIG => "; a node with more memory could use it",
                _ => "",
            };
            FailureKind::SignatureFile.because(format_args!("{path}: {}{hint}", Os(errno)))
        };
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let bytes = open_beneath(&self.root, &path, flags)
            .and_then(|file| read_all(file, limit))
            .map_err(fail)?;
        let target = readlinkat(&self.directory, name.as_str(), Vec::new())
            .ok()
            .and_then(|target| target.into_string().ok());
        let base = target.as_deref().and_then(|target| target.rsplit('/').next());
        let sha256 = Sha256::of(&bytes);
        Ok(BaseSignature { name: base.unwrap_or(&name).into(), bytes, sha256 })
    }

    /// Opens `/proj/<pid>/bin/imagezip`, the project's own program, if there is such a file and it
    /// is executable.
    ///
    /// # Errors
    /// It is there, but can't be read.
    pub fn open_program(&self, pid: &Name) -> rustix::io::Result<Option<OwnedFd>> {
        let path = format!("{pid}/bin/imagezip");
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match open_beneath(&self.root, &path, flags) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            file => file?,
        };
        let mode = fstat(&file)?.st_mode;
        let regular = FileType::from_raw_mode(mode) == FileType::RegularFile;
        let executable = mode & 0o111 != 0;
        if !(regular && executable) {
            log::warn!("/proj/{path} is no executable file");
        }
        Ok((regular && executable).then_some(file))
    }

    /// Warns if there is less room than the previous image takes.
    pub fn check_room(&self) {
        let Ok(room) = fstatvfs(&self.directory) else { return };
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        let previous = self.commit().image_size().ok().flatten().unwrap_or(0);
        if free < previous {
            log::warn!(
                "{free} bytes are free on /proj; the previous image has {previous}, and stays \
                 until the next is whole"
            );
        }
    }
}

/// Opens a file below `root` through links that don't lead out of it.
fn open_beneath(root: &OwnedFd, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    // A rename anywhere may make the kernel doubt a path with `..` in it.
    for _ in 0..10 {
        match openat2(root, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            result => return result,
        }
    }
    Err(Errno::AGAIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::NameKind;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    fn fixture() -> (tempfile::TempDir, PathBuf, Node) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("testbed/exp/exp1/swapinfo");
        fs::create_dir_all(&path).unwrap();
        let name = |kind, text| Name::new(kind, text).unwrap();
        let node = Node {
            pid: name(NameKind::Project, "testbed"),
            eid: name(NameKind::Experiment, "exp1"),
            vname: name(NameKind::Node, "n"),
        };
        (root, path, node)
    }

    #[test]
    fn signatures_behind_links_that_stay() {
        let (root, path, node) = fixture();
        let info = SwapInfo::open(root.path(), &node).unwrap();
        assert_eq!(info.read_signature(10).err().unwrap().kind, FailureKind::SignatureFile);
        fs::write(path.join("base.sig"), "signature").unwrap();
        symlink("base.sig", path.join("n.sig")).unwrap();
        let signature = info.read_signature(9).unwrap();
        assert_eq!(
            (signature.bytes.as_slice(), signature.name.as_str()),
            (&b"signature"[..], "base.sig")
        );
        assert!(info.read_signature(8).err().unwrap().message.contains("file too large"));
        // A store of the whole project.
        fs::write(root.path().join("testbed/far.sig"), "far").unwrap();
        fs::remove_file(path.join("n.sig")).unwrap();
        symlink("../../../far.sig", path.join("n.sig")).unwrap();
        assert_eq!(info.read_signature(9).unwrap().name, "far.sig");
        for out in ["/etc/passwd", "../../../../../etc/passwd", "gone.sig"] {
            fs::remove_file(path.join("n.sig")).unwrap();
            symlink(out, path.join("n.sig")).unwrap();
            let failure = info.read_signature(1 << 20).err().unwrap();
            assert_eq!(failure.kind, FailureKind::SignatureFile, "{failure}");
        }
    }

    #[test]
    fn parts_are_files_and_small() {
        let (root, path, node) = fixture();
        let info = SwapInfo::open(root.path(), &node).unwrap();
        let part = path.join("n.part");
        let refused = |words: &str| {
            let failure = info.read_part().unwrap_err();
            assert_eq!(failure.kind, FailureKind::PartFile);
            assert!(failure.message.contains(words), "{failure}");
        };
        refused("no such file");
        fs::write(&part, "DISK=ad0 LOADPART=5 BOOTPART=1\n").unwrap();
        refused("at byte 18");
        fs::write(&part, std::vec![b' '; 4096]).unwrap();
        refused("at most 1024");
        fs::write(&part, "DISK=ad0 LOADPART=0 BOOTPART=1\n").unwrap();
        assert_eq!(info.read_part().unwrap().disk, "ad0");
        fs::rename(&part, path.join("other")).unwrap();
        symlink("other", &part).unwrap();
        refused("too many symbolic links");
    }

    #[test]
    fn an_experiment_that_is_not_there() {
        let (root, path, node) = fixture();
        fs::remove_dir(&path).unwrap();
        let failure = SwapInfo::open(root.path(), &node).err().unwrap();
        assert!(failure.message.contains("/proj/testbed/exp/exp1/swapinfo"), "{failure}");
        symlink("/etc", &path).unwrap();
        let failure = SwapInfo::open(root.path(), &node).err().unwrap();
        assert!(failure.message.contains("leads out"), "{failure}");
    }
}
