//! The first page: what needs somebody, and whom.

use boss::db::experiments::ExperimentState;
use boss::db::now;
use boss::swap::Kind;

use crate::client::{Web, Who, webs};

const NOTHING: &str = "Nothing needs you";

/// A swap that is over: how it ended, and how its run did.
async fn ended(web: &Web, kind: Kind, outcome: &str, of_run: &str, reason: &str) -> i64 {
    let db = &web.site.db;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO swaps (kind, pid, eid, state, failaction, command, requested_by, \
         requested_at, ended_at, outcome) VALUES ($1, 'testbed', 'trial', 'ended', 'warn', \
         'create-swapimage', 'member', $2, $2, $3) RETURNING id",
    )
    .bind(kind.name())
    .bind(now())
    .bind(outcome)
    .fetch_one(db.pool())
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO runs (swap_id, node_id, vname, job, directory, file_server, boot_limit, \
         work_limit, idle_limit, state, entered_at, outcome, reason) VALUES ($1, 'pc1', 'a', \
         'swapout', '/proj/testbed/exp/trial/swapinfo', 'fs', 1, 1, 1, 'released', $2, $3, $4)",
    )
    .bind(id)
    .bind(now())
    .bind(of_run)
    .bind(reason)
    .execute(db.pool())
    .await
    .unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_saved_comes_first_until_it_is_mended() {
    for web in webs().await {
        assert!(web.get(Who::Member, "/").text.contains(NOTHING));
        let id = ended(&web, Kind::Swapout, "warned", "failed", "no <room> left").await;
        let page = web.get(Who::Member, "/").text;
        assert!(!page.contains(NOTHING), "{page}");
        assert!(page.contains("not all was saved (a): no &#60;room&#62; left"), "{page}");
        assert!(page.contains(&format!("href=\"/swaps/{id}\"")), "{page}");
        assert!(web.get(Who::Stranger, "/").text.contains(NOTHING));
        ended(&web, Kind::Swapin, "done", "done", "").await;
        assert!(web.get(Who::Member, "/").text.contains(NOTHING));
        // A disk that was left out is as lost as one that failed.
        ended(&web, Kind::Swapout, "done", "skipped", "a.part is not there").await;
        let page = web.get(Who::Member, "/").text;
        assert!(page.contains("but a was not: a.part is not there"), "{page}");
        web.site.db.set_savedisk(&web.experiment.id(), false).await.unwrap();
        assert!(web.get(Who::Member, "/").text.contains(NOTHING));
    }
}

/// Nothing else would ever say so.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_has_left_half_way_is_said() {
    for web in webs().await {
        let (db, id) = (&web.site.db, web.experiment.id());
        let (from, to) = (ExperimentState::Active, ExperimentState::Swapping);
        assert!(db.move_experiment(&id, from, to).await.unwrap());
        let said = "swapping, but no swap of it goes on";
        for (who, todo) in
            [(Who::Member, "tell the testbed&#39;s operators"), (Who::Admin, "table")]
        {
            for path in ["/", "/experiments/testbed/trial"] {
                let page = web.get(who, path).text;
                assert!(page.contains(said) && page.contains(todo), "{who:?} {path}: {page}");
            }
            assert!(web.get(who, "/experiments").text.contains("class=\"problem\""));
        }
        assert!(web.get(Who::Stranger, "/").text.contains(NOTHING));
        assert!(db.move_experiment(&id, to, from).await.unwrap());
        assert!(web.get(Who::Member, "/").text.contains(NOTHING));
    }
}

/// What the data base keeps of a capture is not for people.
#[tokio::test(flavor = "multi_thread")]
async fn a_capture_is_of_an_image() {
    for web in webs().await {
        let id = ended(&web, Kind::Capture, "failed", "failed", "no room left").await;
        let command = r#"{"image":"testbed/MINE","gid":"testbed","load_partition":2,"boot_partition":2,"global":false}"#;
        sqlx::query("UPDATE swaps SET command = $2 WHERE id = $1")
            .bind(id)
            .bind(command)
            .execute(web.site.db.pool())
            .await
            .unwrap();
        let page = web.get(Who::Member, "/").text;
        assert!(page.contains("testbed/MINE was not made of a of testbed/trial"), "{page}");
        let page = web.get(Who::Member, &format!("/swaps/{id}")).text;
        assert!(
            page.contains("<dd>testbed/MINE</dd>") && !page.contains("load_partition"),
            "{page}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_and_images_are_administrators() {
    for web in webs().await {
        let db = &web.site.db;
        let page = web.get(Who::Admin, "/").text;
        assert!(page.contains("Boss can&#39;t turn pc1 on and off"), "{page}");
        assert!(!page.contains("has no signature"), "{page}");
        let pc1 = "pc1".parse().unwrap();
        db.set_out_of_service(&pc1, Some("its fan is loud")).await.unwrap();
        sqlx::query("DELETE FROM image_signatures").execute(db.pool()).await.unwrap();
        let page = web.get(Who::Admin, "/").text;
        assert!(page.contains("its fan is loud"), "{page}");
        assert!(page.contains("testbed/BASE:0 has no signature"), "{page}");
        let page = web.get(Who::Leader, "/").text;
        assert!(page.contains(NOTHING) && !page.contains("pc1"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_comes_when_asked() {
    for web in webs().await {
        assert!(web.get(Who::Admin, "/").text.contains("action=\"/doctor\""));
        assert!(!web.get(Who::Leader, "/").text.contains("action=\"/doctor\""));
        assert_eq!(web.post(Who::Leader, "/doctor", &[]).status, 403);
        let page = web.post(Who::Admin, "/doctor", &[]);
        assert_eq!(page.status, 200);
        assert!(page.text.contains("boss can write to"), "{}", page.text);
    }
}
