//! Which files differ between the base image and what was saved.

use std::collections::BTreeMap;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::open::Opened;
use super::tool::Imagefs;

/// The most files of a disk that are kept; the others are counted.
const MAX_FILES: usize = 20_000;
/// The most bytes that all their paths have.
const MAX_BYTES: usize = 8 << 20;
/// The most partitions that are looked into.
const MAX_PARTITIONS: usize = 32;

/// The files of a saved disk that differ from its base.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChangedFiles {
    /// By partition, in the order of their numbers.
    pub partitions: Vec<PartitionFiles>,
}

/// The files of one partition that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PartitionFiles {
    /// The partition's number; none if the disk has no partitions, or only one was saved.
    pub number: Option<u32>,
    /// What is in it, if that is known: `ext4`, `swap space`.
    pub holds: Option<String>,
    /// The files in the order in which they were found: directory by directory.
    pub files: Vec<ChangedFile>,
    /// How many files there are by how they differ, those that are not in `files`, too.
    pub counts: BTreeMap<Difference, u64>,
    /// How many are not in `files`.
    pub more: u64,
    /// Why there is no list, or what the list leaves out.
    pub problem: Option<String>,
}

/// A file that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangedFile {
    /// How.
    pub difference: Difference,
    /// Where it is in its file system.
    pub path: String,
    /// What it is: `file`, `directory`, `symlink`.
    pub kind: String,
    /// Its size in bytes in the base, if it is there.
    pub old_size: Option<u64>,
    /// Its size in bytes now, if it is there.
    pub new_size: Option<u64>,
}

/// How a file differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Difference {
    /// It is new.
    #[serde(alias = "A")]
    Added,
    /// It is gone.
    #[serde(alias = "D")]
    Deleted,
    /// It has another content.
    #[serde(alias = "M")]
    Modified,
    /// It is of another type: a link where there was a file.
    #[serde(alias = "T")]
    Retyped,
    /// It has the same content and other permissions, owner, attributes or times.
    #[serde(alias = "P")]
    Properties,
}

impl Difference {
    /// In a word or two.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Deleted => "deleted",
            Self::Modified => "changed",
            Self::Retyped => "another type",
            Self::Properties => "other permissions or times",
        }
    }
}

/// A line of `imagefs diff --json`.
#[derive(Deserialize)]
struct DiffLine {
    status: Difference,
    path: String,
    #[serde(rename = "type", default)]
    kind: String,
    old_size: Option<u64>,
    new_size: Option<u64>,
}

/// A line of `imagefs ls --json` about a partition.
#[derive(Deserialize)]
struct PartitionLine {
    partition: u32,
    holds: Option<String>,
    #[serde(default)]
    table_type: String,
    readable: bool,
}

/// The object in a line of an array of objects.
fn object<'l, T: Deserialize<'l>>(line: &'l [u8]) -> Option<T> {
    serde_json::from_slice(line.strip_suffix(b",").unwrap_or(line)).ok()
}

/// Has `imagefs` compare what was saved with its base.
pub(super) async fn compare(tool: &Imagefs, opened: &Opened) -> anyhow::Result<ChangedFiles> {
    let Some(base) = &opened.base else { return Ok(ChangedFiles::default()) };
    // The tool finds the files where they are open here, whatever becomes of their names.
    let images = [base, &opened.delta]
        .map(|file| format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()));
    let call = |words: &[&str], place: &[String]| -> Vec<String> {
        let words = words.iter().map(|word| (*word).to_owned());
        words.chain(images.iter().cloned()).chain(place.iter().cloned()).collect()
    };
    let mut partitions = Vec::new();
    if opened.meta.load_partition == 0 {
        let mut more = 0_usize;
        let each = |line: &[u8]| match object::<PartitionLine>(line) {
            Some(line) if partitions.len() < MAX_PARTITIONS => partitions.push(line),
            Some(_) => more = more.saturating_add(1),
            None => {}
        };
        let listed = tool.run(&call(&["ls", "--json"], &[]), each).await?;
        listed.map_err(|said| anyhow::anyhow!("{}", without_paths(&said, &images)))?;
        if more > 0 {
            tracing::debug!(more, "partitions of a saved disk that are not looked into");
        }
    }
    let mut room = Room { files: MAX_FILES, bytes: MAX_BYTES };
    let mut changed = ChangedFiles::default();
    let is_whole = partitions.is_empty();
    for PartitionLine { partition, holds, table_type, readable } in partitions {
        let mut found =
            PartitionFiles { number: Some(partition), holds, ..PartitionFiles::default() };
        if readable {
            let arguments = call(&["diff", "--json"], &[format!("{partition}:/")]);
            let said = tool.run(&arguments, |line| found.take(line, &mut room)).await?;
            found.problem = said.err().map(|said| without_paths(&said, &images));
        } else {
            let what = match &found.holds {
                Some(holds) => holds.clone(),
                None => format!("something unknown (type {table_type})"),
            };
            found.problem = Some(format!(
                "it holds {what}: only files of ext2, ext3, ext4 and FAT can be listed"
            ));
        }
        changed.partitions.push(found);
    }
    if is_whole {
        let mut found = PartitionFiles::default();
        let arguments = call(&["diff", "--json"], &[":/".to_owned()]);
        let said = tool.run(&arguments, |line| found.take(line, &mut room)).await?;
        found.problem = said.err().map(|said| without_paths(&said, &images));
        changed.partitions.push(found);
    }
    Ok(changed)
}

