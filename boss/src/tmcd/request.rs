//! Requests, as they come from the wire.

/// The version of a client that doesn't say its own.
const OLDEST: u32 = 2;

/// A request: words `KEY=value`, then the command, then what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The version of the protocol that the client speaks.
    pub version: u32,
    /// The key of its boot.
    pub key: Option<&'a str>,
    /// The command.
    pub command: &'a str,
    /// What follows it, without space around it.
    pub rest: &'a str,
}

impl<'a> Request<'a> {
    /// Reads a request; `None` if there is no command in it, or it isn't UTF-8.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut text = std::str::from_utf8(bytes).ok()?.trim_matches(is_space);
        let mut request = Self { version: OLDEST, key: None, command: "", rest: "" };
        loop {
            let (word, rest) = text.split_once(is_space).unwrap_or((text, ""));
            match word.split_once('=') {
                Some(("VERSION", version)) => request.version = version.parse().ok()?,
                Some(("IDKEY", key)) => request.key = Some(key),
                // Of virtual nodes and proxies; the address that asks counts.
                Some(("VNODEID" | "PRIVKEY" | "REDIRECT" | "PROXYFOR", _)) => {}
                _ if word.is_empty() => return None,
                _ => {
                    (request.command, request.rest) = (word, rest.trim_matches(is_space));
                    return Some(request);
                }
            }
            text = rest.trim_start_matches(is_space);
        }
    }
}

fn is_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\0'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(text: &str) -> Option<(u32, Option<&str>, &str, &str)> {
        let request = Request::parse(text.as_bytes())?;
        Some((request.version, request.key, request.command, request.rest))
    }

    #[test]
    fn as_clients_send_them() {
        assert_eq!(request("VERSION=25 status "), Some((25, None, "status", "")));
        assert_eq!(request("status"), Some((2, None, "status", "")));
        assert_eq!(
            request("IDKEY=abc VERSION=25 startstatus 0 "),
            Some((25, Some("abc"), "startstatus", "0"))
        );
        assert_eq!(
            request("VNODEID=x VERSION=40 bootlog a=b  c \n"),
            Some((40, None, "bootlog", "a=b  c"))
        );
        for none in ["", "  ", "VERSION=25 ", "VERSION=x status"] {
            assert_eq!(request(none), None, "{none:?}");
        }
        assert_eq!(Request::parse(b"\xff"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(request) = Request::parse(&bytes) {
                prop_assert!(!request.command.is_empty());
            }
        }
    }
}
