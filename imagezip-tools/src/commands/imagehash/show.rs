//! What is printed about images and their signatures.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use imagezip_core::pipeline::Joining;

use super::{ENTRIES_DIFFER, Exit, Imagehash, STANDARD_OUTPUT, read_signature};
use crate::hash::{self, Columns};

impl Imagehash {
    /// Compares a signature with its image.
    pub(super) fn check(&self, image: &Path) -> anyhow::Result<Exit> {
        let path = self.signature_path(image);
        let stored = read_signature(&path)?;
        let spans = stored.iter().any(|entry| entry.chunk.spans());
        let mut how = self.hashing(Some(&stored));
        if spans {
            how.joining = Joining::Blocks;
        }
        let work = self.work();
        let made = self.hash(image, how, &work)?;
        let found = hash::compare(&stored, &made);
        let mut out = BufWriter::new(io::stdout().lock());
        if !self.json {
            for line in &found.header {
                writeln!(out, "{}: {line}", path.display()).context(STANDARD_OUTPUT)?;
            }
            for (range, how) in &found.entries {
                let (start, len) = (range.start().get(), range.len().get());
                let last = (start + len).saturating_sub(1);
                writeln!(out, "[{start}-{last}] ({len}): {how}").context(STANDARD_OUTPUT)?;
            }
        }
        out.flush().context(STANDARD_OUTPUT)?;
        drop(out);
        self.tell(&work.about(image, Some(&path), &stored).consistent(&found))?;
        Ok(Exit(match (found.header.len(), found.wrong) {
            (0, 0) => 0,
            (0, _) => ENTRIES_DIFFER,
            (count, _) => u8::try_from(count).unwrap_or(u8::MAX).min(ENTRIES_DIFFER - 1),
        }))
    }

    /// Prints the blocks of an image.
    pub(super) fn report(&self, image: &Path) -> anyhow::Result<Exit> {
        let work = self.work();
        let signature = self.hash(image, self.hashing(None), &work)?;
        let name = image.display().to_string();
        let columns = match self.report {
            1 => Columns::Few,
            _ => Columns::All(self.file_id.as_deref().unwrap_or(&name)),
        };
        let mut out = BufWriter::new(io::stdout().lock());
        hash::report(&mut out, &signature, columns)
            .and_then(|()| out.flush())
            .context(STANDARD_OUTPUT)?;
        drop(out);
        // Standard output is the report's.
        if !self.quiet {
            eprint!("{}", work.about(image, None, &signature));
        }
        Ok(Exit::OK)
    }

    /// Prints a signature.
    pub(super) fn dump(&self, path: &Path) -> anyhow::Result<Exit> {
        let signature = read_signature(path)?;
        if self.json {
            let work = self.work();
            return self.tell(&work.about(path, Some(path), &signature));
        }
        let mut out = BufWriter::new(io::stdout().lock());
        let shown = if self.terse {
            hash::report(&mut out, &signature, Columns::Few)
        } else {
            hash::dump(&mut out, &signature, !self.no_chunks)
        };
        shown.and_then(|()| out.flush()).context(STANDARD_OUTPUT)?;
        Ok(Exit::OK)
    }
}
