//! Base images, deltas and signatures that the reference programs made, given back by the restore
//! of this project: what comes out is what loading one after the other makes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Mutex;

use imagezip_core::Result;
use imagezip_core::device::{ReadAt, WriteAt};
use imagezip_core::error::{CorruptKind, ErrorKind, Place};
use imagezip_core::ndz::Image;
use imagezip_core::pipeline::{Fit, LoadProgress, Manner, SingleThread, Target, restore};
use imagezip_core::relocation::Placement;
use imagezip_core::restore::{Part, RestoreError, RestorePlan, Signed};
use imagezip_core::sector::{Bytes, Sector};
use imagezip_core::signature::Signature;
use swapmfs_tests::disk::{filled, load};
use swapmfs_tests::golden::Case;

/// A disk in memory.
struct Disk(Mutex<Vec<u8>>);

impl ReadAt for Disk {
    fn size(&self) -> Bytes {
        self.0.lock().unwrap().size()
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        self.0.lock().unwrap().read_at(offset, buf)
    }
}

impl WriteAt for Disk {
    fn end(&self) -> Option<Bytes> {
        Some(self.size())
    }

    fn write_at(&self, offset: Bytes, data: &[u8]) -> Result<()> {
        let start = usize::try_from(offset.get()).unwrap();
        self.0.lock().unwrap()[start..][..data.len()].copy_from_slice(data);
        Ok(())
    }
}

/// The cases with a delta and its full signature; with the sector of an entry, if there is one, that
/// is also about sectors which were free when the signature was made (docs/format.md, "Signature
/// file"). No image holds them as they were, so what is loaded can't be proven, and is not called
/// loaded.
const CASES: &[(&str, Option<u32>)] = &[
    ("ext4-1k", None),
    ("ext4-F0", None),
    ("ext4-F8-Z", None),
    ("ext4-deleted", None),
    ("ext4-noflexbg", None),
    ("ext4-uninitbg", None),
    ("gpt-esp-ext4-swap", None),
    ("gpt-ufs2", None),
    ("manyregions", None),
    ("mbr-ext4-swap", None),
    ("mbr-ext4def-swap", None),
    ("mbr-fat16", None),
    ("mbr-fat16-4ksec", None),
    ("mbr-fat32-lba", None),
    ("mbr-ntfs", None),
    ("mbr-ufs2-rel", Some(4224)),
    ("multichunk", None),
    ("nochange", None),
    ("shrunk", Some(35_712)),
    ("wholedev-ext4", None),
];

/// The files of a case.
struct Saved {
    base: Vec<u8>,
    base_signature: Signature,
    delta: Vec<u8>,
    signature: Signature,
}

impl Saved {
    fn of(case: &Case) -> Self {
        Self {
            base: case.file("base.ndz").unwrap(),
            base_signature: case.signature("base.sig").unwrap(),
            delta: case.file("delta.ndz").unwrap(),
            signature: case.signature("delta.sig").unwrap(),
        }
    }

    fn restore(&self, target: &Disk, manner: Manner) -> core::result::Result<(), RestoreError> {
        let (base, delta) = (Image::open(&self.base).unwrap(), Image::open(&self.delta).unwrap());
        let plan = RestorePlan::new(
            Signed { image: &base, signature: &self.base_signature },
            Some(Signed { image: &delta, signature: &self.signature }),
        )?;
        let to = Target {
            fit: Fit::Data,
            read_back: Some(target),
            ..Target::new(target, Placement::default())
        };
        restore(&SingleThread, &plan, target, to, manner, &LoadProgress::default()).map(drop)
    }
}

#[test]
fn what_the_reference_saved_is_given_back() {
    for (name, fault) in CASES {
        let case = Case::open(name).unwrap();
        let saved = Saved::of(&case);
        let disk = case.disk("base.img").unwrap();
        // Another's disk, and one that holds the base image.
        for (before, manner) in [
            (filled(disk.len()), Manner::Sampled),
            (filled(disk.len()), Manner::Converge),
            (disk.clone(), Manner::Sampled),
        ] {
            let mut model = before.clone();
            let target = Disk(Mutex::new(before));
            let restored = saved.restore(&target, manner);
            let after = target.0.into_inner().unwrap();
            if let Some(sector) = fault {
                let kind = ErrorKind::Corrupt(CorruptKind::SignatureForeign);
                let error = kind.at(Place::Sector(Sector::from_u32(*sector)));
                assert_eq!(restored, Err(RestoreError { part: Part::Delta, error }), "{name}");
            } else {
                restored.unwrap();
                load(&saved.base, &mut model).unwrap();
                load(&saved.delta, &mut model).unwrap();
                assert!(after == model, "{name}: {manner:?}");
            }
        }
    }
}
