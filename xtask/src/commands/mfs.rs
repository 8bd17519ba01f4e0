//! `cargo xtask mfs`: the bootable image.

use anyhow::Result;
use clap::Args;
use xtask::{apt, mfs};

/// Builds the kernel and initramfs that a node boots, into target/mfs/<profile>.
#[derive(Debug, Args)]
pub(crate) struct Mfs {
    /// The hardware profile: a file name in initramfs/, without .toml.
    #[arg(long, default_value = "virtio")]
    profile: String,
}

impl Mfs {
    pub(crate) fn run(self) -> Result<()> {
        apt::ensure(apt::KERNEL_TOOLS)?;
        let image = mfs::build(&self.profile)?;
        print!("{}", image.summary());
        Ok(())
    }
}
