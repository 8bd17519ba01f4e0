//! Signatures beside their images: `IMAGE.sig`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use imagezip_core::extent::ExtentSet;
use imagezip_core::pipeline::{Finding, check};
use imagezip_core::sector::{Sector, SectorRange};
use imagezip_core::signature::Signature;

use super::inputs::Input;
use super::{Options, Stack};
use crate::host::FileDevice;
use crate::output::write_atomically;

/// How far the times of an image and its signature may be apart: what file systems and programs
/// that copy files do to them.
const TOLERANCE: Duration = Duration::from_secs(2);

/// The name of the signature of `image`.
pub fn path_of(image: &Path) -> PathBuf {
    let mut name = image.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

/// Reads the signature of `image`.
///
/// # Errors
/// If it can't be read, or is older or newer than the image, unless that shall be ignored.
pub fn read(image: &Input, options: &Options) -> anyhow::Result<Signature> {
    let path = path_of(image.path());
    let name = path.display();
    let file = FileDevice::open(&path)?;
    let modified = file.file().metadata().and_then(|metadata| metadata.modified());
    let modified = modified.with_context(|| name.to_string())?;
    if !options.ignore_mtime && distance(modified, image.modified()) > TOLERANCE {
        let image = image.path().display();
        bail!("{name} is not as old as {image}, so it may not be its signature: -f takes it");
    }
    Signature::read(&file).with_context(|| format!("reading {name}"))
}

/// Writes `signature` beside the image at `image`, as old as that.
///
/// # Errors
/// If it can't be written.
pub fn write(image: &Path, signature: &Signature, options: &Options) -> anyhow::Result<()> {
    let path = path_of(image);
    let mut bytes = Vec::new();
    signature.write(&mut bytes).with_context(|| format!("writing {}", path.display()))?;
    let modified = fs::metadata(image).and_then(|metadata| metadata.modified());
    let modified = modified.with_context(|| image.display().to_string())?;
    write_atomically(&path, &bytes, Some(modified))?;
    if !options.quiet {
        eprintln!("{}: new signature written to {}", image.display(), path.display());
    }
    Ok(())
}

/// The sectors that a signature covers.
pub fn covered(signature: &Signature) -> ExtentSet {
    signature.iter().map(|entry| entry.range).collect()
}

/// Checks that the signature of the only image of `stack` covers exactly what the image holds, and
/// that all digests are right.
///
/// # Errors
/// If not, or if the image can't be read.
pub fn verify_whole(
    stack: &Stack<'_>,
    signature: &Signature,
    options: &Options,
) -> anyhow::Result<()> {
    let image = stack.top()?.path().display();
    ensure!(
        covered(signature) == *stack.layers.extents(),
        "{image}.sig does not cover the sectors of {image}: it is another image's signature, or \
         one of imagezip -H -U, which covers free sectors, too"
    );
    verify(stack, signature, options)
}

/// Checks all digests of `signature`, the topmost image's, whose sectors all are in the images.
///
/// # Errors
/// If one is wrong, or if an image can't be read.
pub fn verify(stack: &Stack<'_>, signature: &Signature, options: &Options) -> anyhow::Result<()> {
    let mut first = None;
    let mut note = |range: SectorRange, _: Finding| {
        first.get_or_insert(range);
        if options.detail > 0 {
            eprintln!("sectors {range} differ from the signature");
        }
        Ok(())
    };
    let (workers, done) = (options.workers(), AtomicU64::new(0));
    let found = check(&workers, &stack.layers, Sector::ZERO, signature, &done, &mut note);
    let found = found.map_err(|error| stack.explain(error))?;
    let Some(first) = first else { return Ok(()) };
    let wrong = found.differing.saturating_add(found.missing);
    let image = stack.top()?.path().display();
    bail!(
        "{image}.sig is not the signature of this data: {wrong} of {} entries differ, the first \
         about sectors {first}",
        found.entries
    )
}

fn distance(a: SystemTime, b: SystemTime) -> Duration {
    let seconds = |time: SystemTime| {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Duration::from_secs(since.as_secs())
    };
    seconds(a).abs_diff(seconds(b))
}
