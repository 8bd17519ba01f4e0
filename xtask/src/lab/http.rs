//! A web server for files: GET and HEAD with ranges, and a log of what was asked for.

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, http};
use hyper_util::rt::TokioIo;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::{Builder, Runtime};

/// A request and what was said to it, such as `GET /vmlinuz 200`.
pub type Entry = String;

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct HttpServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    runtime: Option<Runtime>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    log: Mutex<Vec<Entry>>,
}

impl HttpServer {
    /// Serves the files below `root` to whoever connects to `listener`.
    pub fn start(listener: TcpListener, root: &Path) -> Result<Self> {
        let root = root.canonicalize().with_context(|| format!("no {}", root.display()))?;
        let shared = Arc::new(Shared { root, log: Mutex::default() });
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("http")
            .enable_all()
            .build()
            .context("cannot start the web server's threads")?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let accepting = Arc::clone(&shared);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&accepting);
                let service = service_fn(move |request| {
                    let shared = Arc::clone(&shared);
                    async move { shared.answer(&request) }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                let connection = connection.serve_connection(TokioIo::new(stream), service);
                // A client that goes away in mid-transfer is the client's affair.
                tokio::spawn(async move {
                    let _ = connection.await;
                });
            }
        });
        Ok(Self { shared, address, runtime: Some(runtime) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All requests so far.
    pub fn log(&self) -> Vec<Entry> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    fn answer(&self, request: &Request<Incoming>) -> http::Result<Response<Full<Bytes>>> {
        let range = request.headers().get(RANGE).and_then(|value| value.to_str().ok());
        let path = request.uri().path();
        let mut response = match *request.method() {
            Method::GET | Method::HEAD => match self.read(path) {
                Some(content) => file(content, range)?,
                None => refusal(StatusCode::NOT_FOUND)?,
            },
            _ => refusal(StatusCode::METHOD_NOT_ALLOWED)?,
        };
        let status = response.status().as_u16();
        let entry = format!("{} {path} {status}", request.method());
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        // hyper sends no body to a HEAD, but the length of the one that there is.
        response.headers_mut().insert(ACCEPT_RANGES, http::HeaderValue::from_static("bytes"));
        Ok(response)
    }

    /// The file, unless the path leads out of the root.
    fn read(&self, path: &str) -> Option<Bytes> {
        let path = Path::new(path.strip_prefix('/')?);
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        plain.then(|| fs::read(self.root.join(path)).ok()).flatten().map(Bytes::from)
    }
}

fn file(content: Bytes, range: Option<&str>) -> http::Result<Response<Full<Bytes>>> {
    let response = Response::builder().header(CONTENT_TYPE, "application/octet-stream");
    let total = content.len();
    match range.map(|range| parse_range(range, total)) {
        None => response.body(Full::new(content)),
        Some(Some((first, last))) => response
            .status(StatusCode::PARTIAL_CONTENT)
            .header(CONTENT_RANGE, format!("bytes {first}-{last}/{total}"))
            .body(Full::new(content.slice(first..=last))),
        Some(None) => response
            .status(StatusCode::RANGE_NOT_SATISFIABLE)
            .header(CONTENT_RANGE, format!("bytes */{total}"))
            .body(Full::default()),
    }
}

fn refusal(status: StatusCode) -> http::Result<Response<Full<Bytes>>> {
    Response::builder().status(status).body(Full::default())
}

/// The first and last byte of a range (RFC 9110, 14.1.2), if there are such; of several ranges
/// none is served.
fn parse_range(range: &str, total: usize) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let end = total.checked_sub(1)?;
    let (first, last) = match (first, last) {
        ("", suffix) => (total.saturating_sub(suffix.parse().ok().filter(|&n| n > 0)?), end),
        (first, "") => (first.parse().ok()?, end),
        (first, last) => (first.parse().ok()?, last.parse::<usize>().ok()?.min(end)),
    };
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    #[test]
    fn ranges_are_those_of_the_rfc() {
        assert_eq!(parse_range("bytes=0-3", 10), Some((0, 3)));
        assert_eq!(parse_range("bytes=5-99", 10), Some((5, 9)));
        assert_eq!(parse_range("bytes=5-", 10), Some((5, 9)));
        assert_eq!(parse_range("bytes=-4", 10), Some((6, 9)));
        assert_eq!(parse_range("bytes=-40", 10), Some((0, 9)));
        for none in
            ["bytes=10-", "bytes=3-2", "bytes=-0", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b"]
        {
            assert_eq!(parse_range(none, 10), None, "{none}");
        }
        assert_eq!(parse_range("bytes=0-", 0), None);
    }

    #[test]
    fn files_are_served_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("a"), b"0123456789").unwrap();
        fs::write(directory.path().join("secret"), b"x").unwrap();
        let server = HttpServer::start(TcpListener::bind("127.0.0.1:0").unwrap(), &root).unwrap();
        let ask = |head: &str| {
            let mut stream = TcpStream::connect(server.address()).unwrap();
            write!(stream, "{head}\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer.to_lowercase()
        };
        let whole = ask("GET /a HTTP/1.1");
        assert!(whole.starts_with("http/1.1 200") && whole.ends_with("\r\n\r\n0123456789"));
        let head = ask("HEAD /a HTTP/1.1");
        assert!(head.contains("content-length: 10") && head.ends_with("\r\n\r\n"), "{head}");
        let part = ask("GET /a HTTP/1.1\r\nRange: bytes=2-4");
        assert!(part.contains("206") && part.contains("bytes 2-4/10") && part.ends_with("234"));
        assert!(ask("GET /../secret HTTP/1.1").contains("404"));
        assert!(ask("GET //etc/passwd HTTP/1.1").contains("404"));
        assert!(ask("POST /a HTTP/1.1").contains("405"));
        assert_eq!(server.log()[..2], ["GET /a 200", "HEAD /a 200"]);
    }
}
