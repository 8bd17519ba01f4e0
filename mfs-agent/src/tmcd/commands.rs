//! The commands of boss, with what they mean.

use alloc::format;

use super::accounts::Account;
use super::client::{Call, Client, Silence, Why};
use super::login::{Login, Users};
use super::mounts::Mounts;
use super::reply::{Answer, Room, Verdict};
use super::request::{Request, State};
use super::startup::StartupCommand;
use super::status::{Status, parse_node_id};
use super::transport::Fault;
use crate::failure::{Failure, FailureKind, Result};
use crate::file::Cut;
use crate::names::Name;

/// Boss, asked with a limit for each command.
#[derive(Clone, Copy)]
pub struct Boss<'a> {
    client: &'a Client,
    call: Call<'a>,
}

impl<'a> Boss<'a> {
    pub(super) fn new(client: &'a Client, call: Call<'a>) -> Self {
        Self { client, call }
    }

    /// `status`: who this node is.
    ///
    /// # Errors
    /// `Boss`
    pub fn status(&self) -> Result<Status> {
        self.ask(Request::Status, &mut Status::parse)
    }

    /// `nodeid`: the node's name on the hardware's label.
    ///
    /// # Errors
    /// `Boss`
    pub fn node_id(&self) -> Result<Name> {
        self.ask(Request::NodeId, &mut parse_node_id)
    }

    /// `mounts`: what to mount. Lines that make no sense are logged.
    ///
    /// # Errors
    /// `Boss`
    pub fn mounts(&self) -> Result<Mounts> {
        self.ask(Request::Mounts, &mut |reply| {
            Mounts::parse(reply, &mut |warning| log::warn!("boss: {warning}"))
        })
    }

    /// `creator`: who has made the experiment, and who has used it last.
    ///
    /// # Errors
    /// `Boss`
    pub fn creator(&self) -> Result<Users> {
        self.ask(Request::Creator, &mut Users::parse)
    }

    /// `accounts`: the numbers of `login`.
    ///
    /// # Errors
    /// `Boss`, also if there is no such account.
    pub fn account(&self, login: &Login) -> Result<Account> {
        let account = self.ask(Request::Accounts, &mut |reply| Account::find(reply, login))?;
        if account.left_out > 0 {
            let count = account.left_out;
            log::warn!("boss: {count} groups of {login} are left out: NFS carries 16");
        }
        Ok(account)
    }

    /// `startupcmd`: what to do, if there is something.
    ///
    /// # Errors
    /// `Boss`
    pub fn startup_command(&self) -> Result<Option<StartupCommand>> {
        self.ask(Request::StartupCommand, &mut StartupCommand::parse)
    }

    /// `state`: how far the node is.
    ///
    /// # Errors
    /// `Boss`
    pub fn state(&self, state: State) -> Result<()> {
        self.say(Request::State(state))
    }

    /// `startstatus`: how the command ended; 0 is success. The reporter does it at the end of the
    /// run.
    ///
    /// # Errors
    /// `Boss`
    pub fn start_status(&self, code: u8) -> Result<()> {
        self.say(Request::StartStatus(code))
    }

    /// `bootlog`: a message for the administrators.
    ///
    /// # Errors
    /// `Boss`
    pub fn boot_log(&self, message: &str) -> Result<()> {
        self.say(Request::BootLog(message))
    }

    /// `booterrno`: the number of an error.
    ///
    /// # Errors
    /// `Boss`
    pub fn boot_errno(&self, code: u8) -> Result<()> {
        self.say(Request::BootErrno(code))
    }

    /// Sends a request that has no reply. Allocates nothing and takes no lock.
    ///
    /// # Errors
    /// The last thing that went wrong.
    pub fn tell(&self, request: Request<'_>) -> core::result::Result<(), Fault> {
        self.tell_server(request).map_err(|silence| match silence.why {
            Why::Fault(fault) => fault,
            // Never: an answer is good or doubtful here.
            Why::Bad(_) => Fault::NotTried,
        })
    }

    fn tell_server(&self, request: Request<'_>) -> core::result::Result<(), Silence> {
        let mut room = [0_u8; 2048];
        self.client.ask(&request, &mut room, self.call, &mut |reply| {
            // Something other than tmcd might be talking, or a newer one.
            if reply.trim_ascii().is_empty() { Verdict::Good } else { Verdict::Doubtful }
        })?;
        if request == Request::State(State::IsUp) {
            self.client.note_up();
        }
        Ok(())
    }

    fn say(&self, request: Request<'_>) -> Result<()> {
        self.tell_server(request).map_err(|silence| self.failure(&request, silence))
    }

    fn ask<T>(&self, request: Request<'_>, parse: &mut dyn FnMut(&[u8]) -> Answer<T>) -> Result<T> {
        let mut room = Room::new(request.reply_limit()).ok_or_else(|| {
            FailureKind::Resource.because(format_args!("no memory for boss' answer to {request}"))
        })?;
        let mut value = None;
        let mut judge = |reply: &[u8]| match parse(reply) {
            Answer::Good(good) => {
                value = Some(good);
                Verdict::Good
            }
            Answer::Doubtful(doubtful) => {
                value = Some(doubtful);
                Verdict::Doubtful
            }
            // Passwords are never shown.
            Answer::Bad(why) if request == Request::Accounts => Verdict::Bad(why),
            Answer::Bad(why) => Verdict::Bad(format!("{why}: \"{}\"", sample(reply))),
        };
        let asked = self.client.ask(&request, room.bytes_mut(), self.call, &mut judge);
        asked.map_err(|silence| self.failure(&request, silence))?;
        value.ok_or_else(|| FailureKind::Boss.because(format_args!("boss: no answer to {request}")))
    }

    fn failure(&self, request: &Request<'_>, silence: Silence) -> Failure {
        let command = request.command();
        let server = silence.server;
        FailureKind::Boss.because(match silence.why {
            Why::Fault(fault) => {
                let seconds = self.call.limit.as_secs();
                format!(
                    "boss: no answer to {command} from {server}: {fault}; tried for up to {seconds} \
                     seconds; check that tmcd runs there, and mfs.boss= or DHCP's name server"
                )
            }
            Why::Bad(why) => {
                format!("boss: the answer to {command} from {server} can't be used: {why}")
            }
        })
    }
}

/// The start of a reply, to show it.
fn sample(reply: &[u8]) -> Cut<80> {
    let start = reply.get(..200).unwrap_or(reply);
    Cut::new(format_args!("{}", start.trim_ascii().escape_ascii()))
}
