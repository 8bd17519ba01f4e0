//! Swaps' pages, and how they change while one looks.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use boss::db::now;
use boss::db::swaps::Run;
use boss::swap::{Outcome, RunState, request};
use ureq::http::Request;

use crate::client::{ALL, Web, Who, webs};

const LIMIT: Duration = Duration::from_secs(30);
/// Who decides what becomes of runs, in place of boss' supervisor.
const OWNER: &str = "test";

const COMMAND: &str = "swap/swapout_command";

/// What is sent to who follows a swap.
struct Stream(std::io::Lines<Box<dyn BufRead>>);

/// An event: its name and data.
type Event = (String, String);

impl Stream {
    /// The next event; none, if the stream has ended.
    fn next(&mut self) -> Option<Event> {
        tokio::task::block_in_place(|| {
            let (mut name, mut data) = (String::new(), Vec::new());
            loop {
                let line = self.0.next()?.ok()?;
                if let Some(said) = line.strip_prefix("event: ") {
                    said.clone_into(&mut name);
                } else if let Some(said) = line.strip_prefix("data:") {
                    data.push(said.strip_prefix(' ').unwrap_or(said).to_owned());
                } else if line.is_empty() && !data.is_empty() {
                    return Some((name, data.join("\n")));
                }
            }
        })
    }

    /// The data of the first event that is as wanted.
    fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            let event = self.next().unwrap();
            if wanted(&event) {
                return event.1;
            }
            assert!(Instant::now() < deadline, "it doesn't come; the last was {event:?}");
        }
    }

    fn part(&mut self, has: &str) -> String {
        self.until(|(name, data)| name == "part" && data.contains(has))
    }
}

fn follow(web: &Web, who: Who, id: i64) -> (ureq::http::HeaderMap, Stream) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(LIMIT * 2)).build().into();
    let request = Request::builder()
        .uri(format!("http://{}/swaps/{id}/live", web.server.http()))
        .header("cookie", format!("boss={}", web.key(who)));
    let response = tokio::task::block_in_place(|| agent.run(request.body(()).unwrap())).unwrap();
    assert_eq!(response.status(), 200);
    let (parts, body) = response.into_parts();
    let reader: Box<dyn BufRead> = Box::new(BufReader::new(body.into_reader()));
    (parts.headers, Stream(reader.lines()))
}

/// A swapout that does nothing by itself.
async fn swapout(web: &Web) -> i64 {
    let boss = web.server.boss();
    web.site.db.set_sitevar(COMMAND, Some("create-swapimage -f")).await.unwrap();
    let id = request::swapout(boss, &web.experiment.id(), &Who::Member.login()).await.unwrap();
    sqlx::query("UPDATE swaps SET owner = $2, lease_until = $3 WHERE id = $1")
        .bind(id)
        .bind(OWNER)
        .bind(now() + 10_000)
        .execute(web.site.db.pool())
        .await
        .unwrap();
    id
}

/// Has its only run be something else.
async fn change(web: &Web, id: i64, change: impl Fn(&mut Run)) {
    let mut run = web.site.db.runs(id).await.unwrap().remove(0);
    change(&mut run);
    assert!(web.site.db.decide(OWNER, &run, false).await.unwrap());
}

/// As it is when its node is at work.
fn at_work(run: &mut Run, scanned: u64) {
    run.decision.state = RunState::Working;
    (run.decision.outcome, run.decision.reason) = (None, String::new());
    "save".clone_into(&mut run.decision.progress.phase);
    (run.decision.progress.scanned, run.decision.progress.total) = (scanned, 1000);
}

