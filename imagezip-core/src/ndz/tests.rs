//! Images in memory whose sectors say which ones they are.

mod damage;
mod known;
mod relocs;
mod seal;
mod versions;
mod writing;

use super::*;
use crate::codec::{Compressor, Decompressor, Piece};
use crate::device::ReadAt;
use crate::digest::{Digest, Sha256};
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Limit, Place};
use crate::extent::ExtentSet;
use crate::sector::{Bytes, Sector, SectorCount, SectorRange};
use proptest::prelude::*;
use std::string::ToString;
use std::vec;
use std::vec::Vec;

const FORMATS: [Format; 3] = [Format::V1, Format::V3, Format::V5];

fn range(start: u32, end: u32) -> SectorRange {
    SectorRange::new(Sector::from_u32(start), Sector::from_u32(end)).unwrap()
}

/// The content of sectors in these tests: each says which one it is.
fn data_of(extents: &[SectorRange]) -> Vec<u8> {
    let sectors = extents.iter().flat_map(|extent| extent.start().get()..extent.end().get());
    sectors.flat_map(|sector| [sector.to_le_bytes(); 64].concat()).collect()
}

fn piece_of(extents: &[SectorRange]) -> Piece {
    let mut piece = Piece::new();
    Compressor::default().compress(&data_of(extents), &mut piece);
    piece
}

const ID: [u8; 16] = *b"identity of this";

fn write_as(format: Format, pieces: &[Vec<SectorRange>], size: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = ImageWriter::new(&mut file, format).with_id(ID);
    for extents in pieces {
        writer.push(extents, &[], &piece_of(extents)).unwrap();
    }
    writer.finish(SectorCount::from_u32(size)).unwrap();
    file
}

fn write(pieces: &[Vec<SectorRange>], size: u32) -> Vec<u8> {
    write_as(Format::V3, pieces, size)
}

/// Reads an image whose sectors have the content of [`data_of`]: what it holds.
fn read(file: &Vec<u8>) -> crate::Result<ExtentSet> {
    let image = Image::open(file)?;
    let (mut scratch, mut chunks, mut got) =
        (Decompressor::new(), image.chunks(), ExtentSet::new());
    while let Some(chunk) = chunks.next_chunk()? {
        chunk.decode(&mut scratch, &mut |start, data| {
            let len = Bytes(data.len() as u64).whole_sectors();
            let run = SectorRange::with_len(start, len).unwrap();
            assert!(data == data_of(&[run]), "content of {run}");
            got.push(run);
            Ok(())
        })?;
    }
    assert_eq!(got, image.extents()?);
    Ok(got)
}

fn kind_of(file: &Vec<u8>) -> ErrorKind {
    read(file).unwrap_err().kind
}

/// A file with another 32-bit number `at` some byte.
fn patch(file: &[u8], at: usize, value: u32) -> Vec<u8> {
    let mut bytes = file.to_vec();
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    bytes
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Pieces as the pipeline makes them: a few extents each, ascending, some touching.
fn pieces() -> impl Strategy<Value = (Vec<Vec<SectorRange>>, u32)> {
    let extent = (prop_oneof![Just(0), 1..3_u32, 0..5000_u32], prop_oneof![Just(1), 1..100_u32]);
    let pieces = prop::collection::vec(prop::collection::vec(extent, 1..5), 0..400);
    (pieces, 0..3000_u32).prop_map(|(pieces, tail)| {
        let mut at = 0;
        let mut place = |(gap, len): (u32, u32)| {
            let start = at + gap;
            at = start + len;
            range(start, at)
        };
        let pieces = pieces.into_iter().map(|p| p.into_iter().map(&mut place).collect()).collect();
        (pieces, at + tail)
    })
}

fn format() -> impl Strategy<Value = Format> {
    prop::sample::select(FORMATS.to_vec())
}
