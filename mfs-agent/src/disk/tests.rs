use super::*;
use std::cell::Cell;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A machine with directories in the place of `/sys`, `/dev` and `/proc`.
pub(crate) struct Machine {
    root: tempfile::TempDir,
    block: String,
    dev: String,
    mounts: String,
    swaps: String,
    settling: Duration,
    patience: Duration,
}

/// The bus that a disk is on, as a path below `/sys/devices`.
pub(crate) const AHCI: &str = "pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block";
const USB: &str = "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block";
const NVME: &str = "pci0000:00/0000:00:04.0/nvme/nvme0";
const VIRTIO: &str = "pci0000:00/0000:00:03.0/virtio1/block";
const VIRTUAL: &str = "virtual/block";

/// 1 GiB.
pub(crate) const SECTORS: u64 = 2_097_152;

impl Machine {
    pub(crate) fn empty() -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name).to_str().unwrap().to_string();
        let (block, dev, mounts, swaps) =
            (path("block"), path("dev"), path("mounts"), path("swaps"));
        fs::write(&mounts, "proc /proc proc rw 0 0\n").unwrap();
        fs::write(&swaps, "Filename Type Size Used Priority\n").unwrap();
        fs::create_dir_all(&block).unwrap();
        fs::create_dir_all(&dev).unwrap();
        let (settling, patience) = (Duration::ZERO, Duration::ZERO);
        Self { root, block, dev, mounts, swaps, settling, patience }
    }

    /// With a SATA disk and a drive without a disc.
    fn new() -> Self {
        let machine = Self::empty();
        let disk = machine.disk("sda", AHCI, SECTORS);
        fs::write(disk.join("device/vpd_pg80"), b"\0\x80\0\x08 WD 123 ").unwrap();
        machine.disk("sr0", AHCI, 0);
        machine
    }

    pub(crate) fn disk(&self, name: &str, bus: &str, sectors: u64) -> PathBuf {
        let path = self.root.path().join("devices").join(bus).join(name);
        let partition = format!("{name}1");
        for directory in ["queue", "holders"] {
            fs::create_dir_all(path.join(directory)).unwrap();
        }
        // In /sys it is always a link, but here several disks share a bus.
        if bus == USB {
            symlink("../..", path.join("device")).unwrap();
        } else {
            fs::create_dir(path.join("device")).unwrap();
        }
        fs::create_dir_all(path.join(&partition).join("holders")).unwrap();
        fs::write(path.join(&partition).join("partition"), "1\n").unwrap();
        fs::write(path.join("size"), format!("{sectors}\n")).unwrap();
        // What /dev has here are files, which have no number.
        fs::write(path.join("dev"), "0:0\n").unwrap();
        fs::write(path.join("removable"), "0\n").unwrap();
        fs::write(path.join("queue/logical_block_size"), "512\n").unwrap();
        let link = Path::new("../devices").join(bus).join(name);
        symlink(link, Path::new(&self.block).join(name)).unwrap();
        path
    }

    /// Gives a disk an MBR with one partition and this signature.
    pub(crate) fn table(&self, name: &str, signature: u32) {
        let mut disk = std::vec![0_u8; 1 << 20];
        disk[440..444].copy_from_slice(&signature.to_le_bytes());
        disk[450] = 0x83;
        disk[454..458].copy_from_slice(&8_u32.to_le_bytes());
        disk[458..462].copy_from_slice(&64_u32.to_le_bytes());
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        fs::write(Path::new(&self.dev).join(name), disk).unwrap();
    }

    pub(crate) fn sources(&self) -> Sources<'_> {
        let Self { block, dev, mounts, swaps, settling, patience, .. } = self;
        let (settling, patience) = (*settling, *patience);
        Sources { block, dev, mounts, swaps, patience, settling }
    }

    fn search(&self, part: &str, hints: &Hints, rescan: &dyn Fn()) -> Result<Disk> {
        let part = Part::parse(part.as_bytes()).unwrap();
        find(&self.sources(), &part, hints, rescan, &Progress::new())
    }

    fn find(&self, part: &str) -> Result<Disk> {
        self.search(part, &Hints::default(), &|| {})
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
    assert_eq!(disk.to_string(), "sda (1073741824 bytes, sectors of 512, serial WD 123, no WWN)");
    assert_eq!((disk.sector_size, disk.kind), (512, Kind::Fixed));
    let all = "DISK=sda LOADPART=0 BOOTPART=1 SERIAL=WD%20123 DISKSIZE=1073741824 SECTORSIZE=512";
    assert!(machine.find(all).is_ok());
}

