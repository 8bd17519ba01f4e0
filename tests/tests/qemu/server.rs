//! File servers that fail, are late, or go away.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use swapmfs_tests::trial::{PATIENCE, Run, Set, Trial, prepared, wait_until};
use xtask::nfs::{Faults, Operation, Refusal, Revoked};
use xtask::qemu::Running;

/// Makes each write take so long that something can happen in the middle.
const SLOW: Duration = Duration::from_millis(100);

#[test]
fn a_read_only_project_is_refused() -> Result<()> {
    let trial = Trial::new("read-only")?;
    trial.server.set_faults(Faults { read_only: true, ..Faults::default() });
    let run = trial.run("")?;
    run.check_failed(29, "read-only file system; export /proj read-write to this node")?;
    trial.check_previous_is_untouched()
}

#[test]
fn a_server_that_runs_full_leaves_the_previous_image() -> Result<()> {
    let trial = Trial::new("full")?;
    // Half of the image; a write has 1 MiB at most.
    let half = prepared()?.expected.image.len() as u64 / 2;
    trial.server.set_faults(Faults { no_space_after: Some(half), ..Faults::default() });
    let run = trial.run("")?;
    run.check_failed(30, "no space left; make room on the file server")?;
    assert!(trial.server.statistics().bytes_written > 1 << 20, "not in the middle of the image");
    trial.check_previous_is_untouched()
}

#[test]
fn a_server_that_cannot_store_leaves_the_previous_image() -> Result<()> {
    let trial = Trial::new("commit-fails")?;
    let mut node = trial.node("")?.start()?;
    node.wait_for_line("mfs-phase: save", PATIENCE)?;
    trial.server.set_faults(Faults { fail: [Operation::Commit].into(), ..Faults::default() });
    let run = Run::of(&mut node)?;
    run.check_failed(34, "input/output error")?;
    trial.check_previous_is_untouched()
}

#[test]
fn a_server_that_damages_data_is_found_out() -> Result<()> {
    let trial = Trial::new("damage")?;
    trial.server.set_faults(Faults { damage_byte: Some(1 << 20), ..Faults::default() });
    let run = trial.run("")?;
    trial.check_refused(&run, 31, "reading node-a-swap.ndz.tmp back: ")
}

#[test]
fn a_server_that_is_late_is_waited_for() -> Result<()> {
    let mut trial = Trial::new("late-server")?;
    trial.server.stop();
    let mut node = trial.node("")?.start()?;
    let tried = node.wait_for_line("attempt 4 to mount 10.0.2.2:/proj failed", PATIENCE)?;
    assert!(tried.text.contains("connection refused (is the NFS server running"), "{tried:?}");
    trial.server.start()?;
    Run::of(&mut node)?.check_saved()?;
    assert!(Set::read(&trial.experiment)?.is_same_state(&prepared()?.expected));
    Ok(())
}

/// With less patience than the two minutes that are the default (`mfs_agent::cmdline`).
#[test]
fn a_server_that_never_comes_is_given_up() -> Result<()> {
    let mut trial = Trial::new("no-server")?;
    trial.server.stop();
    let run = trial.run("mfs.mntwait=5")?;
    run.check_failed(23, "cannot mount 10.0.2.2:/proj: connection refused")?;
    // How many there are in that time depends on the machine, but it is more than one.
    assert!(run.console.contains("attempt 2 to mount 10.0.2.2:/proj failed"), "{}", run.console);
    assert!(run.console.contains("; gave up after "), "{}", run.console);
    trial.check_previous_is_untouched()
}

/// Starts a node and waits until it writes its image, slowly.
fn in_mid_save(trial: &Trial, words: &str) -> Result<Running> {
    trial.server.set_faults(Faults { delay: SLOW, ..Faults::default() });
    let node = trial.node(words)?.start()?;
    let image = trial.temporary(".ndz");
    let has_begun = || fs::metadata(&image).is_ok_and(|image| image.len() > 0);
    assert!(wait_until(&node, has_begun)?, "{}", node.console().tail(20));
    Ok(node)
}

