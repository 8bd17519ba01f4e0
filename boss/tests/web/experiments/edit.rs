//! Changing an experiment. The originals took a field that wasn't sent for "no".

use boss::db::experiments::ExperimentState;

use crate::client::{Web, Who, webs};

const EDIT: &str = "/experiments/testbed/trial/edit";

/// Gives its machine back.
async fn swap_out(web: &Web) {
    let (db, id) = (&web.site.db, web.experiment.id());
    db.release(&"pc1".parse().unwrap(), &id).await.unwrap();
    let (from, to) = (ExperimentState::Active, ExperimentState::Swapped);
    assert!(db.move_experiment(&id, from, to).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_the_field_changes_nothing() {
    for web in webs().await {
        for who in [Who::Member, Who::Studly, Who::Admin] {
            let answer = web.post(who, EDIT, &[]);
            assert_eq!(answer.status, 303, "{}", answer.text);
            assert!(web.saves_disks().await, "{who:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_sets_state_saving() {
    for web in webs().await {
        let label = "Save disk state on swapout";
        for (who, sees) in [(Who::Member, false), (Who::Leader, false), (Who::Studly, true)] {
            assert_eq!(web.get(who, EDIT).text.contains(label), sees, "{who:?}");
            if !sees {
                let answer = web.post(who, EDIT, &[("savedisk", "0")]);
                assert_eq!(answer.status, 403, "{who:?}");
                assert!(answer.alert().contains("studly"), "{}", answer.alert());
                assert!(web.saves_disks().await, "{who:?}");
            }
        }
        assert_eq!(web.post(Who::Studly, EDIT, &[("savedisk", "0")]).status, 303);
        assert!(!web.saves_disks().await);
        let on = [("savedisk", "0"), ("savedisk", "1")];
        assert_eq!(web.post(Who::Studly, EDIT, &on).status, 303);
        assert!(web.saves_disks().await);
    }
}

/// While it has machines, they get what they need, and lose it; what was saved stays.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_get_what_they_need_for_it() {
    for web in webs().await {
        let swapinfo = web.site.path("proj/testbed/exp/trial/swapinfo");
        let has = || ["a.part", "a.sig"].map(|name| swapinfo.join(name).exists());
        assert_eq!(web.post(Who::Studly, EDIT, &[("savedisk", "0")]).status, 303);
        assert_eq!(has(), [false, false]);
        assert_eq!(web.post(Who::Studly, EDIT, &[("savedisk", "1")]).status, 303);
        assert_eq!(has(), [true, true]);
        std::fs::write(swapinfo.join("a-swap.ndz"), "saved").unwrap();
        assert_eq!(web.post(Who::Studly, EDIT, &[("savedisk", "0")]).status, 303);
        assert_eq!(has(), [false, false]);
        assert!(swapinfo.join("a-swap.ndz").exists());
        let page = web.get(Who::Studly, "/experiments/testbed/trial").text;
        assert!(page.contains("disks that were saved before are kept"), "{page}");
        // One that can't be saved is named, and why.
        let id = web.experiment.id();
        let vname = "b".parse().unwrap();
        web.site.node(2, &web.experiment, "b", "node").await;
        let answer = web.post(Who::Studly, EDIT, &[("savedisk", "1")]);
        assert_eq!(answer.status, 200);
        assert!(answer.alert().starts_with("1 of 2 nodes can't be saved"), "{}", answer.text);
        assert!(answer.text.contains("nobody knows what it boots"), "{}", answer.text);
        assert!(web.saves_disks().await);
        let held = web.site.db.reservations(&id).await.unwrap();
        assert!(held.iter().any(|node| node.vname == vname));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_and_firewall_can_be_changed_while_it_is_swapped_out() {
    for web in webs().await {
        let id = web.experiment.id();
        let form = [
            ("firewalled", "0"),
            ("firewalled", "1"),
            ("vname", "b"),
            ("image", ""),
            ("role", "node"),
            ("vname", "a"),
            ("image", "testbed/BASE:0"),
            ("role", "node"),
        ];
        // Who could take the firewall away before a swapout could carry out what is behind it.
        let answer = web.post(Who::Member, EDIT, &form);
        assert_eq!(answer.status, 409, "{}", answer.text);
        assert!(!web.get(Who::Member, EDIT).text.contains("name=\"vname\""));
        swap_out(&web).await;
        assert!(web.get(Who::Member, EDIT).text.contains("name=\"vname\" value=\"a\""));
        assert_eq!(web.post(Who::Member, EDIT, &form).status, 303);
        let experiment = web.site.db.experiment(&id).await.unwrap().unwrap();
        assert!(experiment.firewalled && experiment.savedisk);
        let nodes = web.site.db.wanted_nodes(&id).await.unwrap();
        let nodes: Vec<_> = nodes
            .iter()
            .map(|node| (node.vname.as_str(), node.image.as_ref().map(ToString::to_string)))
            .collect();
        assert_eq!(nodes, [("a", Some("testbed/BASE:0".to_owned())), ("b", None)]);
        // What can't be is said, and nothing of it is done.
        let bad = [("firewalled", "0"), ("vname", "a"), ("image", "theirs/NONE"), ("role", "node")];
        assert_eq!(web.post(Who::Member, EDIT, &bad).status, 404);
        assert!(web.site.db.experiment(&id).await.unwrap().unwrap().firewalled);
        assert_eq!(web.site.db.wanted_nodes(&id).await.unwrap().len(), 2);
        assert_eq!(web.post(Who::Reader, EDIT, &form).status, 403);
    }
}

/// Each row is shown with all images: so many with one each of their own would fill the memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_many_rows_is_refused_and_short() {
    for web in webs().await {
        swap_out(&web).await;
        let names: Vec<_> = (0..3000).map(|number| format!("n{number}")).collect();
        let images: Vec<_> = (0..3000).map(|number| format!("testbed/X{number}")).collect();
        let rows = names.iter().zip(&images);
        let form: Vec<_> = rows
            .flat_map(|(name, image)| [("vname", name.as_str()), ("image", image.as_str())])
            .collect();
        let answer = web.post(Who::Member, EDIT, &form);
        assert_eq!(answer.status, 400, "{}", answer.alert());
        assert!(answer.alert().contains("1 to 1000 nodes"), "{}", answer.alert());
        assert!(answer.text.len() < 3 << 20, "{}", answer.text.len());
        // An image that can't be chosen stays where it was.
        let form = [("do", "row"), ("vname", "a"), ("image", "testbed/GONE")];
        let page = web.post(Who::Member, EDIT, &form).text;
        assert!(page.contains("<option value=\"testbed/GONE\" selected>"), "{page}");
    }
}
