//! Codecs in Rust.

use anyhow::{Context, Result, ensure};
use imagezip_core::codec::{
    Adler32, Compressor, Decompress, Decompressor, Level, Piece, STREAM_START, stream_end,
};
use imagezip_core::ndz::PIECE_MAX;
use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, create_comp_flags_from_zip_params,
};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush, Status};

use super::Codec;

/// The project's own, as the engine uses it: pieces that become one stream.
pub(super) struct Own {
    level: u8,
    compressor: Compressor,
    decompressor: Decompressor,
    piece: Piece,
}

impl Own {
    /// The codec at that level, if there is such a level.
    pub(super) fn new(level: u8) -> Option<Self> {
        Some(Self {
            level,
            compressor: Compressor::new(Level::new(level)?),
            decompressor: Decompressor::new(),
            piece: Piece::new(),
        })
    }
}

impl Codec for Own {
    fn name(&self) -> (&'static str, u8) {
        ("imagezip-core", self.level)
    }

    fn compress(&mut self, data: &[u8]) -> Result<Vec<u8>> {
        let mut stream = STREAM_START.to_vec();
        let mut adler = Adler32::EMPTY;
        for part in data.chunks(PIECE_MAX) {
            self.compressor.compress(part, &mut self.piece);
            stream.extend_from_slice(self.piece.deflate());
            adler = adler.followed_by(self.piece.adler(), self.piece.len());
        }
        stream.extend_from_slice(&stream_end(adler));
        Ok(stream)
    }

    fn inflate(&mut self, stream: &[u8], data: &mut [u8]) -> Result<()> {
        inflate_here(&mut self.decompressor, stream, data)
    }
}

/// Inflates with the project's decoder.
pub(super) fn inflate_here(
    decoder: &mut Decompressor,
    stream: &[u8],
    data: &mut [u8],
) -> Result<()> {
    let len = data.len() as u64;
    let mut rest = data;
    decoder.decompress(stream, len, &mut |part| {
        // No more than `len` bytes come.
        if let Some((to, after)) = std::mem::take(&mut rest).split_at_mut_checked(part.len()) {
            to.copy_from_slice(part);
            rest = after;
        }
        Ok(())
    })?;
    Ok(())
}

/// `miniz_oxide`.
pub(super) struct Miniz {
    level: u8,
    deflate: Box<CompressorOxide>,
    inflate: Box<DecompressorOxide>,
}

impl Miniz {
    pub(super) fn new(level: u8) -> Self {
        let flags = create_comp_flags_from_zip_params(level.into(), 15, 0);
        Self { level, deflate: Box::new(CompressorOxide::new(flags)), inflate: Box::default() }
    }
}

impl Codec for Miniz {
    fn name(&self) -> (&'static str, u8) {
        ("miniz_oxide", self.level)
    }

    fn compress(&mut self, data: &[u8]) -> Result<Vec<u8>> {
        let mut stream = vec![0; bound(data.len())];
        self.deflate.reset();
        let (status, _, made) = miniz_oxide::deflate::core::compress(
            &mut self.deflate,
            data,
            &mut stream,
            TDEFLFlush::Finish,
        );
        ensure!(status == TDEFLStatus::Done, "miniz_oxide: {status:?}");
        stream.truncate(made);
        Ok(stream)
    }

    fn inflate(&mut self, stream: &[u8], data: &mut [u8]) -> Result<()> {
        let flags = inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER
            | inflate_flags::TINFL_FLAG_COMPUTE_ADLER32
            | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        self.inflate.init();
        let (status, _, made) = decompress(&mut self.inflate, stream, data, 0, flags);
        ensure!(status == TINFLStatus::Done && made == data.len(), "miniz_oxide: {status:?}");
        Ok(())
    }
}

/// zlib-rs.
pub(super) struct ZlibRs {
    level: u8,
    deflate: Deflate,
    inflate: Inflate,
}

impl ZlibRs {
    pub(super) fn new(level: u8) -> Self {
        let deflate = Deflate::new(level.into(), true, 15);
        Self { level, deflate, inflate: Inflate::new(true, 15) }
    }
}

impl Codec for ZlibRs {
    fn name(&self) -> (&'static str, u8) {
        ("zlib-rs", self.level)
    }

    fn compress(&mut self, data: &[u8]) -> Result<Vec<u8>> {
        let mut stream = vec![0; bound(data.len())];
        self.deflate.reset();
        let status = self.deflate.compress(data, &mut stream, DeflateFlush::Finish);
        let status = status.ok().context("zlib-rs can't deflate")?;
        ensure!(status == Status::StreamEnd, "zlib-rs ends deflating with {status:?}");
        stream.truncate(usize::try_from(self.deflate.total_out())?);
        Ok(stream)
    }

    fn inflate(&mut self, stream: &[u8], data: &mut [u8]) -> Result<()> {
        self.inflate.reset(true);
        let status = self.inflate.decompress(stream, data, InflateFlush::Finish);
        let status = status.ok().context("zlib-rs can't inflate")?;
        ensure!(status == Status::StreamEnd, "zlib-rs ends inflating with {status:?}");
        Ok(())
    }
}

/// More than any codec makes of so many bytes: some use codes of up to 9 bits for a byte.
pub(super) const fn bound(len: usize) -> usize {
    len + len / 8 + 1024
}
