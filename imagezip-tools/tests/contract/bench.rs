//! A directory with a disk, a changed disk, and what the tools make of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::call::Call;

/// The size of the disks: the image has two chunks, since half of it is noise.
const DISK_BYTES: usize = 3 << 20;

/// What the tools made, by name: made once, since each test begins with it.
static FILES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let bench = Bench::empty("bench");
    let mut disk = vec![0; DISK_BYTES];
    // Noise, so that the image is large: a linear congruential generator.
    let mut state = 1_u32;
    for byte in &mut disk[4096..(DISK_BYTES / 2)] {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = state.to_be_bytes()[0];
    }
    fs::write(bench.path("disk.img"), &disk).unwrap();
    disk[1_000_000..1_100_000].fill(0x11);
    disk[2_500_000..2_500_100].fill(0x22);
    fs::write(bench.path("changed.img"), &disk).unwrap();
    bench.make("imagezip", &["-r", "-U", "disk.ndz.sig", "disk.img", "disk.ndz"]);
    bench.make("imagezip", &["-r", "-U", "changed.ndz.sig", "changed.img", "changed.ndz"]);
    bench.make("imagedelta", &["disk.ndz", "changed.ndz", "delta.ndz"]);
    let read = |name: String| (name.clone(), fs::read(bench.path(&name)).unwrap());
    bench.names().into_iter().map(read).collect()
});

/// A directory with `disk.img` and `changed.img`, `disk.ndz` and `changed.ndz` with signatures,
/// and `delta.ndz` from one to the other.
pub(crate) struct Bench(TempDir);

impl Bench {
    /// A directory for the test of that name.
    pub(crate) fn new(test: &str) -> Self {
        let bench = Self::empty(test);
        for (name, content) in FILES.iter() {
            fs::write(bench.path(name), content).unwrap();
        }
        bench
    }

    fn empty(test: &str) -> Self {
        Self(tempfile::Builder::new().prefix(test).tempdir().unwrap())
    }

    fn make(&self, tool: &str, arguments: &[&str]) {
        let outcome = self.call(tool, arguments).run();
        assert_eq!(outcome.status, 0, "{}: {}", outcome.line, outcome.stderr);
    }

    /// A file of that name in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &Path {
        self.0.path()
    }

    /// A call in the directory.
    pub(crate) fn call(&self, tool: &str, arguments: &[&str]) -> Call {
        Call::new(tool, arguments, self.directory())
    }

    /// The names of all files in the directory.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    /// Changes a file's content.
    pub(crate) fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.path(name);
        let mut content = fs::read(&path).unwrap();
        change(&mut content);
        fs::write(&path, content).unwrap();
    }
}
