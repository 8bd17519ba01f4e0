use super::*;
use crate::error::{CorruptKind, Place};
use crate::od::parse;
use crate::partition::{Doubt, Guid, MbrType, PartitionKind};
use crate::sector::{Bytes, SectorCount, SectorRange};
use proptest::prelude::*;
use std::string::ToString;
use std::vec;

const SWAP_4K: &str = include_str!("fixtures/swap-4k.od");
const SWAP_64K: &str = include_str!("fixtures/swap-64k.od");

fn first(sectors: u32) -> ExtentSet {
    SectorRange::first(SectorCount::from_u32(sectors)).into()
}

fn verdict(device: &[u8]) -> Verdict {
    let examined = examine(&device, None).unwrap();
    if let Verdict::Raw(_) = examined.verdict {
        assert_eq!(examined.in_use, ExtentSet::from(device.sectors()));
    }
    examined.verdict
}

fn partition(kind: PartitionKind) -> Partition {
    let range = SectorRange::first(SectorCount::from_u32(2048));
    Partition { number: 1, range, kind, doubt: None, entry: Bytes(446) }
}

/// `device` with `bytes` at a place.
fn with(device: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut device = device.to_vec();
    device[at..at + bytes.len()].copy_from_slice(bytes);
    device
}

#[test]
fn of_swap_the_first_32_kib_are_kept() {
    for swap in [SWAP_4K, SWAP_64K].map(parse) {
        let examined = examine(&swap, None).unwrap();
        assert_eq!(examined.verdict, Verdict::Aware(FilesystemKind::Swap));
        assert_eq!(examined.in_use, first(64));
        assert!(examined.notes.is_empty());
    }
}

#[test]
fn of_swap_smaller_than_that_all_is_kept() {
    let mut swap = parse(SWAP_4K);
    swap.truncate(20 << 10);
    swap[1028..1032].copy_from_slice(&4_u32.to_le_bytes());
    let examined = examine(&swap, None).unwrap();
    assert_eq!(examined.verdict, Verdict::Aware(FilesystemKind::Swap));
    assert_eq!(examined.in_use, first(40));
}

#[test]
fn what_the_header_of_swap_leaves_to_others_is_kept() {
    let mut swap = parse(SWAP_4K);
    let sectors = u32::try_from(swap.len() / 512).unwrap();
    for (added, behind) in [(127 * 512, 0), (128 * 512, 128)] {
        swap.resize(sectors as usize * 512 + added, 0);
        let range = SectorRange::with_len(Sector::from_u32(sectors), SectorCount::from_u32(behind));
        let examined = examine(&swap, None).unwrap();
        assert_eq!(examined.verdict, Verdict::Aware(FilesystemKind::Swap));
        assert_eq!(examined.in_use, first(64).union(&range.unwrap().into()));
    }
}

#[test]
fn swap_of_the_old_format() {
    let swap = with(&vec![0; 1 << 20], 4086, b"SWAP-SPACE");
    assert_eq!(verdict(&swap), Verdict::Aware(FilesystemKind::Swap));
    // A mark that ends no page.
    assert_eq!(
        verdict(&with(&vec![0; 1 << 20], 4085, b"SWAP-SPACE")),
        Verdict::Raw(RawReason::Unknown)
    );
}

#[test]
fn swap_that_linux_would_not_use_is_raw() {
    let place = Place::Byte(Bytes(1024));
    let damaged = ErrorKind::Corrupt(CorruptKind::SwapHeader).at(place);
    let damaged = Verdict::Raw(RawReason::Damaged(damaged));
    let swap = parse(SWAP_4K);
    assert_eq!(verdict(&with(&swap, 1024, &[2])), damaged, "version");
    assert_eq!(verdict(&with(&swap, 1028, &[0, 0])), damaged, "no pages");
    assert_eq!(verdict(&with(&swap, 1028, &[0, 1])), damaged, "a page more than there is");
    assert_eq!(verdict(&with(&swap, 1028, &[0xff; 4])), damaged, "the most pages");
}

#[test]
fn a_hibernated_system_is_saved() {
    for (swap, mark_at) in [(SWAP_4K, 4086), (SWAP_64K, 65526)] {
        let swap = with(&parse(swap), mark_at, b"S1SUSPEND\0");
        assert_eq!(verdict(&swap), Verdict::Raw(RawReason::Hibernated));
    }
}

