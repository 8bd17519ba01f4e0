//! The initramfs archive: cpio in the "newc" format, reproducible.
//!
//! The kernel's Documentation/driver-api/early-userspace/buffer-format.rst describes the format.
//! Everything that could differ between two builds is fixed: entries are sorted by path, inode
//! numbers count up, times and owners are 0.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;

const MAGIC: &str = "070701";
const TRAILER: &str = "TRAILER!!!";

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// An archive in the making.
#[derive(Debug, Default)]
pub struct Archive {
    /// By path, so that a directory comes before what is in it.
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    mode: u32,
    device: (u32, u32),
    data: Vec<u8>,
}

impl Archive {
    /// Adds a directory, and the directories above it.
    pub fn directory(&mut self, path: &str) -> &mut Self {
        let mut end = 0;
        for component in path.split('/') {
            end += component.len();
            let entry = Entry { mode: DIRECTORY | 0o755, device: (0, 0), data: Vec::new() };
            self.entries.entry(path[..end].to_owned()).or_insert(entry);
            end += 1;
        }
        self
    }

    /// Adds a file with its permission bits, and the directories above it.
    pub fn file(&mut self, path: &str, permissions: u32, data: Vec<u8>) -> &mut Self {
        self.add(path, Entry { mode: FILE | permissions, device: (0, 0), data })
    }

    /// Adds a character device that only root may use, and the directories above it.
    pub fn character_device(&mut self, path: &str, major: u32, minor: u32) -> &mut Self {
        let mode = CHARACTER_DEVICE | 0o600;
        self.add(path, Entry { mode, device: (major, minor), data: Vec::new() })
    }

    fn add(&mut self, path: &str, entry: Entry) -> &mut Self {
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.directory(parent);
        }
        self.entries.insert(path.to_owned(), entry);
        self
    }

    /// The archive's bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        for (inode, (path, entry)) in (1..).zip(&self.entries) {
            if path.is_empty() || path.starts_with('/') || path == TRAILER {
                bail!("`{path}` cannot be a path in an initramfs");
            }
            append(&mut out, inode, path, entry)?;
        }
        let end = Entry { mode: 0, device: (0, 0), data: Vec::new() };
        append(&mut out, 0, TRAILER, &end)?;
        Ok(out)
    }
}

fn append(out: &mut Vec<u8>, inode: u32, path: &str, entry: &Entry) -> Result<()> {
    let size = u32::try_from(entry.data.len())
        .with_context(|| format!("`{path}` is too large for the newc format"))?;
    let name_size = u32::try_from(path.len() + 1)?;
    let links = if entry.mode & DIRECTORY == DIRECTORY { 2 } else { 1 };
    let (major, minor) = entry.device;
    out.extend_from_slice(MAGIC.as_bytes());
    let (uid, gid, time, archive_device, check) = (0, 0, 0, 0, 0);
    for field in [
        inode,
        entry.mode,
        uid,
        gid,
        links,
        time,
        size,
        archive_device,
        archive_device,
        major,
        minor,
        name_size,
        check,
    ] {
        out.extend_from_slice(format!("{field:08X}").as_bytes());
    }
    out.extend_from_slice(path.as_bytes());
    out.push(0);
    pad(out);
    out.extend_from_slice(&entry.data);
    pad(out);
    Ok(())
}

/// Names and contents each end on a multiple of four bytes.
fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::command;
    use std::io::Write;
    use std::process::{Command, Stdio};

    fn sample() -> Archive {
        let mut archive = Archive::default();
        archive.file("lib/modules/00-a.ko", 0o644, b"abc".to_vec());
        archive.character_device("dev/console", 5, 1);
        archive.directory("proc").file("init", 0o755, vec![7; 4096]);
        archive
    }

    pub(in crate::mfs) struct Read {
        pub(in crate::mfs) path: String,
        pub(in crate::mfs) data: Vec<u8>,
        mode: usize,
        device: (usize, usize),
    }

    /// An independent reader, by the format's description.
    pub(in crate::mfs) fn read(mut bytes: &[u8]) -> Vec<Read> {
        assert!(bytes.len().is_multiple_of(4));
        let mut entries = Vec::new();
        loop {
            assert_eq!(&bytes[..6], b"070701");
            let field = |n: usize| {
                let text = std::str::from_utf8(&bytes[6 + n * 8..14 + n * 8]).unwrap();
                usize::from_str_radix(text, 16).unwrap()
            };
            let (mode, size, name_size) = (field(1), field(6), field(11));
            let device = (field(9), field(10));
            assert_eq!([field(2), field(3), field(5)], [0, 0, 0], "owner and time");
            let path = String::from_utf8(bytes[110..109 + name_size].to_vec()).unwrap();
            let start = (110 + name_size).next_multiple_of(4);
            let data = bytes[start..start + size].to_vec();
            bytes = &bytes[(start + size).next_multiple_of(4)..];
            if path == "TRAILER!!!" {
                assert!(bytes.is_empty());
                return entries;
            }
            entries.push(Read { path, data, mode, device });
        }
    }

    #[test]
    fn everything_can_be_read_back_parents_first() {
        let entries = read(&sample().to_bytes().unwrap());
        let names: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(
            names,
            ["dev", "dev/console", "init", "lib", "lib/modules", "lib/modules/00-a.ko", "proc"]
        );
        assert_eq!((entries[1].mode, entries[1].device), (0o020_600, (5, 1)));
        assert_eq!((entries[2].mode, entries[2].data.len()), (0o100_755, 4096));
        assert_eq!(entries[5].data, b"abc");
    }

    #[test]
    fn the_order_of_adding_does_not_show() {
        let mut other = Archive::default();
        other.directory("proc").directory("lib/modules").character_device("dev/console", 5, 1);
        other.file("init", 0o755, vec![7; 4096]).file(
            "lib/modules/00-a.ko",
            0o644,
            b"abc".to_vec(),
        );
        assert_eq!(sample().to_bytes().unwrap(), other.to_bytes().unwrap());
    }

    #[test]
    fn the_cpio_program_agrees() {
        if command::find_program("cpio").is_none() {
            return;
        }
        let mut cpio = Command::new("cpio")
            .args(["--list", "--quiet"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        cpio.stdin.take().unwrap().write_all(&sample().to_bytes().unwrap()).unwrap();
        let output = cpio.wait_with_output().unwrap();
        let listed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            listed.lines().collect::<Vec<_>>(),
            ["dev", "dev/console", "init", "lib", "lib/modules", "lib/modules/00-a.ko", "proc"]
        );
    }

    #[test]
    fn impossible_paths_are_refused() {
        for path in ["/init", "TRAILER!!!", ""] {
            let mut archive = Archive::default();
            archive.file(path, 0o644, Vec::new());
            assert!(archive.to_bytes().is_err(), "{path}");
        }
    }
}
