//! What nodes fetch over HTTP: their scripts, kernel and initramfs.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::services::ServeFile;

use super::words::{Export, Job, Save, Then, Words};
use super::{Boot, BossUrl, Key, Mac, Site};
use crate::db::nodes::Node;
use crate::db::swaps::Run;
use crate::server::Boss;
use crate::swap::{self, command::Command};

/// `/boot/<mac>` and `/mfs/<file>`.
pub fn router() -> Router<Arc<Boss>> {
    Router::new().route("/boot/{mac}", get(script)).route("/mfs/{file}", get(file))
}

/// The script of the machine that asks. It is known by its address, as with tmcd, and by its card:
/// what is in a script is for nobody else.
async fn script(
    State(boss): State<Arc<Boss>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(mac): Path<String>,
) -> Response {
    let Ok(mac) = mac.parse::<Mac>() else {
        return (StatusCode::NOT_FOUND, "no MAC address\n").into_response();
    };
    match boot_script(&boss, from, mac).await {
        Ok(script) => ([(header::CONTENT_TYPE, "text/plain")], script).into_response(),
        Err(error) => {
            tracing::error!(%mac, %from, "boot script: {error:#}");
            (StatusCode::INTERNAL_SERVER_ERROR, "boss has an error in its log\n").into_response()
        }
    }
}

async fn boot_script(boss: &Boss, from: SocketAddr, mac: Mac) -> anyhow::Result<String> {
    let node = boss.db.node_with_mac(&mac.to_string()).await?;
    let port = NonZeroU16::new(boss.config.listen.http.port()).unwrap_or(NonZeroU16::MIN);
    let url = BossUrl::new(boss.config.address, port);
    let site = Site { url, words: boss.config.boot.words.clone() };
    let boot = if let Some(node) = node.filter(|node| from.ip().to_canonical() == node.control_ip) {
        decide(boss, &node).await?
    } else {
        tracing::warn!(%mac, %from, "a machine that is not known wants to boot");
        Boot::Wait
    };
    Ok(site.script(mac, &boot)?)
}

/// What a node boots: the MFS while a run wants it, its own disk while it is somebody's.
async fn decide(boss: &Boss, node: &Node) -> anyhow::Result<Boot> {
    let Some(run) = boss.db.run_of_node(&node.node_id).await? else {
        let reserved = boss.db.reservation_of(&node.node_id).await?.is_some();
        return Ok(if reserved { Boot::Disk } else { Boot::Wait });
    };
    if !run.decision.state.wants_mfs() {
        let kept = matches!(run.decision.state, swap::RunState::Ended | swap::RunState::Released);
        return Ok(if kept { Boot::Disk } else { Boot::Wait });
    }
    let key = Key::generate()?;
    if !boss.db.give_key(run.id, &key.digest().to_hex()).await? {
        return Ok(Boot::Wait);
    }
    let words = words(boss, &run, key).await?;
    boss.wake.notify_one();
    Ok(Boot::Mfs(Box::new(words)))
}

async fn words(boss: &Boss, run: &Run, key: Key) -> anyhow::Result<Words> {
    let nfs = &boss.config.nfs;
    let server = boss.config.file_server();
    let export = |path: &str| Export { server: server.clone(), path: path.to_owned() };
    let swap = boss.db.swap(run.swap_id).await?;
    let swap = swap.ok_or_else(|| anyhow::anyhow!("no swap {}", run.swap_id))?;
    let port = boss.config.listen.tmcd.first().map_or(7777, SocketAddr::port);
    Ok(Words {
        job: match run.job {
            // Another command is for the MFS to know; it asks tmcd.
            swap::Job::Swapout => Command::parse(&run.command).save(),
            swap::Job::Swapin => Some(Job::Swapin),
            swap::Job::Load => Some(Job::Load),
            swap::Job::Capture => Some(Job::Capture),
        },
        pid: swap.pid,
        eid: swap.eid,
        vname: run.vname.clone(),
        proj: Some(export(&nfs.proj)),
        projgroups: (!nfs.groups.is_empty()).then(|| export(&nfs.groups)),
        nfs: (!nfs.options.is_empty()).then(|| nfs.options.clone()),
        // tmcd tells it.
        user: None,
        boss: Some(format!("{}:{port}", boss.config.address)),
        key: Some(key),
        then: Some(Then::Stay),
        dir: (run.job == swap::Job::Capture).then(|| run.directory.clone()),
        more: match run.job {
            swap::Job::Swapin | swap::Job::Load => {
                vec![format!("mfs.free={}", boss.config.boot.free)]
            }
            swap::Job::Swapout | swap::Job::Capture => Vec::new(),
        },
    })
}

impl Command {
    /// The agent's job for it, if it knows the command.
    fn save(self) -> Option<Job> {
        let Self::CreateSwapimage { full, statistics } = self else { return None };
        Some(Job::Swapout(match (full, statistics) {
            (false, false) => Save::Delta,
            (true, false) => Save::Full,
            (false, true) => Save::Statistics,
            (true, true) => Save::FullStatistics,
        }))
    }
}

/// Kernel or initramfs.
async fn file(
    State(boss): State<Arc<Boss>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let boot = &boss.config.boot;
    let file = match name.as_str() {
        "vmlinuz" => &boot.kernel,
        "initramfs" => &boot.initramfs,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let path = boss.config.directories.boot.join(file);
    match ServeFile::new(&path).try_call(request).await {
        Ok(response) => {
            if response.status() == StatusCode::NOT_FOUND {
                tracing::error!("{} is not there; nodes need it to boot", path.display());
            }
            response.into_response()
        }
        Err(error) => {
            tracing::error!("{}: {error}", path.display());
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
