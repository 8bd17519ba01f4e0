//! Disks in files, and the programs of e2fsprogs that make and read them.

use std::error::Error;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Place};
use imagezip_core::extent::ExtentSet;
use imagezip_core::filesystem::{Allocation, ext};
use imagezip_core::sector::{Bytes, Sector, SectorRange};
use tempfile::TempDir;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A file read as a device.
struct FileDevice {
    file: File,
    size: Bytes,
}

impl ReadAt for FileDevice {
    fn size(&self) -> Bytes {
        self.size
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> imagezip_core::Result<()> {
        self.file.read_exact_at(buf, offset.get()).map_err(|error| {
            let kind = match error.kind() {
                io::ErrorKind::UnexpectedEof => ErrorKind::Truncated,
                _ => ErrorKind::Read(error.raw_os_error().unwrap_or(0)),
            };
            kind.at(Place::Byte(offset))
        })
    }
}

/// Runs a program and returns what it printed; fails unless its exit status is in `good`.
pub(crate) fn run_with<S: AsRef<OsStr>>(
    good: &[i32],
    program: &str,
    args: &[S],
) -> Outcome<String> {
    let output = Command::new(program)
        .args(args)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
        .map_err(|error| {
            format!("{program} (Debian package e2fsprogs, mount or xfsprogs): {error}")
        })?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.code().is_some_and(|code| good.contains(&code)) {
        return Ok(printed);
    }
    let args: Vec<_> = args.iter().map(|arg| arg.as_ref().to_string_lossy()).collect();
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {}: {}\n{printed}{errors}", args.join(" "), output.status).into())
}

/// Runs a program that must end with status 0.
pub(crate) fn run<S: AsRef<OsStr>>(program: &str, args: &[S]) -> Outcome<String> {
    run_with(&[0], program, args)
}

/// A disk in a file that holds one file system.
pub(crate) struct Disk {
    dir: TempDir,
    path: PathBuf,
}

impl Disk {
    /// A sparse disk of `mib` MiB, with nothing on it.
    pub(crate) fn blank(mib: u64) -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("disk");
        File::create(&path)?.set_len(mib << 20)?;
        Ok(Self { dir, path })
    }

    /// A disk with a file system of mke2fs's making, which holds the files of [`some_files`].
    pub(crate) fn make(mib: u64, options: &str) -> Outcome<Self> {
        let disk = Self::blank(mib)?;
        disk.format(options, "")?;
        Ok(disk)
    }

    /// Makes a file system of `size` (in mke2fs's words; empty for all of the disk).
    pub(crate) fn format(&self, options: &str, size: &str) -> Outcome {
        let files = self.dir.path().join("files");
        if !files.exists() {
            some_files(&files)?;
        }
        let (files, path) = (files.to_string_lossy(), self.path.to_string_lossy());
        let mut args = vec!["-q", "-F", "-d", files.as_ref()];
        args.extend(options.split_whitespace());
        args.push(path.as_ref());
        args.extend(size.split_whitespace());
        run("mke2fs", &args).map(drop)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A file beside the disk that goes away with it.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A copy of the disk as it is, holes kept.
    pub(crate) fn copy(&self) -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("disk");
        run("cp", &[OsStr::new("--sparse=always"), self.path.as_os_str(), path.as_os_str()])?;
        Ok(Self { dir, path })
    }

    /// Takes over the files which were copied into another disk's file system, for [`Disk::churn`].
    pub(crate) fn copy_files(&self, other: &Self) -> Outcome {
        let (from, to) = (other.beside("files"), self.dir.path());
        run("cp", &[OsStr::new("-r"), from.as_os_str(), to.as_os_str()]).map(drop)
    }

    /// Runs debugfs commands, one a line, that may write.
    pub(crate) fn debugfs(&self, commands: &str) -> Outcome<String> {
        let script = self.beside("commands");
        fs::write(&script, commands)?;
        let script = script.into_os_string();
        run("debugfs", &[OsStr::new("-w"), OsStr::new("-f"), &script, self.path.as_os_str()])
    }

    /// Makes free space come in pieces: deletes some of [`some_files`] and writes others.
    pub(crate) fn churn(&self) -> Outcome {
        let source = self.dir.path().join("files/large0");
        let mut commands: Vec<_> =
            (0..SMALL_FILES).step_by(3).map(|number| format!("rm small{number}\n")).collect();
        commands.push(format!("rm large1\nwrite {} again\nrm large2\n", source.display()));
        self.debugfs(&commands.concat()).map(drop)
    }

