//! `imagerebase`: makes one delta, or one image, of a chain of deltas.

use std::path::PathBuf;

use anyhow::ensure;
use clap::{CommandFactory, Parser};

use super::{Exit, Run, Tool};
use crate::chain::delta::DeltaWork;
use crate::chain::full::{FullWork, Lowest};
use crate::chain::report::describe;
use crate::chain::selection::{selected, verify_selected};
use crate::chain::{Inputs, Options, signature};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "imagerebase",
    arguments: Imagerebase::command,
    run: super::run::<Imagerebase>,
    differences: &[],
    exit_statuses: &[],
    examples: &[
        (
            "One delta to the base image in place of a week's",
            "imagerebase base.ndz monday.ndz tuesday.ndz wednesday.ndz week.ndz",
        ),
        (
            "The same without the base image at hand",
            "imagerebase --deltas monday.ndz tuesday.ndz wednesday.ndz week.ndz",
        ),
        ("A new base image", "imagerebase --full base.ndz monday.ndz tuesday.ndz new-base.ndz"),
    ],
    files: &[("IMAGE.sig", "the signature of IMAGE")],
};

/// Make one delta, or one full image, of a chain of deltas.
///
/// By default the result is a delta to the base image: loaded on top of it, it makes what the base
/// image and all deltas in turn make. What comes back to what the base image has is not in it. With
/// --deltas the base image isn't needed, and everything that any of the deltas holds is in the
/// result. With --full the result is an image that needs no other.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
pub struct Imagerebase {
    /// Write a full image
    #[arg(long, conflicts_with_all = ["deltas", "full_signature", "empty"])]
    pub full: bool,
    /// There is no base image: the first IMAGE is a delta, too
    #[arg(long)]
    pub deltas: bool,
    /// Take only the sectors that the last delta's full signature covers: what was freed since is
    /// left out
    #[arg(short = 'S', long)]
    pub signatures: bool,
    /// Check the digests of the last delta's signature
    #[arg(short = 'V', long, conflicts_with = "deltas")]
    pub verify_signatures: bool,
    /// Write the signature of base image and deltas together, for the next delta, instead of that
    /// of the result alone; with --deltas it is the last delta's
    #[arg(short = 'F', long)]
    pub full_signature: bool,
    /// If the deltas change nothing, write an empty delta: a file of no bytes
    #[arg(long)]
    pub empty: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it")]
    pub options: Options,

    /// The base image and the deltas on it, in order
    #[arg(value_name = "IMAGE", required = true, num_args = 1..)]
    pub images: Vec<PathBuf>,
    /// The file to write; - for standard output
    #[arg(value_name = "RESULT")]
    pub result: PathBuf,
}

impl Run for Imagerebase {
    fn run(self) -> anyhow::Result<Exit> {
        let inputs = self.options.open(&self.images)?;
        ensure!(
            self.deltas || inputs.count() > 1,
            "a base image, deltas on it and a result are needed (--deltas: without a base image)"
        );
        if self.full || self.deltas {
            let work = FullWork {
                inputs: &inputs,
                select: self.signatures,
                verify: self.verify_signatures,
                path: &self.result,
                lowest: if self.deltas {
                    Lowest::Delta { keep_signature: self.full_signature }
                } else {
                    Lowest::Base
                },
            };
            work.run(&self.options)
        } else {
            self.rebase(&inputs)
        }
    }
}

impl Imagerebase {
    /// Makes the delta of the whole chain to its base image.
    fn rebase(&self, inputs: &Inputs) -> anyhow::Result<Exit> {
        let options = &self.options;
        inputs.check_output(&self.result)?;
        let (old, stack) = (inputs.stack(0..1)?, inputs.stack(0..inputs.count())?);
        describe(&stack, options);
        let last = if self.signatures || self.verify_signatures {
            Some(signature::read(stack.top()?, options)?)
        } else {
            None
        };
        if let Some(last) = last.as_ref().filter(|_| self.verify_signatures) {
            verify_selected(&stack, last, options)?;
        }
        let in_use = match last.as_ref().filter(|_| self.signatures) {
            Some(last) => selected(&stack, last, true, options)?,
            None => stack.layers.extents().clone(),
        };
        let base = old.top()?.path().display();
        let nothing = format!("The deltas change nothing of {base}, no delta produced!");
        let work = DeltaWork {
            old: &old,
            signature: None,
            stack: &stack,
            in_use: &in_use,
            path: &self.result,
            full_signature: self.full_signature,
            empty: self.empty,
            nothing: &nothing,
        };
        work.run(options)
    }
}
