//! A boss, its data base, and a fleet.

use std::future::Future;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use boss::db::swaps::{Event, Run, Swap};
use boss::names::{ExperimentId, Login};
use boss::server::{Boss, Server};
use boss::swap::{Outcome, request};
use xtask::fleet::{Fleet, LOGIN, Limits, Plan, SimNode, Site};

/// How long anything may take.
const LIMIT: Duration = Duration::from_mins(2);
/// How often something is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A boss with one experiment that is swapped in.
pub(crate) struct World {
    pub(crate) site: Site,
    pub(crate) fleet: Fleet,
    server: Option<Server>,
    /// The data base and the rest, whether boss runs or not.
    pub(crate) boss: Arc<Boss>,
    _scratch: tempfile::TempDir,
}

/// Runs a test in a world for each data base. `network` is the test's own part of 127.0.0.0/8.
pub(crate) fn worlds<F, T>(network: u8, nodes: usize, limits: Limits, test: F)
where
    F: Fn(World) -> T,
    T: Future<Output = World>,
{
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (index, database) in databases().into_iter().enumerate() {
        let network = network + u8::try_from(index).unwrap();
        runtime.block_on(async {
            let plan = Plan { network, ..Plan::of(nodes) };
            let world = test(World::new(&plan, limits, database.as_deref()).await).await;
            let late = world.fleet.written_after_off();
            assert!(late.is_empty(), "written by nodes that were off: {late:?}");
            world.kill().await;
        });
    }
}

/// A file of its own, and a data base of a server.
fn databases() -> Vec<Option<String>> {
    let mut all = vec![None];
    if let Ok(server) = std::env::var("BOSS_TEST_POSTGRES") {
        let (start, _) = server.rsplit_once('/').unwrap();
        let name = format!("test_{}", boss::files::token());
        let made = Command::new("psql")
            .args([&server, "--quiet", "--command", &format!("CREATE DATABASE {name}")])
            .status();
        assert!(made.unwrap().success(), "no data base on {start}");
        all.push(Some(format!("{start}/{name}")));
    }
    all
}

impl World {
    async fn new(plan: &Plan, limits: Limits, database: Option<&str>) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let site = Site::new(scratch.path(), database, limits).unwrap();
        let fleet = Fleet::new(plan, site.config()).unwrap();
        let boss = Boss::new(site.config().clone()).await.unwrap();
        fleet.populate(&boss.db, site.config()).await.unwrap();
        let server = Server::start(boss).await.unwrap();
        let boss = Arc::clone(server.boss());
        Self { site, fleet, server: Some(server), boss, _scratch: scratch }
    }

    /// The experiment.
    pub(crate) fn experiment(&self) -> ExperimentId {
        self.fleet.experiments()[0].clone()
    }

    /// One of its nodes.
    pub(crate) fn node(&self, index: usize) -> &Arc<SimNode> {
        &self.fleet.nodes()[index]
    }

    /// Who asks for things.
    pub(crate) fn login() -> Login {
        LOGIN.parse().unwrap()
    }

    /// Asks for a swapout.
    pub(crate) async fn swapout(&self) -> i64 {
        request::swapout(&self.boss, &self.experiment(), &Self::login()).await.unwrap()
    }

    /// Waits until a condition holds.
    pub(crate) async fn until<T: Future<Output = bool>>(
        &self,
        swap: i64,
        condition: impl Fn() -> T,
    ) {
        let deadline = Instant::now() + LIMIT;
        while !condition().await {
            let texts = || async { self.texts(swap).await.join("\n") };
            assert!(Instant::now() < deadline, "it doesn't come so far:\n{}", texts().await);
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until a swap is over.
    pub(crate) async fn ended(&self, swap: i64) -> Swap {
        self.until(swap, || async { self.boss.db.swap(swap).await.unwrap().unwrap().ended }).await;
        self.boss.db.swap(swap).await.unwrap().unwrap()
    }

    /// The run of one of the nodes.
    pub(crate) async fn run(&self, swap: i64, index: usize) -> Run {
        let runs = self.boss.db.runs(swap).await.unwrap();
        runs.into_iter().find(|run| run.node_id == *self.node(index).node_id()).unwrap()
    }

    /// How the runs of all nodes ended.
    pub(crate) async fn outcomes(&self, swap: i64) -> Vec<Option<Outcome>> {
        let mut outcomes = Vec::new();
        for index in 0..self.fleet.nodes().len() {
            outcomes.push(self.run(swap, index).await.decision.outcome);
        }
        outcomes
    }

    pub(crate) async fn events(&self, swap: i64) -> Vec<Event> {
        self.boss.db.events(swap, 0).await.unwrap()
    }

    /// What was said of a swap.
    pub(crate) async fn texts(&self, swap: i64) -> Vec<String> {
        self.events(swap).await.into_iter().map(|event| event.text).collect()
    }

    /// Ends boss as a crash would.
    pub(crate) async fn kill(mut self) -> Self {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
        self
    }

    /// Starts boss again.
    pub(crate) async fn revive(mut self) -> Self {
        let boss = Boss::new(self.site.config().clone()).await.unwrap();
        let server = Server::start(boss).await.unwrap();
        self.boss = Arc::clone(server.boss());
        self.server = Some(server);
        self
    }

    /// What a node has saved.
    pub(crate) fn saved(&self, index: usize) -> Option<Vec<u8>> {
        let node = self.node(index);
        std::fs::read(node.swapinfo().join(format!("{}-swap.ndz", node.vname()))).ok()
    }
}
