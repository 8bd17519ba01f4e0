//! What the words of the command line and boss say together.

use std::sync::Arc;

use anyhow::Result;
use mfs_agent::assignment::Assignment;
use mfs_agent::cmdline::{CommandLine, Job, Save};
use mfs_agent::failure::Failure;
use mfs_agent::progress::Progress;
use xtask::tmcd::{Node, Tmcd, User};

use crate::common::{check_failure, client, node, server, timed};

static PROGRESS: Progress = Progress::new();

const NAMES: &str = "mfs.pid=testbed mfs.eid=mytest mfs.vname=nodeA";
const OTHER_NAMES: &str = "mfs.pid=testbed mfs.eid=earlier mfs.vname=nodeA";

/// What is known in the end, with these words.
fn assigned(tmcd: &Tmcd, words: &str) -> Result<std::result::Result<Assignment, Failure>> {
    let line = CommandLine::parse(words, &mut |_| {})?;
    let mut assignment = Assignment::of_words(line);
    let known = assignment
        .ask_who(Arc::new(client(tmcd)?), &PROGRESS)
        .and_then(|()| assignment.ask_what(&PROGRESS));
    Ok(known.map(|()| assignment))
}

fn swapper() -> User {
    User::new("mike", 20001, 6000).with_groups(&[6001])
}

#[test]
fn no_word_is_needed() -> Result<()> {
    timed(|| {
        let tmcd = server(node().swapper(swapper()))?;
        let known = assigned(&tmcd, "quiet")??;
        assert_eq!(known.line.job, Some(Job::Swapout(Save::Delta)));
        assert!(known.job_is_from_boss());
        let names = known.line.node.map(|node| node.to_string());
        assert_eq!(names.as_deref(), Some("nodeA of testbed/mytest"));
        let locals: Vec<_> = known.directories.iter().map(|it| it.local.as_str()).collect();
        assert_eq!(locals, ["/proj/testbed"]);
        let user = known.line.credentials.map(|it| (it.uid, it.gid, it.groups.to_vec()));
        assert_eq!(user, Some((20001, 6000, vec![6001])));
        Ok(())
    })
}

#[test]
fn what_a_word_says_is_not_asked() -> Result<()> {
    timed(|| {
        let tmcd = server(node().swapper(swapper()))?;
        let words =
            format!("{NAMES} mfs.job=swapout mfs.save=full mfs.proj=fs:/p mfs.uid=1 mfs.gid=2");
        let known = assigned(&tmcd, &words)??;
        assert_eq!(known.line.job, Some(Job::Swapout(Save::Full)));
        assert!(!known.job_is_from_boss());
        assert_eq!(tmcd.history(), ["status", "state MFSSETUP", "nodeid", "state ISUP"]);
        Ok(())
    })
}

/// Words that were left over from another experiment would have this disk replace its image.
#[test]
fn nothing_is_saved_as_another_node_than_boss_says() -> Result<()> {
    timed(|| {
        let tmcd = server(node().swapper(swapper()))?;
        for job in ["mfs.job=swapout mfs.proj=fs:/p mfs.uid=1 mfs.gid=2", "quiet"] {
            let known = assigned(&tmcd, &format!("{OTHER_NAMES} {job}"))?;
            let both = ["nodeA of testbed/mytest", "nodeA of testbed/earlier"];
            check_failure(known.map(|it| it.line), &both);
        }
        assert!(assigned(&tmcd, &format!("{NAMES} mfs.job=swapout"))?.is_ok());
        assert!(assigned(&tmcd, &format!("{OTHER_NAMES} mfs.job=idle"))?.is_ok());
        Ok(())
    })
}

#[test]
fn a_node_that_boss_does_not_know_needs_its_names() -> Result<()> {
    timed(|| {
        let tmcd = server(Node::default())?;
        check_failure(assigned(&tmcd, "quiet")?.map(|it| it.line), &["doesn't know this node"]);
        let words = format!("{NAMES} mfs.job=swapout mfs.proj=fs:/p mfs.uid=1 mfs.gid=2");
        assert!(assigned(&tmcd, &words)?.is_ok());
        Ok(())
    })
}
