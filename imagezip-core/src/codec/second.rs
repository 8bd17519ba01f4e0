//! Decompressing with `miniz_oxide`, which shares nothing with our own codec.

use alloc::boxed::Box;
use alloc::vec;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_COMPUTE_ADLER32, TINFL_FLAG_PARSE_ZLIB_HEADER,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::decompress::{Decompress, corrupt};
use crate::error::{CorruptKind, Result};

/// The window that data are decompressed in: a power of two.
const WINDOW: usize = 128 * 1024;

/// Another's decoder, for what our own encoder made: if that has a fault, so may our decoder. It
/// takes about twice the time of [`Decompressor`](super::Decompressor) and finds the same errors.
pub struct SecondDecompressor {
    inflate: Box<DecompressorOxide>,
    window: Box<[u8]>,
}

impl SecondDecompressor {
    /// A decompressor.
    pub fn new() -> Self {
        Self { inflate: Box::default(), window: vec![0; WINDOW].into_boxed_slice() }
    }
}

impl Default for SecondDecompressor {
    fn default() -> Self {
        Self::new()
    }
}

impl Decompress for SecondDecompressor {
    fn decompress(
        &mut self,
        stream: &[u8],
        len: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        const FLAGS: u32 = TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_COMPUTE_ADLER32;
        self.inflate.init();
        let (mut rest, mut left) = (stream, len);
        loop {
            let (status, taken, made) =
                decompress(&mut self.inflate, rest, &mut self.window, 0, FLAGS);
            rest = rest.get(taken..).unwrap_or_default();
            let finished = match status {
                TINFLStatus::Done => true,
                // The window is full, so each round brings data.
                TINFLStatus::HasMoreOutput if made > 0 => false,
                TINFLStatus::Adler32Mismatch => return Err(corrupt(CorruptKind::PayloadChecksum)),
                TINFLStatus::FailedCannotMakeProgress | TINFLStatus::NeedsMoreInput => {
                    return Err(corrupt(CorruptKind::PayloadShort));
                }
                _ => return Err(corrupt(CorruptKind::PayloadCode)),
            };
            left = u64::try_from(made)
                .ok()
                .and_then(|made| left.checked_sub(made))
                .ok_or_else(|| corrupt(CorruptKind::PayloadLong))?;
            if finished && left > 0 {
                return Err(corrupt(CorruptKind::PayloadShort));
            }
            if finished && !rest.is_empty() {
                return Err(corrupt(CorruptKind::PayloadTrailing));
            }
            if made > 0 {
                sink(self.window.get(..made).unwrap_or_default())?;
            }
            if finished {
                return Ok(());
            }
        }
    }
}
