//! The command-line tools as they are installed: one program that needs nothing.
#![expect(clippy::panic_in_result_fn, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Result;
use imagezip_tools::commands::TOOLS;
use xtask::command::{stdout, tool};
use xtask::{apt, tools};

/// All tools together, in bytes. They take a place in every project's directory.
const BUDGET: u64 = 8 << 20;

#[test]
fn one_program_under_all_names_needs_nothing() -> Result<()> {
    apt::ensure(apt::BINARY_TOOLS)?;
    let built = tools::build()?;
    assert!(built.bytes <= BUDGET, "{} bytes", built.bytes);
    let first = built.program("imagezip");
    let segments = stdout(tool("readelf").args(["--wide", "--segments", "--dynamic"]).arg(&first))?;
    assert!(!segments.contains("INTERP") && !segments.contains("NEEDED"), "{segments}");
    let inode = fs::metadata(&first)?.ino();
    for each in TOOLS {
        assert_eq!(fs::metadata(built.program(each.name))?.ino(), inode, "{}", each.name);
    }
    for place in ["man/man1/imagedump.1", "bash-completion/completions/imagedump"] {
        assert!(built.directory.join("share").join(place).is_file(), "{place}");
    }
    runs_alone(&first)
}

/// In a root directory that has nothing else, only a program without any needs can run.
fn runs_alone(program: &Path) -> Result<()> {
    let root = tempfile::tempdir()?;
    for name in ["imagezip", "imagedump"] {
        fs::copy(program, root.path().join(name))?;
    }
    fs::write(root.path().join("disk.img"), vec![7; 100 * 512])?;
    let run = |line: &[&str]| stdout(tool("chroot").arg(root.path()).args(line));
    run(&["/imagezip", "-r", "-U", "", "/disk.img", "/disk.ndz"])?;
    let report = run(&["/imagedump", "-c", "/disk.ndz"])?;
    assert!(report.contains("\n  covered sector range: [0-99]\n"), "{report}");
    assert!(root.path().join("disk.ndz.sig").is_file());
    Ok(())
}
