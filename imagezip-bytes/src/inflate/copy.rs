//! Copying matches.

/// How many bytes after a match may be overwritten: all but the three that a match has of what is
/// always copied.
pub(super) const OVERWRITTEN: usize = 29;

/// Copies `len` bytes, at most 258, from `from` to `at`, which lies after it. What was copied may
/// be copied again. Up to [`OVERWRITTEN`] bytes after them may be overwritten.
#[inline]
pub(super) fn copy<const N: usize>(out: &mut [u8; N], from: usize, at: usize, len: usize) {
    let distance = at.wrapping_sub(from);
    let end = at.wrapping_add(len);
    if distance >= 16 {
        // Most matches end within two steps. Not to ask whether after one saves wrong guesses.
        copy_step::<16, N>(out, from, at);
        copy_step::<16, N>(out, from.wrapping_add(16), at.wrapping_add(16));
        if len > 32 {
            copy_steps::<16, N>(out, from.wrapping_add(32), at.wrapping_add(32), end);
        }
    } else if distance >= 8 {
        copy_steps::<8, N>(out, from, at, end);
    } else {
        copy_near(out, distance, at, end);
    }
}

/// Copies up to `end`, `STEP` bytes at a time, from no less than `STEP` bytes before.
#[inline]
fn copy_steps<const STEP: usize, const N: usize>(
    out: &mut [u8; N],
    mut from: usize,
    mut at: usize,
    end: usize,
) {
    while at < end {
        copy_step::<STEP, N>(out, from, at);
        from = from.wrapping_add(STEP);
        at = at.wrapping_add(STEP);
    }
}

/// Copies `STEP` bytes.
#[inline]
fn copy_step<const STEP: usize, const N: usize>(out: &mut [u8; N], from: usize, at: usize) {
    let bytes = out.get(from..).and_then(<[u8]>::first_chunk::<STEP>).copied();
    let place = out.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<STEP>);
    if let (Some(bytes), Some(place)) = (bytes, place) {
        *place = bytes;
    }
}

/// Copies up to `end` from less than eight bytes before: what is repeated is made a word once,
/// and then written as often as it takes.
#[inline]
fn copy_near<const N: usize>(out: &mut [u8; N], distance: usize, mut at: usize, end: usize) {
    let before = at.checked_sub(8).and_then(|from| out.get(from..)?.first_chunk());
    // At a stream's start there may be fewer than eight bytes.
    let Some(before) = before.copied().map(u64::from_le_bytes) else {
        for to in at..end {
            let byte = out.get(to.wrapping_sub(distance)).copied().unwrap_or_default();
            if let Some(to) = out.get_mut(to) {
                *to = byte;
            }
        }
        return;
    };
    let bits = u32::try_from(distance).unwrap_or_default().wrapping_mul(8);
    let mut word = before.wrapping_shr(64_u32.wrapping_sub(bits));
    // 1, 2, 4, 8 bytes fit a word; the others are written over their own overlap.
    let step = match distance {
        1 => {
            word = word.wrapping_mul(0x0101_0101_0101_0101);
            8
        }
        2 => {
            word = word.wrapping_mul(0x0001_0001_0001_0001);
            8
        }
        4 => {
            word |= word << 32;
            8
        }
        3 => {
            word |= word << 24 | word << 48;
            6
        }
        _ => {
            word |= word.wrapping_shl(bits);
            distance
        }
    };
    while at < end {
        let place = out.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<8>);
        let Some(place) = place else { return };
        *place = word.to_le_bytes();
        at = at.wrapping_add(step);
    }
}
