//! The GUID partition table, in two copies with checksums (docs/format.md, "GPT").

use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use crc::{CRC_32_ISO_HDLC, Crc};

use super::draft::Draft;
use super::{DiskId, Guid, LogicalSectorSize, PartitionKind, PartitionTable};
use crate::device::ReadAt;
use crate::error::{CorruptKind, Error, ErrorKind, Limit, Place, Result};
use crate::extent::ExtentSet;
use crate::layout::Layout;
use crate::sector::{Bytes, Sector};

/// The checksum of headers and entries, the CRC-32 that zlib and Ethernet use.
pub(crate) static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// The most entries of a table that are read; tools make 128.
const MAX_ENTRIES: u32 = 1024;
/// The largest size of an entry; tools make 128 bytes.
const MAX_ENTRY_BYTES: u32 = 4096;
/// The size of an entry's known fields, and the smallest size of an entry.
const ENTRY_BYTES: usize = 128;
/// The size of the header's known fields.
const HEADER_BYTES: usize = 92;

/// The block of the primary header.
pub(super) const PRIMARY: u64 = 1;

/// One copy of the table whose checksums are right.
#[derive(Clone)]
pub(super) struct Copy {
    /// The block with the header.
    pub(super) block: Vec<u8>,
    /// All entries.
    pub(super) entries: Vec<u8>,
}

/// The header of one copy, in its block.
pub(super) struct Header<'a>(Layout<'a, HEADER_BYTES>);

impl<'a> Header<'a> {
    /// Checks what stands in `block`, the block number `lba` of the disk.
    fn new(block: &'a [u8], lba: u64) -> core::result::Result<Self, ErrorKind> {
        let header = Self(Layout::new(block).ok_or(ErrorKind::Truncated)?);
        if header.0.array::<0, 8>() != *b"EFI PART" {
            return Err(ErrorKind::Corrupt(CorruptKind::GptMissing));
        }
        let covered = usize::try_from(header.0.u32::<12>())
            .ok()
            .filter(|size| *size >= HEADER_BYTES)
            .and_then(|size| block.get(..size))
            .ok_or(ErrorKind::Corrupt(CorruptKind::GptHeader))?;
        // The checksum is made with its own field zero.
        let mut checksum = CRC.digest();
        checksum.update(covered.get(..16).unwrap_or_default());
        checksum.update(&[0; 4]);
        checksum.update(covered.get(20..).unwrap_or_default());
        if checksum.finalize() != header.0.u32::<16>() {
            return Err(ErrorKind::Corrupt(CorruptKind::GptHeaderChecksum));
        }
        let entry_bytes = header.entry_bytes();
        let possible = header.0.u32::<8>() >= 0x0001_0000
            && header.0.u64::<24>() == lba
            && entry_bytes >= 128
            && entry_bytes.is_power_of_two();
        if !possible {
            return Err(ErrorKind::Corrupt(CorruptKind::GptHeader));
        }
        if header.entry_count() > MAX_ENTRIES || entry_bytes > MAX_ENTRY_BYTES {
            return Err(ErrorKind::TooLarge(Limit::GptEntries));
        }
        Ok(header)
    }

    pub(super) fn alternate_lba(&self) -> u64 {
        self.0.u64::<32>()
    }

    pub(super) fn first_usable(&self) -> u64 {
        self.0.u64::<40>()
    }

    pub(super) fn last_usable(&self) -> u64 {
        self.0.u64::<48>()
    }

    pub(super) fn disk_guid(&self) -> Guid {
        Guid(self.0.array::<56, 16>())
    }

    /// The block that the header stands in.
    pub(super) fn own_lba(&self) -> u64 {
        self.0.u64::<24>()
    }

    /// How many bytes of the block the header's checksum covers.
    pub(super) fn covered_bytes(&self) -> u32 {
        self.0.u32::<12>()
    }

    pub(super) fn entries_lba(&self) -> u64 {
        self.0.u64::<72>()
    }

    pub(super) fn entry_count(&self) -> u32 {
        self.0.u32::<80>()
    }

    pub(super) fn entry_bytes(&self) -> u32 {
        self.0.u32::<84>()
    }

    fn entries_checksum(&self) -> u32 {
        self.0.u32::<88>()
    }

    /// The position of the entry of partition `number`.
    fn entry_at(&self, size: LogicalSectorSize, number: u32) -> Bytes {
        let table = self.entries_lba().saturating_mul(size.bytes());
        let index = u64::from(number.saturating_sub(1));
        Bytes(table.saturating_add(index.saturating_mul(self.entry_bytes().into())))
    }

