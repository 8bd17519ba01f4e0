use std::string::ToString;
use std::vec;

use super::*;
use crate::filesystem::{SkipReason, examine};
use crate::partition::{MbrType, Partition};
use crate::sector::SectorCount;
use proptest::prelude::*;

const SECTORS: u32 = 4096;

fn range(start: u32, end: u32) -> SectorRange {
    SectorRange::new(Sector::from_u32(start), Sector::from_u32(end)).unwrap()
}

/// A slice with a label whose entries are size, offset and type.
fn slice(entries: &[(u32, u32, u8)]) -> Vec<u8> {
    let mut device = vec![0x11; SECTORS as usize * 512];
    put_label(&mut device, entries, |_| {});
    device
}

fn put_label(device: &mut [u8], entries: &[(u32, u32, u8)], change: impl Fn(&mut [u8])) {
    let label = &mut device[512..1024];
    label.fill(0);
    label[..4].copy_from_slice(&0x8256_4557_u32.to_le_bytes());
    label[40..44].copy_from_slice(&512_u32.to_le_bytes());
    label[132..136].copy_from_slice(&0x8256_4557_u32.to_le_bytes());
    label[138] = u8::try_from(entries.len()).unwrap();
    for (entry, (size, offset, kind)) in label[148..].chunks_mut(16).zip(entries) {
        entry[..4].copy_from_slice(&size.to_le_bytes());
        entry[4..8].copy_from_slice(&offset.to_le_bytes());
        entry[12] = *kind;
    }
    change(label);
    let sum = label.chunks(2).fold(0, |sum, word| sum ^ u16::from_le_bytes([word[0], word[1]]));
    label[136..138].copy_from_slice(&sum.to_le_bytes());
}

/// What is found in a partition of that type that begins at sector 1000.
fn found(device: &[u8], kind: PartitionKind) -> Examined {
    let range = SectorRange::with_len(Sector::from_u32(1000), SectorCount::from_u32(SECTORS));
    let range = range.unwrap();
    let partition = Partition { number: 1, range, kind, doubt: None, entry: Bytes(446) };
    examine(&device.to_vec(), Some(&partition)).unwrap()
}

const FREEBSD: PartitionKind = PartitionKind::Mbr(MbrType::FREEBSD);
const OPENBSD: PartitionKind = PartitionKind::Mbr(MbrType::OPENBSD);

fn verdicts(examined: &Examined) -> Vec<String> {
    examined.parts.iter().map(|part| std::format!("{} {}", part.name, part.verdict)).collect()
}

fn is_raw(examined: &Examined) -> bool {
    assert!(
        !matches!(examined.verdict, Verdict::Raw(_)) || examined.in_use.contains(range(0, SECTORS))
    );
    matches!(examined.verdict, Verdict::Raw(RawReason::Damaged(_)))
}

#[test]
fn swap_is_left_out_wherever_places_are_counted_from() {
    for (from, kind) in [(0, FREEBSD), (1000, FREEBSD), (1000, OPENBSD)] {
        let whole = if kind == OPENBSD { (9000, 0, 0) } else { (SECTORS, from, 0) };
        let device = slice(&[(500, from + 16, 7), (300, from + 600, 1), whole]);
        let examined = found(&device, kind);
        assert_eq!(examined.verdict, Verdict::Aware(FilesystemKind::BsdSlice));
        assert_eq!(verdicts(&examined), ["a raw(unknown)", "b skipped(FreeBSD swap)"]);
        assert_eq!(examined.in_use.as_slice(), [range(0, 600), range(900, SECTORS)]);
    }
    // A disk that is all one slice.
    let device = slice(&[(500, 16, 7), (300, 600, 1), (SECTORS, 0, 0)]);
    let examined = examine(&device, None).unwrap();
    assert_eq!(examined.in_use.as_slice(), [range(0, 600), range(900, SECTORS)]);
}

#[test]
fn the_label_is_saved_with_swap_around_it() {
    let examined = found(&slice(&[(0, 0, 0), (300, 0, 1), (SECTORS, 0, 0)]), FREEBSD);
    assert_eq!(examined.in_use.as_slice(), [range(0, 16), range(300, SECTORS)]);
}

