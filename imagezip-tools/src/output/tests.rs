use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};
use std::{env, fs};

use imagezip_core::ndz::Image;
use tempfile::tempdir;

use super::*;
use crate::host::FileDevice;

const CHUNK: usize = 1 << 20;

/// An image as far as its headers go: chunks of version 3, one sector each.
fn image(chunks: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in 0..chunks {
        let header = [0x6969_696b, 64, number, 0, 4096, 1, number, number + 1, 0, number, 1];
        bytes.extend(header.into_iter().flat_map(u32::to_le_bytes));
        bytes.resize(bytes.len().next_multiple_of(CHUNK), 7);
    }
    bytes
}

fn reads_as_image(path: &Path) -> bool {
    let file = FileDevice::open(path).unwrap();
    Image::open(&file).is_ok_and(|image| image.headers(&mut |_| Ok(())).is_ok())
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_no_image_until_it_is_finished() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("new.ndz");
    let bytes = image(2);
    let mut output = Output::create(&path).unwrap();
    assert!(!reads_as_image(&path), "an empty file would be an empty delta");
    for part in bytes.chunks(CHUNK / 2) {
        output.write_all(part).unwrap();
        assert!(!reads_as_image(&path), "after {} bytes", output.len());
    }
    assert!(output.written().unwrap().is_some());
    assert_eq!(fs::metadata(&path).unwrap().len(), bytes.len() as u64, "others see it grow");
    output.finish().unwrap();
    assert!(reads_as_image(&path));
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(names(dir.path()), ["new.ndz"]);

    let umask_applies = File::create(dir.path().join("plain")).unwrap().metadata().unwrap().mode();
    assert_eq!(fs::metadata(&path).unwrap().mode(), umask_applies);
}

#[test]
fn an_empty_output_is_a_file_of_no_bytes() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("empty.ndz");
    Output::create(&path).unwrap().finish().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
}

#[test]
fn what_is_dropped_is_removed_and_what_was_there_stays() {
    let dir = tempdir().unwrap();
    let (new, old) = (dir.path().join("new"), dir.path().join("old"));
    fs::write(&old, "old").unwrap();
    for path in [&new, &old] {
        let mut output = Output::create(path).unwrap();
        output.write_all(&image(1)).unwrap();
    }
    assert_eq!(names(dir.path()), ["old"]);
    assert_eq!(fs::read(&old).unwrap(), b"old");
}

#[test]
fn somebody_elses_file_is_not_removed() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("file");
    let output = Output::create(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "another's").unwrap();
    drop(output);
    assert_eq!(fs::read(&path).unwrap(), b"another's");
}

#[test]
fn a_file_is_replaced_through_its_link_and_keeps_its_mode() {
    let dir = tempdir().unwrap();
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    fs::write(&real, "old").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real", &link).unwrap();

    let mut output = Output::create(&link).unwrap();
    output.write_all(b"image").unwrap();
    assert_eq!(fs::read(&real).unwrap(), b"old", "until the end");
    output.finish().unwrap();
    assert_eq!(fs::read(&real).unwrap(), b"image");
    assert_eq!(fs::metadata(&real).unwrap().mode() & 0o7777, 0o640);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

    symlink("nothing yet", dir.path().join("dangling")).unwrap();
    Output::create(&dir.path().join("dangling")).unwrap().finish().unwrap();
    assert_eq!(names(dir.path()), ["dangling", "link", "nothing yet", "real"]);

    symlink("circle", dir.path().join("circle")).unwrap();
    assert!(Output::create(&dir.path().join("circle")).is_err());
}

