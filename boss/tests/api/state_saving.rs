//! Who may set whether disks are saved. The originals asked only when they showed the form, and
//! took a field that wasn't sent for "no".

use crate::client::{Who, apis};

const TRIAL: &str = "/api/v1/experiments/testbed/trial";

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_sets_it() {
    for api in apis().await {
        assert!(api.saves_disks().await);
        for (who, status) in [(Who::Nobody, 401), (Who::Stranger, 404), (Who::Member, 403)] {
            let answer = api.ask(who, "PATCH", TRIAL, r#"{"savedisk": false}"#);
            assert_eq!(answer.status, status, "{who:?}: {}", answer.text);
            assert!(api.saves_disks().await, "{who:?}");
        }
        for who in [Who::Studly, Who::Admin] {
            for (text, is) in [("false", false), ("true", true)] {
                let body = format!(r#"{{"savedisk": {text}}}"#);
                let answer = api.ask(who, "PATCH", TRIAL, &body);
                assert_eq!(answer.status, 200, "{who:?}: {}", answer.text);
                assert_eq!(answer.json()["savedisk"], is);
                assert_eq!(api.saves_disks().await, is, "{who:?}");
            }
        }
        api.site.db.set_sitevar("swap/exposestatesave", Some("1")).await.unwrap();
        assert_eq!(api.ask(Who::Member, "PATCH", TRIAL, r#"{"savedisk": false}"#).status, 200);
        assert!(!api.saves_disks().await);
        assert_eq!(api.ask(Who::Stranger, "PATCH", TRIAL, r#"{"savedisk": true}"#).status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_said_stays() {
    for api in apis().await {
        for who in [Who::Member, Who::Studly, Who::Admin] {
            for body in ["{}", r#"{"savedisk": null}"#] {
                let answer = api.ask(who, "PATCH", TRIAL, body);
                assert_eq!(answer.status, 200, "{who:?} {body}: {}", answer.text);
                assert!(api.saves_disks().await, "{who:?} {body}");
            }
        }
    }
}

/// A new experiment is no way around it.
#[tokio::test(flavor = "multi_thread")]
async fn nor_is_it_set_at_the_start() {
    for api in apis().await {
        let new = |eid: &str, savedisk: bool| {
            format!(
                r#"{{"pid": "testbed", "eid": "{eid}", "savedisk": {savedisk},
                     "nodes": [{{"vname": "a", "image": "testbed/BASE"}}]}}"#
            )
        };
        let create = |who, body: &str| api.ask(who, "POST", "/api/v1/experiments", body).status;
        assert_eq!(create(Who::Member, &new("one", true)), 403);
        assert_eq!(create(Who::Member, &new("one", false)), 201);
        assert_eq!(create(Who::Studly, &new("two", true)), 201);
    }
}

/// While the experiment has nodes, these get what they need with it, and lose it with it.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_get_what_they_need_for_it() {
    for api in apis().await {
        let swapinfo = api.site.path("proj/testbed/exp/trial/swapinfo");
        let has = || ["a.part", "a.sig"].map(|name| swapinfo.join(name).exists());
        assert_eq!(has(), [false, false]);
        assert_eq!(api.ask(Who::Studly, "PATCH", TRIAL, r#"{"savedisk": true}"#).status, 200);
        assert_eq!(has(), [true, true]);
        std::fs::write(swapinfo.join("a-swap.ndz"), "saved").unwrap();
        assert_eq!(api.ask(Who::Studly, "PATCH", TRIAL, r#"{"savedisk": false}"#).status, 200);
        assert_eq!(has(), [false, false]);
        assert!(swapinfo.join("a-swap.ndz").exists());
    }
}
