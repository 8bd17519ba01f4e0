//! The options of a DHCP message (RFC 2132).

use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::ops::Range;
use core::time::Duration;

use smoltcp::wire::DnsPacket;

use crate::net::name::DomainName;

/// The options that mean something here.
pub mod code {
    /// Subnet mask.
    pub const MASK: u8 = 1;
    /// Routers, best first.
    pub const ROUTER: u8 = 3;
    /// Name servers, best first.
    pub const NAME_SERVERS: u8 = 6;
    /// The client's name.
    pub const HOST_NAME: u8 = 12;
    /// The client's domain.
    pub const DOMAIN: u8 = 15;
    /// The interface's MTU.
    pub const MTU: u8 = 26;
    /// For how long the address may be used.
    pub const LEASE_TIME: u8 = 51;
    /// Which other fields of the message hold options.
    pub const OVERLOAD: u8 = 52;
    /// The kind of message.
    pub const KIND: u8 = 53;
    /// Which server.
    pub const SERVER: u8 = 54;
    /// What the server has to say to people.
    pub const TEXT: u8 = 56;
    /// T1: when to ask this server for more time.
    pub const RENEWAL: u8 = 58;
    /// T2: when to ask any server for more time.
    pub const REBINDING: u8 = 59;
    /// What kind of client this is.
    pub const VENDOR_CLASS: u8 = 60;
    /// The domains in which to look up short names (RFC 3397).
    pub const SEARCH: u8 = 119;
}

const PAD: u8 = 0;
const END: u8 = 255;

/// Where the options are in a message (RFC 2131 section 2, figure 1).
const SERVER_NAME: Range<usize> = 44..108;
const BOOT_FILE: Range<usize> = 108..236;
const OPTIONS: usize = 240;

/// The most domains that are looked through.
pub const DOMAINS: usize = 6;

/// The options of a message.
pub struct Options<'a> {
    /// The field for options, then those that are used for more of them.
    areas: [&'a [u8]; 3],
}

impl<'a> Options<'a> {
    /// Of a whole message.
    pub fn of(message: &'a [u8]) -> Self {
        let field = |range| message.get(range).unwrap_or_default();
        let own = message.get(OPTIONS..).unwrap_or_default();
        // RFC 2132 section 9.3; the boot file's field is read first (RFC 3396 section 5).
        let overload = walk(own).find_map(|(code, data)| match (code, data) {
            (code::OVERLOAD, [which]) => Some(*which),
            _ => None,
        });
        let (file, name) = match overload {
            Some(1) => (field(BOOT_FILE), field(0..0)),
            Some(2) => (field(0..0), field(SERVER_NAME)),
            Some(3) => (field(BOOT_FILE), field(SERVER_NAME)),
            _ => (field(0..0), field(0..0)),
        };
        Self { areas: [own, file, name] }
    }

    /// The value of an option. One that is there several times is a long one in pieces (RFC 3396).
    pub fn get(&self, code: u8) -> Option<Vec<u8>> {
        let mut pieces = self.areas.into_iter().flat_map(walk).filter(|(found, _)| *found == code);
        let (_, first) = pieces.next()?;
        let mut value = first.to_vec();
        pieces.for_each(|(_, piece)| value.extend_from_slice(piece));
        Some(value)
    }

    fn fixed<const N: usize>(&self, code: u8) -> Option<[u8; N]> {
        self.get(code)?.try_into().ok()
    }

    /// A byte.
    pub fn byte(&self, code: u8) -> Option<u8> {
        self.fixed(code).map(u8::from_be_bytes)
    }

    /// A number of two bytes.
    pub fn short(&self, code: u8) -> Option<u16> {
        self.fixed(code).map(u16::from_be_bytes)
    }

    /// A time in seconds; the highest number is for ever (RFC 2131 section 3.3).
    pub fn time(&self, code: u8) -> Option<Duration> {
        self.fixed(code).map(u32::from_be_bytes).map(|seconds| match seconds {
            u32::MAX => Duration::MAX,
            seconds => Duration::from_secs(seconds.into()),
        })
    }

    /// An address.
    pub fn address(&self, code: u8) -> Option<Ipv4Addr> {
        self.fixed(code).map(Ipv4Addr::from_octets)
    }

    /// The first addresses of a list.
    pub fn addresses<const N: usize>(&self, code: u8) -> heapless::Vec<Ipv4Addr, N> {
        let value = self.get(code).unwrap_or_default();
        let (chunks, _) = value.as_chunks();
        chunks.iter().take(N).map(|octets| Ipv4Addr::from_octets(*octets)).collect()
    }

    /// The name of a host or domain; `None` also if it is not one.
    pub fn name(&self, code: u8) -> Option<DomainName> {
        let value = self.get(code)?;
        // Some servers send the zero byte that ends a string in C.
        let text = core::str::from_utf8(&value).ok()?.trim_end_matches('\0');
        DomainName::new(text)
    }

    /// Text for people.
    pub fn text(&self, code: u8) -> Option<alloc::string::String> {
        let value = self.get(code)?;
        Some(alloc::string::String::from_utf8_lossy(&value).trim_end_matches('\0').into())
    }

    /// The domains for short names: the search list, else the client's domain.
    pub fn search(&self) -> heapless::Vec<DomainName, DOMAINS> {
        let mut domains = heapless::Vec::new();
        let list = self.get(code::SEARCH).unwrap_or_default();
        // Pointers of the compression count from the beginning of the option's value.
        let whole = DnsPacket::new_unchecked(&list[..]);
        let mut rest = &list[..];
        while !rest.is_empty() && !domains.is_full() {
            let labels: Result<Vec<_>, _> = whole.parse_name(rest).collect();
            let name = labels.ok().and_then(|labels| DomainName::from_labels(labels.into_iter()));
            // After one that is none there is no telling where the next begins.
            let (Some(name), Some(after)) = (name, after_name(rest)) else { break };
            let _ = domains.push(name);
            rest = after;
        }
        if domains.is_empty()
            && let Some(domain) = self.name(code::DOMAIN)
        {
            let _ = domains.push(domain);
        }
        domains
    }
}

