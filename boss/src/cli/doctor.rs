//! `boss doctor`.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::config::Config;
use crate::doctor::{Surroundings, Verdict, examine};
use crate::error::Result;

/// Says what is as it should be and what is not; a failure if something is an error.
pub(super) async fn run(config: &Config, json: bool) -> Result<ExitCode> {
    let findings = examine(config, &Surroundings::default()).await;
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&findings)?)?;
    } else {
        for finding in &findings {
            writeln!(out, "{:<8} {}: {}", finding.verdict.name(), finding.check, finding.what)?;
            if let Some(advice) = &finding.advice {
                writeln!(out, "         {advice}")?;
            }
        }
    }
    let failed = findings.iter().any(|finding| finding.verdict == Verdict::Error);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
