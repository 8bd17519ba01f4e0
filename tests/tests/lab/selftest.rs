//! What a node says of itself, for who sets up nodes; and a stick that is taken for its disk.

use std::fs;

use anyhow::{Context, Result};
use swapmfs_tests::trial::{PATIENCE, Run, Trial, complete_image};
use xtask::qemu::hardware::{Bus, Disk, Nic, NicModel};
use xtask::qemu::{Access, Drive, Machine};

/// No line of the page is longer, in characters.
const WIDTH: usize = 78;

/// A disk with a table of its own, or with something in the first sectors.
fn other_disk(trial: &Trial, name: &str, bus: Bus, access: Access) -> Result<Disk> {
    let path = trial.experiment.directory.join(format!("{name}.img"));
    fs::write(&path, vec![0x5a; 8 << 20])?;
    Ok(Disk::from(Drive { path, serial: name.to_uppercase(), access }).on(bus))
}

#[test]
fn the_page_of_a_node_with_several_disks_and_cards() -> Result<()> {
    let trial = Trial::new("selftest")?;
    let image = complete_image()?;
    let log = trial.experiment.directory.join("console.log");
    let mut machine = Machine::new(&image.vmlinuz, &image.initramfs, &log)
        .append("quiet mfs.job=selftest mfs.then=stay")
        .argument("-S");
    for (model, last) in [(NicModel::E1000e, 1), (NicModel::Virtio, 2)] {
        machine = machine.nic(Nic { model, mac: [0x52, 0x54, 0, 0x12, 0x34, last] });
    }
    // All of them could be written to.
    let own = Disk::from(trial.experiment.drive(Access::Temporary));
    let machine = machine
        .disk(own)
        .disk(other_disk(&trial, "nvme", Bus::Nvme, Access::Temporary)?.sector_size(4096))
        .disk(other_disk(&trial, "sata", Bus::Ahci, Access::Temporary)?.wwn(0x5000_c500_1234_5678))
        .disk(other_disk(&trial, "stick", Bus::Usb, Access::Temporary)?.removable());
    let mut node = machine.start()?;
    node.set_cable(0, false)?;
    node.set_cable(1, false)?;
    node.resume()?;
    // The stick is found some time after the driver of its host controller is loaded; so long the
    // node has to wait for its network.
    node.wait_for_line("usb_storage", PATIENCE)?;
    node.set_cable(1, true)?;
    node.wait_for_line("mfs-result: ", PATIENCE)?;
    assert_eq!(node.bytes_written()?, [0; 4]);

    let lines: Vec<_> = node.console().lines().into_iter().map(|line| line.text).collect();
    let start = lines.iter().position(|line| line.starts_with("node ")).unwrap_or(0);
    let page = &lines[start..];
    let text = page.join("\n");
    println!("{text}");
    // The names of cards and SCSI disks depend on which is found first.
    let named = |fact: &str| {
        let line = page.iter().find(|line| line.ends_with(fact)).context(fact.to_owned())?;
        line.split(' ').next().context("a line is empty")
    };
    let [dark, live] = [named("driver    e1000e")?, named("driver    virtio_net")?];
    let [sata, stick] = [named("serial    SATA")?, named("serial    STICK")?];
    for (device, fact) in [
        ("node", &*format!("network   {live}: address 10.0.2.15/24, MTU 1500,")),
        (dark, "mac       52:54:00:12:34:01"),
        (dark, "link      none: no carrier"),
        (live, "mac       52:54:00:12:34:02"),
        (live, "link      up, speed unknown"),
        ("vda", "serial    SWAPMFS-DISK-1"),
        ("vda", "table     GPT "),
        ("vda", "part      partition 2: sectors [75776, 272384), aware(ext4),"),
        ("nvme0n1", "sectors   4096 logical, 4096 physical"),
        ("nvme0n1", "words     SERIAL=NVME DISKSIZE=8388608 SECTORSIZE=4096"),
        (sata, "words     SERIAL=SATA WWN=naa.5000c50012345678"),
        (stick, "kind      removable"),
        (stick, "words     none, as what can be taken out is never saved"),
    ] {
        let row = format!("{device:<13} {fact}");
        assert!(page.iter().any(|line| line.starts_with(&row)), "{row:?} is not in\n{text}");
    }
    assert!(page.iter().all(|line| line.chars().count() <= WIDTH), "{text}");
    assert!(text.contains("mfs-result: selftest ok nics=2 disks=4"), "{text}");
    Ok(())
}

/// The stick has the serial number that is asked for, and could be written to.
#[test]
fn a_removable_disk_is_not_saved_though_it_is_the_one_that_is_named() -> Result<()> {
    let trial = Trial::new("removable")?;
    trial.experiment.install_part("DISK=da0 LOADPART=0 BOOTPART=2 SERIAL=STICK")?;
    let stick = other_disk(&trial, "stick", Bus::Usb, Access::ReadWrite)?.removable();
    let options = trial.server.mount_options();
    let machine = trial.experiment.machine(complete_image()?, "/proj", &options);
    let run = Run::of(&mut machine.disk(stick).start()?)?;
    trial.check_refused(&run, 37, "serial STICK")?;
    trial.check_refused(
        &run,
        37,
        "is removable, so it is not a node's own disk; it is not used",
    )?;
    assert!(!run.console.contains("mfs-phase: save"), "{}", run.console);
    let content = fs::read(trial.experiment.directory.join("stick.img"))?;
    assert!(content.len() == 8 << 20 && content.iter().all(|byte| *byte == 0x5a));
    Ok(())
}
