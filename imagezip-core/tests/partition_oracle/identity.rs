//! The name that a partition table gives its disk, as people see it and write it down.

use imagezip_core::partition::{DiskId, LogicalSectorSize, read};

use crate::tools::{Disk, Outcome};

/// What is read of the disk.
fn disk_id(disk: &Disk, size: LogicalSectorSize) -> Outcome<DiskId> {
    Ok(read(&disk.bytes()?, size)?.ok_or("no table")?.disk_id)
}

#[test]
fn the_guid_of_a_gpt() -> Outcome {
    const GUID: &str = "01234567-89AB-CDEF-0246-8ACE13579BDF";
    let disk = Disk::partitioned(8, "label: gpt\nsize=1M\n")?;
    // Any that sfdisk made up, then one whose bytes are all different.
    for set in [false, true] {
        if set {
            disk.program("sgdisk", &[&format!("--disk-guid={GUID}")], "")?;
        }
        let id = disk_id(&disk, LogicalSectorSize::B512)?;
        let shown = disk.program("sfdisk", &["--disk-id"], "")?;
        assert_eq!(id.to_string(), shown.trim());
        assert_eq!(DiskId::parse(shown.trim()), Some(id));
        let printed = disk.program("sgdisk", &["--print"], "")?;
        assert!(printed.contains(&format!("Disk identifier (GUID): {id}")), "{printed}");
        assert!(!set || id.to_string() == GUID, "{id}");
    }
    Ok(())
}

#[test]
fn the_guid_of_a_disk_with_large_sectors() -> Outcome {
    let disk = Disk::blank(8)?;
    disk.with_large_sectors("sgdisk", &["--new=1:0:+1M"])?;
    let said = disk.with_large_sectors("sgdisk", &["--print"])?;
    let id = disk_id(&disk, LogicalSectorSize::B4096)?;
    assert!(said.contains(&format!("Disk identifier (GUID): {id}")), "{said}");
    Ok(())
}

#[test]
fn the_signature_of_an_mbr() -> Outcome {
    let disk = Disk::partitioned(8, "label: dos\nlabel-id: 0x0123abcd\nsize=1M\n")?;
    let id = disk_id(&disk, LogicalSectorSize::B512)?;
    assert_eq!(id, DiskId::Mbr(0x0123_abcd));
    let shown = disk.program("sfdisk", &["--disk-id"], "")?;
    assert_eq!(DiskId::parse(shown.trim()), Some(id));
    Ok(())
}
