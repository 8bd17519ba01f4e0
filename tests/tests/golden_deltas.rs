//! The tools that make images of images, with images and signatures that the reference made.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsString;
use std::fs;
use std::process::ExitCode;
use std::sync::atomic::AtomicU64;

use imagezip_core::digest::Digest;
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::{Image, Reloc};
use imagezip_core::pipeline::{Hashing, SingleThread, hash_image};
use imagezip_core::sector::SectorRange;
use imagezip_core::signature::Signature;
use imagezip_tools::commands;
use swapmfs_tests::disk::{filled, filled_but, load};
use swapmfs_tests::golden::Case;
use tempfile::TempDir;

/// A case's files in a directory, to work in.
struct Bench {
    case: Case,
    dir: TempDir,
}

impl Bench {
    fn open(case: &str, files: &[&str]) -> Self {
        let bench = Self { case: Case::open(case).unwrap(), dir: TempDir::new().unwrap() };
        for file in files {
            bench.copy(file, file);
        }
        bench
    }

    fn copy(&self, from: &str, to: &str) {
        fs::write(self.dir.path().join(to), self.case.file(from).unwrap()).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.dir.path().join(name)).unwrap()
    }

    fn image(&self, name: &str) -> Loaded {
        Loaded::new(&self.read(name))
    }

    fn signature(&self, name: &str) -> Vec<(SectorRange, Digest)> {
        entries(&Signature::read(&self.read(name)).unwrap())
    }

    /// Runs a tool in this process; words that don't begin with `-` are names of files here.
    fn run(&self, line: &str) -> ExitCode {
        let mut words = line.split(' ');
        let program = words.next().map(OsString::from);
        let word = |word: &str| -> OsString {
            if word.starts_with('-') { word.into() } else { self.dir.path().join(word).into() }
        };
        commands::main(program.into_iter().chain(words.map(word)))
    }

    fn done(&self, line: &str) {
        assert_eq!(self.run(line), ExitCode::SUCCESS, "{}: {line}", self.case.name());
    }

    fn fails(&self, line: &str, status: u8) {
        assert_eq!(self.run(line), ExitCode::from(status), "{}: {line}", self.case.name());
    }

    /// What loading the images in turn makes.
    fn loaded(&self, names: &[&str]) -> Vec<u8> {
        let size =
            self.case.disk("mod.img").unwrap().len().max(self.case.disk("base.img").unwrap().len());
        let mut disk = filled(size);
        for name in names {
            load(&self.read(name), &mut disk).unwrap();
        }
        disk
    }
}

/// What an image holds.
struct Loaded {
    extents: ExtentSet,
    relocs: Vec<Reloc>,
    sectors: u64,
    version: u32,
}

impl Loaded {
    fn new(file: &[u8]) -> Self {
        let image = Image::open(file).unwrap();
        let (mut relocs, mut version) = (Vec::new(), 0);
        let mut note = |header: &imagezip_core::ndz::ChunkHeader<'_>| {
            relocs.extend(header.relocs());
            version = header.version().number();
            Ok(())
        };
        image.headers(&mut note).unwrap();
        let (extents, sectors) = (image.extents().unwrap(), image.sectors().unwrap().get());
        Self { extents, relocs, sectors, version }
    }
}

/// The entries of a signature without the numbers of chunks, which depend on the compressor.
fn entries(signature: &Signature) -> Vec<(SectorRange, Digest)> {
    signature.iter().map(|entry| (entry.range, entry.digest)).collect()
}

fn signature_of(image: &[u8]) -> Vec<(SectorRange, Digest)> {
    let image = Image::open(image).unwrap();
    let done = AtomicU64::new(0);
    entries(&hash_image(&SingleThread, &image, Hashing::default(), &done).unwrap())
}

