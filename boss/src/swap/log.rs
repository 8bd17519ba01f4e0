//! The end of the log that a node writes while it is at work: `logs/<vname>.<utc>.log` beside its
//! other files, which gets more every three seconds.
//!
//! Users can write there, so nothing of it is believed, links aren't followed, and what is shown
//! does nothing to who looks at it.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::fs::{FileExt, MetadataExt};

use anyhow::Context;

use super::observe;
use crate::db::swaps::Run;
use crate::files::{Directory, blocking};
use crate::layout::Layout;

/// The most of a log that is shown, in bytes.
const TAIL: usize = 16 << 10;
/// More names than these, and the directory is not the one that a node has made.
const MOST_NAMES: usize = 10_000;
/// The time of a file that is written now is the file server's last tick: it may be of the second before.
const TICK: i64 = 1;
/// A node may write its last words so many seconds after its run was over for boss.
const AFTERWARDS: i64 = 60;

/// The end of a node's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The file, as nodes see it.
    pub path: String,
    /// How much is left out before it, in bytes.
    pub before: u64,
    /// Lines without anything but what can be seen.
    pub text: String,
}

/// The end of the log of a run in a swap that began and, perhaps, ended at these times; none, as
/// long as there is none.
///
/// # Errors
/// If there is something in its place, or it can't be read.
pub async fn tail(
    layout: &Layout,
    run: &Run,
    began: i64,
    ended: Option<i64>,
) -> anyhow::Result<Option<Tail>> {
    let (layout, run) = (layout.clone(), run.clone());
    blocking(move || {
        let directory = observe::open(&layout, &run)?;
        find(&directory, run.vname.as_str(), time(began, ended))?
            .map(|(name, file)| {
                let (before, text) =
                    read(&file).with_context(|| format!("reading {}", directory.shown(&name)))?;
                Ok(Tail { path: format!("{}/logs/{name}", run.directory), before, text })
            })
            .transpose()
    })
    .await
}

/// When the log was last written to of a run in a swap that began and, perhaps, ended at these times.
fn time(began: i64, ended: Option<i64>) -> RangeInclusive<i64> {
    let until = ended.map_or(i64::MAX, |ended| ended.saturating_add(AFTERWARDS));
    began.saturating_sub(TICK)..=until
}

/// The log of a node that was last written to in this time. Its own clock, which the name is of,
/// may be wrong; the file server's is not.
fn find(
    directory: &Directory,
    vname: &str,
    time: RangeInclusive<i64>,
) -> anyhow::Result<Option<(String, File)>> {
    let Some(logs) = directory.open_if_there("logs")? else { return Ok(None) };
    let mut newest = None;
    for name in logs.names_up_to(MOST_NAMES)? {
        // The name of a node has no dot.
        if !name.split('.').eq([vname, name.split('.').nth(1).unwrap_or_default(), "log"]) {
            continue;
        }
        let Some(stat) = logs.look(&name)? else { continue };
        let at = (stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or_default());
        if time.contains(&at.0) && newest.as_ref().is_none_or(|(newest, _)| *newest < at) {
            newest = Some((at, name));
        }
    }
    let Some((_, name)) = newest else { return Ok(None) };
    Ok(logs.file(&name)?.map(|file| (name, file)))
}

/// The last lines, and how many bytes are before them.
fn read(file: &File) -> io::Result<(u64, String)> {
    let size = file.metadata()?.size();
    let tail = u64::try_from(TAIL).unwrap_or(u64::MAX);
    let before = size.saturating_sub(tail);
    let mut bytes = vec![0; TAIL];
    let mut filled = 0;
    // It may grow meanwhile, or be cut.
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let at = before.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
        match file.read_at(rest, at) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    // Not from the middle of a line.
    let cut = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) if before > 0 => end + 1,
        _ => 0,
    };
    let text = visible(&String::from_utf8_lossy(bytes.get(cut..).unwrap_or_default()));
    Ok((before.saturating_add(u64::try_from(cut).unwrap_or_default()), text))
}