#[test]
fn other_owners_make_swap_raw() {
    let swap = parse(SWAP_4K);
    let size = swap.len();
    let raid = 0xa92b_4efc_u32;
    let zfs = 0x00ba_b10c_u64;
    for (owner, at, bytes) in [
        ("Linux RAID", size - (64 << 10), &raid.to_le_bytes()[..]),
        ("Linux RAID", size - (64 << 10), &raid.to_be_bytes()),
        ("Linux RAID", size - (8 << 10), &raid.to_le_bytes()),
        ("Linux RAID", 0, &raid.to_le_bytes()),
        ("Linux RAID", 4096, &raid.to_le_bytes()),
        ("ZFS", 131 << 10, &zfs.to_le_bytes()),
        ("ZFS", 255 << 10, &zfs.to_be_bytes()),
        ("LUKS", 0, b"LUKS\xba\xbe"),
        ("LVM", 512, b"LABELONE"),
        ("XFS", 0, b"XFSB"),
        ("JFS", 0x8000, b"JFS1"),
    ] {
        let expected = Verdict::Raw(RawReason::Ambiguous("swap space", owner));
        assert_eq!(verdict(&with(&swap, at, bytes)), expected, "at {at}");
    }
}

/// What the programs write that make these: jfsutils 1.1.15, reiserfsprogs 3.6.27, gfs2-utils 3.5.0,
/// ocfs2-tools 1.8.7, nilfs-tools 2.2.9, util-linux 2.38, squashfs-tools 4.5.1, erofs-utils 1.5,
/// genisoimage 1.1.11 and udftools 2.3. Those of HFS+, APFS, `ReFS`, VMFS, Reiser4 and of the first
/// format of `ReiserFS` are from what is written about them.
#[test]
fn file_systems_that_are_only_known_by_name() {
    for (owner, at, bytes) in [
        ("JFS", 0x8000, &b"JFS1\x01\0\0\0\x60\xf6"[..]),
        ("ReiserFS", 0x1_0034, b"ReIsEr2Fs\0\0\0\x03"),
        ("ReiserFS", 0x2034, b"ReIsErFs\0\0"),
        ("Reiser4", 0x1_0000, b"ReIsEr4\0"),
        ("GFS2", 0x1_0000, b"\x01\x16\x19\x70\0\0\0\x01"),
        ("OCFS2", 0x400, b"OCFSV2\0\0"),
        ("OCFS2", 0x800, b"OCFSV2\0\0"),
        ("OCFS2", 0x1000, b"OCFSV2\0\0"),
        ("OCFS2", 0x2000, b"OCFSV2\0\0"),
        ("NILFS2", 0x400, b"\x02\0\0\0\0\0\x34\x34\x18\x01\0\0"),
        ("Minix", 0x400, b"\x60\x15\0\x40\x01\0\x02\0\xb0\0\0\0\0\x1c\x08\x10\x7f\x13\x01\0"),
        ("Minix", 0x400, b"\x60\x15\0\x40\x01\0\x02\0\xb0\0\0\0\0\x1c\x08\x10\x8f\x13\x01\0"),
        ("Minix", 0x408, b"\x5b\x01\0\0\xff\xff\xff\x7f\x78\x24\x01\0\0\x40\0\0"),
        ("Minix", 0x410, b"\xff\xff\xff\x7f\0\x40\0\0\x5a\x4d\0\0\0\x04\0\0"),
        ("squashfs", 0, b"hsqs\x02\0\0\0"),
        ("EROFS", 0x400, b"\xe2\xe1\xf5\xe0\x50\xdf\x44\xc3\x03\0\0\0"),
        ("cramfs", 0, b"\x45\x3d\xcd\x28\0\x10\0\0"),
        ("ISO 9660", 0x8000, b"\x01CD001\x01\0LINUX"),
        ("UDF", 0x8000, b"\0BEA01\x01\0\0"),
        ("HFS+", 0x400, b"H+\0\x04\x80\0"),
        ("HFS+", 0x400, b"HX\0\x05\x80\0"),
        ("APFS", 32, b"NXSB\0\x10\0\0"),
        ("ReFS", 0, b"\0\0\0ReFS\0\0\0\0\0\0\0\0\0FSRS"),
        ("VMFS", 1 << 20, b"\x0d\xd0\x01\xc0"),
    ] {
        let disk = with(&vec![0; 2 << 20], at, bytes);
        assert_eq!(verdict(&disk), Verdict::Raw(RawReason::Holds(owner)), "at {at}");
    }
}

