//! Tells boss how the run ended: a thread that waits for the end, whoever brings it about.
//!
//! Boss takes a node for busy until it has a `startstatus`, so there is always one; and it is 0
//! only after a success, since 0 makes boss give the node away. After a failure come before it
//! `bootlog`, `booterrno` and, if the node never was up, `state TBFAILED`.
//!
//! A thread that panics may hold any lock, so this one takes none and allocates nothing once the
//! run has ended.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use super::client::Client;
use super::request::{Request, State};
use super::transport::{Deadline, Fault};
use crate::failure::{FailureKind, Os, Result};
use crate::progress::Progress;
use crate::report::console;
use crate::report::ending::{self, ENDED, Ending};
use crate::threads::Threads;

/// How long all of it may take; less than the rest of the agent waits for it at a good end.
const WHOLE: Duration = Duration::from_secs(25);
/// How long each message for people may take, and `state TBFAILED`. What is left is for
/// `startstatus`, which comes in time even if the monitor ends the run in ten seconds.
const MESSAGE: Duration = Duration::from_secs(2);
const STATE: Duration = Duration::from_secs(4);

/// Starts the thread.
///
/// # Errors
/// `Resource`
pub fn start(
    threads: &dyn Threads,
    client: Arc<Client>,
    progress: &'static Progress,
) -> Result<()> {
    ending::BOSS.expect();
    let started = threads.start(Box::new(move || {
        while !ENDED.wait(Duration::from_hours(24)) {}
        if let Some(ending) = ending::get() {
            report(&client, ending, WHOLE, &|| progress.beat());
        }
        ending::BOSS.done();
    }));
    started.map(drop).map_err(|errno| {
        ending::BOSS.done();
        FailureKind::Resource.because(format_args!("cannot start a thread: {}", Os(errno)))
    })
}

/// Tells boss how the run ended, within `limit`. The client is closed for everybody else.
pub fn report(client: &Client, ending: &Ending, limit: Duration, beat: &dyn Fn()) {
    let end = Deadline::after(limit);
    let tell = |request: Request<'_>, limit: Duration| {
        let left = end.left().unwrap_or_default().min(limit);
        note(&request, client.close(left, beat).tell(request))
    };
    if ending.code != 0 {
        // Where one message for people is not taken, the next one only costs time.
        let _ = tell(Request::BootLog(ending.text.as_str()), MESSAGE)
            && tell(Request::BootErrno(ending.code), MESSAGE);
        if !client.is_up() {
            let _ = tell(Request::State(State::TbFailed), STATE);
        }
    }
    let _ = tell(Request::StartStatus(ending.code), limit);
}

/// Says on the console what was not taken; whether it was.
fn note(request: &Request<'_>, result: core::result::Result<(), Fault>) -> bool {
    match result {
        Ok(()) => true,
        Err(fault) => {
            let command = request.command();
            let error = log::Level::Error;
            console::write(error, format_args!("boss has not taken {command}: {fault}"));
            false
        }
    }
}
