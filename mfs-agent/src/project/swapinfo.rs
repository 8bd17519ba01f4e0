//! The directory `/proj/<pid>/exp/<eid>/swapinfo`, or that of a capture, and what boss left there for
//! this node.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use imagezip_core::digest::Sha256;
use imagezip_core::swapinfo::{PART_LIMIT, Part};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, fstat, fstatvfs, openat, readlinkat};
use rustix::io::Errno;

use super::commit::Commit;
use super::patience::Patience;
use super::stored::StoredFile;
use super::tree::Tree;
use crate::cmdline::Node;
use crate::cmdline::directory::ServerDirectory;
use crate::failure::{Failure, FailureKind, Os, Result};
use crate::file::read_all;
use crate::names::Name;

/// The directory and the node's name.
pub struct SwapInfo {
    tree: Tree,
    directory: OwnedFd,
    /// From `/proj` on.
    path: String,
    vname: String,
    patience: Patience,
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
    /// Opens the directory of `node`'s experiment. `patience` is that of all that is done there.
    ///
    /// # Errors
    /// `ProjectFile` or `ProjectReadOnly`: it isn't there or not for this user.
    pub fn open(tree: Tree, node: &Node, patience: Patience) -> Result<Self> {
        let Node { pid, eid, vname } = node;
        let path = format!("/proj/{pid}/exp/{eid}/swapinfo");
        let doing = format!("opening {path}");
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let directory = patience.retry(&doing, || tree.open(&path, flags)).map_err(|errno| {
            let absent = matches!(errno, Errno::NOENT | Errno::XDEV);
            // The experiment of a subgroup is a link to the subgroup's directory.
            let experiment = format!("/proj/{pid}/exp/{eid}");
            match tree.link(&experiment).filter(|_| absent) {
                Some(target) => FailureKind::ProjectFile.because(format_args!(
                    "{doing}: {experiment} is a link to {target}, and there is no such directory \
                     on what is mounted; mfs.projgroups= must name the directory of all groups, \
                     or boss the group's own"
                )),
                None if absent => FailureKind::ProjectFile.because(format_args!(
                    "{doing}: it isn't there; mfs.proj= must name the directory of all projects, \
                     and boss makes the directory when the experiment swaps in"
                )),
                None => Failure::of_project(errno, &doing),
            }
        })?;
        Ok(Self { tree, directory, path, vname: vname.as_str().into(), patience })
    }

    /// Opens another directory for the files of `node`. `patience` is that of all that is done
    /// there.
    ///
    /// # Errors
    /// `ProjectFile` or `ProjectReadOnly`: it isn't there or not for this user.
    pub fn open_other(
        tree: Tree,
        node: &Node,
        place: &ServerDirectory,
        patience: Patience,
    ) -> Result<Self> {
        let doing = format!("opening {place}");
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let open = || tree.open(place.as_str(), flags);
        let directory = patience.retry(&doing, open).map_err(|errno| match errno {
            Errno::NOENT | Errno::XDEV => FailureKind::ProjectFile.because(format_args!(
                "{doing}: it isn't there; boss makes the directory of mfs.dir=, and mfs.proj= or \
                 mfs.projgroups= must name what it is in"
            )),
            errno => Failure::of_project(errno, &doing),
        })?;
        let (path, vname) = (place.as_str().into(), node.vname.as_str().into());
        Ok(Self { tree, directory, path, vname, patience })
    }

    /// The file servers' directories.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// How long the file server may refuse.
    pub fn patience(&self) -> &Patience {
        &self.patience
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
        Commit::new(self.directory.as_fd(), &self.vname, &self.patience)
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
        let read = || {
            let file = openat(&self.directory, name.as_str(), flags, Mode::empty())?;
            // Some more, so that the parser sees that it's too long.
            read_all(file, PART_LIMIT.saturating_add(4096))
        };
        let text = self
            .patience
            .retry(format_args!("reading {name}"), read)
            .map_err(|errno| fail(&Os(errno)))?;
        Part::parse(&text).map_err(|error| fail(&error))
    }

    /// Reads `<vname>.sig`, which is a link to a file somewhere in `/proj` or `/groups`.
    ///
    /// # Errors
    /// `SignatureFile`: it can't be read, or has more than `limit` bytes.
    pub fn read_signature(&self, limit: usize) -> Result<BaseSignature> {
        let name = format!("{}.sig", self.vname);
        let path = format!("{}/{name}", self.path);
        let fail = |errno| {
            let hint = match errno {
                Errno::NOENT => {
                    "; boss makes it a link to the base image's signature, without which a disk \
                     can only be saved as a full image (mfs.save=full)"
                }
                Errno::XDEV => "; the link must lead to a file on what is mounted",
                Errno::FBIG => "; a node with more memory could use it",
                _ => "",
            };
            FailureKind::SignatureFile.because(format_args!("{path}: {}{hint}", Os(errno)))
        };
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let read = || self.tree.open(&path, flags).and_then(|file| read_all(file, limit));
        let bytes = self.patience.retry(format_args!("reading {name}"), read).map_err(fail)?;
        let target = readlinkat(&self.directory, name.as_str(), Vec::new())
            .ok()
            .and_then(|target| target.into_string().ok());
        let base = target.as_deref().and_then(|target| target.rsplit('/').next());
        let sha256 = Sha256::of(&bytes);
        Ok(BaseSignature { name: base.unwrap_or(&name).into(), bytes, sha256 })
    }

