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

/// More with `DEFLATE_ROUNDS=20000 cargo test --release -p imagezip-core --lib deflate`.
#[test]
fn random_data() {
    let rounds = std::env::var("DEFLATE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    fuzz(0..rounds.unwrap_or(150));
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
