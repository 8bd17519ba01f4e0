//! Mounting and unmounting the file servers' directories with the kernel's NFS client.
//!
//! They are all below one directory of the node, [`ROOT`], each under the path that every machine
//! of the testbed has it at; [`Tree`](super::tree::Tree) looks paths up there.

pub mod server;
pub mod version;

use alloc::ffi::CString;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::CStr;
use core::net::Ipv4Addr;
use core::time::Duration;

use rustix::fs::{CWD, Mode, mkdirat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::event::{now, sleep};
use crate::failure::{FailureKind, Os, Result};
use crate::file::read_text;
use crate::progress::Progress;
use version::Version;

/// What takes the place of `/` for the paths of file servers.
pub const ROOT: &CStr = c"/net";

/// The first and the longest pause between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// The most directories in a local path.
const DEEPEST: usize = 8;

/// A directory of a file server, and where it belongs.
#[derive(Clone, Copy, Debug)]
pub struct Mount<'a> {
    /// The server's name, for messages.
    pub server: &'a str,
    /// The server's address.
    pub address: Ipv4Addr,
    /// The directory there, such as `/q/proj/testbed`.
    pub remote: &'a str,
    /// The path that it has in the testbed, such as `/proj/testbed`.
    pub local: &'a str,
    /// Mount options, a comma list: the words of `mfs.nfs=`.
    pub options: &'a str,
    /// Whether to go on without it; what needs it fails then.
    pub optional: bool,
}

/// Mounts directories below [`ROOT`]; tries again for up to `limit` for each. One that lies in
/// another is left out.
///
/// # Errors
/// `Mount`, with the last reason, of the first that can't be mounted and isn't optional;
/// `CommandLine` for options that make no sense.
pub fn mount_all(mounts: &[Mount<'_>], limit: Duration, progress: &Progress) -> Result<()> {
    let mut mounted: Vec<&str> = Vec::new();
    for mount in mounts {
        if let Some(other) = mounted.iter().find(|other| lies_in(mount.local, other)) {
            log::warn!("{} is left out: {other} is mounted already", mount.local);
            continue;
        }
        match mount_one(mount, limit, progress) {
            Err(failure) if mount.optional && failure.kind == FailureKind::Mount => {
                log::warn!("{failure}; going on without {}", mount.local);
            }
            result => {
                result?;
                mounted.push(mount.local);
            }
        }
    }
    Ok(())
}

/// Whether `path` is `directory` or below it, or the other way round.
fn lies_in(path: &str, directory: &str) -> bool {
    path.split('/').zip(directory.split('/')).all(|(one, other)| one == other)
}

fn mount_one(remote: &Mount<'_>, limit: Duration, progress: &Progress) -> Result<()> {
    let Mount { server, remote: path, local, options, .. } = *remote;
    let source = format!("{server}:{path}");
    let fail = |why: &dyn core::fmt::Display| {
        FailureKind::Mount.because(format_args!("cannot mount {source} on {local}: {why}"))
    };
    let versions = Version::of_options(options)?;
    let place = make_place(ROOT, local).map_err(|errno| fail(&Os(errno)))?;
    let start = now();
    let (mut pause, longest) = PAUSES;
    let mut attempt = 1_u32;
    loop {
        let mounted = server::reach(remote.address, options).and_then(|own| {
            server::introduce(own);
            mount_version(remote, &source, &place, versions, progress)
        });
        let why = match mounted {
            Ok(version) => {
                log::info!("{source} mounted on {local} by {version}");
                return Ok(());
            }
            Err(errno) => Reason(errno),
        };
        progress.beat();
        let passed = now().saturating_sub(start);
        log::warn!("attempt {attempt} to mount {source} failed: {why}");
        let left = limit.saturating_sub(passed);
        if left.is_zero() {
            let seconds = passed.as_secs();
            return Err(FailureKind::Mount.because(format_args!(
                "cannot mount {source}: {why}; gave up after {attempt} attempts in {seconds} s"
            )));
        }
        sleep(pause.min(left));
        pause = pause.saturating_mul(2).min(longest);
        attempt = attempt.saturating_add(1);
    }
}

/// Mounts by the first of `versions` that the server speaks.
fn mount_version(
    remote: &Mount<'_>,
    source: &str,
    place: &CStr,
    versions: &[Version],
    progress: &Progress,
) -> rustix::io::Result<Version> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::NOATIME;
    let mut versions = versions.iter().peekable();
    while let Some(version) = versions.next() {
        let options = version.options(remote.address, remote.options);
        let options = CString::new(options).map_err(|_| Errno::INVAL)?;
        progress.beat();
        match (mount(source, place, c"nfs", flags, options.as_c_str()), versions.peek()) {
            (Ok(()), _) => return Ok(*version),
            (Err(errno), Some(next)) if version.is_not_spoken(errno) => {
                log::info!("{source}: not by {version}: {}; trying {next}", Os(errno));
            }
            (Err(errno), _) => return Err(errno),
        }
    }
    Err(Errno::PROTONOSUPPORT)
}

