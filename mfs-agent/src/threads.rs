//! What the agent needs of threads; the runtime has them by clone(2), tests by `std`.

use alloc::boxed::Box;

use imagezip_core::pipeline::Workers;
use rustix::io::Result;

/// What a thread does.
pub type Body = Box<dyn FnOnce() + Send>;

/// A started thread.
pub trait Join: Send {
    /// Waits for its end.
    fn join(self: Box<Self>);
}

/// Starts threads.
pub trait Threads: Sync {
    /// Starts a thread. It goes on if the result is dropped.
    fn start(&self, body: Body) -> Result<Box<dyn Join>>;

    /// Runs `body(0)` to `body(count - 1)`, each on a thread of its own, and waits for their end.
    /// What no thread can be had for runs in the caller's.
    fn scope(&self, count: usize, body: &(dyn Fn(usize) + Sync));
}

/// So many threads more than processors wait for a disk or a server while the others work.
const WAITING: usize = 2;

/// Workers that keep all processors busy.
pub struct Processors<'a> {
    threads: &'a dyn Threads,
    count: usize,
}

impl<'a> Processors<'a> {
    /// One for each processor that this program may use.
    pub fn new(threads: &'a dyn Threads) -> Self {
        let count = rustix::thread::sched_getaffinity(None)
            .ok()
            .and_then(|set| usize::try_from(set.count()).ok())
            .map_or(1, |count| count.max(1));
        Self { threads, count }
    }

    /// With some more, for work that waits at times.
    pub fn with_waiting(threads: &'a dyn Threads) -> Self {
        let Self { threads, count } = Self::new(threads);
        Self { threads, count: count.saturating_add(WAITING) }
    }
}

impl Workers for Processors<'_> {
    fn count(&self) -> usize {
        self.count
    }

    fn run(&self, body: &(dyn Fn(usize) + Sync)) {
        self.threads.scope(self.count, body);
    }
}

/// Threads of `std`.
#[cfg(test)]
pub(crate) struct StdThreads;

#[cfg(test)]
impl Threads for StdThreads {
    fn start(&self, body: Body) -> Result<Box<dyn Join>> {
        struct Started(std::thread::JoinHandle<()>);
        impl Join for Started {
            fn join(self: Box<Self>) {
                self.0.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            }
        }
        Ok(Box::new(Started(std::thread::spawn(body))))
    }

    fn scope(&self, count: usize, body: &(dyn Fn(usize) + Sync)) {
        std::thread::scope(|scope| {
            (0..count).for_each(|index| drop(scope.spawn(move || body(index))));
        });
    }
}
