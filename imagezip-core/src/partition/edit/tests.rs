use super::*;
use crate::od::parse;
use crate::partition::{PartitionKind, read};
use proptest::prelude::*;

const GPT: &str = include_str!("../fixtures/gpt.od");
const GPT_4096: &str = include_str!("../fixtures/gpt-4096.od");
const MBR_4096: &str = include_str!("../fixtures/mbr-4096.od");

fn apply(disk: &mut [u8], patches: &[Patch]) {
    for patch in patches {
        let at = usize::try_from(patch.at.get()).unwrap();
        disk[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
}

/// The kind of partition `number`, after it got type `code`.
fn changed(disk: &str, number: u32, code: u32) -> PartitionKind {
    let size = LogicalSectorSize::B4096;
    let mut disk = parse(disk);
    let before = read(&disk, size).unwrap().unwrap();
    let patches = set_type(&disk, size, number, code).unwrap();
    apply(&mut disk, &patches);
    let after = read(&disk, size).unwrap().unwrap();
    assert!(after.notes.is_empty());
    for (old, new) in before.partitions.iter().zip(&after.partitions) {
        assert_eq!((old.number, old.range), (new.number, new.range));
        assert_eq!(old.kind == new.kind, old.number != number);
    }
    // Both copies are the same.
    disk[4096..8192].fill(0);
    if disk[450] == 0xee {
        assert_eq!(read(&disk, size).unwrap().unwrap().partitions.len(), after.partitions.len());
    }
    after.find(number).unwrap().kind
}

#[test]
fn with_sectors_of_4096_bytes() {
    assert_eq!(changed(GPT_4096, 2, 0x8e00), PartitionKind::Gpt(Guid::LINUX_LVM));
    for number in [1, 5] {
        let kind = changed(MBR_4096, number, 0xa6);
        assert_eq!(kind, PartitionKind::Mbr(super::super::MbrType(0xa6)));
    }
}

#[test]
fn every_code_can_be_found() {
    for code in TypeCode::all() {
        assert_eq!(TypeCode::find(code).map(|found| found.guid == Guid::ZERO), Some(code == 0));
    }
    assert!(TypeCode::find(u32::MAX).is_none());
}

proptest! {
    #[test]
    fn a_damaged_table_is_no_reason_to_fail_badly(
        at in 0_usize..4096, value: u8, from_end: bool, number in 0_u32..200, code in 0_u32..0x1_0000,
    ) {
        let mut disk = parse(GPT);
        let at = if from_end { disk.len() - 1 - at } else { at };
        disk[at] = value;
        let size = LogicalSectorSize::B512;
        for patch in set_type(&disk, size, number, code).into_iter().flatten() {
            let end = patch.at.get() + patch.bytes.len() as u64;
            prop_assert!(end <= disk.len() as u64);
        }
    }
}
