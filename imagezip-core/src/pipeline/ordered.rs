//! Jobs that are worked on in parallel and whose results are used in order.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use rustix_futex_sync::{Condvar, Mutex};

use super::Workers;
use crate::error::Result;

/// Runs every job of `next` through `work` in parallel and hands the results, in the order of
/// the jobs, to `sink`, one at a time.
///
/// A job is worked on in one of the `slots`, which hold the buffers and the result: a slot goes
/// from `work` to `sink` and round again, so there are never more jobs under way than slots.
/// There have to be more slots than threads if `sink` shall run beside the others.
///
/// `sink` has no thread of its own: the worker whose result is next in order uses it, and those
/// that wait behind it.
///
/// # Errors
/// The first error of `next`, `work` or `sink`; nothing more is started after it, and results
/// after the failed one are dropped.
pub fn ordered<J, S>(
    workers: &dyn Workers,
    slots: Vec<S>,
    next: impl FnMut() -> Result<Option<J>> + Send,
    work: impl Fn(J, &mut S) -> Result<()> + Sync,
    sink: impl FnMut(&mut S) -> Result<()> + Send,
) -> Result<()>
where
    S: Send,
{
    let line = Line {
        state: Mutex::new(State {
            next,
            free: slots,
            under_way: VecDeque::new(),
            first: 0,
            sinking: false,
            outcome: None,
        }),
        sink: Mutex::new(sink),
        changed: Condvar::new(),
    };
    workers.run(&|_| line.worker(&work));
    line.state.into_inner().outcome.unwrap_or(Ok(()))
}

struct Line<N, S, K> {
    state: Mutex<State<N, S>>,
    /// Locked only by the worker that set `sinking`, so never waited for.
    sink: Mutex<K>,
    /// Something in `state` changed for which a worker may wait.
    changed: Condvar,
}

struct State<N, S> {
    next: N,
    free: Vec<S>,
    /// One place for each job that was taken and not used up, in order; filled when it is done.
    under_way: VecDeque<Option<S>>,
    /// The number of the job in the first place.
    first: u64,
    /// A worker is in `sink`.
    sinking: bool,
    /// Set once there is nothing left to take, or by the first error.
    outcome: Option<Result<()>>,
}

impl<N, S, K> Line<N, S, K> {
    fn worker<J>(&self, work: &impl Fn(J, &mut S) -> Result<()>)
    where
        N: FnMut() -> Result<Option<J>>,
        K: FnMut(&mut S) -> Result<()>,
    {
        while let Some((number, job, mut slot)) = self.take() {
            let done = work(job, &mut slot);
            self.put(number, slot, done);
        }
    }

    /// The next job with a slot to do it in; waits for a free slot.
    fn take<J>(&self) -> Option<(u64, J, S)>
    where
        N: FnMut() -> Result<Option<J>>,
    {
        let mut state = self.state.lock();
        loop {
            if state.outcome.is_some() {
                return None;
            }
            if let Some(slot) = state.free.pop() {
                match (state.next)() {
                    Ok(Some(job)) => {
                        let ahead = u64::try_from(state.under_way.len()).unwrap_or(u64::MAX);
                        let number = state.first.saturating_add(ahead);
                        state.under_way.push_back(None);
                        return Some((number, job, slot));
                    }
                    Ok(None) => state.outcome = Some(Ok(())),
                    Err(error) => state.outcome = Some(Err(error)),
                }
                self.changed.notify_all();
                return None;
            }
            state = self.changed.wait(state);
        }
    }

    /// Puts a finished job in its place and uses up what is next in order.
    fn put(&self, number: u64, slot: S, done: Result<()>)
    where
        K: FnMut(&mut S) -> Result<()>,
    {
        let mut state = self.state.lock();
        if let Err(error) = done {
            state.fail(error);
        }
        let place = usize::try_from(number.saturating_sub(state.first)).ok();
        if let Some(place) = place.and_then(|place| state.under_way.get_mut(place)) {
            *place = Some(slot);
        }
        if state.sinking {
            return;
        }
        state.sinking = true;
        while let Some(mut slot) = state.pop_finished() {
            drop(state);
            let used = (self.sink.lock())(&mut slot);
            state = self.state.lock();
            if let Err(error) = used {
                state.fail(error);
            }
            state.free.push(slot);
            self.changed.notify_one();
        }
        state.sinking = false;
        if state.failed() {
            self.changed.notify_all();
        }
    }
}

impl<N, S> State<N, S> {
    fn failed(&self) -> bool {
        matches!(self.outcome, Some(Err(_)))
    }

    fn fail(&mut self, error: crate::Error) {
        if !self.failed() {
            self.outcome = Some(Err(error));
        }
    }

    /// The result of the first job under way, if it is there and nothing has failed.
    fn pop_finished(&mut self) -> Option<S> {
        if self.failed() {
            return None;
        }
        let slot = self.under_way.front_mut()?.take()?;
        self.under_way.pop_front();
        self.first = self.first.saturating_add(1);
        Some(slot)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::pipeline::SingleThread;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::{thread, vec};

    /// So many threads of the host.
    pub(in crate::pipeline) struct Threads(pub(in crate::pipeline) usize);

    impl Workers for Threads {
        fn count(&self) -> usize {
            self.0
        }

        fn run(&self, body: &(dyn Fn(usize) + Sync)) {
            thread::scope(|scope| {
                for number in 0..self.0 {
                    scope.spawn(move || body(number));
                }
            });
        }
    }

    fn squares(
        workers: &dyn Workers,
        slots: usize,
        jobs: u64,
        fail_at: u64,
    ) -> (Result<()>, Vec<u64>) {
        let mut left = 0..jobs;
        let mut seen = Vec::new();
        let under_way = AtomicUsize::new(0);
        let outcome = ordered(
            workers,
            vec![0_u64; slots],
            || Ok(left.next()),
            |job, slot| {
                assert!(under_way.fetch_add(1, Ordering::SeqCst) < slots);
                if job == fail_at {
                    return Err(ErrorKind::Read(5).into());
                }
                // Uneven work, so that results come out of order.
                *slot = (0..job % 7 * 1000).fold(job * job, |sum, _| std::hint::black_box(sum));
                Ok(())
            },
            |slot| {
                under_way.fetch_sub(1, Ordering::SeqCst);
                seen.push(*slot);
                Ok(())
            },
        );
        (outcome, seen)
    }

    proptest! {
        #[test]
        fn results_come_in_order(threads in 1..5_usize, slots in 1..9_usize, jobs in 0..300_u64) {
            let (outcome, seen) = squares(&Threads(threads), slots, jobs, u64::MAX);
            prop_assert_eq!(outcome, Ok(()));
            prop_assert_eq!(seen, (0..jobs).map(|job| job * job).collect::<Vec<_>>());
        }

        #[test]
        fn an_error_ends_it(threads in 1..5_usize, slots in 1..9_usize, fail_at in 0..100_u64) {
            let (outcome, seen) = squares(&Threads(threads), slots, 100, fail_at);
            prop_assert_eq!(outcome, Err(ErrorKind::Read(5).into()));
            prop_assert!(seen.len() as u64 <= fail_at);
            prop_assert!(seen.iter().enumerate().all(|(i, square)| *square == (i * i) as u64));
        }
    }

    #[test]
    fn an_error_of_the_sink_ends_it() {
        let outcome = ordered(
            &SingleThread,
            vec![(); 2],
            || Ok(Some(())),
            |(), ()| Ok(()),
            |()| Err(ErrorKind::Write(28).into()),
        );
        assert_eq!(outcome, Err(ErrorKind::Write(28).into()));
    }
}
