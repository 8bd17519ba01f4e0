//! What each job should take at most, from what the machine was found to be able to do.

use anyhow::Result;

use super::job::Job;
use super::limits::Limits;

/// How many times as fast as one thread with the classic codec a job should be.
pub(super) const TIMES_SINGLE: f64 = 3.0;

/// What a job is measured against.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    /// What no program could do it in less time than, in seconds.
    pub(super) limit_seconds: f64,
    /// How that is found.
    pub(super) limit: &'static str,
    /// How many times the limit a job may take; `None` where nothing is asked for.
    pub(super) at_most: Option<f64>,
    /// How long one thread with zlib takes, for jobs that should be several times as fast.
    pub(super) single_seconds: Option<f64>,
}

/// The target of a job.
pub(super) fn of(job: Job, limits: &Limits) -> Result<Target> {
    let all = |names: &[&str]| names.iter().map(|name| limits.seconds(name)).sum::<Result<f64>>();
    let largest =
        |a: &str, b: &str| Ok::<_, anyhow::Error>(limits.seconds(a)?.max(limits.seconds(b)?));
    // A program that was built without zlib has none of these.
    let single = |names: &[&str]| all(names).ok();
    let compare = largest("read", "hash")?;
    let compress = limits.seconds("compress")?;
    let load = largest("inflate", "write-disk")?;
    let (limit_seconds, limit, at_most, single_seconds) = match job {
        Job::Signature => (
            all(&["inflate", "hash"])?,
            "inflate + hash",
            Some(1.0 / 0.85),
            single(&["zlib-inflate-hash"]),
        ),
        Job::Delta0 | Job::LoadMatching => (compare, "max(read, hash)", Some(1.25), None),
        Job::Delta5 => {
            let seconds = compare + limits.seconds("compress-changed")?;
            (seconds, "max(read, hash) + compress-changed", Some(1.25), None)
        }
        Job::Delta100 => (compare + compress, "max(read, hash) + compress", Some(1.25), None),
        Job::Full => (
            largest("compress", "write-image-synced")?,
            "max(compress, write-image-synced)",
            Some(1.0 / 0.9),
            single(&["zlib-compress"]),
        ),
        Job::FullSigned => (
            largest("compress", "write-image-synced")? + limits.seconds("hash")?,
            "max(compress, write-image-synced) + hash",
            Some(1.0 / 0.9),
            single(&["zlib-compress"]),
        ),
        Job::FullFast => (
            largest("compress-fast", "write-image-synced")?,
            "max(compress-fast, write-image-synced)",
            None,
            None,
        ),
        Job::FullChecked => (
            largest("compress", "write-image-synced")? + all(&["inflate", "hash"])?,
            "max(compress, write-image-synced) + inflate + hash",
            None,
            None,
        ),
        Job::Load => (
            load,
            "max(inflate, write-disk)",
            Some(1.0 / 0.85),
            single(&["zlib-inflate", "write-disk"]),
        ),
        Job::LoadChecked => {
            (load + compare, "max(inflate, write-disk) + max(read, hash)", None, None)
        }
    };
    Ok(Target { limit_seconds, limit, at_most, single_seconds })
}

impl Target {
    /// Whether a job that takes so long does well enough; `None` where nothing is asked for.
    pub(super) fn is_met(&self, seconds: f64) -> Option<bool> {
        let near = seconds <= self.at_most? * self.limit_seconds;
        let faster = self.single_seconds.is_none_or(|single| seconds * TIMES_SINGLE <= single);
        Some(near && faster)
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::tests::limits;
    use super::*;

    #[test]
    fn formulas() {
        let limits = limits(&[
            ("read", 1.0),
            ("hash", 2.0),
            ("compress", 20.0),
            ("compress-fast", 5.0),
            ("compress-changed", 0.5),
            ("write-image-synced", 6.0),
            ("write-disk", 3.0),
            ("inflate", 4.0),
            ("zlib-compress", 60.0),
            ("zlib-inflate", 10.0),
            ("zlib-inflate-hash", 14.0),
        ]);
        let seconds = Job::ALL.iter().map(|job| of(*job, &limits).unwrap().limit_seconds);
        let expected = [6.0, 2.0, 2.5, 22.0, 20.0, 22.0, 6.0, 26.0, 4.0, 6.0, 2.0];
        assert!(seconds.zip(expected).all(|(seconds, expected)| (seconds - expected).abs() < 1e-9));
        let single = of(Job::Load, &limits).unwrap().single_seconds;
        assert!(single.is_some_and(|seconds| (seconds - 13.0).abs() < 1e-9));
    }

    #[test]
    fn a_target_is_near_the_limit_and_far_from_one_thread() {
        let target = Target {
            limit_seconds: 8.0,
            limit: "",
            at_most: Some(1.25),
            single_seconds: Some(27.0),
        };
        assert_eq!(target.is_met(9.0), Some(true));
        assert_eq!(target.is_met(9.5), Some(false));
        assert_eq!(Target { single_seconds: None, ..target.clone() }.is_met(10.0), Some(true));
        assert_eq!(Target { at_most: None, ..target }.is_met(1.0), None);
    }
}
