//! A full image, which needs no base, and numbers without an image.

use std::fs;

use anyhow::Result;
use swapmfs_tests::trial::{Run, Set, Trial, prepared};
use xtask::nfs::Faults;
use xtask::qemu::Exit;

#[test]
fn a_full_image_restores_a_disk_by_itself() -> Result<()> {
    let trial = Trial::new("full-image")?;
    fs::remove_file(trial.experiment.node_file(".sig"))?;
    trial.run("mfs.save=full")?.check_saved()?;
    trial.check_nothing_is_left()?;
    let meta = Set::read(&trial.experiment)?.description()?;
    assert_eq!((&meta.base, &meta.engine_sha256), (&None, &None));
    assert_eq!(meta.sectors_changed, meta.sectors_in_use);
    // Without the base: that is what the description says.
    trial.experiment.prove()?;
    Ok(())
}

#[test]
fn statistics_leave_everything_as_it_was() -> Result<()> {
    let trial = Trial::new("statistics")?;
    let run = trial.run("mfs.save=statistics")?;
    // What the save would have written is known to the byte.
    let expected = &prepared()?.expected;
    let words = format!("mfs-result: statistics bytes={} chunks=", expected.image.len());
    check_counted(&run, &words)?;
    trial.check_previous_is_untouched()?;
    assert_eq!(trial.status()?.result, Some(0));
    assert!(trial.logs()?.contains("statistics bytes="), "{}", trial.logs()?);
    Ok(())
}

#[test]
fn statistics_need_no_leave_to_write() -> Result<()> {
    let trial = Trial::new("read-only-statistics")?;
    trial.server.set_faults(Faults { read_only: true, ..Faults::default() });
    let run = trial.run("mfs.save=full-statistics")?;
    check_counted(&run, "mfs-result: statistics bytes=")?;
    assert!(run.console.contains("cannot write the status of the run"), "{}", run.console);
    trial.check_previous_is_untouched()
}

fn check_counted(run: &Run, words: &str) -> Result<()> {
    let good = run.exit == Exit::PowerOff && run.console.contains(words);
    anyhow::ensure!(good, "no {words:?} ({}):\n{}", run.exit, run.console);
    Ok(())
}
