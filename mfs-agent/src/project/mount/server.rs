//! Whether a server is there, before mount(2) is asked: that waits for minutes for a machine that
//! is not.

use alloc::format;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use rustix::io::{Errno, Result};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, getsockname, socket_with};
use rustix::system::{sethostname, uname};

use crate::failure::Os;

/// NFS, and the port mapper that knows the other services of version 3.
const NFS_PORT: u16 = 2049;
const PORT_MAPPER: u16 = 111;

/// How long the server may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Connects to the server on one of the ports that mount(2) would use with these options; the
/// node's own address on the way there.
///
/// # Errors
/// Why the last of them can't be reached.
pub fn reach(server: Ipv4Addr, options: &str) -> Result<Ipv4Addr> {
    let mut result = Err(Errno::CONNREFUSED);
    for port in ports(options) {
        result = connect_to(SocketAddrV4::new(server, port));
        if result.is_ok() {
            break;
        }
    }
    result
}

/// That of NFS, and that of the mount service or else of who knows it.
fn ports(options: &str) -> [u16; 2] {
    let named = |name: &str| {
        let values = options.split(',').filter_map(|option| option.strip_prefix(name));
        values.filter_map(|port| port.parse().ok()).next_back()
    };
    [named("port=").unwrap_or(NFS_PORT), named("mountport=").unwrap_or(PORT_MAPPER)]
}

fn connect_to(address: SocketAddrV4) -> Result<Ipv4Addr> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Send, Some(ANSWER))?;
    match connect(&socket, &address) {
        Err(Errno::INPROGRESS | Errno::AGAIN) => Err(Errno::TIMEDOUT),
        result => result,
    }?;
    let own = SocketAddrV4::try_from(getsockname(&socket)?)?;
    Ok(*own.ip())
}

/// Gives this machine a name of its own, made of its address, if it has none.
///
/// From version 4.1 on a server tells its clients apart by the name that the kernel gives itself,
/// which is the machine's. Nodes without a name would all be one client to it, which seems to
/// have rebooted whenever another of them mounts, and what it has open would be closed.
pub fn introduce(own: Ipv4Addr) {
    let system = uname();
    if !matches!(system.nodename().to_bytes(), b"" | b"(none)" | b"localhost") {
        return;
    }
    if let Err(errno) = sethostname(format!("mfs-{own}").as_bytes()) {
        log::warn!("cannot set the machine's name: {}", Os(errno));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn one_port_of_a_server_is_enough() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let open = listener.local_addr().unwrap().port();
        let closed = {
            let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            gone.local_addr().unwrap().port()
        };
        let reach = |nfs, mount| {
            reach(Ipv4Addr::LOCALHOST, &format!("port={nfs},mountport={mount},vers=3"))
        };
        assert_eq!(reach(open, closed), Ok(Ipv4Addr::LOCALHOST));
        assert_eq!(reach(closed, open), Ok(Ipv4Addr::LOCALHOST));
        assert_eq!(reach(closed, closed), Err(Errno::CONNREFUSED));
    }

    #[test]
    fn ports_are_the_options_or_the_usual_ones() {
        assert_eq!(ports(""), [2049, 111]);
        assert_eq!(ports("mountport=1,port=12049,vers=4.2"), [12049, 1]);
        assert_eq!(ports("port=x,mountport=70000"), [2049, 111]);
    }
}
