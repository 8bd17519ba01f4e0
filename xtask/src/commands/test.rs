//! `cargo xtask test`: every check of the project, in steps that each have a time limit.

use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use xtask::postgres::Postgres;
use xtask::{apt, command, paths};

/// Runs all tests and lints; installs the programs that they need.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Only what needs no QEMU.
    #[arg(long)]
    quick: bool,
}

/// How often a running step is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A cargo command with a time limit.
struct Step {
    name: &'static str,
    arguments: &'static [&'static str],
    limit: Duration,
}

const fn step(name: &'static str, minutes: u64, arguments: &'static [&'static str]) -> Step {
    Step { name, arguments, limit: Duration::from_mins(minutes) }
}

/// What needs neither QEMU nor an NFS server. Building is a step of its own, so that the limits
/// of the others are those of the tests; they all name the whole workspace, since with one member
/// alone cargo builds its dependencies anew with fewer features.
const QUICK: &[Step] = &[
    step("format", 2, &["fmt", "--all", "--check"]),
    step(
        "lints",
        20,
        &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
    ),
    // The agent's binary is only there with its feature, and only by itself.
    step(
        "lints of the agent",
        10,
        &[
            "clippy",
            "--locked",
            "-p",
            "mfs-agent",
            "--release",
            "--features",
            "freestanding",
            "--bin",
            "mfs-agent",
            "--",
            "-D",
            "warnings",
        ],
    ),
    step("documentation", 10, &["doc", "--workspace", "--no-deps", "--locked", "--quiet"]),
    step("building the tests", 20, &["test", "--workspace", "--no-run", "--locked"]),
    step(
        "unit and property tests",
        6,
        &[
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--test",
            "memory",
            "--test",
            "process",
            "--locked",
        ],
    ),
    step(
        "the agent's network against dnsmasq and the kernel",
        4,
        &["test", "--workspace", "--locked", "--test", "network"],
    ),
    step(
        "file systems against the programs that make, check and use them",
        18,
        &["test", "--workspace", "--locked", "--test", "filesystems"],
    ),
    step("damaged file systems", 10, &["test", "--workspace", "--locked", "--test", "damage"]),
    step(
        "changed partition tables against sfdisk and sgdisk",
        4,
        &["test", "--workspace", "--locked", "--test", "partition_oracle"],
    ),
    step(
        "manual pages and completions",
        5,
        &["test", "--workspace", "--locked", "--test", "tools_documents"],
    ),
    step(
        "the tools, static",
        20,
        &["run", "--quiet", "--locked", "--package", "xtask", "--", "tools"],
    ),
    step(
        "the tools' command lines",
        8,
        &["test", "--workspace", "--locked", "--test", "contract", "--test", "static_tools"],
    ),
    step(
        "the tools on disks, files and pipes",
        15,
        &[
            "test",
            "--workspace",
            "--locked",
            "--test",
            "imagezip",
            "--test",
            "imageunzip",
            "--test",
            "imagerestore",
            "--test",
            "imagehash",
            "--test",
            "imagedump",
            "--test",
            "delta_tools",
            "--test",
            "hostile",
            "--test",
            "large_disks",
        ],
    ),
    step(
        "power drivers, and boss as a service",
        5,
        &["test", "--workspace", "--locked", "--test", "power", "--test", "service"],
    ),
    step(
        "boss' images, swap information and interfaces, with SQLite and PostgreSQL",
        10,
        &[
            "test",
            "--workspace",
            "--locked",
            "--test",
            "image",
            "--test",
            "swapinfo",
            "--test",
            "saved_disk",
            "--test",
            "api",
            "--test",
            "cli",
            "--test",
            "answers",
            "--test",
            "web",
        ],
    ),
    step(
        "files and disks inside of images",
        10,
        &["test", "--workspace", "--locked", "--test", "browse"],
    ),
    step(
        "the tools as scripts call them",
        10,
        &["test", "--workspace", "--locked", "--test", "create_swapimage"],
    ),
    step(
        "the agent and a boss that misbehaves",
        4,
        &["test", "--workspace", "--locked", "--test", "tmcd"],
    ),
    // They mostly wait.
    step(
        "boss and nodes that misbehave, on SQLite and PostgreSQL",
        10,
        &["test", "--workspace", "--locked", "--test", "boss", "--", "--test-threads=8"],
    ),
    step(
        "golden files of the reference programs",
        20,
        &["test", "--workspace", "--locked", "--test", "golden_*"],
    ),
    step(
        "a disk saved and restored on the host",
        5,
        &["test", "--workspace", "--locked", "--test", "experiment"],
    ),
];

/// What boots guests, or needs root for servers of its own.
const GUESTS: &[Step] = &[
    step("the agent's binary", 10, &["test", "--workspace", "--locked", "--test", "agent_binary"]),
    step(
        "guests and servers by themselves",
        8,
        &["test", "--workspace", "--locked", "--test", "guests"],
    ),
    step(
        "boss' pages in a browser",
        20,
        &["test", "--workspace", "--locked", "--test", "browser", "--", "--test-threads=2"],
    ),
    step(
        "file systems that Debian's kernel has used, and lost its power with",
        25,
        &[
            "test",
            "--workspace",
            "--locked",
            "--test",
            "filesystems_guest",
            "--",
            "--test-threads=2",
        ],
    ),
    step(
        "saves and loads in QEMU",
        25,
        &["test", "--workspace", "--locked", "--test", "qemu", "--", "--test-threads=2"],
    ),
    step(
        "other hardware in QEMU",
        10,
        &["test", "--workspace", "--locked", "--test", "hardware", "--", "--test-threads=2"],
    ),
    step(
        "nodes on networks of their own, and what they say of themselves",
        10,
        &["test", "--workspace", "--locked", "--test", "lab", "--", "--test-threads=2"],
    ),
    step(
        "booting from the network, and from a disk that was loaded",
        15,
        &["test", "--workspace", "--locked", "--test", "boot", "--", "--test-threads=2"],
    ),
];

impl Test {
    pub(crate) fn run(self) -> Result<()> {
        let mut steps: Vec<&Step> = QUICK.iter().collect();
        for packages in [
            apt::DISK_TOOLS,
            apt::FILE_SYSTEMS,
            apt::SIGNING,
            apt::DOCUMENT_TOOLS,
            apt::BINARY_TOOLS,
            apt::SHELL_TOOLS,
            apt::CABLES,
            apt::BOSS,
        ] {
            apt::ensure(packages)?;
        }
        if !self.quick {
            for packages in [
                apt::KERNEL_TOOLS,
                apt::QEMU,
                apt::GANESHA,
                apt::UKI,
                apt::LAB,
                apt::BOOT_LOADER,
                apt::BROWSER,
            ] {
                apt::ensure(packages)?;
            }
            steps.extend(GUESTS);
        }
        // Tests of boss use it beside SQLite.
        let postgres = Postgres::start()?;
        let url = postgres.url();
        let outcomes: Vec<_> = steps.iter().map(|step| (step.name, step.run(&url))).collect();

        println!("\n{:-<78}", "");
        for (name, (result, time)) in &outcomes {
            let word = if result.is_ok() { "ok    " } else { "FAILED" };
            println!("{word} {name} ({:.0} s)", time.as_secs_f64());
            if let Err(error) = result {
                println!("       {error:#}");
            }
        }
        let failed = outcomes.iter().filter(|(_, (result, _))| result.is_err()).count();
        println!("steps: {} passed, {failed} failed", outcomes.len() - failed);
        if failed > 0 {
            bail!("{failed} of {} steps failed", outcomes.len());
        }
        Ok(())
    }
}

impl Step {
    fn run(&self, postgres: &str) -> (Result<()>, Duration) {
        println!("\n==> {}", self.name);
        let start = Instant::now();
        let result = self.execute(postgres);
        (result, start.elapsed())
    }

    fn execute(&self, postgres: &str) -> Result<()> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(self.arguments)
            .current_dir(paths::workspace())
            .env("BOSS_TEST_POSTGRES", postgres)
            // What makes the next build faster takes room, and a machine that checks builds once.
            .env("CARGO_INCREMENTAL", "0")
            .env("RUSTDOCFLAGS", "-D warnings");
        let line = command::line(&cargo);
        let child = cargo.spawn().with_context(|| format!("cannot run `{line}`"))?;
        let status = wait(child, self.limit)?.with_context(|| {
            format!("`{line}` was not done after {} minutes", self.limit.as_secs() / 60)
        })?;
        if !status.success() {
            bail!("`{line}` failed: {status}");
        }
        Ok(())
    }
}

/// Waits for a child, at most so long; then it is killed, and there is no status.
fn wait(mut child: Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests;
