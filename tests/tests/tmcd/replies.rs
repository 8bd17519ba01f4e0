//! What is sent, and what the answers mean.

use anyhow::Result;
use mfs_agent::tmcd::State;
use mfs_agent::tmcd::login::Login;
use mfs_agent::tmcd::mounts::{FileSystem, Transport};
use mfs_agent::tmcd::startup::Startup;
use mfs_agent::tmcd::status::Status;
use xtask::tmcd::node::HASH;
use xtask::tmcd::{Fault, Node, User};

use crate::common::{CALL, boss, check_failure, client, node, server, timed};

#[test]
fn requests_are_exact() -> Result<()> {
    timed(|| {
        let tmcd = server(node())?;
        let client = client(&tmcd)?;
        let boss = boss(&client, CALL);
        boss.state(State::MfsSetup)?;
        assert!(matches!(boss.status()?, Status::Allocated(_)));
        boss.node_id()?;
        boss.mounts()?;
        let users = boss.creator()?;
        boss.account(users.acting())?;
        assert!(!client.is_up());
        boss.state(State::IsUp)?;
        assert!(client.is_up());
        let command = boss.startup_command()?.unwrap();
        assert_eq!(command.meaning(), Startup::CreateSwapimage { full: false, statistics: false });
        boss.boot_log("2 disks:\n\tsda, \u{1f4a5}")?;
        boss.boot_errno(26)?;
        boss.state(State::TbFailed)?;
        boss.start_status(0)?;
        boss.start_status(255)?;
        let bytes: Vec<_> = tmcd.records().into_iter().map(|record| record.bytes).collect();
        let bytes: Vec<_> = bytes.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
        assert_eq!(
            bytes,
            [
                "VERSION=25 state MFSSETUP ",
                "VERSION=25 status ",
                "VERSION=25 nodeid ",
                "VERSION=25 mounts ",
                "VERSION=25 creator ",
                "VERSION=25 accounts ",
                "VERSION=25 state ISUP ",
                "VERSION=25 startupcmd ",
                "VERSION=25 bootlog 2 disks:??sda, ? ",
                "VERSION=25 booterrno 26 ",
                "VERSION=25 state TBFAILED ",
                "VERSION=25 startstatus 0 ",
                "VERSION=25 startstatus 255 ",
            ]
        );
        assert_eq!(tmcd.malformed(), Vec::<String>::new());
        Ok(())
    })
}

#[test]
fn free_allocated_and_unknown_nodes() -> Result<()> {
    timed(|| {
        let tmcd = server(node())?;
        let client = client(&tmcd)?;
        let boss = boss(&client, CALL);
        let Status::Allocated(node) = boss.status()? else { panic!("not allocated") };
        let names = [node.pid.as_str(), node.eid.as_str(), node.vname.as_str()];
        assert_eq!(names, ["testbed", "mytest", "nodeA"]);
        tmcd.set_node(Node::free("pc42"));
        assert_eq!(boss.status()?, Status::Free);
        check_failure(boss.mounts().and_then(|mounts| mounts.needed(&node)), &["/proj/testbed"]);
        check_failure(boss.creator(), &["creator", "it is empty"]);
        tmcd.set_node(Node::default());
        let asked = tmcd.history().len();
        assert_eq!(boss.status()?, Status::Unknown);
        // An empty answer may be a data base that is away, so it is asked a few times.
        assert_eq!(tmcd.history()[asked..], ["status"; 5]);
        Ok(())
    })
}

#[test]
fn a_data_base_that_is_away_for_a_moment() -> Result<()> {
    timed(|| {
        let tmcd = server(node())?;
        let client = client(&tmcd)?;
        for command in ["status", "startupcmd", "mounts", "creator", "accounts", "nodeid"] {
            let empty = Fault::Answer(Vec::new());
            tmcd.set_fault_of(command, Fault::First(2, Box::new(empty)));
        }
        let boss = boss(&client, CALL);
        assert!(matches!(boss.status()?, Status::Allocated(_)));
        assert!(boss.startup_command()?.is_some());
        assert!(!boss.mounts()?.list.is_empty());
        assert!(boss.account(boss.creator()?.acting()).is_ok());
        assert_eq!(boss.node_id()?.as_str(), "pc42");
        assert_eq!(tmcd.history().len(), 18);
        Ok(())
    })
}

