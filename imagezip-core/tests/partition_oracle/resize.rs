//! A table that came to a larger disk: what is written makes sfdisk and sgdisk content.

use imagezip_core::error::{CorruptKind, ErrorKind};
use imagezip_core::partition::LogicalSectorSize;
use imagezip_core::partition::edit::fit_to_disk;

use crate::tools::{Disk, Outcome};

const B512: LogicalSectorSize = LogicalSectorSize::B512;
const B4096: LogicalSectorSize = LogicalSectorSize::B4096;

const PARTITIONS: &str =
    "size=4M, type=U, name=\"EFI system\"\nsize=8M, type=L, name=root\nsize=1M, type=S\n";

/// How much larger the disk becomes, in bytes: by less than the backup takes, and by far more.
const GROWTH: [usize; 3] = [512 * 3, 4096 * 5, 37 * 1024 * 1024 + 512 * 11];

/// The value of a line such as `last-lba: 2014` of `sfdisk --dump`.
fn header_line(disk: &Disk, name: &str) -> Outcome<String> {
    let dump = disk.program("sfdisk", &["--dump"], "")?;
    let line = dump.lines().find_map(|line| line.strip_prefix(name));
    Ok(line.ok_or_else(|| format!("no {name} in {dump}"))?.trim().to_owned())
}

fn grown(disk: &Disk, more: usize) -> Outcome<Vec<u8>> {
    let mut bytes = disk.bytes()?;
    bytes.resize(bytes.len() + more, 0x5a);
    Ok(bytes)
}

/// What was wrong with the backup's place is right, and nothing else has changed.
#[test]
fn tools_find_no_fault_with_it() -> Outcome {
    // Tables of 128 entries, of as many as fill half of their last block, and of a few.
    for (count, table_blocks) in [(128, 32), (130, 33), (200, 50), (4, 1)] {
        for more in GROWTH {
            let script = format!("label: gpt\ntable-length: {count}\n{PARTITIONS}");
            let disk = Disk::partitioned(16, &script)?;
            let (before, id) = (disk.dump()?, header_line(&disk, "label-id:")?);
            let larger = Disk::of(&grown(&disk, more)?)?;
            assert!(larger.check(true).is_err(), "there is nothing to do");
            let patches = fit_to_disk(&larger.bytes()?, B512)?;
            larger.apply(&patches)?;
            if count < 128 {
                // That there are so few is a fault that sgdisk tells of, too.
                let said = larger.program("sgdisk", &["--verify"], "")?;
                assert!(said.contains("No problems found"), "{said}");
            } else {
                larger.check(true)?;
            }
            assert_eq!(larger.dump()?, before);
            assert_eq!(header_line(&larger, "label-id:")?, id);
            let last = larger.bytes()?.len() / 512 - 1;
            let last_usable = last - table_blocks - 1;
            assert_eq!(header_line(&larger, "last-lba:")?, last_usable.to_string());
            let said = larger.program("sgdisk", &["--print"], "")?;
            assert!(said.contains(&format!("last usable sector is {last_usable}")), "{said}");
            assert_eq!(fit_to_disk(&larger.bytes()?, B512)?, []);
        }
    }
    Ok(())
}

/// sgdisk's own way to move the backup comes to the same bytes, but for the old geometry in the MBR.
#[test]
fn sgdisk_would_have_written_the_same() -> Outcome {
    for more in GROWTH {
        let disk = Disk::blank(16)?;
        let partition = ["--new=1:0:+4M", "--new=2:0:+8M", "--typecode=1:ef00"];
        disk.program("sgdisk", &partition, "")?;
        let bytes = grown(&disk, more)?;
        let (ours, theirs) = (Disk::of(&bytes)?, Disk::of(&bytes)?);
        ours.apply(&fit_to_disk(&bytes, B512)?)?;
        ours.check(true)?;
        theirs.program("sgdisk", &["--move-second-header"], "")?;
        let (mut ours, theirs) = (ours.bytes()?, theirs.bytes()?);
        ours[451..454].copy_from_slice(&theirs[451..454]);
        assert!(ours == theirs, "other bytes with {more} more");
    }
    Ok(())
}

/// A disk with sectors of 4096 bytes, as the kernel shows the file to the programs.
#[test]
fn with_sectors_of_4096_bytes() -> Outcome {
    for count in ["128", "132"] {
        let disk = Disk::blank(16)?;
        let size = format!("--resize-table={count}");
        let partition = [&size, "--new=1:0:+4M", "--new=2:0:+8M"];
        disk.with_large_sectors("sgdisk", &partition)?;
        let print = |disk: &Disk| disk.with_large_sectors("sgdisk", &["--verify", "--print"]);
        let before = print(&disk)?;
        let larger = Disk::of(&grown(&disk, 37 * 4096)?)?;
        larger.apply(&fit_to_disk(&larger.bytes()?, B4096)?)?;
        let after = print(&larger)?;
        assert!(after.contains("No problems found") && !after.contains("arning"), "{after}");
        let list = |said: &str| {
            said.lines()
                .skip_while(|line| !line.starts_with("Number"))
                .map(ToOwned::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(list(&after), list(&before));
        let table_blocks = if count == "128" { 4 } else { 5 };
        let last_usable = larger.bytes()?.len() / 4096 - 1 - table_blocks - 1;
        assert!(after.contains(&format!("last usable sector is {last_usable}")), "{after}");
    }
    Ok(())
}

#[test]
fn a_hybrid_mbr_stays() -> Outcome {
    let disk = Disk::partitioned(16, &format!("label: gpt\n{PARTITIONS}"))?;
    disk.program("sgdisk", &["--hybrid=2"], "")?;
    let larger = Disk::of(&grown(&disk, GROWTH[2])?)?;
    larger.apply(&fit_to_disk(&larger.bytes()?, B512)?)?;
    assert!(larger.bytes()?[..512] == disk.bytes()?[..512]);
    let said = larger.program("sgdisk", &["--verify"], "")?;
    assert!(said.contains("No problems found"), "{said}");
    Ok(())
}

#[test]
fn what_has_no_room_is_refused() -> Outcome {
    let disk = Disk::partitioned(16, &format!("label: gpt\n{PARTITIONS}"))?;
    let mut bytes = disk.bytes()?;
    bytes.truncate((1 + 4 + 8 + 1) << 20);
    let error = fit_to_disk(&bytes, B512).map_err(|error| error.kind);
    assert_eq!(error, Err(ErrorKind::Corrupt(CorruptKind::PartitionLimits)));
    // 33 more blocks are enough.
    bytes.resize(bytes.len() + 33 * 512, 0);
    let smaller = Disk::of(&bytes)?;
    smaller.apply(&fit_to_disk(&bytes, B512)?)?;
    smaller.check(true)
}
