use super::*;
use crate::od::parse;
use crate::partition::{PartitionTable, read};
use proptest::prelude::*;

const GPT: &str = include_str!("../../fixtures/gpt.od");
const GPT_4096: &str = include_str!("../../fixtures/gpt-4096.od");
const MBR: &str = include_str!("../../fixtures/mbr.od");
const B512: LogicalSectorSize = LogicalSectorSize::B512;
const B4096: LogicalSectorSize = LogicalSectorSize::B4096;

fn apply(disk: &mut [u8], patches: &[Patch]) {
    for patch in patches {
        let at = usize::try_from(patch.at.get()).unwrap();
        disk[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
}

/// The disk of a fixture, loaded onto one of another size with something else on it.
fn loaded(fixture: &str, len: usize) -> Vec<u8> {
    let mut disk = parse(fixture);
    disk.resize(len, 0x5a);
    disk
}

fn table(disk: &[u8], size: LogicalSectorSize) -> PartitionTable {
    read(&disk, size).unwrap().unwrap()
}

fn places(patches: &[Patch], size: LogicalSectorSize) -> Vec<u64> {
    patches.iter().map(|patch| patch.at.get() / size.bytes()).collect()
}

fn u64_at(disk: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(disk[at..at + 8].try_into().unwrap())
}

#[test]
fn the_backup_moves_to_the_end() {
    for (fixture, size, table_blocks) in [(GPT, B512, 32), (GPT_4096, B4096, 4)] {
        let block = usize::try_from(size.bytes()).unwrap();
        let old = parse(fixture).len();
        // Also so little that the new place overlaps the old one.
        for more in [1, 5, 1000] {
            let mut disk = loaded(fixture, old + more * block);
            let before = table(&disk, size);
            assert!(!before.notes.is_empty());
            let last = (disk.len() / block - 1) as u64;
            let patches = fit_to_disk(&disk, size).unwrap();
            assert_eq!(places(&patches, size), [last - table_blocks, last, 0, 1]);
            for count in 0..patches.len() {
                let mut stopped = disk.clone();
                apply(&mut stopped, &patches[..count]);
                assert_eq!(table(&stopped, size).partitions, before.partitions);
                assert_eq!(fit_to_disk(&stopped, size).unwrap().last(), patches.last());
            }
            apply(&mut disk, &patches);
            let mut after = table(&disk, size);
            assert!(after.notes.is_empty(), "{:?}", after.notes);
            assert_eq!((after.disk_id, &after.partitions), (before.disk_id, &before.partitions));
            assert_eq!(u64_at(&disk, block + 32), last);
            assert_eq!(u64_at(&disk, block + 48), last - table_blocks - 1);
            assert_eq!(u64::from(u32::from_le_bytes(disk[458..462].try_into().unwrap())), last);
            assert_eq!(fit_to_disk(&disk, size).unwrap(), []);
            // The backup says the same.
            disk[block] ^= 1;
            after = table(&disk, size);
            for (one, other) in after.partitions.iter().zip(&before.partitions) {
                assert_eq!(
                    (one.number, one.range, one.kind),
                    (other.number, other.range, other.kind)
                );
            }
            assert_eq!(after.partitions.len(), before.partitions.len());
        }
    }
}

#[test]
fn what_fits_is_left_alone() {
    for (disk, size) in [(GPT, B512), (GPT_4096, B4096), (MBR, B512)] {
        assert_eq!(fit_to_disk(&parse(disk), size).unwrap(), []);
    }
    assert_eq!(fit_to_disk(&loaded(MBR, 5 << 20), B512).unwrap(), []);
    assert_eq!(fit_to_disk(&vec![0x5a; 1 << 20], B512).unwrap(), []);
    assert_eq!(fit_to_disk(&Vec::new(), B512).unwrap(), []);
}

#[test]
fn a_lost_backup_comes_back_and_a_foreign_one_goes() {
    let good = parse(GPT);
    let last = good.len() - 512;
    let mut without = good.clone();
    without[last..].fill(0);
    let mut foreign = good.clone();
    foreign[last + 56] ^= 1;
    let header = &mut foreign[last..last + 92];
    header[16..20].fill(0);
    let checksum = gpt::CRC.checksum(header).to_le_bytes();
    header[16..20].copy_from_slice(&checksum);
    assert!(Copy::load(&foreign, B512, 8191).is_ok());
    for mut disk in [without, foreign] {
        let patches = fit_to_disk(&disk, B512).unwrap();
        apply(&mut disk, &patches);
        assert_eq!(disk, good);
    }
}

#[test]
fn a_damaged_primary_copy_is_made_from_the_one_it_leads_to() {
    let old = parse(GPT).len();
    // In the entries, and in the header: its checksum is wrong then.
    for damaged in [1024, 512 + 57] {
        for more in [512, 1 << 20] {
            let mut disk = loaded(GPT, old + more);
            let before = table(&disk, B512);
            disk[damaged] ^= 1;
            let patches = fit_to_disk(&disk, B512).unwrap();
            let last = (disk.len() / 512 - 1) as u64;
            assert_eq!(places(&patches, B512), [2, 1, 0, last - 32, last]);
            for patch in patches {
                let any = [1, 8191, last].iter().any(|lba| Copy::load(&disk, B512, *lba).is_ok());
                assert!(any);
                apply(&mut disk, &[patch]);
            }
            assert_eq!(table(&disk, B512).partitions, before.partitions);
            assert!(table(&disk, B512).notes.is_empty());
            assert_eq!(fit_to_disk(&disk, B512).unwrap(), []);
        }
    }
    // On a disk of the same size it is found as it is.
    let mut disk = parse(GPT);
    disk[512 + 57] ^= 1;
    assert_eq!(fit_to_disk(&disk, B512).unwrap(), []);
}

#[test]
fn a_good_copy_that_only_lies_in_the_last_block_may_be_another_table() {
    let mut disk = loaded(GPT, 5 << 20);
    let patches = fit_to_disk(&disk, B512).unwrap();
    apply(&mut disk, &patches);
    disk[512..1024].fill(0);
    let error = fit_to_disk(&disk, B512).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::GptMissing));
}

