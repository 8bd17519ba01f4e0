//! Why a guest ended.

use serde_json::Value;
use std::fmt;

/// Why a guest ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// The guest turned itself off.
    PowerOff,
    /// The guest reset itself.
    Reboot,
    /// The kernel panicked (and then reset the machine).
    Panic,
    /// The watchdog was not fed.
    Watchdog,
    /// It was killed or told to quit from here.
    Killed,
    /// QEMU itself failed; the text says how.
    Failed(String),
}

impl Exit {
    /// The reason, from QEMU's events, what the console said and QEMU's exit status.
    pub(super) fn classify(events: &[Value], panicked: bool, status: &str) -> Self {
        let named = |name: &str| events.iter().rfind(|event| event["event"] == name);
        if named("WATCHDOG").is_some() {
            return Self::Watchdog;
        }
        let reason = named("SHUTDOWN").and_then(|event| event["data"]["reason"].as_str());
        match reason {
            Some("guest-reset" | "guest-panic") if panicked => Self::Panic,
            Some("guest-reset") => Self::Reboot,
            Some("guest-shutdown") => Self::PowerOff,
            Some("host-qmp-quit" | "host-signal") => Self::Killed,
            Some(other) => Self::Failed(format!("QEMU gave an odd reason: {other}")),
            None => Self::Failed(format!("QEMU ended without a reason: {status}")),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::PowerOff => "turned itself off",
            Self::Reboot => "rebooted",
            Self::Panic => "the kernel panicked",
            Self::Watchdog => "the watchdog was not fed",
            Self::Killed => "was killed",
            Self::Failed(how) => how,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_end_has_its_name() {
        let shutdown = |reason: &str| json!({ "event": "SHUTDOWN", "data": { "reason": reason } });
        let exit = |events: &[Value], panicked| Exit::classify(events, panicked, "exit status: 1");
        assert_eq!(exit(&[shutdown("guest-shutdown")], false), Exit::PowerOff);
        assert_eq!(exit(&[shutdown("guest-reset")], false), Exit::Reboot);
        assert_eq!(exit(&[shutdown("guest-reset")], true), Exit::Panic);
        assert_eq!(exit(&[shutdown("host-qmp-quit")], false), Exit::Killed);
        let watchdog = json!({ "event": "WATCHDOG", "data": { "action": "reset" } });
        assert_eq!(exit(&[watchdog, shutdown("guest-reset")], false), Exit::Watchdog);
        assert!(matches!(exit(&[], false), Exit::Failed(how) if how.contains("exit status: 1")));
    }
}
