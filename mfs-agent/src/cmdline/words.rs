//! The words one by one, before it is known whether they make sense together.

use core::fmt;
use core::num::NonZeroU16;
use core::str::FromStr;
use core::time::Duration;

use imagezip_core::codec::Level;
use imagezip_core::pipeline::Manner;

use super::directory::ServerDirectory;
use super::ip::{Addressing, Mac};
use super::{
    BossAddress, CommandLine, Credentials, Drill, Export, FreeSpace, Host, Job, Load, NetworkWords,
    Node, Save, Then,
};
use crate::disk::Hints;
use crate::failure::{Failure, FailureKind, Result};
use crate::names::{Name, NameKind};
use crate::net::name::is_host;
use crate::tmcd::Key;

/// The values of the words that mean something here.
#[derive(Default)]
pub(super) struct Words<'a> {
    values: [Option<&'a str>; KEYS.len()],
}

const KEYS: [&str; 32] = [
    "mfs.job",
    "mfs.save",
    "mfs.dir",
    "mfs.level",
    "mfs.load",
    "mfs.free",
    "mfs.parttype",
    "mfs.pid",
    "mfs.eid",
    "mfs.vname",
    "mfs.proj",
    "mfs.projgroups",
    "mfs.nfs",
    "mfs.uid",
    "mfs.gid",
    "mfs.groups",
    "mfs.boss",
    "mfs.key",
    "mfs.serial",
    "mfs.wwn",
    "mfs.diskguid",
    "mfs.override",
    "mfs.then",
    "mfs.progress",
    "mfs.mntwait",
    "mfs.retry",
    "mfs.netwait",
    "mfs.vlan",
    "mfs.mtu",
    "mfs.drill",
    "ip",
    "BOOTIF",
];

/// A word's value as it may be shown: of boss' key nothing is, nor of what seems to be meant for it.
fn shown<'a>(key: &str, value: &'a str) -> &'a str {
    if key.starts_with("mfs.key") { "…" } else { value }
}

fn wrong(key: &str, value: &str, why: impl fmt::Display) -> Failure {
    let value = shown(key, value);
    FailureKind::CommandLine.because(format_args!("{key}={value}: {why}"))
}

fn missing(key: &str, why: &str) -> Failure {
    FailureKind::CommandLine.because(format_args!("{key}= is missing: {why}"))
}

