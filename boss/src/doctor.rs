//! Is this site fit to save disks? What is looked at is told apart from what is wrong, and what is
//! wrong comes with what to do about it. Nothing is changed, but the data base brought up to date,
//! and files touched that are gone afterwards.

mod database;
mod directories;
mod exports;
mod files;
mod network;
mod programs;
mod records;

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

pub(crate) use files::fault_of_program;

use crate::config::Config;
use crate::layout::Layout;

/// Whether something is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is.
    Ok,
    /// It may be meant so, or will become an error.
    Warning,
    /// Disks can't be saved, or not safely.
    Error,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// Whether it is as it should be.
    pub verdict: Verdict,
    /// What is so.
    pub what: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// Where this machine's state is.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// What is to be exported: files, or directories of files.
    pub exports: Vec<PathBuf>,
    /// What is exported.
    pub exported: Vec<PathBuf>,
    /// The program that asks a file server what it exports.
    pub showmount: PathBuf,
}

/// What is found, as it is found.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            exports: vec!["/etc/exports".into(), "/etc/exports.d".into()],
            // The kernel's has only what was asked for already.
            exported: vec!["/var/lib/nfs/etab".into(), "/proc/fs/nfsd/exports".into()],
            showmount: "/usr/sbin/showmount".into(),
        }
    }
}

impl Verdict {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Findings {
    fn ok(&mut self, check: &'static str, what: impl fmt::Display) {
        let what = what.to_string();
        self.0.push(Finding { check, verdict: Verdict::Ok, what, advice: None });
    }

    fn warning(&mut self, check: &'static str, what: impl fmt::Display, advice: impl fmt::Display) {
        let (what, advice) = (what.to_string(), Some(advice.to_string()));
        self.0.push(Finding { check, verdict: Verdict::Warning, what, advice });
    }

    fn error(&mut self, check: &'static str, what: impl fmt::Display, advice: impl fmt::Display) {
        let (what, advice) = (what.to_string(), Some(advice.to_string()));
        self.0.push(Finding { check, verdict: Verdict::Error, what, advice });
    }

    /// How often something of a check was found that isn't as it should be.
    fn bad(&self, check: &str) -> usize {
        let bad = |finding: &&Finding| finding.check == check && finding.verdict != Verdict::Ok;
        self.0.iter().filter(bad).count()
    }
}

/// Looks at everything. What can't be looked at is an error of its own, never the end.
pub async fn examine(config: &Config, surroundings: &Surroundings) -> Vec<Finding> {
    let mut findings = Findings::default();
    let layout = Layout::new(config);
    directories::roots(&mut findings, config);
    exports::examine(&mut findings, config, surroundings).await;
    programs::examine(&mut findings, config);
    network::examine(&mut findings, config).await;
    if let Some(db) = database::examine(&mut findings, config).await {
        // Everything below is about what the data base says.
        let looked = records::examine(&mut findings, config, &layout, &db).await;
        if let Err(error) = looked {
            let advice = "the data base must be readable";
            findings.error("database", format_args!("{error:#}"), advice);
        }
        db.close().await;
    }
    findings.0
}
