//! Work that goes on when its request has been answered, such as reading an image, and how it ended.
//!
//! What is known of it is this process': a restart ends it, and forgets it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, watch};

use crate::db::now;
use crate::error::{Error, ErrorKind, Result};

/// As each reads whole disks, others wait.
const AT_ONCE: usize = 2;
/// Of the latest so many the end is known.
const MOST: usize = 200;

/// Something that was begun.
#[derive(Clone, Debug)]
pub struct Job {
    /// What, for people.
    pub what: String,
    /// When it was begun.
    pub begun_at: i64,
    /// When it was over, and what came out, good or bad.
    pub ended: Option<(i64, std::result::Result<String, String>)>,
    over: watch::Receiver<bool>,
}

impl Job {
    /// Changes to true when it is over.
    pub fn over(&self) -> watch::Receiver<bool> {
        self.over.clone()
    }
}

/// All that was begun, by what it is done to.
#[derive(Clone, Debug)]
pub struct Jobs {
    known: Arc<Mutex<BTreeMap<String, Job>>>,
    turns: Arc<Semaphore>,
    alone: Arc<Mutex<BTreeSet<String>>>,
}

/// That nobody else does something with what was named, as long as it lives.
#[derive(Debug)]
pub struct Alone {
    all: Arc<Mutex<BTreeSet<String>>>,
    key: String,
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            known: Arc::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            alone: Arc::default(),
        }
    }
}

impl Jobs {
    /// Begins something, if nothing is going on with what `key` names.
    ///
    /// # Errors
    /// `Conflict`: something is.
    pub fn begin<F>(&self, key: &str, what: &str, work: F) -> Result<()>
    where
        F: Future<Output = std::result::Result<String, String>> + Send + 'static,
    {
        let (end, over) = watch::channel(false);
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(job) = known.get(key).filter(|job| job.ended.is_none()) {
                return Err(going_on(job));
            }
            let job = Job { what: what.to_owned(), begun_at: now(), ended: None, over };
            known.insert(key.to_owned(), job);
            forget(&mut known);
        }
        let (known, turns, key) =
            (Arc::clone(&self.known), Arc::clone(&self.turns), key.to_owned());
        let work = tokio::spawn(async move {
            // It is never closed.
            let _turn = turns.acquire_owned().await;
            work.await
        });
        tokio::spawn(async move {
            let result = work.await.unwrap_or_else(|error| Err(error.to_string()));
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(job) = known.get_mut(&key) {
                job.ended = Some((now(), result));
            }
            end.send_replace(true);
        });
        Ok(())
    }

    /// Takes what `key` names for something that is done at once, if nobody has it.
    pub fn alone(&self, key: &str) -> Option<Alone> {
        let mut all = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = all.insert(key.to_owned());
        is_new.then(|| Alone { all: Arc::clone(&self.alone), key: key.to_owned() })
    }

    /// What was begun last with what `key` names.
    pub fn find(&self, key: &str) -> Option<Job> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }
}

fn going_on(job: &Job) -> Error {
    ErrorKind::Conflict.because(format_args!("{} is going on; wait for its end", job.what))
}

/// Forgets those that have ended first, as far as there are too many.
fn forget(known: &mut BTreeMap<String, Job>) {
    while known.len() > MOST {
        let ended = known.iter().filter_map(|(key, job)| Some((job.ended.as_ref()?.0, key)));
        let Some(key) = ended.min().map(|(_, key)| key.clone()) else { return };
        known.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_and_its_end_is_known() {
        let jobs = Jobs::default();
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        jobs.begin("a", "Reading a", async {
            let _ = wait.await;
            Ok("good".to_owned())
        })
        .unwrap();
        let error = jobs.begin("a", "Signing a", async { Ok(String::new()) }).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert!(error.to_string().contains("Reading a"), "{error}");
        assert!(jobs.find("a").unwrap().ended.is_none() && jobs.find("b").is_none());
        go.send(()).unwrap();
        let mut over = jobs.find("a").unwrap().over();
        over.wait_for(|over| *over).await.unwrap();
        assert_eq!(jobs.find("a").unwrap().ended.unwrap().1, Ok("good".to_owned()));
        let held = jobs.alone("a").unwrap();
        assert!(jobs.alone("a").is_none());
        drop(held);
        assert!(jobs.alone("a").is_some());
        for number in 0..2 * MOST {
            let key = number.to_string();
            jobs.begin(&key, "x", async { Ok(String::new()) }).unwrap();
            let mut over = jobs.find(&key).unwrap().over();
            over.wait_for(|over| *over).await.unwrap();
        }
        assert!(jobs.known.lock().unwrap().len() <= MOST);
    }
}
