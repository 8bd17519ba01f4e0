//! Input that can only be read from start to end.

use super::*;
use crate::delta::NewSignature;
use crate::digest::HashType;
use crate::error::{IncompatibleKind, Place};
use crate::ndz::{Format, RelocType};
use crate::sector::Bytes;
use crate::signature::HashBlockSize;
use embedded_io::{ErrorKind as Kind, ErrorType, Read};

/// Gives some bytes at a time, is interrupted in between, and may fail in the end.
struct Dribble<'a> {
    data: &'a [u8],
    steps: core::iter::Cycle<core::slice::Iter<'a, usize>>,
    end: Result<usize, Kind>,
}

impl<'a> Dribble<'a> {
    fn new(data: &'a [u8], steps: &'a [usize]) -> Self {
        Self { data, steps: steps.iter().cycle(), end: Ok(0) }
    }
}

impl ErrorType for Dribble<'_> {
    type Error = Kind;
}

impl Read for Dribble<'_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Kind> {
        let step = *self.steps.next().unwrap_or(&usize::MAX);
        if step == 0 {
            return Err(Kind::Interrupted);
        }
        if self.data.is_empty() {
            return self.end;
        }
        let len = step.min(buf.len()).min(self.data.len());
        let (now, later) = self.data.split_at(len);
        buf[..len].copy_from_slice(now);
        self.data = later;
        Ok(len)
    }
}

fn stream(
    workers: &dyn Workers,
    from: Dribble<'_>,
    input: Input,
) -> crate::Result<(Vec<u8>, Streamed)> {
    let mut file = Vec::new();
    let made = save_stream(workers, from, input, &mut file, &Progress::default())?;
    verify(workers, &file, &made.saved.proof)?;
    Ok((file, made))
}

/// The image that the same bytes make as a disk, padded to whole sectors.
fn as_disk(data: &[u8], input: Input) -> (Vec<u8>, Saved) {
    let mut disk = data.to_vec();
    disk.resize(data.len().next_multiple_of(SECTOR), 0);
    let area = SectorRange::first(SectorCount::from_u32((disk.len() / SECTOR) as u32));
    let map = DiskMap::known(area, area.into());
    let Input { signature, format, id, .. } = input;
    let source = Source { signature, format, id, ..Source::new(&disk, &map) };
    let mut file = Vec::new();
    let saved = save(&SingleThread, source, &mut file, &Progress::default()).unwrap();
    (file, saved)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_input_makes_the_image_of_its_bytes(
        len in prop_oneof![0..5000_usize, Just(1 << 20), Just(3 << 20), 0..4_000_000_usize],
        steps in prop::collection::vec(prop_oneof![Just(0), 1..600_usize, 1000..100_000_usize], 1..9),
        version in 0..3_u8,
        signature in prop::option::of((any::<bool>(), prop_oneof![Just(1), Just(128), Just(5000_u32)])),
        threads in 1..4_usize,
    ) {
        prop_assume!(steps.iter().any(|step| *step > 0));
        let (mut data, _) = large_state();
        data.truncate(len);
        let format = [Format::V1, Format::V3, Format::V5][usize::from(version)];
        let signature = signature.map(|(md5, sectors)| NewSignature {
            hash_type: if md5 { HashType::Md5 } else { HashType::Sha1 },
            block: HashBlockSize::new(sectors).unwrap(),
        });
        let input = Input { format, signature, id: [9; 16], ..Input::default() };
        let from = Dribble::new(&data, &steps);
        let (file, made) = stream(&Threads(threads), from, input).unwrap();
        let (expected, saved) = as_disk(&data, input);
        prop_assert!(file == expected);
        prop_assert_eq!(made.saved.image, saved.image);
        prop_assert_eq!(made.saved.signature.is_empty(), signature.is_none() || len == 0);
        prop_assert_eq!(
            made.saved.signature.iter().collect::<Vec<_>>(),
            saved.signature.iter().collect::<Vec<_>>()
        );
        prop_assert_eq!(made.len, Bytes(len as u64));
    }
}

#[test]
fn the_end_of_a_file_is_known_to_the_byte() {
    let (mut data, _) = large_state();
    for (len, valid) in [(1, 1), (512, 0), (1500, 476), ((1 << 20) + 511, 511), (2 << 20, 0)] {
        data.resize(len, 1);
        let input = Input { file: true, ..Input::default() };
        let (file, made) = stream(&Threads(2), Dribble::new(&data, &[4096]), input).unwrap();
        let mut relocs = Vec::new();
        let image = Image::open(&file).unwrap();
        image
            .headers(&mut |header| {
                relocs.extend(header.relocs());
                Ok(())
            })
            .unwrap();
        let found: Vec<_> = relocs.iter().map(|r| (r.kind, r.sector.get(), r.size)).collect();
        let last = (len / SECTOR) as u64;
        let expected = [(RelocType::SHORT_SECTOR, last, valid)];
        assert_eq!(found, expected[..usize::from(valid > 0)], "{len} bytes");
        assert_eq!(made.len, Bytes(len as u64));
        let mut loaded = vec![0x5a; len.next_multiple_of(SECTOR)];
        apply(&file, &mut loaded);
        assert!(loaded[..len] == data && loaded[len..].iter().all(|byte| *byte == 0));
    }
    let input = Input { file: true, format: Format::V1, ..Input::default() };
    let error = stream(&SingleThread, Dribble::new(&data[..9], &[4096]), input).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Incompatible(IncompatibleKind::RelocsV1));
}

#[test]
fn a_read_error_says_where() {
    let (data, _) = large_state();
    let data = &data[..(3 << 20) + 100];
    let from = Dribble { end: Err(Kind::PermissionDenied), ..Dribble::new(data, &[65_536]) };
    let error = stream(&Threads(2), from, Input::default()).unwrap_err();
    assert_eq!(error, ErrorKind::Read(13).at(Place::Byte(Bytes(3 << 20))));
}
