//! The classic way to save a node at swapout: a script of the node calls `imagezip`. The static
//! program takes the place of the classic one in the project's directory, and everything around
//! it stays as it was.
#![expect(clippy::panic_in_result_fn, reason = "a test fails by panicking")]

mod disk;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Result, anyhow};
use disk::Disk;
use tempfile::TempDir;
use xtask::command::{stdout, tool};
use xtask::tools::Tools;
use xtask::{apt, tools};

const SCRIPT: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/create_swapimage/create-swapimage.sh");
const IMAGE: &str = "node1-swap.ndz";

/// The tools, built once for all tests.
fn installed() -> Result<&'static Tools> {
    static TOOLS: OnceLock<Result<Tools>> = OnceLock::new();
    TOOLS.get_or_init(tools::build).as_ref().map_err(|error| anyhow!("{error:#}"))
}

/// A node with its disk, and its project's directory.
struct Node {
    tools: &'static Tools,
    dir: TempDir,
    disk: Disk,
    /// The partition that its image is of; 0 for the whole disk.
    part: u32,
}

impl Node {
    /// A node whose disk was loaded from an image a moment ago.
    fn swapped_in(part: u32) -> Result<Self> {
        apt::ensure(apt::DISK_TOOLS)?;
        let tools = installed()?;
        let dir = TempDir::new()?;
        let bin = dir.path().join("proj/testbed/bin");
        fs::create_dir_all(&bin)?;
        fs::copy(tools.program("imagezip"), bin.join("imagezip"))?;
        fs::write(dir.path().join("nickname"), "node1.exp1.testbed\n")?;

        let disk = Disk::formatted(dir.path().join("disk"))?;
        disk.edit(&mut |root| {
            for number in 0..40 {
                fs::write(root.join(format!("system{number}")), noise(number, 100_000))?;
            }
            fs::create_dir(root.join("home"))?;
            fs::write(root.join("home/old"), noise(99, 300_000))?;
            Ok(symlink("home/old", root.join("link"))?)
        })?;
        let node = Self { tools, dir, disk, part };
        fs::create_dir_all(node.swapinfo())?;
        node.make_base_image()?;
        Ok(node)
    }

    fn swapinfo(&self) -> PathBuf {
        self.dir.path().join("proj/testbed/exp/exp1/swapinfo")
    }

    fn base(&self) -> PathBuf {
        self.dir.path().join("base.ndz")
    }

    /// Makes the image that is loaded at swapin, and puts its signature where boss puts it.
    fn make_base_image(&self) -> Result<()> {
        let attached = self.disk.attach()?;
        let mut imagezip = self.tool("imagezip");
        imagezip.args(["-U", ""]).arg(&attached.device).arg(self.base());
        stdout(&mut imagezip)?;
        let shared = self.swapinfo().join("testbed-base.sig");
        fs::copy(self.base().with_extension("ndz.sig"), shared)?;
        Ok(symlink("testbed-base.sig", self.swapinfo().join("node1.sig"))?)
    }

    /// A tool, told which partition it is about.
    fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(self.tools.program(name));
        if self.part != 0 {
            command.args(["-s", &self.part.to_string()]);
        }
        command
    }

    /// Runs the script on the node's disk; its exit code.
    fn swap_out(&self, options: &[&str]) -> Result<Option<i32>> {
        let attached = self.disk.attach()?;
        self.swap_out_by(attached.name()?, self.part, options)
    }

    /// The same with another disk or partition in the file that names them.
    fn swap_out_by(&self, disk: &str, part: u32, options: &[&str]) -> Result<Option<i32>> {
        let line = format!("DISK={disk} LOADPART={part} BOOTPART=1\n");
        fs::write(self.swapinfo().join("node1.part"), line)?;
        self.run_script(options)
    }

    fn run_script(&self, options: &[&str]) -> Result<Option<i32>> {
        let output = tool("sh")
            .arg(SCRIPT)
            .args(options)
            .env("PROJ", self.dir.path().join("proj"))
            .env("NICKNAME", self.dir.path().join("nickname"))
            .output()?;
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        Ok(output.status.code())
    }

    /// What is in the directory for swap information, but for what the test itself writes anew.
    fn files(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(self.swapinfo())? {
            let path = entry?.path();
            if path.extension() != Some(OsStr::new("part")) {
                let content = fs::read(&path)?;
                files.insert(path, content);
            }
        }
        Ok(files)
    }

    fn image_len(&self) -> Result<u64> {
        Ok(fs::metadata(self.swapinfo().join(IMAGE))?.len())
    }

    /// Loads `images` on another disk and compares that with the node's.
    fn check_restored(&self, images: &[&Path]) -> Result<()> {
        let restored = Disk::filled(self.dir.path().join("restored"), self.part != 0)?;
        let attached = restored.attach()?;
        for image in images {
            stdout(self.tool("imageunzip").arg(image).arg(&attached.device))?;
        }
        drop(attached);
        assert_eq!(restored.table()?, self.disk.table()?);
        restored.check_same_files(&self.disk)
    }

    fn check_delta(&self) -> Result<()> {
        self.check_restored(&[&self.base(), &self.swapinfo().join(IMAGE)])
    }

    /// What a user does before the experiment is swapped out.
    fn work(&self, number: u64) -> Result<()> {
        self.disk.edit(&mut |root| {
            fs::write(root.join(format!("home/result{number}")), noise(1000 + number, 2_000_000))?;
            fs::write(root.join("system7"), noise(number, 5_000))?;
            let deleted = root.join(format!("system{}", 20 + number));
            Ok(fs::remove_file(deleted)?)
        })
    }
}

