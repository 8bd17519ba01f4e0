use std::io::Cursor;

use imagezip_core::ndz::{CHUNK_BYTES, NoKeys};
use proptest::prelude::*;

use super::*;

const ALL: Wanted<'static> =
    Wanted { chunks: Detail::Regions, map: true, ignore_numbers: false, check: Some(&NoKeys) };

fn facts_of(file: &[u8], wanted: Wanted<'_>) -> Facts {
    gather("x.ndz", ChunkSource::of(Box::new(Cursor::new(file.to_vec()))), wanted)
}

/// A chunk of version 3 with data that are all zeros.
fn chunk(number: u32, covered: [u32; 2], regions: &[[u32; 2]]) -> Vec<u8> {
    let sectors: u32 = regions.iter().map(|[_, size]| size).sum();
    let payload = stored_zeros(sectors);
    let fields = [
        0x6969_696b,
        u32::try_from(payload.len()).unwrap(),
        number,
        0,
        4096,
        u32::try_from(regions.len()).unwrap(),
        covered[0],
        covered[1],
        0,
    ];
    let words = fields.into_iter().chain(regions.iter().flatten().copied());
    let mut bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
    bytes.resize(4096, 0);
    bytes.extend(payload);
    bytes.resize(CHUNK_BYTES, 0);
    bytes
}

/// A zlib stream of so many sectors of zeros, not compressed; at most 127.
fn stored_zeros(sectors: u32) -> Vec<u8> {
    let len = u16::try_from(sectors * 512).unwrap();
    let mut stream = vec![0x78, 0x01, 0x01];
    stream.extend(len.to_le_bytes());
    stream.extend((!len).to_le_bytes());
    stream.resize(stream.len() + usize::from(len), 0);
    // The Adler-32 of zeros: one, and as often as there are bytes.
    stream.extend([len.to_be_bytes(), 1_u16.to_be_bytes()].concat());
    stream
}

#[test]
fn a_good_image() {
    let first = chunk(0, [0, 100], &[[10, 20], [40, 20]]);
    let file = [first, chunk(1, [100, 200], &[[100, 8]])].concat();
    let facts = facts_of(&file, ALL);
    assert_eq!(facts.problems, Vec::<String>::new());
    assert_eq!((facts.bytes, facts.chunks, facts.version), (2 << 20, 2, Some(3)));
    assert_eq!(facts.regions, PerChunk { total: 3, min: 1, max: 2 });
    assert_eq!(facts.covered, Some(Covered { start: 0, end: 200 }));
    let sector = 512_u64;
    let ranges = |count, sectors, min, max| Ranges {
        count,
        bytes: sectors * sector,
        min: min * sector,
        max: max * sector,
    };
    assert_eq!(facts.allocated, ranges(3, 48, 8, 20));
    assert_eq!(facts.free, ranges(4, 152, 10, 92));
    // The run before the second chunk ends where its data begin; that after it is one.
    let map: Vec<_> = facts.map.iter().map(|run| (run.allocated, run.start, run.end)).collect();
    let expected = [
        (false, 0, 10),
        (true, 10, 30),
        (false, 30, 40),
        (true, 40, 60),
        (false, 60, 100),
        (true, 100, 108),
        (false, 108, 200),
    ];
    assert_eq!(map, expected);
    let text = report(&facts);
    assert!(text.contains("\n  covered sector range: [0-199]\n"), "{text}");
    assert!(text.contains("\n  3 total regions: 1.5/1/2 ave/min/max per chunk\n"), "{text}");
    assert!(text.ends_with("A: [00000064-0000006b]\nF: [0000006c-000000c7]\n"), "{text}");
}

/// A chunk of version 5 with one sector of zeros far out, and a short sector there.
fn chunk_of_version_5(sector: u64) -> Vec<u8> {
    let payload = stored_zeros(1);
    let len = u32::try_from(payload.len()).unwrap();
    let mut bytes: Vec<u8> = [0x6969_696d, len, 0, 0, 4096, 1, 0, 0, 1, 0]
        .into_iter()
        .flat_map(u32::to_le_bytes)
        .collect();
    bytes.extend([0, sector + 2].into_iter().flat_map(u64::to_le_bytes));
    bytes.extend(0..16);
    bytes.extend([sector, 1].into_iter().flat_map(u64::to_le_bytes));
    bytes.extend([6_u32, 0].into_iter().flat_map(u32::to_le_bytes));
    bytes.extend([sector, 100].into_iter().flat_map(u64::to_le_bytes));
    bytes.resize(4096, 0);
    bytes.extend(payload);
    bytes.resize(CHUNK_BYTES, 0);
    bytes
}

