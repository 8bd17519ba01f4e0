use super::*;
use std::io::{Read, Write};
use std::net::Shutdown;

const LIMIT: Duration = Duration::from_secs(10);

/// As `nc -N` would do it.
fn ask(tmcd: &Tmcd, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(tmcd.addresses()[0]).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut reply = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut reply);
    reply
}

fn tmcd() -> Tmcd {
    let node = Node::new("testbed", "mytest", "nodeA");
    let node = node.startup_command("/usr/local/bin/create-swapimage");
    Tmcd::bind(Ipv4Addr::LOCALHOST, &[0, 0], node).unwrap()
}

#[test]
fn the_examples_of_the_protocol() {
    let tmcd = tmcd();
    let text = |request| String::from_utf8(ask(&tmcd, request)).unwrap();
    assert_eq!(text("VERSION=25 status "), "ALLOCATED=testbed/mytest NICKNAME=nodeA\n");
    assert_eq!(
        text("VERSION=25 mounts "),
        "REMOTE=fs:/q/proj/testbed LOCAL=/proj/testbed\n\
         REMOTE=fs:/users/mike LOCAL=/users/mike\n"
    );
    assert_eq!(text("VERSION=40 mounts ").lines().next(), Some("FSTYPE=NFS TRANSPORT=TCP"));
    assert_eq!(text("VERSION=25 startupcmd "), "CMD='/usr/local/bin/create-swapimage' UID=mike\n");
    assert_eq!(text("VERSION=20 creator "), "CREATOR=mike\n");
    assert_eq!(text("VERSION=25 creator "), "CREATOR=mike SWAPPER=mike\n");
    assert_eq!(text("VERSION=25 statusx "), "");
    assert_eq!(text("VERSION=25 state MFSSETUP "), "");
    assert_eq!(text("VERSION=25 startstatus 0 "), "");
    assert_eq!((tmcd.states(), tmcd.start_statuses()), (vec!["MFSSETUP".into()], vec!["0".into()]));
    assert_eq!(tmcd.malformed(), Vec::<String>::new());
    tmcd.wait_for("state MFSSETUP", LIMIT).unwrap();
    let error = tmcd.wait_for("state ISUP", Duration::from_millis(1)).unwrap_err();
    assert!(format!("{error:#}").contains("startstatus 0"), "{error:#}");
}

#[test]
fn nodes_are_known_by_their_address() {
    let tmcd = tmcd();
    tmcd.set_node_at(Ipv4Addr::LOCALHOST, Node::free("pc7"));
    assert_eq!(ask(&tmcd, "VERSION=25 status "), b"FREE\n");
    assert_eq!(ask(&tmcd, "VERSION=25 mounts "), b"");
    tmcd.set_node_at(Ipv4Addr::LOCALHOST, Node::default());
    assert_eq!(ask(&tmcd, "VERSION=25 status "), b"");
}

#[test]
fn form_is_watched() {
    let tmcd = tmcd();
    ask(&tmcd, "status");
    ask(&tmcd, "VERSION=25 status\n");
    ask(&tmcd, "VERSION=25 status");
    ask(&tmcd, "VERSION=25 IDKEY=abcdefgh status ");
    ask(&tmcd, "IDKEY=abcdefgh status ");
    assert_eq!(ask(&tmcd, "IDKEY=abcdefgh VERSION=25 nodeid "), b"pc42\n");
    assert_eq!(tmcd.malformed().len(), 5);
    let records = tmcd.records();
    assert_eq!((records[0].version, &records[0].key), (2, &None));
    assert_eq!((records[5].version, records[5].key.as_deref()), (25, Some("abcdefgh")));
}

#[test]
fn faults_of_all_and_of_one_command() {
    let tmcd = tmcd();
    tmcd.set_fault(Fault::First(1, Box::new(Fault::Close)));
    assert_eq!(ask(&tmcd, "VERSION=25 status "), b"");
    assert_eq!(tmcd.history(), Vec::<String>::new());
    tmcd.set_fault_of("nodeid", Fault::Redirect("ops".into()));
    assert_eq!(ask(&tmcd, "VERSION=25 nodeid "), b"REDIRECT=ops\n");
    tmcd.set_fault_of("nodeid", Fault::TooLong(100_000));
    assert_eq!(ask(&tmcd, "VERSION=25 nodeid ").len(), 100_005);
    tmcd.set_fault_of("nodeid", Fault::OneByteSegments);
    assert_eq!(ask(&tmcd, "VERSION=25 nodeid "), b"pc42\n");
    tmcd.set_fault(Fault::Reset);
    assert_eq!(ask(&tmcd, "VERSION=25 status "), b"");
    tmcd.behave();
    assert_eq!(ask(&tmcd, "VERSION=25 nodeid "), b"pc42\n");
    assert_eq!(tmcd.history(), ["nodeid"; 4]);
}

#[test]
fn a_dropped_server_refuses() {
    let tmcd = tmcd();
    let address = tmcd.addresses()[1];
    assert_ne!(address.port(), tmcd.port());
    TcpStream::connect(address).unwrap();
    drop(tmcd);
    assert!(TcpStream::connect(address).is_err());
}
