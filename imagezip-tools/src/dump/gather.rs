//! Gathering the facts about an image, chunk by chunk.

use std::fmt::Write;

use imagezip_core::error::{CorruptKind, ErrorKind, IncompatibleKind, Place};
use imagezip_core::ndz::{CHUNK_BYTES, ChunkHeader, HEADER_BYTES, Seal, Version};
use imagezip_core::pipeline::Workers;
use imagezip_core::sector::{Sector, SectorRange};

use super::check::check_all;
use super::facts::{ChunkFacts, Covered, Facts, MapEntry, RegionFacts, RelocFacts};
use super::source::{ChunkSource, Filled};
use super::{Detail, Wanted};
use crate::host::Threads;

/// More faults than this in one file are not listed.
const PROBLEMS_MAX: usize = 100;

/// Gathers the facts about the image that `source` gives. What is wrong with it is among them.
pub fn gather(name: &str, mut source: ChunkSource, wanted: Wanted<'_>) -> Facts {
    let mut gathering = Gathering::new(name, wanted);
    let workers = Threads::all_cpus();
    let batch = if wanted.check.is_some() { workers.count() * BATCH } else { 1 };
    let mut chunks = vec![Vec::new(); batch];
    let mut fault = None;
    let mut ended = false;
    while !ended {
        let mut filled = 0;
        while filled < batch && !ended {
            chunks[filled].resize(CHUNK_BYTES, 0);
            match source.next(&mut chunks[filled], wanted.check.is_some()) {
                Ok(Filled::Whole) => filled += 1,
                other => {
                    ended = true;
                    fault = match other {
                        Err(error) => Some(format!("reading failed: {error}")),
                        Ok(Filled::Partial) => Some(CUT_OFF.to_owned()),
                        Ok(_) => None,
                    };
                }
            }
        }
        let chunks = &chunks[..filled];
        let findings = match wanted.check {
            Some(keys) => check_all(chunks, keys, workers),
            None => vec![Ok(()); filled],
        };
        for (chunk, finding) in chunks.iter().zip(findings) {
            if !gathering.is_no_image() {
                gathering.chunk(chunk, finding);
            }
        }
        ended |= gathering.is_no_image();
    }
    if let Some(fault) = fault {
        gathering.problem(fault);
    }
    let mut facts = gathering.facts;
    facts.bytes = source.bytes();
    facts
}

/// How many chunks each CPU checks at a time.
const BATCH: usize = 8;

/// If none of so many chunks at the start is one, it is another kind of file.
const STRANGE_MAX: u64 = 8;

/// What is said about a file that ends inside a chunk.
const CUT_OFF: &str = "its size is not a multiple of 1 MiB: cut off, or not an image";

/// The facts so far, and what is needed to judge the next chunk.
struct Gathering<'a> {
    facts: Facts,
    wanted: Wanted<'a>,
    before: Option<Common>,
    end: Option<Sector>,
}

/// What all chunks of an image have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Common {
    version: Version,
    header_len: usize,
    image_id: Option<[u8; 16]>,
    seal: Option<(u16, u16)>,
}

impl Common {
    fn of(header: &ChunkHeader<'_>) -> Self {
        let kinds = |seal: Seal<'_>| (seal.checksum_type().0, seal.cipher().0);
        Self {
            version: header.version(),
            header_len: header.header_len(),
            image_id: header.image_id(),
            seal: header.seal().map(kinds),
        }
    }
}

impl<'a> Gathering<'a> {
    fn new(name: &str, wanted: Wanted<'a>) -> Self {
        Self { facts: Facts::of(name.to_owned()), wanted, before: None, end: None }
    }

    /// Whether the file begins as no image does. Then the rest of it, which may be a whole disk,
    /// is of no interest; behind one damaged chunk it is.
    fn is_no_image(&self) -> bool {
        self.before.is_none() && self.facts.chunks >= STRANGE_MAX
    }

    fn problem(&mut self, what: impl Into<String>) {
        let problems = &mut self.facts.problems;
        match problems.len() {
            0..PROBLEMS_MAX => problems.push(what.into()),
            PROBLEMS_MAX => problems.push("there is more that is wrong".to_owned()),
            _ => {}
        }
    }

    /// A fault in the chunk that was counted last.
    fn problem_here(&mut self, kind: &ErrorKind) {
        let number = self.facts.chunks.saturating_sub(1);
        self.problem(kind.clone().at(Place::Chunk(number)).to_string());
    }

    /// Takes in the next chunk, of which at least the header area is there, and what was found
    /// when its data were checked.
    fn chunk(&mut self, chunk: &[u8], finding: Result<(), ErrorKind>) {
        let number = self.facts.chunks;
        self.facts.chunks += 1;
        let Some(area) = chunk.first_chunk::<HEADER_BYTES>() else { return };
        match ChunkHeader::new(area) {
            Ok(header) => {
                self.check_place(&header, number);
                self.count(&header);
                self.list(&header, number);
                self.judge_data(finding);
            }
            Err(kind) => {
                self.problem_here(&kind);
                self.end = None;
            }
        }
    }