#[test]
fn swap_that_may_be_something_else_is_saved() {
    let entries = [(500, 16, 7), (300, 600, 1), (SECTORS, 0, 0)];
    for (at, bytes, owner) in [
        (600 * 512, &b"hsqs"[..], "squashfs"),
        (899 * 512, b"GEOM::LABEL\0", "GEOM"),
        (899 * 512, b"FreeBSD Kernel Dump\0", "crash dump"),
        (899 * 512, b"FreeBSD Text Dump\0", "crash dump"),
        (899 * 512, b"\x5d\x0b\x5d\x0b", "swap with a hibernated system"),
    ] {
        let mut device = slice(&entries);
        device[at..at + bytes.len()].copy_from_slice(bytes);
        let examined = found(&device, FREEBSD);
        assert_eq!(verdicts(&examined)[1], std::format!("b raw({owner})"));
        assert_eq!(examined.in_use.as_slice(), [range(0, SECTORS)]);
    }
}

#[test]
fn parts_that_are_not_alone_or_end_beyond_the_slice_are_saved() {
    let overlap = "overlaps another partition or the partition table";
    let examined = found(&slice(&[(500, 16, 7), (300, 500, 1), (SECTORS, 0, 0)]), FREEBSD);
    let expected = [std::format!("a raw({overlap})"), std::format!("b raw({overlap})")];
    assert_eq!(verdicts(&examined), expected);
    assert_eq!(examined.in_use.as_slice(), [range(0, SECTORS)]);
    // What has no type may be used for something all the same.
    let examined =
        found(&slice(&[(0, 0, 0), (300, 500, 1), (SECTORS, 0, 0), (9, 700, 0)]), FREEBSD);
    assert_eq!(verdicts(&examined), [std::format!("b raw({overlap})")]);
    let examined = found(&slice(&[(0, 0, 0), (300, 4000, 1), (SECTORS, 0, 0)]), FREEBSD);
    assert_eq!(verdicts(&examined), ["b raw(ends beyond the disk)"]);
    assert_eq!(examined.in_use.as_slice(), [range(0, SECTORS)]);
}

#[test]
fn what_is_of_another_type_is_saved() {
    let entries = [(99, 16, 27), (99, 200, 14), (SECTORS, 0, 0), (99, 300, 19), (99, 400, 0)];
    let examined = found(&slice(&entries), FREEBSD);
    assert_eq!(verdicts(&examined), ["a raw(ZFS)", "b raw(vinum)", "d raw(unknown)"]);
    assert_eq!(examined.in_use.as_slice(), [range(0, SECTORS)]);
}

#[test]
fn the_whole_slice_is_a_part_only_if_it_is_a_file_system_and_alone() {
    let examined = found(&slice(&[(0, 0, 0), (0, 0, 0), (SECTORS, 0, 7)]), FREEBSD);
    assert_eq!(verdicts(&examined), ["c raw(unknown)"]);
    let examined = found(&slice(&[(500, 16, 7), (0, 0, 0), (SECTORS, 0, 7)]), FREEBSD);
    assert_eq!(verdicts(&examined), ["a raw(unknown)"]);
    let examined = found(&slice(&[(0, 0, 0), (0, 0, 0), (SECTORS, 0, 1)]), FREEBSD);
    assert!(examined.parts.is_empty());
    assert_eq!(examined.in_use.as_slice(), [range(0, SECTORS)]);
}

#[test]
fn openbsd_lists_parts_of_its_own_and_the_slices_of_others() {
    let mut entries = vec![(500, 1016, 7), (300, 1600, 1), (9000, 0, 0)];
    entries.resize(8, (0, 0, 0));
    // A part, a slice before, swap of somebody, something beyond.
    entries.extend([(50, 2000, 7), (900, 63, 17), (50, 2100, 1), (9000, 2000, 7)]);
    let examined = found(&slice(&entries), OPENBSD);
    assert_eq!(
        verdicts(&examined),
        ["a raw(unknown)", "b skipped(FreeBSD swap)", "i raw(unknown)"]
    );
    assert_eq!(examined.in_use.as_slice(), [range(0, 600), range(900, SECTORS)]);
}

