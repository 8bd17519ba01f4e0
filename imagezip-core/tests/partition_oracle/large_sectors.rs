//! Disks with sectors of 4096 bytes, as the kernel shows a file to sgdisk.

use imagezip_core::partition::LogicalSectorSize;
use imagezip_core::partition::boot::plan;
use imagezip_core::partition::edit::set_type;

use crate::tools::{Disk, Outcome};

const B4096: LogicalSectorSize = LogicalSectorSize::B4096;

const PARTITION: &[&str] = &[
    "--new=1:0:+1M",
    "--typecode=1:ef00",
    "--new=2:0:+4M",
    "--typecode=2:8200",
    "--new=3:0:+4M",
    "--new=4:0:+4M",
];

fn disk() -> Outcome<Disk> {
    let disk = Disk::blank(32)?;
    disk.with_large_sectors("sgdisk", PARTITION)?;
    Ok(disk)
}

fn check(disk: &Disk) -> Outcome<String> {
    let said = disk.with_large_sectors("sgdisk", &["--verify", "--print"])?;
    if said.contains("No problems found") && !said.contains("arning") {
        Ok(said)
    } else {
        Err(said.into())
    }
}

#[test]
fn a_type_is_changed() -> Outcome {
    let disk = disk()?;
    disk.apply(&set_type(&disk.bytes()?, B4096, 2, 0x83)?)?;
    let said = check(&disk)?;
    assert_eq!(said.matches("8300").count(), 3, "{said}");
    assert!(!said.contains("8200"), "{said}");
    Ok(())
}

#[test]
fn a_boot_image_is_whole() -> Outcome {
    let disk = disk()?;
    let boot = plan(&disk.bytes()?, B4096, 3)?;
    assert_eq!(boot.kept, [1, 3]);
    let mut image = disk.bytes()?;
    image.truncate(usize::try_from(boot.sectors.to_bytes().get())?);
    let image = Disk::of(&image)?;
    image.apply(&boot.patches)?;
    let said = check(&image)?;
    assert!(said.contains("8300") && said.contains("EF00") && !said.contains("8200"), "{said}");
    Ok(())
}
