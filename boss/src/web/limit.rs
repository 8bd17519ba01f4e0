//! How often somebody may try a password.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota};

use crate::names::Login;

/// At once, then one in each [`PER_MINUTE`]th of a minute, of one address.
const BURST: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// The same of one login, from wherever: guesses are slow, and its user still gets in.
const BURST_OF_LOGIN: NonZeroU32 = NonZeroU32::new(10).unwrap();
const PER_MINUTE: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// More addresses and logins than these aren't remembered beside each other for long.
const MANY: usize = 10_000;

/// Who has tried how often. Each boss counts for itself, and anew when it starts.
pub struct Limits {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    logins: DefaultKeyedRateLimiter<Login>,
}

impl Default for Limits {
    fn default() -> Self {
        let per_minute = Quota::per_minute(PER_MINUTE);
        Self {
            addresses: DefaultKeyedRateLimiter::keyed(per_minute.allow_burst(BURST)),
            logins: DefaultKeyedRateLimiter::keyed(per_minute.allow_burst(BURST_OF_LOGIN)),
        }
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").finish_non_exhaustive()
    }
}

impl Limits {
    /// Whether somebody at this address may try a password once more.
    pub(super) fn address_may_try(&self, address: IpAddr) -> bool {
        if self.addresses.len() > MANY {
            self.addresses.retain_recent();
        }
        self.addresses.check_key(&network(address)).is_ok()
    }

    /// Whether a password of this login may be tried once more.
    pub(super) fn login_may_try(&self, login: &Login) -> bool {
        if self.logins.len() > MANY {
            self.logins.retain_recent();
        }
        self.logins.check_key(login).is_ok()
    }
}

/// Who has one address of IPv6 mostly has all that begin with the same 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_tries_too_often_waits_and_others_do_not() {
        let limits = Limits::default();
        let tries = |address: &str| limits.address_may_try(address.parse().unwrap());
        assert_eq!((0..100).filter(|_| tries("192.0.2.1")).count(), 20);
        assert!(tries("192.0.2.2"));
        // The next address of the same network is the same somebody.
        let of_network = |host: u32| tries(&format!("2001:db8::{host:x}"));
        assert_eq!((0..100).filter(|host| of_network(*host)).count(), 20);
        let (mike, other) = ("mike".parse().unwrap(), "other".parse().unwrap());
        assert_eq!((0..100).filter(|_| limits.login_may_try(&mike)).count(), 10);
        assert!(limits.login_may_try(&other));
    }
}
