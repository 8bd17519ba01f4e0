//! The kernel: a Debian package, fetched with apt and unpacked, never installed.

use crate::deb::Sources;
use crate::{apt, command, paths};
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// An unpacked kernel package.
#[derive(Debug)]
pub struct KernelPackage {
    /// The concrete package, as `linux-image-6.1.0-56-amd64`.
    pub package: String,
    /// The file name of the package, which has its version.
    pub archive: String,
    /// The kernel's release, as `uname -r` says it.
    pub release: String,
    root: PathBuf,
}

impl KernelPackage {
    /// Fetches `package`, or the concrete package that it depends on, unless it is in the cache.
    pub fn fetch(package: &str) -> Result<Self> {
        Self::fetch_now(package).or_else(|_| {
            // Without lists, or with old ones, apt may not know the package.
            apt::refresh_lists()?;
            Self::fetch_now(package)
        })
    }

    fn fetch_now(package: &str) -> Result<Self> {
        let depends =
            command::stdout(Command::new("apt-cache").args(["depends", "--important", package]))?;
        let concrete = concrete_package(&depends).unwrap_or(package);
        let cache = paths::target().join("mfs/cache");
        let fetched = Sources::of_this_machine().fetch(concrete, &cache)?;
        Self::unpacked(concrete.to_owned(), fetched.archive, fetched.root)
    }

    fn unpacked(package: String, archive: String, root: PathBuf) -> Result<Self> {
        let modules = root.join("lib/modules");
        let mut releases =
            fs::read_dir(&modules).with_context(|| format!("cannot read {}", modules.display()))?;
        let release = releases.next().context("the kernel package has no modules")??.file_name();
        let release = release.into_string().ok().context("the kernel's release is not text")?;
        Ok(Self { package, archive, release, root })
    }

    /// The kernel image.
    pub fn vmlinuz(&self) -> PathBuf {
        self.root.join(format!("boot/vmlinuz-{}", self.release))
    }

    /// The directory of its modules.
    pub fn modules(&self) -> PathBuf {
        self.root.join("lib/modules").join(&self.release)
    }
}

/// The kernel package among the dependencies of a meta package, in `apt-cache depends` output.
fn concrete_package(depends: &str) -> Option<&str> {
    depends
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|name| name.starts_with("linux-image-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meta_package_leads_to_the_concrete_one() {
        let meta = "linux-image-amd64\n  Depends: linux-image-6.1.0-56-amd64\n";
        assert_eq!(concrete_package(meta), Some("linux-image-6.1.0-56-amd64"));
        let concrete =
            "linux-image-6.1.0-56-amd64\n  Depends: kmod\n |Depends: linux-initramfs-tool\n";
        assert_eq!(concrete_package(concrete), None);
    }
}
