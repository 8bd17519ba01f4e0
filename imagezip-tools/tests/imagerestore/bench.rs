//! A disk with a GPT and an ext4 file system, its base image, what a user changed, and the delta.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use imagezip_core::digest::Sha256;
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::Image;
use imagezip_core::swapinfo::{Base, Meta};
use tempfile::TempDir;

/// What disks are full of before.
pub(crate) const GARBAGE: u8 = 0x5a;
const MIB: u64 = 1 << 20;
/// The disk's size.
pub(crate) const SIZE: u64 = 40 * MIB;
/// Where its partition begins, in bytes.
const PARTITION: u64 = MIB;
/// The sectors of a GPT at either end.
const TABLE: u64 = 34;

/// A directory with `disk`, `base.ndz`, `base.ndz.sig`, `node-swap.ndz`, `.sig` and `.meta`.
pub(crate) struct Bench(TempDir);

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self(TempDir::new().unwrap());
        File::create(bench.path("disk")).unwrap().set_len(SIZE).unwrap();
        bench.shell("echo 'label: gpt\nstart=2048, size=75776, type=linux' | sfdisk --quiet disk");
        fs::create_dir(bench.path("files")).unwrap();
        for number in 0..40_u64 {
            fs::write(bench.path(&format!("files/{number}")), noise(number, 400_000)).unwrap();
        }
        let size = 75_776 / 2;
        bench.shell(&format!("mkfs.ext4 -q -F -d files -E offset={PARTITION} disk {size}k"));
        bench.tool("imagezip", "-U base.ndz.sig disk base.ndz");

        fs::write(bench.path("new"), noise(1000, 3_000_000)).unwrap();
        bench.debugfs("rm 3");
        bench.debugfs("rm 17");
        bench.debugfs("write new new");
        bench.tool("imagezip", "-H base.ndz.sig -U node-swap.sig disk node-swap.ndz");
        bench.describe(|_| {});
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Writes what a node would say of the delta, changed by `change`.
    pub(crate) fn describe(&self, change: impl FnOnce(&mut Meta)) {
        let digest = |name| Sha256::of(&self.read(name)).0;
        let mut meta = Meta {
            pid: "p".into(),
            eid: "e".into(),
            vname: "node".into(),
            base: Some(Base {
                name: "base.ndz.sig".into(),
                signature_sha256: digest("base.ndz.sig"),
                image_sha256: Some(digest("base.ndz")),
            }),
            disk: "sda".into(),
            load_partition: 0,
            disk_size: SIZE,
            sector_size: 512,
            image_sha256: digest("node-swap.ndz"),
            image_size: self.read("node-swap.ndz").len() as u64,
            signature_sha256: Some(digest("node-swap.sig")),
            chunks: 1,
            regions: 1,
            sectors_in_use: 1,
            sectors_changed: 1,
            decided: Vec::new(),
            agent: "a test".into(),
            engine_sha256: None,
            created: 1,
        };
        change(&mut meta);
        fs::write(self.path("node-swap.meta"), meta.to_string()).unwrap();
    }

    /// A file of another user's.
    pub(crate) fn garbage(&self, name: &str, bytes: u64) {
        fs::write(self.path(name), vec![GARBAGE; usize::try_from(bytes).unwrap()]).unwrap();
    }

    /// Runs a tool, which has to do it; what it prints.
    pub(crate) fn tool(&self, name: &str, arguments: &str) -> String {
        let output = self.command(name, arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} {arguments}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn command(&self, name: &str, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imagezip-tools"));
        command.arg0(name).args(arguments.split_whitespace()).current_dir(self.0.path());
        command.stdin(Stdio::null());
        command
    }

    /// Calls imagerestore, which has to refuse it with this status and these words and to leave
    /// `target` as it is.
    pub(crate) fn refuses(&self, arguments: &str, target: &str, status: i32, words: &str) {
        let before = self.read(target);
        let Output { status: found, stderr, .. } =
            self.command("imagerestore", arguments).output().unwrap();
        let said = String::from_utf8_lossy(&stderr);
        assert_eq!(found.code(), Some(status), "{arguments}: {said}");
        assert!(said.starts_with("imagerestore: ") && said.contains(words), "{arguments}: {said}");
        assert!(self.read(target) == before, "{arguments}: {target} was written");
    }

    pub(crate) fn shell(&self, line: &str) -> String {
        let output = Command::new("bash")
            .args(["-o", "pipefail", "-c", line])
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir(self.0.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn debugfs(&self, request: &str) {
        self.shell(&format!("debugfs -w -R '{request}' 'disk?offset={PARTITION}'"));
    }

    /// The sectors that an image holds.
    pub(crate) fn extents(&self, name: &str) -> ExtentSet {
        Image::open(&self.read(name)).unwrap().extents().unwrap()
    }

    /// The number at a key of the statistics.
    pub(crate) fn number(json: &str, key: &str) -> u64 {
        let report: serde_json::Value = serde_json::from_str(json).unwrap();
        report[key].as_u64().unwrap()
    }

    /// Fails unless `target` has everything of the disk that was saved, but for a GPT that had to
    /// be fitted, and a file system without fault.
    pub(crate) fn assert_restored(&self, target: &str) {
        let fitted = fs::metadata(self.path(target)).unwrap().len() != SIZE;
        // What was freed is that of the base image still, so only what is in use counts.
        let signature = imagezip_core::signature::Signature::read(&self.read("node-swap.sig"));
        let (was, is) = (File::open(self.path("disk")), File::open(self.path(target)));
        let (was, is) = (was.unwrap(), is.unwrap());
        for entry in signature.unwrap().iter() {
            let (start, end) = (entry.range.start().get(), entry.range.end().get());
            let last = SIZE / 512 - TABLE;
            if fitted && (start < TABLE || end > last) {
                continue;
            }
            let len = usize::try_from((end - start) * 512).unwrap();
            let (mut a, mut b) = (vec![0; len], vec![0; len]);
            was.read_exact_at(&mut a, start * 512).unwrap();
            is.read_exact_at(&mut b, start * 512).unwrap();
            assert!(a == b, "{target} differs in {}", entry.range);
        }
        self.shell(&format!("e2fsck -fn '{target}?offset={PARTITION}'"));
        self.shell(&format!("sfdisk --verify {target}"));
        let new =
            self.shell(&format!("debugfs -R 'cat new' '{target}?offset={PARTITION}' | sha256sum"));
        assert!(new.starts_with(&Sha256::of(&self.read("new")).to_string()), "{new}");
    }
}

/// Bytes that don't compress.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).flatten().take(len).collect()
}
