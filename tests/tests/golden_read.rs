//! Images and signatures that the reference programs made are read as they meant them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Read;
use std::sync::atomic::AtomicU64;

use imagezip_core::codec::{Compressor, Decompressor, Piece};
use imagezip_core::digest::HashType;
use imagezip_core::error::{CorruptKind, ErrorKind, IncompatibleKind};
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::{Format, Image, ImageWriter, RelocType};
use imagezip_core::pipeline::{Hashing, Joining, hash_device, hash_image};
use imagezip_core::sector::{Sector, SectorCount, SectorRange};
use imagezip_core::signature::{HashBlockSize, Signature, Version, cut};
use imagezip_tools::host::Threads;
use swapmfs_tests::golden::Case;

macro_rules! cases {
    ($($test:ident $name:literal)*) => {
        const CASES: &[&str] = &[$($name),*];
        $(
            #[test]
            fn $test() {
                check_case($name);
            }
        )*
    };
}

cases! {
    ext4_1k "ext4-1k"
    ext4_64bit_1k "ext4-64bit-1k"
    ext4_f0 "ext4-F0"
    ext4_f8_z "ext4-F8-Z"
    ext4_bigalloc "ext4-bigalloc"
    ext4_deleted "ext4-deleted"
    ext4_metabg "ext4-metabg"
    ext4_noflexbg "ext4-noflexbg"
    ext4_uninitbg "ext4-uninitbg"
    filemode "filemode"
    formats "formats"
    gapsig_chain "gapsig-chain"
    gpt_esp_ext4_swap "gpt-esp-ext4-swap"
    gpt_ufs2 "gpt-ufs2"
    manyregions "manyregions"
    mbr_ext2_logical_ext3 "mbr-ext2-logical-ext3"
    mbr_ext4_64bit_only "mbr-ext4-64bit-only"
    mbr_ext4_swap "mbr-ext4-swap"
    mbr_ext4def_swap "mbr-ext4def-swap"
    mbr_fat16 "mbr-fat16"
    mbr_fat16_4ksec "mbr-fat16-4ksec"
    mbr_fat32_lba "mbr-fat32-lba"
    mbr_ntfs "mbr-ntfs"
    mbr_ufs2_rel "mbr-ufs2-rel"
    multichunk "multichunk"
    nochange "nochange"
    options "options"
    shrunk "shrunk"
    slicemode "slicemode"
    smallswap "smallswap"
    truncfile "truncfile"
    wholedev_ext4 "wholedev-ext4"
    wholedev_raw "wholedev-raw"
}

#[test]
fn no_case_is_forgotten() {
    let mut tested = CASES.to_vec();
    tested.sort_unstable();
    assert_eq!(Case::names().unwrap(), tested);
}

fn check_case(name: &str) {
    let case = Case::open(name).unwrap();
    let (mut images, mut signatures) = (0, 0);
    for file in case.files() {
        if file.strip_suffix(".ndz").is_some() {
            images += 1;
            check_image(&case, file);
        } else if file.strip_suffix(".sig").is_some() {
            signatures += 1;
            check_signature(&case, file);
        }
    }
    // The reference refused the other disks.
    let commands = case.manifest()["commands"].as_array().unwrap();
    if commands.iter().any(|command| command["rc"] == 0) {
        assert!(images > 0, "{name}: no images were found");
        assert!(signatures > 0 || name == "options", "{name}: no signatures were found");
    }
}

/// What an image holds: where, and a disk full of 0x5A to which it was restored.
struct Restored {
    extents: ExtentSet,
    size: SectorCount,
    relocated: ExtentSet,
    disk: Vec<u8>,
}

const FILLING: u8 = 0x5a;

fn restore(bytes: &Vec<u8>) -> Result<Restored, ErrorKind> {
    let image = Image::open(bytes).map_err(|error| error.kind)?;
    let size = image.sectors().map_err(|error| error.kind)?;
    let mut disk = vec![FILLING; byte_at(SectorRange::first(size).end())];
    let (extents, relocated) = restore_onto(bytes, &mut disk)?;
    Ok(Restored { extents, size, relocated, disk })
}

