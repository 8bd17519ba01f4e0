//! A node that was loaded boots from its own disk: BIOS, boot loader, kernel and init, all of them
//! from the saved disk.

use std::fs;

use anyhow::Result;
use imagezip_core::allocation::{Options, Selection, scan};
use imagezip_core::partition::LogicalSectorSize;
use imagezip_core::sector::Sector;
use imagezip_core::signature::Signature;
use imagezip_tools::create::create;
use imagezip_tools::host::FileDevice;
use imagezip_tools::load::load;
use xtask::experiment::{Experiment, boot_own_disk, fit_table};
use xtask::node_disk::Sizes;
use xtask::qemu::Access;
use xtask::qemu::hardware::{Bus, Disk};
use xtask::{apt, paths};

const SIZES: Sizes = Sizes { esp: 48, root: 96, swap: 16, files: 48 };

/// Saved on a virtio disk; loaded, on the host, onto a larger one with another user's data.
#[test]
fn another_node_boots_from_its_own_disk() -> Result<()> {
    for packages in [apt::KERNEL_TOOLS, apt::QEMU, apt::DISK_TOOLS] {
        apt::ensure(packages)?;
    }
    let directory = paths::target().join("tests/qemu/own-disk");
    let experiment = Experiment::prepare_bootable(&directory, SIZES)?;
    let (delta, signature) = (directory.join("delta.ndz"), directory.join("delta.sig"));
    let device = FileDevice::open(&experiment.disk.path)?;
    let map = scan(&device, Selection::WholeDisk, Options::new(LogicalSectorSize::B512))?;
    let base = Signature::read(fs::read(&experiment.base_signature)?.as_slice())?;
    create(&device, &map, Some(&base), &delta, &signature)?;

    let other = experiment.other_disk()?;
    let device = FileDevice::open_for_writing(&other.path)?;
    for image in [&experiment.base_image, &delta] {
        load(image, &device, Sector::ZERO)?;
    }
    assert!(experiment.prove_loaded(&other).is_err(), "the table cannot fit the disk yet");
    assert_eq!(fit_table(&other.path)?, 4);
    assert_eq!(fit_table(&other.path)?, 0);
    let there = experiment.prove_boot(&other)?;
    // The boot has changed nothing.
    let proof = experiment.prove_loaded(&other)?;
    assert!(proof.files_compared > 100, "{proof:?}");

    // The node that was saved says the same, as it does with the other kinds of disk.
    for (bus, log) in [(Bus::Virtio, "virtio.log"), (Bus::Nvme, "nvme.log")] {
        let disk = Disk::from(experiment.drive(Access::Temporary)).on(bus);
        let here = boot_own_disk(disk, &directory.join(log))?;
        assert_eq!(here.answer, there.answer, "{bus:?}");
    }

    for disk in [&experiment.disk.path, &other.path] {
        fs::remove_file(disk)?;
    }
    Ok(())
}
