//! The jobs of a load, each done by one thread.

use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;

use rustix_futex_sync::Mutex;

use super::entries::{entry_check, foreign};
use super::fill::{Filler, gaps};
use super::held::Held;
use super::placed::position;
use super::plan::Job;
use super::proof::Written;
use super::{Known, LoadProgress, PlacedDecoder, Target};
use crate::buffer::PageBuffer;
use crate::codec::Decompressor;
use crate::device::ReadAt;
use crate::error::Result;
use crate::extent::ExtentSet;
use crate::ndz::{Chunk, ChunkBuffer, Image, RelocType};
use crate::pipeline::check::{EntryReader, Finding};
use crate::relocation::Placement;
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorCount, SectorRange};

/// What came of a job.
pub(super) enum Done {
    /// Nothing that others need.
    Nothing,
    /// A chunk was loaded.
    Loaded(LoadedChunk),
    /// Entries were compared.
    Compared(Vec<(SectorRange, Option<Finding>)>),
}

/// What is known of a chunk that was loaded.
pub(super) struct LoadedChunk {
    /// What relocations could not keep as it was.
    pub(super) notes: Vec<String>,
    /// Where the file ends whose last sector is in the chunk.
    pub(super) short_end: Option<Bytes>,
    /// What the chunk describes but doesn't hold, unless that is known already.
    pub(super) gaps: Vec<SectorRange>,
    /// What was written, if it is to be read back.
    pub(super) written: Written,
}

/// Does jobs, in any number of threads.
pub(super) struct Worker<'w, 'a, D: ?Sized> {
    image: &'w Image<'a, D>,
    known: Option<Known<'w>>,
    target: &'w Target<'w>,
    filler: Filler<'w>,
    progress: &'w LoadProgress,
    /// Those that no thread uses: there are never more than threads.
    buffers: Mutex<Vec<Buffers>>,
}

/// All that a thread needs.
struct Buffers {
    chunk: ChunkBuffer,
    scratch: Decompressor,
    decoder: PlacedDecoder,
    held: Held,
    reader: EntryReader,
    proof: PageBuffer,
}

impl Buffers {
    fn new(place: Placement) -> Self {
        Self {
            chunk: ChunkBuffer::new(),
            scratch: Decompressor::new(),
            decoder: PlacedDecoder::new(place),
            held: Held::default(),
            reader: EntryReader::new(),
            proof: PageBuffer::new(),
        }
    }
}

impl<'w, 'a, D: ReadAt + ?Sized> Worker<'w, 'a, D> {
    pub(super) fn new(
        image: &'w Image<'a, D>,
        known: Option<Known<'w>>,
        target: &'w Target<'w>,
        progress: &'w LoadProgress,
    ) -> Self {
        let filler = Filler::new(target, progress);
        Self { image, known, target, filler, progress, buffers: Mutex::new(Vec::new()) }
    }

    /// Does a job.
    pub(super) fn work(&self, job: Job) -> Result<Done> {
        let unused = self.buffers.lock().pop();
        let mut buffers = unused.unwrap_or_else(|| Buffers::new(self.target.place));
        let done = match (job, &self.known) {
            (Job::Load(number, Some(wanted)), Some(known)) => {
                self.converge(known, number, &wanted, &mut buffers).map(Done::Loaded)
            }
            (Job::Load(number, _), _) => self.load(number, &mut buffers).map(Done::Loaded),
            (Job::Compare(entries), Some(known)) => {
                self.compare(known, entries, &mut buffers.reader)
            }
            (Job::Recheck(entry), Some(known)) => self.recheck(known, entry, &mut buffers.reader),
            (Job::Prove(written), _) => self.prove(&written, &mut buffers.proof),
            (Job::Fill(runs), _) => self.fill(&runs),
            // Only with a signature is there anything to compare.
            (Job::Compare(_) | Job::Recheck(_), None) => Ok(Done::Nothing),
        };
        self.buffers.lock().push(buffers);
        done
    }

    /// Loads a whole chunk.
    fn load(&self, number: u32, buffers: &mut Buffers) -> Result<LoadedChunk> {
        let Buffers { chunk, scratch, decoder, .. } = buffers;
        let chunk = self.chunk(number, chunk)?;
        let mut written = Written::default();
        decoder.decode(&chunk, scratch, &mut |at, data| self.put(at, data, &mut written))?;
        let (notes, short_end) = (decoder.notes().to_vec(), decoder.short_end());
        Ok(LoadedChunk { notes, short_end, gaps: gaps(chunk.header()).collect(), written })
    }

