//! Something that needs somebody.

/// How many names are said one by one.
const MOST_NAMES: usize = 8;

/// Names, not too many of them.
pub(super) fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = all.collect();
    let first = all.iter().take(MOST_NAMES).copied().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(MOST_NAMES) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// How soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Something waits for it, or is lost.
    Now,
    /// Something has failed.
    Soon,
    /// Something will.
    Sometime,
}

/// Something that needs somebody.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) level: Level,
    /// What is so.
    pub(super) what: String,
    /// What is to be done about it.
    pub(super) todo: String,
    /// Where: paths, and what they are called.
    pub(super) links: Vec<(String, &'static str)>,
}

impl Problem {
    pub(super) fn new(level: Level, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { level, what: what.into(), todo: todo.into(), links: Vec::new() }
    }

    pub(super) fn link(mut self, href: impl Into<String>, text: &'static str) -> Self {
        self.links.push((href.into(), text));
        self
    }

    /// A class of `boss.css`.
    pub(super) fn mark(&self) -> &'static str {
        match self.level {
            Level::Now => "bad",
            Level::Soon | Level::Sometime => "warn",
        }
    }

    /// The same in words.
    pub(super) fn word(&self) -> &'static str {
        match self.level {
            Level::Now => "now",
            Level::Soon => "soon",
            Level::Sometime => "when you can",
        }
    }
}
