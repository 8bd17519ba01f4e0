//! Whose the files are that a run makes.
//!
//! They must be of use to every member of the experiment's group, whatever the mask of new files
//! is and whether the server gives them the group of their directory, as BSD does, or of who makes
//! them. The owner is who makes them, and needs no help.

use rustix::fd::AsFd;
use rustix::fs::{Mode, fchmod, fchown, fstat};
use rustix::io::Result;
use rustix::process::{Gid, getegid};

use crate::failure::Os;

/// For files: read and written by owner and group.
pub const FILE: Mode = Mode::from_raw_mode(0o660);
/// For directories; what is made in them gets their group.
pub const DIRECTORY: Mode = Mode::from_raw_mode(0o2770);

/// As [`set`]; if the server doesn't let it, the log says so, and that is all. `name` is the
/// file's.
pub fn give_to_group(file: impl AsFd, directory: impl AsFd, mode: Mode, name: &str) {
    if let Err(errno) = set(file, directory, mode) {
        log::warn!("cannot set the group and mode of {name}: {}", Os(errno));
    }
}

/// Gives `file`, which was made in `directory`, to the experiment's group, and sets its mode.
///
/// The experiment's group is the first of the user's. Root's is of no use to anybody, so root's
/// files go to the group of their directory.
///
/// # Errors
/// The first; the mode is set even if the group can't be.
pub fn set(file: impl AsFd, directory: impl AsFd, mode: Mode) -> Result<()> {
    let group = set_group(&file, directory);
    // After the group: another group takes the mark of directories away.
    let mode = fchmod(file, mode);
    group.and(mode)
}

fn set_group(file: impl AsFd, directory: impl AsFd) -> Result<()> {
    let wanted = match getegid() {
        Gid::ROOT => Gid::from_raw(fstat(directory)?.st_gid),
        group => group,
    };
    if fstat(&file)?.st_gid == wanted.as_raw() {
        return Ok(());
    }
    fchown(file, None, Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmdline::Credentials;
    use crate::project::credentials::become_user;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

    /// The group of a file that is made by user 20001 with `groups`, or by root without, in a
    /// directory of the group 6000, which inherits or doesn't.
    fn group_of_file(groups: Option<&[u32]>, inherits: bool) -> (u32, u32) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        chown(path, Some(20001), Some(6000)).unwrap();
        let mode = if inherits { 0o2770 } else { 0o770 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let name = path.join("x");
        // Numbers are a thread's own, so the other tests don't notice.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                if let Some([gid, more @ ..]) = groups {
                    let groups = heapless::Vec::from_slice(more).unwrap();
                    become_user(&Credentials { uid: 20001, gid: *gid, groups }).unwrap();
                }
                let file = fs::File::create(&name).unwrap();
                give_to_group(&file, fs::File::open(path).unwrap(), FILE, "x");
            });
        });
        let metadata = fs::metadata(&name).unwrap();
        (metadata.gid(), metadata.mode() & 0o7777)
    }

    #[test]
    fn files_have_the_experiments_group() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        for inherits in [false, true] {
            assert_eq!(group_of_file(Some(&[6000]), inherits), (6000, 0o660));
            assert_eq!(group_of_file(Some(&[6001, 6000]), inherits), (6001, 0o660));
            assert_eq!(group_of_file(None, inherits), (6000, 0o660));
        }
    }
}
