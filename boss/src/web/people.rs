//! Users, projects and who is in them.

mod project;
mod user;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};

use super::fields::Fields;
use super::guard::Visitor;
use super::page::{Page, Part, done, show};
use super::trouble::Trouble;
use crate::db::people::{Project, User};
use crate::error;
use crate::http::to_its_end;
use crate::names::{Login, Pid};
use crate::people::People;
use crate::server::Boss;

#[derive(Template)]
#[template(path = "people.html")]
struct All {
    page: Page,
    error: String,
    typed: Fields,
    projects: Vec<Shown>,
    /// For administrators.
    users: Vec<User>,
}

/// A project, as it is shown.
struct Shown {
    project: Project,
    members: Vec<Member>,
}

/// A member, with what they may in each group.
struct Member {
    login: Login,
    full_name: String,
    is_head: bool,
    groups: Vec<(String, &'static str)>,
}

pub(super) fn router() -> Router<Arc<Boss>> {
    Router::new()
        .route("/people", get(list))
        .route("/people/users", post(add_user))
        .route("/people/projects", post(add_project))
        .merge(project::router())
        .merge(user::router())
}

/// What they know of people, and may change.
pub(super) fn people<'a>(boss: &'a Boss, visitor: &'a Visitor) -> People<'a> {
    People { db: &boss.db, layout: &boss.layout, actor: &visitor.actor }
}

async fn list(State(boss): State<Arc<Boss>>, visitor: Visitor) -> Result<Response, Trouble> {
    shown(&boss, &visitor, &Fields::default(), "").await
}

async fn shown(
    boss: &Boss,
    visitor: &Visitor,
    typed: &Fields,
    error: &str,
) -> Result<Response, Trouble> {
    let mut projects = Vec::new();
    for project in people(boss, visitor).projects().await? {
        let members = members(boss, &project).await?;
        projects.push(Shown { project, members });
    }
    let users = if visitor.actor.user.admin { boss.db.users().await? } else { Vec::new() };
    let (error, typed) = (error.to_owned(), typed.clone());
    let page = Page::of(boss, visitor, Part::People, "People").await?;
    show(&All { page, error, typed, projects, users })
}

/// A form's page once more, with what was typed, and why it wasn't done.
async fn again(
    boss: &Boss,
    visitor: &Visitor,
    typed: &Fields,
    trouble: Trouble,
) -> Result<Response, Trouble> {
    let mut response = shown(boss, visitor, typed, trouble.message()).await?;
    *response.status_mut() = trouble.status();
    Ok(response)
}

async fn members(boss: &Boss, project: &Project) -> Result<Vec<Member>, Trouble> {
    let all = boss.db.memberships(&project.pid).await?;
    let mut members = Vec::new();
    for (user, _) in boss.db.members(&project.pid).await? {
        let theirs = all.iter().filter(|one| one.login == user.login);
        members.push(Member {
            is_head: user.login == project.head,
            groups: theirs.map(|one| (one.gid.to_string(), one.trust.name())).collect(),
            login: user.login,
            full_name: user.full_name,
        });
    }
    Ok(members)
}

async fn add_user(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    fields: Fields,
) -> Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    let added = async {
        let user = User {
            login: fields.parse("login", "Login")?,
            uid: fields.parse("uid", "Number (uid)")?,
            full_name: fields.text("full_name").to_owned(),
            admin: fields.ticked("admin").unwrap_or(false),
            studly: fields.ticked("studly").unwrap_or(false),
        };
        let password = fields.given("password").filter(|text| !text.is_empty());
        let (password, login) = (password.map(str::to_owned), user.login.clone());
        let (boss, visitor) = (Arc::clone(&boss), visitor.clone());
        to_its_end(
            async move { people(&boss, &visitor).add_user(&user, password.as_deref()).await },
        )
        .await?;
        Ok::<_, error::Error>(login)
    };
    match added.await {
        Ok(login) => {
            let notice = format!("The user {login} is added.");
            done(&boss, &visitor, &notice, &format!("/people/users/{login}")).await
        }
        Err(error) => again(&boss, &visitor, &fields, error.into()).await,
    }
}

async fn add_project(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    fields: Fields,
) -> Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    let added = async {
        let server = fields.text("file_server");
        let project = Project {
            pid: fields.parse("pid", "Project")?,
            head: fields.parse("head", "Head")?,
            unix_gid: fields.parse("project_gid", "Number of its Unix group")?,
            file_server: (!server.is_empty()).then(|| server.to_owned()),
        };
        let pid = project.pid.clone();
        let (boss, visitor) = (Arc::clone(&boss), visitor.clone());
        to_its_end(async move { people(&boss, &visitor).add_project(&project).await }).await?;
        Ok::<Pid, error::Error>(pid)
    };
    match added.await {
        Ok(pid) => {
            let notice = format!("The project {pid} is added, and its directories are made.");
            done(&boss, &visitor, &notice, &format!("/people/projects/{pid}")).await
        }
        Err(error) => again(&boss, &visitor, &fields, told(error)).await,
    }
}

/// Administrators are told why something failed, too: they are who does something about it.
fn told(error: error::Error) -> Trouble {
    let text = error.to_string();
    let trouble = Trouble::from(error);
    Trouble::new(trouble.status(), text)
}