#[test]
fn an_ext_superblock_beside_another_signature_is_raw() {
    let magic = [0x53, 0xef];
    let swap = with(&parse(SWAP_4K), 1024 + 0x38, &magic);
    assert_eq!(verdict(&swap), Verdict::Raw(RawReason::Ambiguous("ext", "swap space")));
    let raid = with(&vec![0; 1 << 20], 1024 + 0x38, &magic);
    let raid = with(&raid, 4096, &0xa92b_4efc_u32.to_le_bytes());
    assert_eq!(verdict(&raid), Verdict::Raw(RawReason::Ambiguous("ext", "Linux RAID")));
}

#[test]
fn a_layer_of_another_kind_is_not_looked_into() {
    let swap = parse(SWAP_4K);
    for (kind, layer) in [
        (PartitionKind::Mbr(MbrType::LINUX_RAID), "Linux RAID"),
        (PartitionKind::Mbr(MbrType::LINUX_LVM), "LVM"),
        (PartitionKind::Mbr(MbrType::SOLARIS), "Solaris"),
        (PartitionKind::Gpt(Guid::LINUX_LUKS), "LUKS"),
        (PartitionKind::Gpt(Guid::SOLARIS_USR), "ZFS or Solaris"),
    ] {
        let examined = examine(&swap, Some(&partition(kind))).unwrap();
        assert_eq!(examined.verdict, Verdict::Raw(RawReason::Container(layer)));
        assert_eq!(examined.in_use, first(2048));
    }
}

#[test]
fn a_layer_that_is_raw_says_why() {
    let luks = with(&vec![0; 1 << 20], 0, b"LUKS\xba\xbe");
    let kind = PartitionKind::Mbr(MbrType::LINUX_LVM);
    for (device, text) in [
        (&luks, "raw(LUKS)"),
        (&vec![0; 1 << 20], "raw(belongs to LVM)"),
        (
            &with(&vec![0; 1 << 20], 512, b"LABELONE"),
            "raw(corrupt: wrong checksum of LVM's label or metadata at byte 512)",
        ),
    ] {
        let examined = examine(device, Some(&partition(kind))).unwrap();
        assert_eq!(examined.verdict.to_string(), text);
        assert_eq!(examined.in_use, first(2048));
    }
}

#[test]
fn owners_at_the_end_of_the_device() {
    let nothing = vec![0; (1 << 20) + 512];
    for (owner, at, bytes) in [
        ("DRBD", (1 << 20) - 4096 + 60, &b"\x83\x74\x02\x6d"[..]),
        ("Intel RAID", nothing.len() - 1024, b"Intel Raid ISM Cfg Sig. 1.3"),
        ("DDF RAID", nothing.len() - 512, b"\xde\x11\xde\x11"),
        ("GELI", nothing.len() - 512, b"GEOM::ELI\0\0\0\0\0\0\0\x07\0\0\0"),
        ("dm-verity", 0, b"verity\0\0"),
        ("dm-integrity", 0, b"integrt\0"),
        ("Ceph BlueStore", 0, b"bluestore block device\n"),
    ] {
        let device = with(&nothing, at, bytes);
        assert_eq!(verdict(&device), Verdict::Raw(RawReason::Holds(owner)));
    }
    let swap = with(&parse(SWAP_4K), (1 << 20) - 1024, b"Intel Raid ISM Cfg Sig. 1.3");
    assert_eq!(verdict(&swap), Verdict::Raw(RawReason::Ambiguous("swap space", "Intel RAID")));
}

