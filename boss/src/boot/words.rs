//! The words on a node's kernel command line: who it is, and what it shall do.
//! `mfs-agent/src/cmdline.rs` says what they mean.

use std::fmt::{self, Write as _};

use super::Key;
use crate::names::{Eid, Pid, Vname};

/// How much all words can be: Linux on x86 takes 2047 bytes, and `BOOTIF=` and `initrd=` are added.
pub(super) const LONGEST: usize = 1900;
/// How many groups beside the first one NFS carries.
const MOST_GROUPS: usize = 15;

/// What the agent shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Save the disk.
    Swapout(Save),
    /// Load the disk with what was saved.
    Swapin,
    /// Load the disk with its base image alone.
    Load,
    /// Make an image of the disk, in the directory that [`Words::dir`] names.
    Capture,
    /// Show what the machine has.
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
    /// All that is in use.
    Full,
    /// Nothing but the numbers of a delta.
    Statistics,
    /// Nothing but the numbers of a full image.
    FullStatistics,
}

/// What the node does at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Starts again.
    Reboot,
    /// Turns itself off.
    PowerOff,
    /// Stops.
    Halt,
    /// Runs on.
    Stay,
}

/// A directory of a file server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its name or address.
    pub server: String,
    /// The directory there, from `/` on.
    pub path: String,
}

/// In whose name the node uses files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub uid: u32,
    /// The group of files that are made.
    pub gid: u32,
    /// Up to 15 more groups.
    pub groups: Vec<u32>,
}

/// Everything that a node is told. What is `None` or empty is not said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// `mfs.job=`, and `mfs.save=`; boss' startup command, if it isn't said.
    pub job: Option<Job>,
    /// `mfs.pid=`: the project.
    pub pid: Pid,
    /// `mfs.eid=`: the experiment.
    pub eid: Eid,
    /// `mfs.vname=`: the node's name in it.
    pub vname: Vname,
    /// `mfs.proj=`: what is mounted on `/proj`.
    pub proj: Option<Export>,
    /// `mfs.projgroups=`: what is mounted on `/groups`.
    pub projgroups: Option<Export>,
    /// `mfs.nfs=`: options of the mounts, a comma list.
    pub nfs: Option<String>,
    /// `mfs.uid=`, `mfs.gid=` and `mfs.groups=`.
    pub user: Option<User>,
    /// `mfs.boss=`: `<host>[:<port>]` of tmcd.
    pub boss: Option<String>,
    /// `mfs.key=`: what the node shows to tmcd.
    pub key: Option<Key>,
    /// `mfs.then=`.
    pub then: Option<Then>,
    /// `mfs.dir=`: where a capture's files go, from `/` on.
    pub dir: Option<String>,
    /// More words for this node, such as `mfs.level=2`. They come first; the last of equal words
    /// counts, so none of them can take the place of one above.
    pub more: Vec<String>,
}

/// A word that a command line can't carry, or that the agent would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word}: {value:?}: {why}")]
pub struct WordError {
    /// Which word.
    pub word: &'static str,
    /// Its value, or the beginning of it.
    pub value: String,
    /// Why not.
    pub why: &'static str,
}

pub(super) fn wrong(word: &'static str, value: &str, why: &'static str) -> WordError {
    WordError { word, value: value.chars().take(80).collect(), why }
}

