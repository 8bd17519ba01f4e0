//! What nodes say on their serial ports.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use xtask::node_disk::loader::ANSWER;
use xtask::testbed::Testbed;

/// How long a node may take to boot from its own disk, with an emulated CPU.
const LIMIT: Duration = Duration::from_mins(3);

/// What an agent said of its job.
pub(super) struct Said {
    /// What is behind `mfs-result: `.
    pub(super) result: String,
    pub(super) peak_memory: String,
}

/// The lines of a node since it was added.
pub(super) fn lines(testbed: &Testbed, node_id: &str) -> Result<Vec<String>> {
    let path = testbed.console(node_id);
    match fs::read(&path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// Waits until the system on the node's own disk has said who it is; what it said. It turns the
/// machine off then.
pub(super) fn wait_for_answer(testbed: &Testbed, node_id: &str) -> Result<String> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let lines = lines(testbed, node_id)?;
        // The last boot counts.
        let start = lines.iter().rposition(|line| line.contains("iPXE ")).unwrap_or(0);
        let answer = lines.iter().skip(start).find_map(|line| line.split_once(ANSWER));
        if let Some((_, answer)) = answer {
            return Ok(answer.trim().to_owned());
        }
        if Instant::now() > deadline {
            let from = lines.len().saturating_sub(30);
            bail!("{node_id} does not boot from its disk:\n{}", lines[from..].join("\n"));
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// Waits until a node has turned itself off.
pub(super) fn wait_until_off(testbed: &Testbed, node_id: &str) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !testbed.boss(&["node", "power", "status", node_id])?.text.trim().ends_with("is off") {
        ensure!(Instant::now() < deadline, "{node_id} does not turn itself off");
        thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

impl Said {
    /// The result that begins with `word`, behind so many lines.
    pub(super) fn after(testbed: &Testbed, node_id: &str, from: usize, word: &str) -> Result<Self> {
        let lines = lines(testbed, node_id)?;
        let lines = lines.get(from..).unwrap_or_default();
        let find = |text: &str| {
            lines.iter().rev().find_map(|line| line.split_once(text)).map(|(_, rest)| rest.trim())
        };
        let result = find("mfs-result: ").context("the node said nothing of a result")?;
        ensure!(result.split_whitespace().next() == Some(word), "the node said: {result}");
        let peak_memory = find("peak memory").unwrap_or("?").to_owned();
        Ok(Self { result: result.to_owned(), peak_memory })
    }

    /// A number of the result, by the word before it.
    pub(super) fn number(&self, word: &str) -> Result<u64> {
        let words = self.result.split_whitespace().filter_map(|part| part.split_once('='));
        let value = words.clone().find(|(key, _)| *key == word).map(|(_, value)| value);
        let value = value.with_context(|| format!("no {word}= in {:?}", self.result))?;
        value.parse().with_context(|| format!("{word}={value}"))
    }
}
