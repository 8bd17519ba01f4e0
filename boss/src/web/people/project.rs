//! A project: its groups, and who is in them.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};

use super::{Member, members, people, told};
use crate::access::Trust;
use crate::db::people::{Project, User};
use crate::error;
use crate::http::to_its_end;
use crate::names::{Gid, Login, Pid};
use crate::people::own_group;
use crate::server::Boss;
use crate::web::at::At;
use crate::web::fields::Fields;
use crate::web::guard::Visitor;
use crate::web::page::{Page, Part, done, show};
use crate::web::trouble::Trouble;

#[derive(Template)]
#[template(path = "project.html")]
struct OfProject {
    page: Page,
    error: String,
    typed: Fields,
    project: Project,
    groups: Vec<Group>,
    members: Vec<Member>,
    /// Whom administrators can choose; others have to know the login.
    users: Vec<User>,
}

/// A group of the project, and what the visitor can do there.
struct Group {
    gid: Gid,
    own: bool,
    unix_gid: u32,
    /// What they can give; nothing, if they don't lead it.
    gives: Vec<Trust>,
    members: Vec<InGroup>,
}

/// A member of a group.
struct InGroup {
    login: Login,
    trust: Trust,
    /// Whether the visitor can change that, and take them out.
    can_change: bool,
    is_head: bool,
}

pub(super) fn router() -> Router<Arc<Boss>> {
    Router::new()
        .route("/people/projects/{pid}", get(project))
        .route("/people/projects/{pid}/members", post(join))
        .route("/people/projects/{pid}/members/remove", post(leave))
        .route("/people/projects/{pid}/groups", post(add_group))
        .route("/people/projects/{pid}/directories", post(make_directories))
}

async fn project(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(pid): At<Pid>,
) -> Result<Response, Trouble> {
    shown(&boss, &visitor, &pid, &Fields::default(), "").await
}

async fn shown(
    boss: &Boss,
    visitor: &Visitor,
    pid: &Pid,
    typed: &Fields,
    error: &str,
) -> Result<Response, Trouble> {
    let project = people(boss, visitor).project(pid).await?;
    let own = own_group(pid)?;
    let mut groups = vec![group(boss, visitor, &project, own).await?];
    for gid in boss.db.subgroups(pid).await? {
        groups.push(group(boss, visitor, &project, gid).await?);
    }
    let page = Page::of(boss, visitor, Part::People, format!("Project {pid}")).await?;
    show(&OfProject {
        error: error.to_owned(),
        typed: typed.clone(),
        members: members(boss, &project).await?,
        users: if page.admin { boss.db.users().await? } else { Vec::new() },
        groups,
        project,
        page,
    })
}

async fn group(
    boss: &Boss,
    visitor: &Visitor,
    project: &Project,
    gid: Gid,
) -> Result<Group, Trouble> {
    let pid = &project.pid;
    let most = people(boss, visitor).gives(pid, &gid).await?;
    let own = pid.as_str() == gid.as_str();
    let mut in_group = Vec::new();
    for one in boss.db.memberships(pid).await? {
        if one.gid != gid {
            continue;
        }
        let theirs = boss.db.trust(&one.login, pid, &gid).await?;
        let is_head = own && one.login == project.head;
        let can_change = most.is_some() && theirs <= most && !is_head;
        in_group.push(InGroup { login: one.login, trust: one.trust, can_change, is_head });
    }
    let gives = Trust::ALL.into_iter().filter(|trust| {
        // To say who is in the project is nothing of a subgroup.
        Some(*trust) <= most && (own || *trust < Trust::ProjectRoot)
    });
    Ok(Group {
        own,
        unix_gid: boss.db.unix_gid(pid, &gid).await?.unwrap_or_default(),
        gives: gives.collect(),
        members: in_group,
        gid,
    })
}

async fn again(
    boss: &Boss,
    visitor: &Visitor,
    pid: &Pid,
    typed: &Fields,
    trouble: Trouble,
) -> Result<Response, Trouble> {
    let mut response = shown(boss, visitor, pid, typed, trouble.message()).await?;
    *response.status_mut() = trouble.status();
    Ok(response)
}

async fn join(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(pid): At<Pid>,
    fields: Fields,
) -> Result<Response, Trouble> {
    let joined = async {
        let login: Login = fields.parse("login", "Login")?;
        let gid: Gid = fields.parse("gid", "Group")?;
        let trust: Trust = fields.parse("trust", "Trust")?;
        let (boss, visitor, pid) = (Arc::clone(&boss), visitor.clone(), pid.clone());
        to_its_end(async move {
            people(&boss, &visitor).join(&login, &pid, &gid, trust).await?;
            Ok(format!("{login} is in {pid}/{gid} with the trust {}.", trust.name()))
        })
        .await
    };
    match joined.await {
        Ok(notice) => done(&boss, &visitor, &notice, &path(&pid)).await,
        Err(error) => again(&boss, &visitor, &pid, &fields, error.into()).await,
    }
}

async fn leave(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(pid): At<Pid>,
    fields: Fields,
) -> Result<Response, Trouble> {
    let left = async {
        let login: Login = fields.parse("login", "Login")?;
        let gid: Gid = fields.parse("gid", "Group")?;
        people(&boss, &visitor).project(&pid).await?;
        if fields.ticked("confirm") != Some(true) {
            let message = format!("Tick that {login} is to be taken out, and send the form again.");
            return Err(Trouble::new(StatusCode::BAD_REQUEST, message));
        }
        people(&boss, &visitor).leave(&login, &pid, &gid).await?;
        Ok(format!("{login} is not in {pid}/{gid} any more."))
    };
    match left.await {
        // Who took themselves out doesn't see it any more.
        Ok(notice) if visitor.actor.sees(&boss.db, &pid).await? => {
            done(&boss, &visitor, &notice, &path(&pid)).await
        }
        Ok(notice) => done(&boss, &visitor, &notice, "/people").await,
        Err(trouble) => again(&boss, &visitor, &pid, &fields, trouble).await,
    }
}

async fn add_group(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(pid): At<Pid>,
    fields: Fields,
) -> Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    let added = async {
        let gid: Gid = fields.parse("new_gid", "Group")?;
        let unix_gid = fields.parse("unix_gid", "Number of its Unix group")?;
        let (boss, visitor, pid) = (Arc::clone(&boss), visitor.clone(), pid.clone());
        to_its_end(async move {
            people(&boss, &visitor).add_group(&pid, &gid, unix_gid).await?;
            Ok(format!("The group {gid} is added, and its directories are made."))
        })
        .await
    };
    finished(&boss, &visitor, &pid, &fields, added.await).await
}

async fn make_directories(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(pid): At<Pid>,
    fields: Fields,
) -> Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    let made = people(&boss, &visitor).make_directories(&pid).await;
    let made = made.map(|()| "All directories are there.".to_owned());
    finished(&boss, &visitor, &pid, &fields, made).await
}

async fn finished(
    boss: &Boss,
    visitor: &Visitor,
    pid: &Pid,
    fields: &Fields,
    result: error::Result<String>,
) -> Result<Response, Trouble> {
    match result {
        Ok(notice) => done(boss, visitor, &notice, &path(pid)).await,
        Err(error) => again(boss, visitor, pid, fields, told(error)).await,
    }
}

fn path(pid: &Pid) -> String {
    format!("/people/projects/{pid}")
}
