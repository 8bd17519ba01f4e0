//! Much random data of many kinds.

use super::*;
use proptest::prelude::*;

fn fuzz(seeds: Range<u64>) {
    let mut encoders = EFFORTS.map(Encoder::new);
    for seed in seeds {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let len = random.any_size_below(INPUT_MAX + 1);
        let input = random.structured(len);
        for encoder in &mut encoders {
            check(encoder, &input);
        }
    }
}

#[test]
fn random_data() {
    fuzz(0..150);
}

/// `cargo test --release -p imagezip-core --lib deflate -- --ignored`
#[test]
#[ignore = "takes minutes"]
fn much_random_data() {
    fuzz(150..20_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn short_inputs(input in prop::collection::vec(0..4_u8, 0..600)) {
        check_all(&input);
    }

    #[test]
    fn arbitrary_bytes(input in prop::collection::vec(any::<u8>(), 0..2000)) {
        check_all(&input);
    }
}
