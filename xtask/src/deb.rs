//! Debian packages that are fetched with apt and unpacked beside the build, never installed.

use crate::{apt, command, paths};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Where packages come from.
#[derive(Debug)]
pub struct Sources {
    /// Options for apt's programs.
    options: Vec<String>,
}

/// A package that was fetched and unpacked.
#[derive(Debug)]
pub struct Fetched {
    /// The file name of the package, which has its version.
    pub archive: String,
    /// What is in it.
    pub root: PathBuf,
}

/// A package file that a source offers.
#[derive(Debug, PartialEq, Eq)]
struct Offer {
    file: String,
    bytes: u64,
}

impl Sources {
    /// Those that this machine is set up for.
    pub fn of_this_machine() -> Self {
        Self { options: Vec::new() }
    }

    /// One suite of Debian's archive, with lists of its own in `directory`: the machine's own
    /// lists and what it installs from are left alone.
    pub fn suite(name: &str, directory: &Path) -> Result<Self> {
        let lists = directory.join("lists");
        fs::create_dir_all(lists.join("partial"))
            .with_context(|| format!("cannot create {}", lists.display()))?;
        let source = directory.join("sources.list");
        fs::write(&source, format!("deb http://deb.debian.org/debian {name} main\n"))?;
        let options = [
            format!("Dir::Etc::SourceList={}", source.display()),
            "Dir::Etc::SourceParts=-".into(),
            format!("Dir::State::Lists={}", lists.display()),
        ];
        let sources = Self { options: options.into() };
        let mut have = fs::read_dir(&lists)?.flatten();
        if !have.any(|list| list.file_name().to_string_lossy().contains("_Packages")) {
            command::stdout(sources.apt("update").arg("--quiet"))?;
        }
        Ok(sources)
    }

    /// Fetches and unpacks a package into `cache`, unless it is there.
    pub fn fetch(&self, package: &str, cache: &Path) -> Result<Fetched> {
        // One thread of a process at a time: they would unpack into the same directory.
        static FETCHING: Mutex<()> = Mutex::new(());
        let _alone = FETCHING.lock().unwrap_or_else(PoisonError::into_inner);
        fs::create_dir_all(cache).with_context(|| format!("cannot create {}", cache.display()))?;
        let uris =
            command::stdout(self.apt("download").args(["--print-uris", "--quiet", package]))?;
        let offer = parse_offer(&uris)
            .with_context(|| format!("apt offers no file for the package {package}: {uris}"))?;
        let archive = cache.join(&offer.file);
        if fs::metadata(&archive).map_or(0, |metadata| metadata.len()) != offer.bytes {
            eprintln!("fetching {package}");
            // apt checks the file's digest.
            command::stdout(self.apt("download").args(["--quiet", package]).current_dir(cache))?;
        }
        let root = unpack(&archive, cache)?;
        Ok(Fetched { archive: offer.file, root })
    }

    fn apt(&self, action: &str) -> Command {
        let mut command = Command::new("apt-get");
        // As root apt warns that its sandbox user cannot write here; that is harmless.
        command.args(["-o", "APT::Sandbox::User=root"]);
        command.args(self.options.iter().flat_map(|option| ["-o", option]));
        command.arg(action);
        command
    }
}

/// A busybox that needs no libraries. It is not installed, since that could remove another one.
pub fn static_busybox() -> Result<PathBuf> {
    let cache = paths::target().join("busybox");
    let fetch = || Sources::of_this_machine().fetch("busybox-static", &cache);
    let Fetched { root, .. } = fetch().or_else(|_| {
        apt::refresh_lists()?;
        fetch()
    })?;
    // Where it is depends on Debian's version.
    let places = ["bin/busybox", "usr/bin/busybox"].map(|place| root.join(place));
    let found = places.into_iter().find(|path| path.is_file());
    found.with_context(|| format!("no busybox in {}", root.display()))
}

/// `'<uri>' <file> <bytes> <digest>`, as `apt-get --print-uris` prints it.
fn parse_offer(uris: &str) -> Option<Offer> {
    let line = uris.lines().find(|line| line.starts_with('\''))?;
    let mut words = line.split(' ').skip(1);
    let file = words.next().filter(|file| !file.contains('/'))?;
    Some(Offer { file: file.to_owned(), bytes: words.next()?.parse().ok()? })
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
    fn the_offer_is_read() {
        let uris = "'http://deb/linux_6.1.192-2_amd64.deb' linux_6.1.192-2_amd64.deb 70550672 \
                    SHA256:a86e\n";
        let offer = Offer { file: "linux_6.1.192-2_amd64.deb".into(), bytes: 70_550_672 };
        assert_eq!(parse_offer(uris), Some(offer));
        assert_eq!(parse_offer("'http://deb/x' ../x.deb 1 SHA256:0"), None);
        assert_eq!(parse_offer("Reading package lists...\n"), None);
    }
}
