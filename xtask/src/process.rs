//! Long-running children that never outlive this process.

use crate::command;
use anyhow::{Context, Result, anyhow};
use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// Begins a command for [`Tied::start`]: `setpriv` asks the kernel to kill the program when its
/// parent dies, then becomes that program, so the process id is the program's own.
pub fn tied_command(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

/// A running child, killed and reaped on drop, and by the kernel if this process is killed.
#[derive(Debug)]
pub struct Tied {
    child: Child,
}

impl Tied {
    /// Starts a command made by [`tied_command`].
    pub fn start(command: Command) -> Result<Self> {
        let line = command::line(&command);
        let (reply, answer) = channel();
        starter()?
            .send(Request { command, reply })
            .map_err(|_| anyhow!("the thread that starts children is gone"))?;
        let child = answer.recv()?.with_context(|| format!("cannot run `{line}`"))?;
        Ok(Self { child })
    }

    /// The child, for its pipes and its id.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How the child ended, or `None` while it runs.
    pub fn status(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Kills the child at once and waits for it.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.child.kill()?;
        Ok(self.child.wait()?)
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        // A child that is already gone is what is wanted.
        let _ = self.kill();
    }
}

struct Request {
    command: Command,
    reply: Sender<std::io::Result<Child>>,
}

/// The one thread that starts all tied children. Linux sends the death signal when the *thread*
/// that started a child ends, so it must live as long as the process.
fn starter() -> Result<&'static Sender<Request>> {
    static STARTER: OnceLock<std::result::Result<Sender<Request>, String>> = OnceLock::new();
    STARTER
        .get_or_init(|| {
            let (sender, requests) = channel::<Request>();
            thread::Builder::new()
                .name("children".into())
                .spawn(move || {
                    for mut request in requests {
                        // The asker may have given up; the child is then dropped, not killed,
                        // but nothing gives up between asking and `recv`.
                        let _ = request.reply.send(request.command.spawn());
                    }
                })
                .map(|_| sender)
                .map_err(|error| error.to_string())
        })
        .as_ref()
        .map_err(|error| anyhow!("cannot start a thread: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::path::PathBuf;
    use std::process::Stdio;

    #[test]
    fn a_dropped_child_is_gone() {
        let mut command = tied_command("sleep");
        command.arg("1000");
        let tied = Tied::start(command).unwrap();
        let entry = PathBuf::from(format!("/proc/{}", tied.id()));
        assert!(entry.exists());
        drop(tied);
        assert!(!entry.exists());
    }

    #[test]
    fn a_child_survives_the_thread_that_asked_for_it() {
        let mut command = tied_command("cat");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut tied = thread::spawn(|| Tied::start(command).unwrap()).join().unwrap();
        // End of input ends `cat` well: it was not killed with the thread.
        drop(tied.child().stdin.take());
        let mut output = String::new();
        tied.child().stdout.take().unwrap().read_to_string(&mut output).unwrap();
        assert!(tied.child().wait().unwrap().success());
    }

    #[test]
    fn a_missing_program_is_an_error() {
        let mut tied = Tied::start(tied_command("/nonexistent/program")).unwrap();
        assert!(!tied.child().wait().unwrap().success());
    }
}
