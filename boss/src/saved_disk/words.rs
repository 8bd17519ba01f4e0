//! Numbers, and the map as a whole, in words.

use std::fmt::Write;

use imagezip_core::sector::Bytes;

use crate::view;

use super::map::{Area, DiskMap, Scope};
use super::sets::{Category, Usage};

/// How many partitions a description tells of.
const DESCRIBED: usize = 16;

pub(super) fn size(bytes: Bytes) -> String {
    view::size(bytes.get())
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
