//! One connection of a server.

use std::io::{ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use super::{Fault, Record, Shared};

/// The most that the server's one read takes.
const READ: usize = 0x4000 - 1;
/// How long a client may take to send, or to close its sending side.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two bytes of a reply that comes byte by byte.
const SEGMENT: Duration = Duration::from_micros(300);
/// Between two bytes of a reply without an end.
const DRIP: Duration = Duration::from_millis(20);

/// Serves a connection. The client's trouble is not the server's.
pub(super) fn serve(mut stream: TcpStream, peer: SocketAddr, shared: &Shared) {
    let _ = answer(&mut stream, peer, shared);
}

fn answer(stream: &mut TcpStream, peer: SocketAddr, shared: &Shared) -> Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let fault = Fault::next(&mut shared.lock().fault);
    match fault {
        Some(Fault::Close) => return Ok(()),
        Some(Fault::Reset) => {
            // Closed with something unread, the kernel sends a reset.
            stream.peek(&mut [0])?;
            return Ok(());
        }
        _ => {}
    }

    let mut buffer = vec![0; READ];
    let length = stream.read(&mut buffer)?;
    buffer.truncate(length);
    let mut record = Record::new(peer, stream.local_addr()?.port(), &buffer);
    let hasty = fault == Some(Fault::Hasty);
    if !hasty {
        (record.rest, record.half_closed) = read_on(stream)?;
    }
    let (fault, reply) = {
        let mut state = shared.lock();
        let mut own = state.faults.remove(&record.command);
        let next = Fault::next(&mut own);
        if let Some(own) = own {
            state.faults.insert(record.command.clone(), own);
        }
        let node = state.nodes.get(&peer.ip()).unwrap_or(&state.node);
        let reply = node.reply(record.version, &record.command);
        state.records.push(record);
        shared.recorded.notify_all();
        (fault.or(next), reply)
    };
    let reply = reply.as_bytes();
    match fault {
        None | Some(Fault::Hasty) => stream.write_all(reply),
        // Nested faults are not resolved further.
        Some(Fault::Close | Fault::Reset | Fault::First(..)) => Ok(()),
        Some(Fault::Silent) => {
            let held = stream.try_clone()?;
            shared.lock().held.push(held);
            Ok(())
        }
        Some(Fault::OneByteSegments) => {
            for byte in reply {
                stream.write_all(&[*byte])?;
                thread::sleep(SEGMENT);
            }
            Ok(())
        }
        Some(Fault::Drip) => {
            while !shared.is_stopping() {
                stream.write_all(b"\n")?;
                thread::sleep(DRIP);
            }
            Ok(())
        }
        Some(Fault::TooLong(length)) => {
            stream.write_all(reply)?;
            stream.write_all(&vec![b'x'; length])
        }
        Some(Fault::Answer(bytes)) => stream.write_all(&bytes),
        Some(Fault::Redirect(host)) => writeln!(stream, "REDIRECT={host}"),
    }
}

/// What comes after the first read, and whether the client closes its sending side then.
fn read_on(stream: &mut TcpStream) -> Result<(Vec<u8>, bool)> {
    let mut rest = Vec::new();
    match stream.take(1 << 20).read_to_end(&mut rest) {
        Ok(_) => Ok((rest, true)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok((rest, false))
        }
        Err(error) => Err(error),
    }
}
