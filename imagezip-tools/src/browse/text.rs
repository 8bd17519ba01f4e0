//! Names and modes as they are shown.

use std::fmt::Write;

use imagezip_core::filesystem::ext::files::FileKind;

/// A name or path for people and terminals: whatever could change how the rest of the line is
/// shown, and all that is not UTF-8, becomes `\xNN`, and a backslash two.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            let mut buf = [0; 4];
            match character {
                '\\' => text.push_str("\\\\"),
                _ if is_plain(character) => text.push(character),
                _ => hex(&mut text, character.encode_utf8(&mut buf).as_bytes()),
            }
        }
        hex(&mut text, chunk.invalid());
    }
    text
}

fn hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "\\x{byte:02x}");
    }
}

/// Whether a character shows as itself, wherever it stands.
fn is_plain(character: char) -> bool {
    let changes_direction = matches!(character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        | '\u{feff}');
    !character.is_control() && !changes_direction
}

/// The letter of a kind of file, as `ls -l` has it.
pub fn letter(kind: FileKind) -> char {
    match kind {
        FileKind::Regular => '-',
        FileKind::Directory => 'd',
        FileKind::Symlink => 'l',
        FileKind::Character => 'c',
        FileKind::Block => 'b',
        FileKind::Fifo => 'p',
        FileKind::Socket => 's',
    }
}

/// The word for a kind of file, for programs.
pub fn word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Regular => "file",
        FileKind::Directory => "directory",
        FileKind::Symlink => "symlink",
        FileKind::Character => "character device",
        FileKind::Block => "block device",
        FileKind::Fifo => "fifo",
        FileKind::Socket => "socket",
    }
}

/// Permissions as `rwxr-xr-x`.
pub fn permissions(mode: u16) -> String {
    let special = [(0o4000, 's', 'S'), (0o2000, 's', 'S'), (0o1000, 't', 'T')];
    let mut text = String::with_capacity(9);
    for ((bit, set, alone), shift) in special.into_iter().zip([6, 3, 0]) {
        let triple = mode >> shift;
        text.push(if triple & 4 != 0 { 'r' } else { '-' });
        text.push(if triple & 2 != 0 { 'w' } else { '-' });
        text.push(match (mode & bit != 0, triple & 1 != 0) {
            (true, true) => set,
            (true, false) => alone,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_reaches_the_terminal() {
        assert_eq!(escape("größe.txt".as_bytes()), "größe.txt");
        assert_eq!(escape(b"a\nb\x1b[31m\xff\\"), "a\\x0ab\\x1b[31m\\xff\\\\");
        assert_eq!(escape("a\u{202e}b".as_bytes()), "a\\xe2\\x80\\xaeb");
    }

    #[test]
    fn modes() {
        assert_eq!(permissions(0o755), "rwxr-xr-x");
        assert_eq!(permissions(0o7644), "rwSr-Sr-T");
        assert_eq!(permissions(0o7777), "rwsrwsrwt");
    }

    proptest! {
        /// What is shown says which bytes they are.
        #[test]
        fn escaped_names_can_be_read_back(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let text = escape(&bytes);
            let (mut back, mut rest) = (Vec::new(), text.as_bytes());
            while let Some((first, tail)) = rest.split_first() {
                rest = match (first, tail) {
                    (b'\\', [b'\\', tail @ ..]) => { back.push(b'\\'); tail }
                    (b'\\', [b'x', a, b, tail @ ..]) => {
                        let digits = [*a, *b];
                        let digits = str::from_utf8(&digits).unwrap();
                        back.push(u8::from_str_radix(digits, 16).unwrap());
                        tail
                    }
                    _ => { back.push(*first); tail }
                };
            }
            prop_assert_eq!(back, bytes);
        }
    }
}
