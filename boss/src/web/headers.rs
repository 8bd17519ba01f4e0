//! What browsers are told of every page: to load nothing from elsewhere, and to be shown nowhere
//! else; and where a request comes from.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::config::Web;
use crate::server::Boss;

const ALWAYS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];
const OF_TLS: [(HeaderName, &str); 2] = [
    // Once seen with TLS, never without it.
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    // Browsers ignore it without TLS, and complain of it on each page.
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// How somebody has come to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// From where.
    pub(super) address: IpAddr,
    /// Whether through TLS, as a proxy that we trust says.
    pub(super) tls: bool,
}

impl Way {
    fn of(peer: IpAddr, headers: &HeaderMap, web: &Web) -> Self {
        let is_proxy = |address: &IpAddr| web.proxies.contains(address);
        let peer = peer.to_canonical();
        if !is_proxy(&peer) {
            return Self { address: peer, tls: false };
        }
        // Each proxy adds who came to it, some in a line of its own; what stands before that anybody
        // can have written.
        let lines = |name| headers.get_all(name).iter().rev().map(HeaderValue::to_str);
        let words = lines("x-forwarded-for").flat_map(|line| line.unwrap_or_default().rsplit(','));
        let mut named = words.map_while(|word| word.trim().parse::<IpAddr>().ok());
        let address = named.find(|address| !is_proxy(address)).unwrap_or(peer);
        Self {
            address,
            tls: lines("x-forwarded-proto").next().and_then(Result::ok) == Some("https"),
        }
    }
}

/// Tells handlers the [`Way`], and browsers what they have to know.
pub(super) async fn set(
    State(boss): State<Arc<Boss>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let way = Way::of(peer.ip(), request.headers(), &boss.config.web);
    request.extensions_mut().insert(way);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let of_tls = OF_TLS.into_iter().filter(|_| way.tls);
    for (name, value) in ALWAYS.into_iter().chain(of_tls) {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let keep = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(keep);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxys_word_counts() {
        let web = Web { proxies: vec!["127.0.0.1".parse().unwrap()] };
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "198.51.100.9, 192.0.2.7, 127.0.0.1".parse().unwrap());
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        let way = |peer: &str| Way::of(peer.parse().unwrap(), &headers, &web);
        let address = |text: &str| text.parse().unwrap();
        assert_eq!(way("127.0.0.1"), Way { address: address("192.0.2.7"), tls: true });
        assert_eq!(way("::ffff:127.0.0.1"), Way { address: address("192.0.2.7"), tls: true });
        assert_eq!(way("192.0.2.1"), Way { address: address("192.0.2.1"), tls: false });
    }

    #[test]
    fn the_proxys_line_is_the_last() {
        let web = Web { proxies: vec!["127.0.0.1".parse().unwrap()] };
        let mut headers = HeaderMap::new();
        for (address, way) in [("198.51.100.9", "https"), ("192.0.2.7", "http")] {
            headers.append("x-forwarded-for", address.parse().unwrap());
            headers.append("x-forwarded-proto", way.parse().unwrap());
        }
        let way = Way::of("127.0.0.1".parse().unwrap(), &headers, &web);
        assert_eq!(way, Way { address: "192.0.2.7".parse().unwrap(), tls: false });
    }
}
