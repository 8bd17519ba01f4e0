//! What can be said, and what is answered.

use crate::site::{Site, said};

#[test]
fn exit_statuses_tell_why() {
    let site = Site::with_experiment();
    for (line, code, words) in [
        ("exp list", 0, "testbed/trial"),
        ("", 2, "Usage"),
        ("exp shwo", 2, "'show'"),
        ("exp set testbed/trial --savedisk maybe", 2, "possible values: yes, no"),
        ("exp create testbed/xx --node a.b", 2, "letters, digits"),
        ("exp create testbed/xx --node a=BASE", 2, "<project>/<image>"),
        ("exp create testbed/xx --node a --role b=delaynode --as mike", 2, "--node b=…"),
        ("exp create testbed/xx --node a", 2, "no user root"),
        ("exp create testbed/xx --node a --as lbs", 2, "no user lbs"),
        ("exp create none/xx --node a --as mike", 3, "no project none"),
        ("exp create testbed/xx --node a=testbed/NONE --as mike", 3, "testbed/NONE"),
        ("exp show testbed/none", 3, "boss exp list"),
        ("exp show trial", 2, "<project>/<experiment>"),
        ("exp create testbed/trial --node a --as mike", 4, "already"),
        ("exp swapout testbed/trial --as mike", 4, "must be active"),
        ("exp watch 7", 3, "no swap 7"),
        ("exp cancel 7", 3, "no swap 7"),
        ("user add mike --uid 9", 4, "there is a user mike"),
        ("user add root --uid 0", 2, "root"),
        ("user join mike none", 3, "boss project list"),
        ("project add testbed --head mike --unix-gid 1", 4, "already"),
        ("project add other --head lbs --unix-gid 1", 3, "no user lbs"),
        ("group add testbed testbed --unix-gid 1", 4, "own"),
        ("node show pc9", 3, "boss node list"),
        ("node add pc2 --mac 52:54:00:00:00:01 --ip 127.0.0.4", 4, "52:54:00:00:00:01"),
        ("node add pc2 --mac 52:54:00 --ip 127.0.0.4", 2, "six bytes"),
        ("node add pc2 --mac 52:54:00:00:00:02 --ip 127.0.0.4 --power A=b", 2, "--power-driver"),
        ("node add pc2 --mac 52:54:00:00:00:02 --ip 127.0.0.4 --power-driver ../x", 2, "../x"),
        ("node disk set pc1 s/da", 2, "s/da"),
        ("node is-off pc1", 4, "not being swapped"),
        ("sitevar get swap/none", 3, "boss sitevar list"),
        ("sitevar set swap/swapout_command_failaction explode", 2, "warn or fail"),
        ("swap show 7", 3, "no swap 7"),
        ("dhcp", 2, "[dhcp]"),
        ("image create testbed/X --node pc1 --length 2 --as mike", 2, "--length"),
        ("image create testbed/X --node pc1 --as mike", 3, "no node of an experiment"),
        ("exp list --log nonsense=x=y", 1, "--log"),
        ("exp list --config /none", 1, "boss --config"),
    ] {
        let output = site.boss(line);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(code), "{line}: {text}");
        assert!(text.contains(words), "{line}: {text}");
        assert!(code == 0 || output.stdout.is_empty(), "{line}: {text}");
    }
}