    /// Whether the chunk belongs where it is.
    fn check_place(&mut self, header: &ChunkHeader<'_>, number: u64) {
        let common = Common::of(header);
        match self.before {
            None => self.introduce(common),
            Some(before) if before.version != common.version => {
                self.problem_here(&ErrorKind::Corrupt(CorruptKind::ChunkVersion));
            }
            Some(before) if before != common => {
                self.problem_here(&ErrorKind::Corrupt(CorruptKind::ChunkIdentity));
            }
            Some(_) => {}
        }
        // A writer of version 1 that couldn't go back to fill in the total left both at 0.
        let numbered = header.version().has_bounds() || header.total() != 0;
        if !self.wanted.ignore_numbers && numbered && u64::from(header.number()) != number {
            self.problem_here(&ErrorKind::Corrupt(CorruptKind::ChunkNumber));
        }
        let start = header.covered().start();
        let expected = match self.end {
            None if number == 0 && !self.wanted.ignore_numbers => Some(Sector::ZERO),
            end => end,
        };
        // Version 1 says nothing about the space between chunks.
        let gaps = !header.version().has_bounds();
        let fits = |expected: Sector| start == expected || (gaps && start > expected);
        if !expected.is_none_or(fits) {
            self.problem_here(&ErrorKind::Corrupt(CorruptKind::ChunkTiling));
        }
        self.end = Some(header.covered().end());
    }

    /// Takes in what the first chunk says about all.
    fn introduce(&mut self, common: Common) {
        self.before = Some(common);
        self.facts.version = Some(common.version.number());
        self.facts.id = common.image_id.map(hexadecimal);
        self.facts.checksum_type = common.seal.map(|(checksum, _)| checksum);
        self.facts.cipher = common.seal.map(|(_, cipher)| cipher);
    }

    fn count(&mut self, header: &ChunkHeader<'_>) {
        let facts = &mut self.facts;
        let payload = header.payload_len() as u64;
        facts.payload_bytes += payload;
        facts.wasted_bytes += (CHUNK_BYTES as u64).saturating_sub(payload);
        facts.regions.add(header.regions().len() as u64, facts.regions.total == 0);
        for reloc in header.relocs() {
            facts.relocations.count += 1;
            facts.relocations.bytes += u64::from(reloc.size);
        }
        let covered = header.covered();
        let all = facts.covered.get_or_insert(Covered::from(covered));
        all.start = all.start.min(covered.start().get());
        all.end = all.end.max(covered.end().get());
        let mut free_from = covered.start();
        for region in header.regions() {
            self.run(false, SectorRange::new(free_from, region.start()));
            self.run(true, Some(region));
            free_from = region.end();
        }
        self.run(false, SectorRange::new(free_from, covered.end()));
    }

    /// Counts a run of sectors, if it is one.
    fn run(&mut self, allocated: bool, range: Option<SectorRange>) {
        let Some(range) = range.filter(|range| !range.is_empty()) else { return };
        let facts = &mut self.facts;
        if allocated {
            facts.allocated.add(range.len());
            facts.count_size(range.len().to_bytes().get());
        } else {
            facts.free.add(range.len());
        }
        if !self.wanted.map {
            return;
        }
        let Covered { start, end } = range.into();
        match facts.map.last_mut() {
            Some(last) if last.allocated == allocated && last.end == start => last.end = end,
            _ => facts.map.push(MapEntry { allocated, start, end }),
        }
    }

    fn list(&mut self, header: &ChunkHeader<'_>, number: u64) {
        if self.wanted.chunks == Detail::None {
            return;
        }
        let region = |range: SectorRange| RegionFacts {
            start: range.start().get(),
            sectors: range.len().get(),
        };
        let mut facts = ChunkFacts {
            number,
            payload_bytes: header.payload_len() as u64,
            covered: header.covered().into(),
            region_count: header.regions().len() as u64,
            relocation_count: header.relocs().len() as u64,
            regions: Vec::new(),
            relocations: Vec::new(),
        };
        if self.wanted.chunks == Detail::Regions {
            facts.regions.extend(header.regions().map(region));
            facts.relocations.extend(header.relocs().map(|reloc| RelocFacts {
                kind: reloc.kind.0,
                sector: reloc.sector.get(),
                offset: reloc.offset,
                bytes: reloc.size,
            }));
        }
        self.facts.chunk_list.push(facts);
    }

    /// Takes in what was found in the data.
    fn judge_data(&mut self, finding: Result<(), ErrorKind>) {
        match finding {
            Ok(()) => {}
            Err(ErrorKind::Incompatible(IncompatibleKind::Encrypted)) => {
                // The checksum comes first, and was right.
                let note = "encrypted, and no key: only checksums are checked";
                if self.facts.notes.iter().all(|known| known != note) {
                    self.facts.notes.push(note.to_owned());
                }
            }
            Err(kind) => self.problem_here(&kind),
        }
    }
}

fn hexadecimal(id: [u8; 16]) -> String {
    id.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
