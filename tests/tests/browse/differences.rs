//! Which files `imagefs` says that deltas changed, against what the kernel shows before and after.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, chown, symlink};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;
use swapmfs_tests::trial::is_root;
use xtask::command::{stdout, tool};

use crate::bench::{Bench, noise};
use crate::snapshot::{Facts, Tree, bytes, of_directory};

/// A tree, and the contents of its files.
struct State {
    tree: Tree,
    contents: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl State {
    fn of(root: &Path) -> Result<Self> {
        let tree = of_directory(root)?;
        let files = tree.iter().filter(|(_, facts)| facts.kind == "file");
        let contents = files.map(|(path, _)| {
            let file = root.join(OsStr::from_bytes(path.get(1..).context("a slash")?));
            Ok((path.clone(), fs::read(file)?))
        });
        let contents = contents.collect::<Result<_>>()?;
        Ok(Self { tree, contents })
    }

    /// What changed from this state to another, as it is documented.
    fn changes(&self, new: &Self) -> BTreeMap<Vec<u8>, char> {
        let mut changes = BTreeMap::new();
        for (path, facts) in &self.tree {
            let letter = match new.tree.get(path) {
                None => Some('D'),
                Some(now) => self.letter(new, path, facts, now),
            };
            changes.extend(letter.map(|letter| (path.clone(), letter)));
        }
        let added = new.tree.keys().filter(|path| !self.tree.contains_key(*path));
        changes.extend(added.map(|path| (path.clone(), 'A')));
        changes
    }

    fn letter(&self, new: &Self, path: &[u8], old: &Facts, now: &Facts) -> Option<char> {
        if old.kind != now.kind {
            return Some('T');
        }
        let content = self.contents.get(path) != new.contents.get(path);
        if content || old.target != now.target || old.device != now.device {
            return Some('M');
        }
        let times = old.kind != "directory" && old.modified != now.modified;
        (times || old.mode != now.mode || old.owner != now.owner).then_some('P')
    }
}

fn reported(text: &str) -> Result<BTreeMap<Vec<u8>, char>> {
    let json: Value = serde_json::from_str(text)?;
    let changes = json.as_array().context("no array")?.iter().map(|change| {
        let letter = change["status"].as_str().and_then(|status| status.chars().next());
        Ok((bytes(change, "path")?.context("path")?, letter.context("status")?))
    });
    changes.collect()
}

fn furnish(root: &Path) -> Result<()> {
    for directory in ["etc", "home/user", "usr/lib"] {
        fs::create_dir_all(root.join(directory))?;
        for number in 0..60 {
            fs::write(
                root.join(format!("{directory}/{number}")),
                noise(number, 3_000 + 500 * usize::try_from(number)?),
            )?;
        }
    }
    fs::write(root.join("usr/large"), noise(7, 4 << 20))?;
    symlink("etc/1", root.join("link"))?;
    symlink("etc", root.join("other"))?;
    Ok(())
}

/// Changes of every kind. No two of them are about the same file.
fn change(root: &Path) -> Result<()> {
    let path = |name: &str| root.join(name);
    fs::write(path("etc/1"), b"shorter")?;
    fs::remove_file(path("etc/2"))?;
    fs::rename(path("etc/3"), path("etc/renamed"))?;
    fs::set_permissions(path("etc/4"), Permissions::from_mode(0o4711))?;
    chown(path("etc/5"), Some(7), None)?;
    stdout(tool("touch").args(["-d", "2001-02-03"]).arg(path("etc/6")))?;
    // The same bytes at another place.
    fs::copy(path("etc/7"), path("etc/copy"))?;
    fs::rename(path("etc/copy"), path("etc/7"))?;
    // Another byte; size and time are what they were.
    let time = fs::metadata(path("usr/large"))?.modified()?;
    let large = File::options().write(true).open(path("usr/large"))?;
    large.write_all_at(b"?", 3_000_000)?;
    large.set_modified(time)?;
    drop(large);
    fs::remove_file(path("etc/8"))?;
    fs::create_dir(path("etc/8"))?;
    fs::write(path("etc/8/inside"), b"x")?;
    fs::remove_dir_all(path("home/user"))?;
    fs::write(path("home/user"), b"a file now")?;
    fs::remove_file(path("link"))?;
    symlink("etc/9", path("link"))?;
    fs::create_dir_all(path("new/directory"))?;
    fs::write(path("new/directory/file"), noise(9, 10_000))?;
    fs::set_permissions(path("usr/lib"), Permissions::from_mode(0o700))?;
    for number in 20..30_u32 {
        let file = File::options().append(true).open(path(&format!("usr/lib/{number}")))?;
        file.write_all_at(&noise(number, 100), 0)?;
    }
    Ok(())
}

#[test]
fn changes_are_those_that_were_made() -> Result<()> {
    if !is_root("changes_are_those_that_were_made") {
        return Ok(());
    }
    for (format, cut) in [
        ("mkfs.ext4 -q", false),
        ("mkfs.ext4 -q -b 1024", true),
        ("mkfs.ext3 -q", true),
        ("mkfs.ext2 -q -b 1024", false),
    ] {
        let bench = Bench::new()?;
        let disk = bench.formatted("disk.img", 64, format)?;
        let mounted = bench.mount(&disk, "rw")?;
        furnish(mounted.path())?;
        mounted.end()?;
        bench.run("imagezip", &["-U", "base.sig", "disk.img", "base.ndz"])?;
        let mounted = bench.mount(&disk, "rw")?;
        let before = State::of(mounted.path())?;
        change(mounted.path())?;
        stdout(tool("sync").arg("-f").arg(mounted.path()))?;
        if cut {
            mounted.cut()?;
        } else {
            mounted.end()?;
        }
        bench.run("imagezip", &["-H", "base.sig", "-U", "first.sig", "disk.img", "first.ndz"])?;
        let images = ["base.ndz", "first.ndz"];
        let found = bench.run("imagefs", &[&["diff", "--json"], &images[..]].concat())?;

        let mounted = bench.mount(&disk, "rw")?;
        let after = State::of(mounted.path())?;
        let expected = before.changes(&after);
        assert!(expected.len() > 80, "{}", expected.len());
        assert_eq!(reported(&found)?, expected, "{format}");

        // A delta on the delta, and what it alone changed.
        fs::write(mounted.path().join("etc/1"), b"again")?;
        fs::write(mounted.path().join("new/one"), b"1")?;
        mounted.end()?;
        bench.run("imagezip", &["-H", "first.sig", "disk.img", "second.ndz"])?;
        let images = ["base.ndz", "first.ndz", "second.ndz"];
        let last = bench.run("imagefs", &[&["diff", "--last"], &images[..]].concat())?;
        assert_eq!(last, "M\t/etc/1\nA\t/new/one\n", "{format}");
        let below = bench.run("imagefs", &[&["diff"], &images[..], &[":/new"]].concat())?;
        assert_eq!(
            below, "A\t/new\nA\t/new/directory\nA\t/new/directory/file\nA\t/new/one\n",
            "{format}"
        );
    }
    Ok(())
}

/// A delta that changes nothing, and one without content.
#[test]
fn nothing_is_said_of_what_is_the_same() -> Result<()> {
    let bench = Bench::new()?;
    let tree = bench.path("tree");
    fs::create_dir(&tree)?;
    fs::write(tree.join("file"), noise(1, 100_000))?;
    bench.formatted("disk.img", 8, &format!("mkfs.ext4 -q -d {}", tree.display()))?;
    bench.run("imagezip", &["-U", "base.sig", "disk.img", "base.ndz"])?;
    fs::write(bench.path("empty.ndz"), b"")?;
    for delta in ["base.ndz", "empty.ndz"] {
        assert_eq!(bench.run("imagefs", &["diff", "base.ndz", delta])?, "");
        assert_eq!(bench.run("imagefs", &["diff", "--json", "base.ndz", delta])?, "[]\n");
    }
    let one = bench.outcome("imagefs", &["diff", "base.ndz"])?;
    assert_eq!(one.status.code(), Some(1));
    Ok(())
}
