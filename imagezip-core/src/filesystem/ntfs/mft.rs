//! The master file table, and the attributes of the files in it.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{Error, ErrorKind, Limit, Result};
use crate::layout::Layout;

use super::attribute::{Content, Outside, kind};
use super::boot::Geometry;
use super::record::{Record, Reference, damaged};
use super::stream::Stream;

/// The longest list of attributes that Windows makes, in bytes.
const LONGEST_LIST: u64 = 256 << 10;

/// The numbers of records with a fixed use.
pub(super) mod number {
    pub(in super::super) const MFT: u64 = 0;
    pub(in super::super) const LOG_FILE: u64 = 2;
    pub(in super::super) const VOLUME: u64 = 3;
    pub(in super::super) const ROOT: u64 = 5;
    pub(in super::super) const BITMAP: u64 = 6;
    /// From here on users' files may come; those before are the system's, or not in use.
    pub(in super::super) const FIRST_FREE: u64 = 24;
}

/// The master file table of a volume.
pub(super) struct Mft<'a> {
    pub(super) device: &'a dyn ReadAt,
    pub(super) geometry: Geometry,
    pub(super) data: Stream,
}

impl<'a> Mft<'a> {
    /// Finds all of the MFT, by its own first record.
    ///
    /// # Errors
    /// `Corrupt` if that is damaged, `Read` if the device fails.
    pub(super) fn open(device: &'a dyn ReadAt, geometry: Geometry) -> Result<Self> {
        let wrong = || damaged(number::MFT);
        let mut buf = vec![0; geometry.record_size];
        let start = geometry.bytes(geometry.mft_cluster).ok_or_else(wrong)?;
        device.read_at(crate::sector::Bytes(start), &mut buf)?;
        let base = Record::new(&mut buf, number::MFT).ok_or_else(wrong)?;
        let data = base.find(kind::DATA, &[], 0)?.and_then(|data| data.outside());
        let data = data.and_then(|part| Stream::new(&geometry, &part)).ok_or_else(wrong)?;
        let mut mft = Self { device, geometry, data };
        // Each part of the MFT is described by a record in the parts before.
        if let Some(list) = mft.list(&base)? {
            for entry in entries(&list, kind::DATA, &[]).ok_or_else(wrong)? {
                if entry.first != 0 {
                    let mut buf = Vec::new();
                    let part = mft.part(&base, entry, (kind::DATA, &[]), &mut buf)?;
                    mft.data.add(&geometry, &part).ok_or_else(wrong)?;
                }
            }
        }
        let plain = mft.data.is_plain && mft.data.is_whole(&geometry);
        let begins = mft.data.ranges(&geometry).next().map(|range| range.start().to_bytes().get());
        if plain && begins == Some(start) { Ok(mft) } else { Err(wrong()) }
    }

    /// How many records there are.
    pub(super) fn records(&self) -> u64 {
        let size = u64::try_from(self.geometry.record_size).unwrap_or(u64::MAX);
        self.data.initialized.checked_div(size).unwrap_or_default()
    }

