//! `cargo xtask demo`: an experiment is swapped out and in again, in QEMU. A node's disk is saved,
//! another node is loaded with it and boots from it, and all of it is proven.

mod guest;
mod load;
mod save;
mod summary;

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use xtask::experiment::Experiment;
use xtask::mfs::{Image, Manifest};
use xtask::node_disk::Sizes;
use xtask::{apt, mfs, paths};

/// What fills the root file system; the demo is about real files.
const SIZES: Sizes = Sizes { esp: 48, root: 768, swap: 64, files: 320 };

/// Saves a node's disk in QEMU, loads another node with it and boots that from its disk.
///
/// Everything is real: a GPT disk with FAT32, ext4 and swap made by the ordinary tools, files of
/// this machine, a boot loader, the Debian kernel's NFS client. Results stay in target/demo.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Keep the disks, too (about 4 GB); else only the results stay.
    #[arg(long)]
    keep: bool,
}

impl Demo {
    pub(crate) fn run(self) -> Result<()> {
        let start = Instant::now();
        for packages in [apt::KERNEL_TOOLS, apt::QEMU, apt::DISK_TOOLS, apt::BOOT_LOADER] {
            apt::ensure(packages)?;
        }
        step("building the boot image, the MFS, with the drivers of every machine");
        let image = mfs::build("all", None)?;
        print_image(&image);

        step("making node A's disk: it boots by itself; its base image; a user's work on it");
        let directory = paths::target().join("demo");
        let experiment = Experiment::prepare_bootable(&directory, SIZES)?;
        let saved = save::run(&experiment, &image)?;

        step("making node B's disk: larger, and full of another user's data");
        let node = load::Node::new(&experiment, &image)?;
        let loaded = node.load_used_disk()?;
        let again = node.load_base_disk()?;

        summary::print(&saved, &loaded, &again)?;
        println!();
        if self.keep {
            println!("everything is in {}", directory.display());
        } else {
            tidy(&experiment)?;
            println!("results are in {}", directory.display());
        }
        println!("demo passed in {:.0} s", start.elapsed().as_secs_f64());
        Ok(())
    }
}

fn step(what: &str) {
    println!("==> {what}");
}

/// What the image is made of; `cargo xtask mfs all` says more.
fn print_image(image: &Image) {
    let Manifest { kernel_release, modules, initramfs, agent, .. } = &image.manifest;
    println!(
        "    kernel {kernel_release}; initramfs of {} KiB with {} modules and the agent of {} KiB",
        initramfs.bytes >> 10,
        modules.len(),
        agent.bytes >> 10
    );
}

/// Removes what is large, and what was only needed on the way.
fn tidy(experiment: &Experiment) -> Result<()> {
    fs::remove_dir_all(experiment.directory.join("scratch"))?;
    for name in ["node.img", "other.img", "restored.img"] {
        let path = experiment.directory.join(name);
        fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
    }
    Ok(())
}
