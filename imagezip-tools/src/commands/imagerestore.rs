//! `imagerestore`: gives a disk back as it was saved.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use clap::{ArgAction, CommandFactory, Parser, ValueEnum};
use imagezip_core::partition::LogicalSectorSize;
use imagezip_core::pipeline::{Fill, LoadProgress, Manner};
use imagezip_core::relocation::Placement;
use imagezip_core::sector::Bytes;
use imagezip_core::swapinfo::Meta;
use serde_json::json;

use super::values::c_number;
use super::{Exit, Run, Tool, exit};
use crate::host::{FileDevice, FileKind, Threads};
use crate::progress::{Meter, Show, seconds, watch};
use crate::restore::files::{SignedFile, check_description, description_beside, read_description};
use crate::restore::work::{Amount, Restore};
use crate::target;
use crate::unzip::destination::{Destination, Opened, partition};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "imagerestore",
    arguments: Imagerestore::command,
    run: super::run::<Imagerestore>,
    differences: DIFFERENCES,
    exit_statuses: &[],
    examples: &[
        ("A node's disk as it was saved", "imagerestore base.ndz node-swap.ndz /dev/sdb"),
        ("The same from a full image", "imagerestore node-swap.ndz /dev/sdb"),
        (
            "Onto a disk whose last user's data nobody may see",
            "imagerestore --free zero base.ndz node-swap.ndz /dev/sdb",
        ),
    ],
    files: &[
        ("IMAGE.sig, or .sig in place of .ndz", "the signature of each image"),
        (".meta in place of .ndz", "what the image that was saved belongs to"),
    ],
};

const DIFFERENCES: &[&str] = &[
    "There is no classic tool of this name: there, nothing loads what was saved. With imageunzip, \
     base image and delta are loaded one after the other, and nobody looks whether the two belong \
     together.",
    "Each sector is written at most once, from the image that has it, and only if the target doesn't \
     hold it already. All that is written is read back past the cache. Base image, delta and both \
     signatures have to agree. An interrupted run can be done again.",
    "The partition table of a larger disk is fitted to it: the backup of a GPT is at the disk's end.",
];

/// Give a disk back as it was saved: a base image and the delta to it, or a full image.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
pub struct Imagerestore {
    /// More detail on standard error
    #[arg(short, long, action = ArgAction::Count)]
    pub detail: u8,
    /// No progress bar
    #[arg(long)]
    pub quiet: bool,
    /// Print statistics as JSON on standard output
    #[arg(long)]
    pub json: bool,

    /// Load into partition N of the target, which is a whole disk or an image of one
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=128))]
    pub slice: Option<u32>,
    /// With --slice: set the partition's type afterwards (131, 0x83, 0x8300)
    #[arg(short = 'D', long, value_name = "TYPE", value_parser = c_number, requires = "slice")]
    pub partition_type: Option<u32>,
    /// Load even if the target is in use
    #[arg(long)]
    pub force: bool,

    /// What becomes of space that is free
    #[arg(long, value_name = "WHAT", default_value = "keep")]
    pub free: Free,
    /// Whether the target is compared before anything is read of images
    #[arg(long, value_name = "HOW", default_value = "sampled")]
    pub load: Load,

    /// What the image that was saved belongs to; by default the file with .meta in place of .ndz
    #[arg(long, value_name = "FILE", conflicts_with = "no_meta")]
    pub meta: Option<PathBuf>,
    /// Take a delta of which no .meta tells the base: only the signatures prove that it is the right
    /// one
    #[arg(long)]
    pub no_meta: bool,
    /// The signature of the first image, if it isn't beside it
    #[arg(long, value_name = "FILE")]
    pub base_signature: Option<PathBuf>,
    /// The signature of the delta, if it isn't beside it
    #[arg(long, value_name = "FILE")]
    pub delta_signature: Option<PathBuf>,
    /// Threads; by default one for each CPU
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,

    /// The base image and the delta, or a full image
    #[arg(value_name = "IMAGE", required = true, num_args = 1..=2)]
    pub images: Vec<PathBuf>,
    /// The disk, or a file with the image of one
    #[arg(value_name = "TARGET")]
    pub target: PathBuf,
}

/// What becomes of free space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Free {
    /// It stays as it is
    Keep,
    /// The disk is told that nobody needs it
    Discard,
    /// It becomes zeros
    Zero,
}

/// How to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Load {
    /// Compared if samples of it show that it holds some of the base image
    Sampled,
    /// Compared, and only what differs is written
    Converge,
    /// Not compared: all is written
    Full,
}

