//! Nodes save and load their disks, watched: what is to be done is a *swap*, of an experiment, and
//! each of its nodes has a *run*.
//!
//! [`machine`] decides, from what is known of a run, what comes next; it does nothing itself.

mod actions;
pub mod begin;
pub mod capture;
pub mod command;
#[cfg(test)]
mod fixture;
mod limits;
pub mod log;
pub mod machine;
mod observe;
pub mod pace;
pub mod request;
pub mod supervisor;
mod task;

pub(crate) use actions::why_not_off;

use std::fmt;
use std::str::FromStr;

/// What is done to an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Its disks are saved, and its nodes given back.
    Swapout,
    /// It gets nodes, with its disks as they were saved.
    Swapin,
    /// A node's disk is loaded with an image while the experiment runs (`os_load`).
    Load,
    /// An image is made of a node's disk.
    Capture,
}

/// What a node does in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Job {
    /// What the startup command says: it saves its disk.
    Swapout,
    /// It loads its disk with what was saved.
    Swapin,
    /// It loads its disk with an image.
    Load,
    /// It makes an image of its disk.
    Capture,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunState {
    /// It waits for its turn.
    Requested,
    /// The node is being booted into the MFS.
    Booting,
    /// The node is up in the MFS.
    InMfs,
    /// It saves, or loads.
    Working,
    /// What was written is read again, by the node, then by boss.
    Verifying,
    /// The outcome is known; the node is turned off, or sent back to its own disk.
    Stopping,
    /// The node does nothing any more for this run.
    Ended,
    /// The node is given back, or handed to the user.
    Released,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Saved, loaded or captured, and found right.
    Done,
    /// There was nothing to do, or it may not be done.
    Skipped,
    /// Not done.
    Failed,
    /// Not done in time; the node was stopped.
    TimedOut,
}

/// Names that the data base and people read.
macro_rules! names {
    ($type:ident, $what:literal, $($variant:ident = $name:literal),+) => {
        impl $type {
            /// The name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        impl FromStr for $type {
            type Err = &'static str;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                match name { $($name => Ok(Self::$variant),)+ _ => Err($what) }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

names!(
    Kind,
    "no kind of swap",
    Swapout = "swapout",
    Swapin = "swapin",
    Load = "load",
    Capture = "capture"
);
names!(Job, "no job", Swapout = "swapout", Swapin = "swapin", Load = "load", Capture = "capture");
names!(
    RunState,
    "no state of a run",
    Requested = "requested",
    Booting = "booting",
    InMfs = "in-mfs",
    Working = "working",
    Verifying = "verifying",
    Stopping = "stopping",
    Ended = "ended",
    Released = "released"
);
names!(
    Outcome,
    "no outcome",
    Done = "done",
    Skipped = "skipped",
    Failed = "failed",
    TimedOut = "timed-out"
);

impl Kind {
    /// What a node does, as people say it: saving, loading.
    pub const fn work(self) -> &'static str {
        match self {
            Self::Swapout => "saving",
            Self::Swapin | Self::Load => "loading",
            Self::Capture => "capturing",
        }
    }

    /// What it has done: saved, loaded.
    pub const fn done(self) -> &'static str {
        match self {
            Self::Swapout => "saved",
            Self::Swapin | Self::Load => "loaded",
            Self::Capture => "captured",
        }
    }
}

impl RunState {
    /// The name for people, which depends on what is done.
    pub const fn describe(self, kind: Kind) -> &'static str {
        match self {
            Self::Working => kind.work(),
            _ => self.name(),
        }
    }

    /// Whether the node is at work with its file server, or about to be.
    pub const fn is_active(self) -> bool {
        matches!(
            self,
            Self::Booting | Self::InMfs | Self::Working | Self::Verifying | Self::Stopping
        )
    }

    /// Whether the node belongs to the run: a script to boot the MFS is for such nodes.
    pub const fn wants_mfs(self) -> bool {
        matches!(self, Self::Booting | Self::InMfs | Self::Working | Self::Verifying)
    }
}

impl Outcome {
    /// The name for people, which depends on what was done: nothing is called saved that isn't.
    pub fn describe(self, kind: Kind, command: &str) -> &'static str {
        match (self, kind) {
            (Self::Done, Kind::Swapout) if !command::Command::parse(command).saves() => "ready",
            (Self::Done, _) => kind.done(),
            _ => self.name(),
        }
    }
}
