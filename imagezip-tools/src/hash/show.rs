//! Signatures as text.

use std::io::{self, Write};

use imagezip_core::signature::{ChunkNumber, Signature};

/// The columns of a report.
#[derive(Clone, Copy, Debug)]
pub enum Columns<'a> {
    /// Digest, first sector, number of sectors.
    Few,
    /// Those, and chunk, the letter U, and this name of the file.
    All(&'a str),
}

/// Writes a line for each entry of a signature, as people read it.
///
/// # Errors
/// From `out`.
pub fn dump(out: &mut impl Write, signature: &Signature, chunks: bool) -> io::Result<()> {
    for entry in signature.iter() {
        let (start, end) = (entry.range.start().get(), entry.range.end().get());
        write!(out, "[{start}-{}] ({}): ", end.saturating_sub(1), entry.range.len())?;
        if chunks {
            write!(out, "chunk {}, ", Span(entry.chunk))?;
        }
        writeln!(out, "hash {}", entry.digest)?;
    }
    if let Some(rest) = signature.remainder() {
        let (start, bytes) = (rest.start(), rest.bytes());
        writeln!(out, "[{start}] ({bytes} bytes): hash {}", rest.digest())?;
    }
    Ok(())
}

/// Writes a line of columns for each entry of a signature, as programs read it.
///
/// # Errors
/// From `out`.
pub fn report(out: &mut impl Write, signature: &Signature, columns: Columns<'_>) -> io::Result<()> {
    let mut line = |digest, start, len: u64, chunk| match columns {
        Columns::Few => writeln!(out, "{digest}\t{start}\t{len}"),
        Columns::All(name) => writeln!(out, "{digest}\t{start}\t{len}\t{chunk}\tU\t{name}"),
    };
    for entry in signature.iter() {
        line(entry.digest, entry.range.start(), entry.range.len().get(), entry.chunk.number())?;
    }
    // Of no sectors, as in the signature's file.
    signature.remainder().map_or(Ok(()), |rest| line(rest.digest(), rest.start(), 0, 0))
}

/// The chunk or chunks with an entry's data.
struct Span(ChunkNumber);

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let number = self.0.number();
        if self.0.spans() {
            write!(f, "{number}-{}", u64::from(number) + 1)
        } else {
            write!(f, "{number}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imagezip_core::digest::HashType;
    use imagezip_core::sector::{Sector, SectorRange};
    use imagezip_core::signature::{Entry, HashBlockSize, Remainder};

    #[test]
    fn lines_are_those_of_the_classic_tool() {
        let mut signature = Signature::new(HashType::Md5, HashBlockSize::DEFAULT);
        let digest = HashType::Md5.digest(b"");
        let mut push = |start, end, chunk| {
            let sector = Sector::new;
            let range = SectorRange::new(sector(start).unwrap(), sector(end).unwrap()).unwrap();
            signature.push(Entry { range, chunk, digest }).unwrap();
        };
        push(16, 17, ChunkNumber::new(0, false));
        push(1 << 40, (1 << 40) + 128, ChunkNumber::new(7, true));
        let end = Sector::new((1 << 40) + 128).unwrap();
        signature.set_remainder(Remainder::new(end, 3, digest).unwrap()).unwrap();

        let text = |write: &dyn Fn(&mut Vec<u8>) -> io::Result<()>| {
            let mut out = Vec::new();
            write(&mut out).unwrap();
            String::from_utf8(out).unwrap().replace(&digest.to_string(), "H")
        };
        assert_eq!(
            text(&|out| dump(out, &signature, true)),
            "[16-16] (1): chunk 0, hash H\n\
             [1099511627776-1099511627903] (128): chunk 7-8, hash H\n\
             [1099511627904] (3 bytes): hash H\n"
        );
        assert!(text(&|out| dump(out, &signature, false)).starts_with("[16-16] (1): hash H\n"));
        assert_eq!(
            text(&|out| report(out, &signature, Columns::Few)),
            "H\t16\t1\nH\t1099511627776\t128\nH\t1099511627904\t0\n"
        );
        assert_eq!(
            text(&|out| report(out, &signature, Columns::All("a"))),
            "H\t16\t1\t0\tU\ta\nH\t1099511627776\t128\t7\tU\ta\nH\t1099511627904\t0\t0\tU\ta\n"
        );
    }
}
