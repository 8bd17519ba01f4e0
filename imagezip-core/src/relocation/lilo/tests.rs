//! LILO's structures are built here from docs/format.md, at any place; an image that was made at
//! one place and loaded at another must hold what is built for that place.
use super::super::tests::{imaged, loaded, sector, slice_at};
use super::*;
use crate::ndz::{Reloc, RelocType};
use crate::partition::{MbrType, PartitionKind};
use crate::relocation::find;
use crate::sector::{Bytes, Sector};
use alloc::vec;
use proptest::prelude::*;

const LINUX: PartitionKind = PartitionKind::Mbr(MbrType::LINUX);

/// How many sectors the partition has.
const LEN: u32 = 400;

/// LILO on a partition: what is where, counted from the partition's start.
#[derive(Clone, Debug)]
struct Lilo {
    /// The device byte of all addresses: the form.
    device: u8,
    /// The command line's sector. The descriptor table begins at the next one.
    command_line: u32,
    message: Option<u32>,
    second_stage: Vec<u32>,
    /// For each image the sectors of its initial RAM disk and of its kernel.
    images: Vec<(Option<Vec<u32>>, Vec<u32>)>,
    /// Where map sectors go.
    maps_at: u32,
}

impl Lilo {
    fn sample(device: u8) -> Self {
        let images = vec![
            (None, (100..110).collect()),
            // Three map sectors: 101 addresses and a link each.
            (Some((120..130).collect()), (130..380).collect()),
            (None, (3..104).collect()),
            (Some(vec![99]), (3..105).collect()),
        ];
        let second_stage = (50..58).collect();
        Self { device, command_line: 60, message: Some(70), second_stage, images, maps_at: 75 }
    }

    fn address(&self, sector: u32) -> [u8; 5] {
        let [low, middle, high, highest] = sector.to_le_bytes();
        let long = self.device & 0x70 == 0x30 || self.device & 0x70 == 0x10;
        [low, middle, self.device, high, if long { highest } else { 1 }]
    }

    /// Puts the chain of map sectors for `sectors` on the disk; gives the first one.
    fn map(&self, disk: &mut [u8], start: u32, free: &mut u32, sectors: &[u32]) -> u32 {
        let first = *free;
        for (i, part) in sectors.chunks(101).enumerate() {
            let at = *free as usize * 512;
            *free += 1;
            disk[at..at + 512].fill(0);
            let more = (i + 1) * 101 < sectors.len();
            let link = more.then_some(*free);
            for (j, target) in part.iter().copied().chain(link).enumerate() {
                disk[at + 5 * j..][..5].copy_from_slice(&self.address(start + target));
            }
        }
        first
    }

    /// The partition when it begins at sector `start` of the disk.
    fn at(&self, start: u32) -> Vec<u8> {
        let mut disk = vec![0x5a; LEN as usize * 512];
        let address = |sector| self.address(start + sector);
        let boot = &mut disk[..512];
        boot[..120].fill(0);
        boot[6..10].copy_from_slice(b"LILO");
        boot[10] = 1;
        boot[24..29].copy_from_slice(&address(self.command_line + 1));
        boot[29..34].copy_from_slice(&address(self.command_line + 2));
        boot[34..39].copy_from_slice(&address(self.command_line));
        boot[47..52].copy_from_slice(&address(self.command_line + 4));
        // The message has an address in any case; it only counts if there is a message.
        boot[42..47].copy_from_slice(&[9, 9, self.device, 9, 9]);
        if let Some(message) = self.message {
            boot[40] = 7;
            boot[42..47].copy_from_slice(&address(message));
        }
        for (place, sector) in boot[52..].chunks_mut(5).zip(&self.second_stage) {
            place.copy_from_slice(&address(*sector));
        }
        let mut table = [0; 1024];
        let mut free = self.maps_at;
        for (i, (initrd, kernel)) in self.images.iter().enumerate() {
            let place = 2 + 52 * i;
            table[place..place + 16].fill(b'a');
            if let Some(initrd) = initrd {
                table[place + 32] = 200;
                let map = self.map(&mut disk, start, &mut free, initrd);
                table[place + 36..place + 41].copy_from_slice(&address(map));
            }
            let map = self.map(&mut disk, start, &mut free, kernel);
            table[place + 41..place + 46].copy_from_slice(&address(map));
        }
        let words = table.chunks(2).map(|word| u16::from_le_bytes([word[0], word[1]]));
        let sum = words.fold(0xabcd, |sum, word| sum ^ word);
        table[..2].copy_from_slice(&sum.to_le_bytes());
        disk[(self.command_line as usize + 1) * 512..][..1024].copy_from_slice(&table);
        disk
    }
}

