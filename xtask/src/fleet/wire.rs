//! Connections that come from a node's own address.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect as dial, socket_with};

/// Connects from an address of this machine; all that is done with the connection has that limit.
pub(super) fn connect(source: Ipv4Addr, to: SocketAddr, limit: Duration) -> Result<TcpStream> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddrV4::new(source, 0))?;
    let stream = TcpStream::from(socket);
    // Linux lets this limit the connecting, too.
    stream.set_write_timeout(Some(limit))?;
    stream.set_read_timeout(Some(limit))?;
    dial(&stream, &to).with_context(|| format!("connecting from {source} to {to}"))?;
    Ok(stream)
}

/// A request to tmcd that the agent's client would not make.
pub(super) fn raw_tmcd(
    source: Ipv4Addr,
    to: SocketAddr,
    request: &str,
    limit: Duration,
) -> Result<String> {
    let mut stream = connect(source, to, limit)?;
    stream.write_all(request.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut reply = String::new();
    stream.take(1 << 16).read_to_string(&mut reply)?;
    Ok(reply)
}
