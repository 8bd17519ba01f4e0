//! `imagedelta`.

use std::time::Duration;

use imagezip_core::digest::HashType;
use imagezip_core::ndz::{Image, Reloc, RelocType};
use imagezip_core::pipeline::Hashing;
use imagezip_core::sector::Sector;
use imagezip_core::signature::HashBlockSize;
use proptest::prelude::*;

use crate::model::{Bench, Disk, State, range, signature_of, state};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Old image and delta in turn give back all of the new image; the delta has nothing that it
    /// doesn't need; the signatures are those of what they are about.
    #[test]
    fn old_and_delta_make_new(old in state(), new in state()) {
        let bench = Bench::new();
        let (old_image, new_image) = (old.image(), new.image());
        bench.put("old", &old_image);
        bench.put("new", &new_image);
        bench.done("imagedelta --empty old new delta");
        bench.done("imagedelta --empty -S -V -F old new delta2");

        let delta = bench.read("delta");
        prop_assert!(delta == bench.read("delta2"), "the signatures are those of the images");
        new.assert_on(&Disk::load(&[&old_image, &delta]));

        let without_chunks = |signature: imagezip_core::signature::Signature| {
            signature.iter().map(|e| (e.range, e.digest)).collect::<Vec<_>>()
        };
        let own = without_chunks(bench.signature("delta.sig"));
        prop_assert_eq!(own, without_chunks(signature_of(&delta, Hashing::default())));
        let full = without_chunks(bench.signature("delta2.sig"));
        prop_assert_eq!(full, without_chunks(signature_of(&new_image, Hashing::default())));

        // By the hash block: what is the same there, relocations included, is not in the delta.
        let before = Disk::load(&[&old_image]);
        let held = Image::open(&delta[..]).unwrap().extents().unwrap();
        prop_assert!(held.difference(&new.in_use).is_empty());
        for block in (0..500).step_by(128).map(|start| range(start, start + 128)) {
            let size = new.values.len();
            let sectors = |at: &State| at.in_use.within(block).collect::<Vec<_>>();
            let relocs_in = |relocs: &[Reloc]| {
                let inside = relocs.iter().filter(|r| {
                    block.start() <= r.sector && r.sector < block.end()
                });
                inside.copied().collect::<Vec<_>>()
            };
            let same = sectors(&old) == sectors(&new)
                && sectors(&old).iter().flat_map(|e| e.start().get()..e.end().get()).all(|s| {
                    let s = usize::try_from(s).unwrap();
                    s < size && before.values[s] == new.values[s]
                })
                && relocs_in(&old.kept_relocs()) == relocs_in(&new.kept_relocs());
            if same {
                prop_assert!(held.within(block).next().is_none(), "{} is in the delta", block);
            }
        }
    }
}

/// Where sectors of a block were freed, the rest of the block is still compared.
#[test]
fn freed_sectors_cost_nothing() {
    let bench = Bench::new();
    let old = State::full((0..=255).collect());
    let mut new = old.clone();
    new.in_use = [range(0, 3), range(10, 128), range(130, 256)].into_iter().collect();
    bench.put("old", &old.image());
    bench.put("new", &new.image());
    bench.done("imagedelta -S --empty old new delta");
    assert_eq!(bench.read("delta"), []);
    new.values[50] = 1;
    bench.put("new", &new.image());
    let said = bench.done("imagedelta -S old new delta");
    assert_eq!(said, "delta: 121 sectors, 49.0% of full image (247 sectors)\n");
}

