//! Swaps that are asked for on the command line, and done by a server, which is another process.

use crate::serve::Serving;
use crate::site::{Site, said};

#[test]
fn an_experiment_comes_and_goes() {
    let site = Site::with_experiment();
    let serving = Serving::new(&site);
    let swapin = site.boss("exp swapin testbed/trial --on a=pc1 --as mike");
    assert_eq!(swapin.status.code(), Some(0), "{}", said(&swapin));
    assert!(said(&swapin).contains("swapin of testbed/trial done"), "{}", said(&swapin));
    let shown = site.json("exp show testbed/trial");
    assert_eq!((&shown["state"], &shown["nodes"][0]["node_id"]), (&"active".into(), &"pc1".into()));
    for (line, code, words) in [
        ("exp rm testbed/trial", 4, "boss exp swapout"),
        ("node rm pc1", 4, "--out-of-service"),
        ("exp swapin testbed/trial --as mike", 4, "must be swapped"),
        ("exp load testbed/trial a testbed/NONE --as mike", 3, "testbed/NONE"),
        ("image create other/X --node pc1 --as mike", 3, "no group other"),
    ] {
        let output = site.boss(line);
        assert_eq!(output.status.code(), Some(code), "{line}: {}", said(&output));
        assert!(said(&output).contains(words), "{line}: {}", said(&output));
    }
    let swapout = site.command("exp swapout testbed/trial --as mike --json").output().unwrap();
    assert_eq!(swapout.status.code(), Some(0), "{}", said(&swapout));
    let lines = String::from_utf8(swapout.stdout).unwrap();
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let (last, events) = lines.split_last().unwrap();
    assert_eq!((&last["kind"], &last["outcome"]), (&"swapout".into(), &"done".into()));
    assert!(events.iter().all(|event| event["text"].is_string()));
    assert!(events.iter().any(|event| event["level"] == "warning"), "no disk is saved");
    assert_eq!(site.json("exp show testbed/trial")["state"], "swapped");
    let id = last["id"].as_i64().unwrap();
    assert_eq!(
        site.json(&format!("swap show {id}"))["events"].as_array().unwrap().len(),
        events.len()
    );
    assert_eq!(site.json("swap list testbed/trial").as_array().unwrap().len(), 2);
    // It is over: it is shown once more, with the same status.
    let watch = site.boss(&format!("exp watch {id}"));
    assert_eq!(watch.status.code(), Some(0), "{}", said(&watch));
    assert_eq!(site.boss(&format!("exp cancel {id}")).status.code(), Some(4));
    drop(serving);
}

/// A swap that nobody looks after waits, and can be left alone.
#[test]
fn who_does_not_wait_gets_the_number() {
    let site = Site::with_experiment();
    let begun = site.json("exp swapin testbed/trial --detach --as mike");
    let id = begun["swap"].as_i64().unwrap();
    assert!(site.json(&format!("swap show {id}"))["outcome"].is_null());
    assert!(site.boss(&format!("exp cancel {id}")).status.success());
    assert_eq!(site.json(&format!("swap show {id}"))["cancelled"], true);
    let set = site.boss("exp set testbed/trial --savedisk yes");
    assert_eq!(set.status.code(), Some(4), "{}", said(&set));
}
