//! Ports, servers, waiting.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::time::{Duration, Instant};

use anyhow::Result;
use mfs_agent::tmcd::status::Status;
use mfs_agent::tmcd::{Client, Limits, PORTS, State};
use xtask::tmcd::{Fault, Node, Tmcd};

use crate::common::{CALL, IMPATIENT, QUICK, boss, check_failure, client, node, server, timed};

#[test]
fn the_second_port_when_the_first_refuses() -> Result<()> {
    timed(|| {
        let address = Ipv4Addr::new(127, 77, 1, 1);
        let tmcd = Tmcd::bind(address, &PORTS[1..], node())?;
        let client = Client::new(&[address], None)?.with_limits(QUICK);
        boss(&client, CALL).state(State::MfsSetup)?;
        assert!(matches!(boss(&client, CALL).status()?, Status::Allocated(_)));
        assert_eq!(client.server(), SocketAddrV4::new(address, 14447));
        assert_eq!(tmcd.history(), ["state MFSSETUP", "status"]);
        assert!(tmcd.records().iter().all(|record| record.port == 14447));
        Ok(())
    })
}

#[test]
fn the_first_port_when_both_answer() -> Result<()> {
    timed(|| {
        let address = Ipv4Addr::new(127, 77, 2, 1);
        let tmcd = Tmcd::bind(address, &PORTS, node())?;
        let client = Client::new(&[address], None)?.with_limits(QUICK);
        boss(&client, CALL).status()?;
        assert!(tmcd.records().iter().all(|record| record.port == 7777));
        Ok(())
    })
}

#[test]
fn the_candidate_that_is_boss_is_found_and_remembered() -> Result<()> {
    timed(|| {
        let [nobody, silent, other, right] =
            [1, 2, 3, 4].map(|last| Ipv4Addr::new(127, 77, 3, last));
        let deaf = Tmcd::bind(silent, &[7777], node())?;
        deaf.set_fault(Fault::Silent);
        // A boss of another testbed doesn't know this node.
        let stranger = Tmcd::bind(other, &[7777], Node::default())?;
        let tmcd = Tmcd::bind(right, &[7777], node())?;
        let client =
            Client::new(&[nobody, silent, other, right], Some(7777))?.with_limits(IMPATIENT);
        assert!(matches!(boss(&client, CALL).status()?, Status::Allocated(_)));
        assert_eq!(*client.server().ip(), right);
        boss(&client, CALL).mounts()?;
        boss(&client, CALL).state(State::IsUp)?;
        assert_eq!(tmcd.history(), ["status", "mounts", "state ISUP"]);
        assert_eq!((deaf.history().len(), stranger.history().len()), (1, 1));
        // What it answers counts, even if it is nothing: nobody else is asked.
        tmcd.set_node(Node::new("testbed", "mytest", "nodeA"));
        assert_eq!(boss(&client, CALL).startup_command()?, None);
        assert_eq!((deaf.history().len(), stranger.history().len()), (1, 1));
        Ok(())
    })
}

#[test]
fn boss_may_come_later() -> Result<()> {
    timed(|| {
        let address = Ipv4Addr::new(127, 77, 4, 1);
        let client = Client::new(&[address], None)?.with_limits(QUICK);
        let beats = Cell::new(0);
        let tmcd = RefCell::new(None);
        let beat = || {
            beats.set(beats.get() + 1);
            if beats.get() == 20 {
                *tmcd.borrow_mut() = Tmcd::bind(address, &PORTS, node()).ok();
            }
        };
        client.boss(CALL, &beat).state(State::MfsSetup)?;
        assert_eq!(tmcd.take().unwrap().history(), ["state MFSSETUP"]);
        Ok(())
    })
}

#[test]
fn nobody_is_there() -> Result<()> {
    timed(|| {
        let unused = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let client = Client::new(&[Ipv4Addr::LOCALHOST], Some(unused))?.with_limits(QUICK);
        let start = Instant::now();
        let words = ["status", &unused.to_string(), "connection refused", "mfs.boss="];
        check_failure(boss(&client, Duration::from_millis(300)).status(), &words);
        let time = start.elapsed();
        assert!(time >= Duration::from_millis(300) && time < CALL, "{time:?}");
        Ok(())
    })
}

#[test]
fn a_silent_server_is_waited_for_with_signs_of_life() -> Result<()> {
    timed(|| {
        let tmcd = server(node())?;
        tmcd.set_fault(Fault::Silent);
        let limits = Limits { attempt: Duration::from_millis(2500), ..QUICK };
        let client = client(&tmcd)?.with_limits(limits);
        let last = Cell::new(Instant::now());
        let longest = Cell::new(Duration::ZERO);
        let beat = || longest.set(longest.get().max(last.replace(Instant::now()).elapsed()));
        let start = Instant::now();
        check_failure(
            client.boss(Duration::from_secs(3), &beat).status(),
            &["no whole reply in time"],
        );
        beat();
        assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
        assert!(longest.get() < Duration::from_secs(2), "{:?}", longest.get());
        assert_eq!(tmcd.history().first().map(String::as_str), Some("status"));
        Ok(())
    })
}

#[test]
fn a_host_that_swallows_packets_is_given_up() -> Result<()> {
    timed(|| {
        // A full backlog drops what comes, so nobody is ever connected.
        let full = rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::STREAM,
            None,
        )?;
        let address = Ipv4Addr::new(127, 77, 5, 1);
        rustix::net::bind(&full, &SocketAddrV4::new(address, 7777))?;
        rustix::net::listen(&full, 0)?;
        let _first = std::net::TcpStream::connect((address, 7777))?;
        let tmcd = Tmcd::bind(address, &[14447], node())?;
        let client = Client::new(&[address], None)?.with_limits(IMPATIENT);
        assert!(matches!(boss(&client, CALL).status()?, Status::Allocated(_)));
        assert_eq!(client.server().port(), 14447);
        drop(tmcd);
        Ok(())
    })
}
