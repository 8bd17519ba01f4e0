//! Journals that need recovery, written by debugfs.

use std::fs;

use imagezip_core::filesystem::Allocation;

use crate::tools::{Disk, Dump, Outcome, run, run_with};

/// Has checksums of version 1 made if the file system has none of its own.
const SUMMED_UP: &str = "jo -c";

/// The file systems, and how debugfs opens their journals: which checksums it uses.
const FORMS: [(&str, &str); 7] = [
    ("-t ext4 -b 1024", "jo -c -v 2"),
    ("-t ext4 -b 1024", "jo -c -v 3"),
    ("-t ext4 -b 1024 -O ^metadata_csum,^64bit", "jo"),
    ("-t ext4 -b 1024 -O ^metadata_csum,^64bit,uninit_bg", SUMMED_UP),
    ("-t ext4 -b 4096 -O ^metadata_csum", "jo"),
    ("-t ext3 -b 1024", "jo"),
    ("-t ext3 -b 4096", "jo"),
];

/// A disk, the same disk after a change, and the changed blocks.
struct Change {
    before: Disk,
    after: Disk,
    block_size: usize,
    blocks: Vec<usize>,
}

impl Change {
    /// Makes a file system, and changes a good deal of it.
    fn make(options: &str) -> Outcome<Self> {
        Self::of(Disk::make(64, options)?, Disk::churn)
    }

    fn of(before: Disk, change: impl Fn(&Disk) -> Outcome) -> Outcome<Self> {
        let after = before.copy()?;
        after.copy_files(&before)?;
        change(&after)?;
        let block_size: usize = before.dump()?.field("Block size:").unwrap_or("").parse()?;
        let (old, new) = (fs::read(before.path())?, fs::read(after.path())?);
        let pairs = old.chunks(block_size).zip(new.chunks(block_size)).enumerate();
        let blocks = pairs.filter(|(_, (old, new))| old != new).map(|(number, _)| number);
        Ok(Self { blocks: blocks.collect(), before, after, block_size })
    }

    /// Writes the changed blocks of one of the disks into a file, and returns the debugfs command
    /// that makes a transaction of them.
    fn transaction(&self, source: &Disk, options: &str) -> Outcome<String> {
        let bytes = fs::read(source.path())?;
        let mut contents = Vec::new();
        for block in &self.blocks {
            let at = block * self.block_size;
            contents.extend_from_slice(&bytes[at..at + self.block_size]);
        }
        let file = source.beside("blocks");
        fs::write(&file, contents)?;
        Ok(format!("jw {options} -b {} {}\n", self.list(), file.display()))
    }

    fn list(&self) -> String {
        self.blocks.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
    }

    /// Makes a transaction of the change in the journal of the first disk.
    fn commit(&self, open: &str) -> Outcome {
        let write = self.transaction(&self.after, "")?;
        self.before.debugfs(&format!("{open}\n{write}jc\n")).map(drop)
    }
}

/// Compares what we find on `disk` with what dumpe2fs finds once e2fsck has replayed the journal.
/// `state` is what must have come out of that.
fn compare(name: &str, disk: &Disk, state: &Dump) -> Outcome {
    assert!(disk.dump()?.mentions("needs_recovery"), "{name}: nothing to recover");
    let replayed = recover(disk)?.dump()?;
    assert_eq!(replayed.free, state.free, "{name}: e2fsck does not recover as expected");
    let ours = disk.allocation()?;
    assert!(ours.notes.is_empty(), "{name}: {:?}", ours.notes);
    let free = ours.in_use.complement(disk.sectors()?);
    assert_eq!(free, replayed.free, "{name}");
    Ok(())
}

/// A copy of the disk with its journal replayed, and nothing else done to it.
pub(crate) fn recover(disk: &Disk) -> Outcome<Disk> {
    let copy = disk.copy()?;
    let path = copy.path().as_os_str();
    // No -f: with that, e2fsck also repairs and optimises.
    run_with(&[0, 1], "e2fsck", &["-y".as_ref(), "-E".as_ref(), "journal_only".as_ref(), path])?;
    Ok(copy)
}

