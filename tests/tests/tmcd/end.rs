//! How boss learns of the end of a run.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use imagezip_core::error::{CorruptKind, ErrorKind, IncompatibleKind, Limit};
use mfs_agent::failure::FailureKind;
use mfs_agent::file::Cut;
use mfs_agent::progress::Progress;
use mfs_agent::report::ending::{self, Ending};
use mfs_agent::threads::{Body, Join, Threads};
use mfs_agent::tmcd::reporter::{report, start};
use mfs_agent::tmcd::{Client, Key, State};
use xtask::tmcd::Fault;

use crate::common::{CALL, QUICK, boss, client, node, server, timed};

fn ending(code: u8, text: &str) -> Ending {
    Ending { code, text: Cut::new(format_args!("{text}")) }
}

fn tell(client: &Client, ending: &Ending, limit: Duration) {
    report(client, ending, limit, &|| {});
}

#[test]
fn a_success_is_one_zero() -> Result<()> {
    timed(|| {
        let tmcd = server(node())?;
        let client = client(&tmcd)?;
        boss(&client, CALL).state(State::IsUp)?;
        tell(&client, &ending(0, "saved bytes=1"), CALL);
        assert_eq!(tmcd.history(), ["state ISUP", "startstatus 0"]);
        Ok(())
    })
}

#[test]
fn a_failure_says_why_in_order() -> Result<()> {
    timed(|| {
        let tmcd = server(node())?;
        let early = client(&tmcd)?;
        tell(&early, &ending(23, "no /proj\non fs"), CALL);
        let before_up =
            ["bootlog no /proj?on fs", "booterrno 23", "state TBFAILED", "startstatus 23"];
        assert_eq!(tmcd.history(), before_up);

        let tmcd = server(node())?;
        let late = client(&tmcd)?;
        boss(&late, CALL).state(State::IsUp)?;
        tell(&late, &ending(30, &"x".repeat(5000)), CALL);
        let history = tmcd.history();
        assert_eq!(history.len(), 4, "{history:?}");
        assert!(history[1].starts_with("bootlog xxx") && history[1].len() < 1000);
        assert_eq!(history[2..], ["booterrno 30", "startstatus 30"]);
        // After the end nobody else is heard.
        assert!(boss(&late, CALL).state(State::IsUp).is_err());
        assert!(boss(&late, CALL).start_status(0).is_err());
        assert_eq!(tmcd.history().len(), 4);
        assert_eq!(tmcd.malformed(), Vec::<String>::new());
        Ok(())
    })
}

#[test]
fn all_that_is_asked_and_said_has_the_key_of_the_run() -> Result<()> {
    timed(|| {
        let tmcd = server(node())?;
        let client = client(&tmcd)?.with_key(Some(Key::new("only-this_once-7")?));
        boss(&client, CALL).status()?;
        tell(&client, &ending(23, "no /proj"), CALL);
        let said = ["bootlog no /proj", "booterrno 23", "state TBFAILED", "startstatus 23"];
        assert_eq!(tmcd.history()[1..], said);
        let records = tmcd.records();
        let bytes: Vec<_> = records.iter().map(|it| it.bytes.escape_ascii().to_string()).collect();
        assert_eq!(bytes[0], "IDKEY=only-this_once-7 VERSION=25 status ");
        assert_eq!(bytes[4], "IDKEY=only-this_once-7 VERSION=25 startstatus 23 ");
        assert!(records.iter().all(|it| it.key.as_deref() == Some("only-this_once-7")));
        assert_eq!(tmcd.malformed(), Vec::<String>::new());
        Ok(())
    })
}

