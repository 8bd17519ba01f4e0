use super::*;
use crate::od::parse;
use crate::partition::read;
use proptest::prelude::*;

const MBR: &str = include_str!("../fixtures/mbr.od");
const GPT: &str = include_str!("../fixtures/gpt.od");
const GPT_4096: &str = include_str!("../fixtures/gpt-4096.od");

/// The image that results, or rather the disk of its size.
fn cut(disk: &[u8], boot: &BootImage) -> Vec<u8> {
    let mut image = disk[..usize::try_from(boot.sectors.to_bytes().get()).unwrap()].to_vec();
    for patch in &boot.patches {
        let at = usize::try_from(patch.at.get()).unwrap();
        image[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
    image
}

#[test]
fn with_sectors_of_4096_bytes() {
    let size = LogicalSectorSize::B4096;
    let disk = parse(GPT_4096);
    let before = read(&disk, size).unwrap().unwrap();
    let root = &before.partitions[1];
    let boot = plan(&disk, size, root.number).unwrap();
    let mut image = cut(&disk, &boot);
    assert_eq!(boot.sectors.get(), root.range.end().get() + (4 + 1) * 8);
    let after = read(&image, size).unwrap().unwrap();
    assert!(after.notes.is_empty(), "{:?}", after.notes);
    assert_eq!(after.find(root.number), Some(root));
    // The backup copy does as well.
    image[4096..8192].fill(0);
    let backup = read(&image, size).unwrap().unwrap();
    assert_eq!(backup.find(root.number).unwrap().range, root.range);
    assert_eq!(backup.notes.len(), 1, "{:?}", backup.notes);
}

#[test]
fn beyond_32_bits_a_protective_mbr_says_as_much_as_it_can() {
    let disk = parse(GPT);
    let table = read(&disk, LogicalSectorSize::B512).unwrap().unwrap();
    let plan = Plan {
        device: &disk,
        size: LogicalSectorSize::B512,
        kept: table.partitions.iter().collect(),
        first: Sector::ZERO,
        end: Sector::ZERO,
    };
    let len = |blocks| {
        let patch = plan.protective_mbr(blocks).unwrap();
        u32::from_le_bytes(patch.bytes[458..462].try_into().unwrap())
    };
    assert_eq!(len(5000), 4999);
    // The disk's own size is less than that.
    assert_eq!(len(1 << 33), 8191);
    let mut disk = disk.clone();
    disk[458..462].fill(0xff);
    let plan = Plan { device: &disk, ..plan };
    let patch = plan.protective_mbr(1 << 33).unwrap();
    assert_eq!(patch.bytes[458..462], [0xff; 4]);
}

proptest! {
    #[test]
    fn whatever_the_table_says_patches_stay_inside_the_image(
        changes in prop::collection::vec((0_usize..4096, any::<u8>(), any::<bool>()), 0..4),
        is_gpt: bool,
        root in 0_u32..10,
    ) {
        let mut disk = parse(if is_gpt { GPT } else { MBR });
        for (at, value, from_end) in changes {
            let at = if from_end { disk.len() - 1 - at } else { at };
            disk[at] = value;
        }
        if let Ok(boot) = plan(&disk, LogicalSectorSize::B512, root) {
            prop_assert!(boot.sectors <= disk.sectors().len());
            let image = cut(&disk, &boot);
            let table = read(&image, LogicalSectorSize::B512).unwrap().unwrap();
            let kept: Vec<u32> = table.partitions.iter().map(|part| part.number).collect();
            prop_assert_eq!(kept, boot.kept);
        }
    }
}
