//! Swapouts.

use boss::db::experiments::ExperimentState;
use boss::error::ErrorKind;
use boss::swap::{Outcome, RunState, request};
use xtask::fleet::{Behaviour, Did, Lie, Limits};

use crate::world::{World, worlds};

const DONE: Option<Outcome> = Some(Outcome::Done);
const SKIPPED: Option<Outcome> = Some(Outcome::Skipped);
const FAILED: Option<Outcome> = Some(Outcome::Failed);
const TIMED_OUT: Option<Outcome> = Some(Outcome::TimedOut);

/// Whether a node was in the MFS.
fn was_in_mfs(world: &World, index: usize) -> bool {
    world.node(index).events().iter().any(|event| event.did == Did::BootsMfs)
}

async fn state(world: &World) -> ExperimentState {
    let experiment = world.boss.db.experiment(&world.experiment()).await.unwrap();
    experiment.unwrap().state
}

#[test]
fn one_of_three_never_boots_and_the_others_are_saved() {
    worlds(61, 3, Limits { boot: 2, attempts: 2, ..Limits::default() }, |world| async {
        world.node(1).behave(Behaviour::NeverBoots);
        let swap = world.swapout().await;
        let ended = world.ended(swap).await;
        assert_eq!(world.outcomes(swap).await, [DONE, TIMED_OUT, DONE]);
        assert_eq!(ended.outcome.as_deref(), Some("warned"));
        assert!(world.saved(0).is_some() && world.saved(1).is_none() && world.saved(2).is_some());
        let reason = world.run(swap, 1).await.decision.reason;
        assert!(reason.contains("boot script") && reason.contains("tried 2 times"), "{reason}");
        assert_eq!(state(&world).await, ExperimentState::Swapped);
        assert_eq!(world.boss.db.free_nodes().await.unwrap().len(), 3);
        world
    });
}

#[test]
fn a_node_is_not_given_back_before_it_is_known_to_be_off() {
    worlds(63, 2, Limits { idle: 4, ..Limits::default() }, |world| async {
        // It is at work when its time is over, and can't be turned off then.
        world.node(0).behave(Behaviour::HangsSaving);
        let swap = world.swapout().await;
        world.until(swap, || async { world.run(swap, 0).await.signs.up_at.is_some() }).await;
        let driver = world.site.config().directories.power.join("sim");
        let works = std::fs::read(&driver).unwrap();
        std::fs::write(&driver, "#!/bin/sh\necho no answer >&2; exit 3\n").unwrap();
        let stopping = || async {
            let run = world.run(swap, 0).await;
            let refused =
                world.texts(swap).await.iter().any(|text| text.contains("boss node is-off"));
            run.decision.state == RunState::Stopping && refused
        };
        world.until(swap, stopping).await;
        assert_eq!(world.run(swap, 0).await.decision.outcome, TIMED_OUT);
        assert!(world.node(0).is_on(), "it could still write");
        // Nobody gets it, or the other one, which was saved.
        assert!(world.boss.db.free_nodes().await.unwrap().is_empty());
        assert!(!world.boss.db.swap(swap).await.unwrap().unwrap().ended);
        // Somebody pulls the plug and says so.
        world.node(0).turn_off();
        request::is_off(&world.boss, world.node(0).node_id()).await.unwrap();
        let released = || async { world.run(swap, 0).await.decision.off_at.is_some() };
        world.until(swap, released).await;
        // The other one could not be turned off either; now the driver works again.
        std::fs::write(&driver, works).unwrap();
        world.ended(swap).await;
        assert_eq!(world.outcomes(swap).await, [TIMED_OUT, DONE]);
        assert_eq!(world.boss.db.free_nodes().await.unwrap().len(), 2);
        world
    });
}

#[test]
fn whoever_does_not_ask_for_it_is_not_booted_into_the_mfs() {
    worlds(65, 2, Limits::default(), |world| async {
        world.boss.db.set_savedisk(&world.experiment(), false).await.unwrap();
        let swap = world.swapout().await;
        let ended = world.ended(swap).await;
        assert_eq!(world.outcomes(swap).await, [SKIPPED, SKIPPED]);
        assert_eq!(ended.outcome.as_deref(), Some("done"));
        assert!(!was_in_mfs(&world, 0) && !was_in_mfs(&world, 1));
        let texts = world.texts(swap).await;
        let told = texts.iter().filter(|text| text.contains("no disk is saved")).count();
        assert_eq!(told, 1, "{texts:?}");
        // They are given back all the same, turned off.
        assert_eq!(world.boss.db.free_nodes().await.unwrap().len(), 2);
        assert!(!world.node(0).is_on() && !world.node(1).is_on());
        world
    });
}

#[test]
fn a_node_without_its_files_is_skipped_before_it_is_touched() {
    worlds(67, 2, Limits::default(), |world| async {
        let node = world.node(1);
        std::fs::remove_file(node.swapinfo().join(format!("{}.part", node.vname()))).unwrap();
        let swap = world.swapout().await;
        world.ended(swap).await;
        assert_eq!(world.outcomes(swap).await, [DONE, SKIPPED]);
        assert!(was_in_mfs(&world, 0) && !was_in_mfs(&world, 1));
        let texts = world.texts(swap).await;
        assert!(texts.iter().any(|text| text.contains(".part is not in")), "{texts:?}");
        world
    });
}

