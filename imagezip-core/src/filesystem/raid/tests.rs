//! Superblocks that mdadm and Linux made, and what is changed in them.

use std::string::ToString;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::extent::ExtentSet;
use crate::filesystem::{Verdict, examine};
use crate::od::parse;

/// Members of 24 MiB, without their data. 1.2 and 0.90 have a write-intent bitmap; of the array of
/// version 1.1 the other member is missing.
const OLD: &str = include_str!("../fixtures/raid-0.90.od");
const END: &str = include_str!("../fixtures/raid-1.0.od");
const START: &str = include_str!("../fixtures/raid-1.1.od");
const BEHIND: &str = include_str!("../fixtures/raid-1.2.od");

/// Where their superblocks are.
const OLD_AT: usize = (24 << 20) - (64 << 10);
const END_AT: usize = 49136 * 512;
const BEHIND_AT: usize = 4096;

fn put(device: &mut [u8], at: usize, bytes: &[u8]) {
    device[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Makes the checksum right, in the way of Linux.
fn seal(device: &mut [u8], at: usize) {
    let (place, len) = if at == OLD_AT {
        (152, 4096)
    } else {
        let roles = u32::from_le_bytes(device[at + 220..][..4].try_into().unwrap());
        (216, 256 + 2 * usize::try_from(roles).unwrap())
    };
    put(device, at + place, &[0; 4]);
    let words = device[at..at + len].chunks(4).map(|word| {
        let mut bytes = [0; 4];
        bytes[..word.len()].copy_from_slice(word);
        u64::from(u32::from_le_bytes(bytes))
    });
    let sum = words.sum::<u64>();
    let sum = u32::try_from((sum & 0xffff_ffff) + (sum >> 32)).unwrap();
    put(device, at + place, &sum.to_le_bytes());
}

/// The member with swap space at byte `start` of it, of as many pages as fit.
fn with_swap(text: &str, start: usize, sectors: u32) -> Vec<u8> {
    let mut device = parse(text);
    put(&mut device, start + 4086, b"SWAPSPACE2");
    put(&mut device, start + 1024, &1_u32.to_le_bytes());
    put(&mut device, start + 1028, &(sectors / 8 - 1).to_le_bytes());
    device
}

/// What makes the superblock another one: bytes at a place in it.
fn changed(text: &str, at: usize, place: usize, bytes: &[u8]) -> Vec<u8> {
    let mut device = parse(text);
    put(&mut device, at + place, bytes);
    seal(&mut device, at);
    device
}

fn raw(device: &Vec<u8>) -> String {
    let examined = examine(device, None).unwrap();
    assert_eq!(examined.in_use, ExtentSet::from(device.sectors()));
    examined.verdict.to_string()
}

#[test]
fn what_is_in_a_mirror_is_looked_at() {
    for (text, name, start, len) in [
        (OLD, "md", 0, 49024),
        (END, "node:boot", 0, 49024),
        (START, "node:deg", 2048, 47104),
        (BEHIND, "node:root", 2048, 47104),
    ] {
        let device = with_swap(text, start * 512, len);
        let examined = examine(&device, None).unwrap();
        assert_eq!(examined.verdict, Verdict::Aware(FilesystemKind::Raid), "{name}");
        let part = &examined.parts[0];
        assert_eq!(part.name, name);
        assert_eq!(
            (part.verdict.to_string().as_str(), part.size.get()),
            ("aware(swap)", len.into())
        );
        let free = examined.in_use.complement(device.sectors());
        let start = u64::try_from(start).unwrap();
        let expected = (start + 64, start + u64::from(len));
        let free: Vec<_> = free.iter().map(|free| (free.start().get(), free.end().get())).collect();
        assert_eq!(free, [expected], "{name}");
    }
}

#[test]
fn a_signature_before_the_data_makes_it_raw() {
    let mut device = with_swap(BEHIND, 2048 * 512, 47104);
    put(&mut device, 0, b"hsqs");
    assert_eq!(raw(&device), "raw(has the signatures of Linux RAID and squashfs)");
    // With the superblock at the end it is the array's own.
    let mut device = parse(END);
    put(&mut device, 0, b"hsqs");
    let examined = examine(&device, None).unwrap();
    assert_eq!(examined.parts[0].verdict.to_string(), "raw(squashfs)");
    // Not if the superblock isn't valid.
    put(&mut device, END_AT + 40, b"x");
    assert_eq!(raw(&device), "raw(has the signatures of Linux RAID and squashfs)");
}

#[test]
fn a_partition_table_inside_is_not_looked_into() {
    let mut device = with_swap(BEHIND, 2048 * 512, 47104);
    let entry = [0, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0];
    put(&mut device, 2048 * 512 + 446, &entry);
    put(&mut device, 2048 * 512 + 510, &[0x55, 0xaa]);
    assert_eq!(
        examine(&device, None).unwrap().parts[0].verdict.to_string(),
        "raw(a partition table)"
    );
}

#[test]
fn members_that_do_not_have_all_data() {
    let with = |place, bytes: &[u8]| raw(&changed(BEHIND, BEHIND_AT, place, bytes));
    let incomplete = "raw(not supported: member of a RAID array that doesn't have all data: \
                      spare, failed, being rebuilt or reshaped)";
    for feature in [2, 4, 8, 16, 128] {
        assert_eq!(with(8, &[1 | feature]), incomplete);
    }
    for role in [0xffff_u16, 0xfffe, 0xfffd, 2] {
        assert_eq!(with(256, &role.to_le_bytes()), incomplete);
    }
    assert_eq!(with(160, &[200]), incomplete, "a number without a role");
    assert_eq!(with(9, &[2]), "raw(not supported: file system feature)", "journal");
    assert_eq!(with(72, &[5]), "raw(not supported: RAID level or profile)");
    let unclean =
        "raw(not supported: RAID array that was not stopped cleanly, so its members may differ)";
    assert_eq!(with(208, &[0; 8]), unclean);
    // Nobody is there to differ from.
    let alone = changed(START, 0, 208, &[0; 8]);
    assert_eq!(examine(&alone, None).unwrap().verdict, Verdict::Aware(FilesystemKind::Raid));

    let old = |place, bytes: &[u8]| raw(&changed(OLD, OLD_AT, place, bytes));
    assert_eq!(old(3984, &[1 << 1 | 1 << 2 | 1]), incomplete);
    assert_eq!(old(3984, &[1 << 1]), incomplete);
    assert_eq!(old(3980, &[2]), incomplete);
    assert_eq!(old(132, &[0]), unclean);
    assert_eq!(old(28, &[5]), "raw(not supported: RAID level or profile)");
    assert_eq!(old(8, &[91]), "raw(not supported: unknown format version)");
}

#[test]
fn superblocks_that_cannot_be() {
    let wrong = |text: &str, at, place, bytes: &[u8]| {
        let verdict = raw(&changed(text, at, place, bytes));
        let place = std::format!(" at byte {at})");
        let text = "raw(corrupt: superblock of Linux RAID contradicts itself, or there are several";
        assert_eq!(verdict, std::format!("{text}{place}"));
    };
    wrong(BEHIND, BEHIND_AT, 144, &[0]);
    wrong(BEHIND, BEHIND_AT, 86, &[1]);
    wrong(BEHIND, BEHIND_AT, 128, &[8, 0]);
    wrong(BEHIND, BEHIND_AT, 135, &[0xff]);
    wrong(BEHIND, BEHIND_AT, 143, &[0xff]);
    wrong(BEHIND, BEHIND_AT, 96, &[0, 0x10]);
    wrong(BEHIND, BEHIND_AT, 188, &[0, 0x10]);
    wrong(BEHIND, BEHIND_AT, 220, &1921_u32.to_le_bytes());
    wrong(BEHIND, BEHIND_AT, 80, &[0; 8]);
    wrong(OLD, OLD_AT, 35, &[0xff]);
    wrong(OLD, OLD_AT, 32, &[0; 4]);
    let mut flipped = parse(BEHIND);
    flipped[BEHIND_AT + 33] ^= 1;
    assert!(raw(&flipped).contains("wrong checksum of a superblock of Linux RAID"));
    let mut two = parse(BEHIND);
    two.copy_within(BEHIND_AT..BEHIND_AT + 512, 0);
    assert!(raw(&two).contains("or there are several"));
    let mut big_endian = parse(OLD);
    big_endian[OLD_AT..].chunks_exact_mut(4).for_each(<[u8]>::reverse);
    assert!(raw(&big_endian).contains("unknown format version"));
}

#[test]
fn not_a_member() {
    assert!(!is_present(&Vec::new()).unwrap());
    assert!(!is_present(&vec![0; 1024]).unwrap());
    assert!(!is_present(&vec![0; 100_000]).unwrap());
    let mut short = vec![0; 4098];
    put(&mut short, 0, &MAGIC.to_le_bytes());
    assert!(is_present(&short).unwrap());
    raw(&short);
}