/// The same data with other relocations are not the same.
#[test]
fn a_relocation_is_a_change() {
    let bench = Bench::new();
    let reloc = |kind, sector| Reloc {
        kind: RelocType(kind),
        sector: Sector::from_u32(sector),
        offset: 0,
        size: 5,
    };
    let old = State { relocs: vec![reloc(3, 5), reloc(3, 300)], ..State::full(vec![7; 512]) };
    let new = State { relocs: vec![reloc(3, 5), reloc(3, 140)], ..old.clone() };
    bench.put("old", &old.image());
    bench.put("new", &new.image());
    bench.done("imagedelta old new delta");
    let delta = bench.read("delta");
    let image = Image::open(&delta[..]).unwrap();
    assert_eq!(image.extents().unwrap().as_slice(), [range(128, 384)]);
    new.assert_on(&Disk::load(&[&old.image(), &delta]));
}

#[test]
fn nothing_changed_and_there_is_no_delta() {
    let bench = Bench::new();
    let image = State::full(vec![1; 400]).image();
    bench.put("old", &image);
    bench.put("new", &image);
    bench.write("delta", b"an earlier one");
    bench.write("delta.sig", b"its signature");
    let output = bench.run("imagedelta old new delta");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "Images old and new are identical, no delta produced!\n");
    assert!(output.status.success() && output.stdout.is_empty());
    assert_eq!(bench.names(), ["new", "new.sig", "old", "old.sig"]);

    let said = bench.done("imagedelta --empty -F old new delta");
    assert_eq!(said, "delta: 0 sectors, 0.0% of full image (400 sectors)\n");
    assert_eq!(bench.read("delta"), []);
    assert_eq!(bench.signature("delta.sig").end(), Some(Sector::from_u32(400)));
}

#[test]
fn an_empty_image_is_an_image() {
    let bench = Bench::new();
    let image = State::full(vec![1; 400]).image();
    bench.put("full", &image);
    bench.put("empty", &[]);
    bench.done("imagedelta -S -V empty full delta");
    assert_eq!(Disk::load(&[&bench.read("delta")]).held.sector_count().get(), 400);
    bench.done("imagedelta -S -V full empty nothing");
    assert!(!bench.exists("nothing"));
}

#[test]
fn digests_and_blocks_are_those_of_the_old_signature_or_as_asked() {
    let bench = Bench::new();
    let (old, mut new) = (State::full(vec![1; 400]), State::full(vec![1; 400]));
    new.values[140] = 2;
    bench.put("old", &old.image());
    bench.put("new", &new.image());
    let block = |sectors| HashBlockSize::new(sectors).unwrap();
    let md5 = Hashing { hash_type: HashType::Md5, block: block(8), ..Hashing::default() };
    let mut bytes = Vec::new();
    signature_of(&old.image(), md5).write(&mut bytes).unwrap();
    bench.write("old.sig", &bytes);

    let held = |name: &str| {
        let signature = bench.signature(&format!("{name}.sig"));
        let file = bench.read(name);
        let extents = Image::open(&file[..]).unwrap().extents().unwrap();
        (signature.hash_type(), signature.block(), extents.as_slice().to_vec())
    };
    bench.done("imagedelta -S -f -F old new a");
    assert_eq!(held("a"), (HashType::Md5, block(8), vec![range(136, 144)]));
    bench.done("imagedelta -S -f -D sha1 -b 1024 old new b");
    assert_eq!(held("b"), (HashType::Sha1, block(2), vec![range(140, 142)]));
    bench.done("imagedelta old new c");
    assert_eq!(held("c"), (HashType::Sha1, block(128), vec![range(128, 256)]));
    bench.done("imagedelta --no-signature -b 512 old new d");
    assert!(!bench.exists("d.sig"));
    let said = bench.fails("imagedelta -D sha256 old new e", 1);
    assert!(said.contains("SHA-256") && !bench.exists("e"), "{said}");
}

