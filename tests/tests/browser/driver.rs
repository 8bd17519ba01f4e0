//! chromedriver, and the Chromium that it starts.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;
use xtask::nfs::namespace::Namespace;
use xtask::process::{Tied, tied_command};

/// How long chromedriver may take to say where it listens.
const START: Duration = Duration::from_secs(30);

/// How long its processes may take to be gone.
const END: Duration = Duration::from_secs(10);

/// A running chromedriver. All processes of its browser end with it.
#[derive(Debug)]
pub(crate) struct Driver {
    process: Tied,
    /// The first process of the namespace: when that is gone, all others are.
    first: PathBuf,
    port: u16,
    /// The home of the browser: nothing of the developer's own counts, and nothing is left there.
    home: TempDir,
}

impl Driver {
    /// Starts it, in a network of its own if there is one.
    pub(crate) fn start(network: Option<&Namespace>) -> Result<Self> {
        let home = tempfile::tempdir()?;
        // Chromium's processes would outlive a chromedriver that is killed; in a namespace of processes
        // they can't.
        let mut command = match network {
            Some(network) => network.command("unshare"),
            None => tied_command("unshare"),
        };
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
        command.args(["chromedriver", "--port=0"]);
        command.env("HOME", home.path()).env("TMPDIR", home.path());
        let (process, port) = listening(command)?;
        let id = process.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        let first = Path::new("/proc").join(children.trim());
        Ok(Self { process, first, port, home })
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The browser's home.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// What a session is to be like.
    pub(crate) fn capabilities(&self) -> serde_json::Map<String, Value> {
        let profile = format!("--user-data-dir={}", self.home().join("profile").display());
        let arguments = [
            "--headless=new",
            // The namespace is root's; pages are our own.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=1200,900",
            "--hide-scrollbars",
            "--no-first-run",
            // Nothing is to be asked of the world outside.
            "--disable-background-networking",
            "--disable-component-update",
            // It would offer to keep passwords.
            "--disable-features=Translate,PasswordManagerOnboarding",
            &profile,
        ];
        let capabilities = json!({
            "goog:chromeOptions": { "binary": "/usr/bin/chromium", "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
            "unhandledPromptBehavior": "ignore",
        });
        capabilities.as_object().cloned().unwrap_or_default()
    }
}

impl Drop for Driver {
    /// Nobody writes to the home any more when it is removed.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let deadline = Instant::now() + END;
        while self.first.exists() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Starts chromedriver and waits until it says its port.
fn listening(mut command: Command) -> Result<(Tied, u16)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = Tied::start(command)?;
    let output = process.child().stdout.take().context("chromedriver has no output")?;
    let (found, port) = mpsc::channel();
    // It is read to its end, or chromedriver would stop at a full pipe.
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let said = line.split_once("successfully on port ");
            if let Some(port) = said.and_then(|(_, port)| port.trim_end_matches('.').parse().ok()) {
                let _ = found.send(port);
            }
        }
    });
    let port = port.recv_timeout(START).context("chromedriver does not start")?;
    Ok((process, port))
}
