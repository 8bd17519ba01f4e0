//! The directories of projects and experiments.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::statvfs;

use super::Findings;
use super::files::{is_open, touched};
use crate::config::Config;
use crate::db::now;
use crate::files::DIRECTORY_MODE;

const CHECK: &str = "directories";
const CLOCK: &str = "clock";
/// More than that and files seem to be older than they are.
const SKEW: i64 = 2;

/// The roots, and whether boss can write there.
pub(super) fn roots(findings: &mut Findings, config: &Config) {
    root(findings, "proj", &config.directories.proj);
    if !config.nfs.groups.is_empty() {
        root(findings, "groups", &config.directories.groups);
    }
}

fn root(findings: &mut Findings, what: &str, path: &Path) {
    let shown = path.display();
    let data = match fs::metadata(path) {
        Ok(data) if data.is_dir() => data,
        Ok(_) => {
            let advice = format!("{what} in [directories] must name a directory");
            return findings.error(CHECK, format_args!("{shown} is no directory"), advice);
        }
        Err(error) => {
            let advice = format!("make or mount it, or say in [directories] where {what} is");
            return findings.error(CHECK, format_args!("{shown}: {error}"), advice);
        }
    };
    if data.uid() != 0 || is_open(&data) {
        let (uid, mode) = (data.uid(), data.mode() & 0o7777);
        let what = format!("{shown} belongs to user {uid} and has the mode {mode:o}");
        let advice = format!("chown root {shown}; chmod 755 {shown}: users could replace projects");
        return findings.error(CHECK, what, advice);
    }
    match touched(path) {
        Ok(at) => {
            findings.ok(CHECK, format_args!("boss can write to {shown}"));
            clock(findings, path, at);
        }
        Err(error) => {
            let what = format!("boss can't write to {shown}: {error}");
            let advice = "run this as root; if it is mounted, let root of this machine be root \
                          there (no_root_squash); under systemd, ReadWritePaths= must have it";
            findings.error(CHECK, what, advice);
        }
    }
}

/// A file that was made just now is from now.
fn clock(findings: &mut Findings, path: &Path, at: i64) {
    let (shown, skew) = (path.display(), at.saturating_sub(now()));
    if skew.abs() > SKEW {
        let what = format!("the file server of {shown} is {skew} s off this machine's clock");
        findings.warning(CLOCK, what, "let chrony or systemd-timesyncd run on both");
    } else {
        findings.ok(CLOCK, format_args!("{shown} has this machine's time"));
    }
}

/// A directory of a group: that is theirs, and nobody else's.
pub(super) fn of_group(findings: &mut Findings, path: &Path, gid: u32, advice: &str) {
    let shown = path.display();
    match fs::symlink_metadata(path) {
        Err(error) => findings.error(CHECK, format_args!("{shown}: {error}"), advice),
        Ok(data) if !data.is_dir() => {
            let advice = "look who has put it there; boss goes through no links";
            findings.error(CHECK, format_args!("{shown} is no directory"), advice);
        }
        Ok(data) if data.gid() != gid || data.mode() & 0o7777 != DIRECTORY_MODE => {
            let (group, mode) = (data.gid(), data.mode() & 0o7777);
            let what = format!(
                "{shown} is of group {group} with the mode {mode:o}, not of {gid} with \
                 {DIRECTORY_MODE:o}"
            );
            let advice = format!("chgrp {gid} {shown}; chmod {DIRECTORY_MODE:o} {shown}");
            findings.error(CHECK, what, advice);
        }
        Ok(_) => {}
    }
}

/// Whether there is room for another save; `largest` is the largest that is there.
pub(super) fn room(findings: &mut Findings, path: &Path, largest: u64) {
    const CHECK: &str = "free space";
    let shown = path.display();
    let room = match statvfs(path) {
        Ok(room) => room,
        Err(error) => {
            let advice = "the directory must be there";
            return findings.error(CHECK, format_args!("{shown}: {error}"), advice);
        }
    };
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let tenth = room.f_blocks.saturating_mul(room.f_frsize) / 10;
    let (megabytes, advice) = (free / 1_000_000, "a new image is written beside the last one");
    if free < largest {
        let largest = largest / 1_000_000;
        let what = format!("{shown} has {megabytes} MB, the largest saved disk {largest} MB");
        findings.warning(CHECK, what, advice);
    } else if free < tenth {
        let what = format!("{shown} has {megabytes} MB, which is less than 10 %");
        findings.warning(CHECK, what, advice);
    } else {
        findings.ok(CHECK, format_args!("{shown} has {megabytes} MB"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn errors(findings: &Findings) -> Vec<&str> {
        let bad = findings.0.iter().filter(|finding| finding.verdict != Verdict::Ok);
        bad.map(|finding| finding.what.as_str()).collect()
    }

    #[test]
    fn a_groups_directory_is_that_groups_only() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("swapinfo");
        let gid = fs::metadata(scratch.path()).unwrap().gid();
        let look = |gid| {
            let mut findings = Findings::default();
            of_group(&mut findings, &path, gid, "make it");
            errors(&findings).concat()
        };
        assert!(look(gid).contains("No such file"));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o2770)).unwrap();
        assert_eq!(look(gid), "");
        assert!(look(gid + 1).contains("group"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o2777)).unwrap();
        assert!(look(gid).contains("2777"));
        fs::remove_dir(&path).unwrap();
        symlink("/tmp", &path).unwrap();
        assert!(look(gid).contains("no directory"));
    }

    #[test]
    fn roots_that_users_could_change_are_errors() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("proj");
        let look = || {
            let mut findings = Findings::default();
            root(&mut findings, "proj", &path);
            errors(&findings).concat()
        };
        assert!(look().contains("No such file"));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(look().contains("777"));
        fs::remove_dir(&path).unwrap();
        fs::write(&path, "").unwrap();
        assert!(look().contains("no directory"));
    }

    #[test]
    fn clocks_that_differ_and_little_room_are_told() {
        let mut findings = Findings::default();
        clock(&mut findings, Path::new("/proj"), now() - 60);
        clock(&mut findings, Path::new("/proj"), now());
        room(&mut findings, Path::new("/"), u64::MAX);
        let said = errors(&findings);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains("-60 s") && said[1].contains("largest"), "{said:?}");
    }
}
