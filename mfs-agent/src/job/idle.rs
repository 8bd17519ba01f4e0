//! Doing nothing, for people who look at a node.

use core::time::Duration;

use imagezip_core::swapinfo::Phase;

use crate::event::sleep;
use crate::progress::Progress;

/// Waits until somebody turns the machine off.
pub fn run(progress: &Progress) -> ! {
    log::info!("idle until the machine is turned off");
    progress.enter(Phase::Idle);
    loop {
        sleep(Duration::from_hours(1));
    }
}
