use super::*;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

fn is_root(test: &str) -> bool {
    let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !root {
        println!("{test} was skipped: it needs root");
    }
    root
}

#[test]
fn sockets_are_inside_and_servers_end() {
    if !is_root("sockets_are_inside_and_servers_end") {
        return;
    }
    crate::apt::ensure(crate::apt::LAB).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::new(directory.path()).unwrap();
    fs::write(directory.path().join("file"), b"content").unwrap();
    let http = lab.http(directory.path()).unwrap();
    // The address is not this machine's; from inside it answers.
    assert!(TcpListener::bind(http.address()).is_err());
    let mut stream =
        lab.namespace().inside(|| TcpStream::connect(http.address())).unwrap().unwrap();
    stream.write_all(b"GET /file HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("content"), "{answer}");
    assert_eq!(http.log(), ["GET /file 200"]);

    lab.add_bridge("br1").unwrap();
    lab.add_address("br1", "10.78.0.1/24").unwrap();
    let nic = lab.guest_nic("br1", "virtio-net-pci", "52:54:00:77:00:01").unwrap();
    lab.set_mtu(nic.tap(), 1400).unwrap();
    lab.set_up(nic.tap(), false).unwrap();
    // Two servers in the same namespace.
    let first = Configuration::dhcp(BRIDGE, "10.77.0.10", "10.77.0.20", "12h")
        .reserve("52:54:00:77:00:01", "10.77.0.11")
        .tftp(directory.path());
    let first = lab.dnsmasq("first", &first).unwrap();
    let second = Configuration::dhcp("br1", "10.78.0.10", "10.78.0.20", "12h");
    let second = lab.dnsmasq("second", &second).unwrap();
    assert_eq!(first.count("sockets bound exclusively to interface br0"), 1, "{:?}", first.log());
    assert_eq!(second.leases(), "");
    let process = format!("/proc/{}", second.process());
    assert!(Path::new(&process).exists());
    drop(second);
    assert!(!Path::new(&process).exists());
    assert!(lab.dnsmasq("third", &Configuration::text("nonsense\n")).is_err());
}

#[test]
fn nobody_needs_a_guest_to_bind_sockets() {
    if !is_root("nobody_needs_a_guest_to_bind_sockets") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::new(directory.path()).unwrap();
    let tcp = lab.tcp_listener(7777).unwrap();
    assert_eq!(tcp.local_addr().unwrap().to_string(), "10.77.0.1:7777");
    lab.udp_socket(6969).unwrap();
    let nfs = lab.nfs(directory.path(), "/proj").unwrap();
    let port = nfs.port();
    assert!(lab.namespace().inside(|| TcpStream::connect((ADDRESS, port))).unwrap().is_ok());
}

#[test]
fn the_kernel_answers_over_a_tagged_port() {
    if !is_root("the_kernel_answers_over_a_tagged_port") {
        return;
    }
    crate::apt::ensure(crate::apt::LAB).unwrap();
    crate::apt::ensure(crate::apt::QEMU).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::new(directory.path()).unwrap();
    let mac = "52:54:00:77:00:01";
    lab.tagged_nic(BRIDGE, 42, "virtio-net-pci", mac).unwrap();
    let (to, at) = trunk::Ports::of(0).guest();
    let card = lab.namespace().inside(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, at)));
    let card = card.unwrap().unwrap();
    card.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let own = [0x52, 0x54, 0, 0x77, 0, 1];
    // ARP (RFC 826): who has 10.77.0.1? tell 10.77.0.10
    let arp = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &own, &[10, 77, 0, 10], &[0; 6], &[10, 77, 0, 1]];
    let request = |tag: &[u8]| [&[0xff; 6][..], &own, tag, &[8, 6], &arp.concat()].concat();
    let mut frame = [0; 2048];
    let mut answer = |tag: &[u8]| {
        card.send_to(&request(tag), (Ipv4Addr::LOCALHOST, to)).unwrap();
        while let Ok(length) = card.recv(&mut frame) {
            // To us, tagged, ARP, a reply.
            if frame[..6] == own && frame[12..18] == [0x81, 0, 0, 42, 8, 6] && frame[25] == 2 {
                assert_eq!(frame[32..36], [10, 77, 0, 1], "{length} bytes");
                return true;
            }
        }
        false
    };
    // The hub takes a moment to start.
    let deadline = Instant::now() + Duration::from_secs(30);
    while !answer(&[0x81, 0, 0, 42]) {
        assert!(Instant::now() < deadline, "no answer");
    }
    assert!(!answer(&[0x81, 0, 0, 43]), "VLAN 43 was answered");
    assert!(!answer(&[]), "an untagged frame was answered");
}