/// What the tool says, with names for files instead of where they are open.
fn without_paths(said: &str, images: &[String; 2]) -> String {
    let [base, delta] = images;
    // The longer one first, as the other may be its beginning.
    let mut names = [(base, "the base image"), (delta, "what was saved")];
    names.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
    names.iter().fold(said.to_owned(), |said, (path, name)| said.replace(path.as_str(), name))
}

/// How much more is kept.
struct Room {
    files: usize,
    bytes: usize,
}

impl PartitionFiles {
    /// Takes a line in, if it tells of a file.
    fn take(&mut self, line: &[u8], room: &mut Room) {
        let Some(DiffLine { status, path, kind, old_size, new_size }) = object(line) else {
            return;
        };
        let count = self.counts.entry(status).or_default();
        *count = count.saturating_add(1);
        let bytes = path.len().saturating_add(kind.len());
        if room.files == 0 || room.bytes < bytes {
            self.more = self.more.saturating_add(1);
            return;
        }
        room.files = room.files.saturating_sub(1);
        room.bytes = room.bytes.saturating_sub(bytes);
        // Names are any bytes; who shows them shall not have to think of that.
        let path = path.replace(char::is_control, "\u{fffd}");
        self.files.push(ChangedFile { difference: status, path, kind, old_size, new_size });
    }
}

/// How far a comparison is.
#[derive(Clone, Debug)]
pub enum Changes {
    /// It is being made: ask again in a moment.
    Working,
    /// Here it is.
    Ready(Arc<ChangedFiles>),
    /// It failed, and why. It is tried again when it is asked for after a minute.
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        let mut found = PartitionFiles::default();
        let mut room = Room { files: 2, bytes: 100 };
        let line = |letter: &str, path: &str| {
            format!(r#"{{"status":"{letter}","path":"{path}","type":"file","new_size":5}},"#)
        };
        let lines = ["A:/a", "M:/b\\n", "P:/c", "D:/d"];
        for (letter, path) in lines.iter().map(|line| line.split_once(':').unwrap()) {
            found.take(line(letter, path).as_bytes(), &mut room);
        }
        for other in ["[", "]", "[]", "{}", "running 1 test", "{\"status\":\"X\",\"path\":\"\"}"] {
            found.take(other.as_bytes(), &mut room);
        }
        let paths: Vec<_> = found.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["/a", "/b\u{fffd}"]);
        assert_eq!((found.more, found.counts.values().sum::<u64>()), (2, 4));
        assert_eq!(found.counts[&Difference::Deleted], 1);
        // Long paths fill the room, too.
        let mut room = Room { files: 100, bytes: 100 };
        let mut found = PartitionFiles::default();
        found.take(line("A", &"x".repeat(200)).as_bytes(), &mut room);
        found.take(line("A", "y").as_bytes(), &mut room);
        assert_eq!((found.files.len(), found.more), (1, 1));
    }

    #[test]
    fn messages_name_no_open_files() {
        let images = ["/proc/1/fd/1", "/proc/1/fd/12"].map(str::to_owned);
        let said = "partition 2 of /proc/1/fd/1 with /proc/1/fd/12: no";
        let said = without_paths(said, &images);
        assert_eq!(said, "partition 2 of the base image with what was saved: no");
    }
}
