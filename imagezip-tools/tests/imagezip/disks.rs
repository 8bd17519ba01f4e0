//! Disks for all tests.

use std::fs;

use crate::bench::Bench;

/// The first sector and the number of sectors of each partition of [`disk`].
pub(crate) const EXT: (u64, u64) = (2048, 32768);
pub(crate) const SWAP: (u64, u64) = (34816, 8192);
pub(crate) const UNKNOWN: (u64, u64) = (43008, 4096);
pub(crate) const SECTORS: u64 = 49152;

/// Noise that doesn't compress; `seed` tells one from another.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| next().to_le_bytes()).collect();
    bytes.truncate(len);
    bytes
}

/// Puts an ext4 file system with some files on `file`, from byte `offset` on, smaller by 4 MiB
/// than it could be.
pub(crate) fn mkfs(bench: &Bench, file: &str, offset: u64, sectors: u64) {
    let tree = bench.path("tree");
    fs::create_dir_all(tree.join("sub")).unwrap();
    fs::write(tree.join("noise"), noise(700_000, 7)).unwrap();
    fs::write(tree.join("sub/text"), "text\n".repeat(5000)).unwrap();
    let place = format!("offset={offset}");
    let blocks = (sectors / 8 - 1024).to_string();
    let arguments =
        ["-q", "-F", "-t", "ext4", "-b", "4096", "-d", "tree", "-E", &place, file, &blocks];
    bench.run("mke2fs", &arguments);
}

/// A directory with `disk`: 24 MiB, with an MBR; partition 1 is ext4, 2 swap, 3 something else
/// and full of noise, 5 a logical one with ext4. What is free is full of garbage.
pub(crate) fn disk() -> Bench {
    let bench = Bench::new();
    let mut bytes = noise(usize::try_from(SECTORS * 512).unwrap(), 1);
    // What comes before the first partition.
    bytes[..1 << 20].fill(0);
    bench.write("disk", &bytes);
    let script = format!(
        "label: dos\nstart={}, size={}, type=83\nstart={}, size={}, type=82\n\
         start={}, size={}, type=da\n",
        EXT.0, EXT.1, SWAP.0, SWAP.1, UNKNOWN.0, UNKNOWN.1
    );
    bench.write("script", script.as_bytes());
    bench.run("sh", &["-c", "sfdisk --quiet --no-tell-kernel disk < script"]);
    mkfs(&bench, "disk", EXT.0 * 512, EXT.1);
    let swap = format!(
        "dd if=/dev/zero of=swap bs=512 count={} status=none; mkswap -q swap; dd if=swap of=disk bs=512 count=8 seek={} conv=notrunc status=none",
        SWAP.1, SWAP.0
    );
    bench.run("sh", &["-c", &swap]);
    bench
}

/// Checks the file system in `name`, and that its files are those of [`mkfs`].
pub(crate) fn assert_files(bench: &Bench, name: &str) {
    bench.run("e2fsck", &["-fn", name]);
    for (file, expected) in
        [("noise", noise(700_000, 7)), ("sub/text", "text\n".repeat(5000).into_bytes())]
    {
        bench.run("debugfs", &["-R", &format!("dump {file} dumped"), name]);
        assert!(bench.read("dumped") == expected, "{file}");
    }
}
