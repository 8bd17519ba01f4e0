//! The classic way to save a node at swapout: a script of the node calls `imagezip`. This is the
//! script that an operator installs, with the static program, on block devices.
#![expect(clippy::panic_in_result_fn, reason = "a test fails by panicking")]

mod disk;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow};
use disk::Disk;
use imagezip_core::ndz::Image;
use imagezip_core::signature::Signature;
use imagezip_core::swapinfo::{Base, Meta, Part};
use imagezip_tools::create::sha256_of;
use imagezip_tools::host::FileDevice;
use tempfile::TempDir;
use xtask::command::{stdout, tool};
use xtask::tools::Tools;
use xtask::{apt, tools};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/create-swapimage");
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
        // The project's own program is not used unless the site says so.
        let own = bin.join("imagezip");
        fs::write(&own, "#!/bin/sh\nexit 7\n")?;
        fs::set_permissions(&own, fs::Permissions::from_mode(0o755))?;
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
        let base = sha256_of(&self.base())?;
        let line = format!("DISK={disk} LOADPART={part} BOOTPART=1 BASESHA256={base}\n");
        fs::write(self.swapinfo().join("node1.part"), line)?;
        self.run_script(options)
    }

    fn run_script(&self, options: &[&str]) -> Result<Option<i32>> {
        self.run(tool("sh").arg(SCRIPT).args(options)).map(|(status, _)| status)
    }

    /// Runs the script by `command` in the node's surroundings: its exit code and what it said.
    fn run(&self, command: &mut Command) -> Result<(Option<i32>, String)> {
        let output = command
            .env("PROJ", self.dir.path().join("proj"))
            .env("NICKNAME", self.dir.path().join("nickname"))
            .env("IMAGEZIP", self.tools.program("imagezip"))
            .env("SITE", self.dir.path().join("site"))
            .output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        eprintln!("{said}");
        Ok((output.status.code(), said))
    }

    /// What is in the directory for swap information, but for what the test itself writes anew.
    fn files(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(self.swapinfo())? {
            let path = entry?.path();
            if path.extension() != Some(OsStr::new("part")) && path.is_file() {
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

    /// Checks that the description is that of the image, and the signature that of the disk.
    fn check_set(&self, is_delta: bool) -> Result<()> {
        let file = |suffix: &str| self.swapinfo().join(format!("node1{suffix}"));
        let meta = Meta::parse(&fs::read(file("-swap.meta"))?)?;
        let image = FileDevice::open(&file("-swap.ndz"))?;
        let image = Image::open(&image)?;
        let (mut regions, sectors) = (0, image.extents()?.sector_count().get());
        image.headers(&mut |header| {
            regions += header.regions().count() as u64;
            Ok(())
        })?;
        assert_eq!(
            (meta.image_size, meta.image_sha256),
            (self.image_len()?, { sha256_of(&file("-swap.ndz"))?.0 })
        );
        assert_eq!(meta.signature_sha256, Some(sha256_of(&file("-swap.sig"))?.0));
        assert_eq!(
            (meta.chunks, meta.regions, meta.sectors_changed),
            (image.chunk_count().into(), regions, sectors)
        );
        assert_eq!((meta.load_partition, meta.disk_size), (u8::try_from(self.part)?, disk::SIZE));
        let base = is_delta.then(|| -> Result<Base> {
            let signature_sha256 = sha256_of(&file(".sig"))?.0;
            let image_sha256 = Part::parse(&fs::read(file(".part"))?)?.base_sha256;
            Ok(Base { name: "testbed-base.sig".into(), signature_sha256, image_sha256 })
        });
        assert_eq!(meta.base, base.transpose()?);
        let signature = Signature::read(fs::read(file("-swap.sig"))?.as_slice())?;
        assert!(signature.iter().count() > 10, "a short signature");
        let start = if self.part == 0 { 0 } else { disk::ROOT.0 };
        for entry in signature.iter() {
            let mut data = vec![0; usize::try_from(entry.range.len().to_bytes().get())?];
            let at = start + entry.range.start().to_bytes().get();
            fs::File::open(self.disk.file())?.read_exact_at(&mut data, at)?;
            assert_eq!(signature.digest(&data), entry.digest, "{}", entry.range);
        }
        assert!(meta.agent.starts_with("create-swapimage with imagezip "), "{}", meta.agent);
        Ok(())
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
    node.check_set(true)?;
    node.check_delta()?;

    for number in 1..3 {
        node.work(number)?;
        assert_eq!(node.swap_out(&[])?, Some(0));
        let len = node.image_len()?;
        assert!(len > 2_000_000 && len < 20 << 20 && len % (1 << 20) == 0, "{len} bytes");
        // The previous image is gone, and nothing else was left behind.
        assert_eq!(node.files()?.len(), before.len() + 3);
        node.check_set(true)?;
        node.check_delta()?;
    }

    let saved = node.files()?;
    node.work(3)?;
    assert_eq!(node.swap_out(&["-s"])?, Some(0));
    assert_eq!(node.files()?, saved, "statistics change nothing");

    fs::remove_file(node.swapinfo().join("node1.sig"))?;
    assert_eq!(node.swap_out(&["-f"])?, Some(0), "a full image needs no signature");
    node.check_set(false)?;
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
    assert_eq!(node.files()?, saved, "no such partition");
    // A run that was cut off between renames: the next one, good or not, does the others.
    for suffix in ["sig", "meta"] {
        let name = node.swapinfo().join(format!("node1-swap.{suffix}"));
        fs::rename(&name, name.with_extension(format!("{suffix}.tmp")))?;
    }
    assert_eq!(node.swap_out_by(attached.name()?, 4, &[])?, Some(1));
    assert_eq!(node.files()?, saved, "completed");
    // One that was cut off before them has saved nothing.
    for suffix in ["ndz", "sig", "meta"] {
        fs::write(node.swapinfo().join(format!("node1-swap.{suffix}.tmp")), "unfinished")?;
    }
    assert_eq!(node.swap_out_by(attached.name()?, 4, &[])?, Some(1));
    assert_eq!(node.files()?, saved, "discarded");
    drop(attached);
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

/// The disk is known by what its partition table says of itself, and not while it is in use.
#[test]
fn only_the_disk_that_is_meant_is_saved_and_only_if_it_is_free() -> Result<()> {
    let node = Node::swapped_in(0)?;
    let attached = node.disk.attach()?;
    let swap_out = |disk: &str, id: &str| {
        let line = format!("DISK={disk} LOADPART=0 BOOTPART=1 DISKGUID={id}\n");
        fs::write(node.swapinfo().join("node1.part"), line)?;
        node.run(tool("sh").arg(SCRIPT))
    };
    let (status, said) = swap_out(attached.name()?, "15a9e2fe")?;
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("DISKGUID=15a9e2fe, but it has 15a9e2ff"), "{said}");
    assert!(!node.swapinfo().join(IMAGE).exists());
    assert_eq!(swap_out(attached.name()?, "15A9E2FF")?.0, Some(0));
    node.check_set(true)?;
    drop(attached);
    let saved = node.files()?;

    let other = node.dir.path().join("other");
    fs::write(&other, vec![0; 4 << 20])?;
    stdout(tool("mkfs.ext2").args(["-q", "-F"]).arg(&other))?;
    let place = node.dir.path().join("place");
    fs::create_dir(&place)?;
    stdout(tool("mount").args(["-o", "loop,ro"]).arg(&other).arg(&place))?;
    let device = stdout(tool("findmnt").args(["-n", "-o", "SOURCE"]).arg(&place));
    let refused = device.and_then(|device| {
        let name = device.trim().trim_start_matches("/dev/").to_owned();
        node.swap_out_by(&name, 0, &["-f"])
    });
    stdout(tool("umount").arg(&place))?;
    assert_eq!(refused?, Some(1));
    assert_eq!(node.files()?, saved, "a disk in use");
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
    assert_eq!(node.run_script(&["-s"])?, Some(0), "statistics write nothing");
    assert!(node.files()? == saved, "write-protected");
    Ok(())
}

/// The project's own program is used where the site says so, but never as root.
#[test]
fn a_projects_own_program_needs_the_sites_leave_and_a_user() -> Result<()> {
    const USER: u32 = 20001;
    let node = Node::swapped_in(0)?;
    node.work(1)?;
    fs::write(node.dir.path().join("site"), "OVERRIDE=1\n")?;
    assert_eq!(node.swap_out(&[])?, Some(1));
    assert!(!node.swapinfo().join(IMAGE).exists(), "made by root");

    // A user who may read the disk.
    fs::set_permissions(node.dir.path(), fs::Permissions::from_mode(0o755))?;
    chown(node.swapinfo(), Some(USER), Some(USER))?;
    chown(node.swapinfo().join("logs"), Some(USER), Some(USER))?;
    let attached = node.disk.attach()?;
    let readable = Readable::new(&attached, USER + 1)?;
    let line = format!("DISK={} LOADPART=0 BOOTPART=1\n", readable.name()?);
    fs::write(node.swapinfo().join("node1.part"), line)?;
    let run = || {
        let mut setpriv = tool("setpriv");
        setpriv.args([format!("--reuid={USER}"), format!("--regid={USER}")]);
        node.run(setpriv.arg(format!("--groups={}", USER + 1)).args(["sh", SCRIPT]))
    };
    let (status, said) = run()?;
    assert!(status == Some(1) && said.contains("bin/imagezip failed with status 7"), "{said}");
    fs::copy(node.tools.program("imagezip"), node.dir.path().join("proj/testbed/bin/imagezip"))?;
    assert_eq!(run()?.0, Some(0));
    let image = fs::metadata(node.swapinfo().join(IMAGE))?;
    assert_eq!((image.uid(), image.mode() & 0o777), (USER, 0o660));
    assert!(!node.swapinfo().join("node1-swap.meta").exists());
    drop((readable, attached));
    node.check_delta()
}

/// A block device under another name, which a group may read and nobody but root write.
struct Readable(PathBuf);

impl Readable {
    fn new(attached: &disk::Attached, group: u32) -> Result<Self> {
        let number = fs::read_to_string(format!("/sys/block/{}/dev", attached.name()?))?;
        let (major, minor) = number.trim_end().split_once(':').context("no device number")?;
        let path = PathBuf::from(format!("/dev/swapmfs_test_{}", std::process::id()));
        let mut mknod = tool("mknod");
        mknod.arg("--mode=0440").arg(&path);
        stdout(mknod.args(["b", major, minor]))?;
        let device = Self(path);
        chown(&device.0, Some(0), Some(group))?;
        Ok(device)
    }

    fn name(&self) -> Result<&str> {
        self.0.file_name().and_then(OsStr::to_str).context("a device without a name")
    }
}

impl Drop for Readable {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            eprintln!("{}: {error}", self.0.display());
        }
    }
}

#[test]
fn the_script_says_who_it_is_for() -> Result<()> {
    let node = Node::swapped_in(0)?;
    let (status, said) = node.run(tool("sh").args([SCRIPT, "-h"]))?;
    assert!(status == Some(0) && said.starts_with("Usage: create-swapimage [-f] [-s]"), "{said}");
    for name in ["", "node1.exp1", "a.b.c.d", "a/../b.exp1.testbed", "node1.exp1.."] {
        fs::write(node.dir.path().join("nickname"), name)?;
        assert_eq!(node.run_script(&[])?, Some(255), "{name}");
    }
    // Without that file the control server is asked.
    fs::remove_file(node.dir.path().join("nickname"))?;
    let bin = node.dir.path().join("bin");
    fs::create_dir(&bin)?;
    let tmcc = "#!/bin/sh\n[ $1 = status ] && echo ALLOCATED=testbed/exp1 NICKNAME=node1\n";
    fs::write(bin.join("tmcc"), tmcc)?;
    fs::set_permissions(bin.join("tmcc"), fs::Permissions::from_mode(0o755))?;
    let path = format!("{}:{}", bin.display(), std::env::var("PATH")?);
    let (status, said) = node.run(tool("sh").arg(SCRIPT).env("PATH", path))?;
    assert!(status == Some(2) && said.contains("swapinfo/node1.part"), "{said}");
    Ok(())
}

#[test]
fn shellcheck_finds_nothing() -> Result<()> {
    apt::ensure(apt::SHELL_TOOLS)?;
    stdout(tool("shellcheck").arg(SCRIPT)).map(drop)
}