#[test]
fn lilo_moves_with_its_partition() {
    for device in [0xc0, 0xe0 & !0x40, 0xa0 | 0x10, 0x10] {
        let lilo = Lilo::sample(device);
        let disk = lilo.at(2048);
        let fixups = find(&disk, LINUX, sector(2048)).unwrap();
        assert_eq!(fixups.notes, [""; 0]);
        let image = imaged(&disk, &fixups);
        assert_eq!(image, lilo.at(0), "form {device:#x}");
        for part in [1, 7, 400] {
            let (moved, adjusted) =
                loaded(&image, &fixups.relocs, slice_at(5_000_000, LEN), part).unwrap();
            assert!(moved == lilo.at(5_000_000), "form {device:#x}");
            assert!(adjusted.notes().is_empty());
        }
    }
}

#[test]
fn relocations_are_in_order() {
    let fixups = find(&Lilo::sample(0x40).at(2048), LINUX, sector(2048)).unwrap();
    let places = fixups.relocs.iter().map(|reloc| (reloc.sector, reloc.offset, reloc.size));
    assert!(places.is_sorted());
    let count = |kind| fixups.relocs.iter().filter(|reloc| reloc.kind == kind).count();
    assert_eq!(count(RelocType::LILO_CHECKSUM), 1);
    assert_eq!(count(RelocType::LILO_MAP), 1 + 1 + 3 + 1 + 1 + 2);
    // Table, command line, key table, message, second stage; a kernel each and two RAM disks.
    assert_eq!(count(RelocType::LILO_ADDRESS), 4 + 1 + 8 + 4 + 2);
    let checksum = fixups.relocs.iter().find(|reloc| reloc.kind == RelocType::LILO_CHECKSUM);
    assert_eq!(
        checksum,
        Some(&Reloc { kind: RelocType::LILO_CHECKSUM, sector: sector(62), offset: 478, size: 2 })
    );
}

#[test]
fn images_share_map_sectors() {
    let mut lilo = Lilo::sample(0x40);
    lilo.images.truncate(2);
    let mut disk = lilo.at(100);
    // The second image gets the first one's kernel.
    let table = 61 * 512;
    let start = disk[table + 2 + 41..][..5].to_vec();
    disk[table + 54 + 41..][..5].copy_from_slice(&start);
    let mut sealed: [u8; 1024] = disk[table..][..1024].try_into().unwrap();
    seal(&mut sealed);
    disk[table..][..1024].copy_from_slice(&sealed);
    let fixups = find(&disk, LINUX, sector(100)).unwrap();
    let maps = fixups.relocs.iter().filter(|reloc| reloc.kind == RelocType::LILO_MAP).count();
    assert_eq!(maps, 2);
    let (back, _) = loaded(&imaged(&disk, &fixups), &fixups.relocs, slice_at(100, LEN), 9).unwrap();
    assert!(back == disk);
}

/// A partition with LILO and a change: no relocations, and a note if LILO is recognised.
fn spoiled(noted: bool, spoil: impl Fn(&mut [u8])) {
    let mut disk = Lilo::sample(0x40).at(2048);
    spoil(&mut disk);
    let fixups = find(&disk, LINUX, sector(2048)).unwrap();
    assert!(fixups.relocs.is_empty() && fixups.patches.is_empty());
    assert_eq!(fixups.notes.len(), usize::from(noted), "{:?}", fixups.notes);
}

#[test]
fn what_is_not_understood_is_imaged_as_it_is() {
    const MAP: usize = 75 * 512;
    spoiled(false, |disk| disk[6] = b'l');
    spoiled(false, |disk| disk[10] = 2);
    spoiled(true, |disk| disk[24] ^= 1); // the table is elsewhere
    spoiled(true, |disk| disk[26] = 0x80); // by geometry
    spoiled(true, |disk| disk[47..52].fill(0)); // no key table
    spoiled(true, |disk| disk[61 * 512 + 700] ^= 1); // checksum
    spoiled(true, |disk| disk[MAP + 3] = 1); // beyond the partition
    spoiled(true, |disk| disk[MAP..MAP + 2].copy_from_slice(&[0, 7])); // before it
    spoiled(true, |disk| disk[MAP..MAP + 2].copy_from_slice(&[0, 8])); // its first sector
    spoiled(true, |disk| disk[MAP + 2] = 0);
    let lilo = Lilo::sample(0x40).at(2048);
    let other = PartitionKind::Mbr(MbrType::FREEBSD);
    assert!(find(&lilo, other, sector(2048)).unwrap().relocs.is_empty());
    assert!(find(&lilo[..511].to_vec(), LINUX, sector(2048)).unwrap().relocs.is_empty());
    assert!(find(&lilo[..62 * 512].to_vec(), LINUX, sector(2048)).unwrap().relocs.is_empty());
}

