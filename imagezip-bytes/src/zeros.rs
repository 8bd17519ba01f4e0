//! Telling zeros from other data.

/// Whether all bytes are 0.
pub fn is_zero(bytes: &[u8]) -> bool {
    // By blocks, which the compiler makes vectors of; data that are not zeros end it in the first.
    let (blocks, rest) = bytes.as_chunks::<64>();
    let any = |bytes: &[u8]| bytes.iter().fold(0, |all, byte| all | byte) != 0;
    !blocks.iter().any(|block| any(block)) && !any(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;

    proptest! {
        #[test]
        fn one_byte_is_seen(len in 0..300_usize, at: usize, value: u8) {
            let mut bytes = vec![0; len];
            prop_assert!(is_zero(&bytes));
            let at = at.checked_rem(len).unwrap_or(0);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
                prop_assert_eq!(is_zero(&bytes), value == 0);
            }
        }
    }
}
