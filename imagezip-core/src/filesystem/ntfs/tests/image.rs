//! Volumes built by hand: clusters and records of 1 KiB, the MFT at cluster 4.

use std::vec;
use std::vec::Vec;

pub(super) const CLUSTERS: u64 = 200;
pub(super) const RECORDS: u64 = 40;
/// The first cluster of the MFT.
pub(super) const MFT: u64 = 4;
/// The first cluster of the log.
pub(super) const LOG: u64 = 50;
/// The cluster with the volume's bitmap.
pub(super) const BITMAP: u64 = 60;

/// A record, as its attributes.
#[derive(Clone)]
pub(super) struct Record {
    pub(super) attributes: Vec<Vec<u8>>,
    pub(super) flags: u16,
    pub(super) base: u64,
    pub(super) links: u16,
}

/// A record in use.
pub(super) fn record(attributes: &[Vec<u8>]) -> Record {
    Record { attributes: attributes.to_vec(), flags: 1, base: 0, links: 1 }
}

/// A reference to a record; all have sequence number 7.
pub(super) fn reference(number: u64) -> u64 {
    number | 7 << 48
}

fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let len = u32::try_from(bytes.len()).unwrap();
    bytes[4..8].copy_from_slice(&len.to_le_bytes());
    bytes
}

