//! What a comparison with a signature has found, in the form that people know from the classic
//! imagezip.

use std::fmt;
use std::time::Duration;

use imagezip_core::extent::ExtentSet;
use imagezip_core::sector::{SectorCount, SectorRange};
use imagezip_core::signature::{HashBlockSize, Signature};
use serde::Serialize;

/// Numbers of entries, and of the sectors that they are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Entries of the signature: hash blocks, or what was in use of them.
    pub blocks: u64,
    /// Their sectors.
    pub sectors: u64,
}

impl Tally {
    fn add(&mut self, sectors: u64) {
        self.blocks += 1;
        self.sectors = self.sectors.saturating_add(sectors);
    }
}

/// What a comparison with a signature has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The entries with sectors that are in use.
    pub compared: Tally,
    /// Those of them that are as they were.
    pub identical: Tally,
    /// The sectors that the signature is about.
    pub original: u64,
    /// The sectors in use.
    pub current: u64,
    /// The sectors that are both.
    pub common: u64,
    /// Those among them that the delta holds.
    pub modified: u64,
    /// Compared entries that are also about free sectors; the number of those.
    pub with_free: Tally,
    /// Those of them that are as they were.
    pub with_free_identical: Tally,
}

impl Comparison {
    /// Of a disk with nothing: there is no base.
    pub fn first(in_use: SectorCount) -> Self {
        Self { current: in_use.get(), ..Self::default() }
    }

    /// Between the signature `base` and a disk with the sectors `in_use`, of which `changed` are
    /// not as they were, or were not in use.
    pub fn new(base: &Signature, in_use: &ExtentSet, changed: &ExtentSet) -> Self {
        let covered: ExtentSet = base.iter().map(|entry| entry.range).collect();
        let common = in_use.intersection(&covered);
        let mut this = Self {
            original: covered.sector_count().get(),
            current: in_use.sector_count().get(),
            common: common.sector_count().get(),
            modified: changed.intersection(&covered).sector_count().get(),
            ..Self::default()
        };
        for entry in base.iter() {
            this.add(entry.range, in_use, changed);
        }
        this
    }

    fn add(&mut self, range: SectorRange, in_use: &ExtentSet, changed: &ExtentSet) {
        if in_use.within(range).next().is_none() {
            return;
        }
        let used = in_use.within(range).map(SectorRange::len);
        let used = used.fold(SectorCount::ZERO, SectorCount::saturating_add);
        let free = range.len().get().saturating_sub(used.get());
        let identical = changed.within(range).next().is_none();
        self.compared.add(range.len().get());
        if identical {
            self.identical.add(range.len().get());
        }
        if free > 0 {
            self.with_free.add(free);
        }
        if free > 0 && identical {
            self.with_free_identical.add(free);
        }
    }

    /// The sectors that the signature is about and that are free.
    pub fn deleted(&self) -> u64 {
        self.original.saturating_sub(self.common)
    }

    /// The sectors in use that the signature is not about.
    pub fn added(&self) -> u64 {
        self.current.saturating_sub(self.common)
    }

    /// The sectors that the delta holds.
    pub fn delta(&self) -> u64 {
        self.modified.saturating_add(self.added())
    }
}

/// The block of text about a comparison, or about a new signature.
#[derive(Clone, Debug)]
pub struct HashStats<'a> {
    /// The signature that was compared with: name and time of its file in seconds.
    pub signature: Option<(String, u64)>,
    /// The partition's number, or 0.
    pub partition: u32,
    /// The hash blocks.
    pub block: HashBlockSize,
    /// How long was read, and how long the whole took.
    pub times: (Duration, Duration),
    /// What was found.
    pub comparison: &'a Comparison,
}

/// A part of a whole, as people like to see it. Nothing of nothing is nothing.
struct Percent(u64, u64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thousandths = u128::from(self.0) * 1000;
        let whole = u128::from(self.1);
        let tenths = (thousandths * 2 + whole).checked_div(whole * 2).unwrap_or(0);
        write!(f, "({}.{}%)", tenths / 10, tenths % 10)
    }
}

impl fmt::Display for HashStats<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Comparison { compared, identical, original, current, common, modified, .. } =
            *self.comparison;
        f.write_str("\nHASH STATS:\n\n")?;
        match &self.signature {
            Some((name, time)) => writeln!(f, "Signature file:         {name} ({time})")?,
            None => f.write_str("Signature file:         <none>\n")?,
        }
        writeln!(f, "Partition:              {}", self.partition)?;
        writeln!(f, "Max hash block size:    {} sectors", self.block.sectors())?;
        f.write_str("Hash incomplete ranges: yes\n\n")?;
        let (read, all) = self.times;
        // Read by several threads at a time, a disk may take longer than there was time.
        let read = read.min(all);
        writeln!(f, "Disk read time:        {:>8.3} sec", read.as_secs_f64())?;
        writeln!(f, "Hash time:             {:>8.3} sec", all.saturating_sub(read).as_secs_f64())?;
        writeln!(f, "Read+hash time:        {:>8.3} sec\n", all.as_secs_f64())?;
        if self.signature.is_none() {
            writeln!(f, "Original sectors:       {original:>10}")?;
            writeln!(f, "Current sectors:        {current:>10}\n")?;
            return f.write_str("END HASH STATS\n");
        }
        let blocks = Percent(identical.blocks, compared.blocks);
        writeln!(f, "Hash blocks compared:   {:>10}", compared.blocks)?;
        writeln!(f, "  Identical:            {:>10} {blocks}", identical.blocks)?;
        let sectors = Percent(identical.sectors, compared.sectors);
        writeln!(f, "Total sectors compared: {:>10}", compared.sectors)?;
        writeln!(f, "  Identical:            {:>10} {sectors}\n", identical.sectors)?;
        let of_original = |part| Percent(part, original);
        let (deleted, added) = (self.comparison.deleted(), self.comparison.added());
        writeln!(f, "Original sectors:       {original:>10}")?;
        writeln!(f, "Current sectors:        {current:>10}")?;
        writeln!(f, "Common sectors:         {common:>10}")?;
        writeln!(f, "Deleted from original:  {deleted:>10} {}", of_original(deleted))?;
        writeln!(f, "Added to original:      {added:>10} {}", of_original(added))?;
        writeln!(f, "Modified from original: {modified:>10} {}\n", of_original(modified))?;
        let Comparison { with_free, with_free_identical, .. } = *self.comparison;
        writeln!(f, "Hash blocks covering free sectors:   {}", with_free.blocks)?;
        writeln!(f, "  Total free sectors covered:        {}", with_free.sectors)?;
        writeln!(f, "  Hash blocks compared identical:    {}", with_free_identical.blocks)?;
        writeln!(f, "  Free sectors compared identical:   {}", with_free_identical.sectors)?;
        // Here nothing is assumed: what is adjusted for the image is compared as it is there.
        f.write_str("  Allocated sectors assumed changed: 0\n")?;
        f.write_str("    Assumed changed due to fixups:   0\n\n")?;
        f.write_str("END HASH STATS\n")
    }
}

#[cfg(test)]
mod tests;
