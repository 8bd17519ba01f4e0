//! Images read with limits, against the core's own reader, and images that are damaged.

use super::*;
use crate::saved_disk::table;
use imagezip_core::layers::{AnyImage, Layers};
use imagezip_core::sector::SECTOR_BYTES;
use proptest::prelude::*;
use std::path::Path;
use std::sync::OnceLock;

const SECTORS: u64 = 6000;

fn tool(words: &[&str], paths: &[&Path]) {
    let words = words.iter().map(Into::into);
    let arguments = words.chain(paths.iter().map(|path| path.as_os_str().to_owned()));
    let exit = imagezip_tools::commands::main(arguments);
    assert_eq!(format!("{exit:?}"), format!("{:?}", std::process::ExitCode::SUCCESS));
}

/// A base image of a disk with a partition table, a delta to it, and the delta's signature.
fn images() -> &'static [Vec<u8>; 3] {
    static IMAGES: OnceLock<[Vec<u8>; 3]> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let scratch = tempfile::tempdir().unwrap();
        let [disk, base, signature, delta, state] =
            ["disk", "base", "base.sig", "delta", "delta.sig"]
                .map(|name| scratch.path().join(name));
        let mut bytes: Vec<u8> = (0..SECTORS * SECTOR_BYTES)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0])
            .collect();
        bytes[440..512].fill(0);
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        bytes[450] = 0x83;
        bytes[454..462].copy_from_slice(&[100, 0, 0, 0, 0x88, 0x13, 0, 0]);
        std::fs::write(&disk, &bytes).unwrap();
        tool(&["imagezip", "-r", "-U"], &[&signature, &disk, &base]);
        for at in [0, 700_000, 2_000_000] {
            bytes[at] ^= 1;
        }
        std::fs::write(&disk, &bytes).unwrap();
        tool(&["imagezip", "-r", "-H"], &[&signature, Path::new("-U"), &state, &disk, &delta]);
        [base, delta, state].map(|path| std::fs::read(path).unwrap())
    })
}

fn file(bytes: &[u8]) -> File {
    let file = tempfile::tempfile().unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, bytes, 0).unwrap();
    file
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_mins(1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn both_readers_agree(at in 0..SECTORS * SECTOR_BYTES, len in 0..100_000_usize) {
        let [base, delta, _] = images().each_ref().map(|bytes| file(bytes));
        let readers = [&base, &delta].map(|file| FileReader::new(file).unwrap());
        let [below, above] = readers.each_ref().map(|file| Held::read(file, deadline()).unwrap());
        let stack = Stack {
            images: vec![&below, &above],
            least: SectorCount::ZERO,
            deadline: deadline(),
        };
        let open = |file| AnyImage::open(file).unwrap();
        let all = readers.iter().map(|file| open(file as &dyn ReadAt)).collect();
        let layers = Layers::new(all, 4).unwrap();
        prop_assert_eq!(stack.size(), layers.size());
        let left = usize::try_from(SECTORS * SECTOR_BYTES - at).unwrap();
        let (mut ours, mut theirs) = (vec![1; len.min(left)], vec![2; len.min(left)]);
        stack.read_at(Bytes(at), &mut ours).unwrap();
        layers.read_at(Bytes(at), &mut theirs).unwrap();
        prop_assert_eq!(ours, theirs);
        let (found, notes) = table::partitions(&stack, 512);
        prop_assert_eq!((found.len(), notes.len()), (1, 0));
        prop_assert_eq!(found[0].range.start().get(), 100);
    }

    /// What is damaged is refused or read, and nothing else happens.
    #[test]
    fn damage(
        which in 0..2_usize,
        changes in prop::collection::vec((0..40_000_usize, any::<u8>()), 1..20),
        header in prop::collection::vec((0..600_usize, any::<u8>()), 0..4),
    ) {
        let mut bytes = images()[which].clone();
        let mut signature = images()[2].clone();
        for (at, value) in changes.iter().chain(&header) {
            let end = bytes.len();
            bytes[at % end] = *value;
            let end = signature.len();
            signature[at % end] = *value;
        }
        let (file, signature) = (file(&bytes), file(&signature));
        let reader = FileReader::new(&file).unwrap();
        if let Ok(held) = Held::read(&reader, deadline()) {
            let least = SectorCount::new((header.len() as u64) << 30).unwrap();
            let stack = Stack { images: vec![&held, &held], least, deadline: deadline() };
            table::partitions(&stack, 512);
            table::content(&stack);
        }
        let _ = signed(&signature, 1 << 20);
    }
}

#[test]
fn nobody_waits_for_ever() {
    let file = file(&images()[0]);
    let reader = FileReader::new(&file).unwrap();
    let over = Deadline::after(Duration::ZERO);
    assert!(Held::read(&reader, over).is_err_and(|error| error.to_string().contains("too long")));
    let held = Held::read(&reader, deadline()).unwrap();
    let stack = Stack { images: vec![&held], least: SectorCount::ZERO, deadline: over };
    assert!(stack.read_at(Bytes(0), &mut [0; 512]).is_err());
    assert!(signed(&file, 100).is_err());
}
