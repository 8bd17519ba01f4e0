//! `cargo xtask guest`: a shell script with Debian's kernel.

use anyhow::{Context, Result};
use clap::Args;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use xtask::guest::{Guest, Job};
use xtask::paths;

/// Runs a shell script in a QEMU guest with Debian's kernel and this machine's programs.
///
/// For file systems that this machine's kernel doesn't have. All of this machine is there, read-only,
/// but /tmp, /run and /mnt; the script runs in /run/job, which is target/guest/job here.
#[derive(Debug, Args)]
pub(crate) struct GuestCommand {
    /// The script, for sh -eu.
    script: PathBuf,
    /// Disks in raw files, which become /dev/vda, /dev/vdb and so on.
    disks: Vec<PathBuf>,
    /// How long it may take.
    #[arg(long, value_name = "MINUTES", default_value_t = 10)]
    limit: u64,
}

impl GuestCommand {
    pub(crate) fn run(self) -> Result<()> {
        let script = fs::read_to_string(&self.script)
            .with_context(|| format!("cannot read {}", self.script.display()))?;
        let directory = paths::target().join("guest/job");
        fs::create_dir_all(&directory)?;
        let limit = Duration::from_mins(self.limit);
        let job = Job { directory: &directory, script: &script, disks: &self.disks, limit };
        let result = Guest::prepare()?.run(&job);
        print!("{}", fs::read_to_string(directory.join("console")).unwrap_or_default());
        result
    }
}