/// Restores an image over what is on a disk; the extents of its data and of its disklabels.
fn restore_onto(bytes: &Vec<u8>, disk: &mut [u8]) -> Result<(ExtentSet, ExtentSet), ErrorKind> {
    let image = Image::open(bytes).map_err(|error| error.kind)?;
    let (mut scratch, mut chunks) = (Decompressor::new(), image.chunks());
    let (mut extents, mut relocated) = (ExtentSet::new(), Vec::new());
    while let Some(chunk) = chunks.next_chunk().map_err(|error| error.kind)? {
        let mut got = ExtentSet::new();
        let result = chunk.decode(&mut scratch, &mut |start, data| {
            assert!(!data.is_empty() && data.len() % 512 == 0);
            disk[byte_at(start)..][..data.len()].copy_from_slice(data);
            got.push(sectors(start, data.len()));
            Ok(())
        });
        result.map_err(|error| error.kind)?;
        assert_eq!(got, chunk.regions().collect(), "data for other sectors than the regions");
        extents.extend(chunk.regions());
        for reloc in chunk.relocs() {
            if reloc.kind == RelocType::FREEBSD_DISKLABEL {
                relocated.push(sectors(reloc.sector, 512));
            }
        }
    }
    assert_eq!(extents, image.extents().unwrap());
    Ok((extents, ExtentSet::from_unsorted(relocated)))
}

fn byte_at(sector: Sector) -> usize {
    usize::try_from(sector.to_bytes().get()).unwrap()
}

fn sectors(start: Sector, bytes: usize) -> SectorRange {
    SectorRange::with_len(start, SectorCount::new(bytes as u64 / 512).unwrap()).unwrap()
}

/// The sectors of `extents` in which two disks differ.
fn differing(extents: &ExtentSet, one: &[u8], other: &[u8]) -> usize {
    let bytes = extents.iter().flat_map(|extent| byte_at(extent.start())..byte_at(extent.end()));
    bytes.step_by(512).filter(|at| one[*at..][..512] != other[*at..][..512]).count()
}

/// The disk that the image was made of, from the image's first sector on.
fn source(case: &Case, file: &str) -> Option<Vec<u8>> {
    let state = match file.split('.').next()? {
        "base" | "o" | "nochange" => "base",
        "s2" | "delta2" => "s2",
        // Without a signature, data that were freed since stay in.
        "undelta-nosig" => return None,
        _ => "mod",
    };
    let part = file.split('.').find(|part| matches!(*part, "r" | "rN" | "s1" | "s2"));
    let disk = match part {
        Some("r" | "rN") => format!("{state}.r.img"),
        _ => format!("{state}.img"),
    };
    let mut bytes = case.file(&disk).unwrap();
    let slot = match part {
        Some("s1" | "r" | "rN") if case.name() == "slicemode" => Some(0),
        Some("s2") if case.name() == "slicemode" => Some(1),
        _ => None,
    };
    if let Some(slot) = slot {
        let start = bytes[446 + 16 * slot + 8..][..4].try_into().unwrap();
        bytes.drain(..u32::from_le_bytes(start) as usize * 512);
    }
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    Some(bytes)
}

fn check_image(case: &Case, file: &str) {
    let name = format!("{}/{file}", case.name());
    let bytes = case.file(file).unwrap();
    let restored = restore(&bytes);
    if name == "formats/base.enc.ndz" {
        let expected = ErrorKind::Incompatible(IncompatibleKind::Encrypted);
        assert_eq!(restored.err(), Some(expected), "{name}");
        return;
    }
    if name == "smallswap/base.ndz" {
        let expected = ErrorKind::Corrupt(CorruptKind::RegionOrder);
        assert_eq!(restored.err(), Some(expected), "{name}");
        return;
    }
    let restored = restored.unwrap_or_else(|error| panic!("{name}: {error}"));
    check_headers(&name, &bytes, restored.size);
    if let Some(disk) = source(case, file) {
        let plain = restored.extents.difference(&restored.relocated);
        let wrong = differing(&plain, &restored.disk, &disk);
        if case.name() == "ext4-F8-Z" {
            // Small free ranges became zeros.
            let zeros = vec![0; disk.len()];
            let nonzero = differing(&plain, &restored.disk, &zeros);
            assert!(wrong + nonzero <= differing(&plain, &disk, &zeros), "{name}: {wrong}");
        } else {
            assert_eq!(wrong, 0, "{name}: sectors differ from the disk");
        }
    }
    check_rewriting(&name, &bytes, &restored);
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..][..4].try_into().unwrap())
}

/// Looks at headers without the code under test.
fn check_headers(name: &str, bytes: &[u8], size: SectorCount) {
    let mut end = 0;
    for (number, chunk) in bytes.chunks(1 << 20).enumerate() {
        assert_eq!(u32_at(chunk, 8), u32::try_from(number).unwrap(), "{name}: chunk number");
        if chunk[0] == 0x69 {
            continue;
        }
        assert_eq!(
            u32_at(chunk, 24),
            end,
            "{name}: chunk {number} doesn't begin at the last's end"
        );
        end = u32_at(chunk, 28);
    }
    if bytes.first().is_some_and(|version| *version != 0x69) {
        assert_eq!(u64::from(end), size.get(), "{name}: size of the image");
    }
}

