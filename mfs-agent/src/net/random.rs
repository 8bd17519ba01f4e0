//! Numbers that nobody else on the network should have chosen too.

use core::time::Duration;

use rustix::rand::{GetRandomFlags, getrandom};

use crate::event::now;

/// A generator (xorshift64*, Marsaglia and Vigna). It is for spreading in time and for telling
/// answers apart, not for secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// One that begins with `seed`.
    pub const fn new(seed: u64) -> Self {
        // Zero would stay zero.
        Self(if seed == 0 { 1 } else { seed })
    }

    /// One that the kernel seeds. Doesn't wait until the kernel has gathered enough chance: a node
    /// without a disk to read may have to wait for that for minutes.
    pub fn seeded() -> Self {
        let mut seed = now().as_nanos().to_ne_bytes();
        // If that fails the time is as good as there is.
        let _ = getrandom(&mut seed, GetRandomFlags::INSECURE);
        let [low @ .., _, _, _, _, _, _, _, _] = seed;
        Self::new(u64::from_ne_bytes(low))
    }

    /// The next number.
    pub fn number(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        u32::try_from(high).unwrap_or(0)
    }

    /// About `time`: up to an eighth more or less.
    pub fn about(&mut self, time: Duration) -> Duration {
        let eighth = time.checked_div(8).unwrap_or_default();
        let part = eighth.saturating_mul(self.number() >> 22).checked_div(512).unwrap_or_default();
        time.saturating_sub(eighth).saturating_add(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_is_near() {
        let mut random = Random::new(0);
        let time = Duration::from_secs(8);
        for _ in 0..1000 {
            let about = random.about(time).as_secs_f64();
            assert!((7.0..=9.0).contains(&about), "{about}");
        }
        assert_ne!(random.number(), random.number());
        assert_ne!(Random::seeded().number(), Random::seeded().number());
        let _ = random.about(Duration::MAX);
    }
}