#[test]
fn a_server_that_comes_back_is_waited_for() -> Result<()> {
    let mut trial = Trial::new("server-returns")?;
    let mut node = in_mid_save(&trial, "")?;
    trial.server.stop();
    // Not to wait for something: this is how long the outage is.
    thread::sleep(Duration::from_secs(4));
    trial.server.set_faults(Faults::default());
    trial.server.start()?;
    Run::of(&mut node)?.check_saved()?;
    assert!(Set::read(&trial.experiment)?.is_same_state(&prepared()?.expected));
    Ok(())
}

#[test]
fn a_server_that_goes_for_good_ends_the_run() -> Result<()> {
    let mut trial = Trial::new("server-goes")?;
    let mut node = in_mid_save(&trial, "mfs.progress=15")?;
    trial.server.stop();
    let run = Run::of(&mut node)?;
    run.check_failed(32, "no progress for 15 seconds in the phase ")?;
    let previous = Set::find(&trial.experiment)?;
    assert_eq!(previous, prepared()?.previous);
    Ok(())
}

/// The node sends its image without waiting for answers, and has it stored in large parts.
#[test]
fn a_slow_server_has_many_requests() -> Result<()> {
    let trial = Trial::new("slow-server")?;
    let mut node = trial.node("mfs.save=full")?.memory(512).start()?;
    node.wait_for_line("mfs-phase: save", PATIENCE)?;
    let delayed = [Operation::Write].into();
    trial.server.set_faults(Faults { delay: PATIENCE, delayed, ..Faults::default() });
    // None of them is answered. One may be the status.
    let many = || trial.server.statistics().at_once(Operation::Write) > 16;
    assert!(wait_until(&node, many)?, "{}", node.console().tail(20));
    trial.server.set_faults(Faults::default());
    Run::of(&mut node)?.check_saved()?;
    let statistics = trial.server.statistics();
    let writes = statistics.count(Operation::Write);
    let commits = statistics.count(Operation::Commit);
    assert!(writes >= Set::read(&trial.experiment)?.description()?.chunks, "{statistics:?}");
    assert!(commits * 3 <= writes, "{statistics:?}");
    Ok(())
}

/// As when the server's exports are read anew whenever an experiment changes: first when the node
/// mounts, then at every stage of the save.
#[test]
fn a_server_that_refuses_for_a_moment_is_asked_again() -> Result<()> {
    let trial = Trial::new("revoked")?;
    let revoke = |refusal, operations: &[Operation]| {
        let operations = operations.iter().copied().collect();
        let revoked = Some(Revoked { refusal, operations, times: None });
        trial.server.set_faults(Faults { revoked, delay: SLOW, ..Faults::default() });
    };
    let restore = || trial.server.set_faults(Faults { delay: SLOW, ..Faults::default() });

    revoke(Refusal::Access, &[]);
    let mut node = trial.node("")?.start()?;
    node.wait_for_line("to mount 10.0.2.2:/proj failed: permission denied", PATIENCE)?;
    revoke(Refusal::Stale, &[Operation::Lookup]);
    let opening = "opening /proj/testbed/exp/trial/swapinfo: ";
    node.wait_for_line(&format!("{opening}stale file handle; asking again"), PATIENCE)?;
    restore();
    node.wait_for_line(&format!("{opening}the file server has answered after"), PATIENCE)?;

    let image = trial.temporary(".ndz");
    let has_begun = || fs::metadata(&image).is_ok_and(|image| image.len() > 0);
    assert!(wait_until(&node, has_begun)?, "{}", node.console().tail(20));
    revoke(Refusal::Access, &[]);
    node.wait_for_line("; all of it is discarded, and saved once more", PATIENCE)?;
    restore();

    node.wait_for_line("mfs-phase: verify", PATIENCE)?;
    revoke(Refusal::Stale, &[Operation::Rename]);
    let renaming = "renaming node-a-swap.ndz.tmp to node-a-swap.ndz: stale file handle; asking";
    node.wait_for_line(renaming, PATIENCE)?;
    trial.server.set_faults(Faults::default());
    Run::of(&mut node)?.check_saved()?;
    assert!(Set::read(&trial.experiment)?.is_same_state(&prepared()?.expected));
    let status = trial.status()?;
    assert_eq!(status.scanned, status.total, "counted twice");
    trial.check_nothing_is_left()
}
