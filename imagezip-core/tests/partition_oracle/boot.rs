use imagezip_core::allocation::{Options, Selection, scan};
use imagezip_core::device::{ReadAt, Window};
use imagezip_core::error::{ErrorKind, IncompatibleKind};
use imagezip_core::extent::ExtentSet;
use imagezip_core::overlay::Overlay;
use imagezip_core::partition::LogicalSectorSize;
use imagezip_core::partition::boot::{BootImage, plan};
use imagezip_core::sector::{Sector, SectorCount, SectorRange};

use crate::tools::{Disk, Outcome};

const B512: LogicalSectorSize = LogicalSectorSize::B512;

/// Two EFI system partitions, one for a boot loader, and others between and after them.
const GPT: &str = "label: gpt\n\
    size=1M, type=21686148-6449-6E6F-744E-656564454649\n\
    size=2M, type=U\nsize=4M, type=S\nsize=8M, type=L\nsize=1M, type=U\nsize=16M, type=L\n";
const MBR: &str = "label: dos\nsize=2M, type=82\nsize=4M, type=83, bootable\nsize=1M, type=ef\n\
    size=16M, type=5\nsize=2M, type=83\n";

/// A boot image, loaded to a disk of its size whose other sectors are full of `5A`.
fn loaded(disk: &Vec<u8>, boot: &BootImage) -> Outcome<(Vec<u8>, ExtentSet)> {
    let part = Window::new(disk, SectorRange::first(boot.sectors)).ok_or("larger than its disk")?;
    let image = Overlay::new(&part, boot.patches.clone(), ExtentSet::new());
    let options = Options { unused: Some(&boot.unused), ..Options::new(B512) };
    let map = scan(&image, Selection::WholeDisk, options)?;
    assert_eq!(map.sectors(), boot.sectors);
    let mut out = vec![0x5a; usize::try_from(boot.sectors.to_bytes().get())?];
    for extent in &map.in_use {
        let from = usize::try_from(extent.start().to_bytes().get())?;
        let to = usize::try_from(extent.end().to_bytes().get())?;
        image.read_sectors(extent.start(), &mut out[from..to])?;
    }
    Ok((out, map.in_use))
}

fn start_of(line: &str) -> Outcome<usize> {
    let start = line.split(['=', ',']).nth(1).ok_or("no start")?;
    Ok(start.trim().parse()?)
}

/// Fills every partition with its number.
fn mark(disk: &Disk) -> Outcome<Vec<u8>> {
    let mut bytes = disk.bytes()?;
    for (number, line) in (1..).zip(disk.dump()?) {
        let at = start_of(&line)? * 512;
        if !line.contains("type=5") {
            bytes[at..at + 8192].fill(number);
        }
    }
    Ok(bytes)
}

#[test]
fn a_gpt_that_tools_find_no_fault_with() -> Outcome {
    let disk = Disk::partitioned(64, GPT)?;
    let (before, bytes) = (disk.dump()?, mark(&disk)?);
    let boot = plan(&bytes, B512, 4)?;
    assert_eq!(boot.kept, [1, 2, 4, 5]);
    let (image, in_use) = loaded(&bytes, &boot)?;
    let kept = Disk::of(&image)?;
    kept.check(true)?;
    let lines = [0, 1, 3, 4].map(|index| before[index].clone());
    assert_eq!(kept.dump()?, lines);
    for (number, line) in [1, 2, 4, 5].into_iter().zip(&lines) {
        assert_eq!(image[start_of(line)? * 512], number);
    }
    // The image ends with the backup of the table right behind the last partition.
    assert_eq!(boot.sectors.get(), (1 + 1 + 2 + 4 + 8 + 1) * 2048 + 33);
    // What is dropped is not there.
    let dropped = start_of(&before[2])?;
    let first = Sector::new(u64::try_from(dropped)?).ok_or("far")?;
    let first = SectorRange::with_len(first, SectorCount::from_u32(1)).ok_or("far")?;
    assert!(!in_use.contains(first));
    assert_eq!(image[dropped * 512], 0x5a);
    Ok(())
}

#[test]
fn a_gpt_whose_primary_copy_is_damaged() -> Outcome {
    let disk = Disk::partitioned(64, GPT)?;
    let whole = plan(&disk.bytes()?, B512, 4)?;
    let mut bytes = disk.bytes()?;
    bytes[512 + 17] ^= 1;
    let boot = plan(&bytes, B512, 4)?;
    assert_eq!(boot, whole);
    Disk::of(&loaded(&bytes, &boot)?.0)?.check(true)
}

#[test]
fn a_hybrid_mbr_keeps_what_stays() -> Outcome {
    let disk = Disk::partitioned(64, GPT)?;
    disk.program("sgdisk", &["--hybrid=4:6"], "")?;
    let bytes = disk.bytes()?;
    let boot = plan(&bytes, B512, 4)?;
    let (image, _) = loaded(&bytes, &boot)?;
    let count =
        |disk: &[u8], kind| disk[446..510].chunks(16).filter(|entry| entry[4] == kind).count();
    assert_eq!([count(&bytes, 0x83), count(&image, 0x83), count(&image, 0xee)], [2, 1, 1]);
    Disk::of(&image)?.program("sgdisk", &["--verify"], "").map(|_| ())
}

#[test]
fn an_mbr_without_the_partitions_that_go() -> Outcome {
    let disk = Disk::partitioned(64, MBR)?;
    let (before, bytes) = (disk.dump()?, mark(&disk)?);
    let boot = plan(&bytes, B512, 2)?;
    assert_eq!(boot.kept, [2, 3]);
    assert_eq!(boot.sectors.get(), (1 + 2 + 4 + 1) * 2048);
    let (image, _) = loaded(&bytes, &boot)?;
    let kept = Disk::of(&image)?;
    kept.check(false)?;
    assert_eq!(kept.dump()?, before[1..3]);
    assert_eq!(image[start_of(&before[1])? * 512], 2);
    assert_eq!(image[start_of(&before[0])? * 512], 0x5a);
    // The boot loader before the first partition.
    assert!(image[..446] == bytes[..446] && image[512..2048 * 512] == bytes[512..2048 * 512]);
    Ok(())
}

#[test]
fn what_boots_nothing() -> Outcome {
    let gpt = Disk::partitioned(64, GPT)?.bytes()?;
    let mbr = Disk::partitioned(64, MBR)?.bytes()?;
    let refused = Err(ErrorKind::Incompatible(IncompatibleKind::BootRoot));
    for (disk, root) in [(&gpt, 1), (&gpt, 2), (&mbr, 3), (&mbr, 5)] {
        assert_eq!(plan(disk, B512, root).map_err(|error| error.kind), refused, "{root}");
    }
    assert!(plan(&gpt, B512, 7).is_err());
    assert!(plan(&vec![0; 1 << 20], B512, 1).is_err());
    Ok(())
}
