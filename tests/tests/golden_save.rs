//! The golden disks are saved again, and what comes out is compared with what the reference made,
//! where the reference is right (golden/README.md).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::AtomicU64;

use imagezip_core::allocation::{DiskMap, LEAST_FREE, Selection};
use imagezip_core::digest::{Digest, HashType};
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::Image;
use imagezip_core::pipeline::{Hashing, SingleThread, hash_image};
use imagezip_core::sector::{SectorCount, SectorRange};
use imagezip_core::signature::{HashBlockSize, Signature};
use swapmfs_tests::disk::{Made, bytes_of, filled, filled_but, load, map, map_of, save};
use swapmfs_tests::golden::Case;

/// The entries of a signature without the numbers of chunks, which depend on the compressor.
fn entries(signature: &Signature) -> Vec<(SectorRange, Digest)> {
    signature.iter().map(|entry| (entry.range, entry.digest)).collect()
}

fn signature_of(image: &Vec<u8>, hash_type: HashType, block: HashBlockSize) -> Signature {
    let how = Hashing { hash_type, block, ..Hashing::default() };
    hash_image(&SingleThread, &Image::open(image).unwrap(), how, &AtomicU64::new(0)).unwrap()
}

/// How the reference was called.
#[derive(Clone, Copy)]
struct How {
    selection: Selection,
    least_free: SectorCount,
    /// What the names of the files have before `.ndz` and `.sig`.
    part: &'static str,
}

const PLAIN: How = How { selection: Selection::WholeDisk, least_free: LEAST_FREE, part: "" };

/// Loading an image gives the sectors of `extents` what they hold in `area`, and touches no
/// others.
fn assert_holds(image: &[u8], extents: &ExtentSet, area: &[u8], about: &str) {
    let mut loaded = filled(area.len());
    assert_eq!(&load(image, &mut loaded).unwrap(), extents, "{about}: extents");
    assert!(loaded == filled_but(extents, area), "{about}: content");
}

/// Each chunk's description begins where the one before ended; the last ends with the image.
fn assert_tiles(image: &[u8], sectors: SectorCount, about: &str) {
    let word = |chunk: &[u8], at: usize| u32::from_le_bytes(chunk[at..at + 4].try_into().unwrap());
    let mut end = 0;
    for chunk in image.chunks(1 << 20) {
        assert_eq!(word(chunk, 24), end, "{about}: a chunk's first sector");
        end = word(chunk, 28);
    }
    assert_eq!(u64::from(end), sectors.get(), "{about}: size of the image");
}

/// A disk that was scanned and saved whole, equal to the reference's image of it.
struct Full {
    disk: Vec<u8>,
    map: DiskMap,
    made: Made,
}

impl Full {
    /// The bytes that the image is about.
    fn area(&self) -> &[u8] {
        &self.disk[bytes_of(self.map.area)]
    }
}

fn check_full(case: &Case, state: &str, image: Option<&str>, how: How) -> Full {
    let about = format!("{}/{state}", case.name());
    let disk = case.disk(&format!("{state}.img")).unwrap();
    let map = map(&disk, how.selection, how.least_free).unwrap();
    let made = save(&disk, &map, None).unwrap();
    let full = Full { disk, map, made };
    if let Some(image) = image {
        let golden = case.image(image).unwrap();
        assert_eq!(full.map.in_use, golden.extents, "{about}: extents that the scan found");
        assert_eq!(full.map.sectors(), golden.sectors, "{about}: size");
        assert_tiles(&golden.file, golden.sectors, &about);
    }
    assert_holds(&full.made.image, &full.map.in_use, full.area(), &about);
    assert_tiles(&full.made.image, full.map.sectors(), &about);
    full
}