#[test]
fn each_bus_has_its_places() {
    let machine = Machine::empty();
    let virtio = machine.disk("vda", VIRTIO, SECTORS);
    fs::write(virtio.join("serial"), "VIRTIO-1").unwrap();
    let nvme = machine.disk("nvme0n1", NVME, SECTORS);
    fs::write(nvme.join("device/serial"), "NVME-1              \n").unwrap();
    fs::write(nvme.join("wwid"), "eui.0025385971b07a2c\n").unwrap();
    let path = machine.disk("nvme0c0n1", NVME, SECTORS);
    fs::write(path.join("device/serial"), "NVME-1\n").unwrap();
    fs::write(path.join("hidden"), "1\n").unwrap();
    let sata = machine.disk("sda", AHCI, SECTORS);
    fs::write(sata.join("device/vpd_pg80"), b"\0\x80\0\x14             QM00001").unwrap();
    fs::write(sata.join("device/wwid"), "t10.ATA     QEMU HARDDISK    QM00001 \n").unwrap();
    let usb = machine.disk("sdb", USB, SECTORS);
    fs::write(usb.join("../../../../../../serial"), "USB-1\n").unwrap();
    fs::write(usb.join("device/wwid"), "naa.5000c500a1b2c3d4\n").unwrap();
    let lio = machine.disk("loop0", VIRTUAL, SECTORS);
    fs::write(lio.join("serial"), "USB-1\n").unwrap();
    for (words, name) in [
        ("SERIAL=VIRTIO-1", "vda"),
        ("SERIAL=NVME-1", "nvme0n1"),
        ("WWN=0025385971B07A2C", "nvme0n1"),
        ("SERIAL=QM00001", "sda"),
        ("WWN=t10.ATA%20QEMU%20HARDDISK%20QM00001", "sda"),
        ("SERIAL=USB-1", "sdb"),
        ("WWN=0x5000c500a1b2c3d4 SERIAL=USB-1", "sdb"),
    ] {
        // Each of the other names is wrong.
        for asked in ["vda", "nda0", "sda", "sdb", "sdc"] {
            let part = format!("DISK={asked} LOADPART=0 BOOTPART=1 {words}");
            assert_eq!(machine.find(&part).unwrap().name, name, "{part}");
        }
    }
    let (kind, message) = machine.refusal("DISK=sda LOADPART=0 BOOTPART=1 SERIAL=QM00002");
    assert_eq!(kind, FailureKind::DiskAbsent);
    assert!(
        message.starts_with("no disk has SERIAL=QM00002; the disks are: nvme0n1 ("),
        "{message}"
    );
    assert!(!message.contains("loop0") && message.contains("USB), vda ("), "{message}");
}

#[test]
fn by_the_name_in_the_partition_table() {
    let machine = Machine::empty();
    for (name, bus, signature) in
        [("sda", AHCI, 0xa), ("sdb", AHCI, 0xdead_beef), ("sdc", USB, 0xdead_beef)]
    {
        machine.disk(name, bus, SECTORS);
        machine.table(name, signature);
    }
    machine.disk("sdd", AHCI, SECTORS);
    let part = "DISK=sda LOADPART=0 BOOTPART=1 DISKGUID=deadbeef";
    assert_eq!(machine.find(part).unwrap().name, "sdb");
    // The command line's word counts.
    let mut hints = Hints::default();
    hints.take("mfs.diskguid", "0000000a").unwrap();
    assert_eq!(machine.search(part, &hints, &|| {}).unwrap().name, "sda");
    machine.table("sda", 0xdead_beef);
    let (kind, message) = machine.refusal(part);
    assert_eq!(kind, FailureKind::DiskAmbiguous);
    assert!(message.contains(" with DISKGUID 0xdeadbeef, sdb ("), "{message}");
    let (kind, message) = machine.refusal("DISK=sda LOADPART=0 BOOTPART=1 DISKGUID=00000001");
    assert_eq!(kind, FailureKind::DiskAbsent);
    assert!(message.contains("sdd: no such file or directory"), "{message}");
}

#[test]
fn an_absent_disk_is_not_replaced() {
    let machine = Machine::new();
    let (kind, message) = machine.refusal("DISK=da1 LOADPART=0 BOOTPART=1");
    assert_eq!(kind, FailureKind::DiskAbsent);
    assert!(message.contains("no disk da1; the disks are: sda (1073741824"), "{message}");
    assert!(!message.contains("sr0"), "{message}");
}

