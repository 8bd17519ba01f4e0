//! Writes, changes and lists files inside of a guest, for the tests of `filesystems_guest`.
//!
//! `guest_files write DIRECTORY MIB SEED` and `age DIRECTORY SEED` do what `fixtures::files` says;
//! `digests DIRECTORY` lists all files with their digests; `sync DIRECTORY` makes them lasting, one
//! after the other; `churn DIRECTORY SEED` writes and deletes until there is no power.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fixtures::files;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["write", dir, mib, seed] => files::write(Path::new(dir), mib.parse()?, seed.parse()?),
        ["age", dir, seed] => files::age(Path::new(dir), seed.parse()?),
        ["digests", dir] => digests(Path::new(dir)),
        ["sync", dir] => sync(Path::new(dir)),
        ["churn", dir, seed] => churn(Path::new(dir), seed.parse()?),
        _ => bail!("unknown: {words:?}"),
    }
}

fn digests(dir: &Path) -> Result<()> {
    let mut text = Vec::new();
    for (path, digest) in files::digests(dir)? {
        for byte in digest {
            write!(text, "{byte:02x}")?;
        }
        writeln!(text, " {}", path.display())?;
    }
    Ok(io::stdout().write_all(&text)?)
}

/// Each file and each directory, the deepest ones first.
fn sync(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(dir)?.sync_all().with_context(|| format!("cannot sync {}", dir.display()))
}

/// Four directories, one of which is always being written anew; some of it is synced.
fn churn(dir: &Path, seed: u64) -> Result<()> {
    for turn in 0_u64.. {
        let place = |number: u64| -> PathBuf { dir.join(format!("turn{}", number % 4)) };
        let now = place(turn);
        if now.exists() {
            fs::remove_dir_all(&now)?;
        }
        fs::create_dir_all(&now)?;
        files::write(&now, 2, seed + turn)?;
        if turn % 3 == 1 {
            sync(&now)?;
        }
        files::age(&now, seed + turn)?;
        if turn % 3 == 2 {
            fs::rename(&now, dir.join("moved"))?;
            fs::rename(dir.join("moved"), &now)?;
        }
    }
    Ok(())
}
