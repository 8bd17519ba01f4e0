//! Who gets which answer, on each route.

use boss::boot::Key;

use crate::client::{ALL, Api, Who, apis};

/// A route and the status for each of [`ALL`].
type Row = (&'static str, &'static str, &'static str, [u16; 6]);

const ROWS: [Row; 17] = [
    ("GET", "/api/v1/experiments", "", [401, 200, 200, 200, 200, 200]),
    ("GET", "/api/v1/experiments/testbed/trial", "", [401, 404, 200, 200, 200, 200]),
    ("GET", "/api/v1/experiments/testbed/none", "", [401, 404, 404, 404, 404, 404]),
    ("GET", "/api/v1/experiments/testbed/trial/swaps", "", [401, 404, 200, 200, 200, 200]),
    ("PATCH", "/api/v1/experiments/testbed/trial", "{}", [401, 404, 200, 200, 200, 200]),
    ("GET", "/api/v1/swaps/1", "", [401, 404, 404, 404, 404, 404]),
    ("GET", "/api/v1/swaps/1/events", "", [401, 404, 404, 404, 404, 404]),
    ("POST", "/api/v1/swaps/1/cancel", "", [401, 404, 404, 404, 404, 404]),
    // It is swapped in.
    ("POST", "/api/v1/experiments/testbed/trial/swapin", "{}", [401, 404, 403, 409, 409, 409]),
    (
        "POST",
        "/api/v1/experiments/testbed/trial/swapin",
        r#"{"on": {"a": "pc1"}}"#,
        [401, 404, 403, 403, 403, 409],
    ),
    ("GET", "/api/v1/images", "", [401, 200, 200, 200, 200, 200]),
    ("GET", "/api/v1/images/testbed/BASE", "", [401, 404, 200, 200, 200, 200]),
    ("GET", "/api/v1/images/testbed/BASE?version=1", "", [401, 404, 404, 404, 404, 404]),
    ("GET", "/api/v1/nodes", "", [401, 403, 403, 403, 403, 200]),
    ("GET", "/api/v1/nodes/pc1", "", [401, 403, 403, 403, 403, 200]),
    ("GET", "/api/v1/sitevars", "", [401, 200, 200, 200, 200, 200]),
    (
        "PUT",
        "/api/v1/sitevars/swap%2Fswapout_command",
        r#"{"value": "create-swapimage"}"#,
        [401, 403, 403, 403, 403, 200],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_what_is_theirs() {
    for api in apis().await {
        for (method, path, body, statuses) in ROWS {
            for (who, status) in ALL.into_iter().zip(statuses) {
                let answer = api.ask(who, method, path, body);
                assert_eq!(answer.status, status, "{who:?} {method} {path}: {}", answer.text);
                if status >= 400 {
                    assert!(answer.json()["message"].is_string(), "{}", answer.text);
                }
                assert_eq!(answer.headers["x-content-type-options"], "nosniff");
            }
        }
    }
}

/// Of a password boss only says that it is set.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_not_shown() {
    for api in apis().await {
        let db = &api.site.db;
        let mut node = db.node(&"pc1".parse().unwrap()).await.unwrap().unwrap();
        for (key, value) in [("ADDRESS", "10.0.0.9"), ("BMC_PASSWORD", "hush-hush")] {
            node.power_settings.insert(key.to_owned(), value.to_owned());
        }
        node.power_driver = "ipmi".to_owned();
        assert!(db.change_node(&node).await.unwrap());
        for path in ["/api/v1/nodes", "/api/v1/nodes/pc1"] {
            let answer = api.get(Who::Admin, path).text;
            assert!(answer.contains("10.0.0.9") && answer.contains("BMC_PASSWORD"), "{answer}");
            assert!(!answer.contains("hush-hush"), "{answer}");
        }
    }
}

/// A swap is its experiment's: who may not know of that doesn't learn the swap's number either.
#[tokio::test(flavor = "multi_thread")]
async fn a_swap_is_its_projects() {
    for api in apis().await {
        let path = "/api/v1/experiments/testbed/trial/swapout";
        for (who, status) in [(Who::Nobody, 401), (Who::Stranger, 404), (Who::Reader, 403)] {
            assert_eq!(api.ask(who, "POST", path, "").status, status);
        }
        let begun = api.ask(Who::Member, "POST", path, "");
        assert_eq!(begun.status, 202, "{}", begun.text);
        let id = begun.json()["swap"].as_i64().unwrap();
        let path = format!("/api/v1/swaps/{id}");
        for (who, status) in ALL.into_iter().zip([401, 404, 200, 200, 200, 200]) {
            assert_eq!(api.get(who, &path).status, status, "{who:?}");
            assert_eq!(api.get(who, &format!("{path}/events")).status, status, "{who:?}");
        }
        let none = api.get(Who::Stranger, "/api/v1/swaps/999").text;
        let theirs = api.get(Who::Stranger, &path).text;
        assert_eq!(none.replace("999", &id.to_string()), theirs);
        let swap = api.get(Who::Member, &path).json();
        assert_eq!((&swap["kind"], &swap["requested_by"]), (&"swapout".into(), &"member".into()));
        assert_eq!(swap["runs"][0]["vname"], "a");
        let events = api.get(Who::Member, &format!("{path}/events")).json();
        let first = events[0]["id"].as_i64().unwrap();
        let later = api.get(Who::Member, &format!("{path}/events?after={first}")).json();
        assert!(later.as_array().unwrap().iter().all(|one| one["id"].as_i64().unwrap() > first));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_hold_what_one_may_know_of() {
    for api in apis().await {
        for path in ["/api/v1/experiments", "/api/v1/images"] {
            for (who, count) in [(Who::Stranger, 0), (Who::Member, 1), (Who::Admin, 1)] {
                let list = api.get(who, path).json();
                assert_eq!(list.as_array().unwrap().len(), count, "{who:?} {path}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_token_that_counts_is_one() {
    for api in apis().await {
        let login = "admin".parse().unwrap();
        let (key, old) = (Key::generate().unwrap(), Key::generate().unwrap());
        api.site.db.add_token(&key, &login, Some(i64::MAX), "").await.unwrap();
        api.site.db.add_token(&old, &login, Some(1), "").await.unwrap();
        let status = |token: &str| api.ask_as(token, "GET", "/api/v1/nodes", "").status;
        assert_eq!(status(&key.reveal()), 200);
        let digest = key.digest().to_hex();
        for bad in [&old.reveal(), &digest, "x", "' OR 1=1 --", &"x".repeat(4000)] {
            assert_eq!(status(bad), 401, "{bad}");
        }
        let answer = api.get(Who::Nobody, "/api/v1/nodes");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        assert_eq!(answer.kind(), "unauthenticated");
        assert!(api.site.db.revoke_tokens(&login).await.unwrap() > 0);
        assert_eq!(status(&key.reveal()), 401);
    }
}

/// All that the document has, but what is for everybody, needs a token.
#[tokio::test(flavor = "multi_thread")]
async fn no_route_forgets_to_ask() {
    let api: Api = apis().await.remove(0);
    let document = api.get(Who::Nobody, "/api/v1/openapi.json").json();
    let mut count = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let plain = path.replace("{id}", "1").replace(['{', '}'], "");
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            let body = if method == "GET" { "" } else { "{}" };
            let status = api.ask(Who::Nobody, &method, &plain, body).status;
            assert_eq!(status == 401, path.starts_with("/api/"), "{method} {path}: {status}");
            count += 1;
        }
    }
    assert!(count > 15, "{count}");
}

/// Nodes have no tokens, and neither has Prometheus.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_and_watchers_need_no_token() {
    for api in apis().await {
        let script = api.get(Who::Nobody, "/boot/52-54-00-12-34-56");
        assert!(script.status == 200 && script.text.starts_with("#!ipxe"), "{}", script.text);
        assert_eq!(api.get(Who::Nobody, "/mfs/vmlinuz").status, 404);
        assert_eq!(api.get(Who::Nobody, "/healthz").text, "ok\n");
        let metrics = api.get(Who::Nobody, "/metrics");
        assert!(metrics.text.contains("boss_supervisor_look_seconds_count"), "{}", metrics.text);
        assert!(metrics.text.ends_with("# EOF\n"));
    }
}
