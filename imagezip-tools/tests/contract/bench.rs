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
    let mut fat = fat_disk(&disk[4096..][..FILE_BYTES]);
    fs::write(bench.path("fat.img"), &fat).unwrap();
    bench.make("imagezip", &["-r", "-U", "fat.ndz.sig", "fat.img", "fat.ndz"]);
    *fat.last_mut().unwrap() = 1;
    fat[FAT_START + 3 * 512 + 7 * 512] ^= 1;
    fs::write(bench.path("fat.img"), &fat).unwrap();
    bench.make("imagezip", &["-r", "-H", "fat.ndz.sig", "fat.img", "fat-delta.ndz"]);
    let read = |name: String| (name.clone(), fs::read(bench.path(&name)).unwrap());
    bench.names().into_iter().map(read).collect()
});

/// Where on its disk the FAT file system begins.
const FAT_START: usize = 8 * 512;
/// The size of the file on it.
const FILE_BYTES: usize = 100_000;

/// A disk with a partition with a FAT file system with a file `NOISE.BIN`.
fn fat_disk(noise: &[u8]) -> Vec<u8> {
    // The boot sector, a table of two sectors, a root directory of one, 500 clusters of a sector.
    const SECTORS: u16 = 504;
    let mut fs = vec![0; usize::from(SECTORS) * 512];
    let mut put = |at: usize, bytes: &[u8]| fs[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &[0xeb, 0x3c, 0x90]);
    // Bytes in a sector, sectors in a cluster, sectors before the table, tables, entries of the
    // root directory.
    put(11, &[0, 2, 1, 1, 0, 1, 16, 0]);
    put(19, &SECTORS.to_le_bytes());
    put(21, &[0xf8, 2, 0]);
    put(510, &[0x55, 0xaa]);
    let clusters = u16::try_from(noise.len().div_ceil(512)).unwrap();
    for cluster in 2..clusters + 2 {
        let next = if cluster == clusters + 1 { 0xfff } else { cluster + 1 };
        let (at, odd) = (512 + usize::from(cluster) * 3 / 2, cluster % 2 == 1);
        let field = u16::from_le_bytes([fs[at], fs[at + 1]]);
        let field = if odd { field & 0xf | next << 4 } else { field & 0xf000 | next };
        fs[at..at + 2].copy_from_slice(&field.to_le_bytes());
    }
    let root = 3 * 512;
    fs[root..root + 12].copy_from_slice(b"NOISE   BIN\x20");
    fs[root + 24..root + 28].copy_from_slice(&[0x21, 0x5b, 2, 0]);
    fs[root + 28..root + 32].copy_from_slice(&u32::try_from(noise.len()).unwrap().to_le_bytes());
    fs[root + 512..root + 512 + noise.len()].copy_from_slice(noise);

    let mut disk = vec![0; FAT_START];
    disk[446 + 4] = 0x01;
    disk[446 + 8..446 + 16].copy_from_slice(&[8, 0, 0, 0, 0xf8, 1, 0, 0]);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk.extend(fs);
    disk
}

/// A directory with `disk.img` and `changed.img`, `disk.ndz` and `changed.ndz` with signatures,
/// and `delta.ndz` from one to the other; `fat.ndz` of a disk with a file system, and `fat-delta.ndz`.
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
