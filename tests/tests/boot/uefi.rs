//! UEFI machines without an option ROM: the firmware's own PXE and HTTP clients.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use swapmfs_tests::trial::{PATIENCE, Set, is_root, prepared};
use xtask::experiment::{EID, PID, VNAME};
use xtask::lab::ADDRESS;
use xtask::mfs::uki::COMMAND_LINE;
use xtask::mfs::{self, Image};
use xtask::qemu::{Access, Boot, EMULATED, Exit, Firmware};
use xtask::tmcd::{Node, Tmcd, User};
use xtask::{apt, paths};

use crate::site::{Choice, DASHED, Site, USER, experiment, file_server};

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

/// One file for all nodes, without a word for any: who they are they learn from boss.
#[test]
fn the_firmware_loads_the_uki_over_http_and_boss_says_the_rest() -> Result<()> {
    if !is_root("the_firmware_loads_the_uki_over_http_and_boss_says_the_rest") {
        return Ok(());
    }
    let mut image = own_image("uki")?;
    let words = format!("{COMMAND_LINE} {EMULATED}");
    let uki = image.add_uki(&words, None)?;
    let first = fs::read(&uki)?;
    image.add_uki(&words, None)?;
    assert!(fs::read(&uki)? == first, "the same input gives other bytes");

    let (trial, directory) = experiment("boot-uki")?;
    let site = Site::install(&directory, Choice::Template)?;
    fs::write(site.files.join("mfs.efi"), first)?;
    let namespace = Arc::clone(site.lab.namespace());
    let _server = file_server(namespace, trial.experiment.proj(), &directory)?;
    let node = Node::new(PID, EID, VNAME).swapper(User::new("mike", USER, USER));
    // The server exports all projects; this one is below them.
    let node = node.file_server(&ADDRESS.to_string(), "/proj", "/groups");
    let node = node.startup_command("/usr/local/bin/create-swapimage");
    let boss = Tmcd::new(vec![site.lab.tcp_listener(7777)?], node)?;

    let machine = site.node(Firmware::Uefi, Boot::Http)?;
    let mut node = site.start(&machine.drive(trial.experiment.drive(Access::ReadOnly)))?;
    site.wait_for_agent(&node, "UEFI, HTTP, UKI")?;
    boss.wait_for("startstatus 0", PATIENCE).with_context(|| node.console().tail(40))?;
    node.wait_for_line("mfs-end: stay", PATIENCE)?;
    node.kill()?;
    assert_eq!(boss.states(), ["MFSSETUP", "ISUP"]);
    assert!(Set::read(&trial.experiment)?.is_same_state(&prepared()?.expected));
    assert_eq!(fs::metadata(trial.experiment.node_file("-swap.ndz"))?.uid(), USER);
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
