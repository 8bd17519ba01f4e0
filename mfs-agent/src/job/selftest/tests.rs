use super::*;
use crate::disk::tests::{AHCI, Machine, SECTORS};
use crate::failure::FailureKind;
use crate::threads::{Body, Join};
use std::boxed::Box;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

struct Inline;

impl Threads for Inline {
    fn start(&self, _body: Body) -> rustix::io::Result<Box<dyn Join>> {
        Err(rustix::io::Errno::AGAIN)
    }

    fn scope(&self, count: usize, body: &(dyn Fn(usize) + Sync)) {
        (0..count).for_each(body);
    }
}

/// A node with directories in the place of `/sys`, `/dev` and `/proc`.
struct Node {
    machine: Machine,
    class: tempfile::TempDir,
}

impl Node {
    fn new() -> Self {
        Self { machine: Machine::empty(), class: tempfile::tempdir().unwrap() }
    }

    fn interface(&self, name: &str, flags: &str, carrier: Option<&str>) -> PathBuf {
        let path = self.class.path().join(name);
        fs::create_dir_all(path.join("device")).unwrap();
        symlink("../../../bus/pci/drivers/e1000e", path.join("device/driver")).unwrap();
        let carrier = carrier.map(|carrier| ("carrier", carrier));
        for (file, text) in [
            ("type", "1"),
            ("ifindex", "2"),
            ("address", "52:54:00:00:00:01"),
            ("flags", flags),
            ("mtu", "1500"),
            ("speed", "1000"),
        ]
        .into_iter()
        .chain(carrier)
        {
            fs::write(path.join(file), std::format!("{text}\n")).unwrap();
        }
        path
    }

    fn disk(&self, name: &str) -> PathBuf {
        let path = self.machine.disk(name, AHCI, SECTORS);
        fs::write(path.join("device/vendor"), "ATA     \n").unwrap();
        fs::write(path.join("device/model"), "QEMU HARDDISK   \n").unwrap();
        fs::write(path.join("device/vpd_pg80"), b"\0\x80\0\x07QM00001").unwrap();
        fs::write(path.join("queue/physical_block_size"), "4096\n").unwrap();
        fs::write(path.join("queue/rotational"), "1\n").unwrap();
        self.machine.table(name, 0xdead_beef);
        path
    }

    fn run(&self) -> (Result<String>, Vec<String>) {
        let cpuinfo = self.class.path().join("cpuinfo");
        fs::write(&cpuinfo, "processor\t: 0\nmodel name\t: QEMU Virtual CPU\nflags\t: fpu\n")
            .unwrap();
        let sources = Sources {
            disks: self.machine.sources(),
            links: Links::played(String::from(self.class.path().to_str().unwrap()).leak()),
            try_links: false,
            processors: cpuinfo.to_str().unwrap(),
            work_time: Duration::ZERO,
            read_time: Duration::ZERO,
        };
        let mut lines = Vec::new();
        let mut write = |line: fmt::Arguments<'_>| lines.push(line.to_string());
        let (progress, address) = (Progress::new(), Some("10.0.2.15/24 on eth0"));
        let result = print(&sources, address, &Inline, &|| {}, &progress, &mut write);
        (result, lines)
    }
}

fn refusal(result: Result<String>) -> (FailureKind, String) {
    let failure = result.unwrap_err();
    (failure.kind, failure.message)
}

#[test]
fn the_page_has_what_a_save_needs() {
    let node = Node::new();
    node.interface("eth0", "0x1003", Some("1"));
    node.interface("eth1", "0x1002", None);
    // Not a card.
    let vlan = node.interface("eth0.5", "0x1003", Some("1"));
    fs::remove_dir_all(vlan.join("device")).unwrap();
    let disk = node.disk("sda");
    let before = fs::read(Path::new(node.machine.sources().dev).join("sda")).unwrap();
    let (result, lines) = node.run();
    assert_eq!(result, Ok("selftest ok nics=2 disks=1".into()));
    let page = lines.join("\n");
    for line in [
        "node          cpus ",
        " QEMU Virtual CPU",
        "node          network   10.0.2.15/24 on eth0",
        "node          compress ",
        "eth0          driver    e1000e",
        "eth0          mac       52:54:00:00:00:01",
        "eth0          link      up, 1000 Mbit/s",
        "eth0          mtu       1500",
        "eth1          link      unknown, as the interface is down",
        "sda           model     ATA QEMU HARDDISK",
        "sda           serial    QM00001",
        "sda           wwn       none",
        "sda           size      1073741824 bytes, 1024 MiB",
        "sda           sectors   512 logical, 4096 physical",
        "sda           kind      fixed, rotating",
        "sda           in-use    no",
        "sda           read ",
        ", 1 MiB in a row",
        "sda           table     MBR 0xdeadbeef",
        "sda           words     SERIAL=QM00001 DISKGUID=0xdeadbeef DISKSIZE=1073741824",
        "sda           words     SECTORSIZE=512",
        "sda           part      partition 1: sectors [8, 72), raw",
    ] {
        assert!(page.contains(line), "{line:?} is not in\n{page}");
    }
    assert!(!page.contains("eth0.5"), "{page}");
    assert!(lines.iter().all(|line| line.chars().count() <= page::WIDTH), "{page}");
    assert_eq!(fs::read(Path::new(node.machine.sources().dev).join("sda")).unwrap(), before);

    fs::write(disk.join("holders/dm-0"), "").unwrap();
    let page = node.run().1.join("\n");
    assert!(page.contains("sda           in-use    sda is part of dm-0"), "{page}");
}

#[test]
fn what_is_missing_fails_the_test() {
    let node = Node::new();
    let (kind, message) = refusal(node.run().0);
    assert_eq!(kind, FailureKind::Network);
    assert!(message.starts_with("selftest nics=0 disks=0: there is no network card;"), "{message}");
    assert!(message.contains("; there is no disk;"), "{message}");

    node.interface("eth0", "0x1003", Some("0"));
    node.disk("sda");
    let (kind, message) = refusal(node.run().0);
    assert_eq!(kind, FailureKind::Network);
    assert!(message.contains("no network card has a link"), "{message}");
    // Another one has.
    node.interface("eth1", "0x1003", Some("1"));
    assert!(node.run().0.is_ok());

    let device = Path::new(node.machine.sources().dev).join("sda");
    fs::remove_file(&device).unwrap();
    let (result, lines) = node.run();
    let (kind, message) = refusal(result);
    assert_eq!(kind, FailureKind::DiskAbsent);
    assert!(message.contains("disk sda: cannot open "), "{message}");
    assert!(lines.iter().any(|line| line.starts_with("sda           fault     cannot open")));

    // The MBR announces a GPT, and there is none.
    let mut disk = std::vec![0_u8; 1 << 20];
    disk[450] = 0xee;
    disk[454] = 1;
    disk[458..462].copy_from_slice(&2047_u32.to_le_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    fs::write(&device, disk).unwrap();
    let (kind, message) = refusal(node.run().0);
    assert!(matches!(kind, FailureKind::Core(_)), "{message}");
    assert!(message.contains("disk sda: cannot be read: "), "{message}");
}
