//! What somebody wants saved, and how.

use std::path::PathBuf;

use imagezip_core::allocation::{Selection, Target};
use imagezip_core::codec::Level;
use imagezip_core::ndz::Format;
use imagezip_core::sector::SectorCount;

use crate::host::Threads;

/// What to save, and how.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent choices of whoever asks")]
pub struct Request {
    /// The disk or file; `-` is standard input.
    pub source: PathBuf,
    /// What of it.
    pub selection: Selection,
    /// Only what boots this partition.
    pub boot: Option<u32>,
    /// A source of any length is made whole sectors.
    pub padded: bool,
    /// Only so many sectors.
    pub count: Option<SectorCount>,
    /// These are not saved.
    pub ignored: Vec<Target>,
    /// These are saved whole.
    pub raw: Vec<Target>,
    /// Without the rest of partitions after their file systems.
    pub without_slack: bool,
    /// Free ranges shorter than this are saved.
    pub least_free: SectorCount,
    /// They are saved as zeros.
    pub zero_forgotten: bool,
    /// It is a failure if more is in use, in MiB.
    pub max_data: Option<u64>,
    /// Whether addresses are made to fit another place.
    pub relocations: Relocations,
    /// Sectors that can't be read are saved as zeros.
    pub tolerant: bool,
    /// The signature of the image that is to be the base of a delta.
    pub base: Option<PathBuf>,
    /// A full image if more than so many percent would be in the delta.
    pub max_delta: Option<u32>,
    /// The version of the image, unless it shall be the one that fits.
    pub format: Option<Format>,
    /// The identity of an image of version 5.
    pub id: Option<[u8; 16]>,
    /// How hard to compress.
    pub level: Level,
    /// The threads to work with.
    pub workers: Threads,
}

/// Whether addresses in an image are made to fit another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relocations {
    /// They are imaged as they are.
    Never,
    /// In images of partitions.
    OfPartitions,
    /// In images of file systems, too.
    Always,
}

/// Where an image goes, and what is made beside it.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent choices of whoever asks")]
pub struct Destination {
    /// The image; `-` is standard output.
    pub image: PathBuf,
    /// The signature of what is saved.
    pub signature: Option<PathBuf>,
    /// The secret key to sign the image with.
    pub key: Option<PathBuf>,
    /// The file with the password of that key.
    pub password_file: Option<PathBuf>,
    /// Whether to wait until the image is on the disk.
    pub sync: bool,
    /// Whether to read the image back.
    pub verify: bool,
    /// Dots on standard error.
    pub dots: bool,
    /// No progress bar.
    pub quiet: bool,
}