/// Makes the directory below `root` to mount on.
fn make_place(root: &CStr, local: &str) -> rustix::io::Result<CString> {
    let names = names(local).ok_or(Errno::INVAL)?;
    let mut place = String::from(root.to_str().map_err(|_| Errno::INVAL)?);
    for name in names {
        place.push('/');
        place.push_str(name);
        match mkdirat(CWD, place.as_str(), Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    CString::new(place).map_err(|_| Errno::INVAL)
}

/// The names in a path from the root, `None` if there are odd ones among them, or too many.
fn names(path: &str) -> Option<heapless::Vec<&str, DEEPEST>> {
    let mut names = heapless::Vec::new();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
    for name in path.strip_prefix('/')?.split('/') {
        if matches!(name, "" | "." | "..") || !name.bytes().all(allowed) {
            return None;
        }
        names.push(name).ok()?;
    }
    Some(names)
}

/// What an error of mount(2) means for an NFS mount.
struct Reason(Errno);

impl core::fmt::Display for Reason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let hint = match self.0 {
            Errno::ACCESS | Errno::PERM => "is the directory exported to this node?",
            Errno::NOENT => "is there such a directory on the server?",
            Errno::CONNREFUSED => "is the NFS server running, and its mount service?",
            Errno::TIMEDOUT | Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::HOSTDOWN => {
                "is the server up, and does the network lead there?"
            }
            Errno::NODEV => "are the kernel's NFS modules in the image?",
            Errno::INVAL => "does mfs.nfs= hold an option that the kernel doesn't know?",
            Errno::PROTONOSUPPORT | Errno::OPNOTSUPP => {
                "does the server speak this version of NFS over TCP? see vers= of mfs.nfs="
            }
            _ => return write!(f, "{}", Os(self.0)),
        };
        write!(f, "{} ({hint})", Os(self.0))
    }
}

/// Unmounts everything below [`ROOT`], the last first. If that isn't possible the run ends all the
/// same.
///
/// Everything that matters has been synced before; what hangs here is ended by the monitor.
pub fn unmount_all() {
    let mounts = read_text(c"/proc/self/mounts").unwrap_or_default();
    for place in places(&mounts).into_iter().rev() {
        match unmount(place, UnmountFlags::empty()) {
            Ok(()) => {}
            Err(Errno::BUSY) => {
                let _ = unmount(place, UnmountFlags::DETACH);
            }
            Err(errno) => log::warn!("cannot unmount {place}: {}", Os(errno)),
        }
    }
}

/// What is below [`ROOT`] of the lines of /proc/self/mounts, in the order of mounting.
fn places(mounts: &str) -> Vec<&str> {
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    let root = ROOT.to_str().unwrap_or_default();
    places
        .filter(|place| place.strip_prefix(root).is_some_and(|below| below.starts_with('/')))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_below_the_root_is_unmounted() {
        let mounts = "rootfs / rootfs rw 0 0\ndevtmpfs /dev devtmpfs rw 0 0\n\
                      fs:/q/proj/a /net/proj/a nfs rw,vers=3 0 0\nx /network nfs rw 0 0\n\
                      fs:/q/groups/a/b /net/groups/a/b nfs4 rw 0 0\n\nodd\n";
        assert_eq!(places(mounts), ["/net/proj/a", "/net/groups/a/b"]);
    }

    #[test]
    fn mounts_in_mounts_are_seen() {
        assert!(lies_in("/proj/a", "/proj") && lies_in("/proj", "/proj/a"));
        assert!(lies_in("/proj/a", "/proj/a"));
        assert!(!lies_in("/proj/ab", "/proj/a") && !lies_in("/groups/a", "/proj"));
    }

    #[test]
    fn places_are_made() {
        let directory = tempfile::tempdir().unwrap();
        let root = CString::new(directory.path().to_str().unwrap()).unwrap();
        for local in ["/groups/testbed/sub", "/groups/testbed/other", "/groups/testbed/sub"] {
            let place = make_place(&root, local).unwrap();
            assert_eq!(place.to_str().unwrap(), format!("{}{local}", directory.path().display()));
            assert!(std::fs::metadata(place.to_str().unwrap()).unwrap().is_dir());
        }
        std::fs::write(directory.path().join("proj"), "").unwrap();
        assert!(make_place(&root, "/proj/testbed").is_err());
    }

    #[test]
    fn odd_places_are_refused() {
        for bad in ["", "proj", "/", "/proj/", "/proj/../etc", "/a/b/c/d/e/f/g/h/i", "/a b"] {
            assert_eq!(names(bad), None, "{bad}");
        }
        assert_eq!(names("/proj/testbed").unwrap(), ["proj", "testbed"]);
    }
}
