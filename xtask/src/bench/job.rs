//! The jobs that are timed, and their command lines.

use std::ffi::OsString;
use std::path::Path;

use super::disk::BenchDisk;

/// The level of `imagezip` for fast disks and networks (docs/decisions/0004-codec.md).
pub(super) const FAST_LEVEL: u8 = 1;

/// The level that `imagezip` has without `-z`.
pub(super) const DEFAULT_LEVEL: u8 = 4;

/// What is timed. Each has the disk and the images in the page cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Job {
    /// The signature of an image.
    Signature,
    /// The delta when nothing has changed.
    Delta0,
    /// The delta when about 5 % has changed.
    Delta5,
    /// The delta when everything has changed.
    Delta100,
    /// A full image.
    Full,
    /// A full image and its signature.
    FullSigned,
    /// A full image at the level for fast disks.
    FullFast,
    /// A full image that is read back and compared, as `imagezip` does unless told not to.
    FullChecked,
    /// An image loaded into a new file.
    Load,
    /// The same, and the file is read again and compared.
    LoadChecked,
    /// An image loaded onto a disk that already is what the image makes it.
    LoadMatching,
}

/// What a job leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// A signature of the disk.
    Signature,
    /// An image, and the signature of the disk.
    Image,
    /// A disk.
    Disk,
}

/// The files that jobs read and write, beside the disk.
pub(super) mod file {
    /// The image before the disk was changed.
    pub(in super::super) const BASE: &str = "base.ndz";
    /// Its signature.
    pub(in super::super) const BASE_SIGNATURE: &str = "base.sig";
    /// The full image of the disk as it is now.
    pub(in super::super) const IMAGE: &str = "image.ndz";
    /// Its signature.
    pub(in super::super) const SIGNATURE: &str = "image.sig";
    /// A signature of a disk all of whose blocks differ.
    pub(in super::super) const OTHER_SIGNATURE: &str = "other.sig";
    /// The delta from the base.
    pub(in super::super) const DELTA: &str = "delta.ndz";
    /// What jobs write.
    pub(in super::super) const OUT_IMAGE: &str = "out.ndz";
    /// What jobs write.
    pub(in super::super) const OUT_SIGNATURE: &str = "out.sig";
    /// What jobs write.
    pub(in super::super) const OUT_DISK: &str = "out.img";
    /// A disk that checks load images onto.
    pub(in super::super) const CHECKED_DISK: &str = "checked.img";
}

impl Job {
    /// All of them, in the order of the table.
    pub(super) const ALL: [Self; 11] = [
        Self::Signature,
        Self::Delta0,
        Self::Delta5,
        Self::Delta100,
        Self::Full,
        Self::FullSigned,
        Self::FullFast,
        Self::FullChecked,
        Self::Load,
        Self::LoadChecked,
        Self::LoadMatching,
    ];

    /// The name in the table.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Delta0 => "delta-0",
            Self::Delta5 => "delta-5",
            Self::Delta100 => "delta-100",
            Self::Full => "full",
            Self::FullSigned => "full-signed",
            Self::FullFast => "full-fast",
            Self::FullChecked => "full-checked",
            Self::Load => "load",
            Self::LoadChecked => "load-checked",
            Self::LoadMatching => "load-matching",
        }
    }

    /// Whether the classic programs do it, too.
    pub(super) const fn is_classic(self) -> bool {
        !matches!(self, Self::FullChecked | Self::LoadChecked | Self::LoadMatching)
    }

    /// What it leaves.
    pub(super) const fn output(self) -> Output {
        match self {
            Self::Signature => Output::Signature,
            Self::Load | Self::LoadChecked | Self::LoadMatching => Output::Disk,
            _ => Output::Image,
        }
    }

    /// Whether it leaves a signature of the disk.
    pub(super) const fn is_signed(self) -> bool {
        matches!(
            self,
            Self::Signature | Self::Delta0 | Self::Delta5 | Self::Delta100 | Self::FullSigned
        )
    }

    /// The command line with the programs in `directory`. `classic` uses only what the classic
    /// programs know: dots in place of silence, and nothing about reading back.
    pub(super) fn line(self, directory: &Path, bench: &BenchDisk, classic: bool) -> Vec<OsString> {
        let path = |name: &str| bench.path(name).into_os_string();
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let program = |name: &str| vec![directory.join(name).into_os_string()];
        let quiet = words(&[if classic { "-o" } else { "--quiet" }]);

        let base = match self {
            Self::Delta0 => Some(file::SIGNATURE),
            Self::Delta5 => Some(file::BASE_SIGNATURE),
            Self::Delta100 => Some(file::OTHER_SIGNATURE),
            _ => None,
        };
        let (name, options, from, to) = match self {
            Self::Signature => {
                let mut line = program("imagehash");
                line.extend(words(&["-c", "-X", "-q", "-o"]));
                line.extend([path(file::OUT_SIGNATURE), path(file::IMAGE)]);
                return line;
            }
            Self::Load => ("imageunzip", vec![], path(file::IMAGE), file::OUT_DISK),
            Self::LoadChecked => {
                ("imageunzip", words(&["--verify"]), path(file::IMAGE), file::OUT_DISK)
            }
            Self::LoadMatching => {
                let mut options = words(&["--converge"]);
                options.push(path(file::SIGNATURE));
                ("imageunzip", options, path(file::IMAGE), file::OUT_DISK)
            }
            _ => {
                let mut options = words(match self {
                    Self::FullChecked => &[],
                    _ if classic => &[],
                    _ => &["--no-verify"],
                });
                options.extend(words(match self {
                    Self::FullFast => &["-z"],
                    _ => &[],
                }));
                if self == Self::FullFast {
                    options.push(FAST_LEVEL.to_string().into());
                }
                options.extend(base.into_iter().flat_map(|base| ["-H".into(), path(base)]));
                if self.is_signed() {
                    options.extend(["-U".into(), path(file::OUT_SIGNATURE)]);
                }
                ("imagezip", options, bench.disk.path.clone().into(), file::OUT_IMAGE)
            }
        };
        let mut line = program(name);
        line.extend(quiet);
        line.extend(options);
        line.extend([from, path(to)]);
        line
    }
}
