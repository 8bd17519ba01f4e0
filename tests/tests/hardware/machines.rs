//! What the drivers find in QEMU's machines.

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use swapmfs_tests::trial::{PATIENCE, Run, Set, Trial, complete_image, prepared};
use xtask::qemu::hardware::{Bus, Disk, Nic, NicModel};
use xtask::qemu::{Access, Drive, Machine, Program, WatchdogAction};

use crate::large_sectors;

const MAC: [u8; 6] = [0x52, 0x54, 0x00, 0x12, 0x34, 0xaa];
const OTHER_MAC: [u8; 6] = [0x52, 0x54, 0x00, 0x12, 0x34, 0x01];

/// A node without a disk that was booted from `nic`.
fn node(trial: &Trial, nic: Nic) -> Result<Machine> {
    let options = trial.server.mount_options();
    let machine = trial.experiment.machine(complete_image()?, "/proj", &options);
    Ok(machine.append(&nic.boot_word()).nic(nic).watchdog(WatchdogAction::Reset))
}

/// A disk that is not the one.
fn other_disk(trial: &Trial, name: &str, bus: Bus) -> Result<Disk> {
    let path: PathBuf = trial.experiment.directory.join(format!("{name}.img"));
    File::create(&path)?.set_len(8 << 20)?;
    let drive = Drive { path, serial: name.to_owned(), access: Access::ReadOnly };
    Ok(Disk::from(drive).on(bus))
}

/// The disk that is saved. QEMU has no SATA disk that is write-protected.
fn own_disk(trial: &Trial, bus: Bus) -> Disk {
    let access = if bus == Bus::Ahci { Access::Temporary } else { Access::ReadOnly };
    Disk::from(trial.experiment.drive(access)).on(bus)
}

/// Fails unless the agent loaded each of these for a device that it found.
fn check_loaded(run: &Run, modules: &[&str]) -> Result<()> {
    let lists: Vec<_> = run
        .console
        .lines()
        .filter_map(|line| {
            line.split_once("for what is here: ")
                .or_else(|| line.split_once("new hardware: loading "))
        })
        .flat_map(|(_, names)| names.split_whitespace())
        .collect();
    let mut missing = modules.iter().filter(|module| !lists.contains(module));
    let first = missing.next();
    ensure!(first.is_none(), "{first:?} was not loaded, only {lists:?}:\n{}", run.console);
    Ok(())
}

#[test]
fn e1000e_and_ahci_with_a_stick_and_little_memory() -> Result<()> {
    let trial = Trial::new("ahci")?;
    trial.experiment.install_part("DISK=ada0 LOADPART=0 BOOTPART=2 SERIAL=SWAPMFS-DISK-1")?;
    let nic = Nic { model: NicModel::E1000e, mac: MAC };
    let machine = node(&trial, nic)?
        .memory(256)
        .disk(other_disk(&trial, "stick", Bus::Usb)?)
        .disk(own_disk(&trial, Bus::Ahci).wwn(0x5000_c500_1234_5678));
    let mut node = machine.start()?;
    // The stick is found some time after the driver of its host controller is loaded; so long the
    // node has to wait for its network.
    node.set_network(false)?;
    node.wait_for_line("usb_storage", PATIENCE)?;
    node.set_network(true)?;
    node.wait_for_line("mfs-phase: publish", PATIENCE)?;
    assert_eq!(node.bytes_written()?, [0, 0]);
    let run = Run::of(&mut node)?;
    run.check_saved()?;
    assert!(Set::read(&trial.experiment)?.is_same_state(&prepared()?.expected));
    check_loaded(&run, &["i6300esb", "e1000e", "ahci", "sd_mod", "xhci_pci", "usb_storage"])
}

#[test]
fn igb_and_nvme_among_other_cards_and_controllers() -> Result<()> {
    let trial = Trial::new("nvme")?;
    trial.experiment.install_part("DISK=nvd0 LOADPART=0 BOOTPART=2 SERIAL=SWAPMFS-DISK-1")?;
    let machine = node(&trial, Nic { model: NicModel::Igb, mac: MAC })?
        .program(Program::with_device("igb")?)
        .nic(Nic { model: NicModel::Vmxnet3, mac: OTHER_MAC })
        .disk(other_disk(&trial, "virtio-scsi", Bus::VirtioScsi)?)
        .disk(other_disk(&trial, "megasas", Bus::Megasas)?)
        .disk(other_disk(&trial, "pvscsi", Bus::Pvscsi)?)
        .disk(own_disk(&trial, Bus::Nvme));
    let run = Run::of(&mut machine.start()?)?;
    run.check_saved()?;
    assert!(Set::read(&trial.experiment)?.is_same_state(&prepared()?.expected));
    let disks = ["nvme", "virtio_scsi", "megaraid_sas", "vmw_pvscsi", "sd_mod"];
    check_loaded(&run, &[&disks[..], &["igb", "vmxnet3"]].concat())
}

#[test]
fn virtio_with_sectors_of_4096_bytes() -> Result<()> {
    let Some((trial, expected)) = large_sectors::prepare("large-sectors")? else { return Ok(()) };
    trial.experiment.install_part("DISK=vd0 LOADPART=0 BOOTPART=2 SECTORSIZE=4096")?;
    let machine = node(&trial, Nic { model: NicModel::Virtio, mac: MAC })?
        .disk(own_disk(&trial, Bus::Virtio).sector_size(4096));
    let run = Run::of(&mut machine.start()?)?;
    run.check_saved()?;
    assert!(Set::read(&trial.experiment)?.is_same_state(&expected));
    let meta = Set::read(&trial.experiment)?.description()?;
    assert_eq!(meta.sector_size, 4096);
    assert!(run.console.contains("aware(ext4)"), "{}", run.console);
    check_loaded(&run, &["virtio_pci", "virtio_net", "virtio_blk"])
}
