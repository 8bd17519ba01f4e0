//! Writing signature files.

use embedded_io::Write;

use super::Signature;
use super::header::Header;
use crate::error::{ErrorKind, Limit, Result};
use crate::stream::write_all;

impl Signature {
    /// Writes a signature file of version 2.
    ///
    /// # Errors
    /// `Write`; `Count32` for more entries than the format can count.
    pub fn write<W: Write + ?Sized>(&self, to: &mut W) -> Result<()> {
        let count =
            u32::try_from(self.entries.len()).map_err(|_| ErrorKind::TooLarge(Limit::Count32))?;
        let header = Header { hash_type: self.hash_type, block: self.block, count };
        write_all(to, &header.to_bytes())?;
        // Writers may be unbuffered, so entries go out in larger parts.
        let mut part = heapless::Vec::<u8, 4096>::new();
        for entry in &self.entries {
            let bytes = entry.to_bytes();
            if part.extend_from_slice(&bytes).is_err() {
                write_all(to, &part)?;
                part.clear();
                part.extend_from_slice(&bytes).map_err(|_| ErrorKind::TooLarge(Limit::Memory))?;
            }
        }
        write_all(to, &part)
    }
}
