//! An event that happens once: threads wait for it, without a lock that anyone could hold.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use rustix::thread::futex;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// The event.
#[derive(Default)]
pub struct Event(AtomicU32);

impl Event {
    /// An event that hasn't happened.
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Makes it happen.
    pub fn set(&self) {
        self.0.store(1, Ordering::Release);
        // Fails only for addresses that are not there.
        let _ = futex::wake(&self.0, futex::Flags::PRIVATE, u32::MAX >> 1);
    }

    /// Whether it has happened.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }

    /// Waits for it, but no longer than `limit`; whether it has happened.
    pub fn wait(&self, limit: Duration) -> bool {
        let start = now();
        while !self.is_set() {
            let Some(left) = limit.checked_sub(now().saturating_sub(start)) else {
                return false;
            };
            let timeout = timespec(left);
            let _ = futex::wait(&self.0, futex::Flags::PRIVATE, 0, Some(&timeout));
        }
        true
    }
}

/// The time since some moment; never goes back.
pub fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// Does nothing for a time.
pub fn sleep(time: Duration) {
    Event::new().wait(time);
}

/// A time as system calls take it.
pub(crate) fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiter_wakes() {
        let event = Event::new();
        assert!(!event.wait(Duration::from_millis(1)));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| event.wait(Duration::from_mins(1)));
            event.set();
            assert!(waiter.join().unwrap());
        });
        assert!(event.wait(Duration::ZERO));
    }
}
