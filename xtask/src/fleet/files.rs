//! The files that nodes write: as the agent's, but small, and without waiting for a disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::fchown;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use imagezip_core::digest::{HashType, Sha256};
use imagezip_core::signature::{HashBlockSize, Signature};
use imagezip_core::swapinfo::{Base, Meta, Part, Status};
use mfs_agent::cmdline::Credentials;
use rustix::process::geteuid;

use super::life::{Life, Stop};

/// How large images are.
const IMAGE: usize = 4096;

/// The files of one node.
pub(super) struct Files<'a> {
    pub(super) life: &'a Life,
    pub(super) directory: &'a Path,
    pub(super) vname: &'a str,
    pub(super) owner: &'a Credentials,
}

/// What is saved: no image that could be loaded, but one that is like no other.
pub(super) struct Image {
    bytes: Vec<u8>,
    /// It is written without its end.
    pub(super) is_truncated: bool,
    /// Another one is written.
    pub(super) is_another: bool,
}

impl Image {
    pub(super) fn new(seed: &str) -> Self {
        let mut bytes = Vec::with_capacity(IMAGE);
        let mut block = Sha256::of(seed.as_bytes());
        while bytes.len() < IMAGE {
            bytes.extend(block.0);
            block = Sha256::of(&block.0);
        }
        Self { bytes, is_truncated: false, is_another: false }
    }

    fn written(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        if self.is_truncated {
            bytes.truncate(IMAGE / 2);
        }
        if self.is_another
            && let Some(first) = bytes.first_mut()
        {
            *first ^= 1;
        }
        bytes
    }
}

impl Files<'_> {
    /// `<vname>.<suffix>`
    pub(super) fn path(&self, suffix: &str) -> PathBuf {
        self.directory.join(format!("{}.{suffix}", self.vname))
    }

    pub(super) fn write_status(&self, status: &Status) -> Result<(), Stop> {
        let status = Status { time: now(), ..status.clone() };
        self.replace("status", status.to_string().as_bytes())
    }

    /// Writes everything, then gives all of it its names, the description last.
    pub(super) fn publish(
        &self,
        image: &Image,
        [pid, eid]: [&str; 2],
        part: &Part,
        full: bool,
    ) -> Result<(), Stop> {
        let base = if full { None } else { Some(self.base(part)?) };
        let mut signature = Vec::new();
        Signature::new(HashType::Sha1, HashBlockSize::DEFAULT)
            .write(&mut signature)
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        let meta = Meta {
            pid: pid.to_owned(),
            eid: eid.to_owned(),
            vname: self.vname.to_owned(),
            base,
            disk: part.disk.clone(),
            load_partition: part.load_partition,
            disk_size: part.disk_size.unwrap_or_default(),
            sector_size: part.sector_size.unwrap_or(512),
            image_sha256: Sha256::of(&image.bytes).0,
            image_size: u64::try_from(image.bytes.len()).unwrap_or_default(),
            signature_sha256: Some(Sha256::of(&signature).0),
            chunks: 1,
            regions: 1,
            sectors_in_use: 8,
            sectors_changed: 8,
            decided: Vec::new(),
            agent: "a simulated node".to_owned(),
            engine_sha256: None,
            created: now(),
        };
        let meta = meta.to_string();
        let files =
            [("ndz", image.written()), ("sig", signature), ("meta", meta.as_bytes().to_vec())];
        for (suffix, bytes) in &files {
            self.create(suffix, bytes)?;
        }
        for (suffix, _) in &files {
            self.name(suffix)?;
        }
        Ok(())
    }

    /// What the delta is to: the base's signature as it is there now.
    fn base(&self, part: &Part) -> Result<Base> {
        let path = self.path("sig");
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        let link = fs::read_link(&path).unwrap_or(path);
        let name = link.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let signature_sha256 = Sha256::of(&bytes).0;
        Ok(Base { name, signature_sha256, image_sha256: part.base_sha256 })
    }

    fn replace(&self, suffix: &str, bytes: &[u8]) -> Result<(), Stop> {
        self.create(suffix, bytes)?;
        self.name(suffix)
    }

    /// Writes `<vname>-swap.<suffix>.tmp` in the swapper's name.
    fn create(&self, suffix: &str, bytes: &[u8]) -> Result<(), Stop> {
        let path = self.directory.join(format!("{}-swap.{suffix}.tmp", self.vname));
        let Credentials { uid, gid, .. } = *self.owner;
        self.life.write(|| {
            let create = || -> io::Result<()> {
                let mut file = File::create(&path)?;
                if geteuid().is_root() {
                    fchown(&file, Some(uid), Some(gid))?;
                }
                file.write_all(bytes)
            };
            create().map_err(|error| io::Error::new(error.kind(), told(&path, &error)))
        })
    }

    fn name(&self, suffix: &str) -> Result<(), Stop> {
        let path = self.directory.join(format!("{}-swap.{suffix}", self.vname));
        let temporary = self.directory.join(format!("{}-swap.{suffix}.tmp", self.vname));
        self.life.write(|| fs::rename(&temporary, &path))
    }
}

fn told(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
