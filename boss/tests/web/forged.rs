//! Forms that don't come from our pages, and pages in other people's frames.

use crate::client::{Who, form, webs};

const OUT: &str = "/signout";

#[tokio::test(flavor = "multi_thread")]
async fn forms_of_others_do_nothing() {
    for web in webs().await {
        let cookie = format!("boss={}", web.key(Who::Member));
        let (ours, others) = (web.csrf(Who::Member), web.csrf(Who::Leader));
        assert_ne!(ours, others);
        let (good, other, none) =
            (form([("csrf", ours.as_str())]), form([("csrf", others.as_str())]), "");
        let tries: [(&[(&str, &str)], &str); 6] = [
            (&[], none),
            (&[], "csrf="),
            (&[], &other),
            (&[("sec-fetch-site", "cross-site")], &good),
            (&[("sec-fetch-site", "same-site")], &good),
            (&[("origin", "https://evil.example")], &good),
        ];
        for (headers, body) in tries {
            let mut headers = headers.to_vec();
            headers.push(("cookie", &cookie));
            let answer = web.send("POST", OUT, &headers, body);
            assert_eq!(answer.status, 403, "{headers:?} {body}");
            assert!(answer.alert().contains("nothing was done"), "{}", answer.text);
            assert_eq!(web.get(Who::Member, "/").status, 200, "still signed in");
        }
        // Nor does a form without a session, or one that is no form.
        assert_eq!(web.send("POST", OUT, &[], &good).status, 401);
        let large = form([("csrf", ours.as_str()), ("x", &"y".repeat(256 << 10))]);
        let headers = [("cookie", cookie.as_str())];
        assert_eq!(web.send("POST", OUT, &headers, &large).status, 413);
        assert_eq!(web.send("POST", OUT, &headers, &good).status, 303);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_is_not_forged_either() {
    for web in webs().await {
        let body = form([("login", "member"), ("password", "x")]);
        let headers = [("sec-fetch-site", "cross-site")];
        let answer = web.send("POST", "/signin", &headers, &body);
        assert_eq!(answer.status, 403);
        assert!(answer.alert().contains("another site"), "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reply_says_what_browsers_may_do_with_it() {
    for web in webs().await {
        for (who, path) in [
            (Who::Nobody, "/signin"),
            (Who::Nobody, "/"),
            (Who::Nobody, "/static/boss.css"),
            (Who::Member, "/"),
            (Who::Member, "/none"),
            (Who::Member, "/signout"),
        ] {
            let answer = web.get(who, path);
            let policy = answer.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none';"), "{path}: {policy}");
            assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
            assert!(!policy.contains("unsafe"), "{path}: {policy}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
            // What was seen behind a session is in no cache.
            let is_asset = path.starts_with("/static/");
            assert_eq!(answer.header("cache-control") == "no-store", !is_asset, "{path}");
        }
    }
}
