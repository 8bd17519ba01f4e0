//! Machines: what is known of them, their secrets, their power.

use std::fs;

use boss::names::NodeId;

use crate::client::{Web, Who, webs};
use crate::support::write_script;

/// Notes what it is asked for.
const DRIVER: &str = "#!/bin/sh\necho \"$2\" >>\"${0%/*}/log\"\n[ \"$2\" != status ] || echo on\n";

fn drivers(web: &Web) {
    let directory = web.site.path("power");
    fs::create_dir(&directory).unwrap();
    write_script(&directory.join("fake"), DRIVER);
    write_script(&directory.join("broken"), "#!/bin/sh\necho no route to the BMC >&2\nexit 3\n");
    fs::write(directory.join("README.md"), "").unwrap();
}

fn log(web: &Web) -> String {
    fs::read_to_string(web.site.path("power/log")).unwrap_or_default()
}

async fn settings(web: &Web, node_id: &str) -> Vec<String> {
    let node_id: NodeId = node_id.parse().unwrap();
    let node = web.site.db.node(&node_id).await.unwrap().unwrap();
    node.power_settings.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

fn add(web: &Web, more: &[(&str, &str)]) -> crate::client::Answer {
    let base = [("node_id", "pc7"), ("mac", "52:54:00:00:00:07"), ("ip", "10.0.1.7")];
    let fields: Vec<_> = base.into_iter().chain(more.iter().copied()).collect();
    web.post(Who::Admin, "/nodes/new", &fields)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_never_shown_and_stays_until_another_is_typed() {
    for web in webs().await {
        drivers(&web);
        let form = web.get(Who::Admin, "/nodes/new").text;
        assert!(form.contains("<option>fake</option>") && !form.contains("README"), "{form}");
        let with = [("driver", "fake"), ("settings", "ADDRESS=10.9.0.7\r\nPASSWORD=hush hush\r\n")];
        let added = add(&web, &[with[0], with[1], ("disk", "sda"), ("boots", "1")]);
        assert_eq!(added.location(), "/nodes/pc7", "{}", added.text);
        assert!(web.site.db.disks(&"pc7".parse().unwrap()).await.unwrap()[0].boots);
        for path in ["/nodes", "/nodes/pc7", "/nodes/pc7/edit"] {
            let page = web.get(Who::Admin, path).text;
            assert!(!page.contains("hush"), "{path}: {page}");
        }
        let edit = |fields: &[(&str, &str)]| web.post(Who::Admin, "/nodes/pc7/edit", fields).status;
        assert_eq!(edit(&[]), 303);
        assert_eq!(settings(&web, "pc7").await, ["ADDRESS=10.9.0.7", "PASSWORD=hush hush"]);
        assert_eq!(edit(&[("settings", "USER=boss"), ("secret-PASSWORD", "")]), 303);
        assert_eq!(settings(&web, "pc7").await, ["PASSWORD=hush hush", "USER=boss"]);
        assert_eq!(edit(&[("secret-PASSWORD", "other")]), 303);
        assert_eq!(settings(&web, "pc7").await, ["PASSWORD=other", "USER=boss"]);
        assert_eq!(edit(&[("forget-PASSWORD", "1")]), 303);
        assert_eq!(settings(&web, "pc7").await, ["USER=boss"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_told_and_stays_in_the_form() {
    for web in webs().await {
        for (field, value, status, why) in [
            ("mac", "52:54", 400, "Network card: "),
            ("ip", "10.0.0", 400, "Address: "),
            ("driver", "../x", 400, "not the name of a power driver"),
            ("settings", "no pair", 400, "Settings: "),
            ("disk", "s/da", 400, "disk&#39;s name"),
            ("node_id", "pc 7", 400, "Name: "),
            ("node_id", "new", 400, "no node is called new"),
            ("node_id", "pc1", 409, "there is a node pc1"),
            ("mac", "52:54:00:00:00:01", 409, "52:54:00:00:00:01"),
        ] {
            // Of a field that is there twice the last counts.
            let answer = add(&web, &[(field, value)]);
            assert_eq!(answer.status, status, "{field}={value}: {}", answer.text);
            assert!(answer.alert().contains(why), "{}", answer.alert());
            assert!(answer.text.contains(value), "{field}={value}");
        }
        assert!(web.site.db.node(&"pc7".parse().unwrap()).await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiments_machine_is_only_cut_off_by_who_says_so() {
    for web in webs().await {
        drivers(&web);
        let act = |fields: &[(&str, &str)]| web.post(Who::Admin, "/nodes/pc1/power", fields);
        // It has no driver.
        assert_eq!(act(&[("do", "status")]).status, 409);
        let fields = [("driver", "fake"), ("settings", "")];
        assert_eq!(web.post(Who::Admin, "/nodes/pc1/edit", &fields).status, 303);
        assert_eq!(act(&[("do", "status")]).status, 303);
        assert!(web.get(Who::Admin, "/nodes/pc1").text.contains("pc1 is on."));
        for what in ["on", "off", "cycle"] {
            let answer = act(&[("do", what)]);
            assert_eq!(answer.status, 409);
            assert!(answer.alert().contains("testbed/trial"), "{}", answer.alert());
        }
        assert_eq!(act(&[("do", "explode"), ("confirm", "1")]).status, 400);
        assert_eq!(log(&web), "status\n");
        assert_eq!(act(&[("do", "cycle"), ("confirm", "1")]).status, 303);
        assert_eq!(log(&web), "status\ncycle\n");
        assert_eq!(web.post(Who::Leader, "/nodes/pc1/power", &[("do", "status")]).status, 403);
        let fields = [("driver", "broken")];
        assert_eq!(web.post(Who::Admin, "/nodes/pc1/edit", &fields).status, 303);
        let answer = act(&[("do", "status")]);
        assert_eq!(answer.status, 502);
        assert!(answer.alert().contains("no route to the BMC"), "{}", answer.alert());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swaps_machine_needs_that_very_swap_to_be_named() {
    for web in webs().await {
        drivers(&web);
        let fields = [("driver", "broken"), ("settings", "")];
        web.post(Who::Admin, "/nodes/pc1/edit", &fields);
        let (id, login) = (web.experiment.id(), Who::Admin.login());
        let swap = boss::swap::request::swapout(web.server.boss(), &id, &login).await.unwrap();
        let swap = swap.to_string();
        if web.site.db.run_of_node(&"pc1".parse().unwrap()).await.unwrap().is_none() {
            // There was nothing to do.
            continue;
        }
        let act = |fields: &[(&str, &str)]| web.post(Who::Admin, "/nodes/pc1/power", fields).status;
        assert_eq!(act(&[("do", "off"), ("confirm", "1")]), 409);
        assert_eq!(act(&[("do", "off"), ("confirm", "1"), ("swap", "0")]), 409);
        assert_eq!(act(&[("do", "off"), ("swap", &swap)]), 409);
        // The driver is asked, and fails.
        assert_eq!(act(&[("do", "off"), ("confirm", "1"), ("swap", &swap)]), 502);
        let page = web.get(Who::Admin, "/nodes/pc1").text;
        assert!(page.contains(&format!("/swaps/{swap}")), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn service_disks_and_the_end_of_a_machine() {
    for web in webs().await {
        assert_eq!(add(&web, &[("disk", "sda"), ("boots", "1"), ("serial", "S1")]).status, 303);
        let service = |fields: &[(&str, &str)]| web.post(Who::Admin, "/nodes/pc7/service", fields);
        assert_eq!(service(&[("do", "out"), ("why", " ")]).status, 400);
        assert_eq!(service(&[("do", "out"), ("why", "a <fan>")]).status, 303);
        // The other one has none any more.
        let driver = [("driver", "fake")];
        assert_eq!(web.post(Who::Admin, "/nodes/pc1/edit", &driver).status, 303);
        let list = web.get(Who::Admin, "/nodes").text;
        assert!(list.contains("a &#60;fan&#62;"), "{list}");
        assert!(list.find("/nodes/pc7") < list.find("/nodes/pc1"), "problems come first");
        assert_eq!(service(&[("do", "in")]).status, 303);

        let disk = |fields: &[(&str, &str)]| web.post(Who::Admin, "/nodes/pc7/disks", fields);
        assert_eq!(disk(&[("disk", "sdb"), ("boots", "1"), ("bytes", "1000")]).status, 303);
        // What a form doesn't have stays; an empty text is none any more.
        assert_eq!(disk(&[("disk", "sda"), ("wwn", "0x5000")]).status, 303);
        let node_id = "pc7".parse().unwrap();
        let disks = web.site.db.disks(&node_id).await.unwrap();
        assert_eq!((disks[0].name.as_str(), disks[0].bytes), ("sdb", Some(1000)));
        assert_eq!((disks[1].boots, disks[1].serial.as_deref()), (false, Some("S1")));
        assert_eq!(disk(&[("disk", "sda"), ("serial", "")]).status, 303);
        assert_eq!(web.site.db.disks(&node_id).await.unwrap()[1].serial, None);
        assert_eq!(disk(&[("disk", "sda"), ("bytes", "many")]).status, 400);
        assert_eq!(disk(&[("disk", "sda"), ("bytes", "18446744073709551615")]).status, 400);

        assert_eq!(web.post(Who::Admin, "/nodes/pc7/remove", &[]).status, 400);
        let sure = [("confirm", "1")];
        assert_eq!(web.post(Who::Admin, "/nodes/pc7/remove", &sure).location(), "/nodes");
        assert!(web.site.db.node(&node_id).await.unwrap().is_none());
        let held = web.post(Who::Admin, "/nodes/pc1/remove", &sure);
        assert_eq!(held.status, 409);
        assert!(held.alert().contains("somebody"), "{}", held.alert());
    }
}
