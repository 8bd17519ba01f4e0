//! Leave to read the disk, for one process and a time.

use rustix::fd::OwnedFd;
use rustix::fs::{Gid, Mode, Uid, fchmod, fchown, fstat};
use rustix::io::Result;

use crate::failure::Os;
use crate::file;

/// A group that no user of a testbed is in; lower ones are taken if the user is in it. A high
/// number: of the groups of a process NFS carries the lowest 16.
const GROUP: u32 = 0xFFF0_0000;

/// A device that a group may read. Nobody but root may write to it or change who may: the device
/// stays root's. It is root's alone again when this is dropped.
pub(super) struct Grant {
    device: OwnedFd,
    before: (Uid, Gid, Mode),
    group: u32,
}

impl Grant {
    /// Lets a group read the device that none of `groups` is.
    pub(super) fn new(path: &str, groups: &[u32]) -> Result<Self> {
        let mut group = GROUP;
        while groups.contains(&group) {
            group = group.saturating_sub(1);
        }
        let device = file::open(path)?;
        let status = fstat(&device)?;
        let owner = (Uid::from_raw(status.st_uid), Gid::from_raw(status.st_gid));
        let before = (owner.0, owner.1, Mode::from_raw_mode(status.st_mode));
        let grant = Self { device, before, group };
        // First nobody may anything, so that there is no moment at which the old group may more.
        fchmod(&grant.device, Mode::empty())?;
        fchown(&grant.device, Some(Uid::ROOT), Some(Gid::from_raw(group)))?;
        fchmod(&grant.device, Mode::RUSR | Mode::RGRP)?;
        Ok(grant)
    }

    pub(super) fn group(&self) -> u32 {
        self.group
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        let (uid, gid, mode) = self.before;
        let restored = fchmod(&self.device, Mode::empty())
            .and_then(|()| fchown(&self.device, Some(uid), Some(gid)))
            .and_then(|()| fchmod(&self.device, mode));
        if let Err(errno) = restored {
            log::warn!("cannot take back the leave to read the disk: {}", Os(errno));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn the_group_may_read_until_the_end() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        let facts = || {
            let file = fs::metadata(path).unwrap();
            (file.uid(), file.gid(), file.mode() & 0o7777)
        };
        let grant = Grant::new(path, &[7, GROUP]).unwrap();
        assert_eq!(facts(), (0, GROUP - 1, 0o440));
        assert_eq!(grant.group(), GROUP - 1);
        drop(grant);
        assert_eq!(facts(), (0, 0, 0o600));
    }
}
