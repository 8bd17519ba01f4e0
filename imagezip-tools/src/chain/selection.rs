//! Which sectors of a chain are still in use (docs/format.md, "Chain"): what the last full signature
//! covers.

use anyhow::{bail, ensure};
use imagezip_core::extent::ExtentSet;
use imagezip_core::signature::Signature;

use super::signature::{covered, path_of, verify};
use super::{Options, Stack};

/// The sectors of `stack` that `signature`, the topmost image's full signature, covers.
///
/// Signatures that were made with a delta (imagezip -H -U) may cover some free sectors beside
/// others in use, which are in none of the images. They are left out.
///
/// # Errors
/// If it can't be the full signature of what the images make; `with_base` tells that they are all
/// that is needed, not only deltas.
pub fn selected(
    stack: &Stack<'_>,
    signature: &Signature,
    with_base: bool,
    options: &Options,
) -> anyhow::Result<ExtentSet> {
    let name = path_of(stack.top()?.path());
    let name = name.display();
    let (covered, held, top) = (covered(signature), stack.layers.extents(), stack.top_extents());
    ensure!(
        top.difference(&covered).is_empty(),
        "{name} does not cover all of its image: it is not its signature"
    );
    // An image that needs no other one is not a delta, and nobody would lay it on others.
    let only_top = covered.difference(&top).is_empty();
    ensure!(
        !only_top || held.difference(&top).is_empty(),
        "{name} covers its own image only, so it doesn't tell what of the others is still in use: \
         a full signature is needed (imagezip -U, imagedelta -F), or leave out -S. (If nothing else \
         is in use, that image needs no others.)"
    );
    let absent = signature.iter().find(|entry| held.within(entry.range).next().is_none());
    if let Some(entry) = absent.filter(|_| with_base) {
        bail!("{name}: sectors {} are in none of the images: is one missing?", entry.range);
    }
    let selected = covered.intersection(held);
    let free = covered.difference(held).sector_count();
    if with_base && options.detail > 0 && free.get() > 0 {
        eprintln!("{name}: {free} sectors are in none of the images: taken for free");
    }
    Ok(selected)
}

/// Checks the digests of `signature` whose sectors are all in the images. What is about sectors
/// that were free can't be checked.
///
/// # Errors
/// If one is wrong, or if an image can't be read.
pub fn verify_selected(
    stack: &Stack<'_>,
    signature: &Signature,
    options: &Options,
) -> anyhow::Result<()> {
    let held = stack.layers.extents();
    let mut checkable = Signature::new(signature.hash_type(), signature.block());
    for entry in signature.iter().filter(|entry| held.contains(entry.range)) {
        checkable.push(entry)?;
    }
    let others = signature.len().saturating_sub(checkable.len());
    if others > 0 && !options.quiet {
        let name = path_of(stack.top()?.path());
        eprintln!("{}: {others} entries cover free sectors: not checked", name.display());
    }
    verify(stack, &checkable, options)
}
