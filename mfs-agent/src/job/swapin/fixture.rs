//! A node's files, for tests.

use core::time::Duration;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::vec::Vec;

use imagezip_core::digest::HashType;
use imagezip_core::signature::{HashBlockSize, Signature};
use imagezip_core::swapinfo::Part;

use crate::cmdline::Node;
use crate::names::{Name, NameKind};
use crate::progress::Progress;
use crate::project::patience::Patience;
use crate::project::swapinfo::SwapInfo;
use crate::project::tree::Tree;

pub(super) static PROGRESS: Progress = Progress::new();

/// A node that was saved, as far as files go, but for `.meta`.
pub(super) struct Fixture {
    _root: tempfile::TempDir,
    pub(super) directory: PathBuf,
    pub(super) info: SwapInfo,
    pub(super) node: Node,
    pub(super) part: Part,
}

/// A signature of nothing.
pub(super) fn signature() -> Vec<u8> {
    let mut bytes = Vec::new();
    Signature::new(HashType::Sha1, HashBlockSize::DEFAULT).write(&mut bytes).unwrap();
    bytes
}

impl Fixture {
    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("proj/testbed/exp/exp1/swapinfo");
        fs::create_dir_all(&directory).unwrap();
        let name = |kind, text| Name::new(kind, text).unwrap();
        let node = Node {
            pid: name(NameKind::Project, "testbed"),
            eid: name(NameKind::Experiment, "exp1"),
            vname: name(NameKind::Node, "n"),
        };
        fs::write(directory.join("base.sig"), signature()).unwrap();
        fs::write(directory.join("base.ndz"), b"an image").unwrap();
        symlink("base.sig", directory.join("n.sig")).unwrap();
        symlink("base.ndz", directory.join("n.ndz")).unwrap();
        fs::write(directory.join("n-swap.ndz"), b"a delta").unwrap();
        fs::write(directory.join("n-swap.sig"), signature()).unwrap();
        let patience = Patience::new(Duration::ZERO, &PROGRESS);
        let info =
            SwapInfo::open(Tree::of_directory(root.path()).unwrap(), &node, patience).unwrap();
        let part = Part::parse(b"DISK=sda LOADPART=0 BOOTPART=1").unwrap();
        Self { _root: root, directory, info, node, part }
    }
}
