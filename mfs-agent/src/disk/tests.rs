use super::*;
use std::fs;
use std::path::PathBuf;

struct Machine {
    root: tempfile::TempDir,
    block: String,
    mounts: String,
    swaps: String,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name).to_str().unwrap().to_string();
        let (block, mounts, swaps) = (path("block"), path("mounts"), path("swaps"));
        fs::write(&mounts, "proc /proc proc rw 0 0\n").unwrap();
        fs::write(&swaps, "Filename Type Size Used Priority\n").unwrap();
        let machine = Self { root, block, mounts, swaps };
        machine.disk("sda", 2_097_152);
        machine.disk("sr0", 0);
        machine
    }

    fn disk(&self, name: &str, sectors: u64) -> PathBuf {
        let path = self.root.path().join("block").join(name);
        for directory in ["queue", "holders", "device", "part1/holders"] {
            fs::create_dir_all(path.join(directory)).unwrap();
        }
        fs::rename(path.join("part1"), path.join(format!("{name}1"))).unwrap();
        fs::write(path.join(format!("{name}1/partition")), "1\n").unwrap();
        fs::write(path.join("size"), format!("{sectors}\n")).unwrap();
        fs::write(path.join("queue/logical_block_size"), "512\n").unwrap();
        fs::write(path.join("device/vpd_pg80_serial"), " WD 123 \n").unwrap();
        path
    }

    fn find(&self, part: &str) -> Result<Disk> {
        let Self { block, mounts, swaps, .. } = self;
        let sources = Sources { block, mounts, swaps, patience: Duration::ZERO };
        find(&sources, &Part::parse(part.as_bytes()).unwrap(), &Progress::new())
    }

    fn refusal(&self, part: &str) -> (FailureKind, String) {
        let failure = self.find(part).unwrap_err();
        (failure.kind, failure.message)
    }
}

#[test]
fn the_disk_that_is_meant() {
    let machine = Machine::new();
    let disk = machine.find("DISK=ad4 LOADPART=1 BOOTPART=1").unwrap();
    assert_eq!(disk, Disk { name: "sda".into(), size: 1 << 30, sector_size: 512 });
    let all = "DISK=sda LOADPART=0 BOOTPART=1 SERIAL=WD%20123 DISKSIZE=1073741824 SECTORSIZE=512";
    assert!(machine.find(all).is_ok());
}

#[test]
fn an_absent_disk_is_not_replaced() {
    let machine = Machine::new();
    let (kind, message) = machine.refusal("DISK=da1 LOADPART=0 BOOTPART=1");
    assert_eq!(kind, FailureKind::DiskAbsent);
    assert!(message.contains("no disk da1; the disks are: sda;"), "{message}");
}

#[test]
fn a_disk_that_is_another_one() {
    let machine = Machine::new();
    for (word, words) in [
        ("DISKSIZE=1073741823", "DISKSIZE=1073741823, but it has 1073741824"),
        ("SECTORSIZE=4096", "SECTORSIZE=4096, but it has 512"),
        ("SERIAL=WD", "SERIAL=WD, but it has WD 123"),
        ("WWN=naa.5", "WWN=naa.5, but it has none that is known"),
    ] {
        let part = format!("DISK=da0 LOADPART=0 BOOTPART=1 {word}");
        let (kind, message) = machine.refusal(&part);
        assert_eq!(kind, FailureKind::DiskAbsent);
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_disk_in_use() {
    const PART: &str = "DISK=da0 LOADPART=0 BOOTPART=1";
    let machine = Machine::new();
    // A name that begins like that of the disk is another disk's.
    fs::write(&machine.mounts, "/dev/sdaa1 / ext4 rw 0 0\n").unwrap();
    assert!(machine.find(PART).is_ok());
    fs::write(&machine.mounts, "proc /proc proc rw 0 0\n/dev/sda1 / ext4 rw 0 0\n").unwrap();
    let refused = |words: &str| {
        let (kind, message) = machine.refusal(PART);
        assert_eq!(kind, FailureKind::DiskInUse);
        assert!(message.contains(words), "{message}");
    };
    refused("sda1 is mounted");
    fs::write(&machine.mounts, "").unwrap();
    fs::write(&machine.swaps, "/dev/sda partition 1 0 -2\n").unwrap();
    refused("sda is swap space");
    fs::write(&machine.swaps, "").unwrap();
    let holder = machine.root.path().join("block/sda/sda1/holders/dm-0");
    fs::write(&holder, "").unwrap();
    refused("sda1 is part of dm-0");
    fs::remove_file(&holder).unwrap();
    assert!(machine.find(PART).is_ok());
    fs::remove_file(&machine.mounts).unwrap();
    refused("cannot tell");
}
