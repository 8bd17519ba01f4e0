//! BIOS machines. QEMU's option ROM is iPXE itself, which is offered the script at once.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use anyhow::Result;
use swapmfs_tests::trial::{PATIENCE, Set, is_root, prepared};
use xtask::qemu::{Access, Boot, EMULATED, Exit, Firmware};

use crate::site::{Choice, DASHED, Site, USER, experiment, file_server, for_emulation, template};

#[test]
fn ipxe_boots_over_tftp_and_the_disk_is_saved() -> Result<()> {
    if !is_root("ipxe_boots_over_tftp_and_the_disk_is_saved") {
        return Ok(());
    }
    let (trial, directory) = experiment("boot-bios")?;
    let site = Site::install(&directory, Choice::Template)?;
    let namespace = Arc::clone(site.lab.namespace());
    let _server = file_server(namespace, trial.experiment.proj(), &directory)?;
    site.name_node("/proj")?;

    let machine = site.node(Firmware::Bios, Boot::Pxe)?;
    let machine = machine.drive(trial.experiment.drive(Access::ReadOnly));
    let mut node = site.start(&machine)?;
    site.wait_for_agent(&node, "BIOS, iPXE, TFTP")?;
    node.wait_for_line(", lent by 10.77.0.1 for ", PATIENCE)?;
    node.wait_for_line("mfs-result: saved bytes=", PATIENCE)?;
    assert_eq!(node.wait(PATIENCE)?, Exit::Reboot);
    assert!(Set::read(&trial.experiment)?.is_same_state(&prepared()?.expected));
    let words = format!("nodes/{DASHED}.ipxe");
    assert_eq!(site.sent(), ["mfs.ipxe", &words, "vmlinuz", "initramfs.cpio.zst"]);
    assert!(site.http.log().is_empty());
    assert_eq!(fs::metadata(trial.experiment.node_file("-swap.ndz"))?.uid(), USER);
    Ok(())
}

#[test]
fn pxelinux_boots() -> Result<()> {
    if !is_root("pxelinux_boots") {
        return Ok(());
    }
    let site = Site::install(&Site::directory("bios-pxelinux"), Choice::Pxelinux)?;
    // The node's own file, as the template's comments tell to make it, with PXELINUX's address.
    let default = for_emulation(&template("pxelinux.cfg/default")?)?;
    let default = default.replace("SYSAPPEND 2", "SYSAPPEND 3");
    let own = default.replace(EMULATED, &format!("{EMULATED} mfs.job=idle"));
    let name = format!("pxelinux.cfg/01-{DASHED}");
    fs::write(site.files.join(&name), own)?;
    let node = site.start(&site.node(Firmware::Bios, Boot::Pxe)?)?;
    site.wait_for_agent(&node, "BIOS, PXELINUX, TFTP")?;
    let address = node.wait_for_line("address 10.77.0.", PATIENCE)?;
    assert!(!address.text.contains("lent by"), "{address:?}");
    node.wait_for_line("mfs-phase: idle", PATIENCE)?;
    let sent = ["pxelinux.0", "ldlinux.c32", &name, "vmlinuz", "initramfs.cpio.zst"];
    assert_eq!(site.sent(), sent);
    Ok(())
}

/// QEMU has no other option ROM than iPXE. So the site first takes it for another one, and offers
/// undionly.kpxe; once that is on its way, the site is as the template is for HTTP.
#[test]
fn another_rom_loads_ipxe_which_boots_over_http_and_tries_again() -> Result<()> {
    if !is_root("another_rom_loads_ipxe_which_boots_over_http_and_tries_again") {
        return Ok(());
    }
    let mut site = Site::install(&Site::directory("bios-undionly"), Choice::OtherRom)?;
    site.words("mfs.job=idle ip=dhcp")?;
    // The web server has no kernel yet.
    let (kernel, elsewhere) = (site.files.join("vmlinuz"), site.files.join("vmlinuz.new"));
    fs::rename(&kernel, &elsewhere)?;
    let node = site.start(&site.node(Firmware::Bios, Boot::Pxe)?)?;
    site.dnsmasq()?.wait_for_log("/undionly.kpxe to ", PATIENCE)?;
    assert_eq!(site.sent(), ["undionly.kpxe"]);
    site.serve("second", Choice::Http)?;
    node.wait_for_line("mfs.ipxe: attempt 1 failed", PATIENCE)?;
    fs::rename(&elsewhere, &kernel)?;
    site.wait_for_agent(&node, "BIOS, undionly.kpxe, HTTP, second attempt")?;
    node.wait_for_line("address 10.77.0.", PATIENCE)?;
    node.wait_for_line("mfs-phase: idle", PATIENCE)?;
    let words = format!("GET /nodes/{DASHED}.ipxe 200");
    assert_eq!(
        site.http.log(),
        [
            "GET /mfs.ipxe 200",
            &words,
            "GET /vmlinuz 404",
            &words,
            "GET /vmlinuz 200",
            "GET /initramfs.cpio.zst 200",
        ]
    );
    assert!(site.sent().is_empty());
    Ok(())
}
