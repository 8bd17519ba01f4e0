//! UEFI machines without an option ROM: the firmware's own PXE and HTTP clients.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use swapmfs_tests::trial::{PATIENCE, Set, is_root, prepared};
use xtask::mfs::{self, Image};
use xtask::qemu::{Access, Boot, EMULATED, Exit, Firmware};
use xtask::{apt, paths};

use crate::site::{Choice, DASHED, Site, experiment, file_server};

#[test]
fn the_firmware_loads_ipxe_and_the_disk_is_saved() -> Result<()> {
    if !is_root("the_firmware_loads_ipxe_and_the_disk_is_saved") {
        return Ok(());
    }
    let (trial, directory) = experiment("boot-uefi")?;
    let site = Site::install(&directory, Choice::Http)?;
    let namespace = Arc::clone(site.lab.namespace());
    let _server = file_server(namespace, trial.experiment.proj(), &directory)?;
    site.name_node("/proj")?;

    let machine = site.node(Firmware::Uefi, Boot::Pxe)?;
    let machine = machine.drive(trial.experiment.drive(Access::ReadOnly));
    let mut node = site.start(&machine)?;
    site.wait_for_agent(&node, "UEFI, PXE, iPXE, HTTP")?;
    node.wait_for_line("mfs-result: saved bytes=", PATIENCE)?;
    assert_eq!(node.wait(PATIENCE)?, Exit::Reboot);
    assert!(Set::read(&trial.experiment)?.is_same_state(&prepared()?.expected));
    // Once for its size, and once for its content.
    assert!(site.sent().iter().all(|file| file == "snponly.efi"), "{:?}", site.sent());
    assert!(site.dnsmasq()?.count("vendor class: PXEClient:Arch:00007") > 0);
    let words = format!("GET /nodes/{DASHED}.ipxe 200");
    let asked = ["GET /mfs.ipxe 200", &words, "GET /vmlinuz 200", "GET /initramfs.cpio.zst 200"];
    assert_eq!(site.http.log(), asked);
    Ok(())
}

#[test]
fn the_firmware_loads_the_uki_over_http() -> Result<()> {
    if !is_root("the_firmware_loads_the_uki_over_http") {
        return Ok(());
    }
    let mut image = own_image("uki")?;
    let words = format!("console=ttyS0 panic=-1 quiet {EMULATED} mfs.job=idle ip=dhcp");
    let uki = image.add_uki(&words, None)?;
    let first = fs::read(&uki)?;
    image.add_uki(&words, None)?;
    assert!(fs::read(&uki)? == first, "the same input gives other bytes");

    let site = Site::install(&Site::directory("uefi-http"), Choice::Template)?;
    fs::write(site.files.join("mfs.efi"), first)?;
    let node = site.start(&site.node(Firmware::Uefi, Boot::Http)?)?;
    site.wait_for_agent(&node, "UEFI, HTTP, UKI")?;
    node.wait_for_line("address 10.77.0.", PATIENCE)?;
    node.wait_for_line("mfs-phase: idle", PATIENCE)?;
    assert_eq!(site.http.log(), ["HEAD /mfs.efi 200", "GET /mfs.efi 200"]);
    assert!(site.sent().is_empty());
    assert!(site.dnsmasq()?.count("vendor class: HTTPClient:Arch:00016") > 0);
    Ok(())
}

/// The image of all tests in a directory of one's own.
pub(crate) fn own_image(name: &str) -> Result<Image> {
    apt::ensure(apt::UKI)?;
    let agent = prepared()?.image.vmlinuz.with_file_name("mfs-agent");
    let directory: PathBuf = paths::target().join("tests/mfs").join(name);
    mfs::build_with_init("virtio", &agent, &directory)
}