#[test]
fn patches_reach_the_head_and_the_rest() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("file");
    let mut output = Output::create(&path).unwrap();
    output.write_all(&[0; 8192]).unwrap();
    let mut expected = vec![0; 8192];
    for (offset, len) in [(0, 4), (4094, 4), (4096, 1), (8190, 2)] {
        assert!(output.patch(offset as u64, &vec![9; len]).unwrap());
        expected[offset..offset + len].fill(9);
    }
    assert!(output.patch(8190, &[1; 3]).is_err(), "not written yet");
    assert!(output.patch(u64::MAX, &[1]).is_err());

    let written = output.written().unwrap().unwrap();
    for (offset, len) in [(0, 8192), (4000, 96), (4000, 200), (4096, 4096), (8192, 0)] {
        let mut back = vec![0; len];
        written.read_at(Bytes(offset as u64), &mut back).unwrap();
        assert_eq!(back, expected[offset..][..len], "{offset}+{len}");
    }
    assert!(written.read_at(Bytes(8191), &mut [0; 2]).is_err());
    assert!(written.read_at(Bytes(u64::MAX), &mut [0; 2]).is_err());
    output.finish().unwrap();
    assert_eq!(fs::read(&path).unwrap(), expected);
}

#[test]
fn devices_are_streams_and_their_errors_have_reasons() {
    let mut output = Output::create(Path::new("/dev/full")).unwrap();
    assert!(output.written().unwrap().is_none());
    assert!(!output.is_file());
    assert!(!output.patch(0, b"").unwrap());
    output.write_all(b"anything").unwrap_err();
    let error = output.explain(ErrorKind::Write(0).into());
    assert_eq!(error.downcast_ref::<Error>().unwrap().kind, ErrorKind::Write(28));
    assert!(error.to_string().starts_with("writing /dev/full: No space left on device"), "{error}");
}

#[test]
fn what_cannot_be_written_is_an_error_at_once() {
    for (path, reason) in [
        ("/nowhere/image", "not found"),
        ("/", "directory"),
        ("/proc/image", "No such file"),
        ("", "No such file"),
    ] {
        let error = format!("{:#}", Output::create(Path::new(path)).unwrap_err());
        assert!(error.contains(reason), "{path}: {error}");
        assert!(!error.contains(".imagezip-"), "{path}: {error}");
    }
}

#[test]
fn small_files_are_replaced_and_dated() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("sig");
    let time = UNIX_EPOCH + Duration::from_millis(1_700_000_000_900);
    for content in ["first", "second"] {
        write_atomically(&path, content.as_bytes(), Some(time)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (1_700_000_000, 0));
    }
    assert_eq!(names(dir.path()), ["sig"]);
    write_atomically(Path::new("/dev/null"), b"signature", Some(time)).unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    assert!(write_atomically(Path::new("/dev/full"), b"signature", None).is_err());
}

/// Set for the process that the next test kills: where it writes to.
const VICTIM: &str = "IMAGEZIP_TEST_VICTIM";

#[test]
fn a_killed_process_leaves_no_image() {
    if let Some(path) = env::var_os(VICTIM) {
        let mut output = Output::create(Path::new(&path)).unwrap();
        let bytes = image(3);
        for part in bytes.chunks(CHUNK / 4) {
            output.write_all(part).unwrap();
            // Not println: libtest keeps that for itself.
            io::stdout().write_all(b"part\n").unwrap();
        }
        // Until it is killed.
        io::stdin().read_line(&mut String::new()).unwrap();
        unreachable!("killed while it waits");
    }
    for parts in [1, 2, 6, 12] {
        let dir = tempdir().unwrap();
        let (new, old) = (dir.path().join("new"), dir.path().join("old"));
        fs::write(&old, "old").unwrap();
        for path in [&new, &old] {
            let mut victim = Command::new(env::current_exe().unwrap())
                .args(["--exact", "output::tests::a_killed_process_leaves_no_image"])
                .env(VICTIM, path)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(victim.stdout.as_mut().unwrap()).lines();
            let written = lines.map(Result::unwrap).filter(|line| line.ends_with("part"));
            assert_eq!(written.take(parts).count(), parts);
            victim.kill().unwrap();
            assert_eq!(victim.wait().unwrap().signal(), Some(9));
        }
        assert!(!reads_as_image(&new), "after {parts} parts");
        assert_eq!(fs::read(&old).unwrap(), b"old");
        for name in names(dir.path()) {
            assert!(!reads_as_image(&dir.path().join(&name)), "{name} after {parts} parts");
        }
    }
}
