//! The kernel: a Debian package, fetched with apt and unpacked, never installed.

use crate::{apt, command, paths};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
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
        let cache = paths::target().join("mfs/cache");
        fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
        let (concrete, offer) = offer_of(package).or_else(|_| {
            // Without lists, or with old ones, apt may not know the package.
            apt::refresh_lists()?;
            offer_of(package)
        })?;
        let archive = cache.join(&offer.file);
        if fs::metadata(&archive).map_or(0, |metadata| metadata.len()) != offer.bytes {
            download(&concrete, &cache)?;
        }
        let root = unpack(&archive, &cache)?;
        Self::unpacked(concrete, offer.file, root)
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

/// A package file that a source offers.
#[derive(Debug, PartialEq, Eq)]
struct Offer {
    file: String,
    bytes: u64,
}

/// The concrete package behind `package`, and its file.
fn offer_of(package: &str) -> Result<(String, Offer)> {
    let depends =
        command::stdout(Command::new("apt-cache").args(["depends", "--important", package]))?;
    let concrete = concrete_package(&depends).unwrap_or(package);
    let uris = command::stdout(Command::new("apt-get").args([
        "download",
        "--print-uris",
        "--quiet",
        concrete,
    ]))?;
    let offer = parse_offer(&uris)
        .with_context(|| format!("apt offers no file for the package {concrete}: {uris}"))?;
    Ok((concrete.to_owned(), offer))
}

/// The kernel package among the dependencies of a meta package, in `apt-cache depends` output.
fn concrete_package(depends: &str) -> Option<&str> {
    depends
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|name| name.starts_with("linux-image-"))
}

/// `'<uri>' <file> <bytes> <digest>`, as `apt-get --print-uris` prints it.
fn parse_offer(uris: &str) -> Option<Offer> {
    let line = uris.lines().find(|line| line.starts_with('\''))?;
    let mut words = line.split(' ').skip(1);
    let file = words.next().filter(|file| !file.contains('/'))?;
    Some(Offer { file: file.to_owned(), bytes: words.next()?.parse().ok()? })
}

/// apt checks the file's digest. As root it warns that its sandbox user cannot write here; that
/// is harmless, and left out.
fn download(package: &str, cache: &Path) -> Result<()> {
    eprintln!("fetching {package}");
    command::stdout(
        Command::new("apt-get")
            .args(["download", "--quiet", "-o", "APT::Sandbox::User=root", package])
            .current_dir(cache),
    )
    .map(drop)
}

/// Unpacks beside the archive. The directory appears only when it is complete.
fn unpack(archive: &Path, cache: &Path) -> Result<PathBuf> {
    let Some(stem) = archive.file_stem() else { bail!("{} has no name", archive.display()) };
    let root = cache.join(stem);
    if root.is_dir() {
        return Ok(root);
    }
    let partial = cache.join(format!("unpacking.{}", std::process::id()));
    command::stdout(Command::new("dpkg-deb").arg("--extract").arg(archive).arg(&partial))?;
    if fs::rename(&partial, &root).is_err() && !root.is_dir() {
        bail!("cannot rename {} to {}", partial.display(), root.display());
    }
    Ok(root)
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

    #[test]
    fn the_offer_is_read() {
        let uris = "'http://deb/linux_6.1.192-2_amd64.deb' linux_6.1.192-2_amd64.deb 70550672 \
                    SHA256:a86e\n";
        let offer = Offer { file: "linux_6.1.192-2_amd64.deb".into(), bytes: 70_550_672 };
        assert_eq!(parse_offer(uris), Some(offer));
        assert_eq!(parse_offer("'http://deb/x' ../x.deb 1 SHA256:0"), None);
        assert_eq!(parse_offer("Reading package lists...\n"), None);
    }
}
