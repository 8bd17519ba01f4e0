//! What the system's devices are used for.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

use super::sysfs::Device;

/// A use of a device or file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// A file system is mounted.
    Mounted {
        /// The device's name.
        device: String,
        /// Where.
        point: PathBuf,
        /// Whether nothing is written to it.
        read_only: bool,
    },
    /// The kernel swaps to this device or file.
    Swap(String),
    /// Another device is made of it.
    Held {
        /// The device's name.
        device: String,
        /// The name of the one that is made of it.
        by: String,
    },
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mounted { device, point, .. } => {
                write!(f, "{device} is mounted on {}", point.display())
            }
            Self::Swap(device) => write!(f, "{device} is swapped to"),
            Self::Held { device, by } => write!(f, "{device} is part of {by}"),
        }
    }
}

/// A line of `/proc/self/mountinfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// `major:minor`; 0 and a number of no device for file systems of several devices.
    pub(super) numbers: String,
    pub(super) point: PathBuf,
    pub(super) source: PathBuf,
    pub(super) read_only: bool,
}

/// What is mounted and swapped to.
pub(super) struct System {
    mounts: Vec<Mount>,
    swaps: Vec<PathBuf>,
}

impl System {
    /// As it is now.
    pub(super) fn now() -> io::Result<Self> {
        let mounts = fs::read("/proc/self/mountinfo")?;
        // A kernel without swap has no such file.
        let swaps = fs::read("/proc/swaps").unwrap_or_default();
        let mounts = lines(&mounts).filter_map(mount).collect();
        let swaps = lines(&swaps).skip(1).filter_map(|line| words(line).next()).map(path).collect();
        Ok(Self { mounts, swaps })
    }

    /// Who uses sectors of the device.
    pub(super) fn uses_of_device(&self, device: &Device) -> io::Result<Vec<Use>> {
        let mut uses = Vec::new();
        for device in device.overlapping()? {
            let name = device.name();
            let is_it = |path: &PathBuf| {
                fs::metadata(path).is_ok_and(|metadata| {
                    metadata.file_type().is_block_device()
                        && Device::numbered(metadata.rdev()).numbers == device.numbers
                })
            };
            for mount in &self.mounts {
                if mount.numbers == device.numbers || is_it(&mount.source) {
                    let (point, read_only) = (mount.point.clone(), mount.read_only);
                    uses.push(Use::Mounted { device: name.clone(), point, read_only });
                }
            }
            if self.swaps.iter().any(is_it) {
                uses.push(Use::Swap(name.clone()));
            }
            let held = |by| Use::Held { device: name.clone(), by };
            uses.extend(device.holders()?.into_iter().map(held));
        }
        Ok(uses)
    }

    /// Who uses the file's blocks, not counting programs that have it open.
    pub(super) fn uses_of_file(&self, file: &fs::Metadata) -> io::Result<Vec<Use>> {
        let mut uses = Vec::new();
        for device in Device::loops_of(file)? {
            uses.extend(self.uses_of_device(&device)?);
        }
        for swap in &self.swaps {
            let same = fs::metadata(swap)
                .is_ok_and(|other| (other.dev(), other.ino()) == (file.dev(), file.ino()));
            if same {
                uses.push(Use::Swap(swap.display().to_string()));
            }
        }
        Ok(uses)
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// A line of mountinfo (`proc_pid_mountinfo` in section 5 of the manual): id, parent, numbers,
/// root, mount point, options, other fields, `-`, type, source, options of the file system.
pub(super) fn mount(line: &[u8]) -> Option<Mount> {
    let mut words = words(line).skip(2);
    let numbers = String::from_utf8(words.next()?.to_vec()).ok()?;
    let point = path(words.nth(1)?);
    let mut words = words.skip_while(|word| *word != b"-").skip(2);
    let source = path(words.next()?);
    let options = words.next().unwrap_or_default();
    let read_only = options.split(|byte| *byte == b',').any(|option| option == b"ro");
    Some(Mount { numbers, point, source, read_only })
}

/// A path in which the kernel wrote some characters as `\` and three octal digits.
fn path(mut word: &[u8]) -> PathBuf {
    let mut plain = Vec::new();
    while let Some((first, rest)) = word.split_first() {
        let digits = rest.get(..3).and_then(|digits| str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some(byte) = escaped.filter(|_| *first == b'\\') {
            plain.push(byte);
            word = rest.get(3..).unwrap_or_default();
        } else {
            plain.push(*first);
            word = rest;
        }
    }
    PathBuf::from(OsString::from_vec(plain))
}
