//! Swapins, and loads of a node that an experiment has.

use std::collections::BTreeMap;

use boss::db::experiments::ExperimentState;
use boss::error::ErrorKind;
use boss::swap::{Job, Outcome, begin};
use xtask::fleet::{Behaviour, Did, Limits};

use crate::world::{World, worlds};

async fn swapin(world: &World) -> i64 {
    let on = BTreeMap::new();
    begin::swapin(&world.boss, &world.experiment(), &on, &World::login()).await.unwrap()
}

#[test]
fn what_was_saved_comes_back_on_other_nodes() {
    // One node is nobody's: it is as good as the one that was given back.
    worlds(81, 2, Limits::default(), |world| async {
        let swap = world.swapout().await;
        world.ended(swap).await;
        let saved = world.saved(0);
        assert!(saved.is_some());
        // Each gets the other's machine.
        let id = world.experiment();
        let on = BTreeMap::from([
            (world.node(0).vname().clone(), world.node(1).node_id().clone()),
            (world.node(1).vname().clone(), world.node(0).node_id().clone()),
        ]);
        let swap = begin::swapin(&world.boss, &id, &on, &World::login()).await.unwrap();
        let ended = world.ended(swap).await;
        assert_eq!(ended.outcome.as_deref(), Some("done"), "{:?}", world.texts(swap).await);
        let runs = world.boss.db.runs(swap).await.unwrap();
        assert!(runs.iter().all(|run| run.job == Job::Swapin), "{runs:?}");
        for (vname, node_id) in on {
            let run = runs.iter().find(|run| run.vname == vname).unwrap();
            assert_eq!(run.node_id, node_id);
        }
        for node in world.fleet.nodes() {
            let boots =
                || async { node.events().last().is_some_and(|event| event.did == Did::BootsDisk) };
            world.until(swap, boots).await;
        }
        let experiment = world.boss.db.experiment(&id).await.unwrap().unwrap();
        assert_eq!(experiment.state, ExperimentState::Active);
        // A swapin takes nothing of what was saved away.
        assert_eq!(world.saved(0), saved);
        world
    });
}

#[test]
fn a_swapin_that_fails_leaves_no_node_with_the_experiment() {
    worlds(83, 2, Limits { boot: 2, attempts: 2, ..Limits::default() }, |world| async {
        let swap = world.swapout().await;
        world.ended(swap).await;
        world.node(1).behave(Behaviour::FailsWith(43));
        let swap = swapin(&world).await;
        let ended = world.ended(swap).await;
        assert_eq!(ended.outcome.as_deref(), Some("failed"));
        let experiment = world.boss.db.experiment(&world.experiment()).await.unwrap().unwrap();
        assert_eq!(experiment.state, ExperimentState::Swapped);
        assert_eq!(world.boss.db.free_nodes().await.unwrap().len(), 2);
        assert!(!world.node(0).is_on() && !world.node(1).is_on());
        // What was saved is still there, so it can be tried again.
        world.node(1).behave(Behaviour::Good);
        let swap = swapin(&world).await;
        assert_eq!(world.ended(swap).await.outcome.as_deref(), Some("done"));
        world
    });
}

#[test]
fn without_enough_nodes_nothing_begins() {
    worlds(85, 2, Limits::default(), |world| async {
        let swap = world.swapout().await;
        world.ended(swap).await;
        let taken = world.node(1).node_id();
        world.boss.db.set_out_of_service(taken, Some("broken fan")).await.unwrap();
        let on = BTreeMap::new();
        let id = world.experiment();
        let error = begin::swapin(&world.boss, &id, &on, &World::login()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
        assert_eq!(world.boss.db.free_nodes().await.unwrap().len(), 1);
        let experiment = world.boss.db.experiment(&id).await.unwrap().unwrap();
        assert_eq!(experiment.state, ExperimentState::Swapped);
        world
    });
}

#[test]
fn what_was_saved_needs_its_own_base() {
    worlds(87, 1, Limits::default(), |world| async {
        let swap = world.swapout().await;
        world.ended(swap).await;
        // The image that its .meta names is forgotten: a newer one doesn't do.
        let image = world.boss.db.images().await.unwrap().remove(0);
        let newer =
            boss::db::images::Image { version: 1, sha256: "11".repeat(32), ..image.clone() };
        world.boss.db.add_image(&newer).await.unwrap();
        world.boss.db.remove_image(&image.id()).await.unwrap();
        let on = BTreeMap::new();
        let id = world.experiment();
        let error = begin::swapin(&world.boss, &id, &on, &World::login()).await.unwrap_err();
        assert!(error.to_string().contains("base"), "{error}");
        assert_eq!(world.boss.db.free_nodes().await.unwrap().len(), 1);
        assert!(world.saved(0).is_some());
        world
    });
}

#[test]
fn a_node_is_loaded_anew_and_what_it_had_saved_is_put_aside() {
    worlds(89, 1, Limits::default(), |world| async {
        let swap = world.swapout().await;
        world.ended(swap).await;
        let swap = swapin(&world).await;
        world.ended(swap).await;
        let image = world.boss.db.images().await.unwrap().remove(0);
        let (id, vname) = (world.experiment(), world.node(0).vname().clone());
        let by = World::login();
        let swap = begin::load(&world.boss, &id, &vname, &image.id(), &by).await.unwrap();
        let ended = world.ended(swap).await;
        assert_eq!(ended.outcome.as_deref(), Some("done"), "{:?}", world.texts(swap).await);
        assert_eq!(world.outcomes(swap).await, [Some(Outcome::Done)]);
        // The same base: what was saved is still good for it.
        assert!(world.saved(0).is_some());
        let nobody = "nobody".parse().unwrap();
        let error = begin::load(&world.boss, &id, &nobody, &image.id(), &by).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        world
    });
}
