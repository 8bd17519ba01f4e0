//! The classic report. Programs parse some of its lines, so all are as they always were
//! (docs/format.md has none of it; tests/golden has examples).

use std::fmt::{self, Write};

use imagezip_core::ndz::{CHUNK_BYTES, ChecksumType, Cipher, RelocType};

use super::facts::{ChunkFacts, Facts, Ranges, RelocFacts};

/// The report about an image; nothing if there is nothing but problems to tell.
pub fn report(facts: &Facts) -> String {
    let mut text = String::new();
    if facts.chunks == 0 && !facts.problems.is_empty() {
        return text;
    }
    // Writing to a String cannot fail.
    let _ = write_report(&mut text, facts);
    text
}

fn write_report(out: &mut String, facts: &Facts) -> fmt::Result {
    write!(out, "{}: {} bytes, {} chunks", facts.file, facts.bytes, facts.chunks)?;
    let Some(version) = facts.version else {
        return out.write_str(if facts.bytes == 0 { ", empty\n" } else { "\n" });
    };
    write!(out, ", version {version}")?;
    match facts.checksum_type {
        Some(kind @ 1..) if kind == ChecksumType::SIGNED_SHA1.0 => {
            write!(out, ", signed csum ({kind:#x})")?;
        }
        Some(kind @ 1..) => write!(out, ", csum ({kind:#x})")?,
        _ => {}
    }
    if let Some(cipher) = facts.cipher.filter(|cipher| *cipher != Cipher::NONE.0) {
        write!(out, ", encrypted ({cipher})")?;
    }
    out.push('\n');
    if !facts.chunk_list.is_empty() {
        if let Some(id) = &facts.id {
            writeln!(out, "  uuid: {id}")?;
        }
        for chunk in &facts.chunk_list {
            write_chunk(out, chunk, version)?;
        }
    }
    out.push('\n');
    write_totals(out, facts)?;
    for entry in &facts.map {
        let letter = if entry.allocated { 'A' } else { 'F' };
        let last = entry.end.saturating_sub(1);
        writeln!(out, "{letter}: [{:08x}-{last:08x}]", entry.start)?;
    }
    Ok(())
}

fn write_chunk(out: &mut String, chunk: &ChunkFacts, version: u32) -> fmt::Result {
    write!(out, "  Chunk {}: {} compressed bytes, ", chunk.number, chunk.payload_bytes)?;
    if version > 1 {
        let last = chunk.covered.end.saturating_sub(1);
        write!(out, "sector range [{}-{last}], ", chunk.covered.start)?;
    }
    if chunk.relocation_count > 0 {
        write!(out, "{} relocs, ", chunk.relocation_count)?;
    }
    writeln!(out, "{} regions", chunk.region_count)?;
    for (number, region) in chunk.regions.iter().enumerate() {
        let last = (region.start + region.sectors).saturating_sub(1);
        let (start, sectors) = (region.start, region.sectors);
        writeln!(out, "    Region {number}: {sectors} sectors [{start}-{last}]")?;
    }
    for (number, reloc) in chunk.relocations.iter().enumerate() {
        let RelocFacts { kind, sector, offset, bytes } = *reloc;
        let end = u64::from(offset) + u64::from(bytes);
        let name = RelocName(RelocType(kind));
        writeln!(out, "    Reloc {number}: {name} sector {sector}, offset {offset}-{end}")?;
    }
    Ok(())
}

fn write_totals(out: &mut String, facts: &Facts) -> fmt::Result {
    let chunks_bytes = facts.wasted_bytes + facts.payload_bytes;
    let wasted = facts.wasted_bytes;
    let percent = percentage(wasted, chunks_bytes);
    writeln!(out, "  {wasted} bytes of overhead/wasted space ({percent:5.2}% of image file)")?;
    let regions = &facts.regions;
    let average = ratio(regions.total, chunks_bytes / CHUNK_BYTES as u64);
    let (total, min, max) = (regions.total, regions.min, regions.max);
    writeln!(out, "  {total} total regions: {average:.1}/{min}/{max} ave/min/max per chunk")?;
    let relocations = &facts.relocations;
    if relocations.count > 0 {
        let (count, bytes) = (relocations.count, relocations.bytes);
        writeln!(out, "  {count} relocations covering {bytes} bytes")?;
    }
    if let Some(covered) = &facts.covered {
        let last = covered.end.saturating_sub(1);
        writeln!(out, "  covered sector range: [{}-{last}]", covered.start)?;
    }
    let payload = facts.payload_bytes;
    writeln!(out, "  {payload} bytes of compressed data")?;
    let allocated = facts.allocated.bytes;
    let known = allocated.saturating_add(facts.free.bytes);
    for (bytes, what) in [(allocated, "allocated data"), (known, "total known disk size")] {
        let factor = ratio(bytes, payload);
        writeln!(out, "  {factor:5.2}x compression of {what} ({bytes} bytes)")?;
    }
    write_ranges(out, &facts.free, "free")?;
    write_ranges(out, &facts.allocated, "allocated")?;
    write_sizes(out, facts)
}

fn write_ranges(out: &mut String, ranges: &Ranges, what: &str) -> fmt::Result {
    let Ranges { count, bytes, min, max } = *ranges;
    match bytes.checked_div(count) {
        Some(average) => {
            writeln!(out, "  {count} {what} ranges: {average}/{min}/{max} ave/min/max size")
        }
        None => Ok(()),
    }
}

fn write_sizes(out: &mut String, facts: &Facts) -> fmt::Result {
    writeln!(out, "  size distribution:")?;
    let total = facts.allocated.count;
    let mut so_far = 0;
    let mut below = 0;
    for class in &facts.sizes {
        so_far += class.count;
        below = class.below.unwrap_or(below);
        if class.count == 0 {
            continue;
        }
        let (sign, kib) = (if class.below.is_some() { "< " } else { ">=" }, below >> 10);
        let share = percentage(class.count, total);
        write!(out, "    {sign}{kib:4}k bytes:{:7} {share:4.1}%", class.count)?;
        if class.below.is_some() {
            write!(out, " {:4.1}%", percentage(so_far, total))?;
        }
        out.push('\n');
    }
    Ok(())
}

/// A relocation's type under the name that the classic tools give it.
struct RelocName(RelocType);

impl fmt::Display for RelocName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            RelocType::NONE => "NONE",
            RelocType::FREEBSD_DISKLABEL => "FBSDDISKLABEL",
            RelocType::OPENBSD_DISKLABEL => "OBSDDISKLABEL",
            RelocType::LILO_ADDRESS => "LILOSADDR",
            RelocType::LILO_MAP => "LILOMAPSECT",
            RelocType::LILO_CHECKSUM => "LILOCKSUM",
            RelocType::SHORT_SECTOR => "SHORTSECTOR",
            RelocType(number) => return write!(f, "type {number}"),
        })
    }
}

fn percentage(part: u64, whole: u64) -> f64 {
    100.0 * ratio(part, whole)
}

/// The quotient; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "shown with two digits after the point")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
