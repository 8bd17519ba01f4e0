//! An image whose bytes are known from another program (zlib 1.2.13, level 4): 1000 sectors of
//! which 16 and 192 to 321 are in it; every byte of sector k is k mod 256.

use super::*;
use crate::ndz::emit::HeaderFields;
use crate::pipeline::{Hashing, SingleThread, hash_image};
use core::sync::atomic::AtomicU64;

pub(super) const HEADER: [u32; 13] = [
    0x6969_696b,
    362,
    0,
    0,
    4096,
    2,
    0,
    1000,
    0, // no relocations
    16,
    1,
    192,
    130,
];

fn extents() -> [SectorRange; 2] {
    [range(16, 17), range(192, 322)]
}

pub(super) fn data() -> Vec<u8> {
    let sectors = extents().into_iter().flat_map(|e| e.start().get()..e.end().get());
    sectors.flat_map(|sector| [sector.to_le_bytes()[0]; 512]).collect()
}

#[test]
fn its_header_is_what_we_write() {
    let mut area = [0xff; HEADER_BYTES];
    HeaderFields {
        format: Format::V3,
        payload_len: 362,
        number: 0,
        covered: range(0, 1000),
        regions: &extents(),
        relocs: &[],
        id: [0; 16],
    }
    .emit(&mut area);
    let known: Vec<u8> = HEADER.into_iter().flat_map(u32::to_le_bytes).collect();
    assert_eq!(area[..52], known);
    assert!(area[52..].iter().all(|byte| *byte == 0));
}

#[test]
fn its_content_is_what_we_write() {
    let mut piece = Piece::new();
    Compressor::default().compress(&data(), &mut piece);
    let mut file = Vec::new();
    let mut writer = ImageWriter::new(&mut file, Format::V3);
    writer.push(&extents(), &[], &piece).unwrap();
    let written = writer.finish(SectorCount::from_u32(1000)).unwrap();
    assert_eq!((written.chunks, written.regions, written.sectors.get()), (1, 2, 131));

    let header: Vec<u8> = HEADER.into_iter().flat_map(u32::to_le_bytes).collect();
    assert_eq!((&file[..4], &file[8..52]), (&header[..4], &header[8..]));
    let image = Image::open(&file).unwrap();
    let signature =
        hash_image(&SingleThread, &image, Hashing::default(), &AtomicU64::new(0)).unwrap();
    let mut bytes = Vec::new();
    signature.write(&mut bytes).unwrap();
    let known = "37e64db187685e265d7d3bb65d272d1c7d7b3e9cbeffe88c6fab8567dff5debe";
    assert_eq!(Sha256::of(&bytes).to_string(), known);
}