/// With everything visible that would do something else than to be shown: control characters, and
/// what turns the direction of text around.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\n' | '\t' => shown.push(character),
            '\r' if characters.peek() == Some(&'\n') => {}
            '\0'..='\u{1f}' => {
                shown.extend(char::from_u32(0x2400 + u32::from(character)));
            }
            '\u{7f}' => shown.push('\u{2421}'),
            '\u{80}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' => {
                // Writing to a String can't fail.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
            }
            other => shown.push(other),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::fs::{self, FileTimes, OpenOptions};
    use std::os::unix::fs::symlink;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn write(path: &std::path::Path, text: &[u8], at: u64) {
        fs::write(path, text).unwrap();
        let file = OpenOptions::new().write(true).open(path).unwrap();
        let at = UNIX_EPOCH + Duration::from_secs(at);
        file.set_times(FileTimes::new().set_modified(at)).unwrap();
    }

    #[test]
    fn the_log_is_the_runs_own() {
        let scratch = tempfile::tempdir().unwrap();
        let logs = scratch.path().join("logs");
        let found = |vname: &str, from, to| {
            let directory = Directory::trusted(scratch.path()).unwrap();
            find(&directory, vname, from..=to).map(|found| found.map(|(name, _)| name))
        };
        assert_eq!(found("a", 0, i64::MAX).unwrap(), None);
        fs::create_dir(&logs).unwrap();
        let (old, own) = ("a.20260101T000000Z.log", "a.19700101T000009Z.log");
        write(&logs.join(old), b"old", 1000);
        write(&logs.join(own), b"own", 2000);
        write(&logs.join("ab.20260101T000000Z.log"), b"another's", 2001);
        write(&logs.join("a.20260101T000000Z.log.gz"), b"no log", 2002);
        assert_eq!(found("a", 1500, i64::MAX).unwrap().as_deref(), Some(own));
        assert_eq!(found("a", 900, 1500).unwrap().as_deref(), Some(old));
        assert_eq!(found("a", 1100, 1500).unwrap(), None);
        assert_eq!(found("b", 0, i64::MAX).unwrap(), None);
    }

    #[test]
    fn clocks_have_ticks_and_nodes_have_last_words() {
        assert_eq!(time(100, None), 99..=i64::MAX);
        assert_eq!(time(100, Some(200)), 99..=260);
    }

    #[test]
    fn what_users_put_there_is_not_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = || Directory::trusted(scratch.path()).unwrap();
        let logs = scratch.path().join("logs");
        symlink("/var/log", &logs).unwrap();
        assert!(find(&directory(), "a", 0..=i64::MAX).is_err());
        fs::remove_file(&logs).unwrap();
        fs::create_dir(&logs).unwrap();
        symlink("/etc/passwd", logs.join("a.20260101T000000Z.log")).unwrap();
        let error = find(&directory(), "a", 0..=i64::MAX).unwrap_err();
        assert!(format!("{error:#}").contains("link"), "{error:#}");
    }

    #[test]
    fn only_the_end_is_read_and_from_a_lines_start() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("log");
        let lines: Vec<String> = (0..10_000).map(|number| format!("line {number}\n")).collect();
        fs::write(&path, lines.concat()).unwrap();
        let (before, text) = read(&File::open(&path).unwrap()).unwrap();
        assert!(text.len() <= TAIL && text.len() > TAIL - 20, "{}", text.len());
        assert!(text.starts_with("line ") && text.ends_with("line 9999\n"));
        assert_eq!(before + text.len() as u64, lines.concat().len() as u64);
        fs::write(&path, "one\n").unwrap();
        assert_eq!(read(&File::open(&path).unwrap()).unwrap(), (0, "one\n".to_owned()));
        // A hole of many gigabytes costs nothing.
        OpenOptions::new().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read(&File::open(&path).unwrap()).unwrap().1.chars().count(), TAIL);
    }

    #[test]
    fn what_does_something_is_made_visible() {
        assert_eq!(visible("a\tb\r\nc"), "a\tb\nc");
        assert_eq!(visible("\x1b[2Jx\r\0\x7f"), "␛[2Jx␍␀␡");
        assert_eq!(visible("\u{202e}evil\u{9b}\u{feff}"), "\\u{202e}evil\\u{9b}\\u{feff}");
    }
}
