use std::fs;
use std::process::Command;

use super::*;

fn network() -> Network {
    Network {
        interface: "eth1".to_owned(),
        address: Ipv4Addr::new(10, 0, 0, 1),
        netmask: Ipv4Addr::new(255, 255, 255, 0),
        gateway: Some(Ipv4Addr::new(10, 0, 0, 254)),
        name_servers: vec![Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(10, 9, 0, 3)],
        domain: Some("example.org".to_owned()),
        url: "http://10.0.0.1:8080".parse().unwrap(),
        tftp: "/srv/boot".into(),
        http_loader: None,
    }
}

fn host(number: u8) -> Host {
    Host {
        node: format!("pc{number}").parse().unwrap(),
        mac: format!("52:54:00:00:00:{number:02x}").parse().unwrap(),
        ip: Ipv4Addr::new(10, 0, 0, number),
    }
}

/// What dnsmasq says of a configuration. It needs no network for that, and does not start.
fn judge(text: &str) -> (bool, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("dnsmasq.conf");
    // The directory must be there.
    let text = text.replace("/srv/boot", directory.path().to_str().unwrap());
    fs::write(&file, text).unwrap();
    let found =
        ["/usr/sbin/dnsmasq", "/sbin/dnsmasq"].iter().find(|path| fs::exists(path).unwrap());
    let program = found.expect("dnsmasq is there: `cargo xtask test` installs it");
    let run = Command::new(program)
        .arg("--test")
        .arg(format!("--conf-file={}", file.display()))
        .output()
        .unwrap();
    (run.status.success(), String::from_utf8(run.stderr).unwrap())
}

#[test]
fn dnsmasq_takes_it() {
    let hosts = [host(12), host(10), host(11)];
    let here = Ipv4Addr::new(10, 0, 0, 1);
    for network in [
        network(),
        Network { gateway: None, name_servers: vec![], domain: None, ..network() },
        Network { name_servers: vec![here], ..network() },
        Network { http_loader: Some("/mfs/snponly.efi".to_owned()), ..network() },
    ] {
        for hosts in [&hosts[..], &[]] {
            let text = network.configuration(hosts).unwrap();
            let (good, said) = judge(&text);
            assert!(good, "{said}\n{text}");
        }
    }
    // It does tell.
    let text = network().configuration(&hosts).unwrap();
    assert!(!judge(&text.replace("10.0.0.0,static", "10.0.0.0,statik")).0);
}

#[test]
fn the_whole_file() {
    let text = network().configuration(&[host(11), host(10)]).unwrap();
    let lines: Vec<_> =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let expected = [
        "interface=eth1",
        "bind-interfaces",
        "port=0",
        "enable-tftp",
        "tftp-root=/srv/boot",
        "dhcp-range=10.0.0.0,static,255.255.255.0,12h",
        "dhcp-ignore=tag:!known",
        "dhcp-authoritative",
        "dhcp-option=option:router,10.0.0.254",
        "dhcp-option=option:dns-server,10.0.0.2,10.9.0.3",
        "domain=example.org",
        "dhcp-match=set:bios,option:client-arch,0",
        "dhcp-match=set:uefi,option:client-arch,7",
        "dhcp-match=set:uefi,option:client-arch,9",
        "dhcp-match=set:uefi-http,option:client-arch,16",
        "dhcp-match=set:ipxe,175",
        "dhcp-userclass=set:ipxe,iPXE",
        "dhcp-boot=tag:bios,tag:!ipxe,undionly.kpxe",
        "dhcp-boot=tag:uefi,tag:!ipxe,snponly.efi",
        "dhcp-boot=tag:ipxe,http://10.0.0.1:8080/boot/${netX/mac:hexhyp}",
        "dhcp-host=52:54:00:00:00:0a,10.0.0.10,pc10,12h",
        "dhcp-host=52:54:00:00:00:0b,10.0.0.11,pc11,12h",
    ];
    assert_eq!(lines, expected);
    let names = Network { name_servers: vec![network().address], ..network() };
    assert!(!names.configuration(&[]).unwrap().contains("port=0"));
}

#[test]
fn the_order_of_the_nodes_does_not_matter() {
    let mut hosts: Vec<_> = (10..40).map(host).collect();
    let text = network().configuration(&hosts).unwrap();
    hosts.reverse();
    assert_eq!(network().configuration(&hosts).unwrap(), text);
}

#[test]
fn two_nodes_have_nothing_in_common() {
    let (first, other) = (host(10), host(11));
    for (what, second) in [
        ("address", Host { ip: first.ip, ..other.clone() }),
        ("card", Host { mac: first.mac, ..other.clone() }),
        ("name", Host { node: "PC10".parse().unwrap(), ..other.clone() }),
    ] {
        let second_id = second.node.clone();
        let error = network().configuration(&[first.clone(), second]).unwrap_err();
        assert_eq!(error, DhcpError::Same(first.node.clone(), second_id, what));
    }
}

#[test]
fn a_node_has_an_address_of_its_own_in_the_network() {
    for ip in [[10, 0, 1, 10], [10, 0, 0, 0], [10, 0, 0, 255], [10, 0, 0, 1], [10, 0, 0, 254]] {
        let host = Host { ip: ip.into(), ..host(10) };
        let error = network().configuration(&[host]).unwrap_err();
        assert!(matches!(error, DhcpError::Address { .. }), "{error}");
    }
}

#[test]
fn a_name_is_a_name_for_dnsmasq() {
    for name in ["ignore", "infinite", "12", "12h", "3d", "_x"] {
        let host = Host { node: name.parse().unwrap(), ..host(10) };
        let error = network().configuration(std::slice::from_ref(&host)).unwrap_err();
        assert_eq!(error, DhcpError::Name(host.node));
    }
    for name in ["12hours", "1-2", "a_b", "0x"] {
        let host = Host { node: name.parse().unwrap(), ..host(10) };
        let (good, said) = judge(&network().configuration(&[host]).unwrap_or_default());
        assert!(good, "{name}: {said}");
    }
}

#[test]
fn no_setting_is_another_line_or_option() {
    let wrong = |change: fn(&mut Network)| {
        let mut network = network();
        change(&mut network);
        network.configuration(&[]).unwrap_err()
    };
    for error in [
        wrong(|network| network.interface = "eth1\ndhcp-script=/x".to_owned()),
        wrong(|network| network.interface = "eth*".to_owned()),
        wrong(|network| network.interface = String::new()),
        wrong(|network| network.domain = Some("a,b".to_owned())),
        wrong(|network| network.domain = Some("a\nb".to_owned())),
        wrong(|network| network.tftp = "srv".into()),
        wrong(|network| network.tftp = "/srv,eth1".into()),
        wrong(|network| network.tftp = "/srv #".into()),
        wrong(|network| network.http_loader = Some("/a,b".to_owned())),
        wrong(|network| network.netmask = Ipv4Addr::new(255, 0, 255, 0)),
        wrong(|network| network.netmask = Ipv4Addr::UNSPECIFIED),
        wrong(|network| network.gateway = Some(Ipv4Addr::new(10, 1, 0, 1))),
        wrong(|network| network.address = Ipv4Addr::new(10, 0, 0, 255)),
    ] {
        assert!(matches!(error, DhcpError::Setting { .. }), "{error}");
    }
}
