//! Running other programs; every error shows the command line.

use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

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
    let output = capture(command)?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {}\n{}", line(command), output.status, errors.trim_end());
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` did not print UTF-8", line(command)))
}

/// Runs a command for its exit status only, in silence.
pub fn succeeds(command: &mut Command) -> bool {
    capture(command).is_ok_and(|output| output.status.success())
}

fn capture(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().with_context(|| format!("cannot run `{}`", line(command)))
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