/// Two states of a disk, the reference's images of them, and its delta with the full signature.
fn check_pair(name: &str) {
    let bench = Bench::open(name, &["base.ndz", "mod.ndz", "delta.ndz"]);
    bench.copy("base.sig", "base.ndz.sig");
    bench.copy("delta.sig", "delta.ndz.sig");
    let (base, after) = (bench.image("base.ndz"), bench.image("mod.ndz"));
    let state = bench.loaded(&["mod.ndz"]);
    let holds_state = |disk: &[u8], about: &str| {
        let mine = filled_but(&after.extents, disk);
        assert!(mine[..] == filled_but(&after.extents, &state)[..], "{name}: {about}");
    };

    // As fine as imagezip -H, which knows the freed sectors' old data from the disk.
    bench.done("imagedelta --empty base.ndz mod.ndz ours");
    bench.done("imagedelta --empty -S -f -F base.ndz mod.ndz ours-by-signature");
    let theirs = bench.image("delta.ndz");
    for delta in ["ours", "ours-by-signature"] {
        holds_state(&bench.loaded(&["base.ndz", delta]), delta);
        let more = bench.image(delta).extents.difference(&theirs.extents);
        assert!(more.is_empty(), "{name}: {delta} has {more:?} more");
    }
    let full = signature_of(&bench.read("mod.ndz"));
    assert_eq!(bench.signature("ours-by-signature.sig"), full, "{name}");

    // With the signature, what was freed is left out, but for the rest of its hash blocks, which
    // the reference's signatures cover. Without it, all stays.
    bench.done("imageundelta -S -f base.ndz delta.ndz undelta");
    let undelta = bench.image("undelta");
    let blocks = bench.signature("delta.ndz.sig").into_iter().map(|(range, _)| range);
    let held = base.extents.union(&theirs.extents);
    assert_eq!(undelta.extents, blocks.collect::<ExtentSet>().intersection(&held), "{name}");
    assert!(after.extents.difference(&undelta.extents).is_empty(), "{name}");
    assert_eq!(undelta.sectors, after.sectors, "{name}");
    holds_state(&bench.loaded(&["undelta"]), "undelta -S");
    assert_eq!(bench.signature("undelta.sig"), signature_of(&bench.read("undelta")), "{name}");
    bench.done("imageundelta base.ndz delta.ndz union");
    assert_eq!(bench.image("union").extents, held, "{name}");
    assert!(bench.loaded(&["union"]) == bench.loaded(&["base.ndz", "delta.ndz"]), "{name}: union");
    for (golden, ours) in [("undelta.ndz", "undelta"), ("undelta-nosig.ndz", "union")] {
        if bench.case.has(golden) {
            bench.copy(golden, golden);
            assert_eq!(bench.image(golden).extents, bench.image(ours).extents, "{name}: {golden}");
            assert!(bench.loaded(&[golden]) == bench.loaded(&[ours]), "{name}: {golden}");
        }
    }

    bench.done("imagerezip -S mod.ndz rezip");
    let rezip = bench.image("rezip");
    assert_eq!((&rezip.extents, rezip.sectors), (&after.extents, after.sectors), "{name}");
    assert!(bench.loaded(&["rezip"]) == state, "{name}: rezip");
    assert_eq!(bench.signature("rezip.sig"), full, "{name}");

    bench.done("imagerebase --empty -S -f base.ndz ours delta.ndz rebased");
    holds_state(&bench.loaded(&["base.ndz", "rebased"]), "rebased");
}

macro_rules! pairs {
    ($($test:ident $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                check_pair($name);
            }
        )*
    };
}

pairs! {
    multichunk "multichunk",
    formats "formats",
    many_regions "manyregions",
    nothing_changed "nochange",
    fat16 "mbr-fat16",
    gpt "gpt-esp-ext4-swap",
    ext4_with_deletions "ext4-deleted",
    small_free_ranges "ext4-F8-Z",
}

/// The reference's imageundelta aborts with such signatures; and its third delta lacks sectors.
#[test]
fn blocks_from_several_images() {
    let bench = Bench::open(
        "gapsig-chain",
        &["base.ndz", "delta2.ndz", "delta3.ndz", "delta3ok.ndz", "s2.ndz", "mod.ndz"],
    );
    bench.copy("s2.sig", "delta2.ndz.sig");
    bench.copy("s3.sig", "delta3.ndz.sig");
    bench.copy("s3.sig", "delta3ok.ndz.sig");
    let check = |images: &[&str], golden: &str| {
        let extents = bench.image(golden).extents;
        let (ours, theirs) = (bench.loaded(images), bench.loaded(&[golden]));
        assert!(filled_but(&extents, &ours) == filled_but(&extents, &theirs), "{images:?}");
    };
    bench.done("imageundelta -S -f base.ndz delta2.ndz two");
    check(&["two"], "s2.ndz");
    bench.done("imagerezip -V -f two again");
    bench.done("imageundelta -S -f base.ndz delta2.ndz delta3ok.ndz three");
    check(&["three"], "mod.ndz");
    bench.done("imagerebase -S -f base.ndz delta2.ndz delta3ok.ndz delta");
    check(&["base.ndz", "delta"], "mod.ndz");
    // Nobody can know which data are lost, but that some are.
    bench.fails("imageundelta -S -V -f base.ndz delta2.ndz delta3.ndz wrong", 1);

    // Deltas of images are not misled by such signatures: the images don't hold what these cover.
    bench.copy("s2.sig", "s2.ndz.sig");
    bench.done("imagedelta -S -f s2.ndz mod.ndz delta3");
    check(&["base.ndz", "delta2.ndz", "delta3"], "mod.ndz");
}

