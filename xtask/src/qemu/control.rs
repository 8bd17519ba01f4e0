//! QEMU's control channel (QMP): one JSON object per line, commands out, replies and events in.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// QEMU answers at once, unless the machine under it is badly overloaded.
const PATIENCE: Duration = Duration::from_secs(30);

/// The channel to one QEMU.
pub struct Control {
    commands: Box<dyn Write + Send>,
    replies: Receiver<Value>,
    events: Arc<Mutex<Vec<Value>>>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Control").field("events", &self.events).finish_non_exhaustive()
    }
}

impl Control {
    /// Takes over the two ends of the channel and greets QEMU.
    pub fn start(
        commands: impl Write + Send + 'static,
        messages: impl Read + Send + 'static,
    ) -> Result<Self> {
        let (sender, replies) = channel();
        let events = Arc::new(Mutex::new(Vec::new()));
        let collected = Arc::clone(&events);
        thread::Builder::new().name("qmp".into()).spawn(move || {
            for line in BufReader::new(messages).lines() {
                let Ok(line) = line else { break };
                let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
                if message.get("event").is_some() {
                    collected.lock().unwrap_or_else(PoisonError::into_inner).push(message);
                } else {
                    // When nobody asks any more, QEMU must still not block on a full pipe.
                    let _ = sender.send(message);
                }
            }
        })?;
        let mut control = Self { commands: Box::new(commands), replies, events };
        control.receive().context("QEMU did not start")?;
        control.execute("qmp_capabilities", &json!({}))?;
        Ok(control)
    }

    /// Runs a QMP command and returns what it returns.
    pub fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let message = json!({ "execute": command, "arguments": arguments });
        writeln!(self.commands, "{message}")
            .and_then(|()| self.commands.flush())
            .with_context(|| format!("QEMU is gone, it cannot run `{command}`"))?;
        let mut reply = self.receive().with_context(|| format!("no answer to `{command}`"))?;
        match reply.get_mut("return") {
            Some(value) => Ok(value.take()),
            None => bail!("QEMU refused `{command}`: {reply}"),
        }
    }

    /// All events so far. Complete once QEMU has ended and [`Control::wait_for_end`] returned.
    pub fn events(&self) -> Vec<Value> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until QEMU has closed its end; replies that nobody waited for are dropped.
    pub fn wait_for_end(&self) {
        while self.replies.recv_timeout(PATIENCE).is_ok() {}
    }

    fn receive(&self) -> Result<Value> {
        self.replies.recv_timeout(PATIENCE).map_err(|error| match error {
            RecvTimeoutError::Timeout => anyhow::anyhow!("QEMU does not answer"),
            RecvTimeoutError::Disconnected => anyhow::anyhow!("QEMU has ended"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::pipe;

    #[test]
    fn replies_and_events_are_told_apart() {
        let (messages, mut qemu) = pipe().unwrap();
        let (sent, commands) = pipe().unwrap();
        qemu.write_all(
            b"{\"QMP\":{}}\n{\"return\":{}}\n{\"event\":\"STOP\"}\n{\"return\":{\"running\":true}}\n\
              {\"error\":{\"desc\":\"no such command\"}}\n",
        )
        .unwrap();
        let mut control = Control::start(commands, messages).unwrap();
        let status = control.execute("query-status", &json!({})).unwrap();
        assert_eq!(status["running"], true);
        let error = control.execute("nonsense", &json!({ "a": 1 })).unwrap_err();
        assert!(error.to_string().contains("no such command"), "{error}");
        drop(qemu);
        control.wait_for_end();
        assert_eq!(control.events().len(), 1);
        assert!(control.execute("quit", &json!({})).is_err());
        drop(control);
        let lines: Vec<_> = BufReader::new(sent).lines().map(|line| line.unwrap()).collect();
        assert!(lines[2].contains("nonsense") && lines[2].contains("\"a\":1"), "{lines:?}");
    }

    #[test]
    fn a_qemu_that_ends_at_once_is_an_error() {
        let (messages, qemu) = pipe().unwrap();
        drop(qemu);
        assert!(Control::start(Vec::new(), messages).is_err());
    }
}
