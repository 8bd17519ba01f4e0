//! Running other programs; every error shows the command line.

use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::io::{Seek, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Runs a command whose output belongs on the terminal.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

/// Runs a command and returns its standard output; its standard error goes into the error.
pub fn stdout(command: &mut Command) -> Result<String> {
    finish(command.stdin(Stdio::null()))
}

/// As [`stdout`], with `input` on the command's standard input.
pub fn fed(command: &mut Command, input: &str) -> Result<String> {
    // A file, so that neither waits for the other however much each writes.
    let mut file = tempfile::tempfile().context("cannot make a temporary file")?;
    file.write_all(input.as_bytes()).and_then(|()| file.rewind())?;
    finish(command.stdin(file))
}

fn finish(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run `{}`", line(command)))?;
    if !output.status.success() {
        // Some tools say on standard output what is wrong.
        let errors = String::from_utf8_lossy(&output.stderr);
        let said = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<_> = said.lines().chain(errors.lines()).collect();
        let last = lines[lines.len().saturating_sub(20)..].join("\n");
        bail!("`{}` failed: {}\n{last}", line(command), output.status);
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` did not print UTF-8", line(command)))
}

/// Runs a command for its exit status only, in silence.
pub fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// A program that may be where only root's PATH looks, as those that make file systems.
pub fn tool(name: &str) -> Command {
    Command::new(find_program(name).unwrap_or_else(|| PathBuf::from(name)))
}

/// Finds a program as a shell would, and in the directories that only root's PATH has.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

/// The command as one would type it.
pub fn line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        let argument = argument.to_string_lossy();
        let plain = !argument.is_empty()
            && argument.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c));
        let quoted = if plain {
            argument.into_owned()
        } else {
            format!("'{}'", argument.replace('\'', r"'\''"))
        };
        // Writing to a String cannot fail.
        let _ = write!(line, " {quoted}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_can_be_pasted_into_a_shell() {
        let mut command = Command::new("printf");
        command.args(["%s", "it's", "", "a=b"]);
        assert_eq!(line(&command), r"printf %s 'it'\''s' '' a=b");
    }

    #[test]
    fn a_failure_shows_the_line_and_what_was_said() {
        let error = stdout(Command::new("sh").args(["-c", "echo no luck >&2; exit 3"]));
        let message = format!("{:#}", error.unwrap_err());
        assert!(message.contains("sh -c") && message.contains("no luck"), "{message}");
        assert!(!succeeds(Command::new("/nonexistent/program").arg("x")));
    }
}