/// Bytes that don't compress, others for each seed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2) | 1;
    let step = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(step).take(len).collect()
}

/// From swapin to the second swapout.
fn is_saved(part: u32) -> Result<()> {
    let node = Node::swapped_in(part)?;
    let before = node.files()?;

    assert_eq!(node.swap_out(&[])?, Some(0));
    assert_eq!(node.image_len()?, 0, "nothing has changed");
    node.check_delta()?;

    for number in 1..3 {
        node.work(number)?;
        assert_eq!(node.swap_out(&[])?, Some(0));
        let len = node.image_len()?;
        assert!(len > 2_000_000 && len < 20 << 20 && len % (1 << 20) == 0, "{len} bytes");
        // The previous image is gone, and nothing else was left behind.
        assert_eq!(node.files()?.len(), before.len() + 1);
        node.check_delta()?;
    }

    let saved = node.files()?;
    node.work(3)?;
    assert_eq!(node.swap_out(&["-s"])?, Some(0));
    assert_eq!(node.files()?, saved, "statistics change nothing");

    fs::remove_file(node.swapinfo().join("node1.sig"))?;
    assert_eq!(node.swap_out(&["-f"])?, Some(0), "a full image needs no signature");
    node.check_restored(&[&node.swapinfo().join(IMAGE)])
}

#[test]
fn a_whole_disk_is_saved() -> Result<()> {
    is_saved(0)
}

#[test]
fn a_partition_is_saved() -> Result<()> {
    is_saved(1)
}

#[test]
fn a_failure_leaves_the_previous_image() -> Result<()> {
    let node = Node::swapped_in(0)?;
    node.work(1)?;
    assert_eq!(node.swap_out(&[])?, Some(0));
    let saved = node.files()?;
    node.work(2)?;

    assert_eq!(node.swap_out_by("no_such_disk", 0, &[])?, Some(1));
    assert_eq!(node.files()?, saved, "no such disk");
    let attached = node.disk.attach()?;
    assert_eq!(node.swap_out_by(attached.name()?, 4, &[])?, Some(1));
    drop(attached);
    assert_eq!(node.files()?, saved, "no such partition");
    assert_eq!(node.swap_out(&["-q"])?, Some(255));
    assert_eq!(node.files()?, saved, "no such option");
    fs::write(node.swapinfo().join("node1.part"), "DISK=sda LOADPART=9\n")?;
    assert_eq!(node.run_script(&[])?, Some(255));
    assert_eq!(node.files()?, saved, "malformed description");

    let signature = node.swapinfo().join("testbed-base.sig");
    let content = fs::read(&signature)?;
    fs::write(&signature, &content[..content.len() - 1])?;
    let cut_off = node.files()?;
    assert_eq!(node.swap_out(&[])?, Some(1));
    assert_eq!(node.files()?, cut_off, "damaged signature");
    fs::remove_file(&signature)?;
    fs::remove_file(node.swapinfo().join("node1.sig"))?;
    let without = node.files()?;
    assert_eq!(node.swap_out(&[])?, Some(2));
    assert_eq!(node.files()?, without, "no signature");
    Ok(())
}

/// A file system that is mounted until this is dropped.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn new(place: PathBuf, size: &str) -> Result<Self> {
        let options = format!("size={size}");
        stdout(tool("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&place))?;
        Ok(Self(place))
    }

    fn make_read_only(&self) -> Result<()> {
        stdout(tool("mount").args(["-o", "remount,ro"]).arg(&self.0)).map(drop)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        if let Err(error) = stdout(tool("umount").arg(&self.0)) {
            eprintln!("{error:#}");
        }
    }
}

#[test]
fn a_full_or_write_protected_project_keeps_the_previous_image() -> Result<()> {
    let node = Node::swapped_in(1)?;
    let signature = fs::read(node.swapinfo().join("node1.sig"))?;
    let project = Tmpfs::new(node.swapinfo(), "5m")?;
    fs::write(node.swapinfo().join("node1.sig"), signature)?;
    // Room for this one, but not for this one and the next.
    node.work(1)?;
    assert_eq!(node.swap_out(&[])?, Some(0));
    let saved = node.files()?;

    node.work(2)?;
    assert_eq!(node.swap_out(&[])?, Some(1));
    assert!(node.files()? == saved, "full");

    let attached = node.disk.attach()?;
    let line = format!("DISK={} LOADPART=1 BOOTPART=1\n", attached.name()?);
    fs::write(node.swapinfo().join("node1.part"), line)?;
    project.make_read_only()?;
    assert_eq!(node.run_script(&[])?, Some(1));
    assert!(node.files()? == saved, "write-protected");
    Ok(())
}
