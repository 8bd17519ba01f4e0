//! What is shown of things, on the command line (`--json`) and by the REST interface: the same.

mod experiments;
mod machines;
mod swaps;

pub use experiments::{Experiment, ExperimentNode};
pub use machines::{Disk, Group, Image, Node, Project, Sitevar, User};
pub use swaps::{Event, Progress, Run, Swap};

/// A time as people read it.
pub fn time(seconds: i64) -> String {
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => time.to_string(),
        Err(_) => seconds.to_string(),
    }
}
