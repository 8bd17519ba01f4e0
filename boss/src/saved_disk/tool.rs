//! `imagefs`, run on images that users may have written.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Command;

/// How much memory it may have. It needs up to 600 MB for chunks that are open.
const MEMORY: u64 = 4 << 30;
/// How much of what it says is kept.
const ERROR_LIMIT: u64 = 2048;
/// The longest line that is read. The longest path that Linux takes has 4096 bytes.
const LINE_LIMIT: u64 = 64 << 10;

/// The tool.
#[derive(Clone, Debug)]
pub(super) struct Imagefs {
    pub(super) program: PathBuf,
    /// How long it may take.
    pub(super) limit: Duration,
}

impl Imagefs {
    /// Runs it and gives each line of its output to `each`. What it says is wrong comes back.
    pub(super) async fn run(
        &self,
        arguments: &[String],
        each: impl FnMut(&[u8]),
    ) -> anyhow::Result<Result<(), String>> {
        let program = self.program.display();
        let mut child = Command::new(&self.program)
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                format!("starting {program}; [directories] tools in boss.toml says where")
            })?;
        if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
        {
            let limit = Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) };
            prlimit(Some(pid), Resource::As, limit).context("limiting the memory of imagefs")?;
        }
        let (Some(output), Some(errors)) = (child.stdout.take(), child.stderr.take()) else {
            bail!("{program} was started without its output");
        };
        let work = async {
            let (read, said) = tokio::join!(lines(output, each), beginning(errors));
            read?;
            Ok::<_, std::io::Error>((child.wait().await?, said?))
        };
        let ended = tokio::time::timeout(self.limit, work).await;
        let limit = self.limit.as_secs();
        let ended = ended.with_context(|| format!("imagefs took {limit} seconds and was stopped"));
        let (status, said) = ended?.context("reading what imagefs prints")?;
        if status.success() {
            return Ok(Ok(()));
        }
        let said = String::from_utf8_lossy(&said);
        let said = said.trim();
        Ok(Err(if said.is_empty() { format!("imagefs: {status}") } else { said.to_owned() }))
    }
}

/// Gives each line to `each`; those that are too long not.
async fn lines(output: impl AsyncRead + Unpin, mut each: impl FnMut(&[u8])) -> std::io::Result<()> {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    let mut is_start = true;
    loop {
        line.clear();
        let read = (&mut output).take(LINE_LIMIT).read_until(b'\n', &mut line).await?;
        if read == 0 {
            return Ok(());
        }
        let is_end = line.ends_with(b"\n");
        if is_start && is_end {
            each(line.trim_ascii());
        }
        is_start = is_end;
    }
}

/// The beginning of what is said; the rest is read and forgotten.
async fn beginning(mut errors: impl AsyncRead + Unpin) -> std::io::Result<Vec<u8>> {
    let mut said = Vec::new();
    (&mut errors).take(ERROR_LIMIT).read_to_end(&mut said).await?;
    tokio::io::copy(&mut errors, &mut tokio::io::sink()).await?;
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_that_are_too_long_are_left_out() {
        let long = "x".repeat(usize::try_from(LINE_LIMIT).unwrap() * 2 + 5);
        let text = format!("a\n{long}\nb\n{long}");
        let mut found = Vec::new();
        let each = |line: &[u8]| found.push(String::from_utf8(line.to_vec()).unwrap());
        lines(text.as_bytes(), each).await.unwrap();
        assert_eq!(found, ["a", "b"]);
    }

    fn script(directory: &std::path::Path, text: &str) -> Imagefs {
        use std::os::unix::fs::PermissionsExt;
        let program = directory.join("imagefs");
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Imagefs { program, limit: Duration::from_millis(500) }
    }

    #[tokio::test]
    async fn a_tool_that_hangs_is_stopped() {
        let scratch = tempfile::tempdir().unwrap();
        let id = scratch.path().join("id");
        let text = format!("#!/bin/sh\necho $$ > {}\nexec sleep 1000\n", id.display());
        let error = script(scratch.path(), &text).run(&[], |_| {}).await.unwrap_err();
        assert!(error.to_string().contains("was stopped"), "{error}");
        let id: u32 = std::fs::read_to_string(id).unwrap().trim().parse().unwrap();
        // Of a process that has ended and nobody has taken note of, there is nothing there, either.
        let command = || std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        for _ in 0..100 {
            if command().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{}", String::from_utf8_lossy(&command()));
    }

    #[tokio::test]
    async fn a_tool_that_fails_is_quoted_and_has_a_limit_to_its_memory() {
        let scratch = tempfile::tempdir().unwrap();
        let text = "#!/bin/sh\necho one\nsleep 0.1\nulimit -v >&2\nexit 3\n";
        let mut lines = 0;
        let tool = script(scratch.path(), text);
        let said = tool.run(&[], |_| lines += 1).await.unwrap().unwrap_err();
        assert_eq!((lines, said), (1, (MEMORY / 1024).to_string()));
    }
}
