//! What is done with an experiment, and what has to be confirmed before.

use boss::access::Trust;
use boss::db::experiments::ExperimentState;
use boss::db::images::Image;
use boss::swapinfo::{Purpose, Scope};

use crate::client::{Web, Who, webs};

const TRIAL: &str = "/experiments/testbed/trial";

async fn state(web: &Web) -> ExperimentState {
    web.site.db.experiment(&web.experiment.id()).await.unwrap().unwrap().state
}

async fn saves_by_command(web: &Web) {
    let command = Some("/usr/local/bin/create-swapimage");
    web.site.db.set_sitevar("swap/swapout_command", command).await.unwrap();
}

/// Whether the browser is sent to a swap's page.
fn leads_to_swap(answer: &crate::client::Answer) -> bool {
    answer.status == 303 && answer.location().starts_with("/swaps/")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swapout_that_loses_disks_has_to_be_confirmed() {
    for web in webs().await {
        let path = format!("{TRIAL}/swapout");
        let page = web.get(Who::Member, &path).text;
        assert!(page.contains("swap/swapout_command is empty"), "{page}");
        saves_by_command(&web).await;
        let page = web.get(Who::Member, &path).text;
        assert!(page.contains("a.part is not in"), "{page}");
        assert!(page.contains("name=\"lost\" value=\"a\""), "{page}");
        for (fields, status) in [
            (vec![], 400),
            (vec![("lost", "a")], 400),
            (vec![("lost", "a"), ("sure", "0")], 400),
            // Others were lost when they confirmed.
            (vec![("lost", "b"), ("sure", "0"), ("sure", "1")], 409),
        ] {
            let answer = web.post(Who::Member, &path, &fields);
            assert_eq!(answer.status, status, "{fields:?}: {}", answer.text);
            assert!(answer.alert().starts_with("Nothing was done"), "{}", answer.alert());
            assert_eq!(state(&web).await, ExperimentState::Active);
        }
        assert_eq!(web.post(Who::Reader, &path, &[("lost", "a"), ("sure", "1")]).status, 403);
        let answer = web.post(Who::Member, &path, &[("lost", "a"), ("sure", "1")]);
        assert!(leads_to_swap(&answer), "{}", answer.text);
        let swaps = web.site.db.swaps_of(&web.experiment.id(), 9).await.unwrap();
        assert_eq!(swaps.first().unwrap().requested_by, Who::Member.login());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swapout_that_saves_all_needs_no_more() {
    for web in webs().await {
        saves_by_command(&web).await;
        let (all, purpose) = (Scope::All, Purpose::Save);
        web.site.swapinfo.collect(&web.experiment, all, purpose).await.unwrap();
        let path = format!("{TRIAL}/swapout");
        let page = web.get(Who::Member, &path).text;
        assert!(page.contains("Disks that are saved") && !page.contains("sure"), "{page}");
        assert!(leads_to_swap(&web.post(Who::Member, &path, &[])));
        assert_eq!(web.get(Who::Member, &path).status, 409);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_firewalled_experiment_nothing_is_saved() {
    for web in webs().await {
        saves_by_command(&web).await;
        let (all, purpose) = (Scope::All, Purpose::Save);
        web.site.swapinfo.collect(&web.experiment, all, purpose).await.unwrap();
        web.site.db.set_firewalled(&web.experiment.id(), true).await.unwrap();
        let page = web.get(Who::Member, &format!("{TRIAL}/swapout")).text;
        assert!(page.contains("the experiment is firewalled"), "{page}");
        assert!(page.contains("name=\"sure\""), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn loading_overwrites_a_disk_only_of_who_knows_it() {
    for web in webs().await {
        let path = format!("{TRIAL}/load");
        let form = |vname, image, sure| [("vname", vname), ("image", image), ("sure", sure)];
        for (fields, status) in [
            (form("a", "testbed/BASE", "0"), 400),
            (form("a", "", "1"), 400),
            (form("a", "theirs/BASE", "1"), 404),
            (form("b", "testbed/BASE", "1"), 404),
        ] {
            let answer = web.post(Who::Member, &path, &fields);
            assert_eq!(answer.status, status, "{fields:?}: {}", answer.text);
            assert!(!answer.alert().is_empty());
            assert_eq!(state(&web).await, ExperimentState::Active);
        }
        assert_eq!(web.post(Who::Reader, &path, &form("a", "testbed/BASE", "1")).status, 403);
        assert!(leads_to_swap(&web.post(Who::Member, &path, &form("a", "testbed/BASE", "1"))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_made_where_somebody_may() {
    for web in webs().await {
        let path = format!("{TRIAL}/capture");
        let form = |place, load, boot| {
            [
                ("vname", "a"),
                ("place", place),
                ("name", "MINE"),
                ("load", load),
                ("boot", boot),
                ("global", "0"),
            ]
        };
        for (who, fields, status) in [
            (Who::Reader, form("testbed/testbed", "2", ""), 403),
            (Who::Member, form("theirs/theirs", "2", ""), 404),
            (Who::Member, form("testbed", "2", ""), 400),
            (Who::Member, form("testbed/testbed", "x", ""), 400),
            (Who::Member, form("testbed/testbed", "2", "3"), 400),
        ] {
            let answer = web.post(who, &path, &fields);
            assert_eq!(answer.status, status, "{who:?} {fields:?}: {}", answer.text);
            assert_eq!(state(&web).await, ExperimentState::Active);
        }
        let mut global = form("testbed/testbed", "2", "");
        global[5] = ("global", "1");
        assert!(!web.get(Who::Member, &path).text.contains("name=\"global\""));
        assert_eq!(web.post(Who::Member, &path, &global).status, 403);
        let answer = web.post(Who::Admin, &path, &global);
        assert!(leads_to_swap(&answer), "{}", answer.text);
    }
}

/// From swapped out over a swapin that can't be to being forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn without_machines_it_can_be_swapped_in_and_removed() {
    for web in webs().await {
        let (db, id) = (&web.site.db, web.experiment.id());
        db.release(&"pc1".parse().unwrap(), &id).await.unwrap();
        let (from, to) = (ExperimentState::Active, ExperimentState::Swapped);
        assert!(db.move_experiment(&id, from, to).await.unwrap());
        let (swapin, remove) = (format!("{TRIAL}/swapin"), format!("{TRIAL}/remove"));
        // Which machine is for administrators to say.
        let chosen = [("vname", "a"), ("machine", "pc1")];
        assert!(!web.get(Who::Member, &swapin).text.contains("pc1"));
        assert!(web.get(Who::Admin, &swapin).text.contains("<option value=\"pc1\">"));
        assert_eq!(web.post(Who::Member, &swapin, &chosen).status, 403);
        let none = web.post(Who::Admin, &swapin, &[("vname", "a"), ("machine", "pc9")]);
        assert_eq!(none.status, 409, "{}", none.text);
        assert!(none.alert().contains("pc9"), "{}", none.alert());
        assert_eq!(state(&web).await, ExperimentState::Swapped);

        assert_eq!(web.post(Who::Member, &remove, &[]).status, 400);
        assert_eq!(web.post(Who::Reader, &remove, &[("sure", "1")]).status, 403);
        assert!(db.experiment(&id).await.unwrap().is_some());
        let answer = web.post(Who::Member, &remove, &[("sure", "1")]);
        assert_eq!((answer.status, answer.location()), (303, "/experiments"), "{}", answer.text);
        assert!(db.experiment(&id).await.unwrap().is_none());
        assert!(web.site.path("proj/testbed/exp/trial/swapinfo").is_dir());
        let page = web.get(Who::Member, "/experiments").text;
        assert!(page.contains("Its files are still in /proj/testbed/exp/trial"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_swaps_in_on_chosen_machines() {
    for web in webs().await {
        let (db, id) = (&web.site.db, web.experiment.id());
        db.release(&"pc1".parse().unwrap(), &id).await.unwrap();
        let (from, to) = (ExperimentState::Active, ExperimentState::Swapped);
        assert!(db.move_experiment(&id, from, to).await.unwrap());
        let fields = [("vname", "a"), ("machine", "pc1")];
        let answer = web.post(Who::Admin, &format!("{TRIAL}/swapin"), &fields);
        assert!(leads_to_swap(&answer), "{}", answer.text);
    }
}

/// A new version takes the place of the newest one, also for those who ask for that.
#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_makes_the_next_version_of_an_image() {
    for web in webs().await {
        let (db, path) = (&web.site.db, format!("{TRIAL}/capture"));
        let (pid, gid) = ("testbed".parse().unwrap(), "sub".parse().unwrap());
        db.set_membership(&Who::Stranger.login(), &pid, &gid, Trust::LocalRoot).await.unwrap();
        let set = async |statement: &str| {
            sqlx::query(statement).execute(db.pool()).await.unwrap();
        };
        let form = |place, name| [("vname", "a"), ("place", place), ("name", name), ("load", "2")];
        set("UPDATE experiments SET gid = 'sub'").await;
        let answer = web.post(Who::Stranger, &path, &form("testbed/sub", "BASE"));
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert!(answer.alert().contains("another group&#39;s"), "{}", answer.alert());
        set("UPDATE experiments SET gid = 'testbed'").await;
        set("UPDATE images SET global = 1").await;
        let answer = web.post(Who::Member, &path, &form("testbed/testbed", "BASE"));
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert!(answer.alert().contains("only administrators"), "{}", answer.alert());
        set("UPDATE images SET global = 0").await;
        let answer = web.post(Who::Member, &path, &form("testbed/testbed", "BASE"));
        assert!(leads_to_swap(&answer), "{}", answer.text);
    }
}

/// The newest version may have been everybody's when the experiment was made.
#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_another_projects_by_now_is_not_loaded() {
    for web in webs().await {
        let (db, id) = (&web.site.db, web.experiment.id());
        db.release(&"pc1".parse().unwrap(), &id).await.unwrap();
        let (from, to) = (ExperimentState::Active, ExperimentState::Swapped);
        assert!(db.move_experiment(&id, from, to).await.unwrap());
        let base = db.image(&"testbed/BASE".parse().unwrap()).await.unwrap().unwrap();
        let theirs = Image { pid: "theirs".parse().unwrap(), ..base };
        db.add_image(&theirs).await.unwrap();
        sqlx::query("UPDATE experiment_nodes SET image_pid = 'theirs', image_version = NULL")
            .execute(db.pool())
            .await
            .unwrap();
        let answer = web.post(Who::Member, &format!("{TRIAL}/swapin"), &[]);
        assert_eq!(answer.status, 404, "{}", answer.text);
        assert!(answer.alert().contains("that project testbed may use"), "{}", answer.alert());
        assert!(db.reservations(&id).await.unwrap().is_empty());
    }
}
