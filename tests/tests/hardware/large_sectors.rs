//! A node's disk whose sectors have 4096 bytes.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::Result;
use imagezip_core::allocation::{Options, Selection, scan};
use imagezip_core::partition::LogicalSectorSize;
use imagezip_core::signature::Signature;
use imagezip_tools::create::create;
use imagezip_tools::host::FileDevice;
use swapmfs_tests::trial::{Set, Trial, is_root};
use xtask::command::{fed, stdout, tool};
use xtask::node_disk::{NodeDisk, SECTOR};

/// The sectors of 512 bytes in one of the disk's.
const FACTOR: u64 = 8;

/// The disk of the other tests with a table for large sectors, and what the host's tool makes of
/// it. `None` without root, who alone may make a loop device with such sectors.
pub(crate) fn prepare(name: &str) -> Result<Option<(Trial, Set)>> {
    if !is_root(name) {
        return Ok(None);
    }
    let trial = Trial::new(name)?.with_own_disk()?;
    let disk = &trial.experiment.disk;
    replace_table(disk)?;

    let device = FileDevice::open(&disk.path)?;
    let map = scan(&device, Selection::WholeDisk, Options::new(LogicalSectorSize::B4096))?;
    let base = Signature::read(fs::read(&trial.experiment.base_signature)?.as_slice())?;
    let scratch = trial.experiment.directory.join("scratch");
    let (image, signature) = (scratch.join("expected.ndz"), scratch.join("expected.sig"));
    create(&device, &map, Some(&base), &image, &signature)?;
    let expected =
        Set { image: fs::read(image)?, signature: fs::read(signature)?, meta: Vec::new() };
    Ok(Some((trial, expected)))
}

/// Removes the GPT, which fills the first MiB and is repeated in the last, and lets sfdisk write
/// one with the same partitions in sectors of 4096 bytes.
fn replace_table(disk: &NodeDisk) -> Result<()> {
    let zeros = vec![0; 1 << 20];
    let file = File::options().write(true).open(&disk.path)?;
    file.write_all_at(&zeros, 0)?;
    file.write_all_at(&zeros, disk.sectors * SECTOR - (1 << 20))?;
    drop(file);
    let line = |slice: xtask::node_disk::Slice, kind: &str| {
        format!("start={}, size={}, type={kind}\n", slice.start / FACTOR, slice.sectors / FACTOR)
    };
    let (esp, root, swap) =
        (line(disk.esp, "uefi"), line(disk.root, "linux"), line(disk.swap, "swap"));
    let device = LoopDevice::attach(&disk.path)?;
    fed(
        tool("sfdisk").args(["--quiet", "--no-reread", "--no-tell-kernel", &device.0]),
        &format!("label: gpt\n{esp}{root}{swap}"),
    )?;
    let said = stdout(tool("sgdisk").args(["--verify", &device.0]))?;
    anyhow::ensure!(said.contains("No problems found"), "{said}");
    Ok(())
}

/// A loop device with sectors of 4096 bytes.
struct LoopDevice(String);

impl LoopDevice {
    fn attach(path: &Path) -> Result<Self> {
        let device =
            stdout(tool("losetup").args(["--find", "--show", "--sector-size", "4096"]).arg(path))?;
        Ok(Self(device.trim().to_owned()))
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        if let Err(error) = stdout(tool("losetup").args(["--detach", &self.0])) {
            eprintln!("{error:#}");
        }
    }
}
