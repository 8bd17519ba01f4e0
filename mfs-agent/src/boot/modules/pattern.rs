//! The patterns that drivers name their devices with, `pci:v00008086d000010D3sv*sd*bc*sc*i*`.
//!
//! As in the kernel's lib/glob.c, and for what drivers use as in fnmatch(3) of modprobe: `*` is
//! any text, `?` any character, `[a-f]` one of a class, `[!a-f]` one of the others, `\` takes the
//! next character as it is. Upper and lower case differ.

/// Whether all of `text` fits `pattern`.
///
/// Only the last `*` is ever tried anew: if some text fits, it also fits when each earlier `*` is
/// as short as can be. So the time is at most the product of the lengths (and of the longest
/// class).
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut rest, mut left) = (pattern, text);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', after @ ..] = rest {
            rest = after;
            retry = Some((after, left));
            continue;
        }
        match (left, rest) {
            ([], []) => return true,
            ([character, text @ ..], [_, ..]) => {
                if let Some(after) = one(rest, *character) {
                    (rest, left) = (after, text);
                    continue;
                }
            }
            _ => {}
        }
        // The last `*` takes one character more.
        let Some((after, [_, text @ ..])) = retry else { return false };
        (rest, left) = (after, text);
        retry = Some((after, text));
    }
}

/// Fits one character to the pattern's beginning, which is no `*`; what is left of the pattern.
fn one(pattern: &[u8], character: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'[', rest @ ..] => match class(rest, character) {
            Some((fits, rest)) => fits.then_some(rest),
            // A class without an end is none.
            None => (character == b'[').then_some(rest),
        },
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => {
            (*literal == character).then_some(rest)
        }
        [] => None,
    }
}

/// Whether the character is in the class whose text begins here, after the `[`; and what follows.
fn class(text: &[u8], character: u8) -> Option<(bool, &[u8])> {
    let (inverted, mut text) = match text {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut found = false;
    let mut first = true;
    loop {
        let (from, to, rest) = match text {
            [b']', rest @ ..] if !first => return Some((found != inverted, rest)),
            [from, b'-', to, rest @ ..] if *to != b']' => (*from, *to, rest),
            [from, rest @ ..] => (*from, *from, rest),
            [] => return None,
        };
        found |= (from..=to).contains(&character);
        first = false;
        text = rest;
    }
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    fn fits(pattern: &str, text: &str) -> bool {
        matches(pattern.as_bytes(), text.as_bytes())
    }

    #[test]
    fn what_drivers_use() {
        let intel = "pci:v00008086d000010D3sv000015D9sd0000060Abc02sc00i00";
        for (pattern, text, expected) in [
            ("pci:v00008086d000010D3sv*sd*bc*sc*i*", intel, true),
            ("pci:v00008086d000010D4sv*sd*bc*sc*i*", intel, false),
            ("pci:v00008086d000010d3sv*sd*bc*sc*i*", intel, false),
            ("pci:v*d*sv*sd*bc02sc00i*", intel, true),
            ("pci:v*d*sv*sd*bc01sc06i01*", intel, false),
            ("pci:v*d*sv*sd*bc01sc06i01*", "pci:v1d2sv3sd4bc01sc06i01", true),
            ("scsi:t-0x00*", "scsi:t-0x00", true),
            ("scsi:t-0x00*", "scsi:t-0x05", false),
            ("virtio:d00000001v*", "virtio:d00000001v00001AF4", true),
            ("usb:v0525pA4A5d0[0-3]*dc*", "usb:v0525pA4A5d0399dc00", true),
            ("usb:v0525pA4A5d0[0-3]*dc*", "usb:v0525pA4A5d0499dc00", false),
            (
                "mdio:0000000000011100110010??????????",
                "mdio:00000000000111001100100100010010",
                true,
            ),
            (
                "mdio:0000000000011100110010??????????",
                "mdio:0000000000011100110010010001001",
                false,
            ),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn each_sign() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("a", "", false),
            ("*", "", true),
            ("**", "abc", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcd", false),
            ("*ab", "aab", true),
            ("?", "", false),
            ("?", "x", true),
            ("[abc]", "b", true),
            ("[!abc]", "b", false),
            ("[^abc]", "d", true),
            ("[]]", "]", true),
            ("[!]]", "x", true),
            ("[a-]", "-", true),
            ("[a-]", "b", false),
            ("[9-0]", "5", false),
            ("[ab", "[ab", true),
            ("[ab", "a", false),
            ("*[ab]c", "xxac", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("\\", "\\", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    /// With a matcher that tries each `*` anew these take longer than anybody lives.
    #[test]
    fn hostile_patterns_end_in_time() {
        let start = Instant::now();
        let text = "a".repeat(400);
        for part in ["*a", "*?", "*[a-z]", "**a", "*\\a", "*[", "a*"] {
            for end in ["b", "[", "[b", ""] {
                let _ = fits(&format!("{}{end}", part.repeat(150)), &text);
            }
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }

    /// The obvious definition, for short texts.
    fn defined(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => (0..=text.len()).any(|skipped| defined(rest, &text[skipped..])),
            _ => match text {
                [] => false,
                [character, text @ ..] => {
                    one(pattern, *character).is_some_and(|rest| defined(rest, text))
                }
            },
        }
    }

    proptest! {
        #[test]
        fn it_is_what_the_definition_says(
            pattern in "[ab*?\\[\\]!\\-\\\\]{0,8}", text in "[ab\\[\\]\\-!]{0,8}"
        ) {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(matches(pattern, text), defined(pattern, text));
        }

        #[test]
        fn any_bytes_are_survived(
            pattern in proptest::collection::vec(any::<u8>(), 0..300),
            text in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let _ = matches(&pattern, &text);
        }

        #[test]
        fn a_text_without_signs_fits_itself_only(text in "[a-zA-Z0-9:_]{1,40}", other in "[a-z]{1,3}") {
            let longer: String = format!("{text}{other}");
            prop_assert!(fits(&text, &text));
            prop_assert!(!fits(&text, &longer));
        }
    }
}