    /// Opens `<vname>.ndz`, the base image: a link to a file somewhere in `/proj` or `/groups`.
    ///
    /// # Errors
    /// `WrongBase`: there is none.
    pub fn open_base(&self) -> Result<StoredFile<'_>> {
        let path = format!("{}/{}.ndz", self.path, self.vname);
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let open =
            || self.tree.open(&path, flags).and_then(|file| StoredFile::of(file, &self.patience));
        self.patience.retry(format_args!("opening {path}"), open).map_err(|errno| {
            let hint = match errno {
                Errno::NOENT => "; boss makes it a link to the base image",
                Errno::XDEV => "; the link must lead to a file on what is mounted",
                _ => "",
            };
            FailureKind::WrongBase.because(format_args!("{path}: {}{hint}", Os(errno)))
        })
    }

    /// Opens `/proj/<pid>/bin/imagezip`, the project's own program, if there is such a file and it
    /// is executable.
    ///
    /// # Errors
    /// It is there, but can't be read.
    pub fn open_program(&self, pid: &Name) -> rustix::io::Result<Option<OwnedFd>> {
        let path = format!("/proj/{pid}/bin/imagezip");
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match self.tree.open(&path, flags) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            file => file?,
        };
        let mode = fstat(&file)?.st_mode;
        let regular = FileType::from_raw_mode(mode) == FileType::RegularFile;
        let executable = mode & 0o111 != 0;
        if !(regular && executable) {
            log::warn!("{path} is no executable file");
        }
        Ok((regular && executable).then_some(file))
    }

    /// Warns if there is less room than the image may need: as much as the previous one has, or a
    /// tenth of the `in_use` bytes of the disk if there is none. Of quotas the file server doesn't
    /// tell.
    pub fn check_room(&self, in_use: u64) {
        let Ok(room) = fstatvfs(&self.directory) else { return };
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        let previous = self.commit().image_size().ok().flatten();
        if let Some(warning) = scarcity(free, previous, in_use) {
            log::warn!("{warning}");
        }
    }
}

fn scarcity(free: u64, previous: Option<u64>, in_use: u64) -> Option<String> {
    match previous {
        Some(size) if free < size => Some(format!(
            "{free} bytes are free on the file server; the previous image has {size}, and stays \
             until the next is whole"
        )),
        None if free < in_use / 10 => Some(format!(
            "{free} bytes are free on the file server; {in_use} of the disk are in use, and what \
             differs of them from the base must find room"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{Name, NameKind};
    use crate::progress::Progress;
    use core::time::Duration;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    static PROGRESS: Progress = Progress::new();

    fn open(root: &tempfile::TempDir, node: &Node) -> Result<SwapInfo> {
        let patience = Patience::new(Duration::ZERO, &PROGRESS);
        SwapInfo::open(Tree::of_directory(root.path()).unwrap(), node, patience)
    }

    fn fixture() -> (tempfile::TempDir, PathBuf, Node) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("proj/testbed/exp/exp1/swapinfo");
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
        let info = open(&root, &node).unwrap();
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
        fs::write(root.path().join("proj/testbed/far.sig"), "far").unwrap();
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
    fn a_directory_of_its_own() {
        let (root, _, node) = fixture();
        let open = |path: &str| {
            let patience = Patience::new(Duration::ZERO, &PROGRESS);
            let tree = Tree::of_directory(root.path()).unwrap();
            SwapInfo::open_other(tree, &node, &ServerDirectory::new(path).unwrap(), patience)
        };
        let failure = open("/proj/testbed/images/.capture-x").err().unwrap();
        assert_eq!(failure.kind, FailureKind::ProjectFile);
        assert!(failure.message.contains("boss makes the directory of mfs.dir="), "{failure}");
        let directory = root.path().join("proj/testbed/images/.capture-x");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("n.part"), "DISK=ad0 LOADPART=2 BOOTPART=1\n").unwrap();
        let info = open("/proj/testbed/images/.capture-x/").unwrap();
        assert_eq!(info.read_part().unwrap().load_partition, 2);
        // A link stays where everything is mounted.
        symlink("/etc", root.path().join("proj/etc")).unwrap();
        assert!(open("/proj/etc").is_err());
        symlink("/proj/testbed/images/.capture-x", root.path().join("proj/link")).unwrap();
        assert!(open("/proj/link").is_ok());
        assert!(open("/proj/testbed/images/.capture-x/n.part").is_err());
    }

    #[test]
    fn parts_are_files_and_small() {
        let (root, path, node) = fixture();
        let info = open(&root, &node).unwrap();
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
    fn little_room_is_warned_of() {
        assert!(scarcity(99, Some(100), 0).unwrap().contains("the previous image has 100"));
        assert_eq!(scarcity(100, Some(100), 10_000), None);
        assert!(scarcity(99, None, 1000).unwrap().contains("1000 of the disk are in use"));
        assert_eq!(scarcity(100, None, 1000), None);
    }

    #[test]
    fn an_experiment_that_is_not_there() {
        let (root, path, node) = fixture();
        fs::remove_dir(&path).unwrap();
        let failure = open(&root, &node).err().unwrap();
        assert!(failure.message.contains("/proj/testbed/exp/exp1/swapinfo"), "{failure}");
        symlink("/etc", &path).unwrap();
        let failure = open(&root, &node).err().unwrap();
        assert!(failure.message.contains("it isn't there"), "{failure}");
        fs::remove_dir_all(root.path().join("proj/testbed/exp/exp1")).unwrap();
        let experiment = root.path().join("proj/testbed/exp/exp1");
        symlink("/groups/testbed/sub/exp/exp1", &experiment).unwrap();
        let failure = open(&root, &node).err().unwrap();
        assert!(failure.message.contains("a link to /groups/testbed/sub/exp/exp1"), "{failure}");
        assert!(failure.message.contains("mfs.projgroups="), "{failure}");
        fs::create_dir_all(root.path().join("groups/testbed/sub/exp/exp1/swapinfo")).unwrap();
        open(&root, &node).unwrap();
    }
}