/// Writes what an image holds again, and reads that in two ways.
fn check_rewriting(name: &str, bytes: &[u8], restored: &Restored) {
    let mut written = Vec::new();
    let mut writer = ImageWriter::new(&mut written, Format::V3);
    let (mut compressor, mut piece) = (Compressor::default(), Piece::new());
    let mut extents = Vec::new();
    let mut data = Vec::new();
    let block = HashBlockSize::new(200).unwrap();
    for part in restored.extents.iter().flat_map(|extent| cut(extent, block)) {
        extents.push(part);
        data.extend(&restored.disk[byte_at(part.start())..byte_at(part.end())]);
        if data.len() > 64 * 1024 || extents.len() == 5 {
            compressor.compress(&data, &mut piece);
            writer.push(&extents, &[], &piece).unwrap();
            extents.clear();
            data.clear();
        }
    }
    compressor.compress(&data, &mut piece);
    writer.push(&extents, &[], &piece).unwrap();
    let report = writer.finish(restored.size).unwrap();

    assert_eq!(written.len(), usize::try_from(report.chunks).unwrap() << 20);
    assert_eq!(written.is_empty(), bytes.is_empty(), "{name}");
    assert_eq!(report.sectors, restored.extents.sector_count());
    let again = restore(&written).unwrap_or_else(|error| panic!("{name} written again: {error}"));
    assert_eq!(again.extents, restored.extents, "{name} written again");
    assert_eq!(again.size, restored.size, "{name} written again");
    assert!(again.disk == restored.disk, "{name} written again");
    check_headers(name, &written, restored.size);

    let mut payload = 0;
    for (number, chunk) in written.chunks(1 << 20).enumerate() {
        let (first, last) = (u32_at(chunk, 24), u32_at(chunk, 28));
        let number = u32::try_from(number).unwrap();
        let chunk_of = |sector| report.map.chunk_of(Sector::from_u32(sector));
        assert_eq!((chunk_of(first), chunk_of(last - 1)), (Some(number), Some(number)));
        payload += u64::from(u32_at(chunk, 4));
        check_chunk(name, chunk, &restored.disk);
    }
    assert_eq!(report.payload.get(), payload);
}

/// Reads a chunk of version 3 without the code under test.
fn check_chunk(name: &str, chunk: &[u8], disk: &[u8]) {
    let (payload, regions) = (u32_at(chunk, 4) as usize, u32_at(chunk, 20) as usize);
    assert_eq!(u32_at(chunk, 0), 0x6969_696b);
    assert_eq!((u32_at(chunk, 12), u32_at(chunk, 16), u32_at(chunk, 32)), (0, 4096, 0));
    assert!((1..=469).contains(&regions));
    assert!(chunk[36 + 8 * regions..4096].iter().all(|byte| *byte == 0));
    assert!(chunk[4096 + payload..].iter().all(|byte| *byte == 0));
    let mut data = Vec::new();
    let mut decoder = flate2::read::ZlibDecoder::new(&chunk[4096..4096 + payload]);
    decoder.read_to_end(&mut data).unwrap();
    assert_eq!(decoder.total_in(), payload as u64, "{name}: length of the payload");
    let mut data = data.as_slice();
    let mut end = None;
    for region in chunk[36..][..8 * regions].chunks(8) {
        let (start, size) = (u32_at(region, 0) as usize, u32_at(region, 4) as usize);
        assert!(size > 0 && end.is_none_or(|end| start > end), "{name}: regions touch");
        let (here, rest) = data.split_at(size * 512);
        assert!(here == &disk[start * 512..][..size * 512], "{name}: data at {start}");
        (data, end) = (rest, Some(start + size));
    }
    assert!(data.is_empty());
}

fn check_signature(case: &Case, file: &str) {
    let name = format!("{}/{file}", case.name());
    let bytes = case.file(file).unwrap();
    let read = Signature::read(&bytes).map_err(|error| error.kind);
    let expected_error = match (name.as_str(), bytes.len()) {
        (_, 0) => Some(ErrorKind::Truncated),
        // The signature of an image with overlapping regions.
        ("smallswap/base.sig", _) => Some(ErrorKind::Corrupt(CorruptKind::SignatureOrder)),
        _ => None,
    };
    if expected_error.is_some() {
        assert_eq!(read.err(), expected_error, "{name}");
        return;
    }
    let signature = read.unwrap_or_else(|error| panic!("{name}: {error}"));
    // The end of a file that is not a whole number of sectors.
    let remainder = usize::from(name == "filemode/base.r.sig");
    assert_eq!(signature.len() + remainder, (bytes.len() - 32) / 32, "{name}");
    assert_eq!(usize::from(signature.remainder().is_some()), remainder, "{name}");

    let version = if file == "base.v1.sig" { Version::V1 } else { Version::V2 };
    let mut expected = bytes;
    if signature.hash_type() == HashType::Md5 {
        // The reference leaves rubbish behind short digests.
        expected[32..].chunks_mut(32).for_each(|entry| entry[28..].fill(0));
    }
    let mut written = Vec::new();
    signature.write_as(version, &mut written).unwrap();
    assert!(written == expected, "{name} is not what it was after reading and writing");
}

