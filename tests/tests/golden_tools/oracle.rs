//! What a disk's image has to hold, whoever makes it.

use std::path::PathBuf;
use std::rc::Rc;

use imagezip_core::extent::ExtentSet;
use imagezip_core::sector::{Sector, SectorCount, SectorRange};
use swapmfs_tests::host_tools::{DiskFile, Verdict};
use swapmfs_tests::strict;

use super::files::Files;

/// The files of a file system, with their paths.
type FileList = Vec<(PathBuf, Vec<u8>)>;

/// A disk in one state.
pub(crate) struct State {
    pub(crate) disk: Rc<Vec<u8>>,
    /// The sectors that must be in an image: in ext file systems those that dumpe2fs counts used,
    /// elsewhere those that the reference saves. Of FAT with sectors of 4,096 bytes, where those are
    /// others than it needs, only the first: there the files tell.
    pub(crate) required: ExtentSet,
    ext: Vec<SectorRange>,
    fat: Vec<SectorRange>,
    /// What e2fsck and fsck.fat say about each file system.
    verdicts: Vec<Verdict>,
    /// The files of each FAT file system.
    files: Vec<FileList>,
}

impl State {
    /// The state of that name; `None` if there is no such disk.
    pub(crate) fn of(files: &Files, name: &str) -> Option<Self> {
        let disk = files.get(&format!("{name}.img"))?;
        let file = DiskFile::new(&disk).unwrap();
        let systems = files.manifest()["fs"].as_array().unwrap();
        let of = |kind: &str| systems.iter().filter(|fs| fs[0] == kind).map(range).collect();
        let (ext, fat): (Vec<_>, Vec<_>) = (of("ext"), of("fat"));
        let golden = files.get(&format!("{name}.ndz"));
        let golden = golden.and_then(|image| strict::read(&image).ok());
        let outside: ExtentSet = ext.iter().copied().collect();
        let mut required = golden.map_or_else(ExtentSet::new, |golden| golden.extents);
        required = required.difference(&outside);
        for range in &ext {
            let free = file.ext(range.start()).unwrap().free;
            required = required.union(&free.complement(*range));
        }
        for range in fat.iter().filter(|range| has_large_sectors(&disk, **range)) {
            let (boot, _) = range.split_at(range.start().saturating_add(SectorCount::from_u32(8)));
            required = required.difference(&(*range).into()).union(&boot.into());
        }
        let state = Self { disk, required, ext, fat, verdicts: Vec::new(), files: Vec::new() };
        let (verdicts, files) = state.judged(&file);
        Some(Self { verdicts, files, ..state })
    }

    /// Whether e2fsck and fsck.fat say the same about a restored disk as about this one, and the
    /// files in FAT are the same.
    pub(crate) fn is_as_clean(&self, restored: &[u8]) -> bool {
        let (verdicts, files) = self.judged(&DiskFile::new(restored).unwrap());
        self.verdicts == verdicts && self.files == files
    }

    fn judged(&self, file: &DiskFile) -> (Vec<Verdict>, Vec<FileList>) {
        let ext = self.ext.iter().map(|range| file.e2fsck(range.start()).unwrap());
        let fat = self.fat.iter().map(|range| file.fsck_fat(*range).unwrap());
        let files = self.fat.iter().map(|range| file.fat_files(*range).unwrap());
        (ext.chain(fat).collect(), files.collect())
    }
}

/// Whether the FAT file system in `range` has sectors of more than 512 bytes.
fn has_large_sectors(disk: &[u8], range: SectorRange) -> bool {
    let start = usize::try_from(range.start().to_bytes().get()).unwrap();
    disk[start + 11..start + 13] != 512_u16.to_le_bytes()
}

fn range(fs: &serde_json::Value) -> SectorRange {
    let [start, sectors] = [1, 2].map(|at| fs[at].as_u64().unwrap());
    let len = SectorCount::new(sectors).unwrap();
    SectorRange::with_len(Sector::new(start).unwrap(), len).unwrap()
}
