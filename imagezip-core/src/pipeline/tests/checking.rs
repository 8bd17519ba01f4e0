//! Comparing devices with signatures and images, against comparing all bytes one by one.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::super::ordered::tests::Threads;
use super::super::{
    Finding, Hashing, check, compare_and_digest, differences, hash_device, hash_image,
};
use super::image::{TestChunk, image};
use crate::digest::{HashType, Sha256};
use crate::error::{ErrorKind, Result};
use crate::ndz::Image;
use crate::relocation::Placement;
use crate::sector::{Sector, SectorRange};
use crate::signature::HashBlockSize;

const SECTORS: u32 = 5000;

fn disk() -> Vec<u8> {
    (0..SECTORS).flat_map(|sector| [sector as u8; 512]).collect()
}

/// Some chunks of a disk with gaps, larger than what is read at once.
fn chunks() -> Vec<TestChunk> {
    let chunk = |regions: &[(u32, u32)]| TestChunk { regions: regions.to_vec(), relocs: vec![] };
    vec![
        chunk(&[(3, 60), (64, 1), (100, 1900)]),
        chunk(&[(2000, 3), (2010, 90)]),
        chunk(&[(2200, 2500), (4990, 10)]),
    ]
}

fn sectors_of(range: SectorRange) -> std::ops::Range<usize> {
    range.start().get() as usize..range.end().get() as usize
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_differs_is_found(
        changes in prop::collection::vec((0..SECTORS as usize * 512, 1..=255_u8), 0..12),
        base in 0..9_usize, len in prop::option::of(0..SECTORS as usize * 512),
        block in prop::sample::select(vec![1, 7, 128, 4096]), threads in 1..4_usize,
    ) {
        let disk = disk();
        let file = image(&chunks(), &disk);
        let opened = Image::open(&file).unwrap();
        let block = HashBlockSize::new(block).unwrap();
        let how = Hashing { block, ..Hashing::default() };
        let signature = hash_image(&Threads(2), &opened, how, &AtomicU64::new(0)).unwrap();

        let mut changed = disk.clone();
        for (at, mask) in changes {
            changed[at] ^= mask;
        }
        changed.truncate(len.unwrap_or(changed.len()));
        let device = [vec![0x5a; base * 512], changed.clone()].concat();
        let base = Sector::from_u32(base as u32);
        let there = changed.len() / 512;
        let differs = |sector: usize| disk[sector * 512..][..512] != changed[sector * 512..][..512];

        let mut found = Vec::new();
        let mut note = |range, finding| { found.push((range, finding)); Ok(()) };
        let checked = check(&Threads(threads), &device, base, &signature, &AtomicU64::new(0), &mut note).unwrap();
        let expected: Vec<_> = signature.iter().filter_map(|entry| {
            let mut sectors = sectors_of(entry.range);
            let finding = if sectors.end > there { Finding::Missing } else { Finding::Differs };
            (finding == Finding::Missing || sectors.any(differs)).then_some((entry.range, finding))
        }).collect();
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!(checked.entries, signature.len() as u64);
        prop_assert_eq!((checked.differing + checked.missing) as usize, expected.len());
        prop_assert_eq!(checked.is_match(), expected.is_empty());

        let (mut differing, mut missing) = (BTreeSet::new(), BTreeSet::new());
        let mut note = |difference: &super::super::Difference| {
            let sectors = sectors_of(difference.range);
            let first = difference.first.get() as usize;
            assert!(sectors.contains(&(first / 512)));
            assert_eq!(difference.image[0], disk[first]);
            match difference.finding {
                Finding::Differs => {
                    assert_eq!(difference.device[0], changed[first]);
                    assert_ne!(difference.device, difference.image);
                    differing.extend(sectors);
                }
                Finding::Missing => missing.extend(sectors),
            }
            Ok(())
        };
        let sum = differences(&Threads(threads), &opened, &device, base, &AtomicU64::new(0), &mut note).unwrap();
        let held: Vec<usize> = opened.extents().unwrap().iter().flat_map(sectors_of).collect();
        let expected = |wanted: &dyn Fn(usize) -> bool| held.iter().copied().filter(|s| wanted(*s)).collect::<BTreeSet<_>>();
        prop_assert_eq!(&missing, &expected(&|sector| sector >= there));
        prop_assert_eq!(&differing, &expected(&|sector| sector < there && differs(sector)));
        prop_assert_eq!(sum.sectors.get() as usize, held.len());
        prop_assert_eq!((sum.differing.get() as usize, sum.missing.get() as usize), (differing.len(), missing.len()));
        prop_assert_eq!(sum.is_match(), differing.is_empty() && missing.is_empty());
    }
}

