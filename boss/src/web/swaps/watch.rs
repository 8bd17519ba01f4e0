//! One task looks at a swap, for all who have its page open: they see the same pace, and what they
//! cost the data base doesn't depend on how many they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;

use super::picture::{Picture, Watcher};
use crate::names::{Login, Vname};
use crate::server::Boss;

/// How often it is looked.
const PERIOD: Duration = Duration::from_secs(1);
/// Who loads a page anew finds the pace still known.
const LINGER: Duration = Duration::from_secs(30);
/// More swaps aren't watched beside each other; their pages come without a pace, then.
const MOST_WATCHES: usize = 64;
/// More streams aren't sent.
const MOST_VIEWERS: usize = 256;
/// More to one user neither: others want to see something, too.
const MOST_OF_ONE: usize = 32;

/// A swap, or one node of it.
type What = (i64, Option<Vname>);

/// What is seen, as it changes; nothing before the first look.
pub(super) type Pictures = watch::Receiver<Option<Arc<Picture>>>;

/// Which swaps are watched, and by whom.
#[derive(Debug, Default)]
pub struct Watches(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    watches: HashMap<What, Watch>,
    viewers: HashMap<Login, usize>,
    stopped: bool,
}

#[derive(Debug)]
struct Watch {
    pictures: Pictures,
    task: AbortHandle,
}

/// A viewer's place; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    boss: Arc<Boss>,
    login: Login,
}

impl Watches {
    /// What is to be seen of a swap; none, if too many are watched already.
    pub(super) fn watch(boss: &Arc<Boss>, swap: i64, node: Option<&Vname>) -> Option<Pictures> {
        let what = (swap, node.cloned());
        let mut state = boss.watches.state();
        state.watches.retain(|_, watch| !watch.task.is_finished());
        if let Some(watch) = state.watches.get(&what) {
            return Some(watch.pictures.clone());
        }
        if state.stopped || state.watches.len() >= MOST_WATCHES {
            return None;
        }
        let (sender, pictures) = watch::channel(None);
        let task = tokio::spawn(look(Arc::clone(boss), what.clone(), sender)).abort_handle();
        state.watches.insert(what, Watch { pictures: pictures.clone(), task });
        Some(pictures)
    }

    /// A place for one more stream; none, if there are too many.
    pub(super) fn place(boss: &Arc<Boss>, login: &Login) -> Option<Place> {
        let mut state = boss.watches.state();
        let all: usize = state.viewers.values().sum();
        let own = state.viewers.get(login).copied().unwrap_or_default();
        if all >= MOST_VIEWERS || own >= MOST_OF_ONE {
            return None;
        }
        state.viewers.insert(login.clone(), own + 1);
        Some(Place { boss: Arc::clone(boss), login: login.clone() })
    }

    /// Ends all streams.
    pub(crate) fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        for (_, watch) in state.watches.drain() {
            watch.task.abort();
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // It is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.boss.watches.state();
        if let Some(count) = state.viewers.get_mut(&self.login) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                state.viewers.remove(&self.login);
            }
        }
    }
}

/// Looks until it is over, or nobody wants to know for a while.
async fn look(boss: Arc<Boss>, (swap, node): What, sender: watch::Sender<Option<Arc<Picture>>>) {
    let mut watcher = Watcher::default();
    let mut alone_since = None;
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let picture = match watcher.look(&boss, swap, node.as_ref()).await {
            Ok(Some(picture)) => picture,
            Ok(None) => return,
            Err(error) => {
                // Browsers ask again by themselves.
                tracing::warn!(swap, "watching: {error}");
                return;
            }
        };
        let over = picture.swap.ended;
        sender.send_if_modified(|last| {
            let is_new = last.as_deref() != Some(&picture);
            if is_new {
                *last = Some(Arc::new(picture));
            }
            is_new
        });
        if over {
            return;
        }
        // One receiver is that for those to come.
        if sender.receiver_count() > 1 {
            alone_since = None;
        } else if alone_since.get_or_insert_with(Instant::now).elapsed() > LINGER {
            return;
        }
    }
}
