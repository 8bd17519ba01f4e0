//! The first pass: where the log ends.

use crate::error::{CorruptKind, ErrorKind, Result};

use super::super::checksum::TransactionCrc;
use super::header::{Checksums, Start};
use super::log::{Log, Walk};
use super::record::{self, Checked, Commit, Kind};

/// The number of the first transaction that is not complete.
///
/// A log usually ends in the middle of a transaction, with whatever an earlier round around the
/// ring left there. Blocks of such a round may even bear a right number, from before the file
/// system was made anew; then their commit is older than the one before.
///
/// # Errors
/// `Corrupt` if a transaction was committed, but is damaged: recovery would fail, too.
pub(super) fn end_of_log(log: &Log<'_>, start: Start) -> Result<u32> {
    let header = log.header();
    let sums_transactions = header.checksums == Checksums::Transactions;
    let damaged = || ErrorKind::Corrupt(CorruptKind::JournalChecksum);
    let mut walk = log.walk(start);
    let mut transaction = Transaction::new();
    let mut last_commit = 0;
    // A transaction whose commit block is wrong where that may mean that it is not complete.
    let mut broken_off = None;
    while let Some(kind) = walk.next()? {
        match kind {
            Kind::Descriptor => {
                transaction.add(record::check_block(header, walk.block()));
                if sums_transactions && broken_off.is_none() {
                    transaction.sum_up(log, &mut walk)?;
                } else {
                    walk.skip_data()?;
                }
            }
            Kind::Revoke => transaction.add(record::check_block(header, walk.block())),
            Kind::Commit => {
                if broken_off.is_some() {
                    return Err(damaged().into());
                }
                let commit = Commit::new(walk.block())?;
                let complete = core::mem::replace(&mut transaction, Transaction::new());
                let checked = if sums_transactions {
                    commit.check_transaction(complete.sum.finish())
                } else {
                    commit.check(header)
                };
                if complete.blocks == Checked::Wrong || checked == Checked::Wrong {
                    if commit.seconds() < last_commit {
                        break;
                    }
                    if complete.blocks == Checked::Wrong || !header.async_commit {
                        return Err(damaged().into());
                    }
                    broken_off = Some(walk.sequence());
                }
                last_commit = commit.seconds();
                walk.end_transaction();
            }
        }
    }
    Ok(broken_off.unwrap_or(walk.sequence()))
}

/// What was seen of a transaction that has not been committed yet.
struct Transaction {
    /// What came of checking its descriptors and revocations.
    blocks: Checked,
    /// The sum of its descriptors and data.
    sum: TransactionCrc,
}

impl Transaction {
    fn new() -> Self {
        Self { blocks: Checked::Right, sum: TransactionCrc::new() }
    }

    fn add(&mut self, block: Checked) {
        if block == Checked::Wrong {
            self.blocks = block;
        }
    }

    /// Adds a descriptor and its data to the sum, and passes the data.
    fn sum_up(&mut self, log: &Log<'_>, walk: &mut Walk<'_, '_>) -> Result<()> {
        let mut data = log.buffer();
        self.sum.add(walk.block());
        for _ in 0..record::tags(log.header(), walk.block()).count() {
            let at = walk.next_data()?;
            log.read(at, &mut data)?;
            self.sum.add(&data);
        }
        Ok(())
    }
}
