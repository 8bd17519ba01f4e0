//! Mounting and unmounting `/proj` with the kernel's NFS client.

use alloc::ffi::CString;
use alloc::format;
use core::ffi::CStr;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use crate::cmdline::Export;
use crate::event::{now, sleep};
use crate::failure::{FailureKind, Os, Result};
use crate::progress::Progress;

/// Where the export is mounted.
pub const PROJ: &CStr = c"/proj";

/// The first and the longest pause between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// A directory of a file server whose address is known.
#[derive(Clone, Copy, Debug)]
pub struct Remote<'a> {
    /// The directory.
    pub export: &'a Export,
    /// The server's address.
    pub server: Ipv4Addr,
    /// More mount options, a comma list.
    pub options: &'a str,
}

/// Mounts a directory on `/proj`; tries again for up to `limit`.
///
/// # Errors
/// `Mount`, with the last reason.
pub fn mount_project(remote: Remote<'_>, limit: Duration, progress: &Progress) -> Result<()> {
    let source = format!("{}", remote.export);
    let options = CString::new(options(remote))
        .map_err(|_| FailureKind::Mount.because("the options hold a zero byte"))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::NOATIME;
    let start = now();
    let (mut pause, longest) = PAUSES;
    let mut attempt = 1_u32;
    loop {
        let mounted = reach(remote)
            .and_then(|()| mount(source.as_str(), PROJ, c"nfs", flags, options.as_c_str()));
        let errno = match mounted {
            Ok(()) => {
                log::info!("{source} mounted");
                return Ok(());
            }
            Err(errno) => errno,
        };
        progress.beat();
        let passed = now().saturating_sub(start);
        let why = Reason(errno);
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

/// Asks whether the server takes connections: mount(2) itself waits for minutes for a machine that
/// is not there.
fn reach(remote: Remote<'_>) -> rustix::io::Result<()> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Send, Some(Duration::from_secs(5)))?;
    match connect(&socket, &SocketAddrV4::new(remote.server, port(remote.options))) {
        Err(Errno::INPROGRESS | Errno::AGAIN) => Err(Errno::TIMEDOUT),
        result => result,
    }
}

/// The port that the options name, or that of NFS.
fn port(options: &str) -> u16 {
    let ports = options.split(',').filter_map(|option| option.strip_prefix("port="));
    ports.filter_map(|port| port.parse().ok()).next_back().unwrap_or(2049)
}

/// Data is not given up: `hard`. There is no daemon for locks: `nolock`. An attempt to reach the
/// server may take a minute before the client says so: `timeo` is in tenths of a second.
fn options(remote: Remote<'_>) -> alloc::string::String {
    let Remote { server, options, .. } = remote;
    let comma = if options.is_empty() { "" } else { "," };
    format!("vers=3,proto=tcp,mountproto=tcp,nolock,hard,timeo=600,addr={server}{comma}{options}")
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
            Errno::PROTONOSUPPORT => "does the server speak NFS version 3 over TCP?",
            _ => return write!(f, "{}", Os(self.0)),
        };
        write!(f, "{} ({hint})", Os(self.0))
    }
}

/// Unmounts `/proj`. If that isn't possible the run ends all the same.
///
/// Everything that matters has been synced before; what hangs here is ended by the monitor.
pub fn unmount_project() {
    match unmount(PROJ, UnmountFlags::empty()) {
        // Not mounted: the run didn't come so far.
        Ok(()) | Err(Errno::INVAL) => {}
        Err(Errno::BUSY) => {
            let _ = unmount(PROJ, UnmountFlags::DETACH);
        }
        Err(errno) => log::warn!("cannot unmount /proj: {}", Os(errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_options_come_last() {
        let export = Export { server: "fs".try_into().unwrap(), path: "/proj".try_into().unwrap() };
        let remote = |options| Remote { export: &export, server: [10, 0, 2, 2].into(), options };
        assert!(options(remote("")).ends_with(",addr=10.0.2.2"));
        assert_eq!(port(""), 2049);
        let more = "mountport=1,port=12049,vers=4.2";
        assert!(options(remote(more)).ends_with(",addr=10.0.2.2,mountport=1,port=12049,vers=4.2"));
        assert_eq!(port(more), 12049);
    }
}
