//! What people and programs are told about an image.

use std::path::Path;

use imagezip_core::allocation::{Report, Table, rows};
use imagezip_core::filesystem::{Part, RawReason, SkipReason, Verdict};
use imagezip_core::ndz::Format;
use imagezip_core::sector::SectorCount;
use serde::Serialize;

use super::hash_stats::Comparison;
use super::image::Written;
use super::prepare::Prepared;
use super::request::Destination;

/// Statistics, for programs.
#[derive(Clone, Debug, Serialize)]
pub struct Statistics {
    /// The disk or file.
    pub source: String,
    /// The sectors that the image is about.
    pub sectors: u64,
    /// Those that are saved in a full image.
    pub in_use: u64,
    /// Those of them that are free, and saved because they are few.
    pub forgotten: u64,
    /// The sectors that could not be read and are saved as zeros.
    pub unreadable: u64,
    /// What was decided about each partition.
    pub partitions: Vec<PartitionStatistics>,
    /// What people should know.
    pub notes: Vec<String>,
    /// What the comparison with the base image has found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// The image, if one was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageStatistics>,
}

/// What was decided about a partition.
#[derive(Clone, Debug, Serialize)]
pub struct PartitionStatistics {
    /// Its number; 0 if there is no partition table.
    pub number: u32,
    /// Its first sector.
    pub start: u64,
    /// Its sectors.
    pub sectors: u64,
    /// Those that are saved.
    pub in_use: u64,
    /// What was decided, in words.
    pub verdict: String,
    /// What could not be trusted.
    pub notes: Vec<String>,
    /// The parts of a partition that holds several, such as logical volumes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartStatistics>,
}

/// What was decided about a part of a partition.
#[derive(Clone, Debug, Serialize)]
pub struct PartStatistics {
    /// What its layer calls it.
    pub name: String,
    /// Its sectors.
    pub sectors: u64,
    /// Those that are saved.
    pub in_use: u64,
    /// What was decided, in words.
    pub verdict: String,
    /// What could not be trusted.
    pub notes: Vec<String>,
    /// Its own parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Self>,
}

/// An image that was written.
#[derive(Clone, Debug, Serialize)]
pub struct ImageStatistics {
    /// Its file.
    pub name: String,
    /// Its version.
    pub version: u8,
    /// Whether it is a delta.
    pub delta: bool,
    /// Its size in bytes.
    pub bytes: u64,
    /// The chunks.
    pub chunks: u32,
    /// The regions.
    pub regions: u64,
    /// The sectors in it.
    pub sectors: u64,
    /// The bytes of compressed data.
    pub payload: u64,
    /// The relocations that the image may have.
    pub relocations: usize,
    /// How long it took.
    pub seconds: f64,
    /// The signature that was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

impl Statistics {
    /// About what is to be saved of `source`.
    pub fn new(source: &Path, prepared: &Prepared) -> Self {
        let map = &prepared.map;
        Self {
            source: source.display().to_string(),
            sectors: map.sectors().get(),
            in_use: map.in_use.sector_count().get(),
            forgotten: map.forgotten.sector_count().get(),
            unreadable: 0,
            partitions: map.partitions.iter().map(PartitionStatistics::new).collect(),
            notes: map.notes.iter().chain(&prepared.notes).cloned().collect(),
            comparison: None,
            image: None,
        }
    }

    /// About standard input.
    pub fn of_stream(len: SectorCount, image: ImageStatistics) -> Self {
        Self {
            source: "-".to_owned(),
            sectors: len.get(),
            in_use: len.get(),
            forgotten: 0,
            unreadable: 0,
            partitions: Vec::new(),
            notes: Vec::new(),
            comparison: None,
            image: Some(image),
        }
    }
}

impl PartitionStatistics {
    fn new(report: &Report) -> Self {
        Self {
            number: report.number,
            start: report.range.start().get(),
            sectors: report.range.len().get(),
            in_use: report.in_use.get(),
            verdict: report.verdict.to_string(),
            notes: report.notes.clone(),
            parts: report.parts.iter().map(PartStatistics::new).collect(),
        }
    }
}

impl PartStatistics {
    fn new(part: &Part) -> Self {
        Self {
            name: part.name.clone(),
            sectors: part.size.get(),
            in_use: part.in_use.get(),
            verdict: part.verdict.to_string(),
            notes: part.notes.clone(),
            parts: part.parts.iter().map(Self::new).collect(),
        }
    }
}

impl ImageStatistics {
    /// About the image that was written to `destination`.
    pub fn new(
        destination: &Destination,
        written: &Written,
        is_delta: bool,
        relocations: usize,
    ) -> Self {
        let image = &written.saved.image;
        let signature = destination.signature.as_ref();
        Self {
            name: destination.image.display().to_string(),
            version: match written.format {
                Format::V1 => 1,
                Format::V3 => 3,
                Format::V5 => 5,
            },
            delta: is_delta,
            bytes: written.size.get(),
            chunks: image.chunks,
            regions: image.regions,
            sectors: image.sectors.get(),
            payload: image.payload.get(),
            relocations,
            seconds: written.time.as_secs_f64(),
            signature: signature.map(|path| path.display().to_string()),
        }
    }
}

/// What people are told before anything is written: with `detail`, all that was found out.
pub fn describe(prepared: &Prepared, detail: u8) {
    let map = &prepared.map;
    for note in map.notes.iter().chain(&prepared.notes) {
        eprintln!("imagezip: {note}");
    }
    for report in &map.partitions {
        if let Some(line) = classic_line(report) {
            eprintln!("{line}");
        }
        for note in saved_whole(report).iter().chain(&report.notes) {
            eprintln!("{}WARNING: {note}", prefix(report.number));
        }
    }
    let rows = rows(&map.partitions);
    for row in rows.iter().filter(|row| row.start.is_none()) {
        for note in &row.notes {
            eprintln!("P{}: WARNING: {note}", row.name);
        }
    }
    if detail > 0 {
        eprintln!("{}", Table(&rows));
        let (sectors, in_use) = (map.sectors(), map.in_use.sector_count());
        let extents = map.in_use.extent_count();
        eprintln!("{in_use} of {sectors} sectors to save, in {extents} ranges");
        let forgotten = map.forgotten.sector_count();
        eprintln!("{forgotten} of them are free, in {} ranges", map.forgotten.extent_count());
    }
    if detail > 1 {
        for extent in &map.in_use {
            eprintln!("  {extent}");
        }
    }
}

/// What the classic tool calls a partition.
fn prefix(number: u32) -> String {
    if number == 0 { "imagezip: ".to_owned() } else { format!("P{number}: ") }
}

/// Why a partition is saved whole, where that may surprise.
fn saved_whole(report: &Report) -> Option<String> {
    match &report.verdict {
        Verdict::Raw(
            reason @ (RawReason::Damaged(_)
            | RawReason::Ambiguous(..)
            | RawReason::Hibernated
            | RawReason::Limits(_)),
        ) => Some(format!("saved whole: {reason}")),
        _ => None,
    }
}

/// What the classic tool says where it does as it is told.
fn classic_line(report: &Report) -> Option<String> {
    let number = report.number;
    match report.verdict {
        Verdict::Skipped(SkipReason::Requested) => {
            Some(format!("P{number}: forcing skip, NOT SAVING."))
        }
        Verdict::Skipped(SkipReason::FreebsdSwap) => {
            Some(format!("P{number}: FreeBSD swap, NOT SAVING."))
        }
        Verdict::Raw(RawReason::Requested) if number > 0 => {
            Some(format!("P{number}: forcing raw compression."))
        }
        _ => None,
    }
}
