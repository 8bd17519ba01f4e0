//! `cargo xtask fuzz`: the parsers of file systems on hostile disks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use xtask::{apt, command, paths};

/// Fuzzes the parsers of file systems with cargo-fuzz, each for a bounded time.
///
/// What real file systems hold where the parsers read is where it begins (`cargo test -p fixtures --test
/// damage` collects that). An input that upsets a parser stays in `fuzz/artifacts`.
#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// So many seconds for each target.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Only these targets.
    targets: Vec<String>,
}

/// A fuzz target and the kinds of file systems, as their verdicts call them in small letters, from
/// which it begins.
struct Target {
    name: &'static str,
    kinds: &'static [&'static str],
}

const fn target(name: &'static str, kinds: &'static [&'static str]) -> Target {
    Target { name, kinds }
}

const TARGETS: &[Target] = &[
    target("ext", &["ext2", "ext3", "ext4"]),
    target("swap", &["swap"]),
    target("fat", &["fat12", "fat16", "fat32"]),
    target("exfat", &["exfat"]),
    target("ntfs", &["ntfs"]),
    target("ufs", &["ufs1", "ufs2"]),
    target("xfs", &["xfs"]),
    target("btrfs", &["btrfs"]),
    target("f2fs", &["f2fs"]),
    target("lvm", &["lvm"]),
    target("raid", &["linux-raid"]),
    target("disk", &["bsd-slice"]),
];

/// Built without a sanitizer, the targets need nothing of a nightly compiler but its flags.
const CARGO_FUZZ: (&str, &str) = ("cargo-fuzz", "0.13.1");

impl Fuzz {
    pub(crate) fn run(self) -> Result<()> {
        if let Some(unknown) =
            self.targets.iter().find(|name| TARGETS.iter().all(|target| target.name != *name))
        {
            let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            bail!("no fuzz target {unknown}; there are {}", names.join(", "));
        }
        for packages in [apt::FILE_SYSTEMS, apt::FUZZING] {
            apt::ensure(packages)?;
        }
        let tool = cargo_fuzz()?;
        let mut cargo = Command::new("cargo");
        cargo.args(["test", "--locked", "--package", "fixtures", "--test", "damage"]);
        command::run(cargo.current_dir(paths::workspace()))?;
        let chosen = |target: &&Target| {
            self.targets.is_empty() || self.targets.iter().any(|name| name == target.name)
        };
        let mut upset = Vec::new();
        for target in TARGETS.iter().filter(chosen) {
            println!("\n==> {} for {} s", target.name, self.seconds);
            if let Err(error) = target.run(&tool, self.seconds) {
                println!("{error:#}");
                upset.push(target.name);
            }
        }
        ensure!(upset.is_empty(), "upset: {}", upset.join(", "));
        Ok(())
    }
}

impl Target {
    fn run(&self, tool: &Path, seconds: u32) -> Result<()> {
        let work = paths::target().join("fuzz");
        let corpus = work.join("corpus").join(self.name);
        fs::create_dir_all(&corpus)?;
        let mut fuzz = Command::new(tool);
        // `fuzz` is the word with which cargo calls it.
        fuzz.args(["fuzz", "run", self.name, "--sanitizer", "none", "--target-dir"])
            .arg(work.join("build"))
            .arg(&corpus);
        for kind in self.kinds {
            let seeds = paths::target().join("seeds").join(kind);
            ensure!(seeds.is_dir(), "no seeds in {}", seeds.display());
            fuzz.arg(seeds);
        }
        fuzz.arg("--")
            .arg(format!("-max_total_time={seconds}"))
            .args(["-max_len=4194304", "-timeout=20", "-rss_limit_mb=1024", "-print_final_stats=1"])
            .env("RUSTC_BOOTSTRAP", "1")
            .current_dir(paths::workspace().join("fuzz"));
        command::run(&mut fuzz)
    }
}

/// cargo-fuzz, installed below `target` if the machine has none.
fn cargo_fuzz() -> Result<PathBuf> {
    let (name, version) = CARGO_FUZZ;
    if let Some(path) = command::find_program(name) {
        return Ok(path);
    }
    let root = paths::target().join("fuzz/tool");
    let path = root.join("bin").join(name);
    if !path.exists() {
        let mut cargo = Command::new("cargo");
        cargo.args(["install", "--locked", name, "--version", version, "--root"]).arg(&root);
        command::run(&mut cargo).context("installing cargo-fuzz")?;
    }
    Ok(path)
}
