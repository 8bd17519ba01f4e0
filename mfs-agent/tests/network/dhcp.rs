//! Addresses by DHCP, and how they are kept.

use std::time::{Duration, Instant};

use mfs_agent::net::name::DomainName;

use crate::lab::{self, address, addresses, link, logged, routes, soon};

const RANGE: &str = "--dhcp-range=10.9.0.10,10.9.0.20,255.255.255.0,2m";
/// The shortest time to the first renewal that dnsmasq allows.
const SHORT_T1: &str = "--dhcp-option=option:T1,3";

#[test]
fn an_address_and_what_goes_with_it() {
    lab::run("dhcp::an_address_and_what_goes_with_it", |lab| {
        let far = lab::live_cable("eth0", 1, 0);
        let server = lab.serve(
            &far,
            "far",
            &[
                RANGE,
                "--dhcp-host=52:54:00:00:00:01,10.9.0.17,node1",
                "--dhcp-option=option:router,10.9.0.2",
                "--dhcp-option=option:dns-server,10.9.0.1,10.9.0.3",
                "--dhcp-option=option:domain-search,lab.example.org,example.org",
                "--dhcp-option=option:mtu,1400",
                "--dhcp-boot=pxelinux.0,boot,10.9.0.5",
                // With a long option, so that the server uses the fields of names for it too.
                "--dhcp-option-force=224,a-text-that-is-long-enough-to-need-more-room",
            ],
        );
        let start = Instant::now();
        let network = lab::bring_up("").unwrap();
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert_eq!(network.interface, "eth0");
        assert_eq!((network.address, network.prefix), (address(0, 17), 24));
        assert_eq!(network.gateway, Some(address(0, 2)));
        assert_eq!(network.name_servers, [address(0, 1), address(0, 3)]);
        let domains: Vec<&str> = network.search.iter().map(DomainName::as_str).collect();
        assert_eq!(domains, ["lab.example.org", "example.org"]);
        assert_eq!(network.mtu, 1400);
        assert!(network.to_string().ends_with(", named node1, lent by 10.9.0.1 for 120 s"));
        let dhcp = network.dhcp.unwrap();
        assert_eq!((dhcp.server, dhcp.next_server), (address(0, 1), Some(address(0, 5))));
        assert_eq!(dhcp.host_name.unwrap().as_str(), "node1");
        assert_eq!(dhcp.time, Duration::from_mins(2));
        // The kernel and the server say the same.
        assert!(addresses("eth0").contains("inet 10.9.0.17/24 brd 10.9.0.255"));
        assert!(routes().contains("default via 10.9.0.2 dev eth0"));
        assert!(link("eth0").contains("mtu 1400"));
        assert_eq!(server.count("DHCPACK(far) 10.9.0.17 52:54:00:00:00:01 node1"), 1);
        assert!(server.count("vendor class: swapmfs") >= 2);
    });
}

#[test]
fn the_lease_is_renewed() {
    lab::run("dhcp::the_lease_is_renewed", |lab| {
        let far = lab::live_cable("eth0", 1, 0);
        let server = lab.serve(&far, "far", &[RANGE, SHORT_T1]);
        let network = lab::bring_up("").unwrap();
        let discovers = server.count("DHCPDISCOVER(far)");
        server.wait_for("DHCPACK(far)", 3);
        assert_eq!(server.count("DHCPDISCOVER(far)"), discovers, "no new offer is needed");
        soon("renewed", || logged(&["INFO", "renewed by 10.9.0.1"]));
        assert!(addresses("eth0").contains(&network.address.to_string()));
    });
}

