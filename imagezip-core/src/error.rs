//! What can go wrong, and where.

use core::fmt;

use crate::sector::{Bytes, Sector};

/// A result whose error is an [`Error`].
pub type Result<T> = core::result::Result<T, Error>;

/// What went wrong and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What went wrong.
    pub kind: ErrorKind,
    /// Where.
    pub place: Place,
}

/// The kinds of error. Each has its own exit code at the edges ([`ErrorKind::exit_code`]).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A read from the source failed; the operating system's error number, 0 if it gave none.
    Read(i32),
    /// A write to the result failed; the operating system's error number, 0 if it gave none.
    Write(i32),
    /// The source ends before the data that should be there.
    Truncated,
    /// The bytes contradict their own format.
    Corrupt(CorruptKind),
    /// Well formed, but of a form that this program doesn't handle.
    Incompatible(IncompatibleKind),
    /// More than the format or a limit of this program allows.
    TooLarge(Limit),
}

/// Defines an enum of faults whose doc comments are also what is shown to people.
macro_rules! faults {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $text:literal])+ $variant:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[doc = $text])+ $variant,)+
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = match self {
                    $(Self::$variant => concat!($($text),+),)+
                };
                f.write_str(text.trim())
            }
        }
    };
}

faults! {
    /// Contradictions in what was read.
    CorruptKind {
        /// partition table entry ends beyond the disk
        PartitionBounds,
    }
}

faults! {
    /// Forms of valid data that this program doesn't handle.
    IncompatibleKind {
        /// unknown format version
        Version,
    }
}

faults! {
    /// Limits of formats and of this program.
    Limit {
        /// sector number beyond 32 bits
        Sector32,
    }
}

/// The place of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// Not known, or the whole.
    Whole,
    /// A position in bytes.
    Byte(Bytes),
    /// A sector of the disk, partition or image.
    Sector(Sector),
    /// A chunk of an image, by its number.
    Chunk(u64),
    /// An entry of a table or list, by its number.
    Entry(u64),
}

impl ErrorKind {
    /// The kind at a place.
    #[must_use]
    pub const fn at(self, place: Place) -> Error {
        Error { kind: self, place }
    }

    /// The exit code with which programs report this kind: 3 and up, so that it can't be
    /// mistaken for the classic tools' 1 and 2.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Read(_) => 3,
            Self::Write(_) => 4,
            Self::Truncated => 5,
            Self::Corrupt(_) => 6,
            Self::Incompatible(_) => 7,
            Self::TooLarge(_) => 8,
        }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        kind.at(Place::Whole)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(0) => f.write_str("reading failed"),
            Self::Read(code) => write!(f, "reading failed (error {code})"),
            Self::Write(0) => f.write_str("writing failed"),
            Self::Write(code) => write!(f, "writing failed (error {code})"),
            Self::Truncated => f.write_str("ends too early"),
            Self::Corrupt(what) => write!(f, "corrupt: {what}"),
            Self::Incompatible(what) => write!(f, "not supported: {what}"),
            Self::TooLarge(what) => write!(f, "too large: {what}"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => Ok(()),
            Self::Byte(at) => write!(f, " at byte {at}"),
            Self::Sector(at) => write!(f, " at sector {at}"),
            Self::Chunk(number) => write!(f, " in chunk {number}"),
            Self::Entry(number) => write!(f, " in entry {number}"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind, self.place)
    }
}

impl core::error::Error for Error {}
