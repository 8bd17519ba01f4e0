//! The runtime's processes, with the machine's shell in the place of a project's program.
#![expect(unsafe_code, reason = "the module under test makes processes")]
#![expect(clippy::panic_in_result_fn, reason = "a test fails by panicking")]

extern crate alloc;

#[path = "../src/runtime/process.rs"]
mod process;

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Result};
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, chown};

use mfs_agent::processes::{Exit, Processes, Program};
use process::KernelProcesses;

const USER: u32 = 20001;

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: it needs root");
    }
    root
}

/// Runs a script as a program is run: what it said, and how it ended.
fn run(script: &str) -> Result<(String, Option<Exit>)> {
    let directory = tempfile::tempdir()?;
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755))?;
    chown(directory.path(), Some(USER), Some(USER))?;
    let (mut reader, writer) = std::io::pipe()?;
    let arguments: Vec<_> =
        ["sh", "-c", script].into_iter().filter_map(|word| CString::new(word).ok()).collect();
    let (file, input) = (File::open("/bin/sh")?, File::open("/dev/null")?);
    let place = File::open(directory.path())?;
    let program = Program {
        file: file.as_fd(),
        arguments: &arguments,
        directory: place.as_fd(),
        uid: USER,
        gid: USER,
        groups: &[USER + 1, 0xFFF0_0000],
        input: input.as_fd(),
        output: writer.as_fd(),
    };
    let mut process = KernelProcesses.start(&program)?;
    drop(writer);
    let mut said = String::new();
    reader.read_to_string(&mut said)?;
    // It may be at its end, and not over it.
    let exit = loop {
        if let Some(exit) = process.poll()? {
            break exit;
        }
        std::thread::yield_now();
    };
    process.end_all();
    assert_eq!(process.poll()?, Some(exit));
    Ok((said, Some(exit)))
}

#[test]
fn a_program_has_what_it_was_given_and_nothing_else() -> Result<()> {
    if !is_root() {
        return Ok(());
    }
    // A file that a program must not inherit even if somebody forgot to say so.
    let open = File::open("/etc/passwd")?;
    rustix::io::fcntl_setfd(&open, rustix::io::FdFlags::empty())?;
    let script = "umask; id -u; id -g; id -G; ls /proc/self/fd; cat /proc/self/status /proc/net/dev; \
                  ulimit -c; tr '\\0' '\\n' </proc/$$/environ; exit 3";
    let (said, exit) = run(script)?;
    // The shell's `ls` has the directory open as 3.
    assert!(
        said.starts_with("0007\n20001\n20001\n20001 20002 4293918720\n0\n1\n2\n3\nName"),
        "{said}"
    );
    for words in ["CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"] {
        assert!(said.contains(words), "{said}");
    }
    let networks = said.lines().filter(|line| line.contains(": ") && line.contains(" 0 "));
    assert!(networks.clone().count() == 1 && said.contains("lo: "), "{said}");
    // No core file, and nothing in the environment.
    assert!(said.ends_with("\n0\n"), "{said}");
    assert_eq!(exit, Some(Exit::Status(3)));
    Ok(())
}

#[test]
fn a_signal_is_told_from_a_status() -> Result<()> {
    if is_root() {
        assert_eq!(run("kill -9 $$")?.1, Some(Exit::Signal(9)));
        assert_eq!(run("exit 0")?.1, Some(Exit::Status(0)));
    }
    Ok(())
}

/// A program that doesn't end by itself, with another one in its session.
#[test]
fn a_program_is_ended_with_what_it_started() -> Result<()> {
    if !is_root() {
        return Ok(());
    }
    let (mut reader, writer) = std::io::pipe()?;
    let arguments = [c"sh".into(), c"-c".into(), c"sleep 1000 & echo begun; sleep 1000".into()];
    let (file, place) = (File::open("/bin/sh")?, File::open("/")?);
    let program = Program {
        file: file.as_fd(),
        arguments: &arguments,
        directory: place.as_fd(),
        uid: USER,
        gid: USER,
        groups: &[],
        input: place.as_fd(),
        output: writer.as_fd(),
    };
    let mut process = KernelProcesses.start(&program)?;
    drop(writer);
    let mut begun = [0; 6];
    reader.read_exact(&mut begun)?;
    assert_eq!(process.poll()?, None);
    process.end_all();
    assert_eq!(process.poll()?, Some(Exit::Signal(9)));
    // Nobody has the pipe open any more.
    assert_eq!(reader.read(&mut begun)?, 0);
    Ok(())
}

#[test]
fn the_error_of_a_program_that_cannot_start_is_reported() -> Result<()> {
    if !is_root() {
        return Ok(());
    }
    let (file, place) = (File::open("/etc/passwd")?, File::open("/")?);
    let program = Program {
        file: file.as_fd(),
        arguments: &[],
        directory: place.as_fd(),
        uid: USER,
        gid: USER,
        groups: &[],
        input: file.as_fd(),
        output: file.as_fd(),
    };
    let error = KernelProcesses.start(&program).err();
    assert_eq!(error, Some(rustix::io::Errno::ACCESS));
    Ok(())
}
