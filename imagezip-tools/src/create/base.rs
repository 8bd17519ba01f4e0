//! The signature of the image that a delta is made to.

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::time::UNIX_EPOCH;

use anyhow::Context;
use imagezip_core::device::ReadAt;
use imagezip_core::extent::ExtentSet;
use imagezip_core::pipeline::check;
use imagezip_core::sector::{Sector, SectorCount};
use imagezip_core::signature::{Entry, Signature};

use super::hash_stats::Comparison;
use super::prepare::Prepared;
use crate::host::{FileDevice, Threads};

/// The signature of a base image.
#[derive(Clone, Debug)]
pub struct Base {
    /// Its entries that can be compared.
    pub signature: Signature,
    /// The name of its file.
    pub name: String,
    /// When the file was modified, in seconds.
    pub modified: u64,
    /// How many sectors all of its entries are about.
    pub sectors: SectorCount,
    /// How many of its entries are about sectors after the end of what is saved; they are left out
    /// of `signature`.
    pub beyond: usize,
}

impl Base {
    /// Reads the signature in the file at `path`, for an image about so many sectors.
    ///
    /// # Errors
    /// If it can't be read, or is none.
    pub fn read(path: &Path, sectors: SectorCount) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let file = FileDevice::open(path)?;
        let modified = file.file().metadata().and_then(|metadata| metadata.modified());
        let modified = modified.with_context(|| name.clone())?;
        let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let all = Signature::read(&file).with_context(|| format!("reading {name}"))?;
        // An entry is compared whole. What reaches beyond the end can't be, and has changed.
        let end = Sector::ZERO.saturating_add(sectors);
        let signature = with_entries(&all, |entry| entry.range.end() <= end)?;
        let beyond = all.len() - signature.len();
        let sectors = all.iter().map(|entry| entry.range.len());
        let sectors = sectors.fold(SectorCount::ZERO, SectorCount::saturating_add);
        Ok(Self { signature, name, modified, sectors, beyond })
    }

    /// What comes out of the comparison when the sectors `changed` are not as they were.
    pub fn comparison(&self, in_use: &ExtentSet, changed: &ExtentSet) -> Comparison {
        let original = self.sectors.get();
        Comparison { original, ..Comparison::new(&self.signature, in_use, changed) }
    }

    /// The sectors that a delta would hold.
    ///
    /// # Errors
    /// If the disk can't be read.
    pub fn changed(
        &self,
        workers: &Threads,
        device: &dyn ReadAt,
        prepared: &Prepared,
        done: &AtomicU64,
    ) -> anyhow::Result<ExtentSet> {
        let in_use = &prepared.map.in_use;
        let touched =
            with_entries(&self.signature, |entry| in_use.within(entry.range).next().is_some())?;
        let mut differing = ExtentSet::new();
        check(workers, device, prepared.map.base(), &touched, done, &mut |range, _| {
            differing.push(range);
            Ok(())
        })?;
        let covered: ExtentSet = touched.iter().map(|entry| entry.range).collect();
        Ok(in_use.difference(&covered.difference(&differing)))
    }
}

/// A signature with only some of its entries.
fn with_entries(
    signature: &Signature,
    wanted: impl Fn(&Entry) -> bool,
) -> anyhow::Result<Signature> {
    let mut some = Signature::new(signature.hash_type(), signature.block());
    for entry in signature.iter().filter(wanted) {
        some.push(entry)?;
    }
    Ok(some)
}
