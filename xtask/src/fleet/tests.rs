use super::*;
use boss::server::{Boss, Server};
use boss::swap::{Outcome, request};
use std::time::Instant;

/// A whole swapout of nodes that behave in every way. Whoever breaks the simulator, or boss, sees it.
#[test]
fn one_of_each() {
    let scratch = tempfile::tempdir().unwrap();
    let limits = Limits { nodes: 64, ..Limits::default() };
    let site = Site::new(scratch.path(), None, limits).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut boss = Boss::new(site.config().clone()).await.unwrap();
        boss.power = boss.power.clone().limit(Duration::from_secs(2));
        let plan = Plan { network: 60, ..Plan::of(Behaviour::BAD.len() + 2) };
        let fleet = Fleet::new(&plan, site.config()).unwrap();
        fleet.populate(&boss.db, site.config()).await.unwrap();
        for (node, behaviour) in fleet.nodes().iter().zip(Behaviour::BAD) {
            node.behave(behaviour);
        }
        let server = Server::start(boss).await.unwrap();
        let boss = server.boss();
        let id = &fleet.experiments()[0];
        let swap = request::swapout(boss, id, &LOGIN.parse().unwrap()).await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(90);
        loop {
            assert!(Instant::now() < deadline, "{:#?}", boss.db.events(swap, 0).await.unwrap());
            let runs = boss.db.runs(swap).await.unwrap();
            let unreachable = |node: &NodeId| {
                fleet.node(node).unwrap().behaviour() == Behaviour::PowerUnreachable
            };
            if runs.iter().all(|run| run.decision.off_at.is_some() || unreachable(&run.node_id)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // Nobody is given back before all is known.
        assert!(boss.db.free_nodes().await.unwrap().is_empty());
        fleet.mend();
        while !boss.db.swap(swap).await.unwrap().unwrap().ended {
            assert!(Instant::now() < deadline, "{:#?}", boss.db.events(swap, 0).await.unwrap());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let behaviours = Behaviour::BAD.into_iter().chain([Behaviour::Good; 2]);
        for (node, behaviour) in fleet.nodes().iter().zip(behaviours) {
            let runs = boss.db.runs(swap).await.unwrap();
            let run = runs.iter().find(|run| run.node_id == *node.node_id()).unwrap();
            let expected = Some(behaviour.outcome_of_save(3));
            assert_eq!(run.decision.outcome, expected, "{behaviour:?}: {}", run.decision.reason);
            let off = node.off_since().unwrap();
            let saved = node.swapinfo().join(format!("{}-swap.meta", node.vname())).exists();
            if expected == Some(Outcome::Done) {
                assert!(saved, "{behaviour:?}");
            }
            let off = off.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
            assert!(i64::try_from(off).unwrap() <= run.decision.entered_at, "{behaviour:?}");
        }
        assert_eq!(boss.db.free_nodes().await.unwrap().len(), plan.nodes);
        assert!(fleet.written_after_off().is_empty(), "{:?}", fleet.written_after_off());
        server.stop().await;
    });
}
