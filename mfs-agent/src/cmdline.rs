//! The kernel command line: who this node is, and what it shall do.
//!
//! | Word | Meaning |
//! |---|---|
//! | `mfs.job=swapout` or `idle` | what to do; `idle` boots, does what network and mount are given for, and waits |
//! | `mfs.pid=` `mfs.eid=` `mfs.vname=` | project, experiment and the node's name in it |
//! | `mfs.proj=<server>:<export>` | what is mounted on `/proj`: the directory with the projects in it, so that `/proj/<pid>/exp/<eid>/swapinfo` exists; the server by its IPv4 address |
//! | `mfs.nfs=<options>` | more options of the NFS mount, such as `port=2049,mountport=2049` |
//! | `mfs.uid=` `mfs.gid=` `mfs.groups=` | as whom to use `/proj`; `mfs.groups=` is a comma list, the experiment's group is best first |
//! | `mfs.then=reboot`, `poweroff` or `halt` | what to do at the end, whatever it is; else reboot |
//! | `mfs.progress=<seconds>` | after so long without any progress the run is given up; else 180 |
//! | `mfs.mntwait=<seconds>` | how long to try to mount `/proj`; else 120 |
//! | `ip=` | the address, as the kernel's own parameter ([`ip`]) |
//! | `BOOTIF=01-<mac>` | the interface that the node was booted from, as PXE loaders pass it |
//!
//! The last of several equal words counts. Other words are the kernel's and other programs'.

pub mod ip;
mod words;

use core::fmt;
use core::time::Duration;

use crate::failure::{FailureKind, Os, Result};
use crate::names::Name;
use ip::{Address, Mac};

/// The longest command line that Linux hands to x86 programs, and some.
pub const LONGEST: usize = 4096;

/// What the agent shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Save the disk.
    Swapout,
    /// Wait.
    Idle,
}

/// What to do with the machine at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Then {
    /// Start again.
    #[default]
    Reboot,
    /// Turn it off.
    PowerOff,
    /// Stop it.
    Halt,
}

/// Which node of which experiment this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Project.
    pub pid: Name,
    /// Experiment.
    pub eid: Name,
    /// The node's name in the experiment.
    pub vname: Name,
}

/// What to mount on `/proj`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The server.
    pub server: core::net::Ipv4Addr,
    /// The directory there.
    pub path: heapless::String<256>,
    /// More mount options, a comma list.
    pub options: heapless::String<256>,
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.server, self.path)
    }
}

/// As whom to use the files on `/proj`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub uid: u32,
    /// The group of files that are made.
    pub gid: u32,
    /// More groups; NFS carries 16 of all.
    pub groups: heapless::Vec<u32, 15>,
}

/// The words of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// `mfs.job=`.
    pub job: Job,
    /// `mfs.pid=`, `mfs.eid=` and `mfs.vname=`; always there for [`Job::Swapout`].
    pub node: Option<Node>,
    /// `mfs.proj=` and `mfs.nfs=`; always there for [`Job::Swapout`].
    pub export: Option<Export>,
    /// `mfs.uid=`, `mfs.gid=` and `mfs.groups=`; without them the files are root's.
    pub credentials: Option<Credentials>,
    /// `mfs.progress=`.
    pub progress_limit: Duration,
    /// `mfs.mntwait=`.
    pub mount_limit: Duration,
    /// `ip=`; always there for [`Job::Swapout`].
    pub address: Option<Address>,
    /// `BOOTIF=`.
    pub boot_interface: Option<Mac>,
    /// `mfs.drill=`, of programs that are built with the feature of that name.
    pub drill: Option<Drill>,
}

/// A fault to make on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drill {
    /// Panic.
    Panic,
    /// Stand still.
    Hang,
    /// Stand still in a thread that feeds the watchdog.
    Freeze,
}

/// The running kernel's command line. Needs `/proc`.
///
/// # Errors
/// `CommandLine`: it can't be read, is too long, or is not UTF-8.
pub fn of_kernel() -> Result<heapless::String<LONGEST>> {
    let fail = |why: &dyn fmt::Display| {
        FailureKind::CommandLine.because(format_args!("/proc/cmdline: {why}"))
    };
    let text = crate::file::read_text(c"/proc/cmdline").map_err(|errno| fail(&Os(errno)))?;
    heapless::String::try_from(text.as_str()).map_err(|_| fail(&"too long"))
}

impl CommandLine {
    /// Reads a command line. What is odd but harmless is told to `warn`.
    ///
    /// # Errors
    /// `CommandLine`: which word is missing or wrong, and why.
    pub fn parse(text: &str, warn: &mut dyn FnMut(fmt::Arguments<'_>)) -> Result<Self> {
        let line = words::Words::collect(text, warn).command_line()?;
        if line.job == Job::Swapout {
            let missing =
                |word| FailureKind::CommandLine.because(format_args!("{word} is missing"));
            if line.node.is_none() {
                return Err(missing("mfs.pid="));
            }
            if line.export.is_none() {
                return Err(missing("mfs.proj="));
            }
            if line.address.is_none() {
                return Err(missing("ip= (there is no DHCP client)"));
            }
        }
        Ok(line)
    }
}

impl Then {
    /// What the last good `mfs.then=` says, also on a command line that is otherwise wrong.
    pub fn find(text: &str) -> Self {
        let values =
            text.split_ascii_whitespace().filter_map(|word| word.strip_prefix("mfs.then="));
        values.filter_map(Self::from_name).next_back().unwrap_or_default()
    }

    fn from_name(name: &str) -> Option<Self> {
        match name {
            "reboot" => Some(Self::Reboot),
            "poweroff" => Some(Self::PowerOff),
            "halt" => Some(Self::Halt),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
