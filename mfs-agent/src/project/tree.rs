//! Paths of the testbed, looked up below the directory in which everything is mounted.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, fstat, openat, openat2, readlinkat};
use rustix::io::{Errno, Result};
use rustix::path::Arg;

use alloc::string::String;
use alloc::vec::Vec;

/// The directory that takes the place of `/` for the paths of the file servers, absolute links
/// among them: the experiment of a subgroup is a link to `/groups/...`. No link leads out of it.
pub struct Tree {
    root: OwnedFd,
    /// The file system of the root itself, if that is the node's own and not a server's.
    own: Option<u64>,
}

impl Tree {
    /// What is mounted below `root`. The file system of `root` itself is the node's own, and
    /// nothing on it is a file of a server.
    pub fn of_mounts(root: impl Arg) -> Result<Self> {
        let mut tree = Self::of_directory(root)?;
        tree.own = Some(fstat(&tree.root)?.st_dev);
        Ok(tree)
    }

    /// What is in the directory `root`, all of which is a file server's.
    pub fn of_directory(root: impl Arg) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { root: openat(CWD, root, flags, Mode::empty())?, own: None })
    }

    /// Opens a file or directory that exists.
    ///
    /// # Errors
    /// `XDEV` if it isn't on a file server.
    pub fn open(&self, path: &str, flags: OFlags) -> Result<OwnedFd> {
        let flags = flags.difference(OFlags::CREATE | OFlags::TRUNC) | OFlags::CLOEXEC;
        let file = self.resolve(path, flags)?;
        if self.own == Some(fstat(&file)?.st_dev) { Err(Errno::XDEV) } else { Ok(file) }
    }

    /// Where the link at `path` leads, `None` if there is no link.
    pub fn link(&self, path: &str) -> Option<String> {
        let file = self.resolve(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC).ok()?;
        readlinkat(file.as_fd(), c"", Vec::new()).ok()?.into_string().ok()
    }

    fn resolve(&self, path: &str, flags: OFlags) -> Result<OwnedFd> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        // A rename anywhere may make the kernel doubt a path with `..` in it.
        for _ in 0..10 {
            match openat2(&self.root, path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN) => {}
                result => return result,
            }
        }
        Err(Errno::AGAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn absolute_links_stay_below_the_root() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path();
        fs::create_dir_all(path.join("groups/testbed/sub/exp")).unwrap();
        fs::create_dir(path.join("proj")).unwrap();
        fs::write(path.join("groups/testbed/sub/exp/x"), "").unwrap();
        symlink("/groups/testbed/sub/exp", path.join("proj/exp")).unwrap();
        symlink("../../../../../../groups/testbed/sub/exp/x", path.join("proj/up")).unwrap();
        symlink("/etc/passwd", path.join("proj/out")).unwrap();
        let tree = Tree::of_directory(path).unwrap();
        for inside in ["proj/exp/x", "/proj/exp/x", "proj/up"] {
            let file = tree.open(inside, OFlags::RDONLY).unwrap();
            let inode = fs::metadata(path.join("groups/testbed/sub/exp/x")).unwrap().ino();
            assert_eq!(fstat(&file).unwrap().st_ino, inode, "{inside}");
        }
        assert_eq!(tree.open("proj/out", OFlags::RDONLY).err(), Some(Errno::NOENT));
        assert_eq!(tree.link("proj/exp").as_deref(), Some("/groups/testbed/sub/exp"));
        assert_eq!(tree.link("proj"), None);
        assert_eq!(tree.link("gone"), None);
        assert!(tree.open("new", OFlags::WRONLY | OFlags::CREATE).is_err());
        assert!(!path.join("new").exists());
    }

    #[test]
    fn what_is_not_mounted_is_not_the_servers() {
        let tree = Tree::of_mounts("/").unwrap();
        let own = fs::metadata("/").unwrap().dev();
        assert_ne!(fs::metadata("/proc").unwrap().dev(), own);
        assert!(tree.open("proc/uptime", OFlags::RDONLY).is_ok());
        assert_eq!(tree.open("", OFlags::RDONLY).err(), Some(Errno::NOENT));
        assert_eq!(tree.open(".", OFlags::RDONLY).err(), Some(Errno::XDEV));
        // A link of the kernel's that leads anywhere.
        assert_eq!(tree.open("proc/self/cwd", OFlags::RDONLY).err(), Some(Errno::LOOP));
    }
}