#[test]
fn mounts_of_both_generations() -> Result<()> {
    timed(|| {
        let group = node().subgroup("sub", 6001).mount("SFS REMOTE=fs:/x LOCAL=/proj/testbed");
        let tmcd = server(group)?;
        let old = client(&tmcd)?;
        let new = client(&tmcd)?.with_version(40);
        let Status::Allocated(testbed) = boss(&old, CALL).status()? else { panic!() };

        let mounts = boss(&old, CALL).mounts()?;
        assert_eq!((mounts.file_system, mounts.transport), (FileSystem::Nfs, None));
        let needed = mounts.needed(&testbed)?;
        assert_eq!(needed.project.to_string(), "fs:/q/proj/testbed on /proj/testbed");
        let (gid, group) = needed.group.clone().unwrap();
        assert_eq!(gid.as_str(), "sub");
        assert_eq!(group.to_string(), "fs:/q/groups/testbed/sub on /groups/testbed/sub");

        let mounts = boss(&new, CALL).mounts()?;
        assert_eq!(mounts.transport, Some(Transport::Tcp));
        assert_eq!(mounts.needed(&testbed)?, needed);
        assert_eq!(tmcd.records().pop().unwrap().bytes, b"VERSION=40 mounts ");

        tmcd.set_node(node().file_system("FSTYPE=NFS-RACY TRANSPORT=UDP"));
        let mounts = boss(&new, CALL).mounts()?;
        assert_eq!(mounts.file_system, FileSystem::NfsRacy);
        assert_eq!(mounts.needed(&testbed)?.group, None);

        tmcd.set_node(node().file_system("FSTYPE=LOCAL"));
        let mounts = boss(&new, CALL).mounts()?;
        assert_eq!((mounts.file_system, mounts.list.len()), (FileSystem::Local, 0));
        check_failure(mounts.needed(&testbed), &["FSTYPE=LOCAL", "mfs.proj="]);
        Ok(())
    })
}

#[test]
fn the_swappers_numbers_and_nobodys_password() -> Result<()> {
    timed(|| {
        let swapper = User::new("ann", 20002, 6001).with_groups(&[6000, 6002]);
        let node = node().subgroup("sub", 6001).member(User::new("mike", 20001, 6000));
        let tmcd = server(node.swapper(swapper))?;
        let client = client(&tmcd)?;
        let boss = boss(&client, CALL);
        let users = boss.creator()?;
        assert_eq!((users.creator.as_str(), users.acting().as_str()), ("mike", "ann"));
        assert_eq!(boss.startup_command()?.unwrap().login, *users.acting());
        let account = boss.account(users.acting())?;
        let numbers = &account.credentials;
        assert_eq!((numbers.uid, numbers.gid), (20002, 6001));
        assert_eq!(numbers.groups.as_slice(), [6000, 6002]);

        let stranger = boss.account(&Login::new(b"joe").unwrap()).unwrap_err();
        assert!(stranger.message.contains("no account of joe"), "{stranger}");
        let damaged = format!("ADDUSER LOGIN=joe PSWD={HASH} UID=x GID=1\n");
        tmcd.set_fault_of("accounts", Fault::Answer(damaged.into_bytes()));
        let damaged = boss.account(&Login::new(b"joe").unwrap()).unwrap_err();
        assert!(damaged.message.contains("UID= is not a number"), "{damaged}");
        for failure in [stranger, damaged] {
            assert!(!failure.message.contains(HASH), "{failure}");
        }
        Ok(())
    })
}

#[test]
fn a_large_project() -> Result<()> {
    timed(|| {
        let members =
            (0..2000_u32).map(|index| User::new(&format!("user{index}"), 30_000 + index, 6000));
        let tmcd = server(members.fold(node(), Node::member))?;
        let client = client(&tmcd)?;
        let boss = boss(&client, CALL);
        let last = boss.account(&Login::new(b"user1999").unwrap())?;
        assert_eq!(last.credentials.uid, 31_999);
        let Status::Allocated(node) = boss.status()? else { panic!() };
        assert_eq!(boss.mounts()?.needed(&node)?.project.local, "/proj/testbed");
        Ok(())
    })
}
