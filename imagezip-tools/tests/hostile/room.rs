//! Disks that are full, and files that may not grow.

use std::fs;

use crate::bench::Bench;

/// A file system of 2 MiB.
struct Small<'a>(&'a Bench);

impl<'a> Small<'a> {
    fn new(bench: &'a Bench) -> Self {
        bench.does("mkdir small && mount -t tmpfs -o size=2M tmpfs small");
        Self(bench)
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        self.0.does("umount small");
    }
}

#[test]
fn full_disks() {
    let bench = Bench::new();
    let small = Small::new(&bench);
    fs::write(bench.file("small/old"), "old").unwrap();
    for line in [
        "imagezip -r disk small/new",
        "imagezip -r disk small/old",
        "imagezip -r - small/new < disk",
        "imageunzip base.ndz small/new",
        "imageunzip - small/new < base.ndz",
        "imagerezip base.ndz small/new",
        "imagerezip base.ndz small/old",
    ] {
        bench.refuses(line, "No space left on device");
        assert_eq!(bench.does("ls -A small"), "old\n", "{line}");
        assert_eq!(fs::read(bench.file("small/old")).unwrap(), b"old", "{line}");
    }
    bench.does("dd if=/dev/zero of=small/fill bs=4k 2>/dev/null; true");
    bench.refuses("imagehash -c -o small/sig base.ndz", "No space left on device");
    assert_eq!(bench.does("ls -A small"), "fill\nold\n");
    drop(small);
    for line in [
        "imagezip -r disk - > /dev/full",
        "imagezip -r disk /dev/full",
        "imagezip -r -U /dev/full disk new",
        "imageunzip base.ndz - > /dev/full",
        "imageunzip base.ndz /dev/full",
        "imagedump base.ndz > /dev/full",
        "imagehash -R base.ndz > /dev/full",
    ] {
        bench.refuses(line, "No space left on device");
    }
}

#[test]
fn files_that_may_not_grow() {
    let bench = Bench::new();
    fs::write(bench.file("old"), "old").unwrap();
    let names = bench.names();
    for line in ["imagezip -r disk new", "imagezip -r disk old", "imageunzip base.ndz new"] {
        bench.refuses(&format!("ulimit -f 1000; {line}"), "File too large");
        assert_eq!(bench.names(), names, "{line}");
    }
    assert_eq!(fs::read(bench.file("old")).unwrap(), b"old");
}
