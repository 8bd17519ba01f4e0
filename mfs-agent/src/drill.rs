//! Faults on purpose, for tests of what no input may bring about. Only in programs that are built
//! with the feature `drill`.

use core::time::Duration;

use crate::cmdline::Drill;
use crate::event::{Event, sleep};
use crate::progress::Progress;
use crate::threads::Threads;

/// Set when the monitor shall stop feeding the watchdog without disarming it, as if it were stuck.
pub static FROZEN: Event = Event::new();

/// Makes the fault that the command line asks for.
///
/// # Panics
/// For [`Drill::Panic`].
#[expect(clippy::panic, reason = "that is the drill")]
pub fn play(drill: Option<Drill>, threads: &dyn Threads, progress: &Progress) {
    match drill {
        None => {}
        // What one worker stumbles over, others may at the same time.
        Some(Drill::Panic) => threads.scope(4, &|_| panic!("drill")),
        Some(Drill::Hang) => loop {
            sleep(Duration::from_hours(1));
        },
        Some(Drill::Freeze) => {
            FROZEN.set();
            loop {
                sleep(Duration::from_secs(1));
                progress.beat();
            }
        }
    }
}
