//! What an image tells of the disk that it was made of, where nothing else does.

use imagezip_core::codec::Decompressor;
use imagezip_core::device::ReadAt;
use imagezip_core::error::Result;
use imagezip_core::ndz::{ChunkBuffer, HEADER_BYTES, Image};
use imagezip_core::sector::Sector;

/// The sizes that logical sectors have, in bytes.
const SIZES: [u32; 2] = [512, 4096];
/// The bytes in which all of these have the mark of a GPT.
const HEAD: usize = 4096 + 512;
/// The types of an MBR's partitions, and the one that guards a GPT.
const TYPES: [usize; 4] = [450, 466, 482, 498];
const PROTECTIVE: u8 = 0xee;

/// The end of the disk, or of the partition.
///
/// # Errors
/// Those of [`Image::read_header`].
pub(super) fn end<D: ReadAt + ?Sized>(image: &Image<'_, D>) -> Result<Sector> {
    let Some(last) = image.chunk_count().checked_sub(1) else { return Ok(Sector::ZERO) };
    let mut area = [0; HEADER_BYTES];
    Ok(image.read_header(last, &mut area)?.covered().end())
}

/// The size of the disk's logical sectors: a GPT's header is in the second one. `None` if there is
/// no GPT, or one for each size.
///
/// # Errors
/// Those of the image's first chunk.
pub(super) fn sector_size<D: ReadAt + ?Sized>(image: &Image<'_, D>) -> Result<Option<u32>> {
    if image.chunk_count() == 0 {
        return Ok(None);
    }
    let mut head = [0; HEAD];
    let mut buffer = ChunkBuffer::new();
    image.chunk(0, &mut buffer)?.decode(&mut Decompressor::new(), &mut |sector, bytes| {
        let start = usize::try_from(sector.to_bytes().get()).unwrap_or(usize::MAX);
        let room = head.get_mut(start..).unwrap_or_default();
        room.iter_mut().zip(bytes).for_each(|(room, byte)| *room = *byte);
        Ok(())
    })?;
    if !TYPES.iter().any(|at| head.get(*at) == Some(&PROTECTIVE)) {
        return Ok(None);
    }
    let is_there = |size: &u32| {
        let at = usize::try_from(*size).unwrap_or(usize::MAX);
        head.get(at..).is_some_and(|header| header.starts_with(b"EFI PART"))
    };
    let mut sizes = SIZES.into_iter().filter(is_there);
    Ok(sizes.next().filter(|_| sizes.next().is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use imagezip_core::allocation::DiskMap;
    use imagezip_core::pipeline::{Progress, SingleThread, Source, save};
    use imagezip_core::sector::SectorRange;
    use std::vec;
    use std::vec::Vec;

    fn range(start: u64, end: u64) -> SectorRange {
        SectorRange::new(Sector::new(start).unwrap(), Sector::new(end).unwrap()).unwrap()
    }

    /// The image of a disk of 100 sectors with these bytes on it.
    fn image(marks: &[(usize, &[u8])]) -> Vec<u8> {
        let mut disk = vec![0; 51_200];
        for (at, bytes) in marks {
            disk[*at..*at + bytes.len()].copy_from_slice(bytes);
        }
        let map =
            DiskMap::known(range(0, 100), [range(0, 20), range(30, 31)].into_iter().collect());
        let mut image = Vec::new();
        save(&SingleThread, Source::new(&disk, &map), &mut image, &Progress::default()).unwrap();
        image
    }

    fn size_of(marks: &[(usize, &[u8])]) -> Option<u32> {
        let image = image(marks);
        sector_size(&Image::open(&image).unwrap()).unwrap()
    }

    #[test]
    fn the_end_is_that_of_the_disk() {
        assert_eq!(end(&Image::open(&image(&[])).unwrap()).unwrap(), Sector::new(100).unwrap());
        let none = Vec::new();
        assert_eq!(end(&Image::open(&none).unwrap()).unwrap(), Sector::ZERO);
        assert_eq!(sector_size(&Image::open(&none).unwrap()).unwrap(), None);
        let mut damaged = image(&[]);
        damaged[1] ^= 1;
        assert!(end(&Image::open(&damaged).unwrap()).is_err());
        assert!(sector_size(&Image::open(&damaged).unwrap()).is_err());
    }

    #[test]
    fn a_gpt_tells_the_size_of_sectors() {
        let (guard, mark): ((usize, &[u8]), &[u8]) = ((450, &[PROTECTIVE]), b"EFI PART");
        assert_eq!(size_of(&[guard, (512, mark)]), Some(512));
        assert_eq!(size_of(&[(498, guard.1), (4096, mark)]), Some(4096));
        // Left over from an earlier life of the disk, or not there at all.
        assert_eq!(size_of(&[(450, &[0x83]), (4096, mark)]), None);
        assert_eq!(size_of(&[guard, (512, mark), (4096, mark)]), None);
        assert_eq!(size_of(&[guard]), None);
        assert_eq!(size_of(&[]), None);
    }
}
