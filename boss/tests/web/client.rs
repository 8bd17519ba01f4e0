//! A boss that serves, and people who have its pages open.

use std::time::Duration;

use boss::access::Trust;
use boss::boot::Key;
use boss::db::experiments::Experiment;
use boss::db::people::{Project, User};
use boss::names::{Gid, Login, Pid};
use boss::server::{Boss, Server};
use ureq::http::Request;

use crate::support::{GID, Site, sites};

/// For a reply.
const PATIENCE: Duration = Duration::from_mins(1);

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Isn't signed in.
    Nobody,
    /// Leads another project.
    Stranger,
    /// Is in the project with the trust `user`.
    Reader,
    /// With the trust `local_root`.
    Member,
    /// The same, with the studly flag.
    Studly,
    /// With the trust `project_root`.
    Leader,
    Admin,
}

pub(crate) const ALL: [Who; 7] =
    [Who::Nobody, Who::Stranger, Who::Reader, Who::Member, Who::Studly, Who::Leader, Who::Admin];

/// A boss with a project, its image `testbed/BASE`, and its experiment `testbed/trial`, which has
/// one node `a` on the machine `pc1`, and was made by somebody else than all these.
pub(crate) struct Web {
    pub(crate) site: Site,
    pub(crate) experiment: Experiment,
    pub(crate) server: Server,
    keys: Vec<(Who, String)>,
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
    /// Where the browser is sent on.
    pub(crate) fn location(&self) -> &str {
        self.header("location")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// What the page complains of.
    pub(crate) fn alert(&self) -> &str {
        let after = self.text.split_once("role=\"alert\">").map_or("", |(_, after)| after);
        after.split('<').next().unwrap().trim()
    }
}

/// One for each kind of data base.
pub(crate) async fn webs() -> Vec<Web> {
    let mut webs = Vec::new();
    for site in sites().await {
        webs.push(Web::new(site).await);
    }
    webs
}

impl Who {
    pub(crate) fn login(self) -> Login {
        format!("{self:?}").to_lowercase().parse().unwrap()
    }

    fn trust(self) -> Option<Trust> {
        match self {
            Self::Reader => Some(Trust::User),
            Self::Member | Self::Studly => Some(Trust::LocalRoot),
            Self::Leader => Some(Trust::ProjectRoot),
            Self::Nobody | Self::Stranger | Self::Admin => None,
        }
    }
}

impl Web {
    async fn new(site: Site) -> Self {
        let image = site.import(1, "testbed/BASE").await;
        let experiment = site.experiment("testbed", &image, &["a"]).await;
        let mut config = site.config.clone();
        config.listen.http = ([127, 0, 0, 1], 0).into();
        config.listen.tmcd = vec![([127, 0, 0, 1], 0).into()];
        // Where a test can put drivers.
        config.directories.power = site.path("power");
        let (pid, gid): (Pid, Gid) = ("testbed".parse().unwrap(), "testbed".parse().unwrap());
        let mut keys = Vec::new();
        for (number, who) in ALL.into_iter().enumerate().skip(1) {
            let user = User {
                login: who.login(),
                uid: 61_000 + u32::try_from(number).unwrap(),
                full_name: String::new(),
                admin: who == Who::Admin,
                studly: who == Who::Studly,
            };
            site.db.add_user(&user).await.unwrap();
            if let Some(trust) = who.trust() {
                site.db.set_membership(&user.login, &pid, &gid, trust).await.unwrap();
            }
            let key = Key::generate().unwrap();
            site.db.add_session(&key, &user.login).await.unwrap();
            keys.push((who, key.reveal()));
        }
        let theirs = Project {
            pid: "theirs".parse().unwrap(),
            head: Who::Stranger.login(),
            unix_gid: GID + 50,
            file_server: None,
        };
        site.db.add_project(&theirs).await.unwrap();
        let server = Server::start(Boss::with(config, site.db.clone())).await.unwrap();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        Self { site, experiment, server, keys, agent }
    }

    /// Their session's key; empty for nobody.
    pub(crate) fn key(&self, who: Who) -> &str {
        let key = self.keys.iter().find(|(other, _)| *other == who);
        key.map_or("", |(_, key)| key)
    }

    /// Sends a request with these headers; a body is a form's.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let uri = format!("http://{}{path}", self.server.http());
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = tokio::task::block_in_place(|| {
            if method == "GET" {
                return self.agent.run(request.body(()).unwrap());
            }
            let kind = "application/x-www-form-urlencoded";
            let request = request.header("content-type", kind);
            self.agent.run(request.body(body.to_owned()).unwrap())
        });
        let (parts, mut body) = response.unwrap().into_parts();
        let text = tokio::task::block_in_place(|| body.read_to_string()).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    /// A page.
    pub(crate) fn get(&self, who: Who, path: &str) -> Answer {
        self.send("GET", path, &[("cookie", &format!("boss={}", self.key(who)))], "")
    }

    /// Sends a form as a page of ours would, whether or not there is one that shows such fields.
    pub(crate) fn post(&self, who: Who, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf(who);
        let secret = ("csrf", csrf.as_str());
        let body = form(fields.iter().copied().chain([secret]));
        self.send("POST", path, &[("cookie", &format!("boss={}", self.key(who)))], &body)
    }

    /// What their forms say.
    pub(crate) fn csrf(&self, who: Who) -> String {
        let page = self.get(who, "/").text;
        let field = page.split_once("name=\"csrf\" value=\"").map_or("", |(_, after)| after);
        field.split('"').next().unwrap().to_owned()
    }

    pub(crate) async fn saves_disks(&self) -> bool {
        let experiment = self.site.db.experiment(&self.experiment.id()).await.unwrap();
        experiment.unwrap().savedisk
    }
}

/// The body of a form.
pub(crate) fn form<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let fields: Vec<_> = fields.into_iter().collect();
    serde_urlencoded::to_string(fields).unwrap()
}