#[test]
fn with_fail_an_experiment_keeps_its_nodes() {
    worlds(69, 2, Limits::default(), |world| async {
        let variable = "swap/swapout_command_failaction";
        world.boss.db.set_sitevar(variable, Some("fail")).await.unwrap();
        world.node(1).behave(Behaviour::FailsWith(30));
        let swap = world.swapout().await;
        let ended = world.ended(swap).await;
        assert_eq!(world.outcomes(swap).await, [DONE, FAILED]);
        assert_eq!(ended.outcome.as_deref(), Some("failed"));
        assert_eq!(state(&world).await, ExperimentState::Active);
        assert_eq!(world.boss.db.reservations(&world.experiment()).await.unwrap().len(), 2);
        // Both are the user's again, and out of the MFS.
        let from_disk = |index: usize| {
            let events = world.node(index).events();
            events.last().is_some_and(|event| event.did == Did::BootsDisk)
        };
        world.until(swap, || async { from_disk(0) && from_disk(1) }).await;
        // The next one works.
        world.node(1).behave(Behaviour::Good);
        let swap = world.swapout().await;
        world.ended(swap).await;
        assert_eq!(world.outcomes(swap).await, [DONE, DONE]);
        assert_eq!(state(&world).await, ExperimentState::Swapped);
        world
    });
}

#[test]
fn what_a_node_says_is_not_believed_before_it_is_seen() {
    worlds(71, 5, Limits::default(), |world| async {
        let lies = [Lie::NoFiles, Lie::Truncated, Lie::WrongDigest];
        for (index, lie) in lies.into_iter().enumerate() {
            world.node(index).behave(Behaviour::Lies(lie));
        }
        world.node(3).behave(Behaviour::Garbage("saved"));
        world.node(4).behave(Behaviour::Forges);
        let swap = world.swapout().await;
        world.ended(swap).await;
        assert_eq!(world.outcomes(swap).await, [FAILED, FAILED, FAILED, FAILED, DONE]);
        let texts = world.texts(swap).await;
        assert!(texts.iter().any(|text| text.contains("without the key")), "{texts:?}");
        world
    });
}

#[test]
fn boss_goes_on_where_the_last_one_was() {
    worlds(73, 3, Limits::default(), |world| async {
        let swap = world.swapout().await;
        let mut world = world;
        // Killed at whatever moments, again and again: between power on and the script, in mid-save,
        // between the node's last word and boss' own look.
        for state in [RunState::Booting, RunState::InMfs, RunState::Working, RunState::Stopping] {
            let at_least = |run: RunState| {
                let order = [
                    RunState::Requested,
                    RunState::Booting,
                    RunState::InMfs,
                    RunState::Working,
                    RunState::Verifying,
                    RunState::Stopping,
                    RunState::Ended,
                    RunState::Released,
                ];
                order.iter().position(|one| *one == run)
                    >= order.iter().position(|one| *one == state)
            };
            world.until(swap, || async { at_least(world.run(swap, 0).await.decision.state) }).await;
            world = world.kill().await.revive().await;
        }
        world.ended(swap).await;
        assert_eq!(world.outcomes(swap).await, [DONE, DONE, DONE]);
        assert_eq!(world.boss.db.free_nodes().await.unwrap().len(), 3);
        world
    });
}

#[test]
fn a_file_server_has_no_more_nodes_than_it_should() {
    worlds(75, 6, Limits { nodes: 2, ..Limits::default() }, |world| async {
        let swap = world.swapout().await;
        let most = std::sync::atomic::AtomicU32::new(0);
        let watched = || async {
            let server = world.site.config().file_server();
            let active = world.boss.db.active_runs(&server).await.unwrap();
            most.fetch_max(active, std::sync::atomic::Ordering::Relaxed);
            world.boss.db.swap(swap).await.unwrap().unwrap().ended
        };
        world.until(swap, watched).await;
        assert_eq!(most.load(std::sync::atomic::Ordering::Relaxed), 2);
        assert_eq!(world.outcomes(swap).await, [DONE; 6]);
        world
    });
}

#[test]
fn a_swapout_can_be_stopped_and_there_is_one_at_a_time() {
    worlds(77, 2, Limits::default(), |world| async {
        world.node(0).behave(Behaviour::HangsInMfs);
        let swap = world.swapout().await;
        let second = request::swapout(&world.boss, &world.experiment(), &World::login()).await;
        assert_eq!(second.unwrap_err().kind, ErrorKind::Conflict);
        world.until(swap, || async { world.run(swap, 0).await.signs.up_at.is_some() }).await;
        request::cancel(&world.boss, swap).await.unwrap();
        let ended = world.ended(swap).await;
        assert_eq!(ended.outcome.as_deref(), Some("failed"));
        assert_eq!(world.outcomes(swap).await[0], FAILED);
        assert_eq!(state(&world).await, ExperimentState::Active);
        let error = request::cancel(&world.boss, swap).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        world
    });
}

#[test]
fn firewalled_experiments_are_told_once_and_never_saved() {
    worlds(79, 2, Limits::default(), |world| async {
        let id = world.experiment();
        world.boss.db.set_firewalled(&id, true).await.unwrap();
        let swap = world.swapout().await;
        world.ended(swap).await;
        assert_eq!(world.outcomes(swap).await, [SKIPPED, SKIPPED]);
        assert!(!was_in_mfs(&world, 0) && !was_in_mfs(&world, 1));
        let texts = world.texts(swap).await;
        assert_eq!(texts.iter().filter(|text| text.contains("firewalled")).count(), 1, "{texts:?}");
        world
    });
}
