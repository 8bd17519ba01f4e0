//! A boss with simulated nodes, and people who have passwords.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{future::Future, thread};

use boss::access::Trust;
use boss::db::experiments::Experiment;
use boss::db::people::User;
use boss::names::{ExperimentId, Login};
use boss::password;
use boss::server::{Boss, Server};
use tokio::runtime::Runtime;
use xtask::fleet::{Fleet, Limits, Plan, SimNode, Site};

use crate::browser::{Browser, LOOK};
use crate::elements::Kind;

/// Everybody's.
pub(crate) const PASSWORD: &str = "a horse with a battery & staples";
/// The project of the fleet, and of everybody.
pub(crate) const PROJECT: &str = "fleet";
/// How long boss may take for anything with simulated nodes.
const LIMIT: Duration = Duration::from_mins(2);

/// Who signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// May do everything.
    Admin,
    /// May make experiments.
    Member,
    /// May save disks, too.
    Studly,
    /// May only look.
    Onlooker,
}

impl Who {
    pub(crate) const ALL: [Self; 4] = [Self::Admin, Self::Member, Self::Studly, Self::Onlooker];

    pub(crate) const fn login(self) -> &'static str {
        match self {
            Self::Admin => "ada",
            Self::Member => "mike",
            Self::Studly => "stella",
            Self::Onlooker => "otto",
        }
    }
}

/// A boss. Its nodes have the experiments that the plan says, all swapped in.
pub(crate) struct World {
    pub(crate) fleet: Fleet,
    pub(crate) boss: Arc<Boss>,
    http: SocketAddr,
    // Stopped before the runtime ends.
    _server: Server,
    runtime: Runtime,
    _site: Site,
    _scratch: tempfile::TempDir,
}

impl World {
    pub(crate) fn new(plan: &Plan, limits: Limits) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let site = Site::new(scratch.path(), None, limits).unwrap();
        let fleet = Fleet::new(plan, site.config()).unwrap();
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(async {
            let boss = Boss::new(site.config().clone()).await.unwrap();
            fleet.populate(&boss.db, site.config()).await.unwrap();
            for (number, who) in (0_u32..).zip(Who::ALL) {
                add(&boss, who, number).await;
            }
            Server::start(boss).await.unwrap()
        });
        let (boss, http) = (Arc::clone(server.boss()), server.http());
        Self { fleet, boss, http, _server: server, runtime, _site: site, _scratch: scratch }
    }

    /// One with so many nodes in one experiment. `network` is the test's own part of 127.0.0.0/8.
    pub(crate) fn with_nodes(network: u8, nodes: usize) -> Self {
        Self::new(&Plan { network, ..Plan::of(nodes) }, Limits::default())
    }

    /// A browser that shows this boss' pages.
    pub(crate) fn browser(&self, test: &str) -> Browser {
        Browser::open(test, &self.http.to_string(), None)
    }

    /// The same, where somebody has signed in.
    pub(crate) fn browser_of(&self, test: &str, who: Who) -> Browser {
        let browser = self.browser(test);
        sign_in(&browser, who);
        browser
    }

    /// Asks boss something, or has it do something.
    pub(crate) fn ask<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(crate) fn set(&self, variable: &str, value: &str) {
        assert!(self.ask(self.boss.db.set_sitevar(variable, Some(value))).unwrap());
    }

    pub(crate) fn experiment(&self, id: &str) -> Option<Experiment> {
        let id: ExperimentId = id.parse().unwrap();
        self.ask(self.boss.db.experiment(&id)).unwrap()
    }

    pub(crate) fn node(&self, index: usize) -> &Arc<SimNode> {
        &self.fleet.nodes()[index]
    }

    /// Waits until something is so that pages don't say.
    pub(crate) fn wait(&self, what: &str, so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !so(self) {
            assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
            thread::sleep(LOOK);
        }
    }
}

async fn add(boss: &Boss, who: Who, number: u32) {
    let login: Login = who.login().parse().unwrap();
    let user = User {
        login: login.clone(),
        uid: 61_000 + number,
        full_name: format!("{who:?} of the tests"),
        admin: who == Who::Admin,
        studly: matches!(who, Who::Admin | Who::Studly),
    };
    boss.db.add_user(&user).await.unwrap();
    let (pid, gid) = (PROJECT.parse().unwrap(), PROJECT.parse().unwrap());
    let trust = if who == Who::Onlooker { Trust::User } else { Trust::LocalRoot };
    boss.db.set_membership(&login, &pid, &gid, trust).await.unwrap();
    password::set(&boss.db, &login, PASSWORD, None).await.unwrap();
}

/// Signs in where nobody has.
pub(crate) fn sign_in(browser: &Browser, who: Who) {
    sign_in_as(browser, who.login());
}

/// The same by the login; all have one password.
pub(crate) fn sign_in_as(browser: &Browser, login: &str) {
    browser.go("/signin");
    browser.fill("Login", login);
    browser.fill("Password", PASSWORD);
    browser.click(Kind::Button, "Sign in");
    browser.wait_path("/");
}