impl Words {
    /// All of them in a line, with a space between each.
    ///
    /// # Errors
    /// The first one that doesn't follow its grammar.
    pub fn command_line(&self) -> Result<String, WordError> {
        for word in &self.more {
            check_extra(word)?;
        }
        let mut line = self.more.join(" ");
        let mut say = |word: &str, value: &dyn fmt::Display| {
            let space = if line.is_empty() { "" } else { " " };
            // Writing to a String cannot fail.
            let _ = write!(line, "{space}{word}={value}");
        };
        if let Some((job, save)) = self.job.map(Job::values) {
            say("mfs.job", &job);
            if let Some(save) = save {
                say("mfs.save", &save);
            }
        }
        say("mfs.pid", &self.pid);
        say("mfs.eid", &self.eid);
        say("mfs.vname", &self.vname);
        for (word, export) in [("mfs.proj", &self.proj), ("mfs.projgroups", &self.projgroups)] {
            if let Some(Export { server, path }) = export {
                check_host(word, server)?;
                check_path(word, path)?;
                say(word, &format_args!("{server}:{path}"));
            }
        }
        if let Some(options) = &self.nfs {
            if options.is_empty() || options.len() > 256 || !options.chars().all(is_plain) {
                return Err(wrong("mfs.nfs", options, "must be a comma list of mount options"));
            }
            say("mfs.nfs", options);
        }
        if let Some(user) = &self.user {
            say("mfs.uid", &id("mfs.uid", user.uid)?);
            say("mfs.gid", &id("mfs.gid", user.gid)?);
            if user.groups.len() > MOST_GROUPS {
                return Err(wrong("mfs.groups", "", "more than 15 groups"));
            }
            if !user.groups.is_empty() {
                let groups: Vec<_> = user.groups.iter().map(u32::to_string).collect();
                say("mfs.groups", &groups.join(","));
            }
        }
        if let Some(boss) = &self.boss {
            let (host, port) = boss.split_once(':').unwrap_or((boss, "1"));
            check_host("mfs.boss", host)?;
            if !port.parse().is_ok_and(|port: u16| port > 0) || port.starts_with('+') {
                return Err(wrong("mfs.boss", boss, "the port must be 1 to 65535"));
            }
            say("mfs.boss", boss);
        }
        if let Some(dir) = &self.dir {
            check_path("mfs.dir", dir)?;
            say("mfs.dir", dir);
        }
        if let Some(then) = self.then {
            say("mfs.then", &then.value());
        }
        if let Some(key) = &self.key {
            say("mfs.key", &key.reveal());
        }
        Ok(line)
    }
}

impl Job {
    const fn values(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Swapout(Save::Delta) => ("swapout", None),
            Self::Swapout(Save::Full) => ("swapout", Some("full")),
            Self::Swapout(Save::Statistics) => ("swapout", Some("statistics")),
            Self::Swapout(Save::FullStatistics) => ("swapout", Some("full-statistics")),
            Self::Swapin => ("swapin", None),
            Self::Load => ("load", None),
            Self::Capture => ("capture", None),
            Self::Selftest => ("selftest", None),
            Self::Idle => ("idle", None),
        }
    }
}

impl Then {
    const fn value(self) -> &'static str {
        match self {
            Self::Reboot => "reboot",
            Self::PowerOff => "poweroff",
            Self::Halt => "halt",
            Self::Stay => "stay",
        }
    }
}

/// What neither iPXE nor the kernel takes for anything else: no space, quote, `$`, `\`, `#` or line.
pub(super) const fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '-' | '_' | '.' | ':' | ',' | '/' | '=' | '@' | '+' | '%')
}

/// Whether a text is a host's name or address: labels of letters, digits, `-` and `_`.
pub(super) fn is_host(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && !label.starts_with('-') && label.chars().all(allowed)
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// One more word, which must be one, of the kernel's or the agent's.
pub(super) fn check_extra(word: &str) -> Result<(), WordError> {
    let (key, value) = word.split_once('=').unwrap_or((word, ""));
    let wrong = |why| wrong("another word", word, why);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    // One that begins with a dash is an option of iPXE's.
    if !key.starts_with(|c: char| c.is_ascii_alphabetic()) || !key.chars().all(plain) {
        return Err(wrong("the key must be a letter and letters, digits, _, - and ."));
    }
    if !value.chars().all(is_plain) {
        return Err(wrong("the value has a character that a script can't carry"));
    }
    // These would be another program, and another file for it.
    if matches!(key, "init" | "rdinit" | "initrd" | "BOOTIF") {
        return Err(wrong("this word is not for the site to say"));
    }
    Ok(())
}

/// A number that setresuid(2) doesn't take for "as it is".
fn id(word: &'static str, number: u32) -> Result<u32, WordError> {
    match number {
        u32::MAX => Err(wrong(word, "4294967295", "it is nobody's number")),
        _ => Ok(number),
    }
}

fn check_host(word: &'static str, host: &str) -> Result<(), WordError> {
    if is_host(host) {
        Ok(())
    } else {
        Err(wrong(word, host, "the host must be a name or address"))
    }
}

fn check_path(word: &'static str, path: &str) -> Result<(), WordError> {
    let good = path.starts_with('/') && path.len() <= 256 && path.chars().all(is_plain);
    if !good || path.split('/').any(|part| part == "..") {
        let why =
            "the path must begin with /, be at most 256 bytes, and have no special characters";
        return Err(wrong(word, path, why));
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
