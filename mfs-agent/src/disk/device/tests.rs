use super::*;
use crate::disk::{Kind, SYSTEM};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::string::{String, ToString};

fn disk(name: &str, number: Number) -> Disk {
    let (serial, wwn, sequence) = (None, None, None);
    Disk {
        name: name.into(),
        size: 0,
        sector_size: 512,
        serial,
        wwn,
        kind: Kind::Fixed,
        number,
        sequence,
    }
}

#[test]
fn reads_end_where_the_disk_ends() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), [7_u8; 1000]).unwrap();
    let dev = file.path().parent().unwrap().to_str().unwrap();
    let name = file.path().file_name().unwrap().to_str().unwrap();
    let sources = Sources { dev, ..SYSTEM };
    let progress = Progress::new();
    let file_as_disk = disk(name, Number { major: 0, minor: 0 });
    let disk = DiskDevice::open_shared(&sources, &file_as_disk, &progress).unwrap();
    assert_eq!(disk.size(), Bytes(1000));
    let mut buf = [0; 10];
    disk.read_at(Bytes(990), &mut buf).unwrap();
    assert_eq!(buf, [7; 10]);
    let error = disk.read_at(Bytes(991), &mut buf).unwrap_err();
    assert_eq!(error, ErrorKind::Truncated.at(Place::Byte(Bytes(991))));
    assert!(disk.read_at(Bytes(u64::MAX), &mut buf).is_err());
    // A disk that gets shorter under the hands.
    fs::write(file.path(), [7_u8; 10]).unwrap();
    assert!(disk.read_at(Bytes(990), &mut buf).is_err());
}

/// A loop device, until it is dropped.
pub(in crate::disk) struct Loop(String);

impl Loop {
    pub(in crate::disk) fn of(file: &Path) -> Self {
        let output = Command::new("losetup").args(["--find", "--show"]).arg(file).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        Self(String::from_utf8(output.stdout).unwrap().trim().to_string())
    }

    pub(in crate::disk) fn disk(&self) -> Disk {
        let number = fs::metadata(&self.0).unwrap().rdev();
        let number = Number { major: major(number), minor: minor(number) };
        disk(self.0.strip_prefix("/dev/").unwrap(), number)
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

/// A part of `memory` that begins at a page, and so many bytes after it.
fn paged(memory: &mut [u8], beyond: usize, len: usize) -> &mut [u8] {
    let start = memory.as_ptr().align_offset(4096) + beyond;
    &mut memory[start..][..len]
}

#[test]
fn what_is_large_and_aligned_is_read_past_the_cache() {
    if !fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        std::println!("skipped: loop devices need root");
        return;
    }
    let image = tempfile::NamedTempFile::new().unwrap();
    // Its end is no multiple of anything but sectors.
    let size = (1 << 20) + 3 * 512;
    let data: std::vec::Vec<u8> = (0..size).map(|i| u8::try_from(i / 512 % 251).unwrap()).collect();
    fs::write(image.path(), &data).unwrap();
    let loop_device = Loop::of(image.path());
    let progress = Progress::new();
    for sector_size in [512, 4096] {
        let disk = Disk { sector_size, ..loop_device.disk() };
        let device = DiskDevice::open_as(&SYSTEM, &disk, OFlags::EXCL, &progress).unwrap();
        assert_eq!(device.size(), Bytes(size));
        let mut memory = std::vec![0; (1 << 20) + 3 * 4096];
        let small = sector_size == 512;
        for (offset, beyond, len, direct) in [
            (0, 0, 1 << 20, true),
            (4096, 0, LARGE, true),
            (3 * 512, 0, 1 << 20, small),
            (4096, 512, LARGE, small),
            (0, 1, LARGE, false),
            (0, 0, LARGE - 4096, false),
            (1, 0, LARGE, false),
            (0, 0, LARGE + 1, false),
        ] {
            let case = std::format!("{sector_size}: {offset} {beyond} {len}");
            let range = usize::try_from(offset).unwrap()..usize::try_from(offset).unwrap() + len;
            let buf = paged(&mut memory, beyond, len);
            buf.fill(0xff);
            assert_eq!(device.read_directly(offset, buf), Ok(direct), "{case}");
            assert!(!direct || buf == &data[range.clone()], "{case}");
            buf.fill(0xff);
            device.read_at(Bytes(offset), buf).unwrap();
            assert!(buf == &data[range], "{case}");
        }
    }
}

/// The kernel is the judge of who may open and mount what.
#[test]
fn nobody_else_uses_an_open_disk() {
    if !fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        std::println!("skipped: loop devices and mounts need root");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (image, point) = (directory.path().join("image"), directory.path().join("point"));
    fs::File::create(&image).unwrap().set_len(1 << 20).unwrap();
    fs::create_dir(&point).unwrap();
    let made = Command::new("mkfs.ext2").args(["-q", "-F"]).arg(&image).status().unwrap();
    assert!(made.success());
    let device = Loop::of(&image);
    let mount = || Command::new("mount").args(["-r", &device.0]).arg(&point).output().unwrap();
    let progress = Progress::new();
    let disk = device.disk();
    // A disk of this kind is refused earlier, so /sys need not agree here.
    let open = || DiskDevice::open_as(&SYSTEM, &disk, OFlags::EXCL, &progress);

    assert!(mount().status.success());
    let failure = open().map(drop).unwrap_err();
    assert_eq!(failure.kind, FailureKind::DiskInUse);
    assert!(failure.message.contains(&device.0), "{failure}");
    assert!(DiskDevice::open_shared(&SYSTEM, &disk, &progress).is_ok());
    assert_eq!(crate::disk::user_of(&SYSTEM, &disk.name), Some(disk.name.clone() + " is mounted"));
    assert!(Command::new("umount").arg(&point).status().unwrap().success());
    assert_eq!(crate::disk::user_of(&SYSTEM, &disk.name), None);

    let opened = open().unwrap();
    assert_eq!(opened.size(), Bytes(1 << 20));
    let refused = mount();
    assert!(!refused.status.success(), "{refused:?}");
    drop(opened);
    assert!(mount().status.success());
    assert!(Command::new("umount").arg(&point).status().unwrap().success());

    let other = Disk { number: Number { major: 7, minor: 1 << 18 }, ..disk.clone() };
    let failure = DiskDevice::open(&SYSTEM, &other, &progress).map(drop).unwrap_err();
    assert_eq!(failure.kind, FailureKind::DiskAbsent);
}