#[test]
fn each_kind_of_end_has_a_status_of_its_own_and_only_success_is_zero() -> Result<()> {
    timed(|| {
        let core = [
            ErrorKind::Read(5),
            ErrorKind::Write(5),
            ErrorKind::Truncated,
            ErrorKind::Corrupt(CorruptKind::NoSuchPartition),
            ErrorKind::Incompatible(IncompatibleKind::Version),
            ErrorKind::TooLarge(Limit::Sector32),
        ];
        let mut codes: Vec<u8> = core.iter().map(ErrorKind::exit_code).collect();
        codes.extend([
            FailureKind::CommandLine.code(),
            FailureKind::Module.code(),
            FailureKind::Network.code(),
            FailureKind::Mount.code(),
            FailureKind::PartFile.code(),
            FailureKind::SignatureFile.code(),
            FailureKind::DiskAbsent.code(),
            FailureKind::DiskInUse.code(),
            FailureKind::PartitionAbsent.code(),
            FailureKind::ProjectReadOnly.code(),
            FailureKind::ProjectFull.code(),
            FailureKind::Verification.code(),
            FailureKind::NoProgress.code(),
            FailureKind::Panic.code(),
            FailureKind::ProjectFile.code(),
            FailureKind::Resource.code(),
            FailureKind::Boss.code(),
        ]);
        let tmcd = server(node())?;
        for code in &codes {
            tell(&client(&tmcd)?, &ending(*code, "failed"), CALL);
        }
        let statuses: BTreeSet<_> = tmcd.start_statuses().into_iter().collect();
        assert_eq!(statuses.len(), codes.len());
        assert!(!statuses.contains("0"));
        tell(&client(&tmcd)?, &ending(0, "saved"), CALL);
        assert_eq!(tmcd.start_statuses().last().map(String::as_str), Some("0"));
        Ok(())
    })
}

#[test]
fn the_status_gets_through_whatever_happens_to_the_messages() -> Result<()> {
    timed(|| {
        for fault in [Fault::Silent, Fault::TooLong(1 << 20)] {
            let tmcd = server(node())?;
            for command in ["bootlog", "booterrno"] {
                tmcd.set_fault_of(command, fault.clone());
            }
            let client = client(&tmcd)?;
            tell(&client, &ending(26, "no disk"), CALL);
            assert_eq!(tmcd.states(), ["TBFAILED"], "{fault:?}");
            assert_eq!(tmcd.start_statuses(), ["26"], "{fault:?}");
        }
        Ok(())
    })
}

#[test]
fn a_boss_that_is_gone_takes_a_bounded_time() -> Result<()> {
    timed(|| {
        let unused = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let client = Client::new(&[Ipv4Addr::LOCALHOST], Some(unused))?.with_limits(QUICK);
        let start = Instant::now();
        tell(&client, &ending(26, "no disk"), Duration::from_secs(1));
        let time = start.elapsed();
        assert!(time < Duration::from_secs(4), "{time:?}");
        Ok(())
    })
}

/// The only test here that really ends the run, which happens once in a process.
#[test]
fn a_thread_reports_the_end_even_of_a_panic() -> Result<()> {
    static PROGRESS: Progress = Progress::new();
    timed(|| {
        let tmcd = server(node())?;
        let client = Arc::new(client(&tmcd)?);
        start(&StdThreads, Arc::clone(&client), &PROGRESS)?;
        boss(&client, CALL).state(State::MfsSetup)?;
        let panicking = thread::spawn(|| {
            ending::announce(FailureKind::Panic.code(), format_args!("panicked at job.rs:1"));
            ending::wait_until_reported(CALL);
        });
        // Another thread notices the end too, later.
        ending::announce(FailureKind::Panic.code(), format_args!("panicked at job.rs:1"));
        ending::announce(FailureKind::NoProgress.code(), format_args!("no progress"));
        ending::wait_until_reported(CALL);
        assert!(panicking.join().is_ok());
        assert_eq!(
            tmcd.history(),
            [
                "state MFSSETUP",
                "bootlog panicked at job.rs:1",
                "booterrno 33",
                "state TBFAILED",
                "startstatus 33"
            ]
        );
        assert!(boss(&client, CALL).state(State::IsUp).is_err());
        Ok(())
    })
}

struct StdThreads;

struct Handle(thread::JoinHandle<()>);

impl Join for Handle {
    fn join(self: Box<Self>) {
        let _ = self.0.join();
    }
}

impl Threads for StdThreads {
    fn start(&self, body: Body) -> rustix::io::Result<Box<dyn Join>> {
        Ok(Box::new(Handle(thread::spawn(body))))
    }

    fn scope(&self, count: usize, body: &(dyn Fn(usize) + Sync)) {
        (0..count).for_each(body);
    }
}
