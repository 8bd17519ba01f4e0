//! Addresses and ports.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::Findings;
use crate::config::Config;

const CHECK: &str = "network";
/// For a boss that runs to say so.
const PATIENCE: Duration = Duration::from_secs(5);

/// Is boss' address this machine's, and can it listen, or does it already?
pub(super) async fn examine(findings: &mut Findings, config: &Config) {
    let address = config.address;
    match TcpListener::bind((address, 0)).await {
        Ok(_) => findings.ok(CHECK, format_args!("{address} is this machine's")),
        Err(error) => {
            let advice = "address in the configuration must be this machine's in the nodes' \
                          network";
            findings.error(CHECK, format_args!("{address}: {error}"), advice);
        }
    }
    let http = config.listen.http;
    let runs = timeout(PATIENCE, is_boss(http)).await.unwrap_or(false);
    let tmcd = config.listen.tmcd.iter().map(|&address| ("tmcd", address));
    for (what, address) in tmcd.chain([("HTTP", http)]) {
        match TcpListener::bind(address).await {
            Ok(_) => findings.ok(CHECK, format_args!("{what} can listen on {address}")),
            Err(error) if error.kind() == ErrorKind::AddrInUse && runs => {
                findings.ok(CHECK, format_args!("{what} on {address}: boss serves"));
            }
            Err(error) => {
                let advice = "ss -ltnp shows who listens there; [listen] in the configuration \
                              can say another";
                findings.error(CHECK, format_args!("{what} on {address}: {error}"), advice);
            }
        }
    }
}

/// Whether it is boss that answers there.
async fn is_boss(address: SocketAddr) -> bool {
    let here = if address.ip().is_unspecified() {
        SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()))
    } else {
        address
    };
    let ask = async {
        let mut stream = TcpStream::connect(here).await?;
        let request = b"GET /api/v1/openapi.json HTTP/1.0\r\nHost: boss\r\n\r\n";
        stream.write_all(request).await?;
        let mut said = Vec::new();
        stream.take(1 << 20).read_to_end(&mut said).await?;
        std::io::Result::Ok(String::from_utf8_lossy(&said).contains("\"title\":\"boss\""))
    };
    ask.await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    async fn look(address: &str, http: SocketAddr) -> Vec<Verdict> {
        let text = format!("address = '{address}'\n[listen]\ntmcd = []\nhttp = '{http}'");
        let mut findings = Findings::default();
        examine(&mut findings, &toml::from_str(&text).unwrap()).await;
        findings.0.iter().map(|finding| finding.verdict).collect()
    }

    #[tokio::test]
    async fn a_port_is_free_or_boss_or_somebody_elses() {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        assert_eq!(look("127.0.0.1", any).await, [Verdict::Ok, Verdict::Ok]);
        // TEST-NET-1 is nobody's.
        assert_eq!(look("192.0.2.1", any).await, [Verdict::Error, Verdict::Ok]);
        let other = TcpListener::bind(any).await.unwrap();
        let taken = other.local_addr().unwrap();
        let hang_up = async {
            loop {
                drop(other.accept().await);
            }
        };
        let found = tokio::select! {
            found = look("127.0.0.1", taken) => found,
            () = hang_up => Vec::new(),
        };
        assert_eq!(found, [Verdict::Ok, Verdict::Error]);
    }
}