    /// Loads the wanted sectors of a chunk, after its data have been compared with the signature.
    fn converge(
        &self,
        known: &Known<'_>,
        number: u32,
        wanted: &ExtentSet,
        buffers: &mut Buffers,
    ) -> Result<LoadedChunk> {
        let Buffers { chunk, scratch, decoder, held, .. } = buffers;
        let chunk = self.chunk(number, chunk)?;
        let plain = chunk.relocs().all(|reloc| reloc.kind == RelocType::NONE);
        let hold = plain && Held::has_room(chunk.header());
        let mut check = entry_check(known.signature, chunk.header());
        held.clear();
        chunk.decode(scratch, &mut |start, data| {
            if hold {
                held.push(position(self.target.place, start)?, data);
            }
            check.take(start, data)
        })?;
        let mut written = Written::default();
        let mut put = |at, data: &[u8]| self.put_wanted(at, data, wanted, &mut written);
        let (mut notes, mut short_end) = (Vec::new(), None);
        if hold {
            held.give(&mut put)?;
        } else {
            decoder.decode(&chunk, scratch, &mut put)?;
            (notes, short_end) = (decoder.notes().to_vec(), decoder.short_end());
        }
        Ok(LoadedChunk { notes, short_end, gaps: Vec::new(), written })
    }

    fn chunk<'b>(&self, number: u32, buffer: &'b mut ChunkBuffer) -> Result<Chunk<'b>> {
        LoadProgress::add(&self.progress.chunks_read, 1);
        self.image.chunk(number, buffer)
    }

    /// Writes data of the image at their place.
    fn put(&self, at: Bytes, data: &[u8], written: &mut Written) -> Result<()> {
        self.target.device.write_at(at, data)?;
        self.progress.add_written(data);
        if self.target.read_back.is_some() {
            written.push(at, data);
        }
        Ok(())
    }

    /// Writes those of the data that lie in wanted sectors of the image.
    fn put_wanted(
        &self,
        at: Bytes,
        data: &[u8],
        wanted: &ExtentSet,
        written: &mut Written,
    ) -> Result<()> {
        // Data begin with a sector, but may end within one.
        let place = self.target.place.start.to_bytes().get();
        let start =
            Sector::ZERO.saturating_add(Bytes(at.get().saturating_sub(place)).whole_sectors());
        let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let sectors = SectorCount::new(len.div_ceil(SECTOR_BYTES)).unwrap_or(SectorCount::ZERO);
        let range = SectorRange::with_len(start, sectors).unwrap_or(SectorRange::EMPTY);
        let index = |sector: Sector| {
            let index = sector.since(start).to_bytes().get();
            usize::try_from(index).unwrap_or(usize::MAX).min(data.len())
        };
        for part in wanted.within(range) {
            let data = data.get(index(part.start())..index(part.end())).unwrap_or_default();
            self.put(position(self.target.place, part.start())?, data, written)?;
        }
        Ok(())
    }

    /// Compares entries of the signature with the target.
    fn compare(
        &self,
        known: &Known<'_>,
        entries: Range<usize>,
        reader: &mut EntryReader,
    ) -> Result<Done> {
        let start = self.target.place.start;
        let len = reader.check(known.device, start, known.signature, entries)?;
        LoadProgress::add(&self.progress.compared, len.get());
        Ok(Done::Compared(mem::take(&mut reader.results)))
    }

    /// Compares an entry whose chunks have all been loaded.
    fn recheck(&self, known: &Known<'_>, entry: usize, reader: &mut EntryReader) -> Result<Done> {
        let entries = entry..entry.saturating_add(1);
        reader.check(known.device, self.target.place.start, known.signature, entries)?;
        match reader.results.first() {
            Some((range, Some(_))) => Err(foreign(*range)),
            _ => Ok(Done::Nothing),
        }
    }

    fn prove(&self, written: &Written, buffer: &mut PageBuffer) -> Result<Done> {
        if let Some(device) = self.target.read_back {
            written.prove(device, buffer)?;
            LoadProgress::add(&self.progress.verified, written.bytes());
        }
        Ok(Done::Nothing)
    }

    fn fill(&self, runs: &[Range<u64>]) -> Result<Done> {
        runs.iter().try_for_each(|run| self.filler.fill(run)).map(|()| Done::Nothing)
    }
}
