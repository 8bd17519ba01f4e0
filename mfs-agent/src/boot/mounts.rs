//! The pseudo file systems.

use rustix::fs::{CWD, Mode, chmod, mkdirat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};

use crate::failure::{FailureKind, Os, Result};

/// Mounts `/proc`, `/sys` and `/dev`, and makes the directory for all that is mounted of file
/// servers.
///
/// # Errors
/// `Module`: the kernel lacks one of them.
pub fn mount_all() -> Result<()> {
    // A root file system in memory begins with a directory that anyone may write to.
    if let Err(errno) = chmod(c"/", Mode::from_raw_mode(0o755)) {
        log::warn!("cannot set the mode of /: {}", Os(errno));
    }
    make_directory(crate::project::mount::ROOT);
    let quiet = MountFlags::NOSUID | MountFlags::NOEXEC;
    for (kind, target, flags) in [
        (c"devtmpfs", c"/dev", quiet),
        (c"proc", c"/proc", quiet | MountFlags::NODEV),
        (c"sysfs", c"/sys", quiet | MountFlags::NODEV),
    ] {
        make_directory(target);
        match mount(kind, target, kind, flags, None) {
            // The kernel mounts /dev itself if it is told to.
            Ok(()) | Err(Errno::BUSY) => {}
            Err(errno) => {
                let (kind, target) = (kind.to_string_lossy(), target.to_string_lossy());
                return Err(FailureKind::Module
                    .because(format_args!("cannot mount {kind} on {target}: {}", Os(errno))));
            }
        }
    }
    Ok(())
}

/// Makes a directory if it isn't there; the mount says it if that fails.
fn make_directory(path: &core::ffi::CStr) {
    let _ = mkdirat(CWD, path, Mode::from_raw_mode(0o755));
}
