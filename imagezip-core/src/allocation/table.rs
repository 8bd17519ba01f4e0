//! What was decided about each partition, as a table for people.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::Report;
use crate::filesystem::{Part, Verdict};
use crate::sector::{Sector, SectorCount, SectorRange};

/// A line of the table: a partition, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The partition's number; after it, for a part, `/` and the part's name: `5/root`. `disk` for a
    /// disk without partitions.
    pub name: String,
    /// Its first sector on the disk. Parts need not lie in one piece.
    pub start: Option<Sector>,
    /// How many sectors it has.
    pub size: SectorCount,
    /// How many of them are in use.
    pub in_use: SectorCount,
    /// What was decided.
    pub verdict: Verdict,
    /// For people: what could not be trusted.
    pub notes: Vec<String>,
}

/// The partitions and their parts, in the order in which they were examined.
pub fn rows(reports: &[Report]) -> Vec<Row> {
    let mut rows = Vec::new();
    for report in reports {
        let name = match report.number {
            0 => "disk".to_string(),
            number => number.to_string(),
        };
        rows.push(Row {
            name: name.clone(),
            start: Some(report.range.start()),
            size: report.range.len(),
            in_use: report.in_use,
            verdict: report.verdict.clone(),
            notes: report.notes.clone(),
        });
        add_parts(&mut rows, &name, &report.parts);
    }
    rows
}

/// Layers in layers have a limit (`filesystem`), so this ends.
fn add_parts(rows: &mut Vec<Row>, above: &str, parts: &[Part]) {
    for Part { name, size, in_use, verdict, notes, parts } in parts {
        // It comes from the disk, and must not upset a terminal, nor the `.meta` of a saved disk.
        let plain = |c: char| if c.is_ascii_graphic() && c != ',' { c } else { '?' };
        let name = format!("{above}/{}", name.chars().map(plain).collect::<String>());
        let (size, in_use, verdict, notes) = (*size, *in_use, verdict.clone(), notes.clone());
        rows.push(Row { name: name.clone(), start: None, size, in_use, verdict, notes });
        add_parts(rows, &name, parts);
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, start, size, in_use, verdict, .. } = self;
        match name.as_str() {
            "disk" => f.write_str("disk without partitions")?,
            number => write!(f, "partition {number}")?,
        }
        if let Some(range) = start.and_then(|start| SectorRange::with_len(start, *size)) {
            write!(f, ": sectors {range}")?;
        }
        write!(f, ", {verdict}, {in_use} of {size} in use")
    }
}

/// Shows the partitions of a disk and their parts, each on a line.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a>(pub &'a [Row]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|row| row.name.len()).max().unwrap_or_default().max(4);
        write!(f, "{:width$} {:>12} {:>12} {:>12}  verdict", "part", "first", "sectors", "in use")?;
        for Row { name, start, size, in_use, verdict, .. } in self.0 {
            let start = start.map_or_else(|| "-".to_string(), |start| start.to_string());
            write!(
                f,
                "\n{name:width$} {start:>12} {:>12} {:>12}  {verdict}",
                size.get(),
                in_use.get()
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::{FilesystemKind, RawReason};
    use std::vec;

    #[test]
    fn parts_stand_below_their_partition() {
        let count = SectorCount::from_u32;
        let part = |name: &str, parts| Part {
            name: name.to_string(),
            size: count(100),
            in_use: count(7),
            verdict: Verdict::Raw(RawReason::Unknown),
            notes: Vec::new(),
            parts,
        };
        let range = SectorRange::with_len(Sector::from_u32(2048), count(1000)).unwrap();
        let report = Report {
            number: 5,
            range,
            verdict: Verdict::Aware(FilesystemKind::Ext4),
            in_use: count(30),
            notes: Vec::new(),
            parts: vec![part("root", vec![part("a", Vec::new())]), part("b\u{1b}", Vec::new())],
        };
        let rows = rows(&[Report { number: 0, parts: Vec::new(), ..report.clone() }, report]);
        let expected = [
            "part            first      sectors       in use  verdict",
            "disk             2048         1000           30  aware(ext4)",
            "5                2048         1000           30  aware(ext4)",
            "5/root              -          100            7  raw(unknown)",
            "5/root/a            -          100            7  raw(unknown)",
            "5/b?                -          100            7  raw(unknown)",
        ];
        assert_eq!(Table(&rows).to_string(), expected.join("\n"));
        assert_eq!(
            [rows[1].to_string(), rows[2].to_string()],
            [
                "partition 5: sectors [2048, 3048), aware(ext4), 30 of 1000 in use",
                "partition 5/root, raw(unknown), 7 of 100 in use"
            ]
        );
    }
}
