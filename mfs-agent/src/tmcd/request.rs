//! Requests, byte for byte as they are sent.

use core::fmt::{self, Write};

use heapless::String;

use super::key::Key;
use crate::report::console::Printable;

/// The version of the protocol that is asked for: every boss since 2005 knows it, and its replies
/// are the simplest.
pub const VERSION: u16 = 25;

/// The longest request, in bytes. It travels in one segment of any network, since the server
/// reads once.
const LONGEST: usize = 1024;

/// What a node can be in boss' eyes, as far as the agent says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The memory file system has started; at the latest 180 seconds after the boot.
    MfsSetup,
    /// The node is ready, and will ask for its command.
    IsUp,
    /// The node could not get ready.
    TbFailed,
    /// The node goes down.
    Shutdown,
}

impl State {
    /// The name in the protocol.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MfsSetup => "MFSSETUP",
            Self::IsUp => "ISUP",
            Self::TbFailed => "TBFAILED",
            Self::Shutdown => "SHUTDOWN",
        }
    }
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Which experiment this node belongs to, and its name there.
    Status,
    /// The node's name on the hardware's label.
    NodeId,
    /// What to mount.
    Mounts,
    /// Who made the experiment, and who used it last.
    Creator,
    /// Users and groups, with password hashes.
    Accounts,
    /// The command to run.
    StartupCommand,
    /// The node's state.
    State(State),
    /// How the command ended; 0 is success.
    StartStatus(u8),
    /// A message for the administrators. What is not printable ASCII is shown as `?`, what is
    /// too long is cut off.
    BootLog(&'a str),
    /// The number of the error that the boot failed with.
    BootErrno(u8),
}

impl Request<'_> {
    /// The name of the command.
    pub const fn command(&self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::NodeId => "nodeid",
            Self::Mounts => "mounts",
            Self::Creator => "creator",
            Self::Accounts => "accounts",
            Self::StartupCommand => "startupcmd",
            Self::State(_) => "state",
            Self::StartStatus(_) => "startstatus",
            Self::BootLog(_) => "bootlog",
            Self::BootErrno(_) => "booterrno",
        }
    }

    /// Whether there is an answer; the others only report something.
    pub(super) const fn is_question(&self) -> bool {
        !matches!(
            self,
            Self::State(_) | Self::StartStatus(_) | Self::BootLog(_) | Self::BootErrno(_)
        )
    }

    /// The most bytes of a reply. Those of some commands grow with the users of a project.
    pub(super) const fn reply_limit(&self) -> usize {
        match self {
            Self::Accounts => 4 << 20,
            Self::Mounts => 1 << 20,
            _ => 32 << 10,
        }
    }

    /// The bytes on the wire. Only a boss that hands out keys gets one.
    pub(super) fn encode(&self, version: u16, key: Option<&Key>) -> String<LONGEST> {
        let mut text = String::new();
        // The longest of all but `bootlog` has 40 bytes, 111 with a key; that one is cut.
        if let Some(key) = key {
            let _ = write!(text, "IDKEY={} ", key.secret());
        }
        let _ = write!(text, "VERSION={version} {} ", self.command());
        let _ = match self {
            Self::State(state) => write!(text, "{} ", state.name()),
            Self::StartStatus(code) | Self::BootErrno(code) => write!(text, "{code} "),
            Self::BootLog(message) => write_message(&mut text, message),
            _ => Ok(()),
        };
        text
    }
}

/// Appends as much of the message as leaves room for the blank at the end.
fn write_message(text: &mut String<LONGEST>, message: &str) -> fmt::Result {
    for character in message.chars() {
        if text.len() >= LONGEST.saturating_sub(1) {
            break;
        }
        let printable = matches!(character, ' '..='~');
        text.push(if printable { character } else { '?' }).map_err(|_| fmt::Error)?;
    }
    text.push(' ').map_err(|_| fmt::Error)
}

impl fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(state) => write!(f, "state {}", state.name()),
            Self::StartStatus(code) => write!(f, "startstatus {code}"),
            Self::BootErrno(code) => write!(f, "booterrno {code}"),
            Self::BootLog(message) => write!(f, "bootlog {}", Printable(message)),
            _ => f.write_str(self.command()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_on_the_wire() {
        for (request, bytes) in [
            (Request::Status, "VERSION=25 status "),
            (Request::NodeId, "VERSION=25 nodeid "),
            (Request::Mounts, "VERSION=25 mounts "),
            (Request::Creator, "VERSION=25 creator "),
            (Request::Accounts, "VERSION=25 accounts "),
            (Request::StartupCommand, "VERSION=25 startupcmd "),
            (Request::State(State::MfsSetup), "VERSION=25 state MFSSETUP "),
            (Request::State(State::IsUp), "VERSION=25 state ISUP "),
            (Request::State(State::TbFailed), "VERSION=25 state TBFAILED "),
            (Request::State(State::Shutdown), "VERSION=25 state SHUTDOWN "),
            (Request::StartStatus(0), "VERSION=25 startstatus 0 "),
            (Request::StartStatus(255), "VERSION=25 startstatus 255 "),
            (Request::BootErrno(26), "VERSION=25 booterrno 26 "),
            (Request::BootLog("no disk\nsda ü"), "VERSION=25 bootlog no disk?sda ? "),
        ] {
            assert_eq!(request.encode(VERSION, None), bytes);
            let key = Key::new("abc-123_").unwrap();
            let expected = std::format!("IDKEY=abc-123_ {bytes}");
            assert_eq!(request.encode(VERSION, Some(&key)), expected.as_str());
        }
        assert_eq!(Request::Mounts.encode(40, None), "VERSION=40 mounts ");
        let key = Key::new(&"k".repeat(64)).unwrap();
        let expected = std::format!("IDKEY={} VERSION=25 state TBFAILED ", "k".repeat(64));
        assert_eq!(Request::State(State::TbFailed).encode(VERSION, Some(&key)), expected.as_str());
    }

    proptest! {
        #[test]
        fn any_message_is_one_short_line(
            message in "\\PC{0,1500}|[\\x00-\\x7f]{0,1500}",
            key in prop::option::of("[A-Za-z0-9_-]{8,64}"),
        ) {
            let key = key.map(|key| Key::new(&key).unwrap());
            let bytes = Request::BootLog(&message).encode(VERSION, key.as_ref());
            prop_assert!(bytes.len() <= LONGEST);
            let before = match &key {
                Some(key) => std::format!("IDKEY={} VERSION=25 bootlog ", key.secret()),
                None => "VERSION=25 bootlog ".into(),
            };
            prop_assert!(bytes.starts_with(&before));
            prop_assert!(bytes.ends_with(' '));
            prop_assert!(bytes.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let sent = message.chars().count().min(LONGEST - before.len() - 1);
            prop_assert_eq!(bytes.len(), before.len() + 1 + sent);
        }
    }
}
