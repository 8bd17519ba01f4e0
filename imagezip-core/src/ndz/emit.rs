//! Writing the header area of a chunk (docs/format.md, "Chunk header").

use super::HEADER_BYTES;
use super::format::Format;
use super::reloc::Reloc;
use super::width::Width;
use crate::sector::SectorRange;

/// What to write into a chunk's header area. Nobody may give it sectors or tables that the
/// format has no room for.
pub(super) struct HeaderFields<'a> {
    pub(super) format: Format,
    /// The length of the zlib stream.
    pub(super) payload_len: u32,
    /// The chunk's number.
    pub(super) number: u32,
    /// The sectors that the chunk describes.
    pub(super) covered: SectorRange,
    pub(super) regions: &'a [SectorRange],
    pub(super) relocs: &'a [Reloc],
    /// The image's identity, for formats that have one.
    pub(super) id: [u8; 16],
}

impl HeaderFields<'_> {
    /// Writes a header area over `area`.
    pub(super) fn emit(&self, area: &mut [u8; HEADER_BYTES]) {
        const HEADER_AREA: u32 = 4096;
        area.fill(0);
        let mut out = Fields { rest: area };
        let total = 0;
        let magic = self.format.version().magic();
        for field in [magic, self.payload_len, self.number, total, HEADER_AREA] {
            out.u32(field);
        }
        out.count(self.regions.len());
        let (start, end) = (self.covered.start().get(), self.covered.end().get());
        match self.format {
            Format::V1 => {}
            Format::V3 => {
                out.number(start, Width::Bits32);
                out.number(end, Width::Bits32);
                out.count(self.relocs.len());
            }
            Format::V5 => {
                let (first, last, hole) = (0, 0, 0);
                out.u32(first);
                out.u32(last);
                out.count(self.relocs.len());
                out.u32(hole);
                out.number(start, Width::Bits64);
                out.number(end, Width::Bits64);
                out.put(&self.id);
            }
        }
        let width = self.format.width();
        for region in self.regions {
            out.number(region.start().get(), width);
            out.number(region.len().get(), width);
        }
        for Reloc { kind, sector, offset, size } in self.relocs {
            out.u32(kind.0);
            match width {
                Width::Bits32 => {
                    out.number(sector.get(), width);
                    out.u32(*offset);
                }
                Width::Bits64 => {
                    out.u32(*offset);
                    out.number(sector.get(), width);
                }
            }
            out.number((*size).into(), width);
        }
    }
}

/// The fields of a header area, one after the other.
struct Fields<'a> {
    rest: &'a mut [u8],
}

impl Fields<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let rest = core::mem::take(&mut self.rest);
        if let Some((field, rest)) = rest.split_at_mut_checked(bytes.len()) {
            field.copy_from_slice(bytes);
            self.rest = rest;
        }
    }

    fn u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    fn count(&mut self, len: usize) {
        self.u32(u32::try_from(len).unwrap_or(u32::MAX));
    }

    fn number(&mut self, value: u64, width: Width) {
        match width {
            Width::Bits32 => self.u32(u32::try_from(value).unwrap_or(u32::MAX)),
            Width::Bits64 => self.put(&value.to_le_bytes()),
        }
    }
}
