//! What the file server exports. Root may be squashed: nodes write in their users' names.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::{Findings, Surroundings};
use crate::config::Config;

const CHECK: &str = "exports";
/// For a file server to say what it exports.
const PATIENCE: Duration = Duration::from_secs(10);

/// A directory, and with which options for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Export {
    path: String,
    /// `client(options)`, one after the other.
    clients: Vec<String>,
}

/// Are the directories that nodes mount exported, so that they can write?
pub(super) async fn examine(findings: &mut Findings, config: &Config, surroundings: &Surroundings) {
    let server = config.file_server();
    let wanted = [&config.nfs.proj, &config.nfs.groups].map(String::as_str);
    let wanted = wanted.into_iter().filter(|path| !path.is_empty());
    if server == config.address.to_string() {
        let (meant, real) = (read(&surroundings.exports), read(&surroundings.exported));
        for path in wanted {
            here(findings, path, &meant, &real);
        }
        return;
    }
    match ask(&surroundings.showmount, &server).await {
        Ok(list) => {
            for path in wanted {
                if list.iter().any(|exported| covers(exported, path)) {
                    findings.ok(CHECK, format_args!("{server} exports {path}"));
                } else {
                    let advice = "export it there, rw, to the nodes' network, or say in [nfs] \
                                  what it is called there";
                    let what = format!("{server} doesn't export {path}");
                    findings.error(CHECK, what, advice);
                }
            }
        }
        // A server of NFSv4 alone has no such list.
        Err(why) => findings.warning(
            CHECK,
            format_args!("{server} doesn't say what it exports: {why}"),
            "look there whether it exports the projects, rw, to the nodes' network",
        ),
    }
}

/// This machine is the file server.
fn here(findings: &mut Findings, path: &str, meant: &[Export], real: &[Export]) {
    let find = |list: &[Export]| list.iter().find(|export| covers(&export.path, path)).cloned();
    let advice = format!(
        "{path} <the nodes' network>(rw,sync,no_subtree_check) in /etc/exports, then exportfs -ra"
    );
    match (find(real), find(meant)) {
        (Some(export), _) if export.is_writable() => {
            findings.ok(CHECK, format_args!("{path} is exported rw"));
        }
        (Some(_), _) => {
            findings.error(CHECK, format_args!("{path} is exported read-only"), advice);
        }
        (None, Some(export)) if export.is_writable() => {
            let what = format!("{path} is in /etc/exports, but not exported");
            findings.error(CHECK, what, "systemctl start nfs-server; exportfs -ra");
        }
        (None, Some(_)) => {
            findings.error(CHECK, format_args!("{path} is read-only in /etc/exports"), advice);
        }
        (None, None) => findings.error(CHECK, format_args!("{path} is not exported"), advice),
    }
}

/// Whether an export has a path in it.
fn covers(exported: &str, path: &str) -> bool {
    Path::new(path).starts_with(exported)
}

impl Export {
    fn is_writable(&self) -> bool {
        let options = |client: &str| {
            let (_, options) = client.split_once('(')?;
            Some(options.trim_end_matches(')').split(',').any(|option| option == "rw"))
        };
        self.clients.iter().any(|client| options(client).unwrap_or(false))
    }
}

/// All that the files say; those that aren't there say nothing.
fn read(places: &[PathBuf]) -> Vec<Export> {
    let mut exports = Vec::new();
    for place in places {
        let entries = fs::read_dir(place).into_iter().flatten().flatten();
        let entries = entries.map(|entry| entry.path());
        let mut files: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|e| e == "exports")).collect();
        files.sort();
        if files.is_empty() {
            files.push(place.clone());
        }
        for file in files {
            exports.extend(parse(&fs::read_to_string(file).unwrap_or_default()));
        }
    }
    // The longest path is the one that counts.
    exports.sort_by_key(|export| std::cmp::Reverse(export.path.len()));
    exports
}

