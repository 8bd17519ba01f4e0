//! What is done to machines: their power, their service, their end.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use clap::ValueEnum;

use super::{again, machines, path};
use crate::error::{ErrorKind, Result};
use crate::http::to_its_end;
use crate::machines::Wanted;
use crate::names::NodeId;
use crate::server::Boss;
use crate::web::at::At;
use crate::web::fields::Fields;
use crate::web::guard::Visitor;
use crate::web::page::done;
use crate::web::trouble::Trouble;

pub(super) fn router() -> Router<Arc<Boss>> {
    Router::new()
        .route("/nodes/{node_id}/power", post(power))
        .route("/nodes/{node_id}/service", post(service))
        .route("/nodes/{node_id}/remove", post(remove))
}

/// The page of the machine, with what was done or why it wasn't.
async fn finished(
    boss: &Boss,
    visitor: &Visitor,
    node_id: &NodeId,
    fields: &Fields,
    result: Result<String>,
) -> std::result::Result<Response, Trouble> {
    match result {
        Ok(notice) => done(boss, visitor, &notice, &path(node_id)).await,
        Err(error) => again(boss, visitor, node_id, fields, error.into()).await,
    }
}

async fn power(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(node_id): At<NodeId>,
    fields: Fields,
) -> std::result::Result<Response, Trouble> {
    machines(&boss, &visitor).find(&node_id).await?;
    let wanted = Wanted::from_str(fields.text("do"), false);
    let wanted = wanted.map_err(|_| ErrorKind::Invalid.because("on, off, cycle or status"));
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(error) => return again(&boss, &visitor, &node_id, &fields, error.into()).await,
    };
    let force = match wanted {
        Wanted::Status => false,
        _ => match may_cut(&boss, &node_id, &fields).await {
            Ok(force) => force,
            Err(error) => return again(&boss, &visitor, &node_id, &fields, error.into()).await,
        },
    };
    let turned = {
        let (boss, visitor, node_id) = (Arc::clone(&boss), visitor.clone(), node_id.clone());
        to_its_end(async move { machines(&boss, &visitor).power(&node_id, wanted, force).await })
    };
    match turned.await {
        Ok(power) => {
            tracing::info!(login = %visitor.actor.user.login, node = %node_id, ?wanted, "power");
            let notice = format!("{node_id} is {}.", power.name());
            done(&boss, &visitor, &notice, &path(&node_id)).await
        }
        Err(error) if error.kind == ErrorKind::Failed => {
            // What a driver says is for who runs the machines.
            let trouble = Trouble::new(StatusCode::BAD_GATEWAY, error.to_string());
            again(&boss, &visitor, &node_id, &fields, trouble).await
        }
        Err(error) => again(&boss, &visitor, &node_id, &fields, error.into()).await,
    }
}

/// Whether the power of a machine is touched although a swap is at work with it: if that was said of
/// this very swap.
async fn may_cut(boss: &Boss, node_id: &NodeId, fields: &Fields) -> Result<bool> {
    let run = boss.db.run_of_node(node_id).await?;
    let confirmed = fields.ticked("confirm") == Some(true);
    if let Some(run) = run {
        return match fields.parse_if_given::<i64>("swap", "Swap")? {
            Some(swap) if confirmed && swap == run.swap_id => Ok(true),
            _ => Err(ErrorKind::Conflict.because(format_args!(
                "Swap {} is at work with {node_id} and turns it on and off itself: what it saves or \
                 loads would be lost. Stop the swap on its page, or tick that you know this.",
                run.swap_id
            ))),
        };
    }
    match boss.db.reservation_of(node_id).await? {
        Some(held) if !confirmed => Err(ErrorKind::Conflict.because(format_args!(
            "{} has {node_id}: what runs there would be cut off. Tick that you know this.",
            held.experiment
        ))),
        _ => Ok(false),
    }
}

async fn service(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(node_id): At<NodeId>,
    fields: Fields,
) -> std::result::Result<Response, Trouble> {
    let machines = machines(&boss, &visitor);
    machines.find(&node_id).await?;
    let result = match fields.text("do") {
        "in" => {
            let done = machines.set_out_of_service(&node_id, None).await;
            done.map(|()| format!("{node_id} is in service: it is given out again."))
        }
        "out" => {
            let done = machines.set_out_of_service(&node_id, Some(fields.text("why"))).await;
            done.map(|()| format!("{node_id} is out of service: it isn't given out any more."))
        }
        _ => Err(ErrorKind::Invalid.because("in service or out of it")),
    };
    finished(&boss, &visitor, &node_id, &fields, result).await
}

async fn remove(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(node_id): At<NodeId>,
    fields: Fields,
) -> std::result::Result<Response, Trouble> {
    machines(&boss, &visitor).find(&node_id).await?;
    let result = async {
        confirmed(&fields, "that the node is to be forgotten")?;
        machines(&boss, &visitor).remove(&node_id).await
    };
    match result.await {
        Ok(()) => done(&boss, &visitor, &format!("{node_id} is forgotten."), "/nodes").await,
        Err(error) => again(&boss, &visitor, &node_id, &fields, error.into()).await,
    }
}

fn confirmed(fields: &Fields, what: &str) -> Result<()> {
    if fields.ticked("confirm") == Some(true) {
        return Ok(());
    }
    Err(ErrorKind::Invalid.because(format_args!("Tick {what}, and send the form again.")))
}
