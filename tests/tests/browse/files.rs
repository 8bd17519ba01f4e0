//! What `imagefs` lists and copies, against what the kernel shows.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, chown, symlink};
use std::path::Path;

use anyhow::{Context, Result};
use swapmfs_tests::trial::is_root;
use xtask::command::{fed, stdout, tool};

use crate::bench::{Bench, noise, write_synced};
use crate::snapshot::{Tree, of_directory, of_json};

/// File systems that tell in different ways where their files are.
const FORMATS: &[&str] = &[
    "mkfs.ext2 -q -b 1024 -I 128",
    "mkfs.ext2 -q -b 4096",
    "mkfs.ext3 -q -b 1024",
    "mkfs.ext4 -q -b 1024",
    "mkfs.ext4 -q -b 4096",
    "mkfs.ext4 -q -b 4096 -O ^extent,^64bit,^metadata_csum,^dir_index",
    "mkfs.ext4 -q -b 4096 -I 512 -O inline_data",
    "mkfs.ext4 -q -b 4096 -O bigalloc -C 16384",
    "mkfs.ext4 -q -b 4096 -O meta_bg,^resize_inode,^has_journal",
];

/// Everything that a tree may hold.
fn furnish(root: &Path) -> Result<()> {
    fs::create_dir_all(root.join("a/b/c"))?;
    fs::write(root.join("a/b/c/deep"), b"deep\n")?;
    fs::write(root.join("empty"), b"")?;
    for len in [59, 60, 61, 100, 150, 200, 300, 400] {
        fs::write(root.join(format!("a/{len}")), noise(2, len))?;
        symlink("x".repeat(len), root.join(format!("link-{len}")))?;
    }
    // Directories of a few entries.
    for count in 1..12 {
        fs::create_dir(root.join(format!("few-{count}")))?;
        for number in 0..count {
            fs::write(root.join(format!("few-{count}/{number}")), b"")?;
        }
    }
    fs::write(root.join("large"), noise(1, 6 << 20))?;
    // Pieces far from each other, so that there are blocks at all removes, and holes.
    let sparse = File::create(root.join("sparse"))?;
    for (number, at) in [0_u64, 5_000, 300_000, 5_000_000, 80_000_000].into_iter().enumerate() {
        sparse.write_all_at(&noise(u32::try_from(number)?, 3_000), at)?;
    }
    sparse.set_len(90_000_001)?;
    // Many pieces: more than the inode has room for.
    let pieces = File::create(root.join("pieces"))?;
    for number in 0..200_u32 {
        pieces.write_all_at(&noise(number, 1024), u64::from(number) * 20_000)?;
    }
    let reserved = root.join("reserved");
    fs::write(&reserved, b"some")?;
    // Blocks that are reserved and were never written. Not all file systems can do it.
    let _ = stdout(tool("fallocate").args(["-l", "200000"]).arg(&reserved));
    fs::create_dir(root.join("many"))?;
    for number in 0..700 {
        fs::write(
            root.join(format!("many/a-name-that-takes-some-room-{number}")),
            number.to_string(),
        )?;
    }
    for number in (0..700).step_by(3) {
        fs::remove_file(root.join(format!("many/a-name-that-takes-some-room-{number}")))?;
    }
    symlink("a/b", root.join("short"))?;
    symlink("/a/b/c/../c/deep", root.join("absolute"))?;
    symlink(format!("{}a/b/c/deep", "./".repeat(60)), root.join("long"))?;
    symlink("loop", root.join("loop"))?;
    symlink("nowhere", root.join("dangling"))?;
    for name in [&b"not\xffutf-8"[..], b"new\nline", b"\x1b[31mred", "größe".as_bytes(), b" "] {
        fs::write(root.join(OsStr::from_bytes(name)), name)?;
    }
    for (name, kind) in [("null", ["c", "1", "3"]), ("disk", ["b", "259", "70000"])] {
        stdout(tool("mknod").arg(root.join(name)).args(kind))?;
    }
    stdout(tool("mkfifo").arg(root.join("fifo")))?;
    fs::hard_link(root.join("a/b/c/deep"), root.join("hard"))?;
    chown(root.join("empty"), Some(70_000), Some(80_000))?;
    fs::set_permissions(root.join("empty"), Permissions::from_mode(0o6751))?;
    fs::set_permissions(root.join("many"), Permissions::from_mode(0o1777))?;
    stdout(tool("touch").args(["-d", "1950-01-02 03:04:05.5 UTC"]).arg(root.join("hard")))?;
    Ok(())
}

