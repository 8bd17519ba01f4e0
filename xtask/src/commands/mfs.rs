//! `cargo xtask mfs`: the bootable image.

use anyhow::Result;
use clap::Args;
use std::path::PathBuf;
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
}

impl Mfs {
    pub(crate) fn run(self) -> Result<()> {
        apt::ensure(apt::KERNEL_TOOLS)?;
        let image = mfs::build(&self.profile, self.firmware.as_deref())?;
        print!("{}", image.summary());
        Ok(())
    }
}
