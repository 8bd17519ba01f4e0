//! Free space as it is collected, in bounded memory.

use crate::extent::ExtentSet;
use crate::sector::{SectorCount, SectorRange};

/// The most pieces that are told apart: 16 MiB of memory.
pub(super) const MAX_PIECES: usize = 1 << 20;

/// The free space of a file system. If it is in too many pieces, the shortest ones are left out, and so count as in
/// use.
pub(super) struct FreeSpace {
    pieces: ExtentSet,
    /// No shorter one is added any more.
    least: SectorCount,
}

impl FreeSpace {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self { pieces: ExtentSet::new(), least: SectorCount::from_u32(1) }
    }

    /// Adds pieces that come in ascending order.
    pub(super) fn add(&mut self, pieces: impl IntoIterator<Item = SectorRange>) {
        for piece in pieces {
            self.add_one(piece);
        }
    }

    #[inline(never)]
    fn add_one(&mut self, piece: SectorRange) {
        if piece.len() >= self.least {
            self.pieces.push(piece);
        }
        while self.pieces.extent_count() > MAX_PIECES {
            self.least = self.least.saturating_add(self.least);
            self.pieces = self.pieces.without_short(self.least);
        }
    }

    /// What was added.
    pub(super) fn finish(self) -> ExtentSet {
        self.pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sector::Sector;

    #[test]
    fn of_too_many_pieces_the_short_ones_are_left_out() {
        let mut free = FreeSpace::new();
        // Single sectors, and a long piece now and then.
        for at in (0..5 << 20).step_by(2) {
            let len = if at % 4096 == 0 { 100 } else { 1 };
            let piece = (at % 4096 == 0 || at % 4096 > 100)
                .then(|| SectorRange::with_len(Sector::from_u32(at), SectorCount::from_u32(len)));
            free.add(piece.flatten());
        }
        let free = free.finish();
        assert!(free.extent_count() <= MAX_PIECES);
        assert_eq!(free.iter().filter(|piece| piece.len().get() == 100).count(), (5 << 20) / 4096);
    }
}