/// Checks that images show what a mounted directory does.
fn check(bench: &Bench, images: &[&str], place: &str, root: &Path) -> Result<()> {
    let listed = bench
        .run("imagefs", &[&["ls", "--json", "-R"], images, &[&format!("{place}/")]].concat())?;
    let (listed, expected) = (of_json(&listed)?, of_directory(root)?);
    same_trees(&listed, &expected);
    let mut small = 0;
    for (path, facts) in &expected {
        // Small files in large numbers are all alike.
        small += u32::from(facts.size < 20);
        if facts.kind != "file" || small > 40 && facts.size < 20 {
            continue;
        }
        let content = fs::read(root.join(OsStr::from_bytes(path.get(1..).context("a slash")?)))?;
        let mut call = bench.call("imagefs", &[&["cat"], images].concat())?;
        let place = [place.as_bytes(), path].concat();
        let output = call.arg(OsStr::from_bytes(&place)).output()?;
        assert!(output.status.success(), "{}: {output:?}", path.escape_ascii());
        assert!(output.stdout == content, "{}", path.escape_ascii());
    }
    Ok(())
}

fn same_trees(listed: &Tree, expected: &Tree) {
    for (path, facts) in expected {
        assert_eq!(listed.get(path), Some(facts), "{}", path.escape_ascii());
    }
    let more: Vec<_> = listed.keys().filter(|path| !expected.contains_key(*path)).collect();
    assert!(more.is_empty(), "{more:?}");
}

#[test]
fn files_are_as_the_kernel_shows_them() -> Result<()> {
    if !is_root("files_are_as_the_kernel_shows_them") {
        return Ok(());
    }
    for format in FORMATS {
        let bench = Bench::new()?;
        let disk = bench.formatted("disk.img", 64, format)?;
        let mounted = bench.mount(&disk, "rw")?;
        furnish(mounted.path()).with_context(|| (*format).to_owned())?;
        mounted.end()?;
        bench.run("imagezip", &["disk.img", "disk.ndz"])?;
        let mounted = bench.mount(&disk, "ro")?;
        check(&bench, &["disk.ndz"], ":", mounted.path()).with_context(|| (*format).to_owned())?;
    }
    Ok(())
}

/// The last word is the journal's, as after a mount.
#[test]
fn journals_are_replayed() -> Result<()> {
    if !is_root("journals_are_replayed") {
        return Ok(());
    }
    for (format, options) in [
        ("mkfs.ext3 -q -b 1024", "commit=1000"),
        ("mkfs.ext4 -q -b 4096", "commit=1000"),
        ("mkfs.ext4 -q -b 1024 -O ^metadata_csum,^64bit", "commit=1000,data=journal"),
    ] {
        let bench = Bench::new()?;
        let disk = bench.formatted("disk.img", 64, format)?;
        let mounted = bench.mount(&disk, options)?;
        let root = mounted.path();
        fs::create_dir(root.join("new"))?;
        for number in 0..40_u32 {
            let len = usize::try_from(number)? * 700;
            write_synced(&root.join(format!("new/{number}")), &noise(number, len))?;
            if number % 4 == 3 {
                // Directories that vanish have their blocks revoked.
                fs::remove_file(root.join(format!("new/{}", number - 1)))?;
                fs::create_dir(root.join("gone"))?;
                write_synced(&root.join("gone/file"), b"x")?;
                fs::remove_dir_all(root.join("gone"))?;
            }
        }
        write_synced(&root.join("last"), b"last\n")?;
        mounted.cut()?;
        let needs = stdout(tool("dumpe2fs").arg("-h").arg(&disk))?;
        assert!(needs.contains("needs_recovery"), "{needs}");
        bench.run("imagezip", &["disk.img", "disk.ndz"])?;
        assert_eq!(bench.cat(&["disk.ndz"], ":/last")?, b"last\n");
        let recovered = bench.mount(&disk, "rw")?;
        check(&bench, &["disk.ndz"], ":", recovered.path()).with_context(|| format.to_owned())?;
    }
    Ok(())
}

