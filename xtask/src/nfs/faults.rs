//! What a server is told to do wrong, and what it has done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The operations of NFSv3 that the server tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "named as in RFC 1813, section 3.3")]
pub enum Operation {
    GetAttr,
    SetAttr,
    Lookup,
    ReadLink,
    Read,
    Write,
    Create,
    MkDir,
    Symlink,
    Remove,
    Rename,
    ReadDir,
    Commit,
}

/// What a server does wrong. Nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// The export cannot be changed: `NFS3ERR_ROFS`.
    pub read_only: bool,
    /// After so many more bytes have been written, the disk is full: `NFS3ERR_NOSPC`. What has
    /// been counted starts anew whenever faults are set.
    pub no_space_after: Option<u64>,
    /// These operations fail: `NFS3ERR_IO`.
    pub fail: BTreeSet<Operation>,
    /// The export is revoked, as it is for a moment when a server reads its exports anew.
    pub revoked: Option<Revoked>,
    /// So much longer it takes what is `delayed`. What waits when other faults are set waits as
    /// long as these say.
    pub delay: Duration,
    /// Of `Read`, `Write` and `Commit` those that take longer; none stands for all three.
    pub delayed: BTreeSet<Operation>,
    /// The byte at this offset of any file is stored with all bits inverted: a disk or network
    /// that damages data without a word.
    pub damage_byte: Option<u64>,
}

/// What is refused, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// The answer.
    pub refusal: Refusal,
    /// The operations; none stands for all.
    pub operations: BTreeSet<Operation>,
    /// How many are refused; `None` for all until other faults are set.
    pub times: Option<u32>,
}

/// How a server refuses what it would allow at other times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `NFS3ERR_ACCES`
    Access,
    /// `NFS3ERR_STALE`
    Stale,
}

/// What a server has done since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    /// How often each operation was asked for, those that failed included.
    pub operations: BTreeMap<Operation, u64>,
    /// Of `Read`, `Write` and `Commit`: how many were being served at the same time, at most.
    pub most_at_once: BTreeMap<Operation, u64>,
    /// Bytes stored.
    pub bytes_written: u64,
    /// Bytes sent.
    pub bytes_read: u64,
}

impl Faults {
    fn delay_of(&self, operation: Operation) -> Duration {
        let is_meant = self.delayed.is_empty() || self.delayed.contains(&operation);
        if is_meant { self.delay } else { Duration::ZERO }
    }
}

impl Revoked {
    /// The answer to an operation if it is to be refused.
    fn refuse(&mut self, operation: Operation) -> Option<Refusal> {
        if !self.operations.is_empty() && !self.operations.contains(&operation) {
            return None;
        }
        if let Some(times) = &mut self.times {
            *times = times.checked_sub(1)?;
        }
        Some(self.refusal)
    }
}

impl Statistics {
    /// How often `operation` was asked for.
    pub fn count(&self, operation: Operation) -> u64 {
        self.operations.get(&operation).copied().unwrap_or(0)
    }

    /// How many of `operation` were being served at the same time, at most.
    pub fn at_once(&self, operation: Operation) -> u64 {
        self.most_at_once.get(&operation).copied().unwrap_or(0)
    }
}

/// Why an injected fault stops an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Injected {
    ReadOnly,
    NoSpace,
    Failure,
    Refused(Refusal),
}

/// Faults and statistics together, shared by the server and whoever controls it.
#[derive(Debug, Default)]
pub(super) struct Monitor {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    faults: Faults,
    statistics: Statistics,
    /// Bytes written since the faults were set.
    written: u64,
    /// What is being served.
    under_way: BTreeMap<Operation, u64>,
}

/// An operation that is being served, until it is dropped.
#[derive(Debug)]
pub(super) struct UnderWay<'a> {
    monitor: &'a Monitor,
    operation: Operation,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.monitor.lock().under_way.get_mut(&self.operation) {
            *count -= 1;
        }
    }
}

impl Monitor {
    pub(super) fn set(&self, faults: Faults) {
        let mut state = self.lock();
        state.faults = faults;
        state.written = 0;
        self.changed.notify_all();
    }

    pub(super) fn faults(&self) -> Faults {
        self.lock().faults.clone()
    }

    pub(super) fn statistics(&self) -> Statistics {
        self.lock().statistics.clone()
    }

    pub(super) fn read_only(&self) -> bool {
        self.lock().faults.read_only
    }

    /// Counts an operation; an error if it is to fail.
    pub(super) fn enter(&self, operation: Operation) -> Result<(), Injected> {
        let mut state = self.lock();
        *state.statistics.operations.entry(operation).or_default() += 1;
        let changes = !matches!(
            operation,
            Operation::GetAttr
                | Operation::Lookup
                | Operation::ReadLink
                | Operation::Read
                | Operation::ReadDir
                | Operation::Commit
        );
        if let Some(refusal) = state.faults.revoked.as_mut().and_then(|it| it.refuse(operation)) {
            Err(Injected::Refused(refusal))
        } else if state.faults.fail.contains(&operation) {
            Err(Injected::Failure)
        } else if state.faults.read_only && changes {
            Err(Injected::ReadOnly)
        } else {
            Ok(())
        }
    }