#[test]
fn map_sectors_in_a_circle_end() {
    let lilo = Lilo { images: vec![(None, (130..380).collect())], ..Lilo::sample(0x40) };
    let mut disk = lilo.at(2048);
    // The second map sector links to the first.
    disk[76 * 512 + 5 * 101..][..5].copy_from_slice(&lilo.address(2048 + 75));
    let fixups = find(&disk, LINUX, sector(2048)).unwrap();
    let maps = fixups.relocs.iter().filter(|reloc| reloc.kind == RelocType::LILO_MAP).count();
    assert_eq!(maps, 2);
    // To the descriptor table, which is no map sector.
    disk[76 * 512 + 5 * 101..][..5].copy_from_slice(&lilo.address(2048 + 61));
    assert_eq!(find(&disk, LINUX, sector(2048)).unwrap().notes.len(), 1);
}

#[test]
fn addresses_have_limits() {
    let lilo = Lilo::sample(0x40);
    let disk = lilo.at(0);
    let relocs = find(&disk, LINUX, sector(0)).unwrap().relocs;
    let error = loaded(&disk, &relocs, slice_at(1 << 24, LEN), 400).unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooLarge(Limit::LiloAddress));
    let error = loaded(&disk, &relocs, slice_at(2048, 50), 400).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::LiloAddress));
    // On a whole disk nothing is to be done.
    assert!(loaded(&disk, &relocs, Placement::default(), 400).unwrap().0 == disk);
    // A chunk that has only half of the table.
    let error = loaded(&disk[..62 * 512], &relocs, slice_at(2048, LEN), 400).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::RelocData));
}

#[test]
fn an_address_by_geometry_stays() {
    let image = vec![1; 1024];
    let relocs = [(RelocType::LILO_ADDRESS, 5), (RelocType::LILO_MAP, 512)];
    let relocs = relocs.map(|(kind, size)| Reloc { kind, sector: sector(0), offset: 509, size });
    let (moved, adjusted) = loaded(&image, &relocs, slice_at(64, 64), 1).unwrap();
    assert_eq!(moved, image);
    assert_eq!(adjusted.notes().len(), 1);
}

proptest! {
    #[test]
    fn an_image_at_the_same_place_is_the_same(
        form in 0..8_u8,
        command_line in 1..60_u32,
        message in prop::option::of(1..LEN),
        second_stage in prop::collection::vec(1..LEN, 0..11),
        images in prop::collection::vec(
            (prop::option::of(prop::collection::vec(1..LEN, 0..250)), prop::collection::vec(1..LEN, 1..250)),
            0..20,
        ),
        start in 0..8000_u32,
    ) {
        let device = 0x80 | form << 4;
        let images = images.into_iter().take(19).collect();
        let lilo = Lilo { device, command_line, message, second_stage, images, maps_at: 70 };
        let disk = lilo.at(start);
        let fixups = find(&disk, LINUX, sector(start)).unwrap();
        prop_assert_eq!(fixups.relocs.is_empty(), form == 0);
        let image = imaged(&disk, &fixups);
        if form != 0 {
            prop_assert!(image == lilo.at(0));
        }
        let (back, _) = loaded(&image, &fixups.relocs, slice_at(start, LEN), 16).unwrap();
        prop_assert!(back == disk);
    }

    #[test]
    fn damaged_structures_never_panic(
        damage in prop::collection::vec((0..120_usize * 512, any::<u8>()), 0..20),
        boot in prop::collection::vec((24..107_usize, any::<u8>()), 0..2),
        start: u32,
        sealed: bool,
    ) {
        let mut disk = Lilo::sample(0xf0).at(start % (1 << 31));
        for (at, byte) in damage.into_iter().chain(boot) {
            disk[at] = byte;
        }
        if sealed {
            let mut table: [u8; 1024] = disk[61 * 512..63 * 512].try_into().unwrap();
            seal(&mut table);
            disk[61 * 512..63 * 512].copy_from_slice(&table);
        }
        let start = Sector::from_u32(start % (1 << 31));
        let fixups = find(&disk, LINUX, start).unwrap();
        let image = imaged(&disk, &fixups);
        let _ = loaded(&image, &fixups.relocs, slice_at(77, LEN), 100);
        prop_assert!(fixups.patches.iter().all(|patch| patch.at < Bytes(u64::from(LEN) * 512)));
    }
}
