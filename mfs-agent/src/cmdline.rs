//! The kernel command line: who this node is, and what it shall do.
//!
//! What no word says is asked of boss (see [`crate::tmcd`]); with `mfs.job=` and the words that the
//! job needs, boss isn't asked unless `mfs.boss=` names it. Where it is, it must not say that this
//! is another node than the words do.
//!
//! | Word | Meaning |
//! |---|---|
//! | `mfs.job=swapout`, `swapin`, `capture`, `load`, `selftest` or `idle` | what to do; else boss's startup command says it. `capture` is a swapout of all that is in use to the directory of `mfs.dir=`; `load` is a swapin of the base image alone, whatever was saved; `idle` boots, does what network and mount are given for, and waits |
//! | `mfs.save=delta`, `full`, `statistics` or `full-statistics` | what a swapout writes: what differs from the base, all that is in use, or nothing but the numbers of one of these; else `delta`. A capture is `full` |
//! | `mfs.dir=<path>` | the directory in `/proj` or `/groups` that a capture puts its files into, where `<vname>.part` is, too; only for a capture, which needs it |
//! | `mfs.level=<0 to 9>` | how hard to compress: 0 not at all, 1 to 3 as fast as a network of 10 Gb/s, 7 to 9 small and slow; else 4, smaller than zlib's level 4 |
//! | `mfs.load=sampled`, `converge` or `full` | how a swapin or a load goes: after comparing the disk with the images, so that only what differs is read and written; without that, all of it; or, and else, what pays by samples of the disk |
//! | `mfs.free=keep`, `discard` or `zero` | what they do with the space that is free on the disk it loads; else `keep`. After the other two it reads as zeros: a disk that comes from another project must not show what that left |
//! | `mfs.parttype=<number>` | the type that the partition which they load gets in the partition table, as a byte of an MBR, or with two more digits as sgdisk has them; such as 0x83 |
//! | `mfs.pid=` `mfs.eid=` `mfs.vname=` | project, experiment and the node's name in it |
//! | `mfs.proj=<server>:<export>` | what is mounted on `/proj`: the directory with the projects in it, so that `/proj/<pid>/exp/<eid>/swapinfo` exists |
//! | `mfs.projgroups=<server>:<export>` | what is mounted on `/groups`, where the experiments of subgroups are |
//! | `mfs.nfs=<options>` | more options of the NFS mounts, such as `vers=4.2` or `port=2049,mountport=2049`; without `vers=` it is version 3, or 4.2, 4.1 or 4.0 if the server doesn't speak that |
//! | `mfs.uid=` `mfs.gid=` `mfs.groups=` | as whom to use `/proj`; `mfs.groups=` is a comma list, the experiment's group is best first |
//! | `mfs.boss=<host>[:<port>]` | where boss answers; else at the name server or the DHCP server |
//! | `mfs.key=<key>` | the key by which boss knows this run, 8 to 64 letters, digits, `-` and `_`; it is sent before each request to boss, and the agent shows it to nobody (the kernel does, on the console without `quiet`) |
//! | `mfs.serial=` `mfs.wwn=` `mfs.diskguid=` | which disk is meant, instead of what `.part` says of it; `%`-encoded as there |
//! | `mfs.override=1` | the site allows a project's own `/proj/<pid>/bin/imagezip` to make the image |
//! | `mfs.then=reboot`, `poweroff`, `halt` or `stay` | what to do at the end, whatever it is; else reboot, or stay if the job came from boss or is `selftest` |
//! | `mfs.progress=<seconds>` | after so long without any progress the run is given up; else 180 |
//! | `mfs.mntwait=<seconds>` | how long to try to mount `/proj`; else 120 |
//! | `mfs.retry=<seconds>` | how long a file server that says "permission denied" or "stale file handle" isn't believed: it says so for a moment whenever its exports change; else 60 |
//! | `mfs.netwait=<seconds>` | how long to wait for an interface, its carrier and an address; else 120 |
//! | `mfs.vlan=<id>` | the VLAN of the control network, 1 to 4094, if the port is tagged |
//! | `mfs.mtu=<bytes>` | the MTU, 576 to 9216 |
//! | `ip=` | the address, as the kernel's own parameter ([`ip`]); else DHCP |
//! | `BOOTIF=01-<mac>` | the interface that the node was booted from, as PXE loaders pass it |
//!
//! The last of several equal words counts. Other words are the kernel's and other programs'.

pub mod directory;
pub mod ip;
mod words;

use core::fmt;
use core::num::NonZeroU16;
use core::time::Duration;

use imagezip_core::codec::Level;
use imagezip_core::pipeline::Manner;

use crate::disk::Hints;
use crate::failure::{FailureKind, Os, Result};
use crate::names::Name;
use crate::tmcd::Key;
use directory::ServerDirectory;
use ip::{Addressing, Mac};

/// The longest command line that Linux hands to x86 programs, and some.
pub const LONGEST: usize = 4096;

/// A host's name or IPv4 address, with or without a dot at its end.
pub type Host = heapless::String<254>;

