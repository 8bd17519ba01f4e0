//! What a comparison found, for people and programs.

use std::fmt::Write as _;
use std::io::{self, Write};

use imagezip_core::error::{ErrorKind, Result};
use imagezip_core::ndz::Reloc;
use imagezip_core::pipeline::{Difference, Finding, Sample};
use imagezip_core::sector::SectorRange;
use serde::Serialize;

/// How many stretches are kept for programs, and how many relocations are named for one.
const KEPT_MAX: usize = 10_000;
const NAMED_MAX: usize = 4;

const MISSING: &str = "missing";

/// Sectors one after another with the same finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// The first sector, counted from the start of the image.
    pub start: u64,
    /// The sector after the last.
    pub end: u64,
    /// `differs` or `missing`.
    pub finding: &'static str,
    /// How many bytes differ, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The first byte that differs, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<u64>,
    /// What relocations are about some of the sectors.
    pub relocations: Vec<String>,
    #[serde(skip)]
    samples: Option<[Sample; 2]>,
}

/// How to show bytes that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bytes {
    /// In hexadecimal digits.
    Hexadecimal,
    /// As text, what is no text escaped.
    Escaped,
}

/// Gathers findings, which come in order, and writes them as they come.
#[derive(Debug)]
pub struct Findings<W> {
    /// Where lines go; `None` keeps the findings instead.
    out: Option<W>,
    /// Whether findings side by side become one.
    merge: bool,
    bytes: Bytes,
    /// By their sectors, ascending.
    relocations: Vec<(SectorRange, String)>,
    pending: Option<Stretch>,
    kept: Vec<Stretch>,
    left_out: u64,
}

impl<W: Write> Findings<W> {
    /// No findings yet. `relocations` are those of the image.
    pub fn new(out: Option<W>, merge: bool, bytes: Bytes, relocations: &[Reloc]) -> Self {
        let mut relocations: Vec<_> = relocations
            .iter()
            .map(|reloc| (reloc.sectors(), format!("{:?}", reloc.kind)))
            .collect();
        relocations.sort();
        Self { out, merge, bytes, relocations, pending: None, kept: Vec::new(), left_out: 0 }
    }

    /// Adds sectors whose digest differs, or that are missing.
    ///
    /// # Errors
    /// `Write` from where the lines go.
    pub fn add(&mut self, range: SectorRange, finding: Finding) -> Result<()> {
        self.add_stretch(stretch(range, finding))
    }

    /// Adds sectors whose bytes differ, or that are missing.
    ///
    /// # Errors
    /// `Write` from where the lines go.
    pub fn add_difference(&mut self, difference: &Difference) -> Result<()> {
        self.add_stretch(Stretch {
            bytes: Some(difference.bytes),
            first_byte: Some(difference.first.get()),
            samples: Some([difference.image.clone(), difference.device.clone()]),
            ..stretch(difference.range, difference.finding)
        })
    }

    /// Writes what is still to be written. Returns what was kept, and how much more there was.
    ///
    /// # Errors
    /// As [`Findings::add`].
    pub fn finish(mut self) -> Result<(Vec<Stretch>, u64)> {
        self.flush()?;
        self.out.as_mut().map_or(Ok(()), Write::flush).map_err(|error| failed(&error))?;
        Ok((self.kept, self.left_out))
    }