    /// What our parser says.
    pub(crate) fn allocation(&self) -> Outcome<Allocation> {
        let file = File::open(&self.path)?;
        let size = Bytes(file.metadata()?.len());
        Ok(ext::allocation(&FileDevice { file, size })?)
    }

    /// All sectors of the disk.
    pub(crate) fn sectors(&self) -> Outcome<SectorRange> {
        Ok(SectorRange::first(Bytes(fs::metadata(&self.path)?.len()).whole_sectors()))
    }

    /// What dumpe2fs says.
    pub(crate) fn dump(&self) -> Outcome<Dump> {
        Dump::parse(&run("dumpe2fs", &[&self.path])?)
    }

    /// What dumpe2fs says of a disk whose journal needs recovery: it ends with status 156 after
    /// all else where the bitmaps are not those that the descriptors belong to.
    pub(crate) fn dump_before_recovery(&self) -> Outcome<Dump> {
        Dump::parse(&run_with(&[0, 156], "dumpe2fs", &[&self.path])?)
    }

    /// Fails unless our parser finds exactly the free blocks of dumpe2fs, and has no doubts.
    pub(crate) fn check(&self, name: &str) -> Outcome {
        let ours = self.allocation().map_err(|error| format!("{name}: {error}"))?;
        assert!(ours.notes.is_empty(), "{name}: {:?}", ours.notes);
        let dump = self.dump()?;
        assert!(!dump.free.is_empty(), "{name}: nothing is free, so nothing was compared");
        let free = ours.in_use.complement(self.sectors()?);
        let lost = free.difference(&dump.free);
        assert!(lost.is_empty(), "{name}: in use, but free for us: {lost:?}");
        let kept = dump.free.difference(&free);
        assert!(kept.is_empty(), "{name}: free, but in use for us: {kept:?}");
        Ok(())
    }
}

const SMALL_FILES: u32 = 120;

/// Files of many sizes, to be copied into a file system.
fn some_files(dir: &Path) -> Outcome {
    fs::create_dir(dir)?;
    for number in 0..SMALL_FILES {
        let len = 1 + number as usize * 211 % 15_000;
        fs::write(dir.join(format!("small{number}")), vec![b'a'; len])?;
    }
    for number in 0..3 {
        fs::write(dir.join(format!("large{number}")), vec![b'b'; 700_001])?;
    }
    Ok(())
}

/// What dumpe2fs prints about a file system.
pub(crate) struct Dump {
    text: String,
    /// The free sectors.
    pub(crate) free: ExtentSet,
}

impl Dump {
    fn parse(text: &str) -> Outcome<Self> {
        let number = |label: &str| -> Outcome<u64> {
            let value = field(text, label).ok_or_else(|| format!("dumpe2fs prints no {label}"))?;
            Ok(value.parse()?)
        };
        let block_size = number("Block size:")?;
        let end = number("Block count:")?;
        // Of a range of clusters the first block of the last one is printed.
        let cluster = match field(text, "Cluster size:") {
            Some(size) => size.parse::<u64>()? / block_size,
            None => 1,
        };
        let sector = |block: u64| Sector::new(block * (block_size / 512)).unwrap_or(Sector::MAX);
        let mut ranges = Vec::new();
        let groups = text.split("\nGroup ").skip(1);
        let lists = groups.filter_map(|group| field(group, "  Free blocks:"));
        for item in lists.flat_map(|list| list.split(',')).map(str::trim) {
            let (first, last) = match item.split_once('-') {
                _ if item.is_empty() => continue,
                Some((first, last)) => (first.parse::<u64>()?, last.parse::<u64>()?),
                None => (item.parse()?, item.parse()?),
            };
            let blocks = first..(last + cluster).min(end);
            ranges.extend(SectorRange::new(sector(blocks.start), sector(blocks.end)));
        }
        Ok(Self { text: text.to_owned(), free: ExtentSet::from_unsorted(ranges) })
    }

    /// The block of the bitmap of group 0.
    pub(crate) fn first_bitmap(&self) -> Outcome<usize> {
        let value = self.field("  Block bitmap at").unwrap_or_default();
        Ok(value.split(' ').next().unwrap_or_default().parse()?)
    }

    /// Whether `word` stands anywhere in what was printed.
    pub(crate) fn mentions(&self, word: &str) -> bool {
        self.text.contains(word)
    }

    /// The value after a label at the start of a line.
    pub(crate) fn field(&self, label: &str) -> Option<&str> {
        field(&self.text, label)
    }
}

fn field<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(label)).map(str::trim)
}
