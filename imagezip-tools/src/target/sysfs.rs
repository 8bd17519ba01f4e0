//! Block devices as the kernel shows them in `/sys`.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A block device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    /// As in `/sys/dev/block`: `major:minor`.
    pub(super) numbers: String,
    /// Its directory in `/sys`; `None` if that does not show it.
    dir: Option<PathBuf>,
}

impl Device {
    /// The device with this `st_rdev`.
    pub(super) fn numbered(rdev: u64) -> Self {
        let numbers = format!("{}:{}", rustix::fs::major(rdev), rustix::fs::minor(rdev));
        let dir = fs::canonicalize(Path::new("/sys/dev/block").join(&numbers)).ok();
        Self { numbers, dir }
    }

    /// The kernel's name for it, `sda1`.
    pub(super) fn name(&self) -> String {
        let name = self.dir.as_ref().and_then(|dir| dir.file_name());
        name.map_or_else(|| self.numbers.clone(), |name| name.display().to_string())
    }

    /// Itself and all devices that share sectors with it: a disk's partitions, a partition's disk.
    pub(super) fn overlapping(&self) -> io::Result<Vec<Self>> {
        let mut devices = vec![self.clone()];
        let Some(dir) = &self.dir else { return Ok(devices) };
        let relatives: Vec<PathBuf> = if dir.join("partition").exists() {
            dir.parent().map(Path::to_owned).into_iter().collect()
        } else {
            entries(dir)?.into_iter().filter(|dir| dir.join("partition").exists()).collect()
        };
        for dir in relatives {
            let numbers = fs::read_to_string(dir.join("dev"))?.trim().to_owned();
            devices.push(Self { numbers, dir: Some(dir) });
        }
        Ok(devices)
    }

    /// The names of the devices that are made of this one: RAIDs, logical volumes, ciphers.
    pub(super) fn holders(&self) -> io::Result<Vec<String>> {
        let Some(dir) = &self.dir else { return Ok(Vec::new()) };
        let holders = entries(&dir.join("holders"))?;
        let name = |path: &PathBuf| path.file_name().map(|name| name.display().to_string());
        Ok(holders.iter().filter_map(name).collect())
    }

    /// The loop devices that show the file.
    pub(super) fn loops_of(file: &fs::Metadata) -> io::Result<Vec<Self>> {
        let mut loops = Vec::new();
        for dir in entries(Path::new("/sys/block"))? {
            let Ok(backing) = fs::read_to_string(dir.join("loop/backing_file")) else { continue };
            let same = fs::metadata(backing.trim_end_matches('\n'))
                .is_ok_and(|other| (other.dev(), other.ino()) == (file.dev(), file.ino()));
            if same {
                let numbers = fs::read_to_string(dir.join("dev"))?.trim().to_owned();
                let dir = fs::canonicalize(dir).ok();
                loops.push(Self { numbers, dir });
            }
        }
        Ok(loops)
    }
}

/// What is in a directory; nothing if there is no such directory.
fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
