//! Why a machine could not be turned on or off.

use std::fmt;

use super::{Action, Machine};
use crate::names::NodeId;

/// The most that is kept of a driver's reason, in characters.
const LONGEST: usize = 300;

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerErrorKind {
    /// The driver tried and failed; it may work another time.
    Failed,
    /// The driver or its settings are wrong; trying again is of no use before somebody changes them.
    Misconfigured,
    /// What the machine's power is controlled by does not answer; it may work another time.
    Unreachable,
    /// The driver did not end in time and was killed; it may work another time.
    TimedOut,
}

impl PowerErrorKind {
    /// What a driver's exit status means; `None` if a signal ended it. The shell has 126 and 127
    /// for programs that it can't run.
    pub(super) const fn of_exit(code: Option<i32>) -> Self {
        match code {
            Some(2 | 126 | 127) => Self::Misconfigured,
            Some(3) => Self::Unreachable,
            _ => Self::Failed,
        }
    }

    /// Whether trying again may help.
    pub const fn may_pass(self) -> bool {
        !matches!(self, Self::Misconfigured)
    }
}

impl fmt::Display for PowerErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "failed",
            Self::Misconfigured => "misconfigured",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed out",
        })
    }
}

/// A machine could not be turned on or off, or asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{node}: power driver {driver}, {}: {kind}: {why}", .action.as_str())]
pub struct PowerError {
    /// What is to be done about it.
    pub kind: PowerErrorKind,
    /// The machine's node id.
    pub node: NodeId,
    /// The driver's name.
    pub driver: String,
    /// What it was asked for.
    pub action: Action,
    /// One line of why; the driver's own, if it said something.
    pub why: String,
}

impl PowerError {
    pub(super) fn new(
        kind: PowerErrorKind,
        machine: &Machine,
        action: Action,
        why: String,
    ) -> Self {
        Self {
            kind,
            node: machine.node().clone(),
            driver: machine.driver().to_owned(),
            action,
            why,
        }
    }
}

/// What can be shown in one line of what somebody wrote.
pub(super) fn one_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut words = String::new();
    for word in text.split(|c: char| c.is_control() || c == ' ').filter(|word| !word.is_empty()) {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    match words.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", words.get(..end).unwrap_or_default()),
        None => words,
    }
}
