//! Where nodes reach this server.

use std::fmt;
use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::str::FromStr;

use super::Mac;
use super::words::is_host;

/// `http://<host>[:<port>]`, as the nodes' network sees it. Plain HTTP: Debian's iPXE trusts no
/// certificates of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BossUrl {
    host: String,
    port: Option<NonZeroU16>,
}

/// A text that is no such URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} must be http://<host>[:<port>]")]
pub struct UrlError(String);

impl BossUrl {
    /// On a port of an address.
    pub fn new(address: Ipv4Addr, port: NonZeroU16) -> Self {
        Self { host: address.to_string(), port: Some(port) }
    }

    /// The host's name or address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where the script of a node is.
    pub fn script(&self, mac: Mac) -> String {
        format!("{self}/boot/{}", mac.dashed())
    }

    /// The same for whichever node asks: iPXE puts the address of the card that it was booted from
    /// in its place.
    pub fn script_of_asker(&self) -> String {
        format!("{self}/boot/${{netX/mac:hexhyp}}")
    }
}

impl FromStr for BossUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let wrong = || UrlError(text.chars().take(300).collect());
        let rest = text.strip_prefix("http://").ok_or_else(wrong)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.split_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| wrong())?)),
            None => (rest, None),
        };
        if !is_host(host) {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

/// Without a slash at its end.
impl fmt::Display for BossUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "http://{}:{port}", self.host),
            None => write!(f, "http://{}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_what_it_was_made_of() {
        for good in ["http://10.0.0.1:8080", "http://boss", "http://boss.example.org:80"] {
            assert_eq!(good.parse::<BossUrl>().unwrap().to_string(), good);
        }
        let url: BossUrl = "http://boss/".parse().unwrap();
        assert_eq!(url.to_string(), "http://boss");
        let mac = "52:54:00:12:34:56".parse().unwrap();
        assert_eq!(url.script(mac), "http://boss/boot/52-54-00-12-34-56");
        let address = BossUrl::new(Ipv4Addr::new(10, 0, 0, 1), NonZeroU16::MAX);
        assert_eq!(address.to_string(), "http://10.0.0.1:65535");
    }

    #[test]
    fn nothing_that_a_script_would_read_differently() {
        for bad in [
            "",
            "boss",
            "https://boss",
            "http://",
            "http://boss:",
            "http://boss:0",
            "http://boss:65536",
            "http://boss:80:80",
            "http://boss/x",
            "http://a b",
            "http://a\nreboot",
            "http://${net0/ip}",
            "http://user@boss",
            "http://[::1]",
        ] {
            assert!(bad.parse::<BossUrl>().is_err(), "{bad:?}");
        }
    }
}
