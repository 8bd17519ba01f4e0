//! Servers that do what they shouldn't.

use std::time::{Duration, Instant};

use anyhow::Result;
use mfs_agent::tmcd::login::Login;
use mfs_agent::tmcd::status::Status;
use mfs_agent::tmcd::{Boss, State};
use xtask::tmcd::Fault;

use crate::common::{CALL, IMPATIENT, boss, check_failure, client, node, server, timed};

/// How long a command may take that will not be answered.
const SHORT: Duration = Duration::from_millis(250);

fn first(count: usize, fault: Fault) -> Fault {
    Fault::First(count, Box::new(fault))
}

#[test]
fn a_reply_in_segments_of_one_byte() -> Result<()> {
    timed(|| {
        let tmcd = server(node())?;
        tmcd.set_fault(Fault::OneByteSegments);
        let client = client(&tmcd)?;
        let boss = boss(&client, CALL);
        let Status::Allocated(node) = boss.status()? else { panic!() };
        assert!(boss.mounts()?.needed(&node).is_ok());
        assert_eq!(boss.account(boss.creator()?.acting())?.credentials.uid, 20001);
        boss.state(State::IsUp)?;
        Ok(())
    })
}

#[test]
fn a_connection_that_is_closed_is_no_answer() -> Result<()> {
    timed(|| {
        for fault in [Fault::Close, Fault::Reset] {
            let tmcd = server(node())?;
            let client = client(&tmcd)?.with_limits(IMPATIENT);
            tmcd.set_fault(first(3, fault.clone()));
            assert!(matches!(boss(&client, CALL).status()?, Status::Allocated(_)), "{fault:?}");
            // Neither that boss doesn't know the node, nor that it has taken a report.
            tmcd.set_fault(fault.clone());
            check_failure(boss(&client, SHORT).status(), &["status"]);
            check_failure(boss(&client, SHORT).state(State::IsUp), &["state"]);
            assert!(!client.is_up());
            tmcd.set_fault(first(3, fault));
            boss(&client, CALL).start_status(7)?;
            assert_eq!(tmcd.history(), ["status", "startstatus 7"]);
        }
        Ok(())
    })
}

#[test]
fn a_server_that_doesnt_read_to_the_end() -> Result<()> {
    timed(|| {
        let tmcd = server(node())?;
        tmcd.set_fault(Fault::Hasty);
        let client = client(&tmcd)?;
        for _ in 0..50 {
            assert!(matches!(boss(&client, CALL).status()?, Status::Allocated(_)));
            boss(&client, CALL).state(State::MfsSetup)?;
        }
        Ok(())
    })
}

#[test]
fn replies_without_an_end() -> Result<()> {
    timed(|| {
        let tmcd = server(node())?;
        let client = client(&tmcd)?.with_limits(IMPATIENT);
        let start = Instant::now();
        for fault in [Fault::Drip, Fault::TooLong(64 << 10), Fault::TooLong(8 << 20)] {
            tmcd.set_fault(fault);
            check_failure(boss(&client, SHORT).status(), &["status"]);
            check_failure(boss(&client, SHORT).startup_command(), &["startupcmd"]);
            check_failure(boss(&client, SHORT).state(State::IsUp), &["state"]);
        }
        assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
        tmcd.behave();
        tmcd.set_fault_of("mounts", Fault::TooLong(40_000));
        assert!(boss(&client, CALL).mounts().is_ok(), "a long list of mounts is no fault");
        Ok(())
    })
}

#[test]
fn replies_of_something_else() -> Result<()> {
    timed(|| {
        let tmcd = server(node())?;
        let client = client(&tmcd)?;
        let noise: Vec<u8> = (0..=255).cycle().take(5000).collect();
        for bytes in [
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec(),
            b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
            vec![0; 100],
            vec![0xff; 100],
            noise,
            b"ALLOCATED=../../etc/x NICKNAME=y\n".to_vec(),
            b"CMD='reboot' UID=../root\n".to_vec(),
        ] {
            tmcd.set_fault(Fault::Answer(bytes));
            let boss = boss(&client, CALL);
            check_failure(boss.status(), &["can't be used"]);
            check_failure(boss.creator(), &["can't be used"]);
            check_failure(boss.node_id(), &["can't be used"]);
            check_failure(boss.startup_command(), &["can't be used"]);
            check_failure(boss.account(&Login::new(b"mike").unwrap()), &["no account of mike"]);
        }
        Ok(())
    })
}

#[test]
fn trouble_that_passes() -> Result<()> {
    timed(|| {
        for fault in [
            Fault::Silent,
            Fault::TooLong(2 << 20),
            Fault::Answer(b"\xff\0garbage\n".to_vec()),
            Fault::Redirect("nowhere.example.net".into()),
        ] {
            let tmcd = server(node())?;
            let client = client(&tmcd)?.with_limits(IMPATIENT);
            let ask = |boss: Boss<'_>| -> Result<()> {
                assert!(matches!(boss.status()?, Status::Allocated(_)), "{fault:?}");
                assert!(boss.startup_command()?.is_some(), "{fault:?}");
                boss.start_status(3)?;
                Ok(())
            };
            for command in ["status", "startupcmd", "startstatus"] {
                tmcd.set_fault_of(command, first(2, fault.clone()));
            }
            ask(boss(&client, CALL))?;
            assert_eq!(tmcd.start_statuses(), ["3"; 3]);
        }
        Ok(())
    })
}