#[test]
fn ways_through_links_end() -> Result<()> {
    let bench = Bench::new()?;
    let tree = bench.path("tree");
    fs::create_dir_all(tree.join("a/b"))?;
    fs::write(tree.join("a/file"), b"file\n")?;
    for (target, name) in [
        ("loop", "loop"),
        ("nowhere", "dangling"),
        ("/a/b/../file", "absolute"),
        ("../../../../a/file", "a/b/outside"),
        ("a/b", "directory"),
    ] {
        symlink(target, tree.join(name))?;
    }
    bench.formatted("disk.img", 8, &format!("mkfs.ext4 -q -d {}", tree.display()))?;
    bench.run("imagezip", &["disk.img", "disk.ndz"])?;
    for place in [
        ":/absolute",
        ":/a/b/outside",
        ":/directory/outside",
        ":/directory/../file",
        ":/a//./file",
        ":/../a/file",
    ] {
        assert_eq!(bench.cat(&["disk.ndz"], place)?, b"file\n", "{place}");
    }
    for (place, why) in [
        (":/loop", "too many symbolic links"),
        (":/dangling", "no such file: /nowhere"),
        (":/a", "is a directory"),
        (":/a/file/", "is no directory"),
        (":/a/file/x", "/a/file is no directory"),
        (":/nowhere/x", "no such file: /nowhere"),
        ("1:/a", "no partition table"),
        (":", "which file?"),
    ] {
        let output = bench.outcome("imagefs", &["cat", "disk.ndz", place])?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{place}: {said}");
        assert!(said.contains(why) && output.stdout.is_empty(), "{place}: {said}");
    }
    // To a file: complete, or as it was.
    bench.run("imagefs", &["cat", "-o", "out", "disk.ndz", ":/absolute"])?;
    assert_eq!(fs::read(bench.path("out"))?, b"file\n");
    let over = bench.outcome("imagefs", &["cat", "-o", "disk.ndz", "disk.ndz", ":/absolute"])?;
    assert!(!over.status.success() && fs::metadata(bench.path("disk.ndz"))?.len() > 100_000);
    let listing = bench.run("imagefs", &["ls", "-l", "disk.ndz", ":/directory"])?;
    assert!(listing.ends_with(" directory -> a/b\n") && listing.lines().count() == 1, "{listing}");
    let inside = bench.run("imagefs", &["ls", "disk.ndz", ":/directory/"])?;
    assert_eq!(inside, "outside\n");
    Ok(())
}

/// What fast commits changed isn't shown, and that is said.
#[test]
fn fast_commits_are_not_passed_over_in_silence() -> Result<()> {
    if !is_root("fast_commits_are_not_passed_over_in_silence") {
        return Ok(());
    }
    let bench = Bench::new()?;
    let disk = bench.formatted("disk.img", 64, "mkfs.ext4 -q -O fast_commit")?;
    let mounted = bench.mount(&disk, "commit=1000")?;
    let path = mounted.path().join("file");
    write_synced(&path, b"before")?;
    stdout(tool("sync").arg("-f").arg(mounted.path()))?;
    let file = File::options().write(true).open(&path)?;
    file.write_all_at(b" and after", 6)?;
    file.sync_all()?;
    drop(file);
    mounted.cut()?;
    bench.run("imagezip", &["disk.img", "disk.ndz"])?;
    let output = bench.outcome("imagefs", &["cat", "disk.ndz", ":/file"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    let recovered = bench.mount(&disk, "rw")?;
    let expected = fs::read(recovered.path().join("file"))?;
    assert_eq!(expected, b"before and after");
    assert!(output.stdout == expected || said.contains("fast commits"), "{said}");
    Ok(())
}

#[test]
fn images_of_all_versions_are_read() -> Result<()> {
    let bench = Bench::new()?;
    let tree = bench.path("tree");
    fs::create_dir(&tree)?;
    fs::write(tree.join("file"), b"content\n")?;
    let part = bench.formatted("part.img", 40, &format!("mkfs.ext4 -q -d {}", tree.display()))?;
    let disk = bench.blank("disk.img", 48)?;
    fed(tool("sfdisk").arg("--quiet").arg(&disk), "label: dos\n2048,81920,83\n")?;
    File::options().write(true).open(&disk)?.write_all_at(&fs::read(part)?, 1 << 20)?;
    for version in ["-1", "-3", "-5"] {
        for (words, place) in [
            (&["part.img"][..], ":/file"),
            (&["-s", "1", "disk.img"], ":/file"),
            (&["disk.img"], "1:/file"),
        ] {
            let line = [&[version, "-U", ""], words, &["image.ndz"]].concat();
            bench.run("imagezip", &line)?;
            let content = bench.cat(&["image.ndz"], place);
            assert_eq!(content.with_context(|| line.join(" "))?, b"content\n");
        }
    }
    // A place without its colon is taken for an image.
    let output = bench.outcome("imagefs", &["cat", "image.ndz", "/file"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("write :/file, with a partition's number"), "{said}");
    Ok(())
}