impl Run for Imagerestore {
    fn run(self) -> anyhow::Result<Exit> {
        let begun = Instant::now();
        let [base, delta @ ..] = self.images.as_slice() else { bail!("an image is needed") };
        let delta = delta.first();
        for image in &self.images {
            let same = target::same_file(image, &self.target);
            ensure!(!same, "{} can't be loaded onto itself", image.display());
        }
        let base = SignedFile::open(base, self.base_signature.as_deref())?;
        let delta = delta
            .map(|delta| SignedFile::open(delta, self.delta_signature.as_deref()))
            .transpose()?;
        let meta = self.check(&base, delta.as_ref())?;

        let opened = Opened::open(Some(&self.target), self.force)?;
        let Destination::Device(device) = &opened.destination else {
            bail!("{} is no disk or file", self.target.display());
        };
        let target = self.target.display().to_string();
        let place = match self.slice {
            Some(number) => partition(device, &target, number, self.force)?,
            None => Placement::default(),
        };
        let restore = Restore {
            base: &base,
            delta: delta.as_ref(),
            device,
            target: &target,
            place,
            manner: self.load.into(),
            fill: self.free.into(),
            saved_size: meta.map(|meta| Bytes(meta.disk_size)),
            partition_type: self.slice.zip(self.partition_type),
        };
        let meter = RestoreMeter::default();
        let workers = self.threads.map_or_else(Threads::all_cpus, Threads::new);
        let note = &mut |amount| *lock(&meter.amount) = amount;
        let show = Show { bar: !self.quiet, dots: None };
        let (loaded, compared) =
            watch(&meter, show, || restore.run(&workers, note, &meter.progress))?;
        opened.keep();
        for note in &loaded.notes {
            eprintln!("{target}: {note}");
        }
        if self.detail > 0 {
            eprintln!("{}", meter.status(begun.elapsed()));
        }
        if self.json {
            let statistics = meter.json(&target, compared, begun.elapsed());
            return exit::print(&format!("{statistics}\n"));
        }
        Ok(Exit::OK)
    }
}

impl Imagerestore {
    /// Checks that the files belong together, and to what is loaded; what the description says, if
    /// there is one.
    fn check(&self, base: &SignedFile, delta: Option<&SignedFile>) -> anyhow::Result<Option<Meta>> {
        let last = delta.unwrap_or(base);
        let Some(meta) = self.description(&last.path)? else {
            ensure!(
                delta.is_none() || self.no_meta,
                "{}: no .meta says which base image it is a delta to; --meta names one, --no-meta \
                 trusts the signatures alone",
                last.path.display()
            );
            return Ok(None);
        };
        check_description(&meta, delta.map(|_| base), last)?;
        let slice = self.slice.unwrap_or(0);
        ensure!(
            u32::from(meta.load_partition) == slice,
            "{} was saved with LOADPART={}, 0 being the whole disk: --slice must say the same",
            last.path.display(),
            meta.load_partition
        );
        self.check_sectors(&meta)?;
        Ok(Some(meta))
    }

    fn description(&self, image: &Path) -> anyhow::Result<Option<Meta>> {
        match &self.meta {
            Some(path) => read_description(path).map(Some),
            None if self.no_meta => Ok(None),
            None => description_beside(image),
        }
    }

    /// Checks the sector size of a disk; files have none.
    fn check_sectors(&self, meta: &Meta) -> anyhow::Result<()> {
        let Ok(device) = FileDevice::open(&self.target) else { return Ok(()) };
        if device.kind() == FileKind::Regular {
            return Ok(());
        }
        let size = device.logical_sector_size().map_or_else(u64::from, LogicalSectorSize::bytes);
        ensure!(
            size == u64::from(meta.sector_size),
            "what was saved comes from a disk with sectors of {} bytes, but {} has some of {size}",
            meta.sector_size,
            self.target.display()
        );
        Ok(())
    }
}

impl From<Free> for Fill {
    fn from(free: Free) -> Self {
        match free {
            Free::Keep => Self::Keep,
            Free::Discard => Self::Discard,
            Free::Zero => Self::Zero,
        }
    }
}

impl From<Load> for Manner {
    fn from(load: Load) -> Self {
        match load {
            Load::Sampled => Self::Sampled,
            Load::Converge => Self::Converge,
            Load::Full => Self::Full,
        }
    }
}

/// How far a restore is.
#[derive(Default)]
struct RestoreMeter {
    progress: LoadProgress,
    amount: Mutex<Amount>,
}

fn lock(amount: &Mutex<Amount>) -> std::sync::MutexGuard<'_, Amount> {
    amount.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RestoreMeter {
    fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    fn json(&self, target: &str, compared: bool, time: Duration) -> serde_json::Value {
        let Amount { base, delta, replaced } = *lock(&self.amount);
        let progress = &self.progress;
        json!({
            "target": target,
            "base": base,
            "delta": delta,
            "replaced": replaced,
            "was_compared": compared,
            "compared": Self::get(&progress.compared),
            "chunks_read": Self::get(&progress.chunks_read),
            "written": Self::get(&progress.written),
            "avoided": Self::get(&progress.avoided),
            "filled": Self::get(&progress.filled),
            "discarded": Self::get(&progress.discarded),
            "verified": Self::get(&progress.verified),
            "seconds": time.as_secs_f64(),
        })
    }
}

impl Meter for RestoreMeter {
    fn done(&self) -> u64 {
        let LoadProgress { written, avoided, .. } = &self.progress;
        Self::get(written).saturating_add(Self::get(avoided))
    }

    fn total(&self) -> u64 {
        let Amount { base, delta, .. } = *lock(&self.amount);
        base.saturating_add(delta)
    }

    fn status(&self, time: Duration) -> String {
        let progress = &self.progress;
        format!(
            "{} bytes written and {} there already, of {}; {} chunks read, {} bytes of free space \
             filled, {} discarded, in {} seconds",
            Self::get(&progress.written),
            Self::get(&progress.avoided),
            self.total(),
            Self::get(&progress.chunks_read),
            Self::get(&progress.filled),
            Self::get(&progress.discarded),
            seconds(time)
        )
    }
}
