//! The files of a saved disk, opened.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use imagezip_core::digest::Sha256;
use imagezip_core::extent::ExtentSet;
use imagezip_core::sector::Bytes;
use imagezip_core::swapinfo::Meta;

use super::held::{Deadline, Held, signed};
use super::map::{DiskMap, Source};
use crate::db::experiments::Experiment;
use crate::db::images::Image;
use crate::files::{Directory, FileReader, digest};
use crate::layout::Layout;
use crate::names::{ExperimentId, Vname};
use crate::swapinfo::Saved;

/// How long a map may take.
const MAP_LIMIT: Duration = Duration::from_mins(1);
/// The longest signature that is read: it takes as much memory. That of a disk with 350 GB in use.
const SIGNATURE_LIMIT: u64 = 1 << 28;

/// Which saved disk it is. What users write into `.meta` is not enough: with that alone, they
/// would be shown what was found out about a disk of others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    experiment: ExperimentId,
    vname: Vname,
    image_sha256: [u8; 32],
    base: Option<[u8; 32]>,
    /// Device and inode of the image's file, and when it was written and changed.
    file: [u64; 2],
    times: [i64; 4],
}

/// A saved disk whose files are open.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) key: Key,
    pub(super) meta: Meta,
    pub(super) delta: File,
    pub(super) base: Option<File>,
    directory: Directory,
}

impl Opened {
    /// Opens them.
    pub(super) fn open(
        layout: &Layout,
        experiment: &Experiment,
        vname: &Vname,
        saved: Saved,
    ) -> anyhow::Result<Self> {
        let Experiment { pid, gid, eid, .. } = experiment;
        let directory = Directory::below(layout, &layout.swapinfo(pid, gid, eid).here)?;
        let Saved { meta, base } = saved;
        let name = format!("{vname}-swap.ndz");
        let delta = directory.file(&name)?;
        let delta = delta.with_context(|| format!("there is no {}", directory.shown(&name)))?;
        let data = delta.metadata().with_context(|| format!("looking at {name}"))?;
        ensure!(
            data.len() == meta.image_size,
            "{} has {} bytes, not the {} of its .meta; if it's being saved now, try again later",
            directory.shown(&name),
            data.len(),
            meta.image_size
        );
        let base = match &base {
            Some(base) => Some(open_base(layout, experiment, base)?),
            None => None,
        };
        let key = Key {
            experiment: experiment.id(),
            vname: vname.clone(),
            image_sha256: meta.image_sha256,
            base: meta.base.as_ref().map(|base| base.signature_sha256),
            file: [data.dev(), data.ino()],
            times: [data.mtime(), data.mtime_nsec(), data.ctime(), data.ctime_nsec()],
        };
        Ok(Self { key, meta, delta, base, directory })
    }

    /// Reads what the map needs. It can take a while.
    pub(super) fn map(&self) -> anyhow::Result<DiskMap> {
        let deadline = Deadline::after(MAP_LIMIT);
        let delta = FileReader::new(&self.delta)?;
        let delta = Held::read(&delta, deadline).context("reading what was saved")?;
        let mut notes = Vec::new();
        let base = self.base.as_ref().map(FileReader::new).transpose()?;
        let base = base.as_ref().map(|file| Held::read(file, deadline)).transpose();
        let base = base.context("reading the base image")?;
        let base_extents = base.as_ref().map(|base| self.base_extents(base));
        let in_use = match &base_extents {
            Some(base) => self.in_use(base, &delta),
            None => Ok(None),
        };
        let in_use = in_use.unwrap_or_else(|error| {
            notes.push(format!("What was freed isn't known: {error:#}."));
            None
        });
        // Those have no digests.
        let relocated = base.as_ref().map(|base| base.relocated.union(&delta.relocated));
        let in_use = in_use.map(|in_use| in_use.union(&relocated.unwrap_or_default()));
        let source = Source {
            vname: &self.meta.vname,
            disk_size: Bytes(self.meta.disk_size),
            sector_size: self.meta.sector_size,
            load_partition: self.meta.load_partition,
            base: base.as_ref(),
            base_extents: base_extents.as_ref(),
            delta: &delta,
            in_use: in_use.as_ref(),
            deadline,
        };
        DiskMap::make(&source, notes)
    }

    /// What the base holds: as the signature says that the delta was made with, else as the image.
    fn base_extents(&self, image: &Held<'_>) -> ExtentSet {
        let kept = self.meta.base.as_ref().map(|base| Sha256(base.signature_sha256));
        let kept = kept.and_then(|digest| self.signature(&format!("{digest}.sig"), digest).ok());
        kept.unwrap_or_else(|| image.extents.clone())
    }

    /// What was in use when the disk was saved, as its signature says.
    fn in_use(&self, base: &ExtentSet, delta: &Held<'_>) -> anyhow::Result<Option<ExtentSet>> {
        let digest = self.meta.signature_sha256;
        let digest = digest.context("the program that saved made no signature of the state")?;
        let name = format!("{}-swap.sig", self.meta.vname);
        let in_use = self.signature(&name, Sha256(digest))?;
        // A signature of less than the state would make all else free.
        let fits = delta.extents.difference(&in_use).difference(&delta.relocated).is_empty()
            && in_use.difference(&base.union(&delta.extents)).is_empty()
            && in_use.sector_count().get() >= self.meta.sectors_in_use;
        ensure!(fits, "{name} is not of what was saved");
        Ok(Some(in_use))
    }

    /// The sectors that a signature in the directory tells of, if it is the one that is meant.
    fn signature(&self, name: &str, wanted: Sha256) -> anyhow::Result<ExtentSet> {
        let shown = || self.directory.shown(name);
        let file =
            self.directory.file(name)?.with_context(|| format!("there is no {}", shown()))?;
        let bytes = file.metadata().with_context(shown)?.len();
        ensure!(bytes <= SIGNATURE_LIMIT, "{} is longer than {SIGNATURE_LIMIT} bytes", shown());
        ensure!(digest(&file)?.sha256 == wanted, "{} is not what its .meta says", shown());
        signed(&file, SIGNATURE_LIMIT).with_context(shown)
    }
}

/// Opens a base image. A `.meta`, which users write, can name any; they are shown what is in those
/// that they may use.
fn open_base(layout: &Layout, experiment: &Experiment, image: &Image) -> anyhow::Result<File> {
    ensure!(
        image.global || image.pid == experiment.pid,
        "the base image of what was saved is one of another project"
    );
    let path = Path::new(&image.path);
    let here = layout.here(path).context("the base image's path is not below /proj or /groups")?;
    let (Some(directory), Some(name)) = (here.parent(), here.file_name()) else {
        anyhow::bail!("{} is no path of a file", image.path);
    };
    let (directory, name) = (Directory::below(layout, directory)?, name.to_string_lossy());
    let file = directory.file(&name)?;
    let file = file.with_context(|| format!("the base image {} is gone", image.path))?;
    let bytes = file.metadata().with_context(|| image.path.clone())?.len();
    ensure!(
        bytes == image.bytes,
        "{} has {bytes} bytes, not the {} that it was made with; verifying it on its page tells more (boss image verify)",
        image.path,
        image.bytes
    );
    Ok(file)
}
