//! What each command does, and its reply.

use std::fmt::Write;
use std::net::Ipv4Addr;

use super::Request;
use crate::boot::Digest;
use crate::db::experiments::{Experiment, Reservation};
use crate::db::nodes::Node;
use crate::db::now;
use crate::db::swaps::Run;
use crate::server::Boss;
use crate::swap::Job;

/// From this version on, the first line of `mounts` says what kind of file system it is.
const FSTYPE_SINCE: u32 = 32;
/// How much of a node's message is kept, in characters.
const LOG_KEPT: usize = 4096;

/// The commands, for the metrics: others are counted together.
pub(super) const COMMANDS: [&str; 11] = [
    "status",
    "nodeid",
    "mounts",
    "creator",
    "accounts",
    "startupcmd",
    "role",
    "state",
    "startstatus",
    "bootlog",
    "booterrno",
];

/// The reply to the machine at `from`; an empty one if boss doesn't know it.
pub(super) async fn reply(
    boss: &Boss,
    from: Ipv4Addr,
    request: &Request<'_>,
) -> sqlx::Result<String> {
    let Some(node) = boss.db.node_at(from).await? else { return Ok(String::new()) };
    match request.command {
        "nodeid" => return Ok(format!("{}\n", node.node_id)),
        "state" => return heard_state(boss, &node, request).await,
        "startstatus" => return heard_startstatus(boss, &node, request).await,
        "bootlog" => return heard_log(boss, &node, request).await,
        "booterrno" => {
            let text = format!("boot error {}", request.rest);
            return heard(boss, &node, "warning", &text).await;
        }
        _ => {}
    }
    let Some(reservation) = boss.db.reservation_of(&node.node_id).await? else {
        let free = request.command == "status";
        return Ok(if free { "FREE\n".to_owned() } else { String::new() });
    };
    if request.command == "status" {
        let Reservation { experiment, vname, .. } = &reservation;
        return Ok(format!("ALLOCATED={experiment} NICKNAME={vname}\n"));
    }
    if request.command == "role" {
        return Ok(format!("{}\n", reservation.erole));
    }
    let Some(experiment) = boss.db.experiment(&reservation.experiment).await? else {
        return Ok(String::new());
    };
    match request.command {
        "mounts" => Ok(mounts(boss, &experiment, request.version)),
        "creator" => Ok(creator(&experiment, request.version)),
        "accounts" => accounts(boss, &experiment).await,
        "startupcmd" => startup_command(boss, &node, &experiment).await,
        _ => Ok(String::new()),
    }
}

fn mounts(boss: &Boss, experiment: &Experiment, version: u32) -> String {
    let nfs = &boss.config.nfs;
    let server = boss.config.file_server();
    let Experiment { pid, gid, .. } = experiment;
    let mut text = String::new();
    // Writing to a String can't fail.
    if version >= FSTYPE_SINCE {
        text.push_str("FSTYPE=NFS TRANSPORT=TCP\n");
    }
    let _ = writeln!(text, "REMOTE={server}:{}/{pid} LOCAL=/proj/{pid}", nfs.proj);
    if gid.as_str() != pid.as_str() {
        let _ =
            writeln!(text, "REMOTE={server}:{}/{pid}/{gid} LOCAL=/groups/{pid}/{gid}", nfs.groups);
    }
    text
}

fn creator(experiment: &Experiment, version: u32) -> String {
    let Experiment { creator, swapper, .. } = experiment;
    match version {
        ..=20 => format!("CREATOR={creator}\n"),
        _ => format!("CREATOR={creator} SWAPPER={swapper}\n"),
    }
}

