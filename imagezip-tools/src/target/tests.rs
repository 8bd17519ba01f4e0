use std::os::unix::fs::symlink;
use std::process::Command;

use tempfile::{TempDir, tempdir};

use super::usage::mount;
use super::*;

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A disk in a file: partition 1 has a file system, partition 2 is free. Shown by a loop device.
struct Disk {
    dir: TempDir,
    device: String,
}

impl Disk {
    fn new() -> Self {
        let dir = tempdir().unwrap();
        let file = dir.path().join("disk");
        File::create(&file).unwrap().set_len(32 << 20).unwrap();
        let device = run("losetup", &["-f", "--show", file.to_str().unwrap()]);
        let disk = Self { dir, device };
        disk.forget_partitions();
        // Not by a partition table, which not every kernel that this runs on can read.
        run("addpart", &[&disk.device, "1", "2048", "20480"]);
        run("addpart", &[&disk.device, "2", "22528", "20480"]);
        run("mke2fs", &["-q", disk.part(1).to_str().unwrap()]);
        disk
    }

    /// They outlive the loop device else.
    fn forget_partitions(&self) {
        for part in ["1", "2"] {
            let _ = Command::new("delpart").args([&self.device, part]).output();
        }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    fn part(&self, number: u8) -> PathBuf {
        PathBuf::from(format!("{}p{number}", self.device))
    }

    fn disk(&self) -> PathBuf {
        PathBuf::from(&self.device)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let point = self.dir.path().join("mount");
        let _ = Command::new("umount").arg(&point).output();
        let _ = Command::new("swapoff").arg(self.part(2)).output();
        self.forget_partitions();
        let _ = Command::new("losetup").args(["-d", &self.device]).status();
    }
}

fn refused(path: &Path) -> String {
    format!("{:#}", open(path, false).unwrap_err())
}

#[test]
fn what_is_mounted_is_not_overwritten() {
    let disk = Disk::new();
    for path in [disk.disk(), disk.part(1), disk.part(2), disk.file()] {
        open(&path, false).unwrap();
    }
    let point = disk.dir.path().join("mount");
    fs::create_dir(&point).unwrap();
    for (option, writing) in [("ro", vec![]), ("rw", vec![point.clone()])] {
        run("mount", &["-o", option, disk.part(1).to_str().unwrap(), point.to_str().unwrap()]);
        let used = format!("is mounted on {}", point.display());
        let link = disk.dir.path().join(option);
        symlink(disk.disk(), &link).unwrap();
        for path in [disk.disk(), disk.part(1), disk.file(), link] {
            assert!(refused(&path).contains(&used), "{}", refused(&path));
            assert_eq!(mounted_read_write(&path).unwrap(), writing);
            open(&path, true).unwrap();
        }
        // Its neighbour is free.
        open(&disk.part(2), false).unwrap();
        run("umount", &[point.to_str().unwrap()]);
    }
    open(&disk.disk(), false).unwrap();
}

#[test]
fn what_is_swapped_to_is_not_overwritten() {
    let disk = Disk::new();
    let part = disk.part(2);
    run("mkswap", &[part.to_str().unwrap()]);
    run("swapon", &[part.to_str().unwrap()]);
    for path in [disk.disk(), part, disk.file()] {
        assert!(refused(&path).contains("is swapped to"), "{}", refused(&path));
    }
    open(&disk.part(1), false).unwrap();
}

#[test]
fn a_target_that_is_being_written_is_claimed() {
    let disk = Disk::new();
    let first = open(&disk.disk(), false).unwrap();
    assert!(refused(&disk.disk()).contains("in use by something"), "{}", refused(&disk.disk()));
    let point = disk.dir.path().join("mount");
    fs::create_dir(&point).unwrap();
    let mount = Command::new("mount").arg(disk.part(1)).arg(&point).output().unwrap();
    assert!(!mount.status.success());
    drop(first);
    open(&disk.disk(), false).unwrap();
}

#[test]
fn what_is_not_there_is_not_made() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("nothing");
    assert_eq!(uses(&path).unwrap(), []);
    assert!(refused(&path).contains("No such file"));
    assert!(!path.exists());
}

#[test]
fn links_lead_to_the_same_file() {
    let dir = tempdir().unwrap();
    let [file, soft, hard, other] = ["f", "s", "h", "o"].map(|name| dir.path().join(name));
    fs::write(&file, "").unwrap();
    fs::write(&other, "").unwrap();
    symlink("f", &soft).unwrap();
    fs::hard_link(&file, &hard).unwrap();
    assert!(same_file(&file, &soft) && same_file(&soft, &hard));
    assert!(!same_file(&file, &other));
    assert!(!same_file(Path::new("/nowhere"), Path::new("/nowhere")));
    assert!(same_file(Path::new("/dev/null"), Path::new("/dev/../dev/null")));
    // Not there yet, but where the other will be.
    let [one, other] = ["new", "./new"].map(|name| dir.path().join(name));
    assert!(same_place(&one, &other) && same_place(&file, &hard));
    assert!(!same_place(&one, &dir.path().join("newer")) && !same_file(&one, &other));
    assert!(
        !same_place(Path::new("new"), &one) && same_place(Path::new("new"), Path::new("./new"))
    );
    assert!(!same_file(Path::new("/dev/null"), Path::new("/dev/zero")));
}

#[test]
fn lines_of_mountinfo() {
    let line =
        br"36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 shared:2 - ext3 /dev/root ro,errors=x";
    let read = mount(line).unwrap();
    assert_eq!((read.numbers.as_str(), read.read_only), ("98:0", true));
    assert_eq!((read.point, read.source), ("/mnt 2".into(), "/dev/root".into()));
    assert!(!mount(b"1 2 0:5 / / ro - proc proc rw").unwrap().read_only, "a read-only bind mount");
    for bad in ["", "1 2", "1 2 3:4 / /x rw", "1 2 3:4 / /x rw - ext4"] {
        assert_eq!(mount(bad.as_bytes()), None, "{bad}");
    }
}
