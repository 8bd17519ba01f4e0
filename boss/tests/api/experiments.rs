//! Making experiments.

use crate::client::{Who, apis};

fn new(eid: &str, more: &str, node: &str) -> String {
    format!(r#"{{"pid": "testbed", "eid": "{eid}"{more}, "nodes": [{node}]}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_has_its_directories() {
    for api in apis().await {
        let node =
            r#"{"vname": "a", "image": "testbed/BASE"}, {"vname": "d", "role": "delaynode"}"#;
        let body = new("made", r#", "gid": "sub""#, node);
        let made = api.ask(Who::Member, "POST", "/api/v1/experiments", &body);
        assert_eq!(made.status, 201, "{}", made.text);
        let shown = api.get(Who::Member, "/api/v1/experiments/testbed/made").json();
        assert_eq!(made.json(), shown);
        let state = (&shown["state"], &shown["creator"], &shown["gid"]);
        assert_eq!(state, (&"swapped".into(), &"member".into(), &"sub".into()));
        assert!(api.site.path("groups/testbed/sub/exp/made/swapinfo").is_dir());
        let again = api.ask(Who::Member, "POST", "/api/v1/experiments", &body);
        assert_eq!((again.status, again.kind().as_str()), (409, "conflict"), "{}", again.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_can_not_be_leaves_nothing() {
    for api in apis().await {
        let a = r#"{"vname": "a", "image": "testbed/BASE"}"#;
        for (who, body, status) in [
            (Who::Stranger, new("made", "", a), 404),
            (Who::Member, new("made", "", ""), 400),
            (Who::Member, new("made", "", &format!("{a}, {a}")), 400),
            (Who::Member, new("made", r#", "gid": "none""#, a), 404),
            (Who::Member, new("made", "", r#"{"vname": "a", "image": "testbed/NONE"}"#), 404),
            (Who::Member, new("made", "", r#"{"vname": "a", "image": "BASE"}"#), 400),
            (Who::Member, new("made", "", r#"{"vname": "a", "role": "No de"}"#), 400),
            (Who::Admin, new("made", "", a).replace("testbed\", \"eid", "none\", \"eid"), 404),
        ] {
            let answer = api.ask(who, "POST", "/api/v1/experiments", &body);
            assert_eq!(answer.status, status, "{who:?} {body}: {}", answer.text);
        }
        assert_eq!(api.site.db.experiments().await.unwrap().len(), 1);
        // Something is in the way of its directory.
        std::fs::write(api.site.path("proj/testbed/exp/made"), "").unwrap();
        let answer = api.ask(Who::Member, "POST", "/api/v1/experiments", &new("made", "", a));
        assert_eq!(answer.status, 500, "{}", answer.text);
        assert!(!answer.text.contains("proj"), "{}", answer.text);
        assert_eq!(api.site.db.experiments().await.unwrap().len(), 1);
    }
}
