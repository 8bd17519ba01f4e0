use imagezip_core::error::{CorruptKind, ErrorKind, IncompatibleKind};
use imagezip_core::partition::LogicalSectorSize;
use imagezip_core::partition::edit::set_type;

use crate::tools::{Disk, Outcome};

const B512: LogicalSectorSize = LogicalSectorSize::B512;

const GPT: &str = "label: gpt\nsize=4M, type=L, name=\"root of node\"\nsize=2M, type=S\nsize=1M\n";
const MBR: &str = "label: dos\nsize=4M, type=83, bootable\nsize=8M, type=5\n\
                   disk5 : size=2M, type=83\ndisk6 : size=2M, type=82\n";

/// The line of the dump for partition `number`, without its type and name.
fn without_type(line: &str) -> String {
    let fields = line.split(", ").filter(|field| {
        let field = field.trim();
        !field.starts_with("type=") && !field.starts_with("name=")
    });
    fields.collect::<Vec<_>>().join(", ")
}

#[test]
fn of_an_mbr_one_byte_changes() -> Outcome {
    for (number, line) in [(1, 0), (5, 2), (6, 3)] {
        let disk = Disk::partitioned(32, MBR)?;
        let before = disk.dump()?;
        assert_eq!(before.len(), 4);
        let patches = set_type(&disk.bytes()?, B512, number, 0xa5)?;
        assert_eq!(patches.iter().map(|patch| patch.bytes.len()).sum::<usize>(), 1);
        disk.apply(&patches)?;
        let after = disk.dump()?;
        let mut expected = before.clone();
        let old = ["type=83", "type=82"].into_iter().find(|old| before[line].contains(old));
        expected[line] = before[line].replace(old.ok_or("no type")?, "type=a5");
        assert_eq!(after, expected);
        disk.check(false)?;
    }
    Ok(())
}

#[test]
fn of_a_gpt_both_copies_change_as_sgdisk_changes_them() -> Outcome {
    let codes = [
        (0x83, "8300"),
        (0x82, "8200"),
        (0x07, "0700"),
        (0x0c, "0700"),
        (0xa5, "a500"),
        (0xef, "ef00"),
        (0xef02, "ef02"),
        (0xa501, "a501"),
        (0xa502, "a502"),
        (0xa503, "a503"),
        (0xa504, "a504"),
        (0x8e, "8e00"),
        (0xfd00, "fd00"),
        (0x0c01, "0c01"),
        (0x2700, "2700"),
        (0xa600, "a600"),
    ];
    for (code, theirs) in codes {
        let disk = Disk::partitioned(16, GPT)?;
        let other = Disk::of(&disk.bytes()?)?;
        disk.apply(&set_type(&disk.bytes()?, B512, 2, code)?)?;
        disk.check(true)?;
        let change = format!("--typecode=2:{theirs}");
        let name = disk.dump()?[1].split("name=").nth(1).ok_or("no name")?.replace('"', "");
        other.program("sgdisk", &[&change, &format!("--change-name=2:{name}")], "")?;
        assert_eq!(disk.bytes()?, other.bytes()?, "{code:#x} as {theirs}");
        // The name is the one that sgdisk itself gives such a partition.
        let info = disk.program("sgdisk", &["--info=2"], "")?;
        let kind = info.lines().next().and_then(|line| line.split(['(', ')']).nth(1));
        assert_eq!(kind, Some(name.as_str()), "{code:#x}");
    }
    Ok(())
}

#[test]
fn nothing_else_of_a_gpt_changes() -> Outcome {
    let disk = Disk::partitioned(16, GPT)?;
    let before = disk.dump()?;
    disk.apply(&set_type(&disk.bytes()?, B512, 1, 0x8200)?)?;
    let after = disk.dump()?;
    assert_eq!(after[1..], before[1..]);
    assert_eq!(without_type(&after[0]), without_type(&before[0]));
    assert!(after[0].contains("type=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"), "{}", after[0]);
    assert!(after[0].ends_with("name=\"Linux swap\""), "{}", after[0]);
    Ok(())
}

#[test]
fn a_damaged_copy_is_left_alone() -> Outcome {
    for damaged in [512 + 20, (16 << 20) - 512 + 20] {
        let disk = Disk::partitioned(16, GPT)?;
        let mut bytes = disk.bytes()?;
        bytes[damaged] ^= 1;
        let disk = Disk::of(&bytes)?;
        let patches = set_type(&bytes, B512, 3, 0x82)?;
        assert_eq!(patches.len(), 2);
        disk.apply(&patches)?;
        let last = disk.dump()?.pop().ok_or("no partition")?;
        assert!(last.contains("0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"), "{last}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_done() -> Outcome {
    let gpt = Disk::partitioned(16, GPT)?.bytes()?;
    let mbr = Disk::partitioned(32, MBR)?.bytes()?;
    let kind =
        |disk: &Vec<u8>, number, code| set_type(disk, B512, number, code).map_err(|e| e.kind);
    let missing = Err(ErrorKind::Corrupt(CorruptKind::NoSuchPartition));
    assert_eq!(kind(&gpt, 4, 0x83), missing);
    assert_eq!(kind(&mbr, 2, 0x83), missing);
    assert_eq!(kind(&vec![0; 1 << 20], 1, 0x83), missing);
    let inexpressible = Err(ErrorKind::Incompatible(IncompatibleKind::PartitionType));
    assert_eq!(kind(&gpt, 1, 0x1234), inexpressible);
    assert_eq!(kind(&gpt, 1, 0x42), inexpressible);
    assert_eq!(kind(&mbr, 1, 0x8300), inexpressible);
    Ok(())
}