/// `exports(5)`, which is the form of what is exported, too.
fn parse(text: &str) -> Vec<Export> {
    let text = text.replace("\\\n", " ");
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let mut exports = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (path, rest) = match line.strip_prefix('"').and_then(|line| line.split_once('"')) {
            Some(quoted) => quoted,
            None => line.split_once(char::is_whitespace).unwrap_or((line, "")),
        };
        // -rw,sync before all clients is for all of them.
        let mut all = None;
        let mut clients = Vec::new();
        for word in rest.split_whitespace() {
            match word.strip_prefix('-') {
                Some(options) => all = Some(options),
                None if word.contains('(') => clients.push(word.to_owned()),
                None => clients.push(format!("{word}({})", all.unwrap_or("ro"))),
            }
        }
        exports.push(Export { path: path.to_owned(), clients });
    }
    exports
}

/// What another server exports.
async fn ask(showmount: &Path, server: &str) -> Result<Vec<String>, String> {
    let mut command = Command::new(showmount);
    // A name that began with - would be an option; the configuration can say what it wants.
    command.args(["--no-headers", "-e", "--", server]).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await;
    let output = output.map_err(|_| format!("no answer in {} s", PATIENCE.as_secs()))?;
    let output = output.map_err(|error| format!("{}: {error}", showmount.display()))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    Ok(text.lines().filter_map(first).collect())
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    async fn verdicts(server: &str, meant: &str, real: &str, showmount: &str) -> Vec<Verdict> {
        let scratch = tempfile::tempdir().unwrap();
        let path = |name: &str| scratch.path().join(name);
        fs::write(path("exports"), meant).unwrap();
        fs::write(path("etab"), real).unwrap();
        fs::write(path("showmount"), showmount).unwrap();
        fs::set_permissions(path("showmount"), fs::Permissions::from_mode(0o755)).unwrap();
        let text = format!("address = '10.0.0.1'\n[nfs]\nserver = '{server}'\ngroups = ''");
        let config = toml::from_str(&text).unwrap();
        let surroundings = Surroundings {
            exports: vec![path("exports")],
            exported: vec![path("etab")],
            showmount: path("showmount"),
        };
        let mut findings = Findings::default();
        examine(&mut findings, &config, &surroundings).await;
        findings.0.iter().map(|finding| finding.verdict).collect()
    }

    #[tokio::test]
    async fn this_machine_exports_and_so_that_nodes_can_write() {
        let rw = "/proj 10.0.0.0/24(rw,root_squash)\n";
        let ro = "/proj 10.0.0.0/24(ro)\n";
        for (meant, real, verdict) in [
            (rw, rw, Verdict::Ok),
            (ro, ro, Verdict::Error),
            (rw, "", Verdict::Error),
            ("", "", Verdict::Error),
            ("# /proj *(rw)\n", "", Verdict::Error),
            ("", "/ *(rw)\n", Verdict::Ok),
            ("", "/ *(rw)\n/proj *(ro)\n", Verdict::Error),
            ("", "/project *(rw)\n", Verdict::Error),
            ("", "\"/proj\" \\\n *(sync,rw)\n", Verdict::Ok),
            ("", "/proj -rw,sync 10.0.0.2 10.0.0.3\n", Verdict::Ok),
            ("", "/proj 10.0.0.2\n", Verdict::Error),
        ] {
            let found = verdicts("10.0.0.1", meant, real, "").await;
            assert_eq!(found, [verdict], "{meant:?} {real:?}");
        }
    }

    #[tokio::test]
    async fn another_server_is_asked() {
        for (said, verdict) in [
            ("#!/bin/sh\n[ $4 = fs ] && echo /proj 10.0.0.0/24", Verdict::Ok),
            ("#!/bin/sh\necho /other '*'", Verdict::Error),
            ("#!/bin/sh\nexit 1", Verdict::Warning),
        ] {
            assert_eq!(verdicts("fs", "", "", said).await, [verdict], "{said}");
        }
    }
}
