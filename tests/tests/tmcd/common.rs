//! What the tests share: servers at loopback addresses of their own, quick clients, limits.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use mfs_agent::failure::{Failure, FailureKind};
use mfs_agent::tmcd::{Boss, Client, Limits};
use xtask::tmcd::{Node, Tmcd};

/// How long a test may take.
const TEST: Duration = Duration::from_secs(30);
/// How long a command may take that will be answered.
pub(crate) const CALL: Duration = Duration::from_secs(10);

/// Limits for servers on the same machine that answer.
pub(crate) const QUICK: Limits = Limits {
    connect: Duration::from_secs(2),
    attempt: Duration::from_secs(3),
    pause: Duration::from_millis(5),
    longest_pause: Duration::from_millis(20),
};

/// Limits for some that don't.
pub(crate) const IMPATIENT: Limits =
    Limits { connect: Duration::from_millis(300), attempt: Duration::from_millis(300), ..QUICK };

/// Runs a test that has to end in time.
pub(crate) fn timed(test: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    let (sender, receiver) = channel();
    let runner = thread::spawn(move || {
        let result = test();
        // The receiver may have given up.
        let _ = sender.send(());
        result
    });
    if receiver.recv_timeout(TEST) == Err(RecvTimeoutError::Timeout) {
        bail!("not done after {TEST:?}");
    }
    runner.join().map_err(|panic| anyhow!("{}", text(&*panic)))?
}

fn text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panicked")
}

/// A node with a command to run, as in the examples of the protocol.
pub(crate) fn node() -> Node {
    Node::new("testbed", "mytest", "nodeA").startup_command("/usr/local/bin/create-swapimage")
}

/// A server of a node on a free port of 127.0.0.1.
pub(crate) fn server(node: Node) -> Result<Tmcd> {
    Tmcd::bind(Ipv4Addr::LOCALHOST, &[0], node)
}

/// A quick client of that server.
pub(crate) fn client(tmcd: &Tmcd) -> Result<Client> {
    let address = tmcd.addresses().first().context("it listens nowhere")?;
    let IpAddr::V4(ip) = address.ip() else { bail!("not IPv4") };
    Ok(Client::new(&[ip], Some(address.port()))?.with_limits(QUICK))
}

/// The commands, each with so long.
pub(crate) fn boss(client: &Client, limit: Duration) -> Boss<'_> {
    client.boss(limit, &|| {})
}

/// Checks that something failed because of boss, and that the message has these words.
pub(crate) fn check_failure<T: std::fmt::Debug>(
    result: std::result::Result<T, Failure>,
    words: &[&str],
) {
    let (kind, message) = match result {
        Ok(value) => (None, format!("not a failure: {value:?}")),
        Err(failure) => (Some(failure.kind), failure.message),
    };
    assert_eq!(kind, Some(FailureKind::Boss), "{message}");
    for words in words {
        assert!(message.contains(words), "no {words:?} in: {message}");
    }
}
