//! Transactions: put together from the pieces in the records, and handed on when they are
//! committed.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::error::{ErrorKind, Limit, Result};
use crate::layout::Layout;

use super::item::Item;
use super::record::Record;
use super::wrong;

/// The most bytes of transactions that are not committed yet.
const MOST_BYTES: usize = 64 << 20;
/// What an item takes in memory beside its bytes.
const ITEM_BYTES: usize = 128;

/// Who writes operations: transactions, and the log itself.
const CLIENTS: [u8; 2] = [0x69, 0xaa];
/// The size of what an operation begins with, in bytes.
const OPERATION: usize = 12;
/// The mark of what a transaction begins with, `TRAN`, and its size in bytes.
const MAGIC: u32 = 0x5452_414e;
const HEADER: usize = 16;

/// What an operation does.
mod flag {
    pub(super) const START: u8 = 0x01;
    pub(super) const COMMIT: u8 = 0x02;
    /// The last region goes on in the next record.
    pub(super) const CONTINUE: u8 = 0x04;
    /// Goes on with the last region.
    pub(super) const CONTINUED: u8 = 0x08;
    /// The region ends here.
    pub(super) const END: u8 = 0x10;
    pub(super) const UNMOUNT: u8 = 0x20;
}

/// Is called with a committed transaction: the place in the sequence where it began, and its
/// items.
pub(super) type Commit<'a> = &'a mut dyn FnMut(u64, &[Item]) -> Result<()>;

/// The transactions that are not committed yet.
pub(super) struct Transactions {
    open: BTreeMap<u32, Transaction>,
    with_data: bool,
    /// About how many bytes they take in memory.
    held: usize,
}

/// A piece of a transaction.
struct Operation<'a> {
    id: u32,
    flags: u8,
    region: &'a [u8],
}

#[derive(Default)]
struct Transaction {
    lsn: u64,
    has_header: bool,
    items: Vec<Item>,
    held: usize,
}

impl Transactions {
    /// None yet. Without data only the items' descriptions are kept.
    pub(super) fn new(with_data: bool) -> Self {
        Self { open: BTreeMap::new(), with_data, held: 0 }
    }

    /// Adds what is in a record. What of it belongs to a transaction that began before the part of
    /// the log that is replayed is left out.
    pub(super) fn add(&mut self, record: &Record, commit: Commit<'_>) -> Result<()> {
        let place = record.place;
        let mut rest = record.data.as_slice();
        for _ in 0..record.header.ops {
            if rest.is_empty() {
                break;
            }
            let operation = Layout::<OPERATION>::new(rest).ok_or_else(|| wrong(place))?;
            let (id, len) = (operation.be32::<0>(), operation.be32::<4>());
            let (client, flags) = (operation.u8::<8>(), operation.u8::<9>());
            let end = usize::try_from(len).ok().and_then(|len| len.checked_add(OPERATION));
            let (bytes, after) =
                end.and_then(|end| rest.split_at_checked(end)).ok_or_else(|| wrong(place))?;
            let region = bytes.get(OPERATION..).unwrap_or_default();
            if !CLIENTS.contains(&client) {
                return Err(wrong(place));
            }
            self.operation(Operation { id, flags, region }, record, commit)?;
            rest = after;
        }
        Ok(())
    }

    fn operation(
        &mut self,
        Operation { id, flags, region }: Operation<'_>,
        record: &Record,
        commit: Commit<'_>,
    ) -> Result<()> {
        let (place, lsn) = (record.place, record.header.lsn);
        let Some(transaction) = self.open.get_mut(&id) else {
            if flags & flag::START != 0 {
                self.open.insert(id, Transaction { lsn, ..Transaction::default() });
                self.hold(ITEM_BYTES)?;
            }
            return Ok(());
        };
        let mut flags = flags & !flag::END;
        if flags & flag::CONTINUED != 0 {
            flags &= !flag::CONTINUE;
        }
        match flags {
            0 | flag::CONTINUE | flag::CONTINUED => {
                let before = transaction.held;
                let added = if flags == flag::CONTINUED {
                    transaction.go_on(region, self.with_data)
                } else {
                    transaction.add(region, self.with_data)
                };
                added.ok_or_else(|| wrong(place))?;
                let more = transaction.held.saturating_sub(before);
                self.hold(more)
            }
            flag::COMMIT | flag::UNMOUNT => {
                let done = self.open.remove(&id).unwrap_or_default();
                self.held = self.held.saturating_sub(done.held).saturating_sub(ITEM_BYTES);
                if flags == flag::COMMIT { commit(done.lsn, &done.items) } else { Ok(()) }
            }
            _ => Err(wrong(place)),
        }
    }

    fn hold(&mut self, bytes: usize) -> Result<()> {
        self.held = self.held.saturating_add(bytes);
        if self.held > MOST_BYTES {
            return Err(ErrorKind::TooLarge(Limit::Journal).into());
        }
        Ok(())
    }
}

impl Transaction {
    /// Adds a region. `None` if it makes no sense.
    fn add(&mut self, region: &[u8], with_data: bool) -> Option<()> {
        if region.is_empty() {
            return Some(());
        }
        if !self.has_header {
            let magic = Layout::<4>::new(region)?.u32::<0>();
            self.has_header = region.len() == HEADER;
            return (magic == MAGIC && region.len() <= HEADER).then_some(());
        }
        if self.items.last().is_none_or(Item::is_complete) {
            self.items.push(Item::new(region)?);
            self.held = self.held.saturating_add(ITEM_BYTES).saturating_add(region.len());
            return Some(());
        }
        let kept = self.items.last_mut()?.add(region, with_data)?;
        self.held = self.held.saturating_add(kept);
        Some(())
    }

    /// Goes on with the last region.
    fn go_on(&mut self, region: &[u8], with_data: bool) -> Option<()> {
        if !self.has_header {
            self.has_header = true;
            return (region.len() <= HEADER).then_some(());
        }
        let kept = self.items.last_mut()?.go_on(region, with_data)?;
        self.held = self.held.saturating_add(kept);
        Some(())
    }
}