#[test]
fn the_end_of_a_file_is_checked() {
    let bytes: Vec<u8> = (0..1_300_u32).map(|at| at as u8).collect();
    let hash = |bytes: &Vec<u8>| {
        hash_device(&Threads(1), bytes, HashType::Sha1, HashBlockSize::DEFAULT, &AtomicU64::new(0))
    };
    let signature = hash(&bytes).unwrap();
    let findings = |bytes: &Vec<u8>| {
        let mut found = Vec::new();
        let mut note = |range: SectorRange, finding| {
            found.push((range.start().get(), finding));
            Ok(())
        };
        let checked =
            check(&Threads(1), bytes, Sector::ZERO, &signature, &AtomicU64::new(0), &mut note)
                .unwrap();
        assert_eq!(checked.entries, 2);
        found
    };
    assert_eq!(findings(&bytes), []);
    assert_eq!(findings(&[bytes.clone(), vec![0; 2000]].concat()), [], "on a larger device");
    let mut other = bytes.clone();
    other[1299] ^= 1;
    assert_eq!(findings(&other), [(2, Finding::Differs)]);
    assert_eq!(findings(&bytes[..1299].to_vec()), [(2, Finding::Missing)]);
}

/// Of a file's last sector only what belongs to the file counts.
#[test]
fn a_short_sector_is_compared_up_to_its_end() {
    let mut disk = disk();
    disk.truncate(10 * 512);
    let chunk = TestChunk { regions: vec![(0, 10)], relocs: vec![[6, 9, 0, 100]] };
    let file = image(&[chunk], &disk);
    let opened = Image::open(&file).unwrap();
    let differ = |device: &Vec<u8>| {
        let none = &mut |_: &_| Ok(());
        differences(&Threads(1), &opened, device, Sector::ZERO, &AtomicU64::new(0), none)
            .unwrap()
            .bytes
    };
    let mut device = disk.clone();
    device[9 * 512 + 100..].fill(0xff);
    assert_eq!(differ(&device), 0);
    device[9 * 512 + 99] ^= 1;
    assert_eq!(differ(&device), 1);
}

/// The digest is of the whole file: also of what no reader of an image looks at.
#[test]
fn a_comparison_digests_the_file_that_it_reads() {
    let disk = disk();
    let mut file = image(&chunks(), &disk);
    let compared = |file: &Vec<u8>| {
        let opened = Image::open(file).unwrap();
        let place = Placement::default();
        compare_and_digest(&Threads(3), &opened, &disk, place, &AtomicU64::new(0)).unwrap()
    };
    let (found, digest) = compared(&file);
    assert_eq!((found.first, digest), (None, Sha256::of(&file)));
    *file.last_mut().unwrap() ^= 1;
    let (again, digest) = compared(&file);
    assert_eq!((again, digest), (found, Sha256::of(&file)));
    let opened = Image::open(&file).unwrap();
    let mut changed = disk.clone();
    changed[100 * 512] ^= 1;
    let place = Placement::default();
    let (found, _) =
        compare_and_digest(&Threads(3), &opened, &changed, place, &AtomicU64::new(0)).unwrap();
    assert_eq!((found.different.get(), found.first), (1, Sector::new(100)));
}

#[test]
fn what_the_caller_reports_ends_it() {
    let (disk, file) = (vec![0; SECTORS as usize * 512], image(&chunks(), &disk()));
    let opened = Image::open(&file).unwrap();
    let stop = || -> Result<()> { Err(ErrorKind::Write(32).into()) };
    let done = AtomicU64::new(0);
    let signature = hash_image(&Threads(2), &opened, Hashing::default(), &done).unwrap();
    let checked = check(&Threads(2), &disk, Sector::ZERO, &signature, &done, &mut |_, _| stop());
    assert_eq!(checked, Err(ErrorKind::Write(32).into()));
    let sum = differences(&Threads(2), &opened, &disk, Sector::ZERO, &done, &mut |_| stop());
    assert_eq!(sum, Err(ErrorKind::Write(32).into()));
}