/// The disklabel's relocation goes where the label goes; the reference's tools lose it.
#[test]
fn relocations_are_kept() {
    let bench = Bench::open("slicemode", &["base.r.ndz", "mod.r.ndz", "delta.r.ndz"]);
    bench.copy("delta.r.sig", "delta.r.ndz.sig");
    let relocs = bench.image("mod.r.ndz").relocs;
    assert_eq!(relocs.len(), 1);
    bench.done("imagerezip mod.r.ndz rezip");
    bench.done("imageundelta -S -f base.r.ndz delta.r.ndz undelta");
    bench.done("imageundelta base.r.ndz delta.r.ndz union");
    for made in ["rezip", "undelta", "union"] {
        assert_eq!(bench.image(made).relocs, relocs, "{made}");
    }
    // The label is the same in both, so it isn't in the delta; what it is in has its relocation.
    bench.done("imagedelta base.r.ndz mod.r.ndz delta");
    let delta = bench.image("delta");
    let has_label = relocs.iter().all(|reloc| delta.extents.contains(reloc.sectors()));
    assert_eq!(delta.relocs, if has_label { relocs.clone() } else { Vec::new() });
    bench.done("imagerebase --full base.r.ndz delta full");
    assert_eq!(bench.image("full").relocs, relocs);
    // In an image without the relocation the label is another one.
    bench.copy("base.rN.ndz", "without");
    bench.done("imagedelta without base.r.ndz label");
    assert_eq!(bench.image("label").relocs, relocs);
}

/// Whatever form an image has, it becomes one that every program reads.
#[test]
fn images_of_all_versions_are_packed_anew() {
    let files = ["base.v1.ndz", "base.v4.ndz", "base.signed.ndz", "base.enc.ndz"];
    let bench = Bench::open("formats", &files);
    bench.copy("base.ndz", "base.ndz");
    bench.copy("base.signed.ndz.skey", "skey");
    bench.copy("key", "key");
    let extents = bench.image("base.ndz").extents;
    bench.done("imagerezip base.v1.ndz from-v1");
    bench.done("imagerezip base.v4.ndz from-v4");
    bench.done("imagerezip -a skey base.signed.ndz from-signed");
    bench.done("imagerezip -k key base.enc.ndz from-encrypted");
    bench.done("imagerezip -5 base.v4.ndz v5");
    bench.done("imagerezip -1 v5 v1");
    let expected = bench.loaded(&["base.ndz"]);
    let made = ["from-v1", "from-v4", "from-signed", "from-encrypted", "v5", "v1"];
    for (made, version) in made.into_iter().zip([3, 3, 3, 3, 5, 1]) {
        let image = bench.image(made);
        assert_eq!((&image.extents, image.version), (&extents, version), "{made}");
        assert!(bench.loaded(&[made]) == expected, "{made}");
    }
    bench.fails("imagerezip base.enc.ndz none", 7);
    bench.fails("imagerezip -a skey base.v4.ndz none", 6);
    bench.done("imagedelta --empty -k key base.enc.ndz base.ndz nothing");
    assert!(bench.read("nothing").is_empty());
}

/// The second disk is smaller than the first.
#[test]
fn a_disk_that_shrank() {
    let bench = Bench::open("shrunk", &["base.ndz", "mod.ndz", "delta.ndz"]);
    bench.copy("base.sig", "base.ndz.sig");
    bench.copy("delta.sig", "delta.ndz.sig");
    let after = bench.image("mod.ndz");
    bench.done("imageundelta -S -f base.ndz delta.ndz full");
    assert_eq!(bench.image("full").sectors, after.sectors);
    let same = |disk: &[u8]| filled_but(&after.extents, disk);
    let expected = same(&bench.loaded(&["mod.ndz"]));
    assert!(same(&bench.loaded(&["full"])) == expected);
    bench.done("imagedelta -S -f base.ndz mod.ndz delta");
    assert!(same(&bench.loaded(&["base.ndz", "delta"])) == expected);
}