/// Base, mod and the deltas between them, as the reference made them.
fn check_exact(name: &str, how: How) {
    let case = Case::open(name).unwrap();
    let file = |stem: &str, kind: &str| format!("{stem}{}.{kind}", how.part);
    let base = check_full(&case, "base", Some(&file("base", "ndz")), how);
    let golden = case.image(&file("base", "ndz")).unwrap();
    let ours = &base.made.saved.signature;
    // Only a signature of this kind joins the parts of a hash block in two chunks, as ours do.
    if case.has("base.U.sig") && !case.file("base.U.sig").unwrap().is_empty() {
        assert_eq!(
            entries(ours),
            entries(&case.signature("base.U.sig").unwrap()),
            "{name}: signature"
        );
    }
    let expected = signature_of(&golden.file, HashType::Sha1, HashBlockSize::DEFAULT);
    assert_eq!(entries(ours), entries(&expected), "{name}: signature of base.ndz");

    let image = Some(file("mod", "ndz")).filter(|image| case.has(image));
    let full = check_full(&case, "mod", image.as_deref(), how);
    let whole = image.map_or_else(|| full.made.image.clone(), |image| case.file(&image).unwrap());
    let delta = case.image(&file("delta", "ndz")).unwrap();
    let signatures = [file("base", "sig"), "base.md5.sig".to_owned(), "base.v1.sig".to_owned()];
    let signatures = signatures.iter().filter(|signature| case.has(signature));
    for (about, base) in signatures.map(|file| (file.as_str(), case.signature(file).unwrap())) {
        let about = format!("{name}: delta from {about}");
        let made = save(&full.disk, &full.map, Some(&base)).unwrap();
        assert_holds(&made.image, &delta.extents, full.area(), &about);
        assert_eq!(made.image.is_empty(), delta.file.is_empty(), "{about}");
        if !made.image.is_empty() {
            assert_tiles(&made.image, delta.sectors, &about);
        }
        let expected = signature_of(&whole, base.hash_type(), base.block());
        assert_eq!(entries(&made.saved.signature), entries(&expected), "{about}: signature");
    }
}

macro_rules! exact {
    ($($test:ident $name:literal $how:expr;)*) => {
        $(
            #[test]
            fn $test() {
                check_exact($name, $how);
            }
        )*
    };
}

exact! {
    formats_is_saved_as_the_reference_does "formats" PLAIN;
    multichunk_is_saved_as_the_reference_does "multichunk" PLAIN;
    // `-F 0`.
    manyregions_is_saved_as_the_reference_does "manyregions" How { least_free: SectorCount::ZERO, ..PLAIN };
    shrunk_is_saved_as_the_reference_does "shrunk" PLAIN;
    truncfile_is_saved_as_the_reference_does "truncfile" PLAIN;
    a_partition_is_saved_as_the_reference_does "slicemode"
        How { selection: Selection::Partition(2), part: ".s2", ..PLAIN };
    nothing_changed_and_the_delta_is_an_empty_file "nochange" PLAIN;
    fat16_is_saved_as_the_reference_does "mbr-fat16" PLAIN;
    fat32_is_saved_as_the_reference_does "mbr-fat32-lba" PLAIN;
    an_esp_is_saved_as_the_reference_does "gpt-esp-ext4-swap" PLAIN;
    ufs2_in_a_gpt_is_saved_as_the_reference_does "gpt-ufs2" PLAIN;
    ufs2_in_a_slice_is_saved_as_the_reference_does "mbr-ufs2-rel" PLAIN;
}

#[test]
fn options_is_saved_as_the_reference_does() {
    let case = Case::open("options").unwrap();
    check_full(&case, "base", Some("o.ndz"), PLAIN);
}

/// `-F 0` and `-F 1` are the same: every free range is left out.
#[test]
fn no_free_range_is_too_short_for_f0() {
    let disk = Case::open("manyregions").unwrap().disk("base.img").unwrap();
    let in_use =
        |least| map(&disk, Selection::WholeDisk, SectorCount::from_u32(least)).unwrap().in_use;
    assert_eq!(in_use(0), in_use(1));
    assert!(in_use(1).extent_count() > in_use(64).extent_count());
}

/// A disk and a file of which the reference makes images, but no deltas.
#[test]
fn deltas_of_what_is_all_in_use() {
    for name in ["wholedev-raw", "filemode"] {
        let case = Case::open(name).unwrap();
        let base = case.signature("base.sig").unwrap();
        check_full(&case, "base", Some("base.ndz"), PLAIN);
        let image = Some("mod.ndz").filter(|image| case.has(image));
        let full = check_full(&case, "mod", image, PLAIN);
        let made = save(&full.disk, &full.map, Some(&base)).unwrap();
        let fresh = signature_of(&full.made.image, base.hash_type(), base.block());
        let (old, fresh) = (entries(&base), entries(&fresh));
        let changed = fresh.iter().filter(|entry| !old.contains(entry));
        let changed: ExtentSet = changed.map(|(range, _)| *range).collect();
        assert!(!changed.is_empty() && changed != full.map.in_use, "{name}");
        assert_holds(&made.image, &changed, full.area(), name);
        assert_eq!(entries(&made.saved.signature), fresh, "{name}");
    }
}

