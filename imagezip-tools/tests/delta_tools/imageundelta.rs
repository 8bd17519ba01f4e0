//! `imageundelta`.

use imagezip_core::ndz::{CHUNK_BYTES, Image};
use imagezip_core::pipeline::Hashing;
use proptest::prelude::*;

use crate::model::{Bench, Disk, State, range, signature_of, state};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The full image gives what base image and deltas give in turn; with the last full signature,
    /// only what is still in use.
    #[test]
    fn a_full_image_is_what_its_parts_make(states in prop::collection::vec(state(), 2..4)) {
        // Disks don't shrink here: what lies beyond the end is another test.
        let states: Vec<_> = states.into_iter().map(State::with_common_end).collect();
        let bench = Bench::new();
        bench.put("s0", &states[0].image());
        let (mut images, mut names) = (vec![states[0].image()], String::from("s0"));
        for (number, state) in states.iter().enumerate().skip(1) {
            bench.put(&format!("s{number}"), &state.image());
            bench.done(&format!("imagedelta --empty -F s{} s{number} d{number}", number - 1));
            images.push(bench.read(&format!("d{number}")));
            names = format!("{names} d{number}");
        }
        bench.done(&format!("imageundelta {names} union"));
        bench.done(&format!("imageundelta -S -V {names} full"));

        let parts = Disk::load(&images.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let union = Disk::load(&[&bench.read("union")]);
        prop_assert_eq!(&union.held, &parts.held);
        prop_assert_eq!(&union.values, &parts.values);
        prop_assert_eq!(&union.relocs, &parts.relocs);
        let last = states.last().unwrap();
        last.assert_on(&union);

        let full = Disk::load(&[&bench.read("full")]);
        prop_assert_eq!(&full.held, &last.in_use);
        last.assert_on(&full);
        for name in ["union", "full"] {
            let expected = signature_of(&bench.read(name), Hashing::default());
            prop_assert_eq!(bench.signature(&format!("{name}.sig")), expected);
        }
    }
}

/// imagezip -H -U of the reference writes entries for whole blocks that are partly in the delta,
/// partly in the base image, partly nowhere.
#[test]
fn a_block_may_come_from_everywhere() {
    let bench = Bench::new();
    let base = State {
        in_use: [range(0, 60), range(128, 256)].into_iter().collect(),
        ..State::full(vec![1; 256])
    };
    let delta = State { in_use: range(40, 50).into(), ..State::full(vec![2; 256]) };
    bench.put("base", &base.image());
    // Covers [0, 256), of which [60, 128) are free.
    bench.put("delta", &State::full(vec![3; 256]).image());
    bench.write("delta", &delta.image());
    let output = bench.run("imageundelta -d -S -f base delta full");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("68 sectors are in none"), "{said}");
    let full = Disk::load(&[&bench.read("full")]);
    assert_eq!(full.held.as_slice(), [range(0, 60), range(128, 256)]);
    assert_eq!((full.values[39], full.values[40], full.values[50]), (1, 2, 1));
    // What can be checked is wrong here; what can't be is not checked.
    let said = bench.fails("imageundelta -S -V -f base delta again", 1);
    assert!(said.contains("1 entries cover free sectors"), "{said}");
    assert!(said.contains("1 of 1 entries differ"), "{said}");
}

#[test]
fn only_a_full_signature_says_what_is_in_use() {
    let bench = Bench::new();
    let (base, mut new) = (State::full(vec![1; 400]), State::full(vec![1; 400]));
    new.values[3] = 2;
    bench.put("base", &base.image());
    bench.put("new", &new.image());
    bench.done("imagedelta base new delta");
    let said = bench.fails("imageundelta -S base delta full", 1);
    assert!(said.contains("delta.sig covers its own image only"), "{said}");
    // The wrong base image, and the signature of something else.
    std::fs::copy(bench.path("base.sig"), bench.path("delta.sig")).unwrap();
    bench.put("other", &State { in_use: range(0, 100).into(), ..base }.image());
    let said = bench.fails("imageundelta -S -f other delta full", 1);
    assert!(said.contains("sectors [128, 256) are in none of the images"), "{said}");
    std::fs::copy(bench.path("other.sig"), bench.path("delta.sig")).unwrap();
    let said = bench.fails("imageundelta -S -f base delta full", 1);
    assert!(said.contains("delta.sig does not cover all of its image"), "{said}");
    assert!(!bench.exists("full"));
}

#[test]
fn a_smaller_disk_cuts_the_base_image_off() {
    let bench = Bench::new();
    let base = State::full(vec![1; 400]);
    let new = State { in_use: range(0, 300).into(), ..State::full(vec![2; 300]) };
    bench.put("base", &base.image());
    bench.put("delta", &new.image());
    let output = bench.run("imageundelta base delta full");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("100 sectors lie beyond the end"), "{said}");
    let full = bench.read("full");
    assert_eq!(Image::open(&full[..]).unwrap().sectors().unwrap().get(), 300);
}

/// The time of the result is that of the newest part; versions 1 and 5 and streams work.
#[test]
fn forms_of_the_result() {
    let bench = Bench::new();
    let (base, mut new) = (State::full(vec![1; 400]), State::full(vec![1; 400]));
    new.values[3] = 2;
    bench.put("base", &base.image());
    bench.put("new", &new.image());
    bench.done("imagedelta base new delta");
    bench.date("delta", 1);
    bench.done("imageundelta -z 9 base delta v3");
    assert_eq!(bench.modified("v3"), bench.modified("delta"));
    bench.done("imageundelta -1 base delta v1");
    bench.done("imageundelta --v5 --threads 1 --no-signature base delta v5");
    assert!(!bench.exists("v5.sig"));
    bench.done("imageundelta base v5 delta like");
    for (name, magic) in [("v1", 0x69), ("v3", 0x6b), ("v5", 0x6d), ("like", 0x6d)] {
        let image = bench.read(name);
        assert_eq!((image[0], image.len() % CHUNK_BYTES), (magic, 0), "{name}");
        new.assert_on(&Disk::load(&[&image]));
    }
    // The number of chunks, which only version 1 has.
    assert_eq!(bench.read("v1")[12], 1);
    let output = bench.run("imageundelta base delta -");
    assert_eq!(output.stdout, bench.run("imageundelta --no-verify base delta /dev/stdout").stdout);
    new.assert_on(&Disk::load(&[&output.stdout]));
    let said = bench.fails("imageundelta base delta delta", 1);
    assert!(said.contains("delta: is one of the images to read"), "{said}");
    let said = bench.fails("imageundelta base delta", 1);
    assert!(said.contains("<FULL>"), "{said}");
}
