//! What the agent needs of threads; the runtime has them by clone(2), tests by `std`.

use alloc::boxed::Box;

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
    ///
    /// # Errors
    /// A thread could not be started. Those that were have ended.
    fn scope(&self, count: usize, body: &(dyn Fn(usize) + Sync)) -> Result<()>;
}

/// The number of processors that this program may use.
pub fn processors() -> usize {
    rustix::thread::sched_getaffinity(None)
        .ok()
        .and_then(|set| usize::try_from(set.count()).ok())
        .map_or(1, |count| count.max(1))
}
