//! Nodes that lose their power in the middle of a load, at random moments: 20 in all.
//!
//! A moment is a fraction of what the run has to write at least, measured by what it has written
//! to its disk. The seed is printed; `SWAPMFS_CUTOFF_SEED` makes the moments the same again.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use imagezip_core::swapinfo::{Phase, Status};
use swapmfs_tests::disk::filled;
use swapmfs_tests::trial::{PATIENCE, Run, Set, prepared, wait_until_written};
use xtask::nfs::Faults;
use xtask::node_disk::{SECTOR, Slice};
use xtask::qemu::{Machine, Running};

use crate::swapin::Loading;

/// Names the seed of a run that failed.
const SEED: &str = "SWAPMFS_CUTOFF_SEED";

/// How long one group may take.
const GROUP_LIMIT: Duration = Duration::from_mins(4);

/// How often each group's disk is cut off while it is written.
const CUTS: u64 = 4;

/// Without this the server would be done before the host sees that the disk is written.
const SLOW: Duration = Duration::from_millis(10);

/// Where a run that has not written anything yet may be.
const BEFORE: [&str; 4] =
    ["modules loaded", "mfs-phase: mount", "mfs-phase: prepare", "mfs-phase: verify"];

/// Numbers that look random (splitmix64).
struct Random(u64);

impl Random {
    /// The seed is the environment's or the clock's; groups have different numbers of one seed.
    fn of_group(group: &str) -> Result<Self> {
        let seed = match env::var(SEED) {
            Ok(seed) => seed.parse().with_context(|| format!("{SEED}={seed}"))?,
            Err(_) => u64::from(SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos()),
        };
        println!("{SEED}={seed} repeats this");
        Ok(Self(
            group
                .bytes()
                .fold(seed, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte))),
        ))
    }

    /// A number from 0 to below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// A disk of another user's that is loaded, each time from what the run before has left.
struct Group {
    loading: Loading,
    words: &'static str,
    /// What has to be on the disk in the end.
    in_use: Vec<Slice>,
    start: Instant,
}

impl Group {
    fn new(name: &str, more: i64, words: &'static str) -> Result<Self> {
        let loading = Loading::new(name, more)?;
        let in_use = loading.in_use()?;
        Ok(Self { loading, words, in_use, start: Instant::now() })
    }

    fn machine(&self) -> Result<Machine> {
        ensure!(self.start.elapsed() < GROUP_LIMIT, "the group takes too long");
        self.loading.trial.loading(self.loading.drive(), self.words)
    }

    /// How many bytes the next run has to write at least.
    fn left(&self) -> Result<u64> {
        let (is, was) = (fs::read(&self.loading.disk)?, fs::read(&self.loading.saved_disk().path)?);
        let every = self.words.contains("mfs.load=full");
        let mut left = 0;
        for slice in &self.in_use {
            let bytes =
                usize::try_from(slice.start * SECTOR)?..usize::try_from(slice.end() * SECTOR)?;
            let sectors = is[bytes.clone()].chunks(512).zip(was[bytes].chunks(512));
            left += sectors.filter(|(is, was)| every || is != was).count() as u64 * SECTOR;
        }
        if self.words.contains("mfs.free=zero") {
            let used: u64 = self.in_use.iter().map(|slice| slice.sectors * SECTOR).sum();
            left += (is.len() as u64).saturating_sub(used) / 10 * 9;
        }
        Ok(left)
    }

    /// Cuts a run off before it writes anything.
    fn cut_before(&self, random: &mut Random) -> Result<()> {
        let before = fs::read(&self.loading.disk)?;
        let text = BEFORE[usize::try_from(random.below(BEFORE.len() as u64))?];
        let mut node = self.machine()?.start()?;
        node.wait_for_line(text, PATIENCE)?;
        self.kill(&mut node)?;
        ensure!(fs::read(&self.loading.disk)? == before, "{text}: the disk was written");
        println!("cut off at {text:?}");
        Ok(())
    }

    /// Cuts a run off when it has written a part of what it has to write.
    fn cut_within(&self, random: &mut Random) -> Result<()> {
        let left = self.left()?;
        let hundredths = random.below(85);
        let moment = left * hundredths / 100;
        self.loading.trial.server.set_faults(Faults { delay: SLOW, ..Faults::default() });
        let mut node = self.machine()?.start()?;
        node.wait_for_line("mfs-phase: load", PATIENCE)?;
        let written = wait_until_written(&mut node, moment)?;
        self.kill(&mut node)?;
        let written = written.with_context(|| format!("it ended before {moment} were written"))?;
        println!("cut off at {hundredths} % of {left} bytes, with {written} written");
        Ok(())
    }

    /// Takes the power away; the node must not have said that the disk is loaded.
    fn kill(&self, node: &mut Running) -> Result<()> {
        node.kill()?;
        node.wait(PATIENCE)?;
        let said = node.console().find("mfs-result: ");
        ensure!(said.is_none(), "it has said {said:?}");
        // There is none before /proj is mounted.
        if self.status_file().exists() {
            let Status { phase, result, .. } = self.loading.trial.status()?;
            let ended = result.is_some() || phase == Phase::Done;
            ensure!(!ended, "the status is {phase} with {result:?}");
        }
        Ok(())
    }

    fn status_file(&self) -> PathBuf {
        self.loading.trial.experiment.node_file("-swap.status")
    }

    /// Lets a run come to its end.
    fn finish(&self) -> Result<()> {
        self.loading.trial.server.set_faults(Faults::default());
        let run = Run::of(&mut self.machine()?.start()?)?;
        run.check_loaded()?;
        let status = self.loading.trial.status()?;
        ensure!(status.result == Some(0) && status.phase == Phase::Done, "{status:?}");
        self.loading.check_restored()?;
        let set = Set::read(&self.loading.trial.experiment)?;
        ensure!(set == prepared()?.expected, "what was saved has changed");
        if self.words.contains("mfs.free=zero") {
            let bytes = fs::read(&self.loading.disk)?;
            let left = bytes.chunks(512).filter(|sector| **sector == filled(512)[..]).count();
            ensure!(left == 0, "{left} sectors of the disk's last user are left");
        }
        Ok(())
    }
}

/// Cuts runs off, one of them before it writes, and lets the last one come to its end.
fn cut_off(name: &str, more: i64, words: &'static str) -> Result<()> {
    let mut random = Random::of_group(name)?;
    let group = Group::new(name, more, words)?;
    let before = random.below(CUTS + 1);
    for cut in 0..=CUTS {
        if cut == before {
            group.cut_before(&mut random)?;
        } else {
            group.cut_within(&mut random)?;
        }
        if cut < CUTS {
            // Only the last run shall wait and see whether that of the status is still at work.
            let _ = fs::remove_file(group.status_file());
        }
    }
    group.finish()
}

#[test]
fn a_load_that_was_cut_off_goes_on_where_it_can() -> Result<()> {
    cut_off("swapin-cutoff", 0, "")
}

#[test]
fn a_load_in_full_that_was_cut_off_is_done_again() -> Result<()> {
    cut_off("swapin-cutoff-full", 0, "mfs.load=full")
}

#[test]
fn a_load_that_compares_and_was_cut_off_writes_what_is_missing() -> Result<()> {
    cut_off("swapin-cutoff-converge", 4_321 * 8, "mfs.load=converge")
}

#[test]
fn a_load_that_clears_and_was_cut_off_leaves_nothing_of_another_user() -> Result<()> {
    cut_off("swapin-cutoff-zero", 12_345 * 8, "mfs.free=zero")
}
