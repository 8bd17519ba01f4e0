//! A client of the NBD protocol that says what it likes.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

/// A connection on which the handshake has begun.
pub(crate) struct Client(pub(crate) UnixStream);

impl Client {
    pub(crate) fn connect(socket: &Path) -> Result<Self> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut greeting = [0; 18];
        stream.read_exact(&mut greeting)?;
        ensure!(greeting.starts_with(b"NBDMAGICIHAVEOPT"), "{greeting:?}");
        Ok(Self(stream))
    }

    /// Chooses the export as old clients do; the size of it.
    pub(crate) fn go(&mut self) -> Result<u64> {
        self.0.write_all(&[&[0, 0, 0, 3][..], b"IHAVEOPT", &[0, 0, 0, 1, 0, 0, 0, 0]].concat())?;
        let mut answer = [0; 10];
        self.0.read_exact(&mut answer)?;
        let (size, _) = answer.split_at(8);
        Ok(u64::from_be_bytes(size.try_into()?))
    }

    pub(crate) fn request(&mut self, command: u16, offset: u64, len: u32) -> Result<()> {
        let head = [&0x2560_9513_u32.to_be_bytes()[..], &[0; 2], &command.to_be_bytes(), &[9; 8]];
        let rest = [&offset.to_be_bytes()[..], &len.to_be_bytes()];
        Ok(self.0.write_all(&[head.concat(), rest.concat()].concat())?)
    }

    /// The number of the error of a simple reply; 0 if there is none.
    pub(crate) fn reply(&mut self) -> Result<u32> {
        let mut reply = [0; 16];
        self.0.read_exact(&mut reply)?;
        ensure!(reply[..4] == [0x67, 0x44, 0x66, 0x98] && reply[8..] == [9; 8], "{reply:?}");
        Ok(u32::from_be_bytes(reply[4..8].try_into()?))
    }

    /// Whether the server hangs up, whatever it says before.
    pub(crate) fn sent_away(mut self) -> bool {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}
