//! `imagerebase`.

use imagezip_core::ndz::Image;
use imagezip_core::pipeline::Hashing;
use proptest::prelude::*;

use crate::model::{Bench, Disk, State, range, signature_of, state};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// One delta does what all of them do in turn.
    #[test]
    fn a_squashed_chain_does_what_the_chain_does(states in prop::collection::vec(state(), 3..5)) {
        // Disks don't shrink here: what lies beyond the end is another test.
        let states: Vec<_> = states.into_iter().map(State::with_common_end).collect();
        let bench = Bench::new();
        bench.put("s0", &states[0].image());
        let (mut images, mut deltas) = (vec![states[0].image()], String::new());
        for (number, state) in states.iter().enumerate().skip(1) {
            bench.put(&format!("s{number}"), &state.image());
            bench.done(&format!("imagedelta --empty -F s{} s{number} d{number}", number - 1));
            images.push(bench.read(&format!("d{number}")));
            deltas = format!("{deltas}d{number} ");
        }
        bench.done(&format!("imagerebase --empty s0 {deltas}one"));
        bench.done(&format!("imagerebase --empty -S -V -F s0 {deltas}used"));
        bench.done(&format!("imagerebase --deltas {deltas}blind"));
        bench.done(&format!("imagerebase --deltas -S -F {deltas}blind-used"));
        bench.done(&format!("imagerebase --full -S s0 {deltas}full"));

        let last = states.last().unwrap();
        let chain = Disk::load(&images.iter().map(Vec::as_slice).collect::<Vec<_>>());
        for name in ["one", "blind"] {
            let squashed = Disk::load(&[&images[0], &bench.read(name)]);
            prop_assert_eq!(&squashed.held, &chain.held, "{}", name);
            prop_assert_eq!(&squashed.values, &chain.values, "{}", name);
            prop_assert_eq!(&squashed.relocs, &chain.relocs, "{}", name);
        }
        for name in ["used", "blind-used"] {
            last.assert_on(&Disk::load(&[&images[0], &bench.read(name)]));
            let file = bench.read(name);
            let held = Image::open(&file[..]).unwrap().extents().unwrap();
            prop_assert!(held.difference(&last.in_use).is_empty());
            // Both have the signature of the last state, for the next delta.
            let next = signature_of(&last.image(), Hashing::default());
            let entries = |s: &imagezip_core::signature::Signature| {
                s.iter().map(|e| (e.range, e.digest)).collect::<Vec<_>>()
            };
            let signature = bench.signature(&format!("{name}.sig"));
            prop_assert_eq!(entries(&signature), entries(&next));
        }
        prop_assert_eq!(&Disk::load(&[&bench.read("full")]).held, &last.in_use);
        last.assert_on(&Disk::load(&[&bench.read("full")]));
    }
}

/// What comes back to the base image's data is in none of the squashed deltas that know the base.
#[test]
fn what_came_back_is_not_in_the_delta() {
    let bench = Bench::new();
    let base = State::full(vec![1; 400]);
    let mut there = base.clone();
    there.values[10] = 2;
    there.values[300] = 2;
    let mut back = there.clone();
    back.values[10] = 1;
    for (name, state) in [("base", &base), ("there", &there), ("back", &back)] {
        bench.put(name, &state.image());
    }
    bench.done("imagedelta base there d1");
    bench.done("imagedelta there back d2");
    let said = bench.done("imagerebase base d1 d2 one");
    assert_eq!(said, "one: 128 sectors, 32.0% of full image (400 sectors)\n");
    bench.done("imagerebase --deltas d1 d2 blind");
    let held = |name: &str| Disk::load(&[&bench.read(name)]).held.as_slice().to_vec();
    assert_eq!(held("one"), [range(256, 384)]);
    assert_eq!(held("blind"), [range(0, 128), range(256, 384)]);

    bench.done("imagedelta back base d3");
    let output = bench.run("imagerebase base d1 d2 d3 none");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "The deltas change nothing of base, no delta produced!\n");
    assert!(output.status.success() && !bench.exists("none"));
}

#[test]
fn mistakes_are_named() {
    let bench = Bench::new();
    bench.put("base", &State::full(vec![1; 400]).image());
    for (line, words) in [
        ("imagerebase base result", "--deltas"),
        ("imagerebase --full -F base base result", "cannot be used with"),
        ("imagerebase base base base", "is one of the images to read"),
        ("imagerebase -S base nothing result", "nothing"),
    ] {
        let said = bench.fails(line, 1);
        assert!(said.contains(words), "{line}: {said}");
    }
    assert!(!bench.exists("result"));
}
