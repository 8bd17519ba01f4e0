//! A site with a boss: DHCP as it configures it, and the scripts that it gives to nodes. A web
//! server for files stands for boss itself, so that a test decides what it says.

use std::fs;

use anyhow::Result;
use boss::boot::dhcp::{Host, Network};
use boss::boot::{Boot, BossUrl, Job, Key, Mac, Words};
use swapmfs_tests::trial::{PATIENCE, is_root, wait_until};
use xtask::lab::{ADDRESS, BRIDGE};
use xtask::qemu::{self, EMULATED, Firmware, Machine};

use crate::site::{Choice, DASHED, MAC, Site};

/// The site, and where its boss is.
struct Bossed {
    site: Site,
    url: BossUrl,
}

impl Bossed {
    fn install(name: &str) -> Result<Self> {
        let mut site = Site::install(&Site::directory(name), Choice::Template)?;
        let url: BossUrl = format!("http://{}", site.http.address()).parse()?;
        let network = Network {
            interface: BRIDGE.to_owned(),
            address: ADDRESS,
            netmask: [255, 255, 255, 0].into(),
            gateway: None,
            name_servers: Vec::new(),
            domain: Some("example.org".to_owned()),
            url: url.clone(),
            tftp: site.files.clone(),
            http_loader: None,
        };
        let host = Host { node: "pc42".parse()?, mac: MAC.parse()?, ip: [10, 77, 0, 42].into() };
        site.serve_text("boss", &network.configuration(&[host])?)?;
        for directory in ["boot", "mfs"] {
            fs::create_dir_all(site.files.join(directory))?;
        }
        for (from, to) in [("vmlinuz", "vmlinuz"), ("initramfs.cpio.zst", "initramfs")] {
            fs::rename(site.files.join(from), site.files.join("mfs").join(to))?;
        }
        Ok(Self { site, url })
    }

    /// What the node is told from now on.
    fn say(&self, boot: &Boot) -> Result<()> {
        let site = boss::boot::Site { url: self.url.clone(), words: EMULATED.to_owned() };
        let mac: Mac = MAC.parse()?;
        let new = self.site.files.join("boot/new");
        fs::write(&new, site.script(mac, boot)?)?;
        Ok(fs::rename(new, self.site.files.join("boot").join(mac.dashed()))?)
    }

    /// How often the node has asked.
    fn asked(&self) -> usize {
        let asked = format!("GET /boot/{DASHED} 200");
        self.site.http.log().iter().filter(|entry| **entry == asked).count()
    }

    /// A node with a disk of its own, which the firmware tries after the network.
    fn node_with(&self, firmware: Firmware, disk: &[u8]) -> Result<Machine> {
        let path = self.site.files.with_file_name("own.disk");
        fs::write(&path, disk)?;
        let machine = self.site.node(firmware, qemu::Boot::Pxe)?;
        let drive = format!("if=none,id=own,format=raw,file={}", path.display());
        let device = "virtio-blk-pci,drive=own,bootindex=1";
        Ok(machine.argument("-drive").argument(drive).argument("-device").argument(device))
    }
}

fn idle() -> Result<Boot> {
    Ok(Boot::Mfs(Box::new(Words {
        job: Some(Job::Idle),
        pid: "testbed".parse()?,
        eid: "trial".parse()?,
        vname: "node1".parse()?,
        proj: None,
        projgroups: None,
        nfs: None,
        user: None,
        boss: None,
        key: Some(Key::generate()?),
        then: None,
        dir: None,
        // Else it needs no network to wait.
        more: vec!["ip=dhcp".to_owned()],
    })))
}

#[test]
fn a_node_asks_until_boss_knows_what_it_shall_do() -> Result<()> {
    if !is_root("a_node_asks_until_boss_knows_what_it_shall_do") {
        return Ok(());
    }
    for (name, firmware) in [("boss-bios", Firmware::Bios), ("boss-uefi", Firmware::Uefi)] {
        let bossed = Bossed::install(name)?;
        bossed.say(&Boot::Wait)?;
        let node = bossed.site.start(&bossed.site.node(firmware, qemu::Boot::Pxe)?)?;
        assert!(wait_until(&node, || bossed.asked() >= 3)?, "it asked {} times", bossed.asked());
        bossed.say(&idle()?)?;
        bossed.site.wait_for_agent(&node, name)?;
        node.wait_for_line("address 10.77.0.42", PATIENCE)?;
        node.wait_for_line("mfs-phase: idle", PATIENCE)?;
        let log = bossed.site.http.log();
        let loaded = ["GET /mfs/vmlinuz 200", "GET /mfs/initramfs 200"];
        assert!(log.ends_with(&loaded.map(str::to_owned)), "{log:?}");
    }
    Ok(())
}

/// What the first sector of a disk is for a BIOS: a program that writes a line to the serial port.
fn boot_sector(line: &str) -> Vec<u8> {
    // cld; xor ax, ax; mov ds, ax; mov si, 0x7c18; mov dx, 0x3f8
    let mut sector = vec![0xfc, 0x31, 0xc0, 0x8e, 0xd8, 0xbe, 0x18, 0x7c, 0xba, 0xf8, 0x03];
    // next: lodsb; test al, al; jz end; out dx, al; jmp next; end: hlt; jmp end
    sector.extend([0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8, 0xf4, 0xeb, 0xfd]);
    sector.resize(0x18, 0);
    sector.extend(line.as_bytes());
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    sector.resize(1 << 20, 0);
    sector
}

#[test]
fn a_bios_node_boots_from_its_disk_when_boss_says_so() -> Result<()> {
    if !is_root("a_bios_node_boots_from_its_disk_when_boss_says_so") {
        return Ok(());
    }
    let bossed = Bossed::install("boss-bios-disk")?;
    bossed.say(&Boot::Disk)?;
    let machine = bossed.node_with(Firmware::Bios, &boot_sector("\r\nThis is the disk.\r\n"))?;
    let node = bossed.site.start(&machine)?;
    node.wait_for_line("This is the disk.", PATIENCE)?;
    assert_eq!(bossed.asked(), 1);
    Ok(())
}
