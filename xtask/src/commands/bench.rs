//! `cargo xtask bench`: how fast everything is, against what the machine can do.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use xtask::bench::{self, Options};

/// Times the tools and the agent on a disk of real files, against limits of the same run.
///
/// Takes about 25 minutes on two CPUs, 25 GB of disk space and 12 GB of memory. Tables and JSON
/// are left in target/bench, the curve in docs/performance-growth.svg; docs/performance.md says
/// how to read them.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags")]
pub(crate) struct Bench {
    /// Print JSON in place of tables.
    #[arg(long, conflicts_with = "codecs")]
    json: bool,
    /// Also time imagezip, imageunzip and imagehash of this directory.
    #[arg(long, value_name = "DIR", conflicts_with = "codecs")]
    reference: Option<PathBuf>,
    /// A disk of 1 GiB, once, and no other sizes: to see that it works.
    #[arg(long)]
    quick: bool,
    /// How often each job runs.
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// Leave out the agent in QEMU.
    #[arg(long)]
    no_guests: bool,
    /// Leave out disks of other sizes.
    #[arg(long)]
    no_growth: bool,
    /// Make the disks anew; those of an earlier run are used otherwise.
    #[arg(long)]
    fresh: bool,
    /// Compare all codecs on one core, and nothing else.
    #[arg(long)]
    codecs: bool,
}

impl Bench {
    pub(crate) fn run(self) -> Result<()> {
        let options = Options {
            gib: if self.quick { 1 } else { 8 },
            rounds: if self.quick { 1 } else { self.rounds.into() },
            guests: !self.no_guests,
            growth: !self.no_growth && !self.quick,
            fresh: self.fresh,
            reference: self.reference,
        };
        if self.codecs {
            print!("{}", bench::codecs(&options)?);
            return Ok(());
        }
        let report = bench::run(&options)?;
        if self.json {
            print!("{}", report.json()?);
        } else {
            print!("{}", report.markdown());
        }
        let missed = report.missed();
        if !missed.is_empty() {
            eprintln!("targets missed: {}", missed.join(", "));
        }
        Ok(())
    }
}
