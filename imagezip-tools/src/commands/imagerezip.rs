//! `imagerezip`: packs an image anew.

use std::path::PathBuf;

use clap::{CommandFactory, Parser};
use imagezip_core::signature::Signature;

use super::{Exit, Run, Tool};
use crate::chain::report::{Report, describe};
use crate::chain::{Options, Signed, Work, make, signature};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "imagerezip",
    arguments: Imagerezip::command,
    run: super::run::<Imagerezip>,
    differences: DIFFERENCES,
    exit_statuses: &[],
    examples: &[
        ("Smaller, for keeping", "imagerezip -z 9 old.ndz new.ndz"),
        (
            "An encrypted image as one that every program reads",
            "imagerezip -k old.ndz.ekey old.ndz new.ndz",
        ),
    ],
    files: &[("IMAGE.sig", "the signature of IMAGE")],
};

const DIFFERENCES: &[&str] = &[
    "-S writes a signature without -V, too; the classic program aborts.",
    "-z works; the classic program rejects it.",
    "Relocations are kept; in images of the classic program they are lost.",
    "Images of all versions are read, with keys those that are encrypted; versions 1, 3 and 5 are \
     written. Version 5 stays version 5 unless -3 is given.",
    "-V also checks the digests' kinds and blocks of any signature; -D and -b concern only the \
     new signature, which by default has those of the one that was checked.",
];

/// Pack an image anew, with another compression level or in another format.
#[derive(Debug, Parser)]
pub struct Imagerezip {
    /// Write the signature NEW.sig
    #[arg(short = 'S', long)]
    pub signatures: bool,
    /// Check that OLD.sig is the signature of OLD, and its digests
    #[arg(short = 'V', long)]
    pub verify_signatures: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it")]
    pub options: Options,

    /// The image
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// The image to write; - for standard output
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
}

impl Run for Imagerezip {
    fn run(mut self) -> anyhow::Result<Exit> {
        self.options.no_signature |= !self.signatures;
        let options = &self.options;
        let inputs = options.open([&self.old])?;
        inputs.check_output(&self.new)?;
        let stack = inputs.stack(0..1)?;
        describe(&stack, options);
        let old = if self.verify_signatures {
            let old = signature::read(stack.top()?, options)?;
            signature::verify_whole(&stack, &old, options)?;
            Some(old)
        } else {
            None
        };
        let from = old.map(|old| (old.hash_type(), old.block()));
        let (hash_type, block) = options.hashing(from)?;
        let base = &Signature::new(hash_type, block);
        let in_use = stack.layers.extents();
        let made = make(Work { stack: &stack, in_use, base }, &self.new, options)?;
        let report = Report::new(&self.new, made.image(), in_use.sector_count());
        let is_file = made.is_file();
        made.finish(stack.modified(), Signed::Full, options)?;
        report.print(None, is_file, options)
    }
}