/// What the agent shall do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Save the disk.
    Swapout(Save),
    /// Load the disk with what was saved.
    Swapin(Load),
    /// Save all that is in use on the disk, to this directory.
    Capture(ServerDirectory),
    /// Load the disk with the base image alone.
    Load(Load),
    /// Show what this machine has, and whether it can be used.
    Selftest,
    /// Wait.
    Idle,
}

/// What a swapout writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Save {
    /// What differs from the base image.
    #[default]
    Delta,
    /// All that is in use; no signature of a base is needed.
    Full,
    /// Nothing: it is only counted what a delta would hold.
    Statistics,
    /// Nothing: it is only counted what a full image would hold.
    FullStatistics,
}

/// How the disk is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Whether the disk is compared first.
    pub manner: Manner,
    /// What becomes of free space.
    pub free: FreeSpace,
    /// The type that the partition gets.
    pub partition_type: Option<u32>,
}

/// What becomes of the space that is free on a disk that is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FreeSpace {
    /// It stays as it is.
    #[default]
    Keep,
    /// The disk may drop it; it reads as zeros.
    Discard,
    /// It becomes zeros.
    Zero,
}

impl Job {
    /// Whether it saves or loads the disk, for which it has to be known what node this is.
    pub const fn is_about_the_disk(&self) -> bool {
        match self {
            Self::Swapout(_) | Self::Swapin(_) | Self::Capture(_) | Self::Load(_) => true,
            Self::Selftest | Self::Idle => false,
        }
    }
}

impl Save {
    /// What the options of `create-swapimage` ask for: `-f` for `full`, `-s` for `statistics`.
    pub const fn new(full: bool, statistics: bool) -> Self {
        match (full, statistics) {
            (false, false) => Self::Delta,
            (true, false) => Self::Full,
            (false, true) => Self::Statistics,
            (true, true) => Self::FullStatistics,
        }
    }

    /// Whether it is about all that is in use, whatever the base is.
    pub const fn is_full(self) -> bool {
        matches!(self, Self::Full | Self::FullStatistics)
    }

    /// Whether no image is written.
    pub const fn is_statistics(self) -> bool {
        matches!(self, Self::Statistics | Self::FullStatistics)
    }
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
    /// Go on running and wait for who turns it off or resets it.
    Stay,
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

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}/{}", self.vname, self.pid, self.eid)
    }
}

/// A directory of a file server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The server.
    pub server: Host,
    /// The directory there.
    pub path: heapless::String<256>,
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.server, self.path)
    }
}

/// Where boss answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BossAddress {
    /// Its name or address.
    pub host: Host,
    /// Its port, if it isn't one of the usual ones.
    pub port: Option<NonZeroU16>,
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

/// What the command line says of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkWords {
    /// `ip=`; without it the address comes by DHCP.
    pub addressing: Option<Addressing>,
    /// `BOOTIF=`.
    pub boot_interface: Option<Mac>,
    /// `mfs.vlan=`, 1 to 4094.
    pub vlan: Option<u16>,
    /// `mfs.mtu=`, in bytes.
    pub mtu: Option<u32>,
    /// `mfs.netwait=`.
    pub limit: Duration,
}

/// The words of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// `mfs.job=`, and `mfs.save=`, `mfs.dir=` or `mfs.load=`, `mfs.free=` and `mfs.parttype=`; without them boss says what to do.
    pub job: Option<Job>,
    /// `mfs.pid=`, `mfs.eid=` and `mfs.vname=`.
    pub node: Option<Node>,
    /// `mfs.proj=`.
    pub project: Option<Export>,
    /// `mfs.projgroups=`.
    pub groups: Option<Export>,
    /// `mfs.nfs=`, a comma list.
    pub nfs_options: heapless::String<256>,
    /// `mfs.uid=`, `mfs.gid=` and `mfs.groups=`; without them the files are root's.
    pub credentials: Option<Credentials>,
    /// `mfs.boss=`.
    pub boss: Option<BossAddress>,
    /// `mfs.key=`.
    pub key: Option<Key>,
    /// `mfs.serial=`, `mfs.wwn=` and `mfs.diskguid=`.
    pub disk: Hints,
    /// `mfs.override=1`.
    pub own_engine: bool,
    /// `mfs.then=`.
    pub then: Option<Then>,
    /// `mfs.progress=`.
    pub progress_limit: Duration,
    /// `mfs.mntwait=`.
    pub mount_limit: Duration,
    /// `mfs.retry=`.
    pub retry_limit: Duration,
    /// `mfs.level=`.
    pub level: Level,
    /// `ip=`, `BOOTIF=` and what else is about the network.
    pub network: NetworkWords,
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
        words::Words::collect(text, warn).command_line()
    }
}

impl Then {
    /// What the last good `mfs.then=` says, also on a command line that is otherwise wrong.
    pub fn find(text: &str) -> Option<Self> {
        let values =
            text.split_ascii_whitespace().filter_map(|word| word.strip_prefix("mfs.then="));
        values.filter_map(Self::from_name).next_back()
    }

    fn from_name(name: &str) -> Option<Self> {
        match name {
            "reboot" => Some(Self::Reboot),
            "poweroff" => Some(Self::PowerOff),
            "halt" => Some(Self::Halt),
            "stay" => Some(Self::Stay),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
