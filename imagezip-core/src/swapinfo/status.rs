//! `<vname>-swap.status`: the heartbeat of a run.

use alloc::string::String;
use core::fmt;

use super::words::{Encoded, Words};
use super::{Expected, ParseError};

/// Defines the phases, their numbers and their names in one place.
macro_rules! phases {
    ($($(#[doc = $text:literal])+ $phase:ident = $number:literal $name:literal,)+) => {
        /// What a run is doing.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Phase {
            #[default]
            $($(#[doc = $text])+ $phase,)+
        }

        impl Phase {
            /// A number for the phase, for counters that hold nothing else.
            pub const fn number(self) -> u8 {
                match self { $(Self::$phase => $number,)+ }
            }

            /// The phase with this number.
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$phase),)+ _ => None }
            }

            /// The phase's name in the file.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$phase => $name,)+ }
            }

            /// The phase with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$phase),)+ _ => None }
            }
        }
    };
}

phases! {
    /// Starting: modules, network.
    Boot = 0 "boot",
    /// Mounting `/proj`.
    Mount = 1 "mount",
    /// Reading what to save or to load, and what the base is.
    Prepare = 2 "prepare",
    /// Reading, comparing and writing.
    Save = 3 "save",
    /// Reading an image that was saved, and checking it.
    Verify = 4 "verify",
    /// Putting the image in the place of the previous one.
    Publish = 5 "publish",
    /// Ended well.
    Done = 6 "done",
    /// Ended with an error.
    Failed = 7 "failed",
    /// Waiting to be turned off.
    Idle = 8 "idle",
    /// Writing a saved disk's images to the disk.
    Load = 9 "load",
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a `.status` file says. All counts are in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// What the run is doing.
    pub phase: Phase,
    /// Bytes of the disk read and compared; in a load, those that are as they should be.
    pub scanned: u64,
    /// Bytes of the disk to read and compare, or to load; 0 while that is not known.
    pub total: u64,
    /// Bytes of the disk that differ from the base; in a load, those that were written.
    pub changed: u64,
    /// Bytes of the image on the server's stable storage; in a load, those that were written and
    /// found right on the disk.
    pub written: u64,
    /// When this was written, in seconds since 1970 (UTC) by the node's clock.
    pub time: u64,
    /// How the run ended, once it has: 0, or the exit code of the error.
    pub result: Option<u8>,
    /// The error, if it ended with one.
    pub error: Option<String>,
}

impl Status {
    /// Reads a `.status` file.
    ///
    /// # Errors
    /// Where it is not one, and what was expected.
    pub fn parse(file: &[u8]) -> Result<Self, ParseError> {
        let words = Words::new(file)?;
        let phase = words.get("PHASE")?;
        Ok(Self {
            phase: Phase::from_name(&phase.text("PHASE")?).ok_or(ParseError {
                at: phase.value_at(),
                expected: Expected::Value("PHASE", "the name of a phase"),
            })?,
            scanned: words.number("SCANNED")?,
            total: words.number("TOTAL")?,
            changed: words.number("CHANGED")?,
            written: words.number("WRITTEN")?,
            time: words.number("TIME")?,
            result: words.find("RESULT")?.map(|word| word.number("RESULT")).transpose()?,
            error: words.find("ERROR")?.map(|word| word.text("ERROR")).transpose()?,
        })
    }
}

impl fmt::Display for Status {
    /// The file, a word per line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "PHASE={}", self.phase)?;
        writeln!(f, "SCANNED={}", self.scanned)?;
        writeln!(f, "TOTAL={}", self.total)?;
        writeln!(f, "CHANGED={}", self.changed)?;
        writeln!(f, "WRITTEN={}", self.written)?;
        writeln!(f, "TIME={}", self.time)?;
        if let Some(result) = self.result {
            writeln!(f, "RESULT={result}")?;
        }
        if let Some(error) = &self.error {
            writeln!(f, "ERROR={}", Encoded(error))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn phases_have_numbers_and_names() {
        let phases: std::vec::Vec<_> = (0..=u8::MAX).filter_map(Phase::from_number).collect();
        assert_eq!(phases.len(), 10);
        for phase in phases {
            assert_eq!(Phase::from_number(phase.number()), Some(phase));
            assert_eq!(Phase::from_name(phase.name()), Some(phase));
        }
        assert_eq!(Phase::from_name("Done"), None);
    }

    #[test]
    fn a_failed_run_says_why() {
        let status = Status {
            phase: Phase::Failed,
            result: Some(26),
            error: Some("disk sdz is absent; there are: sda".into()),
            ..Status::default()
        };
        let text = status.to_string();
        assert!(text.starts_with("PHASE=failed\n"));
        assert!(
            text.ends_with("RESULT=26\nERROR=disk%20sdz%20is%20absent;%20there%20are:%20sda\n")
        );
        assert_eq!(Status::parse(text.as_bytes()), Ok(status));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            number in 0..9_u8, counts in any::<[u64; 5]>(),
            result in any::<Option<u8>>(), error in any::<Option<String>>()
        ) {
            let [scanned, total, changed, written, time] = counts;
            let phase = Phase::from_number(number).unwrap();
            let status = Status { phase, scanned, total, changed, written, time, result, error };
            let text = status.to_string();
            if text.len() <= crate::swapinfo::TEXT_LIMIT {
                prop_assert_eq!(Status::parse(text.as_bytes()), Ok(status));
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let _ = Status::parse(&bytes);
        }
    }
}
