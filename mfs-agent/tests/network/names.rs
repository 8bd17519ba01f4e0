//! Names of servers.

use std::time::Duration;

use mfs_agent::failure::Result;
use mfs_agent::net::Network;
use mfs_agent::progress::Progress;

use crate::lab::{self, address};
use std::net::Ipv4Addr;

fn resolve(network: &Network, name: &str) -> Result<Ipv4Addr> {
    network.resolve(name, Duration::from_secs(2), &Progress::new())
}

#[test]
fn names_of_servers() {
    lab::run("names::names_of_servers", |lab| {
        let far = lab::live_cable("eth0", 1, 0);
        let many: Vec<String> = (0..60)
            .map(|last| format!("--host-record=many.lab.example.org,10.9.1.{last}"))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let options = [
            "--dhcp-range=10.9.0.10,10.9.0.20,255.255.255.0,2m",
            // Nobody answers at the first one.
            "--dhcp-option=option:dns-server,10.9.0.99,10.9.0.1",
            "--domain=lab.example.org",
            "--local=/lab.example.org/",
            "--domain-needed",
            "--host-record=fs.lab.example.org,10.9.0.77",
            "--cname=files.lab.example.org,fs.lab.example.org",
        ];
        let _server = lab.serve(&far, "far", &[&options[..], &many].concat());
        let network = lab::bring_up("").unwrap();
        let name = |name| resolve(&network, name).map_err(|failure| failure.message);
        assert_eq!(name("10.1.2.3"), Ok(Ipv4Addr::new(10, 1, 2, 3)));
        assert_eq!(name("fs.lab.example.org"), Ok(address(0, 77)));
        assert_eq!(name("FS"), Ok(address(0, 77)));
        assert_eq!(name("files"), Ok(address(0, 77)));
        // More addresses than a datagram holds.
        assert_eq!(name("many").unwrap().octets()[..3], [10, 9, 1]);
        let why = name("nobody").unwrap_err();
        let expected = "name server 10.9.0.1 knows no address of nobody.lab.example.org or nobody";
        assert!(why.contains(expected), "{why}");
        // The server knows nothing of the world, and refuses.
        let why = name("www.example.com").unwrap_err();
        assert!(why.contains("10.9.0.1: refuses, with code 5"), "{why}");
        assert!(why.contains("10.9.0.99: "), "{why}");
    });
}