    /// The size of all entries; both factors are limited.
    pub(super) fn table_bytes(&self) -> u32 {
        self.entry_count().saturating_mul(self.entry_bytes())
    }

    /// The blocks that all entries take.
    pub(super) fn table_blocks(&self, size: LogicalSectorSize) -> u64 {
        u64::from(self.table_bytes()).div_ceil(size.bytes())
    }
}

/// An entry of the table.
struct Entry<'a>(Layout<'a, ENTRY_BYTES>);

impl Entry<'_> {
    fn kind(&self) -> Guid {
        Guid(self.0.array::<0, 16>())
    }

    fn first_lba(&self) -> u64 {
        self.0.u64::<32>()
    }

    fn last_lba(&self) -> u64 {
        self.0.u64::<40>()
    }
}

/// Reads the GPT of a disk whose MBR announces one.
///
/// # Errors
/// Those of the primary copy if neither can be used; those of the backup if there is no trace of
/// the primary one.
pub(super) fn read(device: &dyn ReadAt, size: LogicalSectorSize) -> Result<PartitionTable> {
    let error = match read_copy(device, size, PRIMARY) {
        Ok(table) => return Ok(table),
        Err(error) => error,
    };
    match read_copy(device, size, last_block(device, size)) {
        Ok(mut table) => {
            let note = format!("GPT: the backup copy is used, the primary one is bad: {error}");
            table.notes.insert(0, note);
            Ok(table)
        }
        Err(other) => Err(if is_missing(&error) && !is_missing(&other) { other } else { error }),
    }
}

/// Whether there is not even the signature of a GPT.
fn is_missing(error: &Error) -> bool {
    error.kind == ErrorKind::Corrupt(CorruptKind::GptMissing)
}

/// Reads the primary GPT of a disk without an MBR; `None` if it isn't whole. A backup alone may
/// be left over from an earlier life of the disk.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn read_unprotected(
    device: &dyn ReadAt,
    size: LogicalSectorSize,
) -> Result<Option<PartitionTable>> {
    match read_copy(device, size, PRIMARY) {
        Ok(mut table) => {
            table.notes.insert(0, "GPT: there is no protective MBR".to_string());
            Ok(Some(table))
        }
        Err(error @ Error { kind: ErrorKind::Read(_), .. }) => Err(error),
        Err(_) => Ok(None),
    }
}

/// The number of the device's last block.
pub(super) fn last_block(device: &dyn ReadAt, size: LogicalSectorSize) -> u64 {
    device.size().get().checked_div(size.bytes()).unwrap_or(0).saturating_sub(1)
}

impl Copy {
    /// Reads the copy whose header is in block `lba`.
    ///
    /// # Errors
    /// `Read` if the device fails; `Corrupt`, `TooLarge` or `Truncated` if the copy can't be used.
    pub(super) fn load(device: &dyn ReadAt, size: LogicalSectorSize, lba: u64) -> Result<Self> {
        let place = Place::Sector(Sector::new(size.sectors(lba)).unwrap_or(Sector::MAX));
        let block = read_blocks(device, size, lba, size.bytes()).map_err(|kind| kind.at(place))?;
        let header = Header::new(&block, lba).map_err(|kind| kind.at(place))?;
        let table_bytes = u64::from(header.table_bytes());
        let entries = read_blocks(device, size, header.entries_lba(), table_bytes)
            .map_err(|kind| kind.at(place))?;
        if CRC.checksum(&entries) != header.entries_checksum() {
            return Err(ErrorKind::Corrupt(CorruptKind::GptEntriesChecksum).at(place));
        }
        Ok(Self { block, entries })
    }

    /// The header, which was checked when the copy was loaded.
    ///
    /// # Errors
    /// `Truncated` if the block is none.
    pub(super) fn header(&self) -> Result<Header<'_>> {
        Layout::new(&self.block).map(Header).ok_or_else(|| ErrorKind::Truncated.into())
    }

    /// The first partition that ends behind block `last`.
    ///
    /// # Errors
    /// `Truncated` if there is no header.
    pub(super) fn partition_behind(&self, last: u64) -> Result<Option<u32>> {
        let len = usize::try_from(self.header()?.entry_bytes()).unwrap_or(ENTRY_BYTES);
        let entries = self.entries.chunks_exact(len).filter_map(Layout::new).map(Entry);
        let mut numbered = (1..).zip(entries);
        let behind = |entry: &Entry<'_>| entry.kind() != Guid::ZERO && entry.last_lba() > last;
        Ok(numbered.find(|(_, entry)| behind(entry)).map(|(number, _)| number))
    }
}

