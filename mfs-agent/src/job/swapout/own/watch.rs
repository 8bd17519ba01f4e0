//! Waiting for a program that may never end.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use imagezip_core::swapinfo::Phase;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, statat};
use rustix::io::{Errno, read};

use super::lines::Lines;
use crate::event::{now, sleep};
use crate::failure::{FailureKind, Os, Result};
use crate::file;
use crate::job::swapout::plan::Plan;
use crate::processes::{Exit, Process};
use crate::project::commit::Member;

/// How often it is looked at.
const TICK: Duration = Duration::from_millis(200);
/// How much of what it said last is taken, in reads.
const LAST_READS: u32 = 64;

/// How a running program is looked at.
pub(super) struct Watch<'a> {
    plan: &'a Plan<'a>,
    path: &'a str,
    limit: Duration,
    image: String,
    disk_statistics: String,
}

impl<'a> Watch<'a> {
    /// Of the program at `path`, which may stand still for `limit`.
    pub(super) fn new(plan: &'a Plan<'a>, path: &'a str, limit: Duration) -> Self {
        let image = plan.info.commit().temporary_name(Member::Image);
        let disk_statistics = format!("/sys/block/{}/stat", plan.disk.name);
        Self { plan, path, limit, image, disk_statistics }
    }

    /// Waits for the end of `process`, and logs what it writes to `output`. That it says something,
    /// that the image grows and that the disk is read are its signs of life.
    ///
    /// # Errors
    /// `NoProgress`: there was none for too long. `OwnEngineStart`: the process got lost.
    pub(super) fn until_end(&self, process: &mut dyn Process, output: &OwnedFd) -> Result<Exit> {
        let mut lines = Lines::new();
        let (mut last, mut since) = (self.signs(), now());
        let mut open = true;
        let exit = loop {
            let said = open && wait_for(output) && self.read(output, &mut lines, &mut open);
            if !open {
                sleep(TICK);
            }
            let signs = self.signs();
            if said || signs != last {
                (last, since) = (signs, now());
            }
            // The monitor of the whole run leaves this program to this place.
            self.plan.progress.beat();
            match process.poll() {
                Ok(Some(exit)) => break exit,
                Ok(None) => {}
                Err(errno) => {
                    return Err(FailureKind::OwnEngineStart.because(format_args!(
                        "{}: waiting for its end: {}",
                        self.path,
                        Os(errno)
                    )));
                }
            }
            if now().saturating_sub(since) > self.limit {
                return Err(FailureKind::NoProgress.because(format_args!(
                    "{} stood still for {} seconds in the phase {}: it said nothing, its image \
                     did not grow and it did not read the disk; without mfs.override=1 the \
                     built-in engine saves the disk",
                    self.path,
                    self.limit.as_secs(),
                    Phase::Save
                )));
            }
        };
        process.end_all();
        for _ in 0..LAST_READS {
            if !(open && self.read(output, &mut lines, &mut open)) {
                break;
            }
        }
        lines.finish(&mut say);
        Ok(exit)
    }

    /// What changes while the program works.
    fn signs(&self) -> (Option<i64>, Option<String>) {
        let image = statat(self.plan.info.directory(), &*self.image, AtFlags::SYMLINK_NOFOLLOW);
        let size = image.ok().map(|status| status.st_size);
        // The third number is that of sectors read (kernel, Documentation/block/stat.rst).
        let statistics = file::read_text(&*self.disk_statistics).ok();
        let read = statistics.and_then(|text| text.split_whitespace().nth(2).map(String::from));
        (size, read)
    }

    /// Logs what can be read now; whether there was anything. `open` tells whether there can be
    /// more.
    fn read(&self, output: &OwnedFd, lines: &mut Lines, open: &mut bool) -> bool {
        let mut buffer = [0_u8; 4096];
        match read(output, &mut buffer) {
            Ok(0) => {
                *open = false;
                false
            }
            Ok(count) => {
                lines.push(buffer.get(..count).unwrap_or_default(), &mut say);
                true
            }
            Err(Errno::AGAIN | Errno::INTR) => false,
            Err(errno) => {
                log::warn!("{}: reading what it says: {}", self.path, Os(errno));
                *open = false;
                false
            }
        }
    }
}

fn say(line: &str) {
    log::info!("imagezip: {line}");
}

/// Waits for something to read, for a short time; whether there is.
fn wait_for(output: &OwnedFd) -> bool {
    let timeout = Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() };
    let mut files = [PollFd::new(output, PollFlags::IN)];
    poll(&mut files, Some(&timeout)).is_ok_and(|count| count > 0)
}
