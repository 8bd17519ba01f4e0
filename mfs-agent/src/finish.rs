//! The end of the machine's run.

use core::time::Duration;

use rustix::system::{RebootCommand, reboot};

use crate::cmdline::Then;
use crate::event::sleep;
use crate::project::credentials;
use crate::report::console;

/// Ends the run of the machine at once, without waiting for any file system.
///
/// Works in every thread, also in those that use the file server as somebody else.
pub fn now(then: Then) -> ! {
    let (command, name) = match then {
        Then::Reboot => (Some(RebootCommand::Restart), "reboot"),
        Then::PowerOff => (Some(RebootCommand::PowerOff), "poweroff"),
        Then::Halt => (Some(RebootCommand::Halt), "halt"),
        Then::Stay => (None, "stay"),
    };
    console::line(format_args!("mfs-end: {name}"));
    if let Some(command) = command {
        let _ = credentials::become_root();
        let _ = reboot(command);
    }
    // Halt may return to the last thread; otherwise the kernel refused, and the watchdog is all
    // that is left.
    loop {
        sleep(Duration::from_hours(1));
    }
}
