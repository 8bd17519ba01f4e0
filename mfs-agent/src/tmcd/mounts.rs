//! What to mount: the replies to `mounts`, of both generations.
//!
//! Up to version 31 there are only lines `REMOTE=<host>:<path> LOCAL=<path>`; from 32 on, a line
//! `FSTYPE=<type>[ TRANSPORT=<transport>]` is before them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::reply::Answer;
use super::words::{lines, printable, value};
use crate::cmdline::{Host, Node};
use crate::failure::{FailureKind, Result};
use crate::names::{Name, NameKind};
use crate::net::name::is_host;

/// The most mounts that are kept. The project's and the group's come first, before the homes of
/// its users.
const MOST: usize = 256;

/// How boss' file server is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileSystem {
    /// Over NFS; also what boss means that doesn't say.
    #[default]
    Nfs,
    /// Over NFS, from a server that refuses everything for a moment whenever its exports change.
    NfsRacy,
    /// There is no file server.
    Local,
    /// Over the self-certifying file system, which nobody has any more.
    Sfs,
}

/// What NFS travels on, as boss wishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP
    Tcp,
    /// UDP
    Udp,
    /// What the client's system takes by itself.
    OsDefault,
}

/// A directory of a server, and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The server: a DNS name, perhaps without a domain, or a dotted IPv4 address.
    pub host: Host,
    /// The directory there; absolute, without `.` and `..`.
    pub remote: heapless::String<255>,
    /// Where it is mounted; absolute, without `.` and `..`.
    pub local: heapless::String<255>,
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} on {}", self.host, self.remote, self.local)
    }
}

/// A reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounts {
    /// How.
    pub file_system: FileSystem,
    /// On what, if boss says it.
    pub transport: Option<Transport>,
    /// What; no line twice.
    pub list: Vec<Mount>,
}

/// The mounts that saving needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// `/proj/<pid>`
    pub project: Mount,
    /// `/groups/<pid>/<gid>`, of an experiment that belongs to a group of the project, and that
    /// group. `/proj/<pid>/exp/<eid>` is then a link to there.
    pub group: Option<(Name, Mount)>,
}

