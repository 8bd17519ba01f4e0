//! Requests that make no sense get an error in the form of all errors, and change nothing.

use crate::client::{Who, apis};

/// A byte more than the largest request.
const LONG: usize = (256 << 10) + 1;

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_none() {
    for api in apis().await {
        let deep = "[".repeat(100_000);
        // Little more than is taken: who sends much more may find the connection closed instead.
        let long = format!(r#"{{"savedisk": "{}"}}"#, "x".repeat(LONG));
        let trial = "/api/v1/experiments/testbed/trial";
        for (body, status) in [
            ("null", 422),
            ("{", 400),
            ("[]", 422),
            (r#"{"savedisk": "no"}"#, 422),
            (r#"{"savedisk": 0}"#, 422),
            (r#"{"savedisk": false, "savedisk": false}"#, 422),
            (r#"{"state": "swapped"}"#, 422),
            (r#"{"savedisk": false} x"#, 400),
            (deep.as_str(), 422),
            (long.as_str(), 413),
        ] {
            let answer = api.ask(Who::Admin, "PATCH", trial, body);
            let start: String = body.chars().take(60).collect();
            assert_eq!(answer.status, status, "{start}: {}", answer.text);
            assert_eq!(answer.kind(), "invalid", "{start}: {}", answer.text);
            assert!(api.saves_disks().await, "{start}");
        }
        for value in ["{}", r#"{"value": 1}"#, r#"{"valeu": null}"#] {
            let path = "/api/v1/sitevars/swap%2Fswapout_command_failaction";
            assert_eq!(api.ask(Who::Admin, "PUT", path, value).status, 422, "{value}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_none() {
    for api in apis().await {
        for (path, status) in [
            ("/api/v1/experiments/testbed/..%2Ftrial", 400),
            ("/api/v1/experiments/%00/trial", 400),
            ("/api/v1/experiments/%ff/trial", 400),
            ("/api/v1/experiments/testbed/tri'al", 400),
            ("/api/v1/images/testbed/-BASE", 400),
            ("/api/v1/images/testbed/BASE?version=-1", 400),
            ("/api/v1/swaps/x", 400),
            ("/api/v1/swaps/99999999999999999999", 400),
            ("/api/v1/swaps/1/events?after=x", 400),
            ("/api/v1/nodes/-rf", 400),
            ("/api/v2/nodes", 404),
            ("/api/v1/", 404),
            ("/api/", 404),
            ("/api", 404),
        ] {
            let answer = api.get(Who::Admin, path);
            assert_eq!(answer.status, status, "{path}: {}", answer.text);
            assert!(!answer.kind().is_empty(), "{path}: {}", answer.text);
        }
        let answer = api.ask(Who::Admin, "PATCH", "/api/v1/nodes", "{}");
        assert_eq!((answer.status, answer.kind().as_str()), (405, "invalid"), "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn site_variables_keep_what_makes_sense() {
    for api in apis().await {
        let set = |name: &str, body: &str| {
            let path = format!("/api/v1/sitevars/{}", name.replace('/', "%2F"));
            api.ask(Who::Admin, "PUT", &path, body).status
        };
        assert_eq!(set("swap/swapout_command_failaction", r#"{"value": "explode"}"#), 400);
        assert_eq!(set("swap/swapout_command_timeout", r#"{"value": "soon"}"#), 400);
        assert_eq!(set("swap/no_such", r#"{"value": "x"}"#), 404);
        assert_eq!(set("swap/swapout_command_failaction", r#"{"value": "fail"}"#), 200);
        let value = || api.site.db.sitevar("swap/swapout_command_failaction");
        assert_eq!(value().await.unwrap().as_deref(), Some("fail"));
        assert_eq!(set("swap/swapout_command_failaction", r#"{"value": null}"#), 200);
        assert_eq!(value().await.unwrap().as_deref(), Some("warn"));
    }
}
