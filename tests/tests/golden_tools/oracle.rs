//! What a disk's image has to hold, whoever makes it.

use std::rc::Rc;

use imagezip_core::extent::ExtentSet;
use imagezip_core::sector::{Sector, SectorCount, SectorRange};
use swapmfs_tests::host_tools::{DiskFile, Verdict};
use swapmfs_tests::strict;

use super::files::Files;

/// A disk in one state.
pub(crate) struct State {
    pub(crate) disk: Rc<Vec<u8>>,
    /// The sectors that must be in an image: in ext file systems those that dumpe2fs counts used,
    /// elsewhere those that the reference saves.
    pub(crate) required: ExtentSet,
    ext: Vec<SectorRange>,
    /// What e2fsck says about each file system.
    verdicts: Vec<Verdict>,
}

impl State {
    /// The state of that name; `None` if there is no such disk.
    pub(crate) fn of(files: &Files, name: &str) -> Option<Self> {
        let disk = files.get(&format!("{name}.img"))?;
        let file = DiskFile::new(&disk).unwrap();
        let systems = files.manifest()["fs"].as_array().unwrap().iter();
        let ext: Vec<_> = systems.filter(|fs| fs[0] == "ext").map(range).collect();
        let golden = files.get(&format!("{name}.ndz"));
        let golden = golden.and_then(|image| strict::read(&image).ok());
        let outside: ExtentSet = ext.iter().copied().collect();
        let mut required = golden.map_or_else(ExtentSet::new, |golden| golden.extents);
        required = required.difference(&outside);
        for range in &ext {
            let free = file.ext(range.start()).unwrap().free;
            required = required.union(&free.complement(*range));
        }
        let verdicts = ext.iter().map(|range| file.e2fsck(range.start()).unwrap()).collect();
        Some(Self { disk, required, ext, verdicts })
    }

    /// Whether e2fsck says the same about a restored disk as about this one.
    pub(crate) fn is_as_clean(&self, restored: &[u8]) -> bool {
        let file = DiskFile::new(restored).unwrap();
        let found = self.ext.iter().map(|range| file.e2fsck(range.start()).unwrap());
        self.verdicts.iter().eq(&found.collect::<Vec<_>>())
    }
}

fn range(fs: &serde_json::Value) -> SectorRange {
    let [start, sectors] = [1, 2].map(|at| fs[at].as_u64().unwrap());
    let len = SectorCount::new(sectors).unwrap();
    SectorRange::with_len(Sector::new(start).unwrap(), len).unwrap()
}
