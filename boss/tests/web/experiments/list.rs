//! The list.

use boss::db::experiments::ExperimentState;
use boss::db::swaps::NewSwap;
use boss::swap::Kind;

use crate::client::{Web, Who, webs};

/// Makes one more of the project.
async fn add(web: &Web, eid: &str) {
    let mut experiment = web.experiment.clone();
    (experiment.eid, experiment.state) = (eid.parse().unwrap(), ExperimentState::Swapped);
    experiment.savedisk = false;
    web.site.db.add_experiment(&experiment, &[]).await.unwrap();
}

/// Its last swap ended so.
async fn swapped(web: &Web, eid: &str, outcome: &str) {
    let mut experiment = web.experiment.id();
    experiment.eid = eid.parse().unwrap();
    let requested_by = Who::Member.login();
    let (kind, runs, command) = (Kind::Swapout, Vec::new(), String::new());
    let swap = NewSwap { kind, experiment, fail: true, command, requested_by, runs };
    let id = web.site.db.add_swap(&swap).await.unwrap();
    let end = sqlx::query("UPDATE swaps SET state = 'ended', outcome = $2 WHERE id = $1");
    end.bind(id).bind(outcome).execute(web.site.db.pool()).await.unwrap();
}

/// The names, in the order of the page.
fn names(page: &str) -> Vec<&str> {
    let links = page.split("<th scope=\"row\"><a href=\"/experiments/").skip(1);
    links.map(|after| after.split('"').next().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_somebody_comes_first() {
    for web in webs().await {
        for (eid, outcome) in [("aa", ""), ("zz", "failed"), ("yy", "warned"), ("bb", "done")] {
            add(&web, eid).await;
            if !outcome.is_empty() {
                swapped(&web, eid, outcome).await;
            }
        }
        // What went wrong before is over.
        add(&web, "cc").await;
        swapped(&web, "cc", "failed").await;
        swapped(&web, "cc", "done").await;
        let page = web.get(Who::Reader, "/experiments").text;
        let order = ["yy", "zz", "trial", "aa", "bb", "cc"].map(|eid| format!("testbed/{eid}"));
        assert_eq!(names(&page), order, "{page}");
        assert!(page.contains("not all saved"), "{page}");
        assert!(names(&web.get(Who::Stranger, "/experiments").text).is_empty());
        assert_eq!(names(&web.get(Who::Admin, "/experiments").text).len(), 6);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_searched() {
    for web in webs().await {
        add(&web, "other").await;
        for (q, found) in [
            ("active", vec!["testbed/trial"]),
            ("TESTBED+other", vec!["testbed/other"]),
            ("%3Cscript%3E", vec![]),
        ] {
            let page = web.get(Who::Member, &format!("/experiments?q={q}")).text;
            assert_eq!(names(&page), found, "{q}: {page}");
            assert!(!page.contains("<script>"), "{page}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_are_no_trouble() {
    for web in webs().await {
        for number in 0..1000 {
            add(&web, &format!("x{number}")).await;
        }
        let page = web.get(Who::Member, "/experiments");
        assert_eq!(page.status, 200);
        assert_eq!(names(&page.text).len(), 1001);
    }
}