#[test]
fn a_committed_transaction_counts() -> Outcome {
    for (options, open) in FORMS {
        let name = format!("{options}, {open}");
        let change = Change::make(options)?;
        let (old, new) = (change.before.dump()?, change.after.dump()?);
        assert_ne!(old.free, new.free, "{name}: the change allocates nothing");
        change.commit(open)?;
        compare(&name, &change.before, &new)?;
    }
    Ok(())
}

/// A journal in hundreds of pieces, so that it has a tree of extents, or indirect blocks, of some
/// depth.
#[test]
fn a_journal_in_pieces() -> Outcome {
    // Of a block each; every other one is deleted again.
    const FILES: u32 = 3600;
    for options in ["-t ext4", "-t ext4 -O ^metadata_csum", "-t ext3"] {
        let disk = Disk::blank(5)?;
        let files = disk.beside("files");
        fs::create_dir(&files)?;
        for number in 0..FILES {
            fs::write(files.join(number.to_string()), "x")?;
        }
        let shape = "-b 1024 -N 3700 -O ^has_journal,^resize_inode";
        disk.format(&format!("{options} {shape}"), "")?;
        let every = |numbers: std::iter::StepBy<std::ops::Range<u32>>| {
            numbers.map(|number| format!("rm {number}\n")).collect::<Vec<_>>().concat()
        };
        disk.debugfs(&every((0..FILES).step_by(2)))?;
        run("tune2fs", &["-J".as_ref(), "size=1".as_ref(), disk.path().as_os_str()])?;

        let blocks =
            run("debugfs", &["-R".as_ref(), "blocks <8>".as_ref(), disk.path().as_os_str()])?;
        let numbers: Result<Vec<u64>, _> = blocks.split_whitespace().map(str::parse).collect();
        let pieces = numbers?.windows(2).filter(|pair| pair[0] + 1 != pair[1]).count();
        assert!(pieces > 500, "{options}: only {pieces} pieces");

        let change =
            Change::of(disk, |after| after.debugfs(&every((1..200).step_by(2))).map(drop))?;
        change.commit("jo")?;
        compare(options, &change.before, &change.after.dump()?)?;
    }
    Ok(())
}

#[test]
fn a_transaction_without_commit_does_not_count() -> Outcome {
    for (options, open) in FORMS {
        let name = format!("{options}, {open}");
        let change = Change::make(options)?;
        let old = change.before.dump()?;
        let kept = change.transaction(&change.before, "")?;
        let lost = change.transaction(&change.after, "-c")?;
        change.before.debugfs(&format!("{open}\n{kept}{lost}jc\n"))?;
        compare(&name, &change.before, &old)?;
    }
    Ok(())
}

#[test]
fn revoked_blocks_do_not_count() -> Outcome {
    for (options, open) in FORMS {
        let name = format!("{options}, {open}");
        let change = Change::make(options)?;
        let (old, new) = (change.before.dump()?, change.after.dump()?);
        let write = change.transaction(&change.after, "")?;
        let revoke = format!("jw -r {}\n", change.list());
        let disk = change.before.copy()?;
        disk.debugfs(&format!("{open}\n{write}{revoke}jc\n"))?;
        if open == SUMMED_UP {
            // debugfs puts a wrong sum where there are only revocations, as e2fsck says, too.
            assert!(disk.allocation()?.in_use.contains(disk.sectors()?), "{name}");
            continue;
        }
        compare(&format!("{name}, revoked"), &disk, &old)?;
        // A later transaction may write them again.
        change.before.debugfs(&format!("{open}\n{write}{revoke}{write}jc\n"))?;
        compare(&format!("{name}, revoked and written again"), &change.before, &new)?;
    }
    Ok(())
}

/// Where the log holds its copies of blocks of the change, as byte positions on the disk.
fn in_log(change: &Change, disk: &Disk, wanted: impl Fn(&[u8]) -> bool) -> Outcome<Vec<usize>> {
    let bytes = fs::read(disk.path())?;
    let blocks = bytes.chunks(change.block_size).enumerate();
    Ok(blocks.filter(|(_, block)| wanted(block)).map(|(at, _)| at * change.block_size).collect())
}

