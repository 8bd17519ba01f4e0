//! A boss that serves, and who asks it something.

use std::time::Duration;

use boss::access::Trust;
use boss::boot::Key;
use boss::db::experiments::Experiment;
use boss::db::people::User;
use boss::names::Login;
use boss::server::{Boss, Server};
use serde_json::Value;
use ureq::http::Request;

use crate::support::{Site, sites};

/// For a reply.
const PATIENCE: Duration = Duration::from_mins(1);

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Has no token.
    Nobody,
    /// Is in no project.
    Stranger,
    /// Is in the project, with the trust `user`.
    Reader,
    /// Is in the project, with the trust `local_root`.
    Member,
    /// Is in the project, too, and has the studly flag.
    Studly,
    Admin,
}

pub(crate) const ALL: [Who; 6] =
    [Who::Nobody, Who::Stranger, Who::Reader, Who::Member, Who::Studly, Who::Admin];

/// A boss with a project, its image `testbed/BASE`, and its experiment `testbed/trial`, which has
/// one node.
pub(crate) struct Api {
    pub(crate) site: Site,
    pub(crate) experiment: Experiment,
    server: Server,
    tokens: Vec<(Who, String)>,
    agent: ureq::Agent,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The kind of error.
    pub(crate) fn kind(&self) -> String {
        self.json()["kind"].as_str().unwrap_or_default().to_owned()
    }
}

/// One for each kind of data base.
pub(crate) async fn apis() -> Vec<Api> {
    let mut apis = Vec::new();
    for site in sites().await {
        apis.push(Api::new(site).await);
    }
    apis
}

impl Api {
    async fn new(site: Site) -> Self {
        let image = site.import(1, "testbed/BASE").await;
        let experiment = site.experiment("testbed", &image, &["a"]).await;
        let mut config = site.config.clone();
        config.listen.http = ([127, 0, 0, 1], 0).into();
        config.listen.tmcd = vec![([127, 0, 0, 1], 0).into()];
        let mut tokens = Vec::new();
        for (number, who) in ALL.into_iter().enumerate().skip(1) {
            let login: Login = format!("{who:?}").to_lowercase().parse().unwrap();
            let user = User {
                login: login.clone(),
                uid: 61_000 + u32::try_from(number).unwrap(),
                full_name: String::new(),
                admin: who == Who::Admin,
                studly: who == Who::Studly,
            };
            site.db.add_user(&user).await.unwrap();
            if matches!(who, Who::Reader | Who::Member | Who::Studly) {
                let (pid, gid) = ("testbed".parse().unwrap(), "testbed".parse().unwrap());
                let trust = if who == Who::Reader { Trust::User } else { Trust::LocalRoot };
                site.db.set_membership(&login, &pid, &gid, trust).await.unwrap();
            }
            let key = Key::generate().unwrap();
            site.db.add_token(&key, &login, None, "test").await.unwrap();
            tokens.push((who, key.reveal()));
        }
        let server = Server::start(Boss::with(config, site.db.clone())).await.unwrap();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        Self { site, experiment, server, tokens, agent }
    }

    /// Asks with a token, or with none if it is empty.
    pub(crate) fn ask_as(&self, token: &str, method: &str, path: &str, body: &str) -> Answer {
        let mut request =
            Request::builder().method(method).uri(format!("http://{}{path}", self.server.http()));
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = tokio::task::block_in_place(|| {
            if body.is_empty() {
                self.agent.run(request.body(()).unwrap())
            } else {
                let request = request.header("content-type", "application/json");
                self.agent.run(request.body(body).unwrap())
            }
        });
        let (parts, mut body) = response.unwrap().into_parts();
        let text = tokio::task::block_in_place(|| body.read_to_string()).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    pub(crate) fn ask(&self, who: Who, method: &str, path: &str, body: &str) -> Answer {
        let token = self.tokens.iter().find(|(other, _)| *other == who);
        self.ask_as(token.map_or("", |(_, token)| token), method, path, body)
    }

    pub(crate) fn get(&self, who: Who, path: &str) -> Answer {
        self.ask(who, "GET", path, "")
    }

    pub(crate) async fn saves_disks(&self) -> bool {
        let experiment = self.site.db.experiment(&self.experiment.id()).await.unwrap();
        experiment.unwrap().savedisk
    }
}