impl<'a> Words<'a> {
    pub(super) fn collect(text: &'a str, warn: &mut dyn FnMut(fmt::Arguments<'_>)) -> Self {
        let mut words = Self::default();
        for word in text.split_ascii_whitespace() {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let slot = KEYS.iter().zip(&mut words.values).find(|(known, _)| **known == key);
            match slot {
                Some((_, slot)) => {
                    if let Some(earlier) = slot.replace(value) {
                        let [value, earlier] = [value, earlier].map(|value| shown(key, value));
                        warn(format_args!("{key}= is there twice; {value} counts, {earlier} not"));
                    }
                }
                None if key.starts_with("mfs.") => {
                    warn(format_args!("unknown word {}", shown(key, word)));
                }
                None => {}
            }
        }
        words
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        KEYS.iter()
            .zip(&self.values)
            .find(|(known, _)| **known == key)
            .and_then(|(_, value)| *value)
    }

    /// The value for `key` as `T`, if the word is there.
    fn parsed<T: FromStr>(&self, key: &str, what: &str) -> Result<Option<T>> {
        self.get(key)
            .map(|value| {
                value.parse().map_err(|_| wrong(key, value, format_args!("must be {what}")))
            })
            .transpose()
    }

    pub(super) fn command_line(&self) -> Result<CommandLine> {
        Ok(CommandLine {
            job: self.job()?,
            node: self.node()?,
            project: self.export("mfs.proj")?,
            groups: self.export("mfs.projgroups")?,
            nfs_options: self.nfs_options()?,
            credentials: self.credentials()?,
            boss: self.boss()?,
            key: self.key()?,
            disk: self.disk()?,
            own_engine: self.own_engine()?,
            then: self
                .get("mfs.then")
                .map(|value| {
                    let why = "must be reboot, poweroff, halt or stay";
                    Then::from_name(value).ok_or_else(|| wrong("mfs.then", value, why))
                })
                .transpose()?,
            progress_limit: self.seconds("mfs.progress", 180)?,
            mount_limit: self.seconds("mfs.mntwait", 120)?,
            retry_limit: self.seconds("mfs.retry", 60)?,
            level: self.level()?,
            network: self.network()?,
            drill: self.drill()?,
        })
    }

    fn job(&self) -> Result<Option<Job>> {
        let save = match self.get("mfs.save") {
            None | Some("delta") => Save::Delta,
            Some("full") => Save::Full,
            Some("statistics") => Save::Statistics,
            Some("full-statistics") => Save::FullStatistics,
            Some(other) => {
                let why = "must be delta, full, statistics or full-statistics";
                return Err(wrong("mfs.save", other, why));
            }
        };
        let load = self.load()?;
        let job = self.get("mfs.job");
        if let Some(directory) = self.get("mfs.dir").filter(|_| job != Some("capture")) {
            return Err(wrong("mfs.dir", directory, "is only for mfs.job=capture"));
        }
        match job {
            Some("swapout") => Ok(Some(Job::Swapout(save))),
            Some("swapin") => Ok(Some(Job::Swapin(load))),
            Some("capture") => self.capture().map(|directory| Some(Job::Capture(directory))),
            Some("load") => Ok(Some(Job::Load(load))),
            Some("selftest") => Ok(Some(Job::Selftest)),
            Some("idle") => Ok(Some(Job::Idle)),
            Some(other) => {
                let why = "must be swapout, swapin, capture, load, selftest or idle";
                Err(wrong("mfs.job", other, why))
            }
            None if self.get("mfs.save").is_some() => {
                Err(missing("mfs.job", "mfs.save= needs mfs.job=swapout"))
            }
            None => Ok(None),
        }
    }

    /// Where a capture puts its files.
    fn capture(&self) -> Result<ServerDirectory> {
        if let Some(save) = self.get("mfs.save").filter(|save| *save != "full") {
            return Err(wrong("mfs.save", save, "must be full, or not there, for a capture"));
        }
        let why = "mfs.job=capture needs the directory that its files go to";
        let path = self.get("mfs.dir").ok_or_else(|| missing("mfs.dir", why))?;
        ServerDirectory::new(path).map_err(|why| wrong("mfs.dir", path, why))
    }

    fn load(&self) -> Result<Load> {
        let manner = match self.get("mfs.load") {
            None | Some("sampled") => Manner::Sampled,
            Some("converge") => Manner::Converge,
            Some("full") => Manner::Full,
            Some(other) => {
                return Err(wrong("mfs.load", other, "must be sampled, converge or full"));
            }
        };
        let free = match self.get("mfs.free") {
            None | Some("keep") => FreeSpace::Keep,
            Some("discard") => FreeSpace::Discard,
            Some("zero") => FreeSpace::Zero,
            Some(other) => return Err(wrong("mfs.free", other, "must be keep, discard or zero")),
        };
        let partition_type = self.get("mfs.parttype").map(|value| {
            let number = match value.strip_prefix("0x") {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => value.parse(),
            };
            let why = "must be a number from 1 to 0xffff";
            let number = number.ok().filter(|number| (1..=0xffff).contains(number));
            number.ok_or_else(|| wrong("mfs.parttype", value, why))
        });
        Ok(Load { manner, free, partition_type: partition_type.transpose()? })
    }

    fn level(&self) -> Result<Level> {
        let Some(value) = self.get("mfs.level") else { return Ok(Level::default()) };
        let level = value.parse().ok().and_then(Level::new);
        level.ok_or_else(|| wrong("mfs.level", value, "must be a number from 0 to 9"))
    }

    fn name(&self, key: &str, kind: NameKind) -> Result<Option<Name>> {
        self.get(key)
            .map(|value| Name::new(kind, value).map_err(|why| wrong(key, value, why)))
            .transpose()
    }

    fn node(&self) -> Result<Option<Node>> {
        let why = "mfs.pid=, mfs.eid= and mfs.vname= belong together";
        let pid = self.name("mfs.pid", NameKind::Project)?;
        let eid = self.name("mfs.eid", NameKind::Experiment)?;
        let vname = self.name("mfs.vname", NameKind::Node)?;
        match (pid, eid, vname) {
            (Some(pid), Some(eid), Some(vname)) => Ok(Some(Node { pid, eid, vname })),
            (None, None, None) => Ok(None),
            (None, ..) => Err(missing("mfs.pid", why)),
            (_, None, _) => Err(missing("mfs.eid", why)),
            _ => Err(missing("mfs.vname", why)),
        }
    }

    fn export(&self, key: &str) -> Result<Option<Export>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let bad = |why| wrong(key, value, why);
        let (server, path) =
            value.split_once(':').ok_or_else(|| bad("must be <server>:<export>"))?;
        let server = host(server).map_err(bad)?;
        if !path.starts_with('/') {
            return Err(bad("the export must begin with /"));
        }
        let path = path.try_into().map_err(|_| bad("the export is longer than 256 bytes"))?;
        Ok(Some(Export { server, path }))
    }

    fn nfs_options(&self) -> Result<heapless::String<256>> {
        let options = self.get("mfs.nfs").unwrap_or_default();
        options.try_into().map_err(|_| wrong("mfs.nfs", options, "is longer than 256 bytes"))
    }

    fn boss(&self) -> Result<Option<BossAddress>> {
        let Some(value) = self.get("mfs.boss") else {
            return Ok(None);
        };
        let bad = |why| wrong("mfs.boss", value, why);
        let (name, port) = match value.split_once(':') {
            None => (value, None),
            Some((name, port)) => {
                let port = port.parse::<NonZeroU16>();
                (name, Some(port.map_err(|_| bad("the port must be a number, 1 to 65535"))?))
            }
        };
        Ok(Some(BossAddress { host: host(name).map_err(bad)?, port }))
    }

    fn key(&self) -> Result<Option<Key>> {
        let key = self.get("mfs.key");
        key.map(|key| Key::new(key).map_err(|why| wrong("mfs.key", key, why))).transpose()
    }

    fn disk(&self) -> Result<Hints> {
        let mut hints = Hints::default();
        for key in ["mfs.serial", "mfs.wwn", "mfs.diskguid"] {
            if let Some(value) = self.get(key) {
                hints.take(key, value).map_err(|why| wrong(key, value, why))?;
            }
        }
        Ok(hints)
    }

    fn own_engine(&self) -> Result<bool> {
        match self.get("mfs.override") {
            None | Some("0") => Ok(false),
            Some("1") => Ok(true),
            Some(other) => Err(wrong("mfs.override", other, "must be 0 or 1")),
        }
    }

    fn network(&self) -> Result<NetworkWords> {
        let addressing = self
            .get("ip")
            .map(|value| Addressing::parse(value).map_err(|why| wrong("ip", value, why)))
            .transpose()?;
        let boot_interface = self
            .get("BOOTIF")
            .map(|value| {
                let why = "must be 01- and six bytes in hexadecimal, with - between them";
                Mac::from_bootif(value).ok_or_else(|| wrong("BOOTIF", value, why))
            })
            .transpose()?;
        let vlan = self.ranged("mfs.vlan", 1..=4094, "a number from 1 to 4094")?;
        let mtu = self.ranged("mfs.mtu", 576..=9216, "a number from 576 to 9216")?;
        let limit = self.seconds("mfs.netwait", 120)?;
        Ok(NetworkWords { addressing, boot_interface, vlan, mtu, limit })
    }

    /// The number for `key`, if the word is there.
    fn ranged<T: FromStr + PartialOrd>(
        &self,
        key: &str,
        range: core::ops::RangeInclusive<T>,
        what: &str,
    ) -> Result<Option<T>> {
        match self.parsed(key, what)? {
            Some(number) if !range.contains(&number) => {
                let value = self.get(key).unwrap_or_default();
                Err(wrong(key, value, format_args!("must be {what}")))
            }
            number => Ok(number),
        }
    }

    fn credentials(&self) -> Result<Option<Credentials>> {
        const WHAT: &str = "a number";
        let uid = self.parsed("mfs.uid", WHAT)?;
        let gid = self.parsed("mfs.gid", WHAT)?;
        let mut groups = heapless::Vec::new();
        if let Some(value) = self.get("mfs.groups") {
            for group in value.split(',') {
                let group =
                    group.parse().map_err(|_| wrong("mfs.groups", value, "must be numbers"))?;
                groups.push(group).map_err(|_| wrong("mfs.groups", value, "are more than 15"))?;
            }
        }
        match (uid, gid) {
            // setresuid(2) takes the highest number for "as it is".
            (Some(u32::MAX), _) | (_, Some(u32::MAX)) => {
                Err(missing("mfs.uid", "4294967295 is nobody's number"))
            }
            (Some(uid), Some(gid)) => Ok(Some(Credentials { uid, gid, groups })),
            (None, None) if groups.is_empty() => Ok(None),
            (None, _) => Err(missing("mfs.uid", "mfs.gid= and mfs.groups= need it")),
            (_, None) => Err(missing("mfs.gid", "mfs.uid= needs it")),
        }
    }

    fn seconds(&self, key: &str, default: u32) -> Result<Duration> {
        let seconds = self.parsed::<u32>(key, "a number of seconds")?.unwrap_or(default);
        if seconds == 0 {
            return Err(wrong(key, "0", "must be at least one second"));
        }
        Ok(Duration::from_secs(seconds.into()))
    }

    #[cfg(feature = "drill")]
    fn drill(&self) -> Result<Option<Drill>> {
        match self.get("mfs.drill") {
            None => Ok(None),
            Some("panic") => Ok(Some(Drill::Panic)),
            Some("hang") => Ok(Some(Drill::Hang)),
            Some("freeze") => Ok(Some(Drill::Freeze)),
            Some(other) => Err(wrong("mfs.drill", other, "must be panic, hang or freeze")),
        }
    }

    #[cfg(not(feature = "drill"))]
    fn drill(&self) -> Result<Option<Drill>> {
        match self.get("mfs.drill") {
            None => Ok(None),
            Some(other) => Err(wrong("mfs.drill", other, "this program was built without drills")),
        }
    }
}

/// Checks what stands for a host.
fn host(text: &str) -> core::result::Result<Host, &'static str> {
    let why = "the server must be an IPv4 address or a host's name";
    Host::try_from(text).ok().filter(|host| is_host(host)).ok_or(why)
}
