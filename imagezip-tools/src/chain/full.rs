//! Making one image of all sectors of images on top of each other.

use std::path::Path;

use anyhow::bail;
use imagezip_core::signature::Signature;

use super::report::{Report, describe};
use super::selection::{selected, verify_selected};
use super::{Inputs, Options, Signed, Work, make, signature};
use crate::commands::Exit;

/// An image to be made.
#[derive(Clone, Copy)]
pub struct FullWork<'a> {
    /// The images.
    pub inputs: &'a Inputs,
    /// Whether only sectors of the last image's full signature are taken.
    pub select: bool,
    /// Whether the digests of that signature are checked.
    pub verify: bool,
    /// The new image's file.
    pub path: &'a Path,
    /// What the lowest image is.
    pub lowest: Lowest,
}

/// What the lowest of some images is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lowest {
    /// A full image, so that the result needs no other image.
    Base,
    /// A delta, as the result will be.
    Delta {
        /// Whether the last image's signature becomes that of the result, instead of one that is
        /// made of the data: it is about a base image, too.
        keep_signature: bool,
    },
}

impl FullWork<'_> {
    /// Makes the image.
    ///
    /// # Errors
    /// As [`make`]; if the signature can't be read or can't be right.
    pub fn run(self, options: &Options) -> anyhow::Result<Exit> {
        self.inputs.check_output(self.path)?;
        let stack = self.inputs.stack(0..self.inputs.count())?;
        describe(&stack, options);
        let keep_signature = self.lowest == Lowest::Delta { keep_signature: true };
        let last = if self.select || self.verify || keep_signature {
            Some(signature::read(stack.top()?, options)?)
        } else {
            None
        };
        let in_use = match last.as_ref().filter(|_| self.select) {
            Some(last) => selected(&stack, last, self.lowest == Lowest::Base, options)?,
            None => stack.layers.extents().clone(),
        };
        if let Some(last) = last.as_ref().filter(|_| self.verify) {
            verify_selected(&stack, last, options)?;
        }
        let from = last.as_ref().map(|last| (last.hash_type(), last.block()));
        let (hash_type, block) = options.hashing(from)?;
        let base = &Signature::new(hash_type, block);
        let work = Work { stack: &stack, in_use: &in_use, base };
        let made = make(work, self.path, options)?;
        let signed = match last.filter(|_| keep_signature) {
            Some(last) if from == Some((hash_type, block)) => Signed::With(last),
            Some(_) => bail!("a signature can't be given other digests or blocks without its data"),
            None => Signed::Full,
        };
        let report = Report::new(self.path, made.image(), in_use.sector_count());
        let is_file = made.is_file();
        made.finish(stack.modified(), signed, options)?;
        report.print(None, is_file, options)
    }
}
