//! What changes on a swap's page while it goes on: its nodes, what happened, their logs. The page
//! has the same parts as the stream.

use askama::Template;

use super::picture::{Log, Picture, Seen};
use super::words::{self, Badge};
use crate::db::swaps::Run;
use crate::swap::log::Tail;
use crate::swap::pace::clock;
use crate::swap::{Kind, Outcome, RunState};
use crate::web::page::{Page, size};

/// More nodes are only named, with how they are.
const MOST_NODES: usize = 40;

/// All parts of a page.
pub(super) struct Parts<'a> {
    nodes: Nodes<'a>,
    events: Events<'a>,
    logs: Vec<NodeLog<'a>>,
}

#[derive(Template)]
#[template(path = "swap/nodes.html")]
struct Nodes<'a> {
    page: &'a Page,
    picture: &'a Picture,
    /// What is told to who can't see it, when it changes.
    say: String,
    shown: Vec<Node<'a>>,
    /// Those that there is no room for.
    others: Vec<Node<'a>>,
}

struct Node<'a> {
    run: &'a Run,
    seen: &'a Seen,
    badge: Badge,
    doing: &'static str,
    advice: &'static str,
}

#[derive(Template)]
#[template(path = "swap/events.html")]
struct Events<'a> {
    page: &'a Page,
    picture: &'a Picture,
}

#[derive(Template)]
#[template(path = "swap/log.html")]
struct NodeLog<'a> {
    vname: &'a str,
    tail: Option<&'a Tail>,
    trouble: bool,
    /// Whether it is what the page is about.
    open: bool,
    /// Whether there may be more.
    grows: bool,
}

impl<'a> Parts<'a> {
    pub(super) fn of(picture: &'a Picture, page: &'a Page) -> Self {
        let mut nodes: Vec<_> = picture.nodes.iter().map(|seen| Node::of(picture, seen)).collect();
        if nodes.len() > MOST_NODES {
            // First who needs somebody, then who is at work.
            nodes.sort_by_key(Node::rank);
        }
        let others = nodes.split_off(nodes.len().min(MOST_NODES));
        let open = picture.nodes.len() == 1;
        let grows = !picture.swap.ended;
        let logs = picture.nodes.iter().filter_map(|seen| {
            let (tail, trouble) = match &seen.log {
                Log::Elsewhere => return None,
                Log::None => (None, false),
                Log::Trouble => (None, true),
                Log::Tail(tail) => (Some(tail), false),
            };
            let vname = seen.run.vname.as_str();
            Some(NodeLog { vname, tail, trouble, open, grows })
        });
        Self {
            nodes: Nodes { page, picture, say: say(picture), shown: nodes, others },
            events: Events { page, picture },
            logs: logs.collect(),
        }
    }

    /// The parts' ids and elements, in the order of the page.
    pub(super) fn render(&self) -> askama::Result<Vec<(String, String)>> {
        let mut all = vec![("nodes".to_owned(), self.nodes.render()?)];
        for log in &self.logs {
            all.push((format!("log-of-{}", log.vname), log.render()?));
        }
        all.push(("events".to_owned(), self.events.render()?));
        Ok(all)
    }
}

impl<'a> Node<'a> {
    fn of(picture: &'a Picture, seen: &'a Seen) -> Self {
        let run = &seen.run;
        Self {
            run,
            seen,
            badge: words::of_run(run),
            doing: words::doing(run),
            advice: words::advice(&picture.swap, run),
        }
    }

    fn rank(&self) -> u8 {
        let waits = self.seen.waits_for_off.is_some();
        match self.run.decision.outcome {
            _ if waits => 0,
            Some(Outcome::Failed | Outcome::TimedOut) => 1,
            None if self.run.decision.state.is_active() => 2,
            None => 3,
            Some(Outcome::Done | Outcome::Skipped) => 4,
        }
    }

    /// Pace and time left, if they can be said.
    fn pace(&self) -> Option<String> {
        let far = self.seen.far.filter(|far| far.rate > 0)?;
        let left = far.left.map(|left| format!(", {} left", clock(left))).unwrap_or_default();
        Some(format!("{}/s{left}", size(far.rate)))
    }

    /// Whether there are figures to show.
    fn has_figures(&self) -> bool {
        let progress = &self.run.decision.progress;
        progress.total > 0 || progress.written > 0
    }

    /// What the bytes are that it has come through.
    fn work(&self) -> &'static str {
        match self.run.kind {
            Kind::Swapout | Kind::Capture => "Read",
            Kind::Swapin | Kind::Load => "Done",
        }
    }

    /// The phase, for people.
    fn phase(&self) -> &'static str {
        match self.run.decision.progress.phase.as_str() {
            "boot" => "starting",
            "mount" => "mounting the project's directory",
            "prepare" => "reading what is to be done",
            "save" => "reading, comparing and writing",
            "load" => "writing to the disk",
            "verify" => "reading again what was written",
            "publish" => "putting it in place",
            "done" => "ended well, says the node",
            "failed" => "ended with an error",
            "idle" => "waiting to be turned off",
            _ => "",
        }
    }

    /// Whether it will be tried again, and when.
    fn again_at(&self) -> Option<i64> {
        let decision = &self.run.decision;
        let waits = decision.state == RunState::Requested && decision.attempt > 1;
        waits.then_some(decision.not_before)
    }
}

/// In few words, and without figures that change all the time.
fn say(picture: &Picture) -> String {
    let over = picture.nodes.iter().filter(|seen| seen.run.decision.outcome.is_some()).count();
    let names = |wanted: &dyn Fn(&Seen) -> bool| {
        let names = picture.nodes.iter().filter(|seen| wanted(seen));
        names.map(|seen| seen.run.vname.as_str()).collect::<Vec<_>>().join(", ")
    };
    let failed = names(&|seen| {
        matches!(seen.run.decision.outcome, Some(Outcome::Failed | Outcome::TimedOut))
    });
    let waiting = names(&|seen| seen.waits_for_off.is_some());
    let mut text = format!("{over} of {} nodes ready.", picture.nodes.len());
    if !failed.is_empty() {
        text.extend([" Not ", picture.swap.kind.done(), ": ", &failed, "."]);
    }
    if !waiting.is_empty() {
        text.extend([" Waiting to be seen off: ", &waiting, "."]);
    }
    text
}
