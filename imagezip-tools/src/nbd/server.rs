//! The socket that clients connect to.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::fs::Mode;
use rustix::process::umask;

use super::Export;
use super::handshake::handshake;
use super::transmission::answer_all;
use crate::unfinished::{self, Guard};

/// The most clients at a time. More are sent away.
const CLIENTS_MAX: usize = 32;
/// How long a client may take for each step before the export is in use.
const PATIENCE: Duration = Duration::from_secs(30);

/// A socket that clients can connect to. It is removed when this is dropped, or when a signal ends
/// the process.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    socket: Guard,
}

impl Server {
    /// Makes the socket at `path`, for this user only. One that a server left behind is replaced.
    ///
    /// # Errors
    /// If it can't be made, or there is something else, or a server answers there.
    pub fn bind(path: &Path) -> anyhow::Result<Self> {
        remove_stale(path)?;
        let made = unfinished::making(|| {
            // Nobody may connect before the mode is right.
            let before = umask(Mode::RWXG | Mode::RWXO | Mode::XUSR);
            let listener = UnixListener::bind(path);
            umask(before);
            listener.and_then(|listener| Ok(Self { listener, socket: Guard::new(path)? }))
        });
        made.with_context(|| format!("making the socket {}", path.display()))
    }

    /// Where it is, as NBD programs want to have it.
    pub fn uri(&self) -> String {
        let mut uri = "nbd+unix:///?socket=".to_owned();
        for byte in self.socket.path().as_os_str().as_bytes() {
            if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
                uri.push(char::from(*byte));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(uri, "%{byte:02X}");
            }
        }
        uri
    }
}

fn remove_stale(path: &Path) -> anyhow::Result<()> {
    let name = path.display();
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| name.to_string()),
        Ok(there) if !there.file_type().is_socket() => {
            bail!("{name}: is there already, and no socket: give another name")
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).with_context(|| format!("removing the old socket {name}"))
        }
        Err(error) => Err(error).with_context(|| format!("{name}: a socket that is there already")),
        Ok(_) => bail!("{name}: a server answers there: end it, or give another name"),
    }
}

/// What the threads of a server share.
struct Shared<'a> {
    export: &'a Export<'a>,
    /// What could not be read.
    say: &'a (dyn Fn(imagezip_core::Error) + Sync),
    clients: AtomicUsize,
    ended: AtomicBool,
}

/// Lets clients read `export`: until the process is ended or, if `once`, until the last client
/// has gone.
///
/// `say` is told what could not be read.
///
/// # Errors
/// If no clients can be taken any more.
pub fn serve(
    server: &Server,
    export: &Export<'_>,
    once: bool,
    say: &(dyn Fn(imagezip_core::Error) + Sync),
) -> anyhow::Result<()> {
    let clients = AtomicUsize::new(0);
    let shared = Shared { export, say, clients, ended: AtomicBool::new(false) };
    let shared = &shared;
    thread::scope(|scope| {
        loop {
            let stream = match server.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionAborted | ErrorKind::Interrupted
                    ) =>
                {
                    continue;
                }
                Err(error) => return Err(error).context("waiting for clients"),
            };
            if shared.ended.load(Ordering::Acquire) {
                return Ok(());
            }
            if shared.clients.fetch_add(1, Ordering::AcqRel) >= CLIENTS_MAX {
                // Dropping the stream sends it away.
                shared.clients.fetch_sub(1, Ordering::AcqRel);
                continue;
            }
            let run = move || {
                let mut stream = stream;
                // What ends a connection is the client's own doing, and none of ours.
                let _ = shared.talk(&mut stream);
                drop(stream);
                if shared.clients.fetch_sub(1, Ordering::AcqRel) == 1 && once {
                    shared.ended.store(true, Ordering::Release);
                    // Wakes the one who waits for clients.
                    let _ = UnixStream::connect(server.socket.path());
                }
            };
            let thread = thread::Builder::new().name("client".to_owned());
            if let Err(error) = thread.spawn_scoped(scope, run) {
                // The stream went with the thread.
                shared.clients.fetch_sub(1, Ordering::AcqRel);
                eprintln!("imagenbd: no thread for another client: {error}");
            }
        }
    })
}

impl Shared<'_> {
    fn talk(&self, stream: &mut UnixStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        if let Some(session) = handshake(stream, self.export)? {
            // From now on the client may be silent for as long as it likes.
            stream.set_read_timeout(None)?;
            stream.set_write_timeout(None)?;
            answer_all(stream, self.export, session, &|error| (self.say)(error))?;
        }
        stream.flush()
    }
}
