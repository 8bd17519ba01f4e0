//! `cargo xtask mfs`: the bootable image.

use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;
use xtask::mfs::uki::{COMMAND_LINE, Signing};
use xtask::{apt, mfs};

/// Builds the kernel and initramfs that a node boots, into target/mfs/<profile>.
#[derive(Debug, Args)]
pub(crate) struct Mfs {
    /// The hardware profile: a file name in initramfs/, without .toml.
    #[arg(long, default_value = "virtio")]
    profile: String,
    /// A directory like /lib/firmware; what the modules name of it goes into the image.
    #[arg(long, value_name = "DIRECTORY")]
    firmware: Option<PathBuf>,

    /// Make mfs.efi, too: kernel, initramfs and command line as one file for UEFI firmware.
    #[arg(long)]
    uki: bool,

    /// The command line in mfs.efi; without it a node asks DHCP and tmcd who it is.
    #[arg(long, value_name = "WORDS", default_value = COMMAND_LINE, requires = "uki")]
    cmdline: String,

    /// Sign mfs.efi for Secure Boot with this key (PEM, without a password).
    #[arg(long, value_name = "KEY", requires_all = ["uki", "sign_cert"])]
    sign_key: Option<PathBuf>,

    /// The key's certificate (PEM).
    #[arg(long, value_name = "CERT", requires = "sign_key")]
    sign_cert: Option<PathBuf>,
}

impl Mfs {
    pub(crate) fn run(self) -> Result<()> {
        apt::ensure(apt::KERNEL_TOOLS)?;
        if self.uki {
            apt::ensure(apt::UKI)?;
        }
        let mut image = mfs::build(&self.profile, self.firmware.as_deref())?;
        print!("{}", image.summary());
        if self.uki {
            let signing = self.sign_key.zip(self.sign_cert);
            let signing = signing.map(|(key, certificate)| Signing { key, certificate });
            let uki = image.add_uki(&self.cmdline, signing.as_ref())?;
            let bytes = uki.metadata().context("the UKI is gone")?.len();
            let signed = if signing.is_some() { "signed" } else { "not signed" };
            println!("uki        {:>7} KiB, {signed}: {}", bytes / 1024, uki.display());
        }
        Ok(())
    }
}
