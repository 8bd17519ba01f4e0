//! Nodes that lose their power in the middle of a save.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use swapmfs_tests::trial::{PATIENCE, Set, Trial, prepared, wait_until};
use xtask::nfs::Faults;
use xtask::qemu::Running;

/// The moment at which the power goes: waits for it and tells whether it has come.
type Moment = (&'static str, fn(&Trial, &Running) -> Result<bool>);

fn said(node: &Running, text: &str) -> Result<bool> {
    node.wait_for_line(text, PATIENCE).map(|_| true)
}

/// Waits until so many hundredths of the image are on the server.
fn written(trial: &Trial, node: &Running, percent: usize) -> Result<bool> {
    let (image, all) = (trial.temporary(".ndz"), prepared()?.expected.image.len());
    wait_until(node, || {
        let size = fs::metadata(&image).map_or(0, |image| image.len());
        size.saturating_mul(100) > (all * percent) as u64
    })
}

/// Waits until the temporary file is gone, and so has its final name.
fn renamed(trial: &Trial, node: &Running, suffix: &str) -> Result<bool> {
    said(node, "mfs-phase: publish")?;
    let (file, last) = (trial.temporary(suffix), trial.temporary(".meta"));
    wait_until(node, || last.exists()).and_then(|_| wait_until(node, || !file.exists()))
}

const EARLY: [Moment; 6] = [
    ("while modules are loaded", |_, node| said(node, "modules loaded")),
    ("before the disk is read", |_, node| said(node, "mfs-phase: prepare")),
    ("when the save begins", |_, node| said(node, "mfs-phase: save")),
    ("with the first bytes stored", |trial, node| written(trial, node, 0)),
    ("with a third stored", |trial, node| written(trial, node, 33)),
    ("with nearly all stored", |trial, node| written(trial, node, 90)),
];

const LATE: [Moment; 6] = [
    ("when reading back begins", |_, node| said(node, "mfs-phase: verify")),
    ("half read back", |trial, node| {
        let before = trial.server.statistics().bytes_read;
        let half = prepared()?.expected.image.len() as u64 / 2;
        said(node, "mfs-phase: verify")?;
        wait_until(node, || trial.server.statistics().bytes_read > before + half)
    }),
    ("when publishing begins", |_, node| said(node, "mfs-phase: publish")),
    ("with the description being written", |trial, node| {
        wait_until(node, || trial.temporary(".meta").exists())
    }),
    ("with the image renamed", |trial, node| renamed(trial, node, ".ndz")),
    ("with the signature renamed", |trial, node| renamed(trial, node, ".sig")),
];

/// Cuts runs off at these moments, one after the other, then lets one run to its end.
fn cut_off_at(trial: &Trial, moments: &[Moment]) -> Result<()> {
    let (previous, next) = (&prepared()?.previous, &prepared()?.expected);
    let slow = Faults { delay: Duration::from_millis(20), ..Faults::default() };
    let mut cut = 0;
    for (name, moment) in moments {
        trial.server.set_faults(slow.clone());
        let mut node = trial.node("")?.start()?;
        if moment(trial, &node)? {
            cut += 1;
        }
        node.kill()?;
        let found = Set::find(&trial.experiment)?;
        let is_next = found.is_same_state(next);
        println!("{name}: the {} set", if is_next { "next" } else { "previous" });
        ensure!(is_next || found == *previous, "{name}: neither set is whole");
        if is_next {
            // The next run shall have something to lose again.
            previous.write(&trial.experiment)?;
        }
    }
    ensure!(cut == moments.len(), "only {cut} of {} runs were cut off", moments.len());
    trial.server.set_faults(Faults::default());
    trial.run("")?.check_saved()?;
    ensure!(Set::read(&trial.experiment)?.is_same_state(next), "the last run saved something else");
    trial.check_nothing_is_left()?;
    trial.experiment.prove().map(drop)
}

#[test]
fn a_power_cut_while_saving_leaves_the_previous_image() -> Result<()> {
    cut_off_at(&Trial::new("cutoff-early")?.with_own_disk()?, &EARLY)
}

#[test]
fn a_power_cut_while_publishing_leaves_one_whole_set() -> Result<()> {
    cut_off_at(&Trial::new("cutoff-late")?.with_own_disk()?, &LATE)
}
