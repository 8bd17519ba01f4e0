//! `imagedelta`: makes a delta of two images.

use std::path::PathBuf;

use clap::{CommandFactory, Parser};

use super::{Exit, Run, Tool};
use crate::chain::delta::DeltaWork;
use crate::chain::report::describe;
use crate::chain::{Options, signature};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "imagedelta",
    arguments: Imagedelta::command,
    run: super::run::<Imagedelta>,
    differences: DIFFERENCES,
    exit_statuses: &[],
    examples: &[
        ("What changed between two images of a disk", "imagedelta old.ndz new.ndz changes.ndz"),
        (
            "The same with the old image's signature, and a signature for the next delta",
            "imagedelta -S -F old.ndz new.ndz changes.ndz",
        ),
    ],
    files: &[("IMAGE.sig", "the signature of IMAGE")],
};

const DIFFERENCES: &[&str] = &[
    "Without -S the classic program computes nothing and exits with status 2; this one compares \
     the images themselves.",
    "A delta holds only the sectors of changed hash blocks that are in use; the classic program \
     takes all of any range that overlaps a changed one, which can be twice as much.",
    "Relocations are kept; in deltas of the classic program they are lost.",
    "-z works; the classic program rejects it.",
    "The digest and the block size of a new signature are by default those of the old image's; \
     where -D or -b differ from them, the old image is hashed again, where the classic program \
     writes digests of the wrong kind.",
    "With -S only OLD.sig is needed; NEW.sig is read for -V, which also checks all digests.",
    "Deltas without data (files of no bytes) are read as images.",
    "A signature that covers more than its image does is used only for what both cover.",
];

/// Make the delta that turns an old image into a new one.
///
/// The delta holds the sectors of NEW that are not in OLD or have other data there. Loaded on top
/// of OLD, it makes what loading NEW makes; sectors that only OLD holds keep what they had. If
/// there is no such sector, nothing is written, and a file that is there is removed.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the classic tool")]
pub struct Imagedelta {
    /// Compare with OLD.sig, which saves reading OLD
    #[arg(short = 'S', long)]
    pub signatures: bool,
    /// Check that OLD.sig and NEW.sig are the signatures of the images
    #[arg(short = 'V', long)]
    pub verify_signatures: bool,
    /// Write the signature of NEW, for the next delta, instead of that of the delta alone
    #[arg(short = 'F', long)]
    pub full_signature: bool,
    /// If nothing differs, write an empty delta: a file of no bytes
    #[arg(long)]
    pub empty: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it")]
    pub options: Options,

    /// The image that the delta is for
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// The image that old image and delta together give
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// The delta; - for standard output
    #[arg(value_name = "DELTA")]
    pub delta: PathBuf,
}

impl Run for Imagedelta {
    fn run(self) -> anyhow::Result<Exit> {
        let options = &self.options;
        let inputs = options.open([&self.old, &self.new])?;
        inputs.check_output(&self.delta)?;
        let old = inputs.stack(0..1)?;
        let stack = inputs.stack(0..2)?;
        describe(&stack, options);
        let signature = if self.signatures || self.verify_signatures {
            Some(signature::read(old.top()?, options)?)
        } else {
            None
        };
        if let Some(signature) = signature.as_ref().filter(|_| self.verify_signatures) {
            signature::verify_whole(&old, signature, options)?;
            let new = inputs.stack(1..2)?;
            let signature = signature::read(new.top()?, options)?;
            signature::verify_whole(&new, &signature, options)?;
        }
        let in_use = &stack.top_extents();
        let nothing = format!(
            "Images {} and {} are identical, no delta produced!",
            self.old.display(),
            self.new.display()
        );
        let work = DeltaWork {
            old: &old,
            signature: signature.as_ref(),
            stack: &stack,
            in_use,
            path: &self.delta,
            full_signature: self.full_signature,
            empty: self.empty,
            nothing: &nothing,
        };
        work.run(options)
    }
}
