//! Numbers, and the map as a whole, in words.

use std::fmt::Write;

use imagezip_core::sector::Bytes;

use super::map::{Area, DiskMap, Scope};
use super::sets::{Category, Usage};

/// How many partitions a description tells of.
const DESCRIBED: usize = 16;

/// A size as people read it: three digits, rounded down.
pub fn size(bytes: Bytes) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let bytes = bytes.get();
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut unit = 1024_u64;
    let mut name = "KiB";
    for next in UNITS.iter().skip(1) {
        match unit.checked_mul(1024) {
            Some(larger) if bytes >= larger => (unit, name) = (larger, next),
            _ => break,
        }
    }
    let whole = bytes / unit;
    let rest = bytes % unit;
    match whole {
        _ if rest == 0 => format!("{whole} {name}"),
        0..10 => format!("{whole}.{:02} {name}", scaled(rest, 100, unit)),
        10..100 => format!("{whole}.{} {name}", scaled(rest, 10, unit)),
        _ => format!("{whole} {name}"),
    }
}

fn scaled(rest: u64, by: u64, unit: u64) -> u64 {
    let scaled = u128::from(rest).saturating_mul(u128::from(by)) / u128::from(unit);
    u64::try_from(scaled).unwrap_or_default()
}

/// What an area is called.
pub fn name(area: &Area) -> String {
    let label: String = area.label.chars().take(40).collect();
    match area.number {
        Some(number) => format!("Partition {number}, {label}"),
        None => format!("The whole disk, {label}"),
    }
}

impl DiskMap {
    /// What there is to see, in a line.
    pub fn title(&self) -> String {
        let what = match self.scope {
            Scope::Disk => "the disk".to_owned(),
            Scope::Partition(number) => format!("partition {number}"),
        };
        format!("What node {} has saved of {what}", self.vname)
    }

    /// All numbers of the map in sentences.
    pub fn description(&self) -> String {
        let mut text = format!("The disk has {}. ", size(self.disk_size));
        // Writing to a String cannot fail.
        let _ = match self.scope {
            Scope::Partition(number) => write!(
                text,
                "Only partition {number} was saved, which has {}: ",
                size(self.total.size())
            ),
            Scope::Disk => write!(text, "In all: "),
        };
        text.push_str(&self.contents(&self.total));
        text.push('.');
        if self.scope == Scope::Disk {
            for area in self.areas.iter().filter(|area| area.number.is_some()).take(DESCRIBED) {
                let (size, contents) = (size(area.usage.size()), self.contents(&area.usage));
                let _ = write!(text, " {}, {size}: {contents}.", name(area));
            }
            if self.areas.len() > DESCRIBED {
                text.push_str(" The table tells of the other partitions.");
            }
        }
        for note in &self.notes {
            let _ = write!(text, " {note}");
        }
        text
    }

    /// What is in some part of it.
    pub fn contents(&self, usage: &Usage) -> String {
        if usage.is_untouched() {
            return "nothing of it was saved".to_owned();
        }
        let of = |category| size(usage.bytes(category));
        if !self.has_base {
            return format!("{} saved", of(Category::Allocated));
        }
        let mut text = format!("{} in use", size(usage.in_use()));
        let saved = [(Category::Changed, "changed"), (Category::New, "new")];
        let mut separator = ": ";
        for (category, word) in saved {
            if usage.sectors(category) > 0 {
                let _ = write!(text, "{separator}{} {word}", of(category));
                separator = ", ";
            }
        }
        if separator == ": " {
            text.push_str(", as in the base image");
        }
        if usage.sectors(Category::Gone) > 0 {
            let _ = write!(text, "; {} freed", of(Category::Gone));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let shown = [
            (0, "0 bytes"),
            (512, "512 bytes"),
            (1024, "1 KiB"),
            (1034, "1.00 KiB"),
            (1_572_863, "1.49 MiB"),
            (10 << 20, "10 MiB"),
            ((10 << 20) + 1, "10.0 MiB"),
            ((1 << 30) - 1, "1023 MiB"),
            (4_000_000_000_000, "3.63 TiB"),
            (u64::MAX, "15.9 EiB"),
        ];
        for (bytes, text) in shown {
            assert_eq!(size(Bytes(bytes)), text);
        }
    }
}