    fn add_stretch(&mut self, new: Stretch) -> Result<()> {
        match &mut self.pending {
            Some(last) if self.merge && last.end == new.start && last.finding == new.finding => {
                last.end = new.end;
                last.bytes = last.bytes.zip(new.bytes).map(|(a, b)| a.saturating_add(b));
                Ok(())
            }
            _ => {
                self.flush()?;
                self.pending = Some(new);
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> Result<()> {
        let Some(mut stretch) = self.pending.take() else { return Ok(()) };
        stretch.relocations = self.relocations_in(stretch.start, stretch.end);
        if let Some(out) = &mut self.out {
            let text = self.bytes.lines(&stretch);
            return out.write_all(text.as_bytes()).map_err(|error| failed(&error));
        }
        if self.kept.len() < KEPT_MAX {
            self.kept.push(stretch);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
        Ok(())
    }

    /// The relocations about some of the sectors, the first ones by name.
    fn relocations_in(&self, start: u64, end: u64) -> Vec<String> {
        let before = |range: &SectorRange| range.start().get() < end;
        let until = self.relocations.partition_point(|(range, _)| before(range));
        let here = self.relocations[..until].iter().filter(|(range, _)| range.end().get() > start);
        let mut names: Vec<_> = here
            .clone()
            .take(NAMED_MAX)
            .map(|(range, name)| format!("{name} at sector {}", range.start()))
            .collect();
        let more = here.count() - names.len();
        if more > 0 {
            names.push(format!("{more} more"));
        }
        names
    }
}

fn stretch(range: SectorRange, finding: Finding) -> Stretch {
    Stretch {
        start: range.start().get(),
        end: range.end().get(),
        finding: match finding {
            Finding::Differs => "differs",
            Finding::Missing => MISSING,
        },
        bytes: None,
        first_byte: None,
        relocations: Vec::new(),
        samples: None,
    }
}

impl Bytes {
    /// The lines about a stretch.
    fn lines(self, stretch: &Stretch) -> String {
        let Stretch { start, end, finding, bytes, first_byte, relocations, samples } = stretch;
        let finding =
            if *finding == MISSING { "missing: the device is too short" } else { finding };
        let mut text = format!("[{start}-{}] ({}): {finding}", end.saturating_sub(1), end - start);
        // Writing to a String cannot fail.
        if let (Some(bytes), Some(first)) = (bytes, first_byte) {
            let _ = write!(text, ", {bytes} bytes from byte {first} on");
        }
        if !relocations.is_empty() {
            let _ = write!(text, "; relocations: {}", relocations.join(", "));
        }
        text.push('\n');
        for (name, sample) in ["image:  ", "device: "].iter().zip(samples.iter().flatten()) {
            if !sample.is_empty() {
                let _ = writeln!(text, "    {name}{}", self.show(sample));
            }
        }
        text
    }

    fn show(self, bytes: &[u8]) -> String {
        match self {
            Self::Escaped => bytes.escape_ascii().to_string(),
            Self::Hexadecimal => {
                let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                digits.join(" ")
            }
        }
    }
}

fn failed(error: &io::Error) -> imagezip_core::Error {
    ErrorKind::Write(error.raw_os_error().unwrap_or(0)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use imagezip_core::ndz::RelocType;
    use imagezip_core::sector::{Bytes as Position, Sector};

    fn range(start: u32, end: u32) -> SectorRange {
        SectorRange::new(Sector::from_u32(start), Sector::from_u32(end)).unwrap()
    }

    fn relocations() -> Vec<Reloc> {
        let reloc = |kind, sector| {
            let sector = Sector::from_u32(sector);
            Reloc { kind, sector, offset: 0, size: 276 }
        };
        let mut all =
            vec![reloc(RelocType::SHORT_SECTOR, 900), reloc(RelocType::FREEBSD_DISKLABEL, 1)];
        all.extend((0..9).map(|at| reloc(RelocType::LILO_ADDRESS, 500 + at)));
        all
    }

    fn difference(start: u32, end: u32) -> Difference {
        let sample = |bytes: &[u8]| Sample::from_slice(bytes).unwrap();
        Difference {
            range: range(start, end),
            finding: Finding::Differs,
            first: Position(u64::from(start) * 512 + 7),
            bytes: 3,
            image: sample(b"ab\n"),
            device: sample(&[0, 1, 2]),
        }
    }

    #[test]
    fn neighbours_become_one_line_with_their_relocations() {
        let mut out = Vec::new();
        let mut findings = Findings::new(Some(&mut out), true, Bytes::Hexadecimal, &relocations());
        for (start, end) in [(0, 128), (128, 130), (400, 600)] {
            findings.add(range(start, end), Finding::Differs).unwrap();
        }
        findings.add(range(600, 901), Finding::Missing).unwrap();
        assert_eq!(findings.finish().unwrap(), (vec![], 0));
        let lilo: Vec<_> =
            (500..504).map(|at| format!("LILO sector address at sector {at}")).collect();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!(
                "[0-129] (130): differs; relocations: FreeBSD disklabel at sector 1\n\
                 [400-599] (200): differs; relocations: {}, 5 more\n\
                 [600-900] (301): missing: the device is too short; relocations: short sector at sector 900\n",
                lilo.join(", ")
            )
        );
    }

    #[test]
    fn bytes_are_shown_as_wanted() {
        let lines = |bytes| {
            let mut out = Vec::new();
            let mut findings = Findings::new(Some(&mut out), true, bytes, &[]);
            findings.add_difference(&difference(2, 3)).unwrap();
            findings.add_difference(&difference(3, 5)).unwrap();
            findings.finish().unwrap();
            String::from_utf8(out).unwrap()
        };
        let hexadecimal = "[2-4] (3): differs, 6 bytes from byte 1031 on\n    \
                           image:  61 62 0a\n    device: 00 01 02\n";
        assert_eq!(lines(Bytes::Hexadecimal), hexadecimal);
        assert!(lines(Bytes::Escaped).ends_with("image:  ab\\n\n    device: \\x00\\x01\\x02\n"));
    }

    #[test]
    fn programs_get_a_bounded_list() {
        let mut findings = Findings::new(None::<Vec<u8>>, true, Bytes::Hexadecimal, &[]);
        for at in 0..10_003 {
            findings.add(range(2 * at, 2 * at + 1), Finding::Differs).unwrap();
        }
        let (kept, left_out) = findings.finish().unwrap();
        assert_eq!((kept.len(), left_out), (10_000, 3));
        let json = serde_json::to_string(&kept[1]).unwrap();
        assert_eq!(json, r#"{"start":2,"end":3,"finding":"differs","relocations":[]}"#);
    }
}