fn encode(signature: &Signature) -> Vec<u8> {
    let mut bytes = Vec::new();
    signature.write(&mut bytes).unwrap();
    bytes
}

#[test]
fn signatures_of_images_are_the_same_bytes() {
    let workers = Threads::all_cpus();
    let mut compared = 0;
    for name in CASES {
        let case = Case::open(name).unwrap();
        for file in case.files().into_iter().filter(|file| file.strip_suffix(".sig").is_some()) {
            let Some((image, hash_type, sectors, joining)) = made_of(name, file) else { continue };
            let bytes = case.file(&image).unwrap();
            let block = HashBlockSize::new(sectors).unwrap();
            let image = Image::open(&bytes).unwrap();
            let how = Hashing { hash_type, block, joining, skip_relocated: false };
            let signature = hash_image(&workers, &image, how, &AtomicU64::new(0)).unwrap();
            assert!(encode(&signature) == case.file(file).unwrap(), "{name}/{file}");
            compared += 1;
        }
    }
    assert!(compared > 90, "only {compared}");
}

#[test]
fn the_signature_of_a_plain_file_is_the_same_bytes() {
    let case = Case::open("filemode").unwrap();
    let (file, block) = (case.file("base.img").unwrap(), HashBlockSize::DEFAULT);
    let workers = Threads::all_cpus();
    let signature = hash_device(&workers, &file, HashType::Sha1, block, &AtomicU64::new(0));
    assert!(encode(&signature.unwrap()) == case.file("base.r.sig").unwrap());
}

/// What a signature of the reference was made of: image, digest, sectors in a block, joining.
fn made_of(case: &str, file: &str) -> Option<(String, HashType, u32, Joining)> {
    let (stem, kind) =
        file.strip_suffix(".sig")?.split_once('.').unwrap_or((file.strip_suffix(".sig")?, ""));
    let (sha1, chunks) = (HashType::Sha1, Joining::Chunks);
    let image = match stem {
        "base" | "mod" => format!("{stem}.ndz"),
        "s2full" => "s2.ndz".to_owned(),
        _ => return None,
    };
    Some(match kind {
        "" if case != "smallswap" => (image, sha1, 128, chunks),
        "N" => (image, sha1, 128, chunks),
        "md5" => (image, HashType::Md5, 128, chunks),
        // The reference makes an empty signature of a raw device.
        "U" if case == "wholedev-raw" => return None,
        "U" | "X" => (image, sha1, 128, Joining::Blocks),
        "b512" => (image, sha1, 1, chunks),
        "b4096" => (image, sha1, 8, chunks),
        "b1048576" => (image, sha1, 2048, chunks),
        "b33554432" => (image, sha1, 65_536, chunks),
        "s1" | "s2" => (format!("base.{kind}.ndz"), sha1, 128, chunks),
        "r" if case == "slicemode" => ("base.r.ndz".to_owned(), sha1, 128, chunks),
        _ => return None,
    })
}

/// Restores images one over the other, and counts the wrong sectors as the manifest does.
fn wrong_after(case: &Case, images: &[&str]) -> usize {
    let disk = case.file("mod.img").unwrap();
    let mut restored = vec![FILLING; disk.len()];
    for image in images {
        restore_onto(&case.file(image).unwrap(), &mut restored).unwrap();
    }
    let full = case.file("mod.ndz").unwrap();
    let extents = Image::open(&full).unwrap().extents().unwrap();
    differing(&extents, &restored, &disk)
}

#[test]
fn base_and_delta_are_the_disk() {
    let mut compared = 0;
    for name in CASES {
        let case = Case::open(name).unwrap();
        let check = &case.manifest()["checks"]["base+delta"];
        let Some(expected) = check["bad sectors within full image ranges 0x5A-filled"].as_u64()
        else {
            continue;
        };
        let wrong = wrong_after(&case, &["base.ndz", "delta.ndz"]);
        assert_eq!(wrong as u64, expected, "{name}");
        compared += 1;
    }
    assert!(compared >= 15, "only {compared}");
}

/// The reference's fault that our signatures must not have.
#[test]
fn a_chain_over_a_signature_of_free_sectors_is_wrong() {
    let case = Case::open("gapsig-chain").unwrap();
    assert_eq!(wrong_after(&case, &["base.ndz", "delta2.ndz", "delta3.ndz"]), 80);
    assert_eq!(wrong_after(&case, &["base.ndz", "delta2.ndz", "delta3ok.ndz"]), 0);
}
