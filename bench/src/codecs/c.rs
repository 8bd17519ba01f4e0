//! Codecs in C.

use anyhow::{Result, ensure};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use libdeflater::{CompressionLvl, Compressor, Decompressor};

use super::Codec;
use super::rust::bound;

/// Stock zlib: Debian's, if its header files are installed.
pub(super) struct Zlib {
    level: u8,
    deflate: Compress,
    inflate: Decompress,
}

impl Zlib {
    pub(super) fn new(level: u8) -> Self {
        let deflate = Compress::new(Compression::new(level.into()), true);
        Self { level, deflate, inflate: Decompress::new(true) }
    }
}

impl Codec for Zlib {
    fn name(&self) -> (&'static str, u8) {
        ("zlib", self.level)
    }

    fn compress(&mut self, data: &[u8]) -> Result<Vec<u8>> {
        let mut stream = vec![0; bound(data.len())];
        self.deflate.reset();
        let status = self.deflate.compress(data, &mut stream, FlushCompress::Finish)?;
        ensure!(status == Status::StreamEnd, "zlib: {status:?}");
        stream.truncate(usize::try_from(self.deflate.total_out())?);
        Ok(stream)
    }

    fn inflate(&mut self, stream: &[u8], data: &mut [u8]) -> Result<()> {
        self.inflate.reset(true);
        let status = self.inflate.decompress(stream, data, FlushDecompress::Finish)?;
        ensure!(status == Status::StreamEnd, "zlib: {status:?}");
        Ok(())
    }
}

/// libdeflate, which only compresses what it has whole.
pub(super) struct Libdeflate {
    level: u8,
    compressor: Compressor,
    decompressor: Decompressor,
}

impl Libdeflate {
    pub(super) fn new(level: u8) -> Option<Self> {
        let compressor = Compressor::new(CompressionLvl::new(level.into()).ok()?);
        Some(Self { level, compressor, decompressor: Decompressor::new() })
    }
}

impl Codec for Libdeflate {
    fn name(&self) -> (&'static str, u8) {
        ("libdeflate", self.level)
    }

    fn compress(&mut self, data: &[u8]) -> Result<Vec<u8>> {
        let mut stream = vec![0; self.compressor.zlib_compress_bound(data.len())];
        let made = self.compressor.zlib_compress(data, &mut stream)?;
        stream.truncate(made);
        Ok(stream)
    }

    fn inflate(&mut self, stream: &[u8], data: &mut [u8]) -> Result<()> {
        let made = self.decompressor.zlib_decompress(stream, data)?;
        ensure!(made == data.len(), "libdeflate: {made} bytes of {}", data.len());
        Ok(())
    }
}