#[test]
fn a_disk_that_is_another_one() {
    let machine = Machine::new();
    for (words, part) in [
        ("DISKSIZE=1073741823, but it has 1073741824", "DISKSIZE=1073741823"),
        ("SECTORSIZE=4096, but it has 512", "SECTORSIZE=4096"),
        ("DISKSIZE=1, but it has 1073741824", "SERIAL=WD%20123 DISKSIZE=1"),
        (
            "no disk has SERIAL=WD; the disks are: sda (1073741824 bytes, sectors of 512, serial WD 123,",
            "SERIAL=WD",
        ),
        ("no disk has SERIAL=WD 123 WWN=naa.5;", "SERIAL=WD%20123 WWN=naa.5"),
    ] {
        let (kind, message) = machine.refusal(&format!("DISK=da0 LOADPART=0 BOOTPART=1 {part}"));
        assert_eq!(kind, FailureKind::DiskAbsent);
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn what_is_removable_or_no_disk_is_refused() {
    let machine = Machine::new();
    let usb = machine.disk("sdb", USB, SECTORS);
    machine.disk("loop0", VIRTUAL, SECTORS);
    for (name, words) in [("da1", "is attached by USB"), ("loop0", "is not a disk")] {
        let (kind, message) = machine.refusal(&format!("DISK={name} LOADPART=0 BOOTPART=1"));
        assert_eq!(kind, FailureKind::DiskRefused);
        assert!(message.contains(words), "{message}");
    }
    fs::write(usb.join("removable"), "1\n").unwrap();
    let (_, message) = machine.refusal("DISK=da1 LOADPART=0 BOOTPART=1");
    assert!(message.contains("removable) is removable"), "{message}");
}

#[test]
fn a_disk_may_come_late() {
    let mut machine = Machine::new();
    machine.patience = Duration::from_mins(1);
    let part = "DISK=da1 LOADPART=0 BOOTPART=1 SERIAL=LATE";
    let scans = Cell::new(0);
    let rescan = || {
        scans.set(scans.get() + 1);
        if scans.get() == 2 {
            let disk = machine.disk("sdb", AHCI, SECTORS);
            fs::write(disk.join("device/serial"), "LATE\n").unwrap();
        }
    };
    assert_eq!(machine.search(part, &Hints::default(), &rescan).unwrap().name, "sdb");
    assert_eq!(machine.find("DISK=da1 LOADPART=0 BOOTPART=1").unwrap().name, "sdb");
}

#[test]
fn a_second_one_may_come_late() {
    let mut machine = Machine::new();
    machine.patience = Duration::from_mins(1);
    machine.settling = Duration::from_secs(30);
    let clone = || {
        if !Path::new(&machine.block).join("sdb").exists() {
            let disk = machine.disk("sdb", AHCI, SECTORS);
            fs::write(disk.join("device/serial"), "WD 123\n").unwrap();
        }
    };
    let part = "DISK=da0 LOADPART=0 BOOTPART=1 SERIAL=WD%20123";
    let failure = machine.search(part, &Hints::default(), &clone).unwrap_err();
    assert_eq!(failure.kind, FailureKind::DiskAmbiguous);
    assert!(failure.message.starts_with("2 disks have SERIAL=WD 123: sda"), "{failure}");
}

#[test]
fn a_name_that_is_given_away_is_noticed() {
    let machine = Machine::new();
    machine.table("sda", 1);
    let disk = machine.find("DISK=sda LOADPART=0 BOOTPART=1").unwrap();
    let progress = Progress::new();
    let open = || DiskDevice::open(&machine.sources(), &disk, &progress).map(drop);
    assert_eq!(open(), Ok(()));
    let serial = Path::new(&machine.block).join("sda/device/serial");
    fs::write(&serial, "ANOTHER\n").unwrap();
    let failure = open().unwrap_err();
    assert_eq!(failure.kind, FailureKind::DiskAbsent);
    assert!(failure.message.contains("was replaced by another one"), "{failure}");
    fs::remove_file(&serial).unwrap();
    assert_eq!(open(), Ok(()));
    let other = Disk { number: Number { major: 8, minor: 16 }, ..disk.clone() };
    let failure = DiskDevice::open(&machine.sources(), &other, &progress).map(drop).unwrap_err();
    assert!(failure.message.contains("sda is device 0:0, but disk sda is 8:16"), "{failure}");
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
    let holder = Path::new(&machine.block).join("sda/sda1/holders/dm-0");
    fs::write(&holder, "").unwrap();
    refused("sda1 is part of dm-0");
    fs::remove_file(&holder).unwrap();
    assert!(machine.find(PART).is_ok());
    fs::remove_file(&machine.mounts).unwrap();
    refused("cannot tell");
}
