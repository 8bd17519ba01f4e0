//! Journals that the Linux kernel left, as after the loss of power. Needs root.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::journal::recover;
use crate::tools::{Disk, Outcome, run};

/// Whether the calling user may mount.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A mount that ends with the value.
struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    fn new(disk: &Disk, at: &'a Path, options: &str) -> Outcome<Self> {
        fs::create_dir(at)?;
        let options = format!("loop,{options}");
        run("mount", &["-o".as_ref(), options.as_ref(), disk.path().as_os_str(), at.as_os_str()])?;
        Ok(Self(at))
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        if let Err(error) = run("umount", &[self.0]) {
            eprintln!("{error}");
        }
    }
}

/// Writes a file and waits until it is on the disk.
fn write_synced(path: &Path, len: usize) -> Outcome {
    let mut file = File::create(path)?;
    file.write_all(&vec![b'c'; len])?;
    Ok(file.sync_all()?)
}

/// A copy of the disk that the kernel has mounted and unmounted.
fn remounted(disk: &Disk) -> Outcome<Disk> {
    let copy = disk.copy()?;
    let at = copy.beside("mounted");
    drop(Mount::new(&copy, &at, "data=ordered")?);
    Ok(copy)
}

/// Uses a file system, and returns the disk as it is when the power fails in the middle of that.
///
/// The kernel's own test hook is the power cut: after `shutdown` nothing of what was not yet
/// written is, at the unmount neither.
fn power_cut(options: &str, mount: &str, work: fn(&Path) -> Outcome) -> Outcome<Disk> {
    let disk = Disk::make(100, options)?;
    let at = disk.beside("mounted");
    // Commits only where something is synced.
    let journal = if options.contains("ext2") { "" } else { ",commit=1000" };
    let mounted = Mount::new(&disk, &at, &format!("{mount}{journal}"))?;
    work(mounted.0)?;
    run("xfs_io", &["-x".as_ref(), "-c".as_ref(), "shutdown".as_ref(), at.as_os_str()])?;
    drop(mounted);
    Ok(disk)
}

/// Files and directories that come and go.
fn come_and_go(dir: &Path) -> Outcome {
    fs::create_dir(dir.join("new"))?;
    for number in 0..40 {
        write_synced(&dir.join(format!("new/{number}")), 3_000 * (number + 1))?;
        if number % 4 == 3 {
            // Directories that vanish have their blocks revoked.
            fs::remove_file(dir.join(format!("new/{}", number - 1)))?;
            fs::remove_file(dir.join(format!("small{number}")))?;
            fs::create_dir(dir.join(format!("gone{number}")))?;
            write_synced(&dir.join(format!("gone{number}/file")), 10)?;
            fs::remove_dir_all(dir.join(format!("gone{number}")))?;
        }
    }
    // Not waited for: may or may not be there.
    fs::write(dir.join("unsynced"), vec![b'd'; 300_000])?;
    Ok(())
}

/// Files that grow, each in a commit of its own. No more than that: directories that grow in a
/// fast commit are more than Linux 6.18 can replay ("Logical block already allocated").
fn grow(dir: &Path) -> Outcome {
    for number in 0..40 {
        let mut file = File::options().append(true).open(dir.join(format!("small{number}")))?;
        file.write_all(&vec![b'g'; 3_000 * (number + 1)])?;
        file.sync_all()?;
    }
    Ok(())
}

#[test]
fn a_power_cut_loses_nothing() -> Outcome {
    if !is_root() {
        println!("skipped: mounting needs root");
        return Ok(());
    }
    let mut stale = 0;
    for (options, mount) in [
        ("-t ext4", "data=ordered"),
        ("-t ext4 -b 1024", "data=ordered"),
        ("-t ext4 -b 1024", "data=journal"),
        ("-t ext4 -b 1024 -O ^metadata_csum,uninit_bg", "journal_checksum"),
        ("-t ext4 -b 1024 -O ^metadata_csum,^64bit", "journal_async_commit,data=writeback"),
        ("-t ext4 -b 1024 -O ^flex_bg -J size=1", "data=ordered"),
        ("-t ext4 -O bigalloc", "data=ordered"),
        ("-t ext4 -b 1024 -O meta_bg,^resize_inode", "data=ordered"),
        ("-t ext3 -b 1024", "data=ordered"),
        ("-t ext3 -b 4096", "data=journal"),
        ("-t ext2", "errors=continue"),
    ] {
        let name = format!("{options}, {mount}");
        let cut = power_cut(options, mount, come_and_go)?;
        let ours = cut.allocation()?;
        let all = cut.sectors()?;
        if options == "-t ext2" {
            assert!(ours.in_use.contains(all), "{name}");
            continue;
        }
        let before = cut.dump_before_recovery()?;
        assert!(before.mentions("needs_recovery"), "{name}: nothing to recover");
        let after = recover(&cut)?.dump()?;
        stale += u32::from(before.free != after.free);
        assert!(ours.notes.is_empty(), "{name}: {:?}", ours.notes);
        let free = ours.in_use.complement(all);
        let lost = free.difference(&after.free);
        assert!(lost.is_empty(), "{name}: in use, but free for us: {lost:?}");
        let kept = after.free.difference(&free);
        assert!(kept.is_empty(), "{name}: free, but in use for us: {kept:?}");
    }
    assert!(stale > 4, "the bitmaps on the disk were up to date nearly everywhere: {stale}");
    Ok(())
}

/// What only fast commits know of counts as in use, with the groups it lies in.
#[test]
fn fast_commits_lose_nothing() -> Outcome {
    if !is_root() {
        println!("skipped: mounting needs root");
        return Ok(());
    }
    let mut noted = 0;
    for options in ["-t ext4 -O fast_commit", "-t ext4 -b 1024 -O fast_commit"] {
        let cut = power_cut(options, "data=ordered", grow)?;
        let ours = cut.allocation()?;
        let free = ours.in_use.complement(cut.sectors()?);
        // e2fsck can't replay all that the kernel writes there.
        let after = remounted(&cut)?.dump()?;
        let lost = free.difference(&after.free);
        assert!(lost.is_empty(), "{options}: in use, but free for us: {lost:?}");
        if ours.notes.is_empty() {
            assert_eq!(free, after.free, "{options}");
        } else {
            noted += 1;
            assert!(ours.notes.iter().all(|note| note.contains("fast commit")), "{:?}", ours.notes);
            assert!(!free.is_empty(), "{options}: more than the groups concerned is in use");
        }
    }
    assert!(noted > 0, "no fast commit was left to be replayed");
    Ok(())
}
