//! `imagerezip`.

use imagezip_core::digest::HashType;
use imagezip_core::pipeline::Hashing;
use proptest::prelude::*;

use crate::model::{Bench, Disk, State, range, signature_of, state};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_image_stays_what_it_is(state in state(), level in 0..=9_u8, v5 in any::<bool>()) {
        prop_assume!(!state.in_use.is_empty());
        let bench = Bench::new();
        bench.put("old", &state.image());
        let form = if v5 { " -5" } else { "" };
        bench.done(&format!("imagerezip -S -V -z {level}{form} old new"));
        let (old, new) = (Disk::load(&[&bench.read("old")]), Disk::load(&[&bench.read("new")]));
        prop_assert_eq!((old.values, old.held, old.relocs), (new.values, new.held, new.relocs));
        prop_assert_eq!(bench.modified("old"), bench.modified("new"));
        let expected = signature_of(&bench.read("new"), Hashing::default());
        prop_assert_eq!(bench.signature("new.sig"), expected);
        // Version 5 stays version 5 unless another one is asked for.
        bench.done("imagerezip new again");
        prop_assert_eq!(bench.read("again")[0], if v5 { 0x6d } else { 0x6b });
        bench.done("imagerezip -3 new third");
        prop_assert_eq!(bench.read("third")[0], 0x6b);
        prop_assert!(!bench.exists("third.sig"));
    }
}

#[test]
fn levels_make_a_difference() {
    let bench = Bench::new();
    let mut text = include_bytes!("imagerezip.rs").repeat(8);
    text.extend(include_bytes!("main.rs"));
    text.truncate(text.len() / 512 * 512);
    bench.write("text", &text);
    bench.done("imagezip --quiet -r text old");
    let payload = |level: u8| {
        let said = bench.done(&format!("imagerezip --json -z {level} old new{level}"));
        let start = said.find("\"payload\":").unwrap() + 10;
        said[start..].trim_end_matches(['}', '\n']).parse::<u64>().unwrap()
    };
    let payloads = [0, 1, 4, 9].map(payload);
    assert!(payloads[0] > text.len() as u64 && payloads.is_sorted_by(|a, b| a > b), "{payloads:?}");
}

#[test]
fn an_old_signature_is_checked() {
    let bench = Bench::new();
    let state = State { in_use: range(5, 200).into(), ..State::full(vec![1; 400]) };
    bench.put("old", &state.image());
    let md5 = Hashing { hash_type: HashType::Md5, ..Hashing::default() };
    let mut bytes = Vec::new();
    signature_of(&state.image(), md5).write(&mut bytes).unwrap();
    bench.write("old.sig", &bytes);
    bench.done("imagerezip -S -V -f old new");
    assert_eq!(bench.signature("new.sig").hash_type(), HashType::Md5);
    bench.done("imagerezip -S old new");
    assert_eq!(bench.signature("new.sig").hash_type(), HashType::Sha1);
    let last = bytes.len() - 6;
    bytes[last] ^= 1;
    bench.write("old.sig", &bytes);
    let said = bench.fails("imagerezip -V -f old other", 1);
    assert!(said.contains("1 of 2 entries differ, the first about sectors [128, 200)"), "{said}");
    bench.write("old.sig", b"no signature");
    bench.fails("imagerezip -V -f old other", 5);
    assert!(!bench.exists("other"));
}

#[test]
fn relocations_have_no_place_in_version_1() {
    let bench = Bench::new();
    bench.put("empty", &[]);
    bench.done("imagerezip -1 -S empty new");
    assert_eq!((bench.read("new").len(), bench.signature("new.sig").len()), (0, 0));
    let reloc = imagezip_core::ndz::Reloc {
        kind: imagezip_core::ndz::RelocType::LILO_ADDRESS,
        sector: imagezip_core::sector::Sector::from_u32(3),
        offset: 0,
        size: 5,
    };
    bench.put("old", &State { relocs: vec![reloc], ..State::full(vec![1; 9]) }.image());
    let said = bench.fails("imagerezip -1 old new", 7);
    assert!(said.contains("relocations"), "{said}");
    assert_eq!(bench.read("new"), []);
}