fn write_log(web: &Web, text: &[u8]) {
    let logs = web.site.path("proj/testbed/exp/trial/swapinfo/logs");
    std::fs::create_dir_all(&logs).unwrap();
    std::fs::write(logs.join("a.20260101T000000Z.log"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_a_swap_sees_what_changes() {
    for web in webs().await {
        let id = swapout(&web).await;
        change(&web, id, |run| at_work(run, 100)).await;
        write_log(&web, b"first words\n");
        let (headers, mut stream) = follow(&web, Who::Reader, id);
        assert_eq!(headers["content-type"], "text/event-stream");
        assert_eq!(headers["x-accel-buffering"], "no");
        let part = stream.part("id=\"nodes\"");
        assert!(part.contains("value=\"10\"") && part.contains("saving"), "{part}");
        change(&web, id, |run| at_work(run, 500)).await;
        stream.part("value=\"50\"");
        // The node says so, and boss has not looked.
        sqlx::query("UPDATE runs SET startstatus = '0' WHERE swap_id = $1")
            .bind(id)
            .execute(web.site.db.pool())
            .await
            .unwrap();
        change(&web, id, |run| run.decision.state = RunState::Verifying).await;
        let part = stream.part("The node says that it has saved its disk");
        assert!(!part.contains("saved and checked"), "{part}");
        write_log(&web, b"first words\nlast words\n");
        stream.part("last words");
        change(&web, id, |run| {
            run.decision.state = RunState::Released;
            run.decision.outcome = Some(Outcome::Failed);
            run.decision.reason = "its <disk> is gone".to_owned();
        })
        .await;
        let part = stream.part("NOT saved");
        assert!(part.contains("its &#60;disk&#62; is gone"), "{part}");
        assert!(web.site.db.end_swap(OWNER, id, "warned").await.unwrap());
        stream.until(|(name, _)| name == "over");
        assert_eq!(stream.next(), None);
        let page = web.get(Who::Reader, &format!("/swaps/{id}")).text;
        assert!(page.contains("Not all disks were saved") && !page.contains("data-live"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_members_see_it_and_only_some_may_cancel() {
    for web in webs().await {
        let id = swapout(&web).await;
        let path = format!("/swaps/{id}");
        for page in ["", "/events"].map(|end| format!("{path}{end}")) {
            for (who, status) in ALL.into_iter().zip([303, 404, 200, 200, 200, 200, 200]) {
                assert_eq!(web.get(who, &page).status, status, "{who:?} {page}");
            }
        }
        for (who, status) in [(Who::Nobody, 303), (Who::Stranger, 404)] {
            let answer = web.get(who, &format!("{path}/live"));
            assert_eq!(answer.status, status);
            assert!(!answer.header("content-type").starts_with("text/event-stream"));
            assert!(!answer.text.contains("pc1"), "{}", answer.text);
        }
        let cancel = format!("{path}/cancel");
        for (who, status) in ALL.into_iter().zip([303, 404, 403, 200, 200, 200, 200]) {
            assert_eq!(web.get(who, &cancel).status, status, "{who:?}");
        }
        let sure = [("sure", "1")];
        assert_eq!(web.post(Who::Stranger, &cancel, &sure).status, 404);
        assert_eq!(web.post(Who::Reader, &cancel, &sure).status, 403);
        let unsure = web.post(Who::Member, &cancel, &[("sure", "0")]);
        assert_eq!((unsure.status, unsure.alert().is_empty()), (400, false));
        assert!(!web.site.db.swap(id).await.unwrap().unwrap().cancelled);
        let answer = web.post(Who::Member, &cancel, &sure);
        assert_eq!((answer.status, answer.location()), (303, path.as_str()));
        assert!(web.site.db.swap(id).await.unwrap().unwrap().cancelled);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_right_to_see_it_and_with_boss() {
    for web in webs().await {
        let id = swapout(&web).await;
        let db = &web.site.db;
        let ends = |mut stream: Stream| while stream.next().is_some() {};
        let (_, mut member) = follow(&web, Who::Reader, id);
        let (_, mut signed_in) = follow(&web, Who::Leader, id);
        let (_, mut other) = follow(&web, Who::Member, id);
        for stream in [&mut member, &mut signed_in, &mut other] {
            stream.part("id=\"nodes\"");
        }
        sqlx::query("DELETE FROM memberships WHERE login = 'reader'")
            .execute(db.pool())
            .await
            .unwrap();
        ends(member);
        let leader = web.key(Who::Leader).to_owned();
        let session = db.session(&leader).await.unwrap().unwrap();
        db.end_session(&session).await.unwrap();
        ends(signed_in);
        // Others go on, to the end of boss.
        change(&web, id, |run| at_work(run, 250)).await;
        other.part("value=\"25\"");
        let Web { server, site: _site, .. } = web;
        server.stop().await;
        ends(other);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_users_write_to_logs_does_nothing() {
    for web in webs().await {
        let id = swapout(&web).await;
        let path = format!("/swaps/{id}");
        write_log(
            &web,
            b"</pre><script>alert(1)</script>\n\x1b[2J\0\xff\n\r\nevent: over\ndata: x\n",
        );
        let page = web.get(Who::Member, &path).text;
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(page.contains("&#60;script&#62;") && page.contains("␛[2J␀"), "{page}");
        let (_, mut stream) = follow(&web, Who::Member, id);
        let part = stream.part("alert(1)");
        assert!(part.contains("event: over\ndata: x") && !part.contains("<script>"), "{part}");
        // What is no log is not read.
        let logs = web.site.path("proj/testbed/exp/trial/swapinfo/logs");
        std::fs::remove_dir_all(&logs).unwrap();
        std::os::unix::fs::symlink("/etc", &logs).unwrap();
        let (_, mut stream) = follow(&web, Who::Member, id);
        assert!(stream.part("can't be read").contains("log-of-a"));
    }
}

/// The machine has no driver: somebody has to turn it off, and to say so.
#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_say_that_a_machine_is_off() {
    for web in webs().await {
        let (boss, db) = (web.server.boss(), &web.site.db);
        db.set_sitevar(COMMAND, Some("create-swapimage -f")).await.unwrap();
        let experiment = db.experiment(&web.experiment.id()).await.unwrap().unwrap();
        web.site
            .swapinfo
            .collect(&experiment, boss::swapinfo::Scope::All, boss::swapinfo::Purpose::Save)
            .await
            .unwrap();
        let id = request::swapout(boss, &experiment.id(), &Who::Member.login()).await.unwrap();
        let (path, off) = (format!("/swaps/{id}"), format!("/swaps/{id}/off/pc1"));
        let (_, mut stream) = follow(&web, Who::Member, id);
        let part = stream.part("before it is known to be off");
        assert!(part.contains("operators") && !part.contains(&off), "{part}");
        assert!(web.get(Who::Admin, &path).text.contains(&off));
        assert!(web.get(Who::Admin, "/").text.contains(&off));
        for who in [Who::Reader, Who::Member, Who::Leader] {
            assert_eq!(web.get(who, &off).status, 403, "{who:?}");
            assert_eq!(web.post(who, &off, &[("sure", "1")]).status, 403, "{who:?}");
        }
        assert_eq!(web.get(Who::Admin, &format!("{path}/off/pc9")).status, 404);
        assert_eq!(web.post(Who::Admin, &off, &[]).status, 400);
        assert!(!db.swap(id).await.unwrap().unwrap().ended);
        let answer = web.post(Who::Admin, &off, &[("sure", "1")]);
        assert_eq!((answer.status, answer.location()), (303, path.as_str()));
        stream.until(|(name, _)| name == "over");
        let page = web.get(Who::Member, &path).text;
        assert!(page.contains("NOT saved") && !page.contains("saved and checked"), "{page}");
        assert!(web.get(Who::Member, "/").text.contains(&path));
        assert!(!web.get(Who::Stranger, "/").text.contains("trial"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_what_one_may_see() {
    for web in webs().await {
        let id = swapout(&web).await;
        let link = format!("/swaps/{id}\"");
        for (who, seen) in [(Who::Stranger, false), (Who::Reader, true), (Who::Admin, true)] {
            for path in ["/swaps", "/swaps?experiment=testbed%2Ftrial", "/"] {
                assert_eq!(web.get(who, path).text.contains(&link), seen, "{who:?} {path}");
            }
        }
        assert!(!web.get(Who::Admin, "/swaps?experiment=testbed%2Fother").text.contains(&link));
        let bad = web.get(Who::Admin, "/swaps?experiment=%3Cb%3E");
        assert_eq!(bad.status, 400);
        assert!(bad.text.contains("&#60;b&#62;") && !bad.text.contains("<b>"), "{}", bad.text);
    }
}

/// Who looks again sees the pace at once: it is not each page's own.
#[tokio::test(flavor = "multi_thread")]
async fn the_pace_is_the_same_for_all() {
    for web in webs().await {
        let id = swapout(&web).await;
        let (_, mut stream) = follow(&web, Who::Reader, id);
        stream.part("id=\"nodes\"");
        for scanned in [100, 200] {
            change(&web, id, |run| at_work(run, scanned)).await;
            stream.part(&format!("value=\"{}\"", scanned / 10));
            tokio::time::sleep(Duration::from_millis(1200)).await;
        }
        let page = web.get(Who::Admin, &format!("/swaps/{id}")).text;
        assert!(page.contains("B/s") && page.contains(" left"), "{page}");
    }
}

/// Else somebody could have all that can be watched at once taken by nodes that aren't there.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_are_not_there_are_not_watched() {
    for web in webs().await {
        let id = swapout(&web).await;
        for number in 0..70 {
            for page in ["", "/live"] {
                let path = format!("/swaps/{id}{page}?node=x{number}");
                assert_eq!(web.get(Who::Reader, &path).status, 404, "{path}");
            }
        }
        follow(&web, Who::Member, id).1.part("id=\"nodes\"");
    }
}

/// A machine that is turned on again afterwards would count as off while it writes.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_says_that_a_machine_is_off_before_it_is_to_be() {
    for web in webs().await {
        let id = swapout(&web).await;
        change(&web, id, |run| at_work(run, 100)).await;
        let off = format!("/swaps/{id}/off/pc1");
        let answer = web.post(Who::Admin, &off, &[("sure", "1")]);
        assert_eq!(answer.status, 409, "{}", answer.text);
        assert!(!web.get(Who::Admin, "/nodes/pc1").text.contains(&off));
        assert!(!web.site.db.runs(id).await.unwrap()[0].signs.seen_off);
        change(&web, id, |run| run.decision.state = RunState::Stopping).await;
        assert!(web.get(Who::Admin, "/nodes/pc1").text.contains(&off));
        assert_eq!(web.post(Who::Admin, &off, &[("sure", "1")]).status, 303);
    }
}
