//! File systems that contradict themselves: what is damaged is said, and all ends.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;
use xtask::command::{stdout, tool};

use crate::bench::{Bench, noise};

fn furnish(root: &Path) -> Result<()> {
    fs::create_dir_all(root.join("a/b/c"))?;
    for number in 0..30 {
        fs::write(root.join(format!("a/b/{number}")), noise(number, 2_000))?;
    }
    symlink("a/b/1", root.join("link"))?;
    symlink("x/".repeat(100), root.join("long"))?;
    Ok(())
}

/// Numbers that are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> Result<usize> {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Ok(usize::try_from((self.0 >> 33) % u64::try_from(limit)?)?)
    }
}

/// Damages a disk in many ways, and has everything read each time.
fn try_damage(bench: &Bench, sound: &[u8], places: &[usize], times: u32) -> Result<()> {
    let mut numbers = Numbers(places.len() as u64);
    fs::write(bench.path("damaged.img"), sound)?;
    bench.run("imagezip", &["-r", "-U", "", "damaged.img", "sound.ndz"])?;
    for _ in 0..times {
        let mut disk = sound.to_vec();
        for _ in 0..=numbers.below(6)? {
            let at = places[numbers.below(places.len())?];
            let value = [0, 0xff, 1, 0x80, u8::try_from(numbers.below(256)?)?][numbers.below(5)?];
            disk[at] = value;
            if numbers.below(2)? == 0 {
                disk[at ^ 1] = value;
            }
        }
        fs::write(bench.path("damaged.img"), &disk)?;
        bench.run("imagezip", &["-r", "-U", "", "damaged.img", "damaged.ndz"])?;
        let images = ["sound.ndz", "damaged.ndz"];
        bench.outcome("imagefs", &["ls", "-lR", images[1], ":/"])?;
        bench.outcome("imagefs", &[&["diff"], &images[..], &[":/"]].concat())?;
        bench.outcome("imagefs", &["cat", images[1], ":/a/b/1"])?;
    }
    Ok(())
}

/// The bytes of a disk that aren't zero, and some behind each: the metadata, mostly.
fn used(disk: &[u8]) -> Vec<usize> {
    let places =
        (0..disk.len()).filter(|at| disk[at / 16 * 16..][..16].iter().any(|byte| *byte != 0));
    places.collect()
}

#[test]
fn damaged_ext_file_systems_end() -> Result<()> {
    for format in [
        "mkfs.ext4 -q -b 1024 -O ^metadata_csum,^has_journal",
        "mkfs.ext2 -q -b 1024 -O ^dir_index",
    ] {
        let bench = Bench::new()?;
        furnish(&bench.path("tree"))?;
        let line = format!("{format} -N 64 -d {}", bench.path("tree").display());
        let disk = fs::read(bench.formatted("disk.img", 1, &line)?)?;
        // Superblock, descriptors, inodes and the first directories.
        let places: Vec<_> =
            used(&disk).into_iter().filter(|at| (1024..80 << 10).contains(at)).collect();
        try_damage(&bench, &disk, &places, 120)?;
    }
    Ok(())
}

#[test]
fn damaged_fat_file_systems_end() -> Result<()> {
    for (width, mib) in [("12", 2), ("16", 4), ("32", 36)] {
        let bench = Bench::new()?;
        let disk = bench.formatted("disk.img", mib, &format!("mkfs.vfat -F {width} -s 1"))?;
        furnish(&bench.path("tree"))?;
        fs::remove_file(bench.path("tree/link"))?;
        fs::remove_file(bench.path("tree/long"))?;
        stdout(tool("mcopy").arg("-s").arg("-i").arg(&disk).arg(bench.path("tree/a")).arg("::/"))?;
        let disk = fs::read(&disk)?;
        let places: Vec<_> = used(&disk).into_iter().filter(|at| *at < 100 << 10).collect();
        try_damage(&bench, &disk, &places, 60)?;
    }
    Ok(())
}

#[test]
fn a_directory_that_is_inside_of_itself_is_entered_once() -> Result<()> {
    let bench = Bench::new()?;
    furnish(&bench.path("tree"))?;
    let line = format!("mkfs.ext4 -q -d {}", bench.path("tree").display());
    let disk = bench.formatted("disk.img", 8, &line)?;
    stdout(tool("debugfs").args(["-w", "-R", "ln /a /a/b/loop"]).arg(&disk))?;
    stdout(tool("debugfs").args(["-w", "-R", "ln /a /a/b/c/again"]).arg(&disk))?;
    bench.run("imagezip", &["-r", "-U", "base.sig", "disk.img", "disk.ndz"])?;
    let output = bench.outcome("imagefs", &["ls", "-R", "disk.ndz", ":/"])?;
    let (listing, said) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(listing.contains("/a/b/loop\n") && !listing.contains("/loop/"), "{listing}");
    assert!(said.contains("/a/b/loop: is in the tree twice"), "{said}");
    assert_eq!(output.status.code(), Some(1));
    bench.outcome("imagefs", &["diff", "disk.ndz", "disk.ndz", ":/"])?;
    // A way may go round as often as it is written.
    let once = bench.cat(&["disk.ndz"], ":/a/b/loop/b/loop/b/1")?;
    assert_eq!(once, noise(1, 2_000));
    Ok(())
}