/// Where the block of the primary header says that the other copy is, whether or not the rest of
/// it is right; `None` without the signature.
///
/// # Errors
/// `Read` if the device fails, `Truncated` if there is no such block.
pub(super) fn claimed_alternate(
    device: &dyn ReadAt,
    size: LogicalSectorSize,
) -> Result<Option<u64>> {
    let block = read_blocks(device, size, PRIMARY, size.bytes())?;
    let header =
        Layout::<HEADER_BYTES>::new(&block).filter(|header| header.array::<0, 8>() == *b"EFI PART");
    Ok(header.map(|header| Header(header).alternate_lba()))
}

/// Reads the copy whose header is in block `lba`, and the partitions in it.
fn read_copy(device: &dyn ReadAt, size: LogicalSectorSize, lba: u64) -> Result<PartitionTable> {
    let copy = Copy::load(device, size, lba)?;
    let header = copy.header()?;
    let entries = &copy.entries;

    let mut draft = Draft::new(device.sectors());
    let table_blocks = header.table_blocks(size);
    let last = last_block(device, size);
    // The MBR and the headers. A partition must not cover the last block, whether or not the
    // backup's header is there.
    draft.structure(0, size.sectors(2));
    draft.structure(size.sectors(last), size.sectors(1));
    draft.structure(size.sectors(lba), size.sectors(1));
    draft.structure(size.sectors(header.entries_lba()), size.sectors(table_blocks));

    let entry_bytes = usize::try_from(header.entry_bytes()).unwrap_or(ENTRY_BYTES);
    let entries = entries.chunks_exact(entry_bytes).filter_map(Layout::new);
    let mut kept = Vec::new();
    for (number, entry) in (1..).zip(entries.map(Entry)) {
        let len = entry.last_lba().checked_sub(entry.first_lba()).map(|len| len.saturating_add(1));
        let (start, len) = (size.sectors(entry.first_lba()), len.map(|len| size.sectors(len)));
        match len {
            // An unused entry is all zero, which reads as one block from 0. What is left of a
            // deleted partition is kept.
            Some(len) if entry.kind() == Guid::ZERO => kept.push(draft.on_disk(start, len)),
            Some(len) => {
                let kind = PartitionKind::Gpt(entry.kind());
                draft.partition(number, start, len, kind, header.entry_at(size, number));
            }
            None => draft.incomplete(format!("partition {number}: ends before it begins: ignored")),
        }
    }

    if last != header.alternate_lba().max(lba) {
        draft.note("GPT: the disk has another size than the table says".to_string());
    }
    // Both copies are saved, also where the table says that they lie elsewhere.
    for end in [last, header.alternate_lba()] {
        let first = end.saturating_sub(table_blocks);
        kept.push(draft.on_disk(size.sectors(first), size.sectors(table_blocks.saturating_add(1))));
    }
    kept.push(draft.on_disk(0, size.sectors(table_blocks.saturating_add(2))));
    let unused = outside(&draft, size, &header).difference(&ExtentSet::from_unsorted(kept));
    Ok(draft.finish(DiskId::Gpt(header.disk_guid()), &unused))
}

/// The usable sectors before the first partition and after the last one. None without
/// partitions: a table that knows of nothing says nothing about what is there.
fn outside(draft: &Draft, size: LogicalSectorSize, header: &Header<'_>) -> ExtentSet {
    let usable = header.last_usable().saturating_add(1).saturating_sub(header.first_usable());
    let usable = draft.on_disk(size.sectors(header.first_usable()), size.sectors(usable));
    match draft.span() {
        Some(span) => ExtentSet::from(usable).difference(&span.into()),
        None => ExtentSet::new(),
    }
}

/// Reads `len` bytes from block `lba` on.
fn read_blocks(
    device: &dyn ReadAt,
    size: LogicalSectorSize,
    lba: u64,
    len: u64,
) -> core::result::Result<Vec<u8>, ErrorKind> {
    let start = lba.checked_mul(size.bytes()).ok_or(ErrorKind::Truncated)?;
    // Before memory is taken: it must be on the device.
    let end = start.checked_add(len).ok_or(ErrorKind::Truncated)?;
    if end > device.size().get() {
        return Err(ErrorKind::Truncated);
    }
    let len = usize::try_from(len).map_err(|_| ErrorKind::Truncated)?;
    let mut bytes = vec![0; len];
    device.read_at(Bytes(start), &mut bytes).map_err(|error| error.kind)?;
    Ok(bytes)
}
