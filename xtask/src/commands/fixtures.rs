//! `cargo xtask fixtures`: real file systems, and how well our parsers know them.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;
use fixtures::results;
use xtask::{apt, command, paths};

/// Makes file systems with the real tools, uses them, and compares what our parsers find with what other
/// programs say.
#[derive(Debug, Args)]
pub(crate) struct Fixtures {
    /// Put what was found into the table of docs/filesystems.md.
    #[arg(long)]
    table: bool,
    /// Only the results of tests that ran before; by default all are run anew.
    #[arg(long)]
    kept: bool,
}

/// The lines of docs/filesystems.md between which the table stands.
const BOUNDS: (&str, &str) = ("<!-- cargo xtask fixtures --table -->\n", "<!-- end -->\n");

impl Fixtures {
    pub(crate) fn run(self) -> Result<()> {
        if !self.kept {
            let kept = results::directory();
            if kept.exists() {
                fs::remove_dir_all(&kept)?;
            }
            for packages in [apt::FILE_SYSTEMS, apt::KERNEL_TOOLS, apt::QEMU] {
                apt::ensure(packages)?;
            }
            let mut cargo = Command::new("cargo");
            cargo.args(["test", "--workspace", "--locked", "--test", "filesystems*"]);
            command::run(cargo.current_dir(paths::workspace()))?;
        }
        let table = results::Table(&results::all()?).to_string();
        print!("{table}");
        if self.table {
            let path = paths::workspace().join("docs/filesystems.md");
            let text = fs::read_to_string(&path)?;
            let text = replaced(&text, &table)
                .with_context(|| format!("{} has no place for a table", path.display()))?;
            fs::write(&path, text)?;
        }
        Ok(())
    }
}

/// The text with another table between its [`BOUNDS`].
fn replaced(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BOUNDS.0)?;
    let (_, after) = rest.split_once(BOUNDS.1)?;
    Some(format!("{before}{}{table}{}{after}", BOUNDS.0, BOUNDS.1))
}
