//! Signing in and out.

use boss::password;

use crate::client::{Web, Who, form, webs};

const PASSWORD: &str = "correct horse battery";

/// Signs in; the reply.
fn sign_in(web: &Web, login: &str, password: &str, next: &str) -> crate::client::Answer {
    let body = form([("login", login), ("password", password), ("next", next)]);
    web.send("POST", "/signin", &[], &body)
}

async fn with_password() -> Vec<Web> {
    let webs = webs().await;
    for web in &webs {
        password::set(&web.site.db, &Who::Member.login(), PASSWORD, None).await.unwrap();
    }
    webs
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_password_gets_in_and_out_again() {
    for web in with_password().await {
        let asked = web.send("GET", "/experiments?text=a", &[], "");
        assert_eq!(
            (asked.status, asked.location()),
            (303, "/signin?next=%2Fexperiments%3Ftext%3Da")
        );
        let form = web.send("GET", asked.location(), &[], "");
        assert!(form.text.contains("value=\"/experiments?text=a\""), "{}", form.text);

        let answer = sign_in(&web, "member", PASSWORD, "/experiments?text=a");
        assert_eq!((answer.status, answer.location()), (303, "/experiments?text=a"));
        let cookie = answer.header("set-cookie");
        assert!(cookie.ends_with("; HttpOnly; SameSite=Lax; Path=/"), "{cookie}");
        let key = cookie.split(';').next().unwrap();
        let page = web.send("GET", "/", &[("cookie", key)], "");
        assert_eq!(page.status, 200);
        assert!(page.text.contains(">member</a>"), "{}", page.text);

        let csrf = page.text.split_once("name=\"csrf\" value=\"").unwrap().1;
        let body = crate::client::form([("csrf", csrf.split('"').next().unwrap())]);
        let out = web.send("POST", "/signout", &[("cookie", key)], &body);
        assert_eq!((out.status, out.location()), (303, "/signin"));
        assert!(out.header("set-cookie").contains("Max-Age=0"), "{}", out.header("set-cookie"));
        // The key is worth nothing, also to somebody who has kept it.
        assert_eq!(web.send("GET", "/", &[("cookie", key)], "").status, 303);
    }
}

/// Else the session before would be forgotten, and still count.
#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_again_has_one_session() {
    for web in with_password().await {
        let key = |answer: &crate::client::Answer| {
            answer.header("set-cookie").split(';').next().unwrap().to_owned()
        };
        let first = key(&sign_in(&web, "member", PASSWORD, "/"));
        assert_eq!(web.send("GET", "/", &[("cookie", &first)], "").status, 200);
        let body = form([("login", "member"), ("password", PASSWORD)]);
        let second = key(&web.send("POST", "/signin", &[("cookie", &first)], &body));
        assert_eq!(web.send("GET", "/", &[("cookie", &second)], "").status, 200);
        assert_eq!(web.send("GET", "/", &[("cookie", &first)], "").status, 303);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_others_get_the_same_answer() {
    for web in with_password().await {
        let wrong = sign_in(&web, "member", "incorrect horse", "/");
        assert_eq!(wrong.status, 403);
        assert!(wrong.alert().contains("don&#39;t fit"), "{}", wrong.alert());
        for (login, password) in [
            ("nobody", PASSWORD),
            ("reader", PASSWORD),
            ("reader", ""),
            ("", ""),
            ("member'--", PASSWORD),
            ("member", &"x".repeat(5000)),
            ("<script>", "x"),
        ] {
            let answer = sign_in(&web, login, password, "/");
            assert_eq!(answer.status, 403, "{login}");
            assert_eq!(answer.alert(), wrong.alert(), "{login}");
            assert_eq!(answer.header("set-cookie"), "", "{login}");
            assert!(!answer.text.contains("<script>\""), "{}", answer.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_ends_soon() {
    for web in with_password().await {
        let session = sign_in(&web, "member", PASSWORD, "/");
        let session = session.header("set-cookie").split(';').next().unwrap().to_owned();
        let guess = || sign_in(&web, "member", "guess of the day", "/").status;
        // Slow computations give the limit time to allow some more.
        let guesses = (0..100).take_while(|_| guess() == 403).count();
        assert!((9..50).contains(&guesses), "{guesses}");
        // Also with the password: else an answer would tell that it was the right one.
        let right = sign_in(&web, "member", PASSWORD, "/");
        assert_eq!((right.status, right.header("retry-after")), (429, "60"));
        // Whose password it is can go on where they are signed in.
        assert_eq!(web.send("GET", "/", &[("cookie", &session)], "").status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_tls_the_cookie_never_goes_in_the_clear() {
    for web in with_password().await {
        let body = form([("login", "member"), ("password", PASSWORD)]);
        let tls = [("x-forwarded-proto", "https"), ("x-forwarded-for", "192.0.2.1")];
        let answer = web.send("POST", "/signin", &tls, &body);
        let cookie = answer.header("set-cookie");
        assert!(cookie.starts_with("__Host-boss="), "{cookie}");
        assert!(cookie.contains("; Secure"), "{cookie}");
        assert!(answer.header("strict-transport-security").starts_with("max-age="));
        let key = cookie.split(';').next().unwrap();
        let with = |cookie: &str| {
            let headers = [("cookie", cookie), tls[0], tls[1]];
            web.send("GET", "/", &headers, "").status
        };
        assert_eq!(with(key), 200);
        // One of the other name a host beside ours can have set.
        assert_eq!(with(&key.replace("__Host-", "")), 303);
    }
}

/// What a browser never sends is answered by a page, too.
#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_answered_by_a_page() {
    for web in webs().await {
        for path in ["/signin?next=/&next=/", "/experiments?q=a&q=b", "/swaps?before=1&before=2"] {
            let answer = web.get(Who::Member, path);
            assert_eq!(answer.status, 400, "{path}");
            assert!(answer.alert().contains("question mark"), "{path}: {}", answer.text);
        }
        for path in ["/swaps/%FF", "/experiments/%FF/x", "/experiments/testbed/trial/disks/%FF"] {
            let answer = web.get(Who::Member, path);
            assert_eq!(answer.status, 404, "{path}");
            assert!(answer.alert().contains("no such page"), "{path}: {}", answer.text);
        }
        let large = web.send("POST", "/signin", &[], &"x".repeat(9000));
        assert_eq!(large.status, 413);
        assert!(large.alert().contains("Sign in"), "{}", large.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_ends_all_sessions() {
    for web in webs().await {
        assert_eq!(web.get(Who::Member, "/").status, 200);
        password::set(&web.site.db, &Who::Member.login(), "another horse battery", None)
            .await
            .unwrap();
        assert_eq!(web.get(Who::Member, "/").status, 303);
        assert_eq!(sign_in(&web, "member", PASSWORD, "/").status, 403);
        assert_eq!(sign_in(&web, "member", "another horse battery", "/").status, 303);
        let short = password::set(&web.site.db, &Who::Member.login(), "short", None).await;
        assert!(short.unwrap_err().to_string().contains("at least 12"));
    }
}

/// A session that nobody uses ends, and every one does in the end.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_by_themselves() {
    for web in webs().await {
        for (column, ago) in [("seen_at", 13 * 3600), ("created_at", 8 * 24 * 3600)] {
            let who = if column == "seen_at" { Who::Member } else { Who::Reader };
            assert_eq!(web.get(who, "/").status, 200);
            let update = format!("UPDATE sessions SET {column} = {column} - $2 WHERE login = $1");
            let update = sqlx::query(&update).bind(who.login().to_string()).bind(i64::from(ago));
            update.execute(web.site.db.pool()).await.unwrap();
            assert_eq!(web.get(who, "/").status, 303, "{column}");
        }
    }
}

/// Nobody can put a link to us into a message that leads on to somewhere else.
#[tokio::test(flavor = "multi_thread")]
async fn one_is_led_to_our_pages_only() {
    for web in with_password().await {
        for next in ["//evil.example/", "https://evil.example/", "/\\evil.example"] {
            assert_eq!(sign_in(&web, "member", PASSWORD, next).location(), "/");
        }
    }
}