#[test]
fn what_programs_read_is_json() {
    let site = Site::with_experiment();
    for line in ["exp list", "node list", "project list", "user list", "swap list", "image list"] {
        assert!(site.json(line).is_array(), "{line}");
    }
    let experiment = site.json("exp show testbed/trial");
    assert_eq!(experiment, site.json("exp list")[0]);
    assert_eq!(experiment["nodes"][0]["vname"], "a");
    let node = site.json("node show pc1");
    assert_eq!(
        (&node["power_driver"], &node["disks"][0]["serial"]),
        (&"fake".into(), &"S1".into())
    );
    assert_eq!(site.json("node power status pc1")["power"], "off");
    assert_eq!(site.json("user list")[0]["full_name"], "Mike");
    assert_eq!(site.json("project list")[0]["members"][0], "mike");
    assert!(site.json("sitevar set swap/swapout_command_timeout 99")["done"].is_string());
    assert_eq!(site.json("sitevar get swap/swapout_command_timeout"), "99");
    assert!(site.json("sitevar unset swap/swapout_command_timeout").is_object());
    assert_eq!(site.json("sitevar get swap/swapout_command_timeout"), "120");
    assert_eq!(site.json("user token mike")["token"].as_str().unwrap().len(), 32);
    assert_eq!(site.json("exp set testbed/trial --savedisk yes"), serde_json::json!([]));
    assert_eq!(site.json("exp show testbed/trial")["savedisk"], true);
    assert!(site.json("exp rm testbed/trial").is_object());
    assert_eq!(site.json("exp list"), serde_json::json!([]));
}

/// Another experiment of the same name would get them at its first swapin.
#[test]
fn saved_disks_of_an_earlier_experiment_are_in_the_way() {
    let site = Site::with_experiment();
    let swapinfo = site.path("proj/testbed/exp/trial/swapinfo");
    std::fs::write(swapinfo.join("a-swap.meta"), "VNAME=a\n").unwrap();
    assert!(site.boss("exp rm testbed/trial").status.success());
    let output = site.boss("exp create testbed/trial --node a --as mike");
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(said(&output).contains("saved disks (a)"), "{}", said(&output));
    std::fs::remove_file(swapinfo.join("a-swap.meta")).unwrap();
    assert!(site.boss("exp create testbed/trial --node a --as mike").status.success());
}

/// What isn't said of a machine or a disk stays.
#[test]
fn machines_change_as_far_as_is_said() {
    let site = Site::with_experiment();
    for line in [
        "node set pc1 --power ADDRESS=10.0.0.9 --power USER=x",
        "node set pc1 --power USER= --ip 127.0.0.9",
        "node set pc1 --out-of-service broken",
        "node disk set pc1 sdb --boots --bytes 1000",
        "node disk set pc1 sda --wwn 0x5000c500a1b2c3d4",
    ] {
        let output = site.boss(line);
        assert!(output.status.success(), "{line}: {}", said(&output));
    }
    let node = site.json("node show pc1");
    assert_eq!(node["power_settings"], serde_json::json!({ "ADDRESS": "10.0.0.9" }));
    assert_eq!(
        (&node["mac"], &node["control_ip"]),
        (&"52:54:00:00:00:01".into(), &"127.0.0.9".into())
    );
    assert_eq!(node["out_of_service"], "broken");
    let (first, second) = (&node["disks"][0], &node["disks"][1]);
    assert_eq!((&first["name"], &first["boots"]), (&"sdb".into(), &true.into()));
    assert_eq!((&second["serial"], &second["boots"]), (&"S1".into(), &false.into()));
    assert!(site.boss("node set pc1 --in-service").status.success());
    assert!(site.json("node show pc1")["out_of_service"].is_null());
    assert!(site.boss("node rm pc1").status.success());
    assert_eq!(site.boss("node show pc1").status.code(), Some(3));
}

#[test]
fn every_command_has_help() {
    let site = Site::new();
    let mut left = vec![String::new()];
    let mut count = 0;
    while let Some(path) = left.pop() {
        let output = site.boss(&format!("{path} --help"));
        let text = said(&output);
        assert!(output.status.success() && output.stderr.is_empty(), "{path}: {text}");
        count += 1;
        let commands = text.split_once("Commands:\n").map_or("", |(_, rest)| rest);
        let commands = commands.split("\n\n").next().unwrap_or_default();
        for line in commands.lines().filter(|line| line.starts_with("  ") && &line[2..3] != " ") {
            let mut words = line.split_whitespace();
            let name = words.next().unwrap();
            assert!(words.next().is_some(), "{path} {name} is not described");
            if name != "help" {
                left.push(format!("{path} {name}"));
            }
        }
    }
    assert!(count > 40, "{count}");
}
