//! What nodes do.

use std::time::Duration;

use boss::swap::Outcome;

/// What a node does when it is booted into the MFS, and how its power is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// What it should.
    #[default]
    Good,
    /// It never asks for its boot script.
    NeverBoots,
    /// It is up in the MFS, and never heard of again.
    HangsInMfs,
    /// It stops in the middle of its work.
    HangsSaving,
    /// It loses its power in the middle of its work, and does nothing until it is turned off and on:
    /// then it is good, or never boots again.
    DiesSaving {
        /// Whether it is good then.
        returns: bool,
    },
    /// It says that it is ready, and isn't.
    Lies(Lie),
    /// It ends with this exit status.
    FailsWith(u8),
    /// It says this instead of an exit status.
    Garbage(&'static str),
    /// In the middle of its work it starts again by itself, and is good then. What it had to say
    /// before, with the key of before, arrives later.
    ComesBackTwice,
    /// Another program on it says that it is ready, without its key; then it is good.
    Forges,
    /// It can't be turned off so many times; it is good.
    PowerStuck(u32),
    /// What controls its power does not answer until [`SimNode::mend`](super::SimNode::mend).
    PowerUnreachable,
    /// It is good, with so much time between heartbeats.
    SlowHeartbeat(Duration),
    /// Its own system doesn't end when it is asked to; the node is good.
    IgnoresShutdown,
    /// The driver of its power hangs so many times when it is turned off; it is good.
    DriverHangs(u32),
}

/// How a node that says that it is ready isn't.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// It has written nothing. In a load its status doesn't say that it has ended.
    NoFiles,
    /// The image ends too early.
    Truncated,
    /// The image is another one.
    WrongDigest,
}

impl Behaviour {
    /// How a save of such a node must end, if boss tries so many times; within its limits.
    pub const fn outcome_of_save(self, attempts: u32) -> Outcome {
        match self {
            Self::Good | Self::Forges | Self::IgnoresShutdown | Self::SlowHeartbeat(_) => {
                Outcome::Done
            }
            Self::ComesBackTwice if attempts > 1 => Outcome::Done,
            Self::PowerStuck(times) | Self::DriverHangs(times) if times < attempts => Outcome::Done,
            Self::NeverBoots | Self::HangsInMfs | Self::HangsSaving | Self::DiesSaving { .. } => {
                Outcome::TimedOut
            }
            Self::Lies(_)
            | Self::FailsWith(_)
            | Self::Garbage(_)
            | Self::ComesBackTwice
            | Self::PowerStuck(_)
            | Self::PowerUnreachable
            | Self::DriverHangs(_) => Outcome::Failed,
        }
    }

    /// One of each kind that ends by itself, to be dealt out in turn.
    pub const BAD: [Self; 18] = [
        Self::NeverBoots,
        Self::HangsInMfs,
        Self::HangsSaving,
        Self::DiesSaving { returns: true },
        Self::DiesSaving { returns: false },
        Self::Lies(Lie::NoFiles),
        Self::Lies(Lie::Truncated),
        Self::Lies(Lie::WrongDigest),
        Self::FailsWith(26),
        Self::FailsWith(22),
        Self::Garbage("saved"),
        Self::Garbage(""),
        Self::ComesBackTwice,
        Self::Forges,
        Self::PowerStuck(2),
        Self::PowerUnreachable,
        Self::DriverHangs(1),
        Self::IgnoresShutdown,
    ];
}
