//! `imageundelta`: makes a full image of a base image and deltas.

use std::path::PathBuf;

use clap::{CommandFactory, Parser};

use super::{Exit, Run, Tool};
use crate::chain::Options;
use crate::chain::full::{FullWork, Lowest};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "imageundelta",
    arguments: Imageundelta::command,
    run: super::run::<Imageundelta>,
    differences: DIFFERENCES,
    exit_statuses: &[],
    examples: &[
        ("The full image again", "imageundelta base.ndz changes.ndz full.ndz"),
        (
            "Only what is still in use, by the signature that imagezip wrote with the delta",
            "imageundelta -S base.ndz changes.ndz full.ndz",
        ),
    ],
    files: &[("IMAGE.sig", "the signature of IMAGE")],
};

const DIFFERENCES: &[&str] = &[
    "Any number of deltas can follow the base image.",
    "A delta's signature may cover blocks that are partly in the delta, partly in the base image \
     and partly free, as imagezip's do; the classic program aborts.",
    "The new signature is written without -S, too; the classic program leaves an empty file.",
    "-V compares all digests. Signatures that the classic imagezip -H -U wrote may cover freed \
     sectors whose data are in no image any more, and are then found wrong.",
    "A signature that covers the delta alone is refused with -S: the result would be the delta.",
    "Relocations of base image and deltas are kept; in images of the classic program they are \
     lost.",
    "-z works; the classic program rejects it.",
    "The digest and the block size of a new signature are by default those of the delta's.",
    "Deltas without data (files of no bytes) are read as images.",
];

/// Make a full image of a base image and the deltas on it.
#[derive(Debug, Parser)]
pub struct Imageundelta {
    /// Take only the sectors that the last delta's full signature DELTA.sig covers: what was freed
    /// since is left out
    #[arg(short = 'S', long)]
    pub signatures: bool,
    /// Check the digests of DELTA.sig
    #[arg(short = 'V', long)]
    pub verify_signatures: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it")]
    pub options: Options,

    /// The base image
    #[arg(value_name = "BASE")]
    pub base: PathBuf,
    /// The deltas on it, in order
    #[arg(value_name = "DELTA", required = true, num_args = 1..)]
    pub deltas: Vec<PathBuf>,
    /// The full image; - for standard output
    #[arg(value_name = "FULL")]
    pub full: PathBuf,
}

impl Run for Imageundelta {
    fn run(self) -> anyhow::Result<Exit> {
        let paths = std::iter::once(&self.base).chain(&self.deltas);
        let inputs = self.options.open(paths)?;
        let work = FullWork {
            inputs: &inputs,
            select: self.signatures,
            verify: self.verify_signatures,
            path: &self.full,
            lowest: Lowest::Base,
        };
        work.run(&self.options)
    }
}