#[test]
fn signatures_must_be_of_the_images() {
    let bench = Bench::new();
    let (old, mut new) = (State::full(vec![1; 400]), State::full(vec![1; 300]));
    new.values[140] = 2;
    bench.put("old", &old.image());
    bench.put("new", &new.image());
    bench.date("old.sig", 6);
    let said = bench.fails("imagedelta -S old new delta", 1);
    assert!(said.contains("old.sig is not as old as old"), "{said}");
    bench.done("imagedelta -S -f old new delta");

    // One that covers other sectors, and one with other digests.
    let delta = bench.read("delta");
    std::fs::copy(bench.path("new.sig"), bench.path("old.sig")).unwrap();
    let said = bench.fails("imagedelta -S -V -f old new wrong", 1);
    assert!(said.contains("old.sig does not cover the sectors of old"), "{said}");
    new.values.resize(400, 3);
    new.in_use = range(0, 400).into();
    bench.put("new", &new.image());
    std::fs::copy(bench.path("new.sig"), bench.path("old.sig")).unwrap();
    let said = bench.fails("imagedelta -S -V -f old new wrong", 1);
    assert!(said.contains("3 of 4 entries differ"), "{said}");
    assert!(!bench.exists("wrong") && !bench.exists("wrong.sig"));
    assert_eq!(bench.read("delta"), delta);
}

/// A signature of imagezip -H -U may cover sectors that are in no image: it proves nothing about
/// them.
#[test]
fn what_a_signature_covers_beyond_its_image_proves_nothing() {
    let bench = Bench::new();
    let whole = State::full(vec![5; 256]);
    let mut old = whole.clone();
    old.in_use = [range(0, 100), range(128, 256)].into_iter().collect();
    bench.put("old", &whole.image());
    bench.write("old", &old.image());
    bench.put("new", &whole.image());
    bench.done("imagedelta -S -f old new delta");
    whole.assert_on(&Disk::load(&[&old.image(), &bench.read("delta")]));
}

#[test]
fn times_names_and_streams() {
    let bench = Bench::new();
    let (old, mut new) = (State::full(vec![1; 400]), State::full(vec![1; 400]));
    new.values[140] = 2;
    bench.put("old", &old.image());
    bench.put("new", &new.image());
    bench.date("new", 3);
    bench.done("imagedelta old new delta");
    assert_eq!(bench.modified("delta"), bench.modified("new"));
    let apart = bench.modified("delta").duration_since(bench.modified("delta.sig")).unwrap();
    assert!(apart < Duration::from_secs(1));

    for name in ["old", "new"] {
        let said = bench.fails(&format!("imagedelta old new {name}"), 1);
        assert!(said.contains(&format!("{name}: is one of the images to read")), "{said}");
    }
    std::os::unix::fs::symlink("new", bench.path("link")).unwrap();
    bench.fails("imagedelta old new link", 1);

    let output = bench.run("imagedelta --json old new -");
    assert!(output.status.success() && output.stdout == bench.read("delta"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(r#""sectors":128,"in_use":400"#), "{said}");
    assert!(!bench.exists("-") && !bench.exists("-.sig"));
}

#[test]
fn what_is_wrong_is_said_with_its_file() {
    let bench = Bench::new();
    let mut new = State::full(vec![1; 400]);
    bench.put("old", &new.image());
    new.values[3] = 0;
    let mut broken = new.image();
    broken[4096 + 20] ^= 0x55;
    bench.write("broken", &broken);
    bench.write("short", &broken[..5000]);
    bench.write("delta", b"an earlier one");
    for (line, status, words) in [
        ("imagedelta old nothing delta", 1, "opening nothing"),
        ("imagedelta old short delta", 5, "reading short"),
        ("imagedelta old broken delta", 6, "reading broken"),
        ("imagedelta broken old delta", 6, "reading broken"),
        ("imagedelta old broken /nowhere/delta", 1, "/nowhere/delta"),
        ("imagedelta -S broken old delta", 1, "broken.sig"),
        ("imagedelta -k nokey old broken delta", 1, "nokey"),
    ] {
        let said = bench.fails(line, status);
        assert!(said.starts_with("imagedelta: ") && said.contains(words), "{line}: {said}");
    }
    assert_eq!(bench.read("delta"), b"an earlier one");
}
