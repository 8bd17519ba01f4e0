//! Whether somebody uses a disk: it would change while it is read.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Sources;
use crate::file;

/// Who uses the disk or one of its partitions, in words.
pub(crate) fn user_of(sources: &Sources<'_>, disk: &str) -> Option<String> {
    let mut names = Vec::from([String::from(disk)]);
    let entries = file::list(format!("{}/{disk}", sources.block)).unwrap_or_default();
    let partition = |name: &String| {
        file::read_number(format!("{}/{disk}/{name}/partition", sources.block)).is_ok()
    };
    names.extend(entries.into_iter().filter(partition));
    for name in &names {
        for (table, what) in [(sources.mounts, "mounted"), (sources.swaps, "swap space")] {
            // A disk that nobody could look up is not known to be free.
            match file::read_text(table) {
                Ok(text) if mentions(&text, name) => return Some(format!("{name} is {what}")),
                Ok(_) => {}
                Err(_) => return Some(format!("cannot tell, as {table} can't be read")),
            }
        }
        let inside = if name == disk { String::new() } else { format!("/{name}") };
        let holders = format!("{}/{disk}{inside}/holders", sources.block);
        if let Some(holder) = file::list(holders).unwrap_or_default().first() {
            return Some(format!("{name} is part of {holder}"));
        }
    }
    None
}

/// Whether a table with a device at the start of each line has the device `name`.
fn mentions(table: &str, name: &str) -> bool {
    table.lines().any(|line| {
        let device = line.split_ascii_whitespace().next();
        device.and_then(|device| device.strip_prefix("/dev/")) == Some(name)
    })
}
