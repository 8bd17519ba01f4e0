//! The runtime's memory functions, which in the program stand for the C library's.
#![expect(unsafe_code, reason = "the functions under test take raw pointers")]
#![expect(clippy::undocumented_unsafe_blocks, reason = "all areas are inside the vectors")]

#[path = "../src/runtime/memory.rs"]
mod memory;

use memory::{bcmp, memcmp, memcpy, memmove, memset, strlen};
use proptest::prelude::*;

const ROOM: usize = 300;

#[test]
fn copies_of_every_length_and_offset() {
    for len in 0..150 {
        for (from, to) in [
            (0, 0),
            (0, 1),
            (1, 0),
            (7, 20),
            (20, 7),
            (0, 16),
            (16, 0),
            (0, 140),
            (140, 0),
            (3, 35),
            (35, 3),
        ] {
            let mut area: Vec<u8> = (0..=u8::MAX).cycle().take(ROOM).collect();
            let mut expected = area.clone();
            expected.copy_within(from..from + len, to);
            let base = area.as_mut_ptr();
            let result = unsafe { memmove(base.add(to), base.add(from), len) };
            assert_eq!(result, unsafe { base.add(to) });
            assert!(area == expected, "{len} bytes from {from} to {to}");
        }
    }
}

proptest! {
    #[test]
    fn memcpy_copies(source in prop::collection::vec(any::<u8>(), 0..ROOM), at in 0..40_usize) {
        let mut area = vec![0xee; source.len() + 80];
        unsafe { memcpy(area.as_mut_ptr().add(at), source.as_ptr(), source.len()) };
        prop_assert!(area[..at].iter().all(|byte| *byte == 0xee));
        prop_assert_eq!(&area[at..at + source.len()], &source);
        prop_assert!(area[at + source.len()..].iter().all(|byte| *byte == 0xee));
    }

    #[test]
    fn memset_sets(len in 0..ROOM, at in 0..40_usize, value in any::<i32>()) {
        let mut area = vec![0xee; ROOM + 80];
        let mut expected = area.clone();
        expected[at..at + len].fill(value.to_le_bytes()[0]);
        let start = unsafe { area.as_mut_ptr().add(at) };
        prop_assert_eq!(unsafe { memset(start, value, len) }, start);
        prop_assert!(area == expected);
    }

    #[test]
    fn comparing_is_what_slices_do(
        mut one in prop::collection::vec(any::<u8>(), 1..80), at in any::<prop::sample::Index>(),
        byte in any::<u8>()
    ) {
        let other = one.clone();
        let at = at.index(one.len());
        one[at] = byte;
        let sign = unsafe { memcmp(one.as_ptr(), other.as_ptr(), one.len()) }.signum();
        prop_assert_eq!(sign, one.cmp(&other) as i32);
        let differ = unsafe { bcmp(one.as_ptr(), other.as_ptr(), one.len()) } != 0;
        prop_assert_eq!(differ, one != other);
        prop_assert_eq!(unsafe { memcmp(one.as_ptr(), other.as_ptr(), at) }, 0);
    }

    #[test]
    fn strings_end_at_zero(len in 0..100_usize) {
        let mut text = vec![b'x'; len];
        text.extend([0, b'y', 0]);
        prop_assert_eq!(unsafe { strlen(text.as_ptr()) }, len);
    }
}
