//! An image that comes through a pipe.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::{Mutex, MutexGuard, PoisonError};

use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Place, Result};
use imagezip_core::ndz::CHUNK_BYTES;
use imagezip_core::sector::Bytes;

/// The bytes of a chunk.
const CHUNK: u64 = CHUNK_BYTES as u64;

/// An image file whose chunks come one after the other. Only the last few of them can be read.
#[derive(Debug)]
pub struct ArrivingFile<R> {
    window: Mutex<Window<R>>,
    /// The number of chunks, if the first one states it.
    stated: Option<u32>,
}

/// The chunks that are there.
#[derive(Debug)]
struct Window<R> {
    from: R,
    chunks: VecDeque<Box<[u8]>>,
    /// The number of the first of them.
    first: u32,
    /// The most of them.
    most: usize,
    ended: bool,
}

impl<R: Read + Send> ArrivingFile<R> {
    /// The image that comes from `from`. So many of its chunks can be read at a time: as many as
    /// are worked on at once.
    ///
    /// # Errors
    /// As [`ArrivingFile::arrived`], for the first chunk.
    pub fn new(from: R, most: usize) -> Result<Self> {
        let window = Window { from, chunks: VecDeque::new(), first: 0, most, ended: false };
        let mut file = Self { window: Mutex::new(window), stated: None };
        file.stated = if file.arrived(0)? { file.stated_total() } else { None };
        Ok(file)
    }

    /// Waits for the chunk of that number; false if the image ends before it. Chunks are asked
    /// for in order.
    ///
    /// # Errors
    /// `Truncated` if the image ends within a chunk or before as many as it states, `Read` if
    /// reading fails.
    pub fn arrived(&self, number: u32) -> Result<bool> {
        let mut window = self.lock();
        while !window.ended && u64::from(number) >= window.end() {
            window.take()?;
        }
        let there = u64::from(number) < window.end();
        if !there && self.stated.is_some_and(|stated| number < stated) {
            return Err(ErrorKind::Truncated.at(Place::Chunk(number.into())));
        }
        Ok(there)
    }

    /// The number of chunks, if the first one states it.
    fn stated_total(&self) -> Option<u32> {
        const VERSION_1: u32 = 0x6969_6969;
        let window = self.lock();
        let field = |at: usize| {
            let bytes = window.chunks.front()?.get(at..)?.first_chunk()?;
            Some(u32::from_le_bytes(*bytes))
        };
        (field(0)? == VERSION_1).then(|| field(12)).flatten().filter(|total| *total > 0)
    }

    fn lock(&self) -> MutexGuard<'_, Window<R>> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Read> Window<R> {
    /// The number of the chunk that comes next.
    fn end(&self) -> u64 {
        u64::from(self.first) + self.chunks.len() as u64
    }

    /// Takes the next chunk in, in place of the first one if there are too many.
    fn take(&mut self) -> Result<()> {
        let mut chunk = match self.chunks.len() {
            len if len >= self.most.max(1) => {
                self.first = self.first.saturating_add(1);
                self.chunks.pop_front().unwrap_or_default()
            }
            _ => vec![0; CHUNK_BYTES].into_boxed_slice(),
        };
        let place = Place::Chunk(self.end());
        let mut len = 0;
        while let Some(room) = chunk.get_mut(len..).filter(|room| !room.is_empty()) {
            match self.from.read(room) {
                Ok(0) => break,
                Ok(read) => len += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(ErrorKind::Read(error.raw_os_error().unwrap_or(0)).at(place));
                }
            }
        }
        match len {
            0 => self.ended = true,
            CHUNK_BYTES => self.chunks.push_back(chunk),
            _ => return Err(ErrorKind::Truncated.at(place)),
        }
        Ok(())
    }
}

impl<R: Read + Send> ReadAt for ArrivingFile<R> {
    /// As many chunks as it states, or else as there can be: how many they are shows at the end.
    fn size(&self) -> Bytes {
        Bytes(u64::from(self.stated.unwrap_or(u32::MAX)) * CHUNK)
    }

    /// Reads from a chunk that has arrived.
    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        let truncated = || ErrorKind::Truncated.at(Place::Byte(offset));
        let window = self.lock();
        let place = (offset.get() / CHUNK).checked_sub(u64::from(window.first));
        let chunk = place.and_then(|place| window.chunks.get(usize::try_from(place).ok()?));
        let start = usize::try_from(offset.get() % CHUNK).unwrap_or(usize::MAX);
        let bytes = chunk.and_then(|chunk| chunk.get(start..)?.get(..buf.len()));
        buf.copy_from_slice(bytes.ok_or_else(truncated)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(count: u8) -> Vec<u8> {
        (0..count).flat_map(|number| vec![number; CHUNK_BYTES]).collect()
    }

    #[test]
    fn the_last_chunks_can_be_read() -> anyhow::Result<()> {
        let bytes = chunks(5);
        let file = ArrivingFile::new(&*bytes, 2)?;
        let read = |number: u64| {
            let mut buf = [0xff; 3];
            file.read_at(Bytes(number * CHUNK + 5), &mut buf).map(|()| buf[2])
        };
        for number in 0..5_u8 {
            assert!(file.arrived(number.into())?);
            assert_eq!(read(number.into())?, number);
            assert_eq!(read(u64::from(number.saturating_sub(1)))?, number.saturating_sub(1));
            assert!(number < 2 || read(u64::from(number - 2)).is_err(), "two at a time");
        }
        assert!(!file.arrived(5)?, "the image ends");
        assert!(read(5).is_err());
        Ok(())
    }

    #[test]
    fn a_part_of_a_chunk_is_an_error() -> anyhow::Result<()> {
        let bytes = chunks(2);
        let file = ArrivingFile::new(&bytes[..CHUNK_BYTES + 100], 2)?;
        assert!(file.arrived(0)?);
        assert_eq!(file.arrived(1), Err(ErrorKind::Truncated.at(Place::Chunk(1))));
        Ok(())
    }
}