impl Mounts {
    /// Reads a reply. Lines that make no sense are told to `warn` and left out.
    pub fn parse(reply: &[u8], warn: &mut dyn FnMut(fmt::Arguments<'_>)) -> Answer<Self> {
        match Self::read(reply, warn) {
            Ok(mounts) if mounts == Self::default() => Answer::Doubtful(mounts),
            Ok(mounts) => Answer::Good(mounts),
            Err(why) => Answer::Bad(why.into()),
        }
    }

    fn read(
        reply: &[u8],
        warn: &mut dyn FnMut(fmt::Arguments<'_>),
    ) -> core::result::Result<Self, &'static str> {
        let mut mounts = Self::default();
        let mut skipped = 0_usize;
        for (index, line) in lines(reply).enumerate() {
            if line.starts_with(b"FSTYPE=") {
                if index > 0 {
                    return Err("FSTYPE= is not in its first line");
                }
                (mounts.file_system, mounts.transport) = read_type(line)?;
                continue;
            }
            match Mount::read(line) {
                Ok(Some(mount)) if mounts.list.contains(&mount) => {}
                Ok(Some(mount)) if mounts.list.len() < MOST => mounts.list.push(mount),
                // What is only local needs no mount.
                Ok(None) if mounts.file_system == FileSystem::Local => {}
                Ok(_) => skipped = skipped.saturating_add(1),
                Err(why) => {
                    skipped = skipped.saturating_add(1);
                    // One is told in words; there may be thousands.
                    if skipped == 1 {
                        warn(format_args!(
                            "mounts: line {} is left out: {why}",
                            index.saturating_add(1)
                        ));
                    }
                }
            }
        }
        if skipped > 0 {
            warn(format_args!("mounts: {skipped} lines are left out"));
        }
        Ok(mounts)
    }

    /// What saving the disk of `node` needs.
    ///
    /// # Errors
    /// `Boss`: the project's directory is not among them, or there are two ways to have it.
    pub fn needed(&self, node: &Node) -> Result<Needed> {
        let why = match self.file_system {
            FileSystem::Nfs | FileSystem::NfsRacy => None,
            FileSystem::Local => Some("there is no file server (FSTYPE=LOCAL)"),
            FileSystem::Sfs => Some("the file server wants SFS (FSTYPE=SFS), not NFS"),
        };
        if let Some(why) = why {
            return Err(unusable(format_args!("{why}; give one by mfs.proj=")));
        }
        let pid = node.pid.as_str();
        let local = format!("/proj/{pid}");
        let mut projects = self.list.iter().filter(|mount| mount.local == *local);
        let project = projects.next().ok_or_else(|| {
            unusable(format_args!(
                "{local} is not among the {} mounts of this node; is the node in that project?",
                self.list.len()
            ))
        })?;
        let prefix = format!("/groups/{pid}/");
        let mut groups = self.list.iter().filter_map(|mount| {
            let gid = mount.local.strip_prefix(prefix.as_str())?;
            // Groups may have `_` in their names, as nodes may.
            let gid = Name::new(NameKind::Node, gid).ok()?;
            Some((gid, mount.clone()))
        });
        let group = groups.next();
        if projects.next().is_some() || groups.next().is_some() {
            return Err(unusable(format_args!("there are several mounts for {local} or {prefix}")));
        }
        Ok(Needed { project: project.clone(), group })
    }
}

fn unusable(why: fmt::Arguments<'_>) -> crate::failure::Failure {
    FailureKind::Boss.because(format_args!("mounts of boss: {why}"))
}

fn read_type(line: &[u8]) -> core::result::Result<(FileSystem, Option<Transport>), &'static str> {
    let file_system = match value(line, "FSTYPE")? {
        Some(b"NFS") => FileSystem::Nfs,
        Some(b"NFS-RACY") => FileSystem::NfsRacy,
        Some(b"LOCAL") => FileSystem::Local,
        Some(b"SFS") => FileSystem::Sfs,
        _ => return Err("its FSTYPE= is not known"),
    };
    let transport = match value(line, "TRANSPORT")? {
        None => None,
        Some(text) if text.eq_ignore_ascii_case(b"TCP") => Some(Transport::Tcp),
        Some(text) if text.eq_ignore_ascii_case(b"UDP") => Some(Transport::Udp),
        Some(text) if text.eq_ignore_ascii_case(b"osdefault") => Some(Transport::OsDefault),
        Some(_) => return Err("its TRANSPORT= is not known"),
    };
    Ok((file_system, transport))
}

impl Mount {
    /// Reads a line; `None` if it is a directory without a server.
    fn read(line: &[u8]) -> core::result::Result<Option<Self>, String> {
        if line.starts_with(b"SFS ") {
            return Err("it is for SFS".into());
        }
        let line = printable(line)?.as_bytes();
        let local = value(line, "LOCAL")?.ok_or("it has no LOCAL=")?;
        let local = path(local).ok_or("LOCAL= is not a plain absolute path")?;
        let Some(remote) = value(line, "REMOTE")? else { return Ok(None) };
        let colon = remote.iter().position(|byte| *byte == b':').unwrap_or(remote.len());
        let (server, remote) = remote.split_at_checked(colon).unwrap_or_default();
        let server = host(server).ok_or("REMOTE= names no server")?;
        let remote = path(remote.get(1..).unwrap_or_default())
            .ok_or("REMOTE= has no plain absolute path")?;
        Ok(Some(Self { host: server, remote, local }))
    }
}

/// An absolute path of the characters that boss uses, whose parts are all names.
fn path(text: &[u8]) -> Option<heapless::String<255>> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_:@.".contains(byte);
    let name = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && part.iter().all(allowed);
    if !text.strip_prefix(b"/")?.split(|byte| *byte == b'/').all(name) {
        return None;
    }
    core::str::from_utf8(text).ok()?.try_into().ok()
}

/// The name or dotted address of a server.
fn host(text: &[u8]) -> Option<Host> {
    core::str::from_utf8(text).ok().filter(|text| is_host(text))?.try_into().ok()
}

#[cfg(test)]
mod tests;
