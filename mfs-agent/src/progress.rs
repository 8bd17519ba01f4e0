//! How far the run is: counters that any thread adds to and any thread reads.

use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use imagezip_core::pipeline::{self, LoadProgress};
use imagezip_core::swapinfo::Phase;

/// The counters of a run. The monitor takes any change of any of them as a sign of life.
pub struct Progress {
    phase: AtomicU8,
    total: AtomicU64,
    written: AtomicU64,
    beats: AtomicU64,
    engine: pipeline::Progress,
    load: LoadProgress,
}

/// The counters at one moment, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// What the run is doing.
    pub phase: Phase,
    /// Bytes of the disk read and compared; in a load, those that are as they should be.
    pub scanned: u64,
    /// Bytes of the disk to read and compare, or to load.
    pub total: u64,
    /// Bytes of them that differ from the base; in a load, those that were written.
    pub changed: u64,
    /// Bytes of the image that the server has on stable storage; in a load, those that were
    /// written and found right on the disk.
    pub written: u64,
    /// Other signs of life.
    pub beats: u64,
}

impl Progress {
    /// All counters at zero.
    pub const fn new() -> Self {
        Self {
            phase: AtomicU8::new(0),
            total: AtomicU64::new(0),
            written: AtomicU64::new(0),
            beats: AtomicU64::new(0),
            engine: pipeline::Progress {
                scanned: AtomicU64::new(0),
                changed: AtomicU64::new(0),
                written: AtomicU64::new(0),
            },
            load: LoadProgress::new(),
        }
    }

    /// The counters that the saving itself moves.
    pub fn engine(&self) -> &pipeline::Progress {
        &self.engine
    }

    /// The counters that loading itself moves.
    pub fn load(&self) -> &LoadProgress {
        &self.load
    }

    /// Enters a phase, and says so on the console for those who follow it there.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase.number(), Ordering::Relaxed);
        self.beat();
        crate::report::console::line(format_args!("mfs-phase: {phase}"));
    }

    /// Sets how many bytes there are to read and compare.
    pub fn set_total(&self, bytes: u64) {
        self.total.store(bytes, Ordering::Relaxed);
    }

    /// Sets how many bytes of the image are on stable storage.
    pub fn set_written(&self, bytes: u64) {
        self.written.store(bytes, Ordering::Relaxed);
    }

    /// Sets what has been read, compared and written to nothing: the save starts again.
    pub fn start_again(&self) {
        let pipeline::Progress { scanned, changed, written } = &self.engine;
        for counter in [scanned, changed, written, &self.written] {
            counter.store(0, Ordering::Relaxed);
        }
        self.beat();
    }

    /// Gives a sign of life where no other counter moves.
    pub fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// The counters.
    pub fn snapshot(&self) -> Snapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let LoadProgress { avoided, written, verified, filled, discarded, .. } = &self.load;
        let (loaded, filled) = (read(written), read(filled).saturating_add(read(discarded)));
        Snapshot {
            phase: Phase::from_number(self.phase.load(Ordering::Relaxed)).unwrap_or_default(),
            scanned: [read(&self.engine.scanned), read(avoided), loaded].into_iter().sum(),
            total: read(&self.total),
            changed: read(&self.engine.changed).saturating_add(loaded),
            written: read(&self.written).saturating_add(read(verified)),
            beats: read(&self.beats).wrapping_add(filled),
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}
