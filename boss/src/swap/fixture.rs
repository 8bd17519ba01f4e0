//! A run to try things with.

use super::{Job, Kind, RunState};
use crate::db::swaps::{Decision, Progress, Run, Signs};

/// A save that is in some state, and of which nothing is known yet.
pub(super) fn run(state: RunState) -> Run {
    Run {
        id: 1,
        swap_id: 1,
        kind: Kind::Swapout,
        node_id: "pc1".parse().unwrap(),
        vname: "node-a".parse().unwrap(),
        job: Job::Swapout,
        command: "create-swapimage".to_owned(),
        directory: "/proj/testbed/exp/trial/swapinfo".to_owned(),
        file_server: "fs".to_owned(),
        boot_limit: 300,
        work_limit: 1000,
        idle_limit: 100,
        meta_before: String::new(),
        decision: Decision {
            state,
            entered_at: 0,
            outcome: None,
            reason: String::new(),
            attempt: 1,
            not_before: 0,
            power_at: None,
            off_at: None,
            progress: Progress::default(),
            progress_at: 0,
        },
        signs: Signs::default(),
    }
}
