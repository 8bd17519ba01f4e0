//! A user's work is saved and given back, with the core alone on the host: what the agent does in
//! the guest, without the guest.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use imagezip_core::allocation::{Options, Selection, scan};
use imagezip_core::partition::LogicalSectorSize;
use imagezip_core::signature::Signature;
use imagezip_core::swapinfo::{Base, Meta};
use imagezip_tools::create::{create, sha256_of};
use imagezip_tools::host::FileDevice;
use xtask::apt;
use xtask::experiment::{EID, Experiment, PID, VNAME};
use xtask::node_disk::Sizes;

const SIZES: Sizes = Sizes { esp: 36, root: 96, swap: 16, files: 48 };

fn round_trip(mkfs_options: &[&str]) {
    apt::ensure(apt::DISK_TOOLS).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let experiment = Experiment::prepare(directory.path(), SIZES, mkfs_options).unwrap();

    let device = FileDevice::open(&experiment.disk.path).unwrap();
    let options = Options::new(LogicalSectorSize::B512);
    let map = scan(&device, Selection::WholeDisk, options).unwrap();
    let base = Signature::read(fs::read(&experiment.base_signature).unwrap().as_slice()).unwrap();
    let (image, signature) = (experiment.node_file("-swap.ndz"), experiment.node_file("-swap.sig"));
    let saved = create(&device, &map, Some(&base), &image, &signature).unwrap();
    let meta = Meta {
        pid: PID.into(),
        eid: EID.into(),
        vname: VNAME.into(),
        base: Some(Base {
            name: "testbed-BASE.sig".into(),
            signature_sha256: sha256_of(&experiment.base_signature).unwrap().0,
            image_sha256: None,
        }),
        disk: "vda".into(),
        load_partition: 0,
        disk_size: experiment.disk.sectors * 512,
        sector_size: 512,
        image_sha256: sha256_of(&image).unwrap().0,
        image_size: fs::metadata(&image).unwrap().len(),
        signature_sha256: None,
        chunks: u64::from(saved.image.chunks),
        regions: saved.image.regions,
        sectors_in_use: saved.scanned.get(),
        sectors_changed: saved.image.sectors.get(),
        decided: Vec::new(),
        agent: "test".into(),
        engine_sha256: None,
        created: 0,
    };
    fs::write(experiment.node_file("-swap.meta"), meta.to_string()).unwrap();

    let proof = experiment.prove().unwrap();
    assert!(proof.delta_bytes < proof.base_bytes / 2, "{proof:?}");
    assert!(proof.files_compared > 100, "{proof:?}");
}

#[test]
fn a_default_ext4_comes_back() {
    round_trip(&[]);
}

#[test]
fn an_ext4_with_small_blocks_and_scattered_descriptors_comes_back() {
    round_trip(&["-b", "1024", "-O", "meta_bg,^resize_inode,^flex_bg"]);
}
