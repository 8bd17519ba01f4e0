//! Whether a signature is that of an image.

use imagezip_core::sector::SectorRange;
use imagezip_core::signature::{Entry, Signature};

/// How many of the entries that differ are kept to be shown.
const SHOWN_MAX: usize = 1000;

/// How a signature differs from one that was made anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consistency {
    /// What is different about the whole: type of digest, size of blocks, number of entries.
    pub header: Vec<String>,
    /// The first entries that differ, and how.
    pub entries: Vec<(SectorRange, &'static str)>,
    /// How many entries differ.
    pub wrong: u64,
    /// How many entries differ in the number of the chunk alone.
    pub chunk_numbers: u64,
}

/// Compares a signature that is `stored` with one that was `made` of the data.
pub fn compare(stored: &Signature, made: &Signature) -> Consistency {
    let mut found = Consistency::default();
    found.compare_headers(stored, made);
    let (mut left, mut right) = (stored.iter().peekable(), made.iter().peekable());
    loop {
        match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if a.range == b.range => {
                found.compare_entries(a, b, stored.hash_type() == made.hash_type());
                left.next();
                right.next();
            }
            (Some(a), Some(b)) if a.range > b.range => {
                found.add(b.range, "missing in the signature");
                right.next();
            }
            (Some(a), _) => {
                found.add(a.range, "not in the image");
                left.next();
            }
            (None, Some(b)) => {
                found.add(b.range, "missing in the signature");
                right.next();
            }
            (None, None) => break,
        }
    }
    if stored.remainder() != made.remainder() {
        let end = stored.end().or(made.end()).unwrap_or_default();
        found.add(SectorRange::new(end, end).unwrap_or(SectorRange::EMPTY), "another end");
    }
    found
}

impl Consistency {
    fn compare_headers(&mut self, stored: &Signature, made: &Signature) {
        let mut differ = |what: &str, stored: String, made: String| {
            if stored != made {
                self.header.push(format!("{what}: {stored}, not {made}"));
            }
        };
        differ("digest", stored.hash_type().to_string(), made.hash_type().to_string());
        let bytes = |signature: &Signature| (signature.block().sectors() * 512).to_string();
        differ("bytes in a block", bytes(stored), bytes(made));
        let count =
            |signature: &Signature| signature.len() + usize::from(signature.remainder().is_some());
        differ("entries", count(stored).to_string(), count(made).to_string());
    }

    fn compare_entries(&mut self, stored: &Entry, made: &Entry, comparable: bool) {
        if comparable && stored.digest != made.digest {
            self.add(stored.range, "another digest");
        } else if stored.chunk != made.chunk {
            self.chunk_numbers += 1;
        }
    }

    fn add(&mut self, range: SectorRange, how: &'static str) {
        self.wrong += 1;
        if self.entries.len() < SHOWN_MAX {
            self.entries.push((range, how));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imagezip_core::digest::HashType;
    use imagezip_core::sector::Sector;
    use imagezip_core::signature::{ChunkNumber, HashBlockSize};

    fn signature(entries: &[(u32, u32, &[u8], u32)]) -> Signature {
        let mut signature = Signature::new(HashType::Sha1, HashBlockSize::DEFAULT);
        for (start, end, data, chunk) in entries {
            let range = SectorRange::new(Sector::from_u32(*start), Sector::from_u32(*end)).unwrap();
            let digest = HashType::Sha1.digest(data);
            let chunk = ChunkNumber::new(*chunk, false);
            signature.push(Entry { range, chunk, digest }).unwrap();
        }
        signature
    }

    #[test]
    fn every_difference_is_found() {
        let made = signature(&[(0, 9, b"a", 0), (20, 30, b"b", 0), (128, 256, b"c", 1)]);
        assert_eq!(compare(&made, &made), Consistency::default());
        let stored = signature(&[(0, 9, b"x", 0), (10, 15, b"n", 0), (128, 256, b"c", 0)]);
        let found = compare(&stored, &made);
        let entries: Vec<_> =
            found.entries.iter().map(|(range, how)| (range.start().get(), *how)).collect();
        let expected =
            [(0, "another digest"), (10, "not in the image"), (20, "missing in the signature")];
        assert_eq!(entries, expected);
        assert_eq!((found.wrong, found.chunk_numbers), (3, 1));
        assert!(found.header.is_empty());

        let short = signature(&[]);
        assert_eq!(compare(&short, &made).header, ["entries: 0, not 3"]);
        assert_eq!(compare(&short, &made).wrong, 3);
        let md5 = Signature::new(HashType::Md5, HashBlockSize::MAX);
        assert_eq!(compare(&md5, &short).header.len(), 2);
    }
}