/// Copies that their owners keep farther inside, where whoever comes later leaves them.
#[test]
fn remains_count_only_where_there_is_nothing_else() {
    let zfs = 0x00ba_b10c_u64.to_le_bytes();
    for (owner, at, bytes) in [
        ("ZFS", (512 << 10) + (128 << 10), &zfs[..]),
        ("ZFS", (1 << 20) - 1024, &zfs),
        ("LUKS", 0x4000, b"SKUL\xba\xbe"),
        ("LUKS", 0x8_0000, b"SKUL\xba\xbe"),
    ] {
        let device = with(&vec![0; 1 << 20], at, bytes);
        assert_eq!(verdict(&device), Verdict::Raw(RawReason::Holds(owner)), "at {at}");
        assert_eq!(signature(&device), Ok(Some(owner)));
        let swap = with(&parse(SWAP_4K), at, bytes);
        assert_eq!(verdict(&swap), Verdict::Aware(FilesystemKind::Swap), "at {at}");
    }
}

#[test]
fn doubtful_limits_make_a_partition_raw() {
    let doubt = Some(Doubt::Overlap);
    let partition = Partition { doubt, ..partition(PartitionKind::Mbr(MbrType::LINUX_SWAP)) };
    let examined = examine(&parse(SWAP_4K), Some(&partition)).unwrap();
    assert_eq!(examined.verdict, Verdict::Raw(RawReason::Limits(Doubt::Overlap)));
    assert_eq!(examined.in_use, first(2048));
}

#[test]
fn the_type_alone_makes_no_swap() {
    let garbage = vec![0x5a; 1 << 20];
    let swap = partition(PartitionKind::Mbr(MbrType::LINUX_SWAP));
    let examined = examine(&garbage, Some(&swap)).unwrap();
    assert_eq!(examined.verdict, Verdict::Raw(RawReason::Unknown));
    assert_eq!(examined.in_use, first(2048));
}

#[test]
fn swap_of_freebsd_is_left_out_unless_it_holds_something_else() {
    let partition = partition(PartitionKind::Gpt(Guid::FREEBSD_SWAP));
    let garbage = vec![0x5a; 1 << 20];
    let examined = examine(&garbage, Some(&partition)).unwrap();
    assert_eq!(examined.verdict, Verdict::Skipped(SkipReason::FreebsdSwap));
    assert!(examined.in_use.is_empty());
    let examined = examine(&with(&garbage, 0, b"hsqs"), Some(&partition)).unwrap();
    assert_eq!(examined.verdict, Verdict::Raw(RawReason::Holds("squashfs")));
    assert_eq!(examined.in_use, first(2048));
}

#[test]
fn a_device_that_fails_is_an_error_and_not_raw() {
    struct Failing;
    impl ReadAt for Failing {
        fn size(&self) -> Bytes {
            Bytes(1 << 20)
        }
        fn read_at(&self, offset: Bytes, _: &mut [u8]) -> Result<()> {
            Err(ErrorKind::Read(5).at(Place::Byte(offset)))
        }
    }
    assert_eq!(examine(&Failing, None), Err(ErrorKind::Read(5).at(Place::Byte(Bytes(0)))));
}

#[test]
fn verdicts_read_well() {
    let damaged = RawReason::Damaged(ErrorKind::Truncated.at(Place::Byte(Bytes(7))));
    for (verdict, text) in [
        (Verdict::Aware(FilesystemKind::Ext4), "aware(ext4)"),
        (Verdict::Raw(RawReason::Unknown), "raw(unknown)"),
        (Verdict::Raw(RawReason::Container("LVM")), "raw(belongs to LVM)"),
        (Verdict::Raw(damaged), "raw(ends too early at byte 7)"),
        (Verdict::Skipped(SkipReason::Requested), "skipped(requested)"),
    ] {
        assert_eq!(verdict.to_string(), text);
    }
}

proptest! {
    #[test]
    fn any_bytes(mut bytes in prop::collection::vec(any::<u8>(), 0..70_000), mark in 0..4_usize, page in 0..5_usize) {
        let marks: [&[u8]; 3] = [b"SWAP-SPACE", b"SWAPSPACE2", b"S1SUSPEND\0"];
        let at = (4096 << page) - 10;
        if let (Some(mark), Some(place)) = (marks.get(mark), bytes.get_mut(at..at + 10)) {
            place.copy_from_slice(mark);
        }
        let examined = examine(&bytes, None).unwrap();
        prop_assert!(examined.in_use.iter().all(|extent| bytes.sectors().contains(extent)));
    }
}
