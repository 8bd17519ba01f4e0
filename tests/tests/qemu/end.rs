//! How a run ends when the agent itself fails, by an image whose agent fails when it is told to.

use anyhow::Result;
use imagezip_core::swapinfo::Phase;
use swapmfs_tests::trial::{LIMIT, Run, Trial, prepared};
use xtask::qemu::Exit;

#[test]
fn a_panic_is_reported_and_the_machine_reboots() -> Result<()> {
    let trial = Trial::new("panic")?;
    let node = trial.node_of(&prepared()?.drill_image, "mfs.drill=panic mfs.then=reboot");
    let run = Run::of(&mut node.start()?)?;
    assert_eq!(run.exit, Exit::Reboot, "{}", run.console);
    assert!(run.console.contains("mfs-result: failed code=33 panicked at"), "{}", run.console);
    let status = trial.status()?;
    assert_eq!((status.phase, status.result), (Phase::Failed, Some(33)), "{status:?}");
    assert!(status.error.unwrap_or_default().contains("drill"));
    trial.check_previous_is_untouched()
}

#[test]
fn a_run_that_stands_still_is_given_up() -> Result<()> {
    let trial = Trial::new("hang")?;
    let node = trial.node_of(&prepared()?.drill_image, "mfs.drill=hang mfs.progress=10");
    let run = Run::of(&mut node.start()?)?;
    trial.check_refused(&run, 32, "no progress for 10 seconds in the phase prepare")
}

#[test]
fn a_watchdog_that_is_not_fed_resets_the_machine() -> Result<()> {
    let trial = Trial::new("watchdog")?;
    let node = trial.node_of(&prepared()?.drill_image, "mfs.drill=freeze");
    let mut node = node.start()?;
    let exit = node.wait(LIMIT)?;
    assert_eq!(exit, Exit::Watchdog, "{}", node.console().tail(20));
    trial.check_previous_is_untouched()
}
