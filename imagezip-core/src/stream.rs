//! The byte streams of callers.

use embedded_io::{Error as _, ErrorKind as Kind, Read, Write};

use crate::error::{ErrorKind, Result};

/// Writes all of `bytes`.
///
/// `Write::write_all` of embedded-io panics when a writer takes nothing; this is an error here.
pub(crate) fn write_all<W: Write + ?Sized>(to: &mut W, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let written = match to.write(bytes) {
            Ok(written) => written,
            Err(error) if error.kind() == Kind::Interrupted => continue,
            Err(error) => return Err(ErrorKind::Write(os_code(error.kind())).into()),
        };
        match bytes.get(written..) {
            Some(rest) if written > 0 => bytes = rest,
            _ => return Err(ErrorKind::Write(0).into()),
        }
    }
    Ok(())
}

/// Reads until `buf` is full or the stream ends: how many bytes came.
pub(crate) fn read_full<R: Read + ?Sized>(from: &mut R, buf: &mut [u8]) -> Result<usize> {
    let mut filled = 0_usize;
    while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(len) => filled = filled.saturating_add(len.min(rest.len())),
            Err(error) if error.kind() == Kind::Interrupted => {}
            Err(error) => return Err(ErrorKind::Read(os_code(error.kind())).into()),
        }
    }
    Ok(filled)
}

/// Linux's error number for what embedded-io can tell apart; 0 for everything else.
fn os_code(kind: Kind) -> i32 {
    match kind {
        Kind::NotFound => 2,
        Kind::OutOfMemory => 12,
        Kind::PermissionDenied => 13,
        Kind::InvalidInput => 22,
        Kind::BrokenPipe => 32,
        Kind::Unsupported => 95,
        Kind::ConnectionReset => 104,
        Kind::TimedOut => 110,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::result::Result;

    struct Failing(Result<usize, Kind>);

    impl embedded_io::ErrorType for Failing {
        type Error = Kind;
    }

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> Result<usize, Kind> {
            core::mem::replace(&mut self.0, Err(Kind::Other))
        }

        fn flush(&mut self) -> Result<(), Kind> {
            Ok(())
        }
    }

    #[test]
    fn failures_are_errors() {
        let write = |first| write_all(&mut Failing(first), b"four").unwrap_err().kind;
        assert_eq!(write(Err(Kind::PermissionDenied)), ErrorKind::Write(13));
        assert_eq!(write(Err(Kind::Interrupted)), ErrorKind::Write(0), "retried, then Other");
        assert_eq!(write(Ok(0)), ErrorKind::Write(0));
        assert_eq!(write(Ok(2)), ErrorKind::Write(0), "the rest fails");
        assert_eq!(write(Ok(5)), ErrorKind::Write(0), "a writer that takes more than there is");
        assert_eq!(write_all(&mut Failing(Ok(4)), b"four"), Ok(()));
    }
}
