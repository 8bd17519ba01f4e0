//! What replies are made of: lines of `KEY=value` words.

use core::str::from_utf8;

/// The lines of a reply without what ends them, CR LF too. Empty ones are left out.
pub(super) fn lines(reply: &[u8]) -> impl Iterator<Item = &[u8]> {
    reply.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

/// The one line of a reply that has one. The same line twice is one line.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn only_line(reply: &[u8]) -> Result<Option<&str>, &'static str> {
    let mut lines = lines(reply);
    let Some(first) = lines.next() else { return Ok(None) };
    if lines.any(|line| line != first) {
        return Err("it has several lines");
    }
    printable(first).map(Some)
}

/// A line as text.
///
/// # Errors
/// It isn't printable ASCII; in words.
pub(super) fn printable(line: &[u8]) -> Result<&str, &'static str> {
    if !line.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err("it is not printable ASCII");
    }
    from_utf8(line).map_err(|_| "it is not printable ASCII")
}

/// A `KEY=value` word. The value is without the quotes that may be around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
}

/// The words of a line, by blanks, which may be inside of double quotes. A word without `=` has
/// no value; a quote without its end goes to the end of the line.
pub(super) struct Words<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0.trim_ascii_start();
        if rest.is_empty() {
            return None;
        }
        let key_end = position(rest, |byte| byte == b'=' || byte.is_ascii_whitespace());
        let (key, rest) = rest.split_at_checked(key_end)?;
        let (value, rest) = match rest {
            [b'=', b'"', quoted @ ..] => {
                let (value, rest) =
                    quoted.split_at_checked(position(quoted, |byte| byte == b'"'))?;
                (value, rest.split_first().map_or(rest, |(_, rest)| rest))
            }
            [b'=', plain @ ..] => {
                plain.split_at_checked(position(plain, |byte| byte.is_ascii_whitespace()))?
            }
            _ => (&[][..], rest),
        };
        self.0 = rest;
        Some(Word { key, value })
    }
}

/// Where the first byte is that `is` one, or the length.
fn position(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| is(*byte)).unwrap_or(bytes.len())
}

/// The value of the word with this key.
///
/// # Errors
/// There are several that differ; in words.
pub(super) fn value<'a>(line: &'a [u8], key: &str) -> Result<Option<&'a [u8]>, &'static str> {
    let mut values = Words(line).filter(|word| word.key == key.as_bytes()).map(|word| word.value);
    let Some(first) = values.next() else { return Ok(None) };
    if values.any(|value| value != first) {
        return Err("a word is there twice");
    }
    Ok(Some(first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn words(line: &[u8]) -> Vec<(&[u8], &[u8])> {
        Words(line).map(|word| (word.key, word.value)).collect()
    }

    #[test]
    fn words_with_and_without_quotes() {
        let expected: [(&[u8], &[u8]); 5] =
            [(b"ADDUSER", b""), (b"A", b"1"), (b"N", b"a b=c"), (b"L", b"x=y"), (b"E", b"")];
        assert_eq!(words(b" ADDUSER  A=1 N=\"a b=c\" L=x=y E="), expected);
        assert_eq!(words(b"A=\"x"), [(&b"A"[..], &b"x"[..])]);
        assert_eq!(words(b""), []);
        assert_eq!(value(b"A=1 B=2 A=1", "A"), Ok(Some(&b"1"[..])));
        assert!(value(b"A=1 B=2 A=3", "A").is_err());
        assert_eq!(value(b"A=1", "B"), Ok(None));
    }

    #[test]
    fn one_line_is_one_line() {
        assert_eq!(only_line(b"FREE\r\n\n"), Ok(Some("FREE")));
        assert_eq!(only_line(b"FREE\nFREE\n"), Ok(Some("FREE")));
        assert_eq!(only_line(b"\r\n \n"), Ok(None));
        assert!(only_line(b"FREE\nALLOCATED\n").is_err());
        assert!(only_line(b"FR\0EE\n").is_err());
        assert!(only_line(b"FR\xc3\xbcE\n").is_err());
    }

    proptest! {
        #[test]
        fn any_line_has_an_end(line in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Words(&line).count() <= line.len());
            let _ = only_line(&line);
        }
    }
}