    /// Counts an operation among those that are being served.
    pub(super) fn serve(&self, operation: Operation) -> UnderWay<'_> {
        let mut state = self.lock();
        let count = state.under_way.entry(operation).or_default();
        *count += 1;
        let count = *count;
        let most = state.statistics.most_at_once.entry(operation).or_default();
        *most = count.max(*most);
        drop(state);
        UnderWay { monitor: self, operation }
    }

    /// Asks for room for `bytes` before they are written.
    pub(super) fn take_space(&self, bytes: usize) -> Result<(), Injected> {
        let mut state = self.lock();
        let bytes = bytes as u64;
        let written = state.written.saturating_add(bytes);
        if state.faults.no_space_after.is_some_and(|limit| written > limit) {
            return Err(Injected::NoSpace);
        }
        state.written = written;
        state.statistics.bytes_written += bytes;
        Ok(())
    }

    pub(super) fn has_read(&self, bytes: usize) {
        self.lock().statistics.bytes_read += bytes as u64;
    }

    /// The offset within a write of `bytes` at `offset` of the byte to damage.
    pub(super) fn damage(&self, offset: u64, bytes: usize) -> Option<usize> {
        let place = usize::try_from(self.lock().faults.damage_byte?.checked_sub(offset)?).ok()?;
        (place < bytes).then_some(place)
    }

    /// Waits as long as the faults say.
    pub(super) fn pause(&self, operation: Operation) {
        let start = Instant::now();
        let mut state = self.lock();
        loop {
            let left = state.faults.delay_of(operation).saturating_sub(start.elapsed());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole after each change, whatever a panicking thread was doing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_runs_out_and_comes_back() {
        let monitor = Monitor::default();
        monitor.set(Faults { no_space_after: Some(10), ..Faults::default() });
        assert_eq!(monitor.take_space(10), Ok(()));
        assert_eq!(monitor.take_space(1), Err(Injected::NoSpace));
        monitor.set(Faults::default());
        assert_eq!(monitor.take_space(100), Ok(()));
        assert_eq!(monitor.statistics().bytes_written, 110);
    }

    #[test]
    fn read_only_and_failing_operations() {
        let monitor = Monitor::default();
        monitor.set(Faults {
            read_only: true,
            fail: [Operation::Commit].into(),
            ..Faults::default()
        });
        assert_eq!(monitor.enter(Operation::Read), Ok(()));
        assert_eq!(monitor.enter(Operation::Write), Err(Injected::ReadOnly));
        assert_eq!(monitor.enter(Operation::Commit), Err(Injected::Failure));
        assert_eq!(monitor.statistics().count(Operation::Commit), 1);
        assert_eq!(monitor.statistics().count(Operation::Rename), 0);
    }

    #[test]
    fn an_export_is_revoked_for_some_operations() {
        let monitor = Monitor::default();
        let operations = BTreeSet::from([Operation::Rename]);
        let revoked = Revoked { refusal: Refusal::Stale, operations, times: Some(2) };
        monitor.set(Faults { revoked: Some(revoked), ..Faults::default() });
        assert_eq!(monitor.enter(Operation::Lookup), Ok(()));
        for _ in 0..2 {
            let refused = Err(Injected::Refused(Refusal::Stale));
            assert_eq!(monitor.enter(Operation::Rename), refused);
        }
        assert_eq!(monitor.enter(Operation::Rename), Ok(()));
        let revoked = Revoked { refusal: Refusal::Access, operations: [].into(), times: None };
        monitor.set(Faults { revoked: Some(revoked), ..Faults::default() });
        assert_eq!(monitor.enter(Operation::GetAttr), Err(Injected::Refused(Refusal::Access)));
    }

    #[test]
    fn a_pause_ends_with_its_fault() {
        let monitor = Monitor::default();
        monitor.pause(Operation::Write);
        monitor.set(Faults {
            delay: Duration::from_hours(1),
            delayed: [Operation::Write].into(),
            ..Faults::default()
        });
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| monitor.pause(Operation::Write));
            monitor.pause(Operation::Read);
            monitor.set(Faults::default());
            waiting.join().unwrap();
        });
    }

    #[test]
    fn what_is_served_at_once_is_counted() {
        let monitor = Monitor::default();
        let both = (monitor.serve(Operation::Write), monitor.serve(Operation::Write));
        drop(both);
        drop((monitor.serve(Operation::Write), monitor.serve(Operation::Commit)));
        let statistics = monitor.statistics();
        assert_eq!(statistics.at_once(Operation::Write), 2);
        assert_eq!(statistics.at_once(Operation::Commit), 1);
        assert_eq!(statistics.at_once(Operation::Read), 0);
    }

    #[test]
    fn one_byte_is_damaged() {
        let monitor = Monitor::default();
        assert_eq!(monitor.damage(0, 100), None);
        monitor.set(Faults { damage_byte: Some(105), ..Faults::default() });
        assert_eq!(monitor.damage(0, 100), None);
        assert_eq!(monitor.damage(100, 6), Some(5));
        assert_eq!(monitor.damage(106, 6), None);
    }
}
