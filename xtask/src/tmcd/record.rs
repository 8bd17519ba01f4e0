//! What a server was asked.

use std::net::SocketAddr;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// From where.
    pub peer: SocketAddr,
    /// The server's port.
    pub port: u16,
    /// What the server's one read has got.
    pub bytes: Vec<u8>,
    /// What came after that; the real server never sees it.
    pub rest: Vec<u8>,
    /// Whether the client has closed its sending side in time.
    pub half_closed: bool,
    /// `IDKEY=`, the key of the node's run, if there is one.
    pub key: Option<String>,
    /// `VERSION=`; 2 without one.
    pub version: u16,
    /// The first word that is not a prefix.
    pub command: String,
    /// What is behind the command, without the blanks around it.
    pub arguments: String,
}

impl Record {
    pub(super) fn new(peer: SocketAddr, port: u16, bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut rest = text.trim_start();
        let mut version = 2;
        let mut id_key = None;
        while let Some((word, after)) = rest.split_once(' ')
            && let Some((key, value)) = word.split_once('=')
            && ["IDKEY", "VERSION", "VNODEID", "PRIVKEY", "REDIRECT"].contains(&key)
        {
            if key == "VERSION" {
                version = value.parse().unwrap_or(version);
            } else if key == "IDKEY" {
                id_key = Some(value.to_owned());
            }
            rest = after.trim_start();
        }
        let (command, arguments) = rest.split_once(' ').unwrap_or((rest, ""));
        Self {
            peer,
            port,
            bytes: bytes.to_vec(),
            rest: Vec::new(),
            half_closed: false,
            key: id_key,
            version,
            command: command.trim().to_owned(),
            arguments: arguments.trim().to_owned(),
        }
    }

    /// `<command>[ <arguments>]`
    pub fn text(&self) -> String {
        format!("{} {}", self.command, self.arguments).trim_end().to_owned()
    }

    /// What is wrong with the form of the request: it has to be one line of printable ASCII with
    /// a version before and a blank behind it, sent at once, with the sending side closed after
    /// it. Only a key may come before the version.
    pub fn fault(&self) -> Option<String> {
        let key = self.key.as_ref().map(|key| format!("IDKEY={key} ")).unwrap_or_default();
        let line = self.bytes.strip_prefix(key.as_bytes()).unwrap_or_default();
        let wrong = if !self.rest.is_empty() {
            "not sent at once"
        } else if !self.half_closed {
            "the sending side is still open"
        } else if !line.starts_with(b"VERSION=") {
            "no version"
        } else if !self.bytes.ends_with(b" ") || self.bytes.ends_with(b"  ") {
            "not one blank at the end"
        } else if !self.bytes.iter().all(|byte| (b' '..=b'~').contains(byte)) {
            "not printable"
        } else {
            return None;
        };
        Some(format!("{wrong}: {}", self.bytes.escape_ascii()))
    }
}
