//! tmcd, byte for byte, as nodes of all ages ask it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, unreachable_pub, reason = "all tests share it, and each uses a part")]
#[path = "support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use boss::access::Trust;
use boss::db::experiments::Experiment;
use boss::db::nodes::Node;
use boss::names::NodeId;
use boss::server::{Boss, Server};
use support::{GID, SUBGROUP_GID, Site, UID, sites};
use tokio::net::TcpSocket;

const NODE: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 1);
const FREE: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 2);
const UNKNOWN: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 3);

/// How a request is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// At once, then the client's side is shut down.
    AtOnce,
    /// The client's side stays open, as old clients leave it.
    Open,
    /// A byte at a time.
    Bytes,
}

struct Asked {
    site: Site,
    experiment: Experiment,
    server: Server,
}

impl Asked {
    async fn new(mut site: Site, gid: &str) -> Self {
        let image = site.import(1, "testbed/BASE").await;
        let experiment = site.experiment(gid, &image, &["other"]).await;
        for (name, ip, number) in [("pc8", NODE, 8_u8), ("pc9", FREE, 9)] {
            let node_id: NodeId = name.parse().unwrap();
            let node = Node {
                node_id: node_id.clone(),
                mac: format!("52:54:00:00:01:{number:02x}"),
                control_ip: ip,
                power_driver: String::new(),
                power_settings: std::collections::BTreeMap::default(),
                event_state: String::new(),
                event_at: 0,
                out_of_service: None,
            };
            site.db.add_node(&node).await.unwrap();
            if ip == NODE {
                let vname = "node-a".parse().unwrap();
                assert!(site.db.reserve(&node_id, &experiment.id(), &vname, "node").await.unwrap());
            }
        }
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        (site.config.listen.tmcd, site.config.listen.http) = (vec![any], any);
        let server = Server::start(Boss::with(site.config.clone(), site.db.clone())).await.unwrap();
        Self { site, experiment, server }
    }

    async fn ask(&self, from: Ipv4Addr, request: &str, how: How) -> String {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((IpAddr::from(from), 0).into()).unwrap();
        let stream = socket.connect(self.server.tmcd()[0]).await.unwrap().into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let request = request.to_owned();
        let talk = move || {
            let mut stream = stream;
            if how == How::Bytes {
                for byte in request.as_bytes() {
                    stream.write_all(std::slice::from_ref(byte)).unwrap();
                }
            } else {
                stream.write_all(request.as_bytes()).unwrap();
            }
            if how != How::Open {
                stream.shutdown(std::net::Shutdown::Write).unwrap();
            }
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        };
        tokio::task::spawn_blocking(talk).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_am_i() {
    for site in sites().await {
        let asked = Asked::new(site, "testbed").await;
        let allocated = "ALLOCATED=testbed/trial NICKNAME=node-a\n";
        for how in [How::AtOnce, How::Open, How::Bytes] {
            assert_eq!(asked.ask(NODE, "VERSION=25 status ", how).await, allocated);
        }
        for (from, request, reply) in [
            (NODE, "status", allocated),
            (NODE, "IDKEY=x VERSION=25 status ", allocated),
            (NODE, "VERSION=25 nodeid ", "pc8\n"),
            (NODE, "VERSION=25 role ", "node\n"),
            (NODE, "VERSION=20 creator ", "CREATOR=mike\n"),
            (NODE, "VERSION=25 creator ", "CREATOR=mike SWAPPER=mike\n"),
            (NODE, "VERSION=25 startupcmd ", ""),
            (NODE, "VERSION=25 rm -rf ", ""),
            (NODE, "", ""),
            (FREE, "VERSION=25 status ", "FREE\n"),
            (FREE, "VERSION=25 mounts ", ""),
            (FREE, "VERSION=25 accounts ", ""),
            (UNKNOWN, "VERSION=25 status ", ""),
            (UNKNOWN, "VERSION=25 accounts ", ""),
        ] {
            assert_eq!(asked.ask(from, request, How::AtOnce).await, reply, "{from} {request:?}");
        }
        asked.server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_to_mount_and_in_whose_name() {
    for site in sites().await {
        let asked = Asked::new(site, "sub").await;
        let mounts = "REMOTE=10.0.0.1:/proj/testbed LOCAL=/proj/testbed\n\
                      REMOTE=10.0.0.1:/groups/testbed/sub LOCAL=/groups/testbed/sub\n";
        assert_eq!(asked.ask(NODE, "VERSION=25 mounts ", How::AtOnce).await, mounts);
        let newer = format!("FSTYPE=NFS TRANSPORT=TCP\n{mounts}");
        assert_eq!(asked.ask(NODE, "VERSION=40 mounts ", How::AtOnce).await, newer);

        let (pid, sub) = (&asked.experiment.pid, &asked.experiment.gid);
        let mike = "mike".parse().unwrap();
        asked.site.db.set_membership(&mike, pid, sub, Trust::User).await.unwrap();
        // The experiment's group comes first, also in the list.
        let accounts = format!(
            "ADDGROUP NAME=testbed GID={GID}\nADDGROUP NAME=sub GID={SUBGROUP_GID}\n\
             ADDUSER LOGIN=mike PSWD=* UID={UID} GID={SUBGROUP_GID} ROOT=1 NAME=\"mike\" \
             HOMEDIR=/users/mike GLIST=\"{SUBGROUP_GID},{GID}\" SERIAL=1\n"
        );
        assert_eq!(asked.ask(NODE, "VERSION=25 accounts ", How::AtOnce).await, accounts);
        asked.server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_says_of_itself_is_noted() {
    for site in sites().await {
        let asked = Asked::new(site, "testbed").await;
        assert_eq!(asked.ask(NODE, "VERSION=25 state ISUP ", How::AtOnce).await, "");
        let node = || async { asked.site.db.node_at(NODE).await.unwrap().unwrap() };
        assert_eq!(node().await.event_state, "ISUP");
        for bad in ["state ", "state A;B ", &format!("state {} ", "X".repeat(128))] {
            assert_eq!(asked.ask(NODE, bad, How::AtOnce).await, "");
            assert_eq!(node().await.event_state, "ISUP", "{bad}");
        }
        // Nothing to answer, and nothing to break, however much comes.
        let long = format!("VERSION=25 bootlog {}", "no disk\n".repeat(2000));
        assert_eq!(asked.ask(NODE, &long, How::AtOnce).await, "");
        assert_eq!(asked.ask(NODE, "VERSION=25 startstatus 0 ", How::AtOnce).await, "");
        asked.server.stop().await;
    }
}
