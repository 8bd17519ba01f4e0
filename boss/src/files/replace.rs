//! Files that appear whole or not at all.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, fchown};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use rustix::fs::{AtFlags, CWD};
use rustix::io::Errno;

use super::{Directory, Owner};

/// A temporary file that is older than that, and that no run holds, is one of a run that crashed.
pub const TEMPORARY_AGE: Duration = Duration::from_hours(1);

const PREFIX: &str = ".boss-";
const SUFFIX: &str = ".tmp";

/// Sixteen hexadecimal digits that nobody else has.
pub fn token() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// The name of a temporary file of the run with this token.
pub fn temporary_name(token: &str) -> String {
    format!("{PREFIX}{token}{SUFFIX}")
}

/// The token in the name of a temporary file, if it is one of ours.
pub fn is_temporary(name: &str) -> Option<&str> {
    let token = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (token.len() == 16 && token.bytes().all(hex)).then_some(token)
}

impl Directory {
    /// Makes `bytes` the content of a file, durably and by rename: who reads it sees the old
    /// content or the new one.
    pub fn replace(
        &self,
        name: &str,
        bytes: &[u8],
        owner: Option<Owner>,
        mode: u32,
    ) -> anyhow::Result<()> {
        let temporary = temporary_name(&token());
        let mut file = self
            .create(&temporary)
            .with_context(|| format!("making {}", self.shown(&temporary)))?;
        let written = file
            .write_all(bytes)
            .with_context(|| format!("writing {}", self.shown(name)))
            .and_then(|()| self.give_file(&file, name, owner, mode))
            .and_then(|()| self.rename(&temporary, name));
        if written.is_err() {
            let _ = self.remove(&temporary);
        }
        written.map(|_| ())
    }

    /// Sets owner and mode of a file that was opened here, and makes it durable.
    pub fn give_file(
        &self,
        file: &File,
        name: &str,
        owner: Option<Owner>,
        mode: u32,
    ) -> anyhow::Result<()> {
        owner
            .map_or(Ok(()), |owner| fchown(file, Some(owner.uid), Some(owner.gid)))
            .and_then(|()| file.set_permissions(Permissions::from_mode(mode)))
            .and_then(|()| file.sync_all())
            .with_context(|| format!("giving {} its owner and mode", self.shown(name)))
    }

    /// Gives the very file that was opened a name here; false if the name is taken.
    pub fn publish(&self, file: &File, name: &str) -> anyhow::Result<bool> {
        let opened = format!("/proc/self/fd/{}", file.as_raw_fd());
        match rustix::fs::linkat(CWD, opened, self, super::plain(name)?, AtFlags::SYMLINK_FOLLOW) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(error) => Err(error).with_context(|| format!("naming {}", self.shown(name))),
        }
    }

    /// Makes a link, or replaces by rename what has its name.
    pub fn link(&self, name: &str, target: &Path) -> anyhow::Result<()> {
        let temporary = temporary_name(&token());
        rustix::fs::symlinkat(target, self, temporary.as_str())
            .with_context(|| format!("linking {}", self.shown(name)))?;
        let renamed = self.rename(&temporary, name);
        if renamed.is_err() {
            let _ = self.remove(&temporary);
        }
        renamed.map(|_| ())
    }
}
