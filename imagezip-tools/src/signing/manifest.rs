//! Digests of files in the form of `sha256sum`: a line for each, with the file's name.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use imagezip_core::digest::Sha256;

/// A file and its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The file's name, without a directory.
    pub(super) name: OsString,
    pub(super) digest: Sha256,
}

/// Files and their digests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Manifest(Vec<Entry>);

impl Manifest {
    pub(super) fn push(&mut self, name: OsString, digest: Sha256) {
        self.0.push(Entry { name, digest });
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// The text of the file.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for Entry { name, digest } in &self.0 {
            let mut escaped = Vec::new();
            for byte in name.as_bytes() {
                match byte {
                    b'\\' => escaped.extend(b"\\\\"),
                    b'\n' => escaped.extend(b"\\n"),
                    b'\r' => escaped.extend(b"\\r"),
                    other => escaped.push(*other),
                }
            }
            // A backslash before the digest says that the name has some.
            if escaped.len() > name.len() {
                text.push(b'\\');
            }
            text.extend(format!("{digest}  ").bytes());
            text.extend(escaped);
            text.push(b'\n');
        }
        text
    }

    /// What such a text says; `None` if it is something else, or names files in other directories.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let lines = text.strip_suffix(b"\n")?.split(|byte| *byte == b'\n');
        lines.map(Entry::parse).collect::<Option<_>>().map(Self)
    }
}

impl Entry {
    fn parse(line: &[u8]) -> Option<Self> {
        let (line, escaped) = match line.strip_prefix(b"\\") {
            Some(rest) => (rest, true),
            None => (line, false),
        };
        let (digest, name) = line.split_at_checked(64)?;
        let name = name.strip_prefix(b"  ").or_else(|| name.strip_prefix(b" *"))?;
        let name = if escaped { unescape(name)? } else { name.to_owned() };
        if name.is_empty() || name.contains(&b'/') || matches!(name.as_slice(), b"." | b"..") {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digest.chunks(2)) {
            let digits = pair.iter().all(u8::is_ascii_hexdigit).then_some(pair)?;
            *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self { name: OsString::from_vec(name), digest: Sha256(bytes) })
    }
}

fn unescape(name: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match (byte, byte == &b'\\') {
            (_, false) => *byte,
            (_, true) => match bytes.next()? {
                b'\\' => b'\\',
                b'n' => b'\n',
                b'r' => b'\r',
                _ => return None,
            },
        });
    }
    Some(plain)
}