#[test]
fn partitions_must_end_before_the_backup() {
    // The last partition of the fixture ends with sector 5119; the backup takes 33.
    let limits = ErrorKind::Corrupt(CorruptKind::PartitionLimits);
    for (sectors, error) in
        [(5120 + 33, None), (5119 + 33, Some(limits.clone().at(Place::Partition(5))))]
    {
        let mut disk = parse(GPT);
        disk.truncate(sectors * 512);
        assert_eq!(fit_to_disk(&disk, B512).err(), error);
    }
    let mut disk = parse(GPT);
    disk.truncate(40 * 512);
    assert_eq!(fit_to_disk(&disk, B512), Err(limits.at(Place::Whole)));
}

#[test]
fn only_a_plain_protective_mbr_is_fitted() {
    let changed = |change: &dyn Fn(&mut [u8])| {
        let mut disk = loaded(GPT, 5 << 20);
        change(&mut disk[446..510]);
        let patches = fit_to_disk(&disk, B512).unwrap();
        places(&patches, B512).contains(&0)
    };
    assert!(changed(&|_| {}));
    // In another slot, and with the mark of one to boot from.
    assert!(changed(&|table| table.rotate_right(16)));
    assert!(changed(&|table| table[0] = 0x80));
    // Any length; a hybrid MBR; less than the whole disk.
    assert!(!changed(&|table| table[12..16].fill(0xff)));
    assert!(!changed(&|table| table[16 + 4] = 0x83));
    assert!(!changed(&|table| table[8] = 2));
    // The length that it should have.
    assert!(!changed(&|table| table[12..16].copy_from_slice(&10_239_u32.to_le_bytes())));
}

#[test]
fn beyond_32_bits_the_mbr_says_as_much_as_it_can() {
    let device = parse(GPT);
    let disk = Disk { device: &device, size: B512, last: 1 << 33 };
    let patch = disk.fitted_mbr().unwrap().unwrap();
    assert_eq!(patch.bytes[458..462], [0xff; 4]);
}

#[test]
fn a_table_without_an_mbr_moves_too() {
    let mut disk = loaded(GPT, 5 << 20);
    disk[..512].fill(0);
    let patches = fit_to_disk(&disk, B512).unwrap();
    assert_eq!(places(&patches, B512), [10_239 - 32, 10_239, 1]);
}

proptest! {
    /// Headers with changed fields and checksums that are right.
    #[test]
    fn hostile_tables_are_no_reason_to_fail_badly(
        fields in prop::collection::vec((0_usize..12, any::<u64>(), any::<bool>()), 0..3),
        damage in prop::collection::vec((0_usize..20_000, any::<u8>()), 0..3),
        sectors in 0_usize..16_384,
        seal: bool,
    ) {
        let mut disk = loaded(GPT, 8 << 20);
        for (field, value, small) in fields {
            let value = if small { value % 20_000 } else { value };
            disk[512 + 8 * field..][..8].copy_from_slice(&value.to_le_bytes());
        }
        for (at, value) in damage {
            disk[at] = value;
        }
        if seal {
            let mut copy = Copy { block: disk[512..1024].to_vec(), entries: disk[1024..17_408].to_vec() };
            copy.block[12..16].copy_from_slice(&[92, 0, 0, 0]);
            let [_, header] = copy.sealed(B512).unwrap();
            disk[512..1024].copy_from_slice(&header.bytes);
        }
        disk.truncate(sectors * 512);
        let Ok(patches) = fit_to_disk(&disk, B512) else { return Ok(()) };
        for patch in &patches {
            prop_assert!(patch.at.get() + patch.bytes.len() as u64 <= disk.len() as u64);
            prop_assert!(patch.at.get() % 512 == 0 && patch.bytes.len() % 512 == 0);
        }
        if !patches.is_empty() {
            let primary = |disk: &Vec<u8>| Copy::load(disk, B512, 1).ok().map(|copy| copy.entries);
            let was = primary(&disk);
            apply(&mut disk, &patches);
            prop_assert!(was.is_none() || was == primary(&disk));
            prop_assert_eq!(fit_to_disk(&disk, B512).unwrap(), []);
        }
    }
}
