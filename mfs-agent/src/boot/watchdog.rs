//! The watchdog: hardware that resets the machine when it isn't fed in time.

use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix_futex_sync::Mutex;

use crate::failure::Os;
use crate::file::write_all;

/// An armed watchdog.
pub struct Watchdog(Mutex<Option<OwnedFd>>);

impl Watchdog {
    /// Arms the watchdog, if the machine has one: opening the device does it.
    pub fn arm() -> Option<Self> {
        let path = c"/dev/watchdog";
        match openat(CWD, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(device) => {
                let sys = "/sys/class/watchdog/watchdog0";
                let text = |name| {
                    crate::file::read_text(alloc::format!("{sys}/{name}")).unwrap_or_default()
                };
                log::info!("watchdog armed: {}, {} s", text("identity"), text("timeout"));
                Some(Self(Mutex::new(Some(device))))
            }
            Err(Errno::NOENT | Errno::NODEV) => {
                log::warn!("no watchdog: a kernel that hangs will not be noticed");
                None
            }
            Err(errno) => {
                log::warn!("cannot open the watchdog: {}", Os(errno));
                None
            }
        }
    }

    /// Puts off the reset. Only the monitor's thread calls this and [`Watchdog::disarm`].
    pub fn feed(&self) {
        if let Some(device) = &*self.0.lock() {
            let _ = write_all(device, b"\0");
        }
    }

    /// Ends the watch: a `V` before the close tells the driver that the close is meant.
    pub fn disarm(&self) {
        if let Some(device) = self.0.lock().take() {
            let _ = write_all(&device, b"V");
        }
    }
}