/// Groups and users of the project. There are no passwords: nobody logs in on an MFS.
async fn accounts(boss: &Boss, experiment: &Experiment) -> sqlx::Result<String> {
    let Experiment { pid, gid, .. } = experiment;
    let mut text = String::new();
    let own = boss.db.unix_gid(pid, gid).await?;
    let project = boss.db.project(pid).await?.map(|project| project.unix_gid);
    if let Some(number) = project {
        let _ = writeln!(text, "ADDGROUP NAME={pid} GID={number}");
    }
    if let (true, Some(number)) = (gid.as_str() != pid.as_str(), own) {
        let _ = writeln!(text, "ADDGROUP NAME={gid} GID={number}");
    }
    for (user, mut groups) in boss.db.members(pid).await? {
        // The experiment's group first, if the user is in it: files are of that.
        groups.sort_by_key(|number| Some(*number) != own);
        let Some(first) = groups.first() else { continue };
        let list: Vec<_> = groups.iter().map(u32::to_string).collect();
        let _ = writeln!(
            text,
            "ADDUSER LOGIN={login} PSWD=* UID={uid} GID={first} ROOT=1 NAME=\"{login}\" \
             HOMEDIR=/users/{login} GLIST=\"{list}\" SERIAL=1",
            login = user.login,
            uid = user.uid,
            list = list.join(",")
        );
    }
    Ok(text)
}

async fn startup_command(
    boss: &Boss,
    node: &Node,
    experiment: &Experiment,
) -> sqlx::Result<String> {
    let run = boss.db.run_of_node(&node.node_id).await?;
    let run = run.filter(|run| run.job == Job::Swapout && run.decision.state.wants_mfs());
    Ok(run.map_or_else(String::new, |run| {
        format!("CMD='{}' UID={}\n", run.command, experiment.swapper)
    }))
}

/// The node's run and the digest of its key, if the request came with that key.
async fn run_with_key(
    boss: &Boss,
    node: &Node,
    request: &Request<'_>,
) -> sqlx::Result<Option<(Run, String)>> {
    let Some(run) = boss.db.run_of_node(&node.node_id).await? else { return Ok(None) };
    let Some(key) = request.key else { return Ok(None) };
    let Some(stored) = run.signs.key_digest.clone() else { return Ok(None) };
    let right = Digest::from_hex(&stored).is_some_and(|digest| digest.matches(key));
    Ok(right.then_some((run, stored)))
}

async fn heard_state(boss: &Boss, node: &Node, request: &Request<'_>) -> sqlx::Result<String> {
    let state = request.rest;
    let good = (1..128).contains(&state.len())
        && state.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if !good {
        return Ok(String::new());
    }
    boss.db.note_node_state(&node.node_id, state, now()).await?;
    if let Some((run, digest)) = run_with_key(boss, node, request).await? {
        let noted = match state {
            "MFSSETUP" => boss.db.note_setup(run.id, &digest).await?,
            "ISUP" => boss.db.note_up(run.id, &digest).await?,
            "TBFAILED" => boss.db.note_failed(run.id, &digest).await?,
            _ => false,
        };
        if noted {
            boss.wake.notify_one();
        }
    }
    Ok(String::new())
}

async fn heard_startstatus(
    boss: &Boss,
    node: &Node,
    request: &Request<'_>,
) -> sqlx::Result<String> {
    let text: String = request.rest.chars().take(80).collect();
    if let Some((run, digest)) = run_with_key(boss, node, request).await? {
        boss.db.note_startstatus(run.id, &digest, &text).await?;
        boss.wake.notify_one();
        return Ok(String::new());
    }
    let unasked =
        format!("startstatus {text:?} without the key of this boot; it counts for nothing");
    heard(boss, node, "warning", &unasked).await
}

async fn heard_log(boss: &Boss, node: &Node, request: &Request<'_>) -> sqlx::Result<String> {
    let text: String = request.rest.chars().take(LOG_KEPT).collect();
    heard(boss, node, "warning", &format!("says: {text}")).await
}

/// Notes something that a node says with the run that it is in.
async fn heard(boss: &Boss, node: &Node, level: &str, text: &str) -> sqlx::Result<String> {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if let Some(run) = boss.db.run_of_node(&node.node_id).await? {
        let text = format!("{}: {text}", run.vname);
        boss.db.add_event(run.swap_id, Some(run.id), level, &text).await?;
    } else {
        tracing::warn!(node = %node.node_id, "{text}");
    }
    Ok(String::new())
}
