//! Whole file systems are tried in `fixtures/tests/filesystems/xfs.rs`.
