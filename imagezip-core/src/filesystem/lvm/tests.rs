//! Physical volumes built by hand. Those that lvm2 makes are in `fixtures`.

use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::filesystem::{Verdict, examine};

const UUID: &str = "Tv9AnP-Xdc3-7Tow-zCfr-Wz1V-kgHN-ahJEOK";
/// Where the extents begin, in sectors, how many sectors one has, and how many they are.
const START: usize = 128;
const EXTENT: usize = 16;
const EXTENTS: usize = 20;

/// The checksum, bit by bit.
fn slow_crc(bytes: &[u8]) -> u32 {
    let mut crc = 0xf597_a6cf_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    crc
}

fn put(device: &mut [u8], at: usize, bytes: &[u8]) {
    device[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A physical volume of 256 KiB.
struct Volume {
    /// What is in the section of the volume group before its volumes.
    group: String,
    physical: String,
    /// The sections of logical volumes.
    logical: String,
    /// Start and length in bytes of the metadata areas, with the sequence number of the text.
    areas: Vec<(usize, usize, u32)>,
    /// Where in its area the text begins.
    text_at: usize,
}

impl Default for Volume {
    fn default() -> Self {
        Self {
            group: "status = [\"RESIZEABLE\", \"READ\", \"WRITE\"]\nflags = []\n".into(),
            physical: "status = [\"ALLOCATABLE\"]\nflags = []\n".into(),
            logical: String::new(),
            areas: vec![(4096, 32768, 7)],
            text_at: 1024,
        }
    }
}

impl Volume {
    fn of(logical: &[String]) -> Self {
        Self { logical: logical.concat(), ..Self::default() }
    }

    fn text(&self, sequence: u32) -> String {
        let Self { group, physical, logical, .. } = self;
        format!(
            "vg0 {{\nid = \"one\"\nseqno = {sequence}\nformat = \"lvm2\"\n{group}\nextent_size = {EXTENT}\n\
             physical_volumes {{\npv0 {{\nid = \"{UUID}\"\n{physical}\npe_start = {START}\n\
             pe_count = {EXTENTS}\n}}\npv1 {{ id = \"another\" }}\n}}\nlogical_volumes {{\n{logical}\n}}\n}}\n\
             # made by hand\ncontents = \"Text Format Volume Group\"\nversion = 1\n"
        )
    }

    fn build(&self) -> Vec<u8> {
        let mut device = vec![0; 256 << 10];
        let mut label = [0; 512];
        put(&mut label, 0, b"LABELONE\x01\0\0\0\0\0\0\0\0\0\0\0\x20\0\0\0LVM2 001");
        put(&mut label, 32, UUID.replace('-', "").as_bytes());
        put(&mut label, 64, &(256_u64 << 10).to_le_bytes());
        put(&mut label, 72, &(START as u64 * 512).to_le_bytes());
        let mut at = 72 + 32;
        for (start, len, sequence) in &self.areas {
            put(&mut label, at, &(*start as u64).to_le_bytes());
            put(&mut label, at + 8, &(*len as u64).to_le_bytes());
            at += 16;
            self.area(&mut device[*start..*start + *len], *start, *sequence);
        }
        put(&mut label, at + 16, &[2, 0, 0, 0, 1]);
        let checksum = slow_crc(&label[20..]);
        put(&mut label, 16, &checksum.to_le_bytes());
        put(&mut device, 512, &label);
        device
    }

    fn area(&self, area: &mut [u8], start: usize, sequence: u32) {
        let len = area.len();
        put(area, 4, b" LVM2 x[5A%r0N*>\x01\0\0\0");
        put(area, 24, &(start as u64).to_le_bytes());
        put(area, 32, &(len as u64).to_le_bytes());
        if sequence > 0 {
            let text = self.text(sequence);
            put(area, 40, &(self.text_at as u64).to_le_bytes());
            put(area, 48, &(text.len() as u64).to_le_bytes());
            put(area, 56, &slow_crc(text.as_bytes()).to_le_bytes());
            let (first, rest) = text.as_bytes().split_at(text.len().min(len - self.text_at));
            put(area, self.text_at, first);
            put(area, 512, rest);
        }
        seal(area);
    }
}

fn seal(area: &mut [u8]) {
    let checksum = slow_crc(&area[4..512]);
    put(area, 0, &checksum.to_le_bytes());
}

const PLAIN: &str = "status = [\"READ\", \"WRITE\", \"VISIBLE\"]\nflags = []";

fn volume(name: &str, head: &str, segments: &[&str]) -> String {
    let mut text = format!("{name} {{ id = \"x\" {head} segment_count = {}\n", segments.len());
    for (segment, number) in segments.iter().zip(1..) {
        text += &format!("segment{number} {{ {segment} }}\n");
    }
    text + "}\n"
}

fn linear(at: u32, len: u32, place: u32) -> String {
    format!(
        "start_extent = {at} extent_count = {len} type = \"striped\" stripe_count = 1 \
         stripes = [ \"pv0\", {place} ]"
    )
}

/// The extents that are free, and the verdicts about the parts.
fn free(device: &Vec<u8>) -> (Vec<usize>, Vec<String>) {
    let examined = examine(device, None).unwrap();
    assert_eq!(examined.verdict, Verdict::Aware(FilesystemKind::Lvm));
    let free = examined.in_use.complement(device.sectors());
    let extents = free.iter().flat_map(|range| {
        let sectors = range.start().get()..range.end().get();
        sectors.map(|sector| (usize::try_from(sector).unwrap() - START) / EXTENT)
    });
    let mut extents: Vec<_> = extents.collect();
    assert!(extents.len().is_multiple_of(EXTENT) && extents.iter().all(|extent| *extent < EXTENTS));
    extents.dedup();
    let parts = examined.parts.iter();
    (extents, parts.map(|part| format!("{} {}", part.name, part.verdict)).collect())
}

fn raw(volume: &Volume) -> String {
    raw_device(&volume.build())
}

fn raw_device(device: &Vec<u8>) -> String {
    let examined = examine(device, None).unwrap();
    assert_eq!(examined.in_use, ExtentSet::from(device.sectors()));
    examined.verdict.to_string()
}

#[test]
fn extents_of_no_volume_are_free() {
    let all: Vec<_> = (0..EXTENTS).collect();
    assert_eq!(free(&Volume::default().build()), (all, vec![]));
    let volumes = [
        volume("root", PLAIN, &[&linear(0, 3, 4)]),
        volume("home", PLAIN, &[&linear(2, 2, 12), &linear(0, 2, 9)]),
    ];
    let (extents, parts) = free(&Volume::of(&volumes).build());
    assert_eq!(extents, [0, 1, 2, 3, 7, 8, 11, 14, 15, 16, 17, 18, 19]);
    assert_eq!(parts, ["root raw(unknown)", "home raw(unknown)"]);
}

/// Swap space in pieces, the last one first: its sectors after the 64th are free.
#[test]
fn what_is_on_a_linear_volume_is_looked_at() {
    let volumes = [volume("swap", PLAIN, &[&linear(0, 3, 8), &linear(3, 2, 0), &linear(5, 1, 6)])];
    let mut device = Volume::of(&volumes).build();
    let first = (START + 8 * EXTENT) * 512;
    put(&mut device, first + 4086, b"SWAPSPACE2");
    put(&mut device, first + 1024, &[1, 0, 0, 0, 11, 0, 0, 0]);
    let (extents, parts) = free(&device);
    assert_eq!(parts, ["swap aware(swap)"]);
    let others = (1..8).chain(11..20).filter(|extent| *extent != 0);
    assert_eq!(extents, others.collect::<Vec<_>>());
    let examined = examine(&device, None).unwrap();
    assert_eq!(examined.parts[0].size.get(), 6 * EXTENT as u64);
    assert_eq!(examined.parts[0].in_use.get(), 64);
}

#[test]
fn volumes_of_other_kinds_are_in_use() {
    let whole = |segment: &str| format!("start_extent = 0 {segment}");
    let volumes = [
        volume("a", PLAIN, &[&linear(0, 1, 0)]),
        volume("cow", PLAIN, &[&linear(0, 1, 1)]),
        volume(
            "snapshot0",
            PLAIN,
            &[&whole(
                "extent_count = 1 type = \"snapshot\" chunk_size = 8 origin = \"a\" cow_store = \"cow\"",
            )],
        ),
        volume(
            "striped",
            PLAIN,
            &[&whole(
                "extent_count = 4 type = \"striped\" stripe_count = 2 stripe_size = 8 \
             stripes = [\"pv0\", 2, \"pv0\", 4]",
            )],
        ),
        volume(
            "far",
            PLAIN,
            &[
                &linear(0, 1, 6),
                &whole(
                    "extent_count = 2 type = \"striped\" stripe_count = 1 stripes = [\"pv1\", 0]",
                )
                .replace("= 0 ", "= 1 "),
            ],
        ),
        volume(
            "pvmove0",
            "status = [\"READ\", \"WRITE\", \"PVMOVE\", \"LOCKED\"]",
            &[&whole(
                "extent_count = 1 type = \"mirror\" mirror_count = 2 extents_moved = 0 \
             mirrors = [\"pv0\", 7, \"pv0\", 8]",
            )],
        ),
        volume("pool_tdata", "status = [\"READ\", \"WRITE\"]", &[&linear(0, 1, 9)]),
        volume(
            "pool",
            PLAIN,
            &[&whole(
                "extent_count = 1 type = \"thin-pool\" metadata = \"pool_tmeta\" pool = \"pool_tdata\"",
            )],
        ),
        volume("spare", "status = [\"READ\", \"WRITE\"]", &[&linear(0, 1, 10)]),
        volume("r_rimage_0", PLAIN, &[&linear(0, 1, 11)]),
        volume(
            "r",
            PLAIN,
            &[&whole(
                "extent_count = 1 type = \"raid1\" device_count = 2 \
             raids = [\"r_rmeta_0\", \"r_rimage_0\", \"r_rmeta_1\", \"r_rimage_1\"]",
            )],
        ),
        volume("new", "status = [\"READ\", \"VISIBLE\", \"TWISTED\"]", &[&linear(0, 1, 12)]),
        volume("key", PLAIN, &[&(linear(0, 1, 13) + " twist = 1")]),
        volume("flag", "status = [\"VISIBLE\"] flags = [\"TWISTED\"]", &[&linear(0, 1, 14)]),
        volume("zero", PLAIN, &[&whole("extent_count = 5 type = \"zero\"")]),
        volume(
            "pv0",
            "status = [\"READ\", \"VISIBLE\"] flags = [\"ACTIVATION_SKIP\"]",
            &[&linear(0, 1, 15)],
        ),
    ];
    let (extents, parts) = free(&Volume::of(&volumes).build());
    assert_eq!(extents, [16, 17, 18, 19]);
    assert_eq!(
        parts,
        [
            "a raw(snapshot or its origin)",
            "cow raw(snapshot or its origin)",
            "striped raw(stripes)",
            "far raw(on several physical volumes)",
            "pvmove0 raw(hidden logical volume)",
            "pool_tdata raw(part of a thin pool)",
            "spare raw(hidden logical volume)",
            "r_rimage_0 raw(part of LVM RAID)",
            "new raw(logical volume with unknown flags)",
            "key raw(part of another logical volume)",
            "flag raw(logical volume with unknown flags)",
            "pv0 raw(unknown)",
        ]
    );
}

#[test]
fn metadata_that_cannot_be() {
    let contradiction = "raw(corrupt: LVM metadata contradict themselves)";
    let logical = |volumes: &[String]| raw(&Volume::of(volumes));
    let one = |segment: &str| logical(&[volume("a", PLAIN, &[segment])]);
    let twice = [volume("a", PLAIN, &[&linear(0, 2, 0)]), volume("b", PLAIN, &[&linear(0, 2, 1)])];
    assert_eq!(logical(&twice), contradiction, "extents in two volumes");
    let named = [volume("a", PLAIN, &[&linear(0, 2, 0)]), volume("a", PLAIN, &[&linear(0, 2, 2)])];
    assert_eq!(logical(&named), contradiction, "two of a name");
    assert_eq!(one(&linear(0, 2, 19)), contradiction, "beyond the last extent");
    assert_eq!(one(&linear(1, 2, 0)), contradiction, "does not begin at 0");
    assert_eq!(one(&linear(0, 0, 0)), contradiction, "an empty segment");
    assert_eq!(one(&linear(0, u32::MAX, u32::MAX)), contradiction);
    assert_eq!(one(&linear(0, 2, 0).replace("\"pv0\", 0", "\"pv0\"")), contradiction);
    assert_eq!(one(&linear(0, 2, 0).replace("count = 1", "count = 0")), contradiction);
    assert_eq!(one(&linear(0, 2, 0).replace("count = 1", "count = 2")), contradiction);
    let counted = volume("a", PLAIN, &[&linear(0, 2, 0)]).replace("count = 1\n", "count = 2\n");
    assert_eq!(logical(&[counted]), contradiction, "a segment is missing");
    assert_eq!(
        one("start_extent = 0 extent_count = 1 type = \"new\" things = [\"pv0\", 3]"),
        "raw(not supported: LVM logical volume of an unknown kind)"
    );
}

#[test]
fn groups_that_are_not_this_machines_alone() {
    let unusual = "raw(not supported: LVM volume group that is exported, shared or incomplete)";
    for group in [
        "status = [\"RESIZEABLE\", \"READ\", \"WRITE\", \"EXPORTED\"]",
        "status = [\"READ\"] lock_type = \"sanlock\"",
        "status = [\"READ\"] flags = [\"TWISTED\"]",
        "status = [\"READ\"] other_volumes { }",
    ] {
        assert_eq!(raw(&Volume { group: group.into(), ..Volume::default() }), unusual);
    }
    for physical in ["flags = [\"MISSING\"]", "status = [\"ALLOCATABLE\", \"EXPORTED\"]"] {
        assert_eq!(raw(&Volume { physical: physical.into(), ..Volume::default() }), unusual);
    }
    let known = "status = [\"READ\"] lock_type = \"none\" system_id = \"me\" max_lv = 0\n\
                 historical_logical_volumes { }";
    free(&Volume { group: known.into(), ..Volume::default() }.build());
}

#[test]
fn the_newest_text_counts() {
    let volumes = [volume("a", PLAIN, &[&linear(0, 4, 0)])];
    let areas = vec![(4096, 32768, 7), (240 << 10, 16384, 9)];
    let both = Volume { areas: areas.clone(), ..Volume::of(&volumes) };
    assert_eq!(free(&both.build()).0, (4..20).collect::<Vec<_>>());
    let mut old = Volume { areas, ..Volume::default() }.build();
    let newer = both.build();
    put(&mut old, 240 << 10, &newer[240 << 10..]);
    assert_eq!(free(&old).0, (4..20).collect::<Vec<_>>());
    // An area without a text yet.
    let empty = Volume { areas: vec![(4096, 8192, 0), (16384, 16384, 9)], ..Volume::of(&volumes) };
    assert_eq!(free(&empty.build()).0, (4..20).collect::<Vec<_>>());
    // Over the end of the ring.
    for text_at in [31700, 32767, 32768] {
        let ring = Volume { text_at, ..Volume::of(&volumes) };
        assert_eq!(free(&ring.build()).0, (4..20).collect::<Vec<_>>());
    }
}

#[test]
fn metadata_elsewhere_or_changing() {
    let elsewhere =
        "raw(not supported: LVM physical volume whose metadata are only on other disks)";
    assert_eq!(raw(&Volume { areas: vec![], ..Volume::default() }), elsewhere);
    assert_eq!(raw(&Volume { areas: vec![(4096, 8192, 0)], ..Volume::default() }), elsewhere);
    let with = |at: usize, byte: u8| {
        let mut device = Volume::default().build();
        device[4096 + at] = byte;
        seal(&mut device[4096..8192]);
        raw_device(&device)
    };
    assert_eq!(with(60, 1), elsewhere);
    let changing = "raw(not supported: LVM metadata that were being changed)";
    assert_eq!((with(60, 2), with(64, 1)), (changing.to_string(), changing.to_string()));
    assert!(with(20, 2).contains("unknown format version"));
    assert!(with(25, 1).contains("contradict themselves"), "start");
    assert!(with(41, 1).contains("contradict themselves"), "text in the header");
    assert!(with(46, 1).contains("contradict themselves"), "text beyond the area");
    assert!(with(51, 1).contains("too large"));
    assert!(with(56, 1).contains("wrong checksum"));
}

#[test]
fn damage_makes_all_of_it_raw() {
    let device = Volume::default().build();
    let at = |at: usize| {
        let mut device = device.clone();
        device[at] ^= 4;
        raw_device(&device)
    };
    let checksum = "raw(corrupt: wrong checksum of LVM's label or metadata";
    for place in [512 + 16, 512 + 40, 512 + 511, 4096, 4096 + 300, 4096 + 1024 + 99] {
        assert!(at(place).starts_with(checksum), "{place}: {}", at(place));
    }
    let mut two = device.clone();
    two.copy_within(512..1024, 1024);
    assert_eq!(raw_device(&two), "raw(corrupt: LVM label contradicts itself at byte 0)");
    let mut moved = device.clone();
    moved.copy_within(512..1024, 0);
    moved[512..1024].fill(0);
    assert_eq!(raw_device(&moved), "raw(corrupt: LVM label contradicts itself at byte 0)");
}

/// A physical volume that was made, but given to no group.
#[test]
fn a_volume_without_a_group_is_free() {
    let mut device = Volume { areas: vec![(4096, 8192, 0)], ..Volume::default() }.build();
    device[512 + 72 + 64 + 4] = 0;
    let checksum = slow_crc(&device[532..1024]);
    put(&mut device, 528, &checksum.to_le_bytes());
    let examined = examine(&device, None).unwrap();
    assert_eq!(
        examined.in_use.as_slice(),
        [SectorRange::first(crate::sector::SectorCount::from_u32(128))]
    );
}

/// A physical volume on a logical volume, in pieces, of another one.
#[test]
fn layers_in_layers() {
    let inner = Volume::of(&[volume("a", PLAIN, &[&linear(0, 4, 0)])]).build();
    let len = u32::try_from(inner.len() / 512 / EXTENT).unwrap();
    let outer = |inner: &[u8]| {
        // More extents than the volumes above have, and they are there.
        let text = volume("in", PLAIN, &[&linear(0, 8, 40), &linear(8, len - 8, 2)]);
        let outer = Volume::of(&[text]);
        let mut device = outer.build();
        device.resize((START + 60 * EXTENT) * 512, 0);
        let patched = Volume { physical: outer.physical.clone(), ..outer };
        let text = patched.text(7).replace("pe_count = 20", "pe_count = 60");
        put(&mut device, 4096 + 1024, text.as_bytes());
        put(&mut device, 4096 + 56, &slow_crc(text.as_bytes()).to_le_bytes());
        seal(&mut device[4096..8192]);
        let at = |extent: usize| (START + extent * EXTENT) * 512;
        put(&mut device, at(40), &inner[..8 * EXTENT * 512]);
        put(&mut device, at(2), &inner[8 * EXTENT * 512..]);
        device
    };
    let device = outer(&inner);
    let examined = examine(&device, None).unwrap();
    let inside = &examined.parts[0];
    assert_eq!(inside.verdict, Verdict::Aware(FilesystemKind::Lvm));
    assert_eq!(inside.parts[0].verdict, Verdict::Raw(RawReason::Unknown));
    // The 16 free extents of the inner one, and those of the outer one that have no volume.
    let free = examined.in_use.complement(device.sectors()).sector_count().get();
    assert_eq!(free, u64::from(16 + 60 - len) * EXTENT as u64);
}

proptest! {
    #[test]
    fn text_with_other_bytes(places in prop::collection::vec((0..1_000_usize, any::<u8>()), 1..6)) {
        let volumes = [
            volume("a", PLAIN, &[&linear(0, 4, 0)]),
            volume("b", PLAIN, &[&linear(0, 4, 4), &linear(4, 2, 12)]),
        ];
        let volume = Volume::of(&volumes);
        let mut device = volume.build();
        let len = volume.text(7).len();
        for (place, byte) in places {
            device[5120 + place % len] = byte;
        }
        let checksum = slow_crc(&device[5120..5120 + len]);
        put(&mut device, 4096 + 56, &checksum.to_le_bytes());
        seal(&mut device[4096..8192]);
        let examined = examine(&device, None).unwrap();
        let outside = SectorRange::new(Sector::ZERO, Sector::from_u32(128)).unwrap();
        prop_assert!(examined.in_use.contains(outside));
    }
}
