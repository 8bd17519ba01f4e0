//! Small files, whole and with a limit.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, Result};
use rustix::path::Arg;

/// Enough for every file of /proc and /sys that the agent reads.
pub const SMALL: usize = 64 << 10;

/// Reads from the current position to the end.
///
/// # Errors
/// `FBIG` if that is more than `limit` bytes.
pub fn read_all(file: impl AsFd, limit: usize) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let mut buffer = [0_u8; 4096];
    loop {
        match rustix::io::read(&file, &mut buffer) {
            Ok(0) => return Ok(content),
            Ok(count) => {
                content.try_reserve(count).map_err(|_| Errno::NOMEM)?;
                content.extend_from_slice(buffer.get(..count).unwrap_or_default());
                if content.len() > limit {
                    return Err(Errno::FBIG);
                }
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Opens a file to read.
pub fn open(path: impl Arg) -> Result<OwnedFd> {
    openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// A small text file, without the white space at its end.
///
/// # Errors
/// `FBIG` beyond [`SMALL`] bytes, `ILSEQ` if it isn't UTF-8.
pub fn read_text(path: impl Arg) -> Result<String> {
    let content = read_all(open(path)?, SMALL)?;
    let mut text = String::from_utf8(content).map_err(|_| Errno::ILSEQ)?;
    text.truncate(text.trim_end().len());
    Ok(text)
}

/// A small text file that holds one decimal number.
///
/// # Errors
/// As [`read_text`]; `INVAL` if it isn't a number.
pub fn read_number(path: impl Arg) -> Result<u64> {
    read_text(path)?.parse().map_err(|_| Errno::INVAL)
}

/// Writes all of `data` from `offset` on.
///
/// # Errors
/// What write(2) says.
pub fn write_at(file: impl AsFd, mut offset: u64, mut data: &[u8]) -> Result<()> {
    while !data.is_empty() {
        match rustix::io::pwrite(&file, data, offset) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => {
                data = data.get(count..).unwrap_or_default();
                offset = offset.saturating_add(u64::try_from(count).unwrap_or(0));
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Fills `buffer` with the bytes from `offset` on.
///
/// # Errors
/// `IO` if the file ends before.
pub fn read_at(file: impl AsFd, mut offset: u64, mut buffer: &mut [u8]) -> Result<()> {
    while !buffer.is_empty() {
        match rustix::io::pread(&file, &mut *buffer, offset) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => {
                buffer = buffer.get_mut(count..).unwrap_or_default();
                offset = offset.saturating_add(u64::try_from(count).unwrap_or(0));
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Writes all of `bytes`.
pub fn write_all(file: impl AsFd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(&file, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Writes a short text to a file that exists, such as one of /proc/sys.
pub fn write_text(path: impl Arg, text: &str) -> Result<()> {
    let file = openat(CWD, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    write_all(file, text.as_bytes())
}

/// The names in a directory, sorted, without `.` and `..`. Names that are not UTF-8 are left out.
pub fn list(path: impl Arg) -> Result<Vec<String>> {
    let directory =
        openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    list_opened(directory)
}

/// As [`list`], of a directory that is open.
pub fn list_opened(directory: OwnedFd) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::new(directory)? {
        if let Ok(name) = entry?.file_name().to_str()
            && name != "."
            && name != ".."
        {
            names.push(String::from(name));
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// A text of fixed room; what doesn't fit is cut off.
#[derive(Default)]
pub struct Cut<const N: usize>(heapless::String<N>);

impl<const N: usize> Cut<N> {
    /// The formatted text.
    pub fn new(text: fmt::Arguments<'_>) -> Self {
        let mut cut = Self(heapless::String::new());
        // Its writer reports no error.
        let _ = fmt::Write::write_fmt(&mut cut, text);
        cut
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const N: usize> fmt::Display for Cut<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const N: usize> fmt::Write for Cut<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = N.saturating_sub(self.0.len());
        let fits = text.floor_char_boundary(room);
        let _ = self.0.push_str(text.get(..fits).unwrap_or_default());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_limit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        std::fs::write(&path, [b'x'; 5000]).unwrap();
        assert_eq!(read_all(open(&path).unwrap(), 5000).unwrap().len(), 5000);
        assert_eq!(read_all(open(&path).unwrap(), 4999), Err(Errno::FBIG));
        std::fs::write(&path, "17\n").unwrap();
        assert_eq!(read_number(&path), Ok(17));
        assert_eq!(list(directory.path()).unwrap(), ["x"]);
    }

    #[test]
    fn a_cut_text_is_still_text() {
        assert_eq!(Cut::<4>::new(format_args!("{}{}", "aü", "üb")).as_str(), "aü");
        assert_eq!(Cut::<4>::new(format_args!("ab{}", 1)).as_str(), "ab1");
    }
}
