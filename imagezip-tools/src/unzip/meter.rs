//! How far a load is, for those who watch it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use imagezip_core::pipeline::LoadProgress;

use super::source::Amount;
use crate::progress::{Meter, seconds};

/// What is known of a load that is going on.
#[derive(Debug, Default)]
pub struct LoadMeter {
    /// What has been loaded.
    pub progress: LoadProgress,
    /// How much there is.
    pub amount: Amount,
    /// Whether what is written is also read back.
    pub verify: bool,
    /// Whether only what the target doesn't hold is written.
    pub converge: bool,
}

impl Meter for LoadMeter {
    fn done(&self) -> u64 {
        let LoadProgress { written, avoided, verified, .. } = &self.progress;
        let avoided = get(avoided).saturating_mul(self.times());
        get(written).saturating_add(get(verified)).saturating_add(avoided)
    }

    fn total(&self) -> u64 {
        let data = self.amount.data.to_bytes().get();
        // Of an image that comes through a pipe, nobody knows.
        data.saturating_mul(self.times()).max(self.done())
    }

    fn status(&self, time: Duration) -> String {
        let progress = &self.progress;
        let chunks = get(&progress.chunks);
        let of = match self.amount.chunks {
            0 => String::new(),
            all => format!(" of {all}"),
        };
        let avoided = match get(&progress.avoided) {
            0 => String::new(),
            bytes => format!(", {bytes} there already"),
        };
        let verified = match get(&progress.verified) {
            0 => String::new(),
            bytes => format!(", {bytes} compared"),
        };
        format!(
            "{chunks}{of} chunks, {} bytes written, {} filled, {} discarded, {} skipped{avoided}{verified} \
             in {} seconds",
            get(&progress.written),
            get(&progress.filled),
            get(&progress.discarded),
            get(&progress.skipped),
            seconds(time)
        )
    }
}

impl LoadMeter {
    /// How often all data are gone through.
    fn times(&self) -> u64 {
        if self.verify { 2 } else { 1 }
    }
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use imagezip_core::sector::SectorCount;

    use super::*;

    #[test]
    fn it_says_how_far_the_work_is() {
        let data = SectorCount::from_u32(100);
        let amount = Amount { version: None, chunks: 9, data };
        let meter = LoadMeter { amount, verify: true, ..LoadMeter::default() };
        meter.progress.chunks.store(3, Ordering::Relaxed);
        meter.progress.written.store(4096, Ordering::Relaxed);
        meter.progress.verified.store(512, Ordering::Relaxed);
        assert_eq!((meter.done(), meter.total()), (4608, 102_400));
        assert_eq!(
            meter.status(Duration::from_millis(1500)),
            "3 of 9 chunks, 4096 bytes written, 0 filled, 0 discarded, 0 skipped, 512 compared \
             in 1.500 seconds"
        );
        meter.progress.avoided.store(100, Ordering::Relaxed);
        assert_eq!(meter.done(), 4808);
        let status = meter.status(Duration::ZERO);
        assert!(status.contains(", 100 there already, 512 compared in"), "{status}");
        let unknown = LoadMeter::default();
        unknown.progress.written.store(7, Ordering::Relaxed);
        assert_eq!((unknown.done(), unknown.total()), (7, 7));
    }
}
