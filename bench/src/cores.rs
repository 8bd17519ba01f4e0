//! Work on all cores.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result};

use crate::measure::{Measure, timed};

/// Does items 0 to `count - 1`, each on whichever core is free next, and measures how long all
/// take. `state` makes what a thread keeps; `work` returns the bytes that went in and came out.
pub(crate) fn measure<S>(
    count: usize,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<(usize, usize)> + Sync,
) -> Result<Measure> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (next, totals) = (AtomicUsize::new(0), Mutex::new(Ok((0, 0))));
    let body = || {
        let mut state = state();
        let mut done = (0_u64, 0_u64);
        let result = loop {
            let item = next.fetch_add(1, Ordering::Relaxed);
            if item >= count {
                break Ok(done);
            }
            match work(&mut state, item) {
                Ok((bytes, out)) => done = (done.0 + bytes as u64, done.1 + out as u64),
                Err(error) => break Err(error),
            }
        };
        if let Ok(mut totals) = totals.lock() {
            *totals = match (std::mem::replace(&mut *totals, Ok((0, 0))), result) {
                (Ok((a, b)), Ok((c, d))) => Ok((a + c, b + d)),
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
        }
    };
    let (time, ()) = timed(|| {
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(body);
            }
        });
        Ok(())
    })?;
    let totals = totals.into_inner().ok().context("a thread ended early")?;
    totals.map(|(bytes, out)| Measure::new(time, bytes, out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_is_done_once() {
        let measure = measure(1000, || (), |(), item| Ok((item, 1))).unwrap();
        assert_eq!((measure.bytes, measure.out), (999 * 500, 1000));
    }

    #[test]
    fn an_error_is_not_lost() {
        let failed = measure(
            100,
            || (),
            |(), item| {
                anyhow::ensure!(item != 50, "no");
                Ok((0, 0))
            },
        );
        assert_eq!(failed.unwrap_err().to_string(), "no");
    }
}