#[test]
fn labels_that_leave_places_in_doubt() {
    // Without 'c' these may be counted from either start.
    assert!(is_raw(&found(&slice(&[(500, 1016, 7), (300, 1600, 1)]), FREEBSD)));
    // Only one way is possible.
    let absolute = found(&slice(&[(500, 1016, 7), (300, 4796, 1)]), FREEBSD);
    assert_eq!(absolute.in_use.as_slice(), [range(0, 3796)]);
    // 'c' contradicts the others, as on NetBSD.
    let netbsd = [(500, 1016, 7), (300, 1600, 1), (SECTORS, 1000, 0), (9000, 0, 0)];
    assert!(is_raw(&found(&slice(&netbsd), FREEBSD)));
    // A slice without the disk around it: where it was is not known.
    let alone = |entries: &[(u32, u32, u8)]| examine(&slice(entries), None).unwrap();
    assert!(is_raw(&alone(&[(500, 1016, 7), (300, 1600, 1), (SECTORS, 1000, 0)])));
    assert!(is_raw(&alone(&[(500, 1016, 7), (300, 1600, 1)])));
    assert!(!is_raw(&alone(&[(500, 16, 7), (300, 600, 1), (SECTORS, 0, 0)])));
    let openbsd = |size| {
        let entries = [(500, 1016, 7), (300, 1600, 1), (size, 0, 0)];
        let mut device = slice(&entries);
        put_label(&mut device, &entries, |label| label[114] = 1);
        examine(&device, None).unwrap()
    };
    assert!(is_raw(&openbsd(9000)));
    assert!(!is_raw(&openbsd(SECTORS)));
    // A type of partition that has none.
    let swap = [(0, 0, 0), (300, 600, 1), (SECTORS, 0, 0)];
    assert!(is_raw(&found(&slice(&swap), PartitionKind::Mbr(MbrType(0xa9)))));
    // Other units and versions.
    let with = |kind, change: &dyn Fn(&mut [u8])| {
        let mut device = slice(&swap);
        put_label(&mut device, &swap, change);
        found(&device, kind)
    };
    assert!(is_raw(&with(FREEBSD, &|label| label[41] = 8)));
    assert!(is_raw(&with(FREEBSD, &|label| label[114] = 1)));
    assert!(!is_raw(&with(OPENBSD, &|label| label[114] = 1)));
    let beyond = with(OPENBSD, &|label| {
        label[114] = 1;
        label[148 + 16 + 8] = 1;
    });
    assert!(is_raw(&beyond));
    // Damaged: nothing is known.
    let mut device = slice(&swap);
    device[512 + 148] ^= 1;
    assert_eq!(found(&device, FREEBSD).verdict.to_string(), "raw(unknown)");
}

#[test]
fn a_part_smaller_than_its_file_system_makes_the_label_doubtful() {
    let ufs = crate::filesystem::ufs::tests::Image::default().build();
    let size = u32::try_from(ufs.len() / 512).unwrap();
    for (len, good) in [(size, true), (size - 8, false)] {
        let mut device = slice(&[]);
        device[..ufs.len()].copy_from_slice(&ufs);
        put_label(&mut device, &[(len, 0, 7), (300, 3000, 1), (SECTORS, 0, 0)], |_| {});
        let examined = found(&device, FREEBSD);
        assert_eq!(is_raw(&examined), !good, "{:?}", examined.verdict);
        if good {
            assert_eq!(verdicts(&examined), ["a aware(UFS2)", "b skipped(FreeBSD swap)"]);
        }
        // The type says that there is a file system and no label.
        let examined = found(&device, PartitionKind::Gpt(Guid::FREEBSD_UFS));
        assert_eq!(examined.verdict.to_string(), "aware(UFS2)");
        assert!(examined.in_use.contains(range(size, SECTORS)));
    }
    // A stale superblock where no part begins.
    let mut device = slice(&[]);
    device[..ufs.len()].copy_from_slice(&ufs);
    put_label(&mut device, &[(500, 16, 7), (300, 3000, 1), (SECTORS, 0, 0)], |_| {});
    let expected = RawReason::Ambiguous("UFS", "BSD disklabel");
    assert_eq!(found(&device, FREEBSD).verdict, Verdict::Raw(expected));
}

#[test]
fn swap_by_the_type_in_a_gpt_is_saved_if_it_has_metadata_of_geom() {
    let swap = PartitionKind::Gpt(Guid::FREEBSD_SWAP);
    let mut device = vec![0x11; SECTORS as usize * 512];
    assert_eq!(found(&device, swap).verdict, Verdict::Skipped(SkipReason::FreebsdSwap));
    let last = device.len() - 512;
    device[last..last + 12].copy_from_slice(b"GEOM::MIRROR");
    assert_eq!(found(&device, swap).verdict, Verdict::Raw(RawReason::Holds("GEOM")));
}

proptest! {
    #[test]
    fn any_label(
        entries in prop::collection::vec((0..5000_u32, 0..6000_u32, 0..30_u8), 0..17),
        open: bool,
        start: bool,
    ) {
        let examined = found(&slice(&entries), if open { OPENBSD } else { FREEBSD });
        prop_assert!(examined.in_use.contains(range(0, 16)));
        prop_assert!(range(0, SECTORS).contains(range(0, 16)) && examined.in_use.end() <= Some(Sector::from_u32(SECTORS)));
        let swap: u64 = examined.parts.iter().map(|part| part.size.get() - part.in_use.get()).sum();
        let free = u64::from(SECTORS) - examined.in_use.sector_count().get();
        prop_assert!(free <= swap, "{} {}", start, free);
    }
}
