//! Servers that name another one.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Result;
use mfs_agent::tmcd::status::Status;
use mfs_agent::tmcd::{Client, State};
use xtask::tmcd::{Fault, Node, Tmcd};

use crate::common::{CALL, QUICK, boss, check_failure, node, timed};

/// How long a command may take that will not be answered.
const SHORT: Duration = Duration::from_millis(400);

fn address(net: u8, last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 78, net, last)
}

fn servers(net: u8, count: u8) -> Result<Vec<Tmcd>> {
    (1..=count).map(|last| Tmcd::bind(address(net, last), &[7777], node())).collect()
}

#[test]
fn the_other_server_is_asked() -> Result<()> {
    timed(|| {
        let servers = servers(1, 2)?;
        servers[0].set_node(Node::default());
        servers[0].set_fault(Fault::Redirect("127.78.1.2:pcvm1-1".into()));
        let client = Client::new(&[address(1, 1)], None)?.with_limits(QUICK);
        assert!(matches!(boss(&client, CALL).status()?, Status::Allocated(_)));
        boss(&client, CALL).state(State::IsUp)?;
        assert_eq!(servers[1].history(), ["status", "state ISUP"]);
        Ok(())
    })
}

#[test]
fn five_times_and_no_more() -> Result<()> {
    timed(|| {
        let servers = servers(2, 7)?;
        for (index, server) in servers.iter().enumerate().take(6) {
            server.set_fault(Fault::Redirect(format!("127.78.2.{}", index + 2)));
        }
        let client = Client::new(&[address(2, 1)], Some(7777))?.with_limits(QUICK);
        check_failure(boss(&client, SHORT).status(), &["circle"]);
        assert_eq!(servers[6].history(), Vec::<String>::new());
        let client = Client::new(&[address(2, 2)], Some(7777))?.with_limits(QUICK);
        assert!(matches!(boss(&client, CALL).status()?, Status::Allocated(_)));
        // In a circle of one.
        servers[6].set_fault(Fault::Redirect("127.78.2.7".into()));
        let client = Client::new(&[address(2, 7)], Some(7777))?.with_limits(QUICK);
        check_failure(boss(&client, SHORT).state(State::IsUp), &["circle"]);
        assert!(!client.is_up());
        Ok(())
    })
}

#[test]
fn names_need_somebody_who_knows_them() -> Result<()> {
    timed(|| {
        let servers = servers(3, 2)?;
        servers[0].set_fault(Fault::Redirect("ops".into()));
        let client =
            || Client::new(&[address(3, 1)], Some(7777)).map(|client| client.with_limits(QUICK));
        check_failure(boss(&client()?, SHORT).status(), &["cannot be found"]);
        let resolver = |name: &str| (name == "ops").then(|| address(3, 2));
        let knowing = client()?.with_resolver(Box::new(resolver));
        assert!(matches!(boss(&knowing, CALL).status()?, Status::Allocated(_)));
        for bad in ["", "0.0.0.0", "127.78.3.2.1"] {
            servers[0].set_fault(Fault::Redirect(bad.into()));
            check_failure(boss(&knowing, SHORT).status(), &["cannot be found"]);
        }
        Ok(())
    })
}