/// The options of one area, up to the first that doesn't fit into it.
fn walk(mut area: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    core::iter::from_fn(move || {
        loop {
            match area {
                [] | [END, ..] => return None,
                [PAD, rest @ ..] => area = rest,
                [code, length, rest @ ..] => {
                    let (data, rest) = rest.split_at_checked((*length).into())?;
                    area = rest;
                    return Some((*code, data));
                }
                [_] => return None,
            }
        }
    })
}

/// What follows a name in the encoding of RFC 1035 section 4.1.4.
fn after_name(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        match bytes {
            // Its end, or a pointer to where it goes on.
            [0, rest @ ..] | [0xc0..=0xff, _, rest @ ..] => return Some(rest),
            [length @ 1..=63, rest @ ..] => bytes = rest.get(usize::from(*length)..)?,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;

    fn message(options: &[u8]) -> Vec<u8> {
        let mut message = vec![0; OPTIONS];
        message.extend_from_slice(options);
        message
    }

    fn name(text: &str) -> DomainName {
        DomainName::new(text).unwrap()
    }

    #[test]
    fn values() {
        let bytes = message(&[
            0, 53, 1, 5, 51, 4, 0, 0, 0, 120, 58, 4, 255, 255, 255, 255, 6, 9, 10, 0, 0, 1, 10, 0,
            0, 2, 9, 26, 2, 5, 120, 12, 4, b'n', b'-', b'1', 0, 255, 3, 4, 1, 1, 1, 1,
        ]);
        let options = Options::of(&bytes);
        assert_eq!(options.byte(code::KIND), Some(5));
        assert_eq!(options.time(code::LEASE_TIME), Some(Duration::from_mins(2)));
        assert_eq!(options.time(code::RENEWAL), Some(Duration::MAX));
        assert_eq!(options.addresses::<1>(code::NAME_SERVERS), [Ipv4Addr::new(10, 0, 0, 1)]);
        assert_eq!(options.addresses::<4>(code::NAME_SERVERS).len(), 2);
        assert_eq!(options.short(code::MTU), Some(1400));
        assert_eq!(options.name(code::HOST_NAME), Some(name("n-1")));
        // After the end.
        assert_eq!(options.address(code::ROUTER), None);
        // Of a wrong length.
        assert_eq!(options.address(code::MTU), None);
    }

    #[test]
    fn options_in_other_fields_and_in_pieces() {
        let mut bytes = message(&[52, 1, 3, 15, 3, b'a', b'.', b'b', 255]);
        bytes[BOOT_FILE.start..][..6].copy_from_slice(&[15, 2, b'c', b'.', 255, 1]);
        bytes[SERVER_NAME.start..][..9].copy_from_slice(&[15, 1, b'd', 3, 4, 10, 0, 0, 1]);
        let options = Options::of(&bytes);
        assert_eq!(options.name(code::DOMAIN), Some(name("a.bc.d")));
        assert_eq!(options.search(), [name("a.bc.d")]);
        assert_eq!(options.address(code::ROUTER), Some(Ipv4Addr::new(10, 0, 0, 1)));
        bytes[OPTIONS + 2] = 1;
        assert_eq!(Options::of(&bytes).name(code::DOMAIN), Some(name("a.bc")));
        bytes[OPTIONS + 2] = 2;
        assert_eq!(Options::of(&bytes).name(code::DOMAIN), Some(name("a.bd")));
    }

    #[test]
    fn the_example_of_rfc_3397() {
        // Section 2: eng.apple.com and marketing.apple.com, in two pieces.
        let mut option = vec![119, 9, 3, b'e', b'n', b'g', 5, b'a', b'p', b'p', b'l'];
        option.extend([119, 18, b'e', 3, b'c', b'o', b'm', 0, 9]);
        option.extend(b"marketing\xc0\x04");
        let bytes = message(&option);
        let found = Options::of(&bytes).search();
        assert_eq!(found, [name("eng.apple.com"), name("marketing.apple.com")]);
    }

    #[test]
    fn pointers_that_lead_nowhere() {
        for list in [&[0xc0, 0][..], &[1, b'a', 0xc0, 0], &[0xc0, 9], &[0xc0], &[0x80, 0], &[5, 1]]
        {
            let mut option = vec![119, u8::try_from(list.len()).unwrap()];
            option.extend_from_slice(list);
            assert!(Options::of(&message(&option)).search().is_empty(), "{list:?}");
        }
    }

    proptest! {
        #[test]
        fn noise(bytes in prop::collection::vec(any::<u8>(), 0..700), code in any::<u8>()) {
            let options = Options::of(&bytes);
            let value = options.get(code);
            prop_assert!(value.is_none_or(|value| value.len() <= bytes.len()));
            let _ = options.text(code);
            prop_assert!(options.search().len() <= DOMAINS);
        }

        #[test]
        fn any_search_list(list in prop::collection::vec(prop_oneof![0..4_u8, Just(0xc0), any::<u8>()], 0..200)) {
            let mut option = vec![119, u8::try_from(list.len()).unwrap()];
            option.extend_from_slice(&list);
            let _ = Options::of(&message(&option)).search();
        }
    }
}
