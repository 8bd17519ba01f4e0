//! What users set for themselves.

use boss::boot::Key;
use boss::password;

use crate::client::{Web, Who, webs};

const OLD: &str = "an old password of mine";
const NEW: &str = "a new password of mine";

fn token_in(page: &str) -> String {
    let after = page.split_once("id=\"token\" value=\"").unwrap().1;
    after.split('"').next().unwrap().to_owned()
}

fn api_status(web: &Web, token: &str) -> u16 {
    let header = format!("Bearer {token}");
    web.send("GET", "/api/v1/images", &[("authorization", &header)], "").status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once_and_revoked_alone() {
    for web in webs().await {
        let make = |note| {
            let fields = [("days", "7"), ("note", note)];
            let made = web.post(Who::Member, "/me/tokens", &fields);
            assert_eq!(made.status, 200, "{}", made.text);
            token_in(&made.text)
        };
        let (first, second) = (make("for <the> build"), make("for me"));
        assert_eq!((api_status(&web, &first), api_status(&web, &second)), (200, 200));
        let page = web.get(Who::Member, "/me").text;
        assert!(!page.contains(&first) && !page.contains("<the>"), "{page}");
        let id = boss::boot::Digest::of(&first).to_hex()[..12].to_owned();
        assert!(page.contains(&id));
        // It names the token for its user alone.
        let revoke = |who| web.post(who, "/me/tokens/revoke", &[("token", &id)]).status;
        assert_eq!(revoke(Who::Stranger), 404);
        assert_eq!(revoke(Who::Admin), 404);
        assert_eq!(api_status(&web, &first), 200);
        assert_eq!(revoke(Who::Member), 303);
        assert_eq!((api_status(&web, &first), api_status(&web, &second)), (401, 200));
        web.post(Who::Member, "/me/tokens/revoke", &[]);
        assert_eq!(api_status(&web, &second), 200);
        web.post(Who::Member, "/me/tokens/revoke", &[("all", "1")]);
        assert_eq!(api_status(&web, &second), 401);
        for days in ["", "0", "-1", "99999", "x"] {
            let answer = web.post(Who::Member, "/me/tokens", &[("days", days), ("note", "kept")]);
            assert_eq!(answer.status, 400, "{days}");
            assert!(answer.text.contains("value=\"kept\"") && !answer.alert().is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_changed_by_who_knows_it_and_other_sessions_end() {
    for web in webs().await {
        let (db, login) = (&web.site.db, Who::Member.login());
        password::set(db, &login, OLD, None).await.unwrap();
        // Of that, the session of the test is over.
        let (key, other) = (Key::generate().unwrap(), Key::generate().unwrap());
        db.add_session(&key, &login).await.unwrap();
        db.add_session(&other, &login).await.unwrap();
        let cookie = format!("boss={}", key.reveal());
        let csrf = {
            let page = web.send("GET", "/me", &[("cookie", &cookie)], "").text;
            let field = page.split_once("name=\"csrf\" value=\"").unwrap().1;
            field.split('"').next().unwrap().to_owned()
        };
        let change = |old, new, again| {
            let fields = [("csrf", csrf.as_str()), ("old", old), ("new", new), ("again", again)];
            web.send("POST", "/me/password", &[("cookie", &cookie)], &crate::client::form(fields))
        };
        for (old, new, again) in
            [("wrong", NEW, NEW), (OLD, NEW, "another one of mine"), (OLD, "short", "short")]
        {
            let answer = change(old, new, again);
            assert_eq!(answer.status, 400);
            assert!(!answer.alert().is_empty() && !answer.text.contains(new), "{}", answer.text);
        }
        assert!(password::is(db, &login, OLD).await.unwrap());
        assert_eq!(change(OLD, NEW, NEW).status, 303);
        assert!(password::is(db, &login, NEW).await.unwrap());
        assert!(db.session(&other.reveal()).await.unwrap().is_none());
        assert!(db.session(&key.reveal()).await.unwrap().is_some());
        // Who has the session can't guess on for ever.
        assert!((0..12).any(|_| change("wrong", NEW, NEW).status == 429));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_zone_is_one_of_the_list() {
    for web in webs().await {
        let set = |zone| web.post(Who::Member, "/me/time-zone", &[("time_zone", zone)]);
        assert_eq!(set("Asia/Tokyo").status, 303);
        assert!(web.get(Who::Member, "/images").text.contains("JST"));
        for bad in ["Mars/Olympus", "../etc/passwd"] {
            assert_eq!(set(bad).status, 400);
        }
        web.post(Who::Member, "/me/time-zone", &[]);
        assert!(web.get(Who::Member, "/images").text.contains("JST"));
        assert_eq!(set("").status, 303);
        assert!(web.get(Who::Member, "/images").text.contains("data-local"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_everywhere_ends_ones_own_sessions_alone() {
    for web in webs().await {
        let answer = web.post(Who::Member, "/me/sessions/end", &[("login", "admin")]);
        assert_eq!(answer.location(), "/signin");
        assert_eq!(web.get(Who::Member, "/me").status, 303);
        assert_eq!(web.get(Who::Admin, "/me").status, 200);
    }
}
