//! A firmware that starts only what is signed.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use swapmfs_tests::trial::{PATIENCE, is_root};
use xtask::mfs::uki;
use xtask::qemu::{Boot, EMULATED, Firmware};

use crate::site::{Choice, Site};
use crate::uefi::own_image;

#[test]
fn only_what_is_signed_boots_and_modules_load_under_lockdown() -> Result<()> {
    if !is_root("only_what_is_signed_boots_and_modules_load_under_lockdown") {
        return Ok(());
    }
    let mut image = own_image("signed")?;
    let site = Site::install(&Site::directory("secure-boot"), Choice::Secure)?;
    let words = &format!("console=ttyS0 panic=-1 {EMULATED} mfs.job=idle ip=dhcp");
    let offered = site.files.join("mfs.efi");
    fs::copy(image.add_uki(words, None)?, &offered)?;
    let machine = site.node(Firmware::SecureBoot, Boot::Pxe)?;
    let node = site.start(&machine)?;
    let refusal = node.wait_for_line("BdsDxe: failed to load", Duration::from_mins(2))?;
    assert!(refusal.text.contains("Access Denied"), "{}", refusal.text);
    assert!(site.sent().contains(&"mfs.efi".to_owned()), "{:?}", site.sent());
    assert!(node.console().find("Linux version").is_none());
    drop(node);

    let signing = uki::snakeoil(image.vmlinuz.parent().context("in no directory")?)?;
    fs::copy(image.add_uki(words, Some(&signing))?, &offered)?;
    let node = site.start(&machine)?;
    site.wait_for_agent(&node, "UEFI, Secure Boot, PXE, signed UKI")?;
    node.wait_for_line("mfs-phase: idle", PATIENCE)?;
    for words in ["Kernel is locked down from EFI Secure Boot", "secureboot: Secure boot enabled"] {
        assert!(node.console().find(words).is_some(), "{}", node.console().tail(200));
    }
    // The driver of the card is a module; with it the agent got an address.
    node.wait_for_line("address 10.77.0.", PATIENCE)?;
    assert!(
        node.console().find("module loading is restricted").is_none(),
        "{}",
        node.console().tail(200)
    );
    assert!(image.manifest.uki.is_some_and(|uki| uki.signed.is_some()));
    Ok(())
}