fn wide(name: &str) -> Vec<u8> {
    name.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// An attribute whose content lies in the record.
pub(super) fn resident(kind: u32, name: &str, content: &[u8]) -> Vec<u8> {
    let name_len = u8::try_from(name.len()).unwrap();
    let content_at = (0x18 + 2 * name.len()).next_multiple_of(8);
    let mut bytes = vec![0; content_at];
    bytes[..4].copy_from_slice(&kind.to_le_bytes());
    bytes[9..0xb].copy_from_slice(&[name_len, 0x18]);
    bytes[0x10..0x14].copy_from_slice(&u32::try_from(content.len()).unwrap().to_le_bytes());
    bytes[0x14] = u8::try_from(content_at).unwrap();
    bytes[0x18..0x18 + 2 * name.len()].copy_from_slice(&wide(name));
    bytes.extend(content);
    padded(bytes)
}

/// A part of an attribute whose content, of `size` bytes, lies in these clusters.
pub(super) fn outside(kind: u32, first: u64, runs: &[(u64, u64)], size: u64) -> Vec<u8> {
    let mut bytes = vec![0; 0x40];
    bytes[..4].copy_from_slice(&kind.to_le_bytes());
    bytes[8..0xb].copy_from_slice(&[1, 0, 0x40]);
    let end = first + runs.iter().map(|run| run.1).sum::<u64>();
    bytes[0x10..0x18].copy_from_slice(&first.to_le_bytes());
    bytes[0x18..0x20].copy_from_slice(&end.wrapping_sub(1).to_le_bytes());
    bytes[0x20] = 0x40;
    bytes[0x30..0x38].copy_from_slice(&size.to_le_bytes());
    bytes[0x38..0x40].copy_from_slice(&size.to_le_bytes());
    let mut place = 0;
    for (cluster, count) in runs {
        let step = i32::try_from(*cluster).unwrap() - place;
        place += step;
        bytes.push(0x41);
        bytes.push(u8::try_from(*count).unwrap());
        bytes.extend(step.to_le_bytes());
    }
    bytes.push(0);
    padded(bytes)
}

/// A list of attributes: for each its kind, first cluster and record.
pub(super) fn list(entries: &[(u32, u64, u64)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, first, reference) in entries {
        bytes.extend(kind.to_le_bytes());
        bytes.extend([0x20, 0, 0, 0x1a]);
        bytes.extend(first.to_le_bytes());
        bytes.extend(reference.to_le_bytes());
        bytes.extend([0; 8]);
    }
    resident(0x20, "", &bytes)
}

/// A name in the root directory.
pub(super) fn file_name(name: &str) -> Vec<u8> {
    let mut bytes = vec![0; 0x42];
    bytes[..8].copy_from_slice(&reference(5).to_le_bytes());
    bytes[0x40] = u8::try_from(name.len()).unwrap();
    bytes.extend(wide(name));
    bytes
}

/// The root of a directory's index.
pub(super) fn index_root(names: &[(&str, u64)]) -> Vec<u8> {
    let mut entries = Vec::new();
    for (name, reference) in names {
        let key = file_name(name);
        let len = (0x10 + key.len()).next_multiple_of(8);
        entries.extend(reference.to_le_bytes());
        entries.extend(u16::try_from(len).unwrap().to_le_bytes());
        entries.extend(u16::try_from(key.len()).unwrap().to_le_bytes());
        entries.extend([0; 4]);
        entries.extend(&key);
        entries.resize(entries.len().next_multiple_of(8), 0);
    }
    entries.extend([0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 2, 0, 0, 0]);
    let end = u32::try_from(entries.len() + 0x10).unwrap().to_le_bytes();
    let mut bytes = vec![0x30, 0, 0, 0, 1, 0, 0, 0, 0, 0x10, 0, 0, 4, 0, 0, 0, 0x10, 0, 0, 0];
    bytes.extend(end.repeat(2));
    bytes.extend([0; 4]);
    bytes.extend(entries);
    resident(0x90, "$I30", &bytes)
}

/// Puts marks into the sectors of a block whose list of marks is at `at`.
pub(super) fn mark(block: &mut [u8], at: usize) {
    let count = block.len() / 512 + 1;
    block[4] = u8::try_from(at).unwrap();
    block[6] = u8::try_from(count).unwrap();
    block[at..at + 2].copy_from_slice(&[7, 0]);
    for sector in 0..count - 1 {
        let end = sector * 512 + 510;
        let original = [block[end], block[end + 1]];
        block[at + 2 + 2 * sector..][..2].copy_from_slice(&original);
        block[end..end + 2].copy_from_slice(&[7, 0]);
    }
}

/// A volume.
#[derive(Clone)]
pub(super) struct Image {
    /// By number; what is `None` was never used.
    pub(super) records: Vec<Option<Record>>,
    pub(super) in_use: Vec<u64>,
    /// The log's first client, if the log is not empty: 0xffff for none.
    pub(super) client: Option<u16>,
}

impl Default for Image {
    fn default() -> Self {
        let mut records = vec![None; usize::try_from(RECORDS).unwrap()];
        let information = [0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0];
        records[0] = Some(record(&[outside(0x80, 0, &[(MFT, RECORDS)], RECORDS << 10)]));
        records[2] = Some(record(&[outside(0x80, 0, &[(LOG, 10)], 10 << 10)]));
        records[3] = Some(record(&[resident(0x70, "", &information)]));
        records[5] = Some(record(&[index_root(&[])]));
        records[6] = Some(record(&[outside(0x80, 0, &[(BITMAP, 1)], CLUSTERS / 8)]));
        let in_use = (0..MFT + RECORDS).chain(LOG..LOG + 10).chain([BITMAP, 100, 101]).collect();
        Self { records, in_use, client: None }
    }
}

impl Image {
    pub(super) fn build(&self) -> Vec<u8> {
        let mut disk = vec![0; usize::try_from(CLUSTERS << 10).unwrap() + 512];
        disk[3..11].copy_from_slice(b"NTFS    ");
        disk[0x0b..0x0e].copy_from_slice(&[0, 2, 2]);
        disk[0x28..0x30].copy_from_slice(&(2 * CLUSTERS).to_le_bytes());
        disk[0x30] = u8::try_from(MFT).unwrap();
        disk[0x40] = 1;
        let at = |cluster: u64| usize::try_from(cluster << 10).unwrap();
        for (number, record) in self.records.iter().enumerate() {
            if let Some(record) = record {
                let place = at(MFT) + (number << 10);
                disk[place..place + 1024].copy_from_slice(&record_bytes(record, number));
            }
        }
        disk[at(LOG)..at(LOG + 10)].fill(0xff);
        if let Some(client) = self.client {
            let mut page = vec![0; 4096];
            page[..4].copy_from_slice(b"RSTR");
            page[0x11] = 0x10;
            page[0x18] = 0x30;
            page[0x1a] = 1;
            page[0x1c] = 1;
            page[0x3c..0x3e].copy_from_slice(&client.to_le_bytes());
            mark(&mut page, 0x1e);
            disk[at(LOG)..at(LOG + 8)].copy_from_slice(&page.repeat(2));
        }
        for cluster in &self.in_use {
            disk[at(BITMAP) + usize::try_from(cluster / 8).unwrap()] |= 1 << (cluster % 8);
        }
        disk
    }
}

fn record_bytes(record: &Record, number: usize) -> Vec<u8> {
    let mut bytes = vec![0; 0x38];
    bytes[..4].copy_from_slice(b"FILE");
    bytes[0x10] = 7;
    bytes[0x12..0x14].copy_from_slice(&record.links.to_le_bytes());
    bytes[0x14] = 0x38;
    bytes[0x16..0x18].copy_from_slice(&record.flags.to_le_bytes());
    bytes[0x20..0x28].copy_from_slice(&record.base.to_le_bytes());
    bytes[0x2c] = u8::try_from(number).unwrap();
    bytes.extend(record.attributes.concat());
    bytes.extend([0xff; 8]);
    let used = u32::try_from(bytes.len()).unwrap();
    bytes[0x18..0x1c].copy_from_slice(&used.to_le_bytes());
    bytes.resize(1024, 0);
    mark(&mut bytes, 0x30);
    bytes
}