#[test]
fn any_server_renews_the_lease_at_last() {
    lab::run("dhcp::any_server_renews_the_lease_at_last", |lab| {
        let far = lab::live_cable("eth0", 1, 0);
        let first = lab.serve(&far, "far", &[RANGE, SHORT_T1, "--dhcp-option=option:T2,4"]);
        let network = lab::bring_up("").unwrap();
        drop(first);
        // The server has moved: only a broadcast reaches it.
        far.ip(&["address", "del", "10.9.0.1/24", "dev", "far"]);
        far.ip(&["address", "add", "10.9.0.2/24", "dev", "far"]);
        let second = lab.serve(&far, "far", &[RANGE]);
        second.wait_for(&format!("DHCPACK(far) {}", network.address), 1);
        assert_eq!(second.count("DHCPDISCOVER"), 0);
        soon("renewed", || logged(&["INFO", "renewed by 10.9.0.2"]));
    });
}

#[test]
fn an_address_that_is_taken_back_is_kept() {
    lab::run("dhcp::an_address_that_is_taken_back_is_kept", |lab| {
        let far = lab::live_cable("eth0", 1, 0);
        let host = |last: u8| format!("--dhcp-host=52:54:00:00:00:01,10.9.0.{last}");
        let first = lab.serve(&far, "far", &[RANGE, SHORT_T1, &host(15)]);
        let network = lab::bring_up("").unwrap();
        assert_eq!(network.address, address(0, 15));
        drop(first);
        // Another administrator, with another plan, whose server doesn't know the lease.
        let second = lab.serve(&far, "far", &[RANGE, &host(16), "--dhcp-authoritative"]);
        second.wait_for("DHCPNAK(far) 10.9.0.15", 1);
        soon("the refusal", || logged(&["ERROR", "takes 10.9.0.15 back", "until the end"]));
        soon("the other offer", || logged(&["ERROR", "offers 10.9.0.16 instead of 10.9.0.15"]));
        assert!(addresses("eth0").contains("inet 10.9.0.15/24"));
        assert!(!addresses("eth0").contains("10.9.0.16"));
        drop(second);
        // The old plan is back, and so is the lease.
        let third = lab.serve(&far, "far", &[RANGE, &host(15)]);
        third.wait_for("DHCPACK(far) 10.9.0.15", 1);
        soon("the lease", || logged(&["INFO", "renewed by 10.9.0.1"]));
    });
}

#[test]
fn a_server_that_starts_late() {
    lab::run("dhcp::a_server_that_starts_late", |lab| {
        let far = std::cell::OnceCell::new();
        let server = std::cell::OnceCell::new();
        let calls = std::cell::Cell::new(0);
        // First there is a card, then its link, then the server.
        let rescan = || {
            calls.set(calls.get() + 1);
            match calls.get() {
                2 => assert!(far.set(lab::cable("eth0", 1)).is_ok()),
                3 => far.get().unwrap().make_live(0),
                5 => assert!(server.set(lab.serve(far.get().unwrap(), "far", &[RANGE])).is_ok()),
                _ => {}
            }
        };
        let network = lab::bring_up_with("mfs.netwait=30", &rescan).unwrap();
        assert_eq!(network.interface, "eth0");
        assert!(addresses("eth0").contains(&network.address.to_string()));
        assert!(calls.get() >= 5);
    });
}

#[test]
fn nobody_answers() {
    lab::run("dhcp::nobody_answers", |_| {
        let _far = lab::live_cable("eth0", 1, 0);
        let _dark = lab::cable("eth1", 2);
        let failure = lab::bring_up("mfs.netwait=2").unwrap_err();
        assert_eq!(failure.code(), 22);
        let expected = "no address by DHCP after 2 s: eth0 (52:54:00:00:00:01, virtual) link, 2 ";
        assert!(failure.message.starts_with(expected), "{failure}");
        assert!(failure.message.contains("eth1 (52:54:00:00:00:02, virtual) no link"), "{failure}");
        let failure = lab::bring_up("mfs.netwait=1 BOOTIF=01-52-54-00-00-00-09").unwrap_err();
        assert!(failure.message.contains("52:54:00:00:00:09 (BOOTIF=) after 1 s"), "{failure}");
        assert!(failure.message.contains("eth1 (52:54:00:00:00:02, virtual)"), "{failure}");
    });
}