    /// Reads a record that has to be in use.
    ///
    /// # Errors
    /// `Corrupt` if it is not or is damaged, `Read` if the device fails.
    pub(super) fn record<'b>(&self, number: u64, buf: &'b mut Vec<u8>) -> Result<Record<'b>> {
        buf.resize(self.geometry.record_size, 0);
        if number >= self.records() {
            return Err(damaged(number));
        }
        let at = u64::try_from(buf.len()).unwrap_or(u64::MAX).saturating_mul(number);
        self.data.read_at(self.device, &self.geometry, at, buf).map_err(|error| {
            match error.kind {
                ErrorKind::Truncated => damaged(number),
                _ => error,
            }
        })?;
        Record::new(buf, number).ok_or_else(|| damaged(number))
    }

    /// The content of an attribute that lies in clusters, if the file has it. What lies in the
    /// record is none.
    ///
    /// # Errors
    /// `Corrupt` if the records that describe it are damaged, `Read` if the device fails.
    pub(super) fn stream(
        &self,
        base: &Record<'_>,
        kind: u32,
        name: &[u8],
    ) -> Result<Option<Stream>> {
        let wrong = || base.damaged();
        let mut stream: Option<Stream> = None;
        if let Some(list) = self.list(base)? {
            let mut buf = Vec::new();
            for entry in entries(&list, kind, name).ok_or_else(wrong)? {
                let part = self.part(base, entry, (kind, name), &mut buf)?;
                match &mut stream {
                    None => stream = Some(Stream::new(&self.geometry, &part).ok_or_else(wrong)?),
                    Some(stream) => stream.add(&self.geometry, &part).ok_or_else(wrong)?,
                }
            }
        } else if let Some(part) = base.find(kind, name, 0)?.and_then(|found| found.outside()) {
            stream = Some(Stream::new(&self.geometry, &part).ok_or_else(wrong)?);
        }
        match stream {
            Some(stream) if !stream.is_whole(&self.geometry) => Err(wrong()),
            stream => Ok(stream),
        }
    }

    /// The part of an attribute that an entry of the file's list of attributes names.
    fn part<'b>(
        &self,
        base: &'b Record<'_>,
        entry: Entry,
        (kind, name): (u32, &[u8]),
        buf: &'b mut Vec<u8>,
    ) -> Result<Outside<'b>> {
        let record;
        let record: &Record<'_> = if base.is(entry.record) {
            base
        } else {
            record = self.record(entry.record.number(), buf)?;
            if !record.is(entry.record) || !base.is(record.base()) {
                return Err(record.damaged());
            }
            &record
        };
        let part = record.find(kind, name, entry.first)?.and_then(|found| found.outside());
        part.ok_or_else(|| record.damaged())
    }

    /// The list of attributes of a file that has them in several records.
    fn list(&self, base: &Record<'_>) -> Result<Option<Vec<u8>>> {
        let Some(list) = base.find(kind::LIST, &[], 0)? else {
            return Ok(None);
        };
        let part = match list.content {
            Content::Resident(bytes) => return Ok(Some(bytes.to_vec())),
            Content::Outside(part) => part,
        };
        let stream = Stream::new(&self.geometry, &part).filter(|list| {
            list.is_plain && list.is_whole(&self.geometry) && list.initialized == list.size
        });
        self.all(&stream.ok_or_else(|| base.damaged())?, LONGEST_LIST).map(Some)
    }

    /// All of the content of a stream.
    ///
    /// # Errors
    /// `TooLarge` if it is longer than `limit` bytes.
    pub(super) fn all(&self, stream: &Stream, limit: u64) -> Result<Vec<u8>> {
        let too_large = || Error::from(ErrorKind::TooLarge(Limit::Metadata));
        let len = Some(stream.size).filter(|size| *size <= limit).ok_or_else(too_large)?;
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| too_large())?];
        stream.read_at(self.device, &self.geometry, 0, &mut bytes)?;
        Ok(bytes)
    }
}

/// An entry of a list of attributes.
#[derive(Clone, Copy)]
struct Entry {
    /// The first cluster of the part that it is about.
    first: u64,
    /// The record with that part.
    record: Reference,
}

/// The entries of a list that are about one attribute; `None` if the list is damaged.
fn entries(list: &[u8], kind: u32, name: &[u8]) -> Option<Vec<Entry>> {
    let mut rest = list;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let header = Layout::<0x1a>::new(rest)?;
        let len = usize::from(header.u16::<0x04>());
        if len < 0x1a || !len.is_multiple_of(8) {
            return None;
        }
        let (entry, later) = rest.split_at_checked(len)?;
        let name_len = usize::from(header.u8::<0x06>()).checked_mul(2)?;
        let own_name = entry.get(usize::from(header.u8::<0x07>())..)?.get(..name_len)?;
        if header.u32::<0x00>() == kind && own_name == name {
            let record = Reference(header.u64::<0x10>());
            found.push(Entry { first: header.u64::<0x08>(), record });
        }
        rest = later;
    }
    Some(found)
}
