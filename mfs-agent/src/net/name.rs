//! Names of the domain name system.

use core::fmt;

use heapless::{String, Vec};

/// The longest name in characters (RFC 1035 section 3.1: 255 bytes on the wire, which count a
/// length for each label and an empty label at the end).
const LONGEST: usize = 253;
/// The longest label (RFC 1035 section 2.3.4).
const LONGEST_LABEL: usize = 63;

/// The name of a host or a domain, without a dot at its end. Labels are of letters, digits, `-` and
/// `_`: others are not used for hosts, and a name is shown in logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainName(String<LONGEST>);

impl DomainName {
    /// Checks a name. A dot at its end is fine.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let good = |label: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            (1..=LONGEST_LABEL).contains(&label.len()) && label.bytes().all(allowed)
        };
        if !text.split('.').all(good) {
            return None;
        }
        String::try_from(text).ok().map(Self)
    }

    /// The name with these labels.
    pub fn from_labels<'a>(labels: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut text = String::<LONGEST>::new();
        for label in labels {
            if !text.is_empty() {
                text.push('.').ok()?;
            }
            let label = core::str::from_utf8(label).ok()?;
            // A dot in a label would make two of it.
            if label.contains('.') {
                return None;
            }
            text.push_str(label).ok()?;
        }
        Self::new(&text)
    }

    /// This name in a domain.
    pub fn within(&self, domain: &Self) -> Option<Self> {
        let mut text = self.0.clone();
        text.push('.').ok()?;
        text.push_str(&domain.0).ok()?;
        Some(Self(text))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is only one label.
    pub fn is_simple(&self) -> bool {
        !self.0.contains('.')
    }

    /// The labels, each after its length, and an empty one at the end.
    pub fn wire(&self) -> Vec<u8, { LONGEST + 2 }> {
        let mut wire = Vec::new();
        for label in self.0.split('.') {
            // There is room: each dot becomes a length, and the ends take two bytes more.
            let _ = wire.push(u8::try_from(label.len()).unwrap_or(0));
            let _ = wire.extend_from_slice(label.as_bytes());
        }
        let _ = wire.push(0);
        wire
    }

    /// Whether it is the same name (RFC 1035 section 2.3.3: in capitals or not).
    pub fn is(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

/// Whether it is the name of a host, without or with a domain, or an IPv4 address (RFC 1123, section
/// 2.1). A dot at its end is fine.
pub fn is_host(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let odd = |label: &str| label.contains('_') || label.starts_with('-') || label.ends_with('-');
    DomainName::new(text).is_some() && !name.split('.').any(odd)
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> DomainName {
        DomainName::new(text).unwrap()
    }

    #[test]
    fn what_is_a_name() {
        let long = ["a".repeat(63).as_str(); 4].join(".");
        for good in ["fs", "fs.example.org", "FS.example.org.", "_x.1-2", &long[..253]] {
            assert!(DomainName::new(good).is_some(), "{good}");
        }
        for bad in ["", ".", "a..b", ".a", "a b", "a\0", "ü", &long, &"a".repeat(64)] {
            assert!(DomainName::new(bad).is_none(), "{bad}");
        }
        assert!(name("fs").is_simple());
        assert!(name("fs.x").is(&name("FS.X.")));
        assert_eq!(name("fs").within(&name("example.org")), Some(name("fs.example.org")));
        assert_eq!(name(&long[..253]).within(&name("x")), None);
        assert_eq!(DomainName::from_labels([&b"a.b"[..]].into_iter()), None);
    }

    #[test]
    fn what_is_a_host() {
        for good in ["fs", "fs.example.org.", "10.0.0.1", "3com.x-1"] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", ".", "-fs", "fs-", "a.-b", "_x", "a..b", "a:b", "a/b", "a b"] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn on_the_wire() {
        assert_eq!(name("fs.a").wire(), *b"\x02fs\x01a\0");
    }

    proptest! {
        #[test]
        fn any_text(text in "[-a-zA-Z0-9_.]{0,300}") {
            if let Some(name) = DomainName::new(&text) {
                let wire = name.wire();
                prop_assert_eq!(wire.len(), name.as_str().len() + 2);
                prop_assert_eq!(DomainName::from_labels(name.as_str().split('.').map(str::as_bytes)), Some(name));
            }
        }
    }
}
