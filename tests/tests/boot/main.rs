//! Booting from the network, as a machine in a rack does: firmware, boot loader, kernel and
//! initramfs, up to the agent, with the templates of `initramfs/boot/` as an operator installs them.
//! And from the node's own disk, when the agent has loaded it.
//!
//! Each test has a network of its own with dnsmasq and a web server, in target/tests/qemu.
#![expect(clippy::panic_in_result_fn, reason = "a test fails by panicking")]

mod bios;
mod boss;
mod own_disk;
mod secure_boot;
mod site;
mod uefi;
