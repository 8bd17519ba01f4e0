//! The files that changed, some at a time.

use std::cmp::Reverse;

use crate::saved_disk::{ChangedFile, ChangedFiles, Difference, PartitionFiles};
use crate::web::page::size;

/// How many files a page has.
const AT_ONCE: usize = 500;

/// In which order files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// As they are in directories.
    Path,
    /// The largest first.
    Size,
}

/// Files as a page shows them.
#[derive(Default)]
pub(super) struct Files {
    /// What there is in each partition.
    pub(super) partitions: Vec<Partition>,
    /// The files of this page.
    pub(super) shown: Vec<File>,
    /// How many files there are on all pages.
    pub(super) all: usize,
    /// The number of the first one here, from 0.
    pub(super) from: usize,
    /// Whether the largest come first.
    pub(super) by_size: bool,
    /// Whether there are several partitions with files.
    pub(super) several: bool,
}

/// What there is in a partition.
pub(super) struct Partition {
    pub(super) name: String,
    /// Such as "3 added, 1 changed".
    pub(super) counts: String,
    /// How many aren't listed.
    pub(super) more: u64,
    pub(super) problem: String,
}

/// A file.
pub(super) struct File {
    pub(super) partition: String,
    pub(super) path: String,
    pub(super) kind: String,
    pub(super) difference: &'static str,
    pub(super) class: &'static str,
    pub(super) old: String,
    pub(super) new: String,
}

impl Files {
    pub(super) fn of(changed: &ChangedFiles, sort: Sort, from: usize) -> Self {
        let with_files = changed.partitions.iter().filter(|partition| !partition.files.is_empty());
        let several = with_files.count() > 1;
        let mut files: Vec<(&PartitionFiles, &ChangedFile)> = Vec::new();
        for partition in &changed.partitions {
            files.extend(partition.files.iter().map(|file| (partition, file)));
        }
        if sort == Sort::Size {
            files.sort_by_key(|(_, file)| Reverse(file.new_size.or(file.old_size)));
        }
        let all = files.len();
        // A page that isn't there any more is the first.
        let from = if from < all { from } else { 0 };
        let shown = files.into_iter().skip(from).take(AT_ONCE);
        Self {
            partitions: changed.partitions.iter().map(Partition::of).collect(),
            shown: shown.map(|(partition, file)| File::of(partition, file)).collect(),
            all,
            from,
            by_size: sort == Sort::Size,
            several,
        }
    }

    /// Where the page before begins.
    pub(super) fn before(&self) -> Option<usize> {
        (self.from > 0).then(|| self.from.saturating_sub(AT_ONCE))
    }

    /// Where the next page begins.
    pub(super) fn after(&self) -> Option<usize> {
        let next = self.from.saturating_add(self.shown.len());
        (next < self.all).then_some(next)
    }

    /// The last file here, counted from 1.
    pub(super) fn to(&self) -> usize {
        self.from.saturating_add(self.shown.len())
    }

    pub(super) fn sort(&self) -> &'static str {
        if self.by_size { "size" } else { "path" }
    }
}

impl Partition {
    fn of(partition: &PartitionFiles) -> Self {
        let PartitionFiles { counts, more, problem, .. } = partition;
        let counts: Vec<_> = counts
            .iter()
            .map(|(difference, count)| format!("{count} {}", difference.words()))
            .collect();
        let counts = if counts.is_empty() && problem.is_none() {
            "no file changed".to_owned()
        } else {
            counts.join(", ")
        };
        let problem = problem.clone().unwrap_or_default();
        Self { name: name(partition), counts, more: *more, problem }
    }
}

fn name(partition: &PartitionFiles) -> String {
    let holds = partition.holds.as_deref().unwrap_or("not known");
    match partition.number {
        Some(number) => format!("Partition {number} ({holds})"),
        None => holds.to_owned(),
    }
}

impl File {
    fn of(partition: &PartitionFiles, file: &ChangedFile) -> Self {
        let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "–".to_owned(), size);
        Self {
            partition: partition.number.map(|number| number.to_string()).unwrap_or_default(),
            path: file.path.clone(),
            kind: file.kind.clone(),
            difference: file.difference.words(),
            class: match file.difference {
                Difference::Added => "good",
                Difference::Deleted => "bad",
                Difference::Modified | Difference::Retyped => "warn",
                Difference::Properties => "",
            },
            old: bytes(file.old_size),
            new: bytes(file.new_size),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(count: u64) -> ChangedFiles {
        let file = |at| ChangedFile {
            difference: Difference::Added,
            path: format!("/{at}"),
            kind: "file".to_owned(),
            old_size: None,
            new_size: Some(at),
        };
        let files = (0..count).map(file).collect();
        let partition = PartitionFiles { number: Some(1), files, ..PartitionFiles::default() };
        ChangedFiles { partitions: vec![partition] }
    }

    #[test]
    fn pages_hold_all_files_once() {
        let changed = changed(1234);
        for sort in [Sort::Path, Sort::Size] {
            let (mut paths, mut from) = (Vec::new(), Some(0));
            while let Some(at) = from {
                let page = Files::of(&changed, sort, at);
                assert_eq!(page.before().is_some(), at > 0);
                paths.extend(page.shown.iter().map(|file| file.path.clone()));
                from = page.after();
            }
            assert_eq!(paths.len(), 1234);
            assert_eq!(paths[0], if sort == Sort::Size { "/1233" } else { "/0" });
            paths.sort();
            paths.dedup();
            assert_eq!(paths.len(), 1234);
        }
        assert_eq!(Files::of(&changed, Sort::Path, usize::MAX).from, 0);
        assert_eq!(Files::of(&ChangedFiles::default(), Sort::Path, 7).after(), None);
    }
}