/// Damages a byte of the disk and says what we make of that.
fn damaged(disk: &Disk, at: usize) -> Outcome<Allocation> {
    let copy = disk.copy()?;
    let mut bytes = fs::read(copy.path())?;
    bytes[at] ^= 0x10;
    fs::write(copy.path(), bytes)?;
    copy.allocation()
}

const HEAD: [u8; 4] = [0xc0, 0x3b, 0x39, 0x98];

#[test]
fn damage_that_checksums_show_counts_as_in_use() -> Outcome {
    let change = Change::make("-t ext4 -b 1024")?;
    let disk = &change.before;
    change.commit("jo -c -v 3")?;
    let all = disk.sectors()?;

    for kind in [1, 2] {
        let blocks = in_log(&change, disk, |block| {
            block.starts_with(&HEAD) && block[4..8] == [0, 0, 0, kind]
        })?;
        let last = *blocks.last().ok_or("no such block in the log")?;
        let allocation = damaged(disk, last + 500)?;
        assert!(allocation.in_use.contains(all), "kind {kind}");
        assert_eq!(allocation.notes.len(), 1, "kind {kind}: {:?}", allocation.notes);
    }

    // The journal's superblock.
    let header =
        in_log(&change, disk, |block| block.starts_with(&HEAD) && block[4..8] == [0, 0, 0, 4])?;
    assert!(damaged(disk, header[0] + 0x18)?.in_use.contains(all));

    // Data: only the groups that it describes count as in use.
    let new = change.after.dump()?;
    let bitmap: usize = new.first_bitmap()?;
    let contents = fs::read(change.after.path())?;
    let contents = &contents[bitmap * change.block_size..][..change.block_size];
    let copies = in_log(&change, disk, |block| block == contents)?;
    assert_eq!(copies.len(), 1, "the bitmap of group 0 is in the log, and nowhere else");
    let allocation = damaged(disk, copies[0] + 100)?;
    assert_eq!(allocation.notes.len(), 1, "{:?}", allocation.notes);
    let free = allocation.in_use.complement(all);
    assert!(!free.is_empty() && free != new.free);
    assert!(free.difference(&new.free).is_empty());
    Ok(())
}

#[test]
fn journals_elsewhere_are_refused_if_they_need_recovery() -> Outcome {
    let disk = Disk::make(64, "-t ext4")?;
    let set = |commands: &str| disk.debugfs(commands).map(drop);
    set("ssv journal_inum 0\nssv journal_dev 0x801\n")?;
    disk.check("external journal, clean")?;
    set("feature needs_recovery\n")?;
    let error = disk.allocation().err().ok_or("was not refused")?;
    assert!(error.to_string().contains("journal on another device"), "{error}");
    Ok(())
}

#[test]
fn a_damaged_inode_is_made_up_for_by_the_superblock() -> Outcome {
    for options in ["-t ext4 -b 1024", "-t ext3 -b 1024", "-t ext4 -b 1024 -O ^metadata_csum"] {
        let change = Change::make(options)?;
        change.commit("jo")?;
        let new = change.after.dump()?;
        change.before.debugfs("sif <8> block[0] 0\n")?;
        let ours = change.before.allocation()?;
        let free = ours.in_use.complement(change.before.sectors()?);
        assert_eq!(free, new.free, "{options}: {:?}", ours.notes);
    }
    Ok(())
}

#[test]
fn without_a_journal_nothing_is_trusted_unless_left_cleanly() -> Outcome {
    for (options, state) in [
        ("-t ext2", "0"),
        ("-t ext4 -O ^has_journal", "0"),
        ("-t ext4", "0"),
        ("-t ext4", "3"),
        ("-t ext2", "3"),
    ] {
        let disk = Disk::make(20, options)?;
        disk.debugfs(&format!("ssv state {state}\n"))?;
        let allocation = disk.allocation()?;
        assert!(allocation.in_use.contains(disk.sectors()?), "{options}, state {state}");
        assert_eq!(allocation.notes.len(), 1, "{options}, state {state}");
    }
    Ok(())
}