#[test]
fn numbers_may_have_64_bits() {
    // The highest sector whose bytes still have 64-bit numbers is a little further.
    for sector in [5, 1 << 40, u64::MAX / 512 - 2] {
        let facts = facts_of(&chunk_of_version_5(sector), ALL);
        assert_eq!(facts.problems, Vec::<String>::new());
        assert_eq!(facts.id.as_deref(), Some("000102030405060708090a0b0c0d0e0f"));
        assert_eq!(facts.covered, Some(Covered { start: 0, end: sector + 2 }));
        let text = report(&facts);
        for line in [
            "x.ndz: 1048576 bytes, 1 chunks, version 5\n  uuid: 000102030405060708090a0b0c0d0e0f\n",
            &format!("\n    Region 0: 1 sectors [{sector}-{sector}]\n"),
            &format!("\n    Reloc 0: SHORTSECTOR sector {sector}, offset 0-100\n"),
            "\n  1 relocations covering 100 bytes\n",
            &format!("\nA: [{sector:08x}-{sector:08x}]\n"),
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}

#[test]
fn an_empty_file_is_an_image() {
    let facts = facts_of(&[], ALL);
    assert_eq!((facts.problems.len(), facts.chunks), (0, 0));
    assert_eq!(report(&facts), "x.ndz: 0 bytes, 0 chunks, empty\n");
}

#[test]
fn what_is_wrong_is_said_and_the_rest_is_shown() {
    let good = || [chunk(0, [0, 64], &[[0, 8]]), chunk(1, [64, 128], &[[64, 8]])].concat();
    let problem = |file: &[u8], expected: &str| {
        let facts = facts_of(file, ALL);
        let problems = facts.problems.join("; ");
        assert!(problems.contains(expected), "{expected}: {problems}");
        facts
    };
    let cut_off = &good()[..CHUNK_BYTES + 5000];
    assert_eq!(problem(cut_off, "cut off").chunks, 1);
    let gap = [chunk(0, [0, 63], &[[0, 8]]), chunk(1, [64, 128], &[[64, 8]])].concat();
    assert_eq!(problem(&gap, "does not begin where").allocated.count, 2);
    let mut magic = good();
    magic[0] = 0;
    assert_eq!(problem(&magic, "not a chunk of an image in chunk 0").chunk_list.len(), 1);
    let mut data = good();
    data[CHUNK_BYTES + 4096 + 100] ^= 1;
    assert_eq!(problem(&data, "in chunk 1").allocated.count, 2);
    let swapped = [chunk(1, [0, 64], &[[0, 8]]), chunk(0, [64, 128], &[[64, 8]])].concat();
    problem(&swapped, "chunk's number is not its place in the file in chunk 1");
}

#[test]
fn a_piece_of_an_image_is_good_if_asked_for() {
    let piece = chunk(7, [640, 700], &[[650, 8]]);
    assert_eq!(facts_of(&piece, ALL).problems.len(), 2);
    let ignoring = Wanted { ignore_numbers: true, ..ALL };
    assert_eq!(facts_of(&piece, ignoring).problems, Vec::<String>::new());
    let apart = [piece, chunk(8, [701, 800], &[[701, 8]])].concat();
    assert_eq!(facts_of(&apart, ignoring).problems.len(), 1);
}

#[test]
fn faults_without_end_are_not_all_listed() {
    let mut file = chunk(0, [0, 64], &[[0, 8]]);
    file.resize(130 * CHUNK_BYTES, 0);
    let facts = facts_of(&file, Wanted { check: None, ..ALL });
    assert_eq!((facts.chunks, facts.problems.len()), (130, 101));
}

#[test]
fn a_disk_is_not_read_to_its_end() {
    let mut file = vec![0; 30 * CHUNK_BYTES];
    for check in [None, ALL.check] {
        let facts = facts_of(&file, Wanted { check, ..ALL });
        assert_eq!((facts.chunks, facts.problems.len()), (8, 8));
    }
    let good = chunk(7, [0, 64], &[[0, 8]]);
    file[7 * CHUNK_BYTES..8 * CHUNK_BYTES].copy_from_slice(&good);
    let facts = facts_of(&file, Wanted { check: None, ..ALL });
    assert_eq!((facts.chunks, facts.allocated.count), (30, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn anything_can_be_shown(
        damage in prop::collection::vec((0..4096_usize, any::<u8>()), 1..8),
        version in 0x69..0x6f_u8,
        len in 0..CHUNK_BYTES + 2,
    ) {
        let mut file = chunk(0, [0, 64], &[[0, 8], [9, 4]]);
        file[0] = version;
        for (at, byte) in damage {
            // Most of a header area is zeros; what counts is at its start.
            file[at % 400] = byte;
        }
        let shown = report(&facts_of(&file, ALL));
        prop_assert!(shown.starts_with("x.ndz: 1048576 bytes, 1 chunks"));
        report(&facts_of(&file[..len.min(file.len())], ALL));
    }
}
