//! Images made without the code under test.

use std::io::Write;
use std::vec::Vec;

/// A chunk to be made: its extents, as first sector and number of sectors, and relocations.
#[derive(Clone, Debug, Default)]
pub(super) struct TestChunk {
    pub(super) regions: Vec<(u32, u32)>,
    /// Type, sector, offset, size.
    pub(super) relocs: Vec<[u32; 4]>,
}

/// The bytes of an image of version 3 that holds the chunks' sectors of `disk`.
pub(super) fn image(chunks: &[TestChunk], disk: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut first = 0;
    for (number, chunk) in chunks.iter().enumerate() {
        // A chunk goes on to where the next one's data begin.
        let end = chunk.regions.last().map(|(start, len)| start + len).unwrap();
        let next = chunks.get(number + 1).map(|next| next.regions[0].0);
        let last = next.unwrap_or(end);
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        for (start, len) in &chunk.regions {
            encoder.write_all(&disk[*start as usize * 512..][..*len as usize * 512]).unwrap();
        }
        let payload = encoder.finish().unwrap();
        let counts = [chunk.regions.len(), chunk.relocs.len()].map(|len| len as u32);
        let header = [0x6969_696b, payload.len() as u32, number as u32, 0, 4096, counts[0]];
        let regions = chunk.regions.iter().flat_map(|(start, len)| [*start, *len]);
        let words = header.into_iter().chain([first, last, counts[1]]).chain(regions);
        let words = words.chain(chunk.relocs.iter().flatten().copied());
        let begin = file.len();
        file.extend(words.flat_map(u32::to_le_bytes));
        file.resize(begin + 4096, 0);
        file.extend(payload);
        file.resize(begin + (1 << 20), 0);
        first = last;
    }
    file
}
