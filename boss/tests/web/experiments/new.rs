//! Making an experiment.

use crate::client::{Who, webs};

const NEW: &str = "/experiments/new";

#[tokio::test(flavor = "multi_thread")]
async fn a_row_more_keeps_what_was_typed() {
    for web in webs().await {
        let fields = [
            ("pid", "testbed"),
            ("gid", "sub"),
            ("eid", "made <b>"),
            ("savedisk", "0"),
            ("savedisk", "1"),
            ("firewalled", "0"),
            ("firewalled", "1"),
            ("vname", "one"),
            ("image", "testbed/BASE"),
            ("role", "node"),
            ("vname", ""),
            ("image", ""),
            ("role", "delaynode"),
            ("do", "row"),
        ];
        let page = web.post(Who::Studly, NEW, &fields);
        assert_eq!((page.status, page.alert()), (200, ""), "{}", page.text);
        for kept in [
            "<option selected>sub</option>",
            "value=\"made &#60;b&#62;\"",
            "value=\"one\"",
            "<option value=\"testbed/BASE\" selected>",
            "value=\"delaynode\"",
            "name=\"savedisk\" value=\"1\" aria-describedby=\"savedisk-help\" checked",
            "name=\"firewalled\" value=\"1\" aria-describedby=\"firewalled-help\" checked",
        ] {
            assert!(page.text.contains(kept), "{kept}: {}", page.text);
        }
        assert_eq!(page.text.matches("name=\"vname\"").count(), 3);
        assert_eq!(web.site.db.experiments().await.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_made_with_what_the_form_says() {
    for web in webs().await {
        let fields = [
            ("pid", "testbed"),
            ("groups_of", "testbed"),
            ("gid", "sub"),
            ("eid", "made"),
            ("savedisk", "0"),
            ("savedisk", "1"),
            ("vname", "one"),
            ("image", "testbed/BASE:0"),
            ("role", ""),
            ("vname", "two"),
            ("image", ""),
            ("role", "delaynode"),
            ("vname", ""),
            ("image", "testbed/BASE"),
            ("role", "node"),
        ];
        let answer = web.post(Who::Studly, NEW, &fields);
        let made = (answer.status, answer.location());
        assert_eq!(made, (303, "/experiments/testbed/made"), "{}", answer.text);
        let id = "testbed/made".parse().unwrap();
        let experiment = web.site.db.experiment(&id).await.unwrap().unwrap();
        let (gid, creator) = (experiment.gid.as_str(), experiment.creator.as_str());
        assert_eq!((gid, creator, experiment.savedisk), ("sub", "studly", true));
        let nodes = web.site.db.wanted_nodes(&id).await.unwrap();
        let nodes: Vec<_> = nodes.iter().map(|node| (node.vname.as_str(), &*node.erole)).collect();
        assert_eq!(nodes, [("one", "node"), ("two", "delaynode")]);
        assert!(web.site.path("groups/testbed/sub/exp/made/swapinfo").is_dir());
        let page = web.get(Who::Studly, "/experiments/testbed/made").text;
        assert!(page.contains("testbed/made is made"), "{page}");
    }
}

/// The originals asked only when they showed the form.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_set_it_sees_no_state_saving_and_can_not_ask_for_it() {
    for web in webs().await {
        let label = "Save disk state on swapout";
        assert!(web.get(Who::Studly, NEW).text.contains(label));
        assert!(!web.get(Who::Member, NEW).text.contains(label));
        let fields = [("pid", "testbed"), ("eid", "made"), ("vname", "a"), ("savedisk", "1")];
        let answer = web.post(Who::Member, NEW, &fields);
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert!(answer.alert().contains("studly"), "{}", answer.alert());
        assert_eq!(web.site.db.experiments().await.unwrap().len(), 1);
        web.site.db.set_sitevar("swap/exposestatesave", Some("1")).await.unwrap();
        assert!(web.get(Who::Member, NEW).text.contains(label));
        assert_eq!(web.post(Who::Member, NEW, &fields).status, 303);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_said_and_kept() {
    for web in webs().await {
        let form = |eid, vname, image| {
            [("pid", "testbed"), ("eid", eid), ("vname", vname), ("image", image), ("role", "node")]
        };
        for (eid, vname, image, status, why) in [
            ("", "a", "", 400, "Name: it is empty"),
            ("-x", "a", "", 400, "Name: "),
            ("made", "", "", 400, "1 to 1000 nodes"),
            ("made", "a b", "", 400, "Name of a b"),
            ("made", "a", "testbed/NONE", 404, "testbed/NONE"),
            ("trial", "a", "", 409, "already"),
        ] {
            let answer = web.post(Who::Member, NEW, &form(eid, vname, image));
            assert_eq!(answer.status, status, "{eid} {vname} {image}: {}", answer.text);
            assert!(answer.alert().contains(why), "{why}: {}", answer.alert());
            assert!(answer.text.contains(&format!("value=\"{vname}\"")), "{}", answer.text);
            assert!(answer.text.contains(&format!("id=\"eid\" name=\"eid\" value=\"{eid}\"")));
        }
        assert_eq!(web.site.db.experiments().await.unwrap().len(), 1);
    }
}
