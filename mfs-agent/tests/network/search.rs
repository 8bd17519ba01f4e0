//! Which interface is taken.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::lab::{self, address, addresses, is_up, link, routes};

const RANGE: &str = "--dhcp-range=10.9.0.10,10.9.0.20,255.255.255.0,2m";

#[test]
fn the_interface_with_a_server() {
    lab::run("search::the_interface_with_a_server", |lab| {
        let _dark = lab::cable("eth0", 1);
        let _deaf = lab::live_cable("eth1", 2, 7);
        let far = lab::live_cable("eth2", 3, 0);
        let _server = lab.serve(&far, "far", &[RANGE]);
        let network = lab::bring_up("").unwrap();
        assert_eq!(network.interface, "eth2");
        assert!(is_up("eth2") && is_up("lo"));
        assert!(!is_up("eth0") && !is_up("eth1"), "the others are put down again");
    });
}

#[test]
fn the_interface_that_the_node_was_booted_from() {
    lab::run("search::the_interface_that_the_node_was_booted_from", |lab| {
        let first = lab::live_cable("eth0", 1, 1);
        let second = lab::live_cable("eth1", 2, 0);
        let stranger = "--dhcp-range=10.9.1.10,10.9.1.20,255.255.255.0,2m";
        let stranger = lab.serve(&first, "far", &[stranger]);
        let _server = lab.serve(&second, "far", &[RANGE]);
        let network = lab::bring_up("BOOTIF=01-52-54-00-00-00-02").unwrap();
        assert_eq!(network.interface, "eth1");
        assert!(!is_up("eth0"));
        assert_eq!(stranger.count("DHCPDISCOVER"), 0);
        // An interface that was up before stays so.
        let network = lab::bring_up("ip=:::::eth0:dhcp").unwrap();
        assert_eq!(network.interface, "eth0");
        assert!(is_up("eth1"));
    });
}

#[test]
fn an_interface_whose_server_only_offers() {
    static REQUESTS: AtomicUsize = AtomicUsize::new(0);
    lab::run("search::an_interface_whose_server_only_offers", |lab| {
        let false_friend = lab::live_cable("eth0", 1, 9);
        false_friend.offer_only(address(9, 50), &REQUESTS);
        let far = lab::live_cable("eth1", 2, 0);
        let server = std::cell::OnceCell::new();
        let rescan = || {
            if REQUESTS.load(Ordering::Relaxed) > 0 {
                server.get_or_init(|| lab.serve(&far, "far", &[RANGE]));
            }
        };
        let network = lab::bring_up_with("mfs.netwait=60", &rescan).unwrap();
        assert!(lab::logged(&["eth0", "10.9.9.50 is offered"]));
        assert!(lab::logged(&["WARN", "10.9.9.1 offered 10.9.9.50, and then is silent"]));
        assert_eq!(network.interface, "eth1");
        assert!(REQUESTS.load(Ordering::Relaxed) >= 3);
        assert_eq!(addresses("eth0"), "");
    });
}

#[test]
fn a_tagged_network() {
    lab::run("search::a_tagged_network", |lab| {
        if !lab::has_vlans() {
            println!("skipped: this kernel has no VLANs");
            return;
        }
        let far = lab::live_cable("eth0", 1, 1);
        let _deaf = lab::live_cable("eth1", 2, 2);
        far.ip(&["link", "add", "link", "far", "name", "far.7", "type", "vlan", "id", "7"]);
        far.ip(&["link", "set", "far.7", "up"]);
        far.ip(&["address", "add", "10.9.0.1/24", "dev", "far.7"]);
        let _server = lab.serve(&far, "far.7", &[RANGE, "--dhcp-option=option:mtu,1300"]);
        let network = lab::bring_up("mfs.vlan=7").unwrap();
        assert_eq!((network.interface.as_str(), network.mtu), ("eth0.7", 1300));
        let vlan = link("eth0.7");
        assert!(vlan.contains("vlan protocol 802.1Q id 7") && vlan.contains("mtu 1300"), "{vlan}");
        assert!(link("eth0").contains("mtu 1500"));
        assert!(addresses("eth0.7").contains("inet 10.9.0."));
        assert_eq!(addresses("eth0"), "");
        assert!(!std::path::Path::new("/sys/class/net/eth1.7").exists());
        assert!(!is_up("eth1"));
    });
}

#[test]
fn a_static_address_on_the_first_interface_with_a_link() {
    lab::run("search::a_static_address_on_the_first_interface_with_a_link", |_| {
        let _dark = lab::cable("eth0", 1);
        let _far = lab::live_cable("eth1", 2, 0);
        let line = "ip=10.9.0.30::10.9.0.1:255.255.255.0:::off:10.9.0.1 mfs.mtu=1380";
        let network = lab::bring_up(line).unwrap();
        assert_eq!((network.interface.as_str(), network.mtu), ("eth1", 1380));
        assert_eq!((network.dhcp, &network.name_servers[..]), (None, &[address(0, 1)][..]));
        assert!(addresses("eth1").contains("inet 10.9.0.30/24 brd 10.9.0.255"));
        assert!(routes().contains("default via 10.9.0.1 dev eth1"));
        assert!(link("eth1").contains("mtu 1380"));
        assert!(!is_up("eth0"));
    });
}