/// The signatures of the reference's deltas tell what it found unchanged: the entries that are in
/// the base's signature, too.
#[test]
fn deltas_by_hash_blocks_of_all_sizes() {
    let case = Case::open("multichunk").unwrap();
    let full = check_full(&case, "mod", Some("mod.ndz"), PLAIN);
    let golden = case.image("mod.ndz").unwrap();
    let expected_by = |part: &str| {
        let old = entries(&case.signature(&format!("base{part}.sig")).unwrap());
        let after = entries(&case.signature(&format!("delta{part}.sig")).unwrap());
        let same = after.into_iter().filter(|entry| old.contains(entry));
        golden.extents.difference(&same.map(|(range, _)| range).collect())
    };
    assert_eq!(expected_by(""), case.image("delta.ndz").unwrap().extents);
    for (part, sectors) in
        [(".b512", 1), (".b4096", 8), (".b1048576", 2048), (".b33554432", 65_536)]
    {
        let base = case.signature(&format!("base{part}.sig")).unwrap();
        assert_eq!(base.block().sectors(), sectors);
        let made = save(&full.disk, &full.map, Some(&base)).unwrap();
        assert_holds(&made.image, &expected_by(part), full.area(), part);
        let expected = signature_of(&golden.file, HashType::Sha1, base.block());
        assert_eq!(entries(&made.saved.signature), entries(&expected), "{part}");
    }
}

/// Takes the allocation from the reference's image `full`, whatever the file system, and compares
/// deltas from its signatures with its deltas: pairs of their files.
fn check_deltas(case: &Case, mut disk: Vec<u8>, full: &str, pairs: &[[&str; 2]]) {
    let full = case.image(full).unwrap();
    let before = disk.clone();
    load(&full.file, &mut disk).unwrap();
    // With `-Z` the reference saves zeros for some of what is free; and the disklabel of a slice
    // with other offsets than those on the disk. All else comes from the disk.
    let has_other_data = ["ext4-F8-Z", "slicemode"].contains(&case.name());
    assert!(disk == before || has_other_data, "{}: another disk's image", case.name());

    let map = map_of(full.extents, full.sectors);
    for [base, delta] in pairs {
        let about = format!("{}: {delta} from {base}", case.name());
        let delta = case.image(delta).unwrap();
        let made = save(&disk, &map, Some(&case.signature(base).unwrap())).unwrap();
        assert_holds(&made.image, &delta.extents, &disk, &about);
    }
}

#[test]
fn deltas_of_given_extents_are_those_of_the_reference() {
    let mut compared = 0;
    for name in Case::names().unwrap() {
        let case = Case::open(&name).unwrap();
        let pairs = [
            ["base.sig", "delta.ndz"],
            ["base.md5.sig", "delta.md5.ndz"],
            ["base.v1.sig", "delta.v1.ndz"],
        ];
        let pairs = pairs.into_iter().filter(|pair| pair.iter().all(|file| case.has(file)));
        let pairs = pairs.collect::<Vec<_>>();
        if case.has("mod.ndz") && !pairs.is_empty() {
            check_deltas(&case, case.disk("mod.img").unwrap(), "mod.ndz", &pairs);
            compared += pairs.len();
        }
    }
    assert!(compared >= 50, "only {compared}");
}

/// A slice that holds a FreeBSD disklabel, a file system in another, and a slice elsewhere.
#[test]
fn deltas_of_partitions_are_those_of_the_reference() {
    let case = Case::open("slicemode").unwrap();
    for (state, slot, part) in [("mod", 0, "s1"), ("mod", 1, "s2"), ("mod.r", 0, "r")] {
        let mut disk = case.disk(&format!("{state}.img")).unwrap();
        let start = u32::from_le_bytes(disk[446 + 16 * slot + 8..][..4].try_into().unwrap());
        disk.drain(..start as usize * 512);
        let (base, delta) = (format!("base.{part}.sig"), format!("delta.{part}.ndz"));
        check_deltas(&case, disk, &format!("mod.{part}.ndz"), &[[&base, &delta]]);
    }
}

/// The second has a signature with free sectors for its base, the third one without.
#[test]
fn deltas_of_a_chain_are_those_of_the_reference() {
    let case = Case::open("gapsig-chain").unwrap();
    let (second, third) = (case.disk("s2.img").unwrap(), case.disk("mod.img").unwrap());
    check_deltas(&case, second, "s2.ndz", &[["base.sig", "delta2.ndz"]]);
    let pairs = [["s2.sig", "delta3.ndz"], ["s2full.sig", "delta3ok.ndz"]];
    check_deltas(&case, third, "mod.ndz", &pairs);
}
