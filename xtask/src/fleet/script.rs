//! Boot scripts: fetching them as iPXE does, and what they say.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use boss::boot::Mac;

use super::wire;

/// What a script says.
#[derive(Debug)]
pub(super) enum Script {
    Wait,
    Disk,
    Mfs(Words),
}

/// The words of the kernel's command line that are for the agent.
#[derive(Clone, Debug)]
pub(super) struct Words(BTreeMap<String, String>);

impl Words {
    pub(super) fn get(&self, word: &str) -> Option<&str> {
        self.0.get(word).map(String::as_str)
    }

    pub(super) fn need(&self, word: &'static str) -> Result<&str> {
        self.get(word).with_context(|| format!("the script has no {word}="))
    }

    /// Where the node's files are, as it sees them.
    pub(super) fn directory(&self) -> Result<PathBuf> {
        if let Some(dir) = self.get("mfs.dir") {
            return Ok(dir.into());
        }
        let (pid, eid) = (self.need("mfs.pid")?, self.need("mfs.eid")?);
        Ok(format!("/proj/{pid}/exp/{eid}/swapinfo").into())
    }
}

/// Fetches a machine's script from its own address.
pub(super) fn fetch(
    source: Ipv4Addr,
    server: SocketAddr,
    mac: Mac,
    limit: Duration,
) -> Result<Script> {
    let mut stream = wire::connect(source, server, limit)?;
    write!(
        stream,
        "GET /boot/{} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n",
        mac.dashed()
    )?;
    let mut reply = Vec::new();
    stream.take(1 << 16).read_to_end(&mut reply)?;
    let text = String::from_utf8(reply)?;
    let (head, body) = text.split_once("\r\n\r\n").context("no HTTP reply")?;
    ensure!(head.starts_with("HTTP/1.1 200"), "{}", head.lines().next().unwrap_or_default());
    parse(body)
}

fn parse(script: &str) -> Result<Script> {
    ensure!(script.starts_with("#!ipxe\n"), "no script of iPXE's");
    if let Some(line) = script.lines().find_map(|line| line.strip_prefix("imgargs vmlinuz ")) {
        let words = line.split(' ').filter_map(|word| word.split_once('='));
        let words = words.map(|(key, value)| (key.to_owned(), value.to_owned()));
        return Ok(Script::Mfs(Words(words.collect())));
    }
    if script.contains("\nsanboot ") {
        return Ok(Script::Disk);
    }
    if script.starts_with("#!ipxe\ngoto wait\n") {
        return Ok(Script::Wait);
    }
    bail!("a script that says nothing known: {script:?}")
}
