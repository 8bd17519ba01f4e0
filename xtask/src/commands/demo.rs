//! `cargo xtask demo`: a testbed with a boss, and an experiment that is swapped out and in again. An
//! image is captured from a machine, a node gets it, its user works, its disk is saved, another node
//! goes on with it and boots from it; and all of it is proven.

mod node;
mod proof;
mod story;
mod summary;

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use xtask::mfs::{Image, Manifest};
use xtask::node_disk::Sizes;
use xtask::postgres::Postgres;
use xtask::{apt, mfs, paths, testbed, tools};

use story::Story;

/// What fills the root file system; the demo is about real files.
const SIZES: Sizes = Sizes { esp: 48, root: 768, swap: 64, files: 320 };

/// Captures an image, swaps an experiment in, out, and in again on another node, all through boss.
///
/// Everything is real: boss and its command line, DHCP, iPXE, tmcd, NFS, a GPT disk with FAT32, ext4
/// and swap made by the ordinary tools, files of this machine, a boot loader. Results stay in
/// target/demo.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Boss' data base: a file, or a server of `PostgreSQL` that is started for it.
    #[arg(long, value_enum, default_value_t = Kind::Sqlite)]
    database: Kind,
    /// Keep the disks, too (about 4 GB); else only the results stay.
    #[arg(long)]
    keep: bool,
}

/// Data bases that boss can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Sqlite,
    Postgres,
}

impl Demo {
    pub(crate) fn run(self) -> Result<()> {
        let start = Instant::now();
        let packages = [apt::KERNEL_TOOLS, apt::QEMU, apt::DISK_TOOLS, apt::BOOT_LOADER];
        for packages in packages.into_iter().chain([apt::LAB, apt::BOSS]) {
            apt::ensure(packages)?;
        }
        step("building boss, the image tools, and the boot image, the MFS, with all drivers");
        let boss = testbed::build_boss()?;
        tools::build()?;
        let image = mfs::build("all", None)?;
        print_image(&image);

        let directory = paths::target().join("demo");
        let postgres = match self.database {
            Kind::Sqlite => None,
            Kind::Postgres => Some(Postgres::start()?),
        };
        if let Some(postgres) = &postgres {
            postgres.create("demo")?;
        }
        let database = postgres.as_ref().map(|postgres| postgres.socket_url_of("demo"));
        let story = Story::begin(&directory, &boss, &image, database.as_deref(), SIZES)?;
        let told = story.tell()?;
        summary::print(&told)?;
        println!();
        if self.keep {
            println!("everything is in {}", directory.display());
        } else {
            tidy(&directory)?;
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
fn tidy(directory: &std::path::Path) -> Result<()> {
    fs::remove_dir_all(directory.join("scratch"))?;
    for name in ["node.img", "other.img", "restored.img"] {
        let path = directory.join(name);
        fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
    }
    Ok(())
}
