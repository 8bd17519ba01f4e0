use proptest::prelude::*;

use super::*;

pub(in super::super) fn words() -> Words {
    let export = |path: &str| Export { server: "10.0.0.2".to_owned(), path: path.to_owned() };
    Words {
        job: Some(Job::Swapout(Save::Delta)),
        pid: "testbed".parse().unwrap(),
        eid: "trial".parse().unwrap(),
        vname: "node_1".parse().unwrap(),
        proj: Some(export("/proj")),
        projgroups: Some(export("/groups")),
        nfs: Some("vers=4.2,port=2049".to_owned()),
        user: Some(User { uid: 20001, gid: 6000, groups: vec![6001, 6002] }),
        boss: Some("10.0.0.1:7777".to_owned()),
        key: None,
        then: Some(Then::Stay),
        dir: None,
        more: vec!["mfs.level=2".to_owned()],
    }
}

#[test]
fn all_words_are_as_the_agent_reads_them() {
    let key = Key::generate().unwrap();
    let mut all = Words { key: Some(key.clone()), ..words() };
    all.dir = Some("/proj/testbed/exp/trial/swapinfo".to_owned());
    let expected = format!(
        "mfs.level=2 mfs.job=swapout mfs.pid=testbed mfs.eid=trial mfs.vname=node_1 \
         mfs.proj=10.0.0.2:/proj mfs.projgroups=10.0.0.2:/groups mfs.nfs=vers=4.2,port=2049 \
         mfs.uid=20001 mfs.gid=6000 mfs.groups=6001,6002 mfs.boss=10.0.0.1:7777 \
         mfs.dir=/proj/testbed/exp/trial/swapinfo mfs.then=stay mfs.key={}",
        key.reveal()
    );
    assert_eq!(all.command_line().unwrap(), expected);
    assert!(!format!("{all:?}").contains(&key.reveal()));
}

#[test]
fn what_is_not_there_is_not_said() {
    let least = Words {
        proj: None,
        projgroups: None,
        nfs: None,
        user: None,
        boss: None,
        then: None,
        more: Vec::new(),
        job: Some(Job::Swapin),
        ..words()
    };
    let expected = "mfs.job=swapin mfs.pid=testbed mfs.eid=trial mfs.vname=node_1";
    assert_eq!(least.command_line().unwrap(), expected);
    let full = Words { job: Some(Job::Swapout(Save::Full)), ..least };
    assert!(full.command_line().unwrap().starts_with("mfs.job=swapout mfs.save=full mfs.pid="));
}

/// Each way to bring in a text of somebody's.
fn with(text: &str) -> Vec<Words> {
    let text = || text.to_owned();
    let export = |server: String, path: String| Some(Export { server, path });
    vec![
        Words { proj: export(text(), "/proj".to_owned()), ..words() },
        Words { proj: export("fs".to_owned(), format!("/{}", text())), ..words() },
        Words { projgroups: export("fs".to_owned(), format!("/{}", text())), ..words() },
        Words { nfs: Some(text()), ..words() },
        Words { boss: Some(text()), ..words() },
        Words { boss: Some(format!("boss:{}", text())), ..words() },
        Words { dir: Some(format!("/{}", text())), ..words() },
        Words { more: vec![text()], ..words() },
        Words { more: vec![format!("a={}", text())], ..words() },
    ]
}

#[test]
fn no_value_says_more_than_its_word() {
    let bad = [
        "a mfs.uid=0",
        "a\nreboot",
        "a\tb",
        "${net0/ip}",
        "a\"b",
        "a'b",
        "a\\",
        "a#b",
        "a;b",
        "a||b",
        "a&&b",
        "a`b",
        "ü",
        "a\0",
        "--append",
    ];
    for text in bad {
        for words in with(text) {
            // An option is one only at the beginning of a word.
            if text == "--append" && words.more.first().is_none_or(|word| word != text) {
                continue;
            }
            let error = words.command_line().unwrap_err();
            assert!(error.value.contains(text), "{error}");
        }
    }
}

#[test]
fn what_the_agent_would_refuse_is_refused_here() {
    let user = |uid, gid, groups| Words { user: Some(User { uid, gid, groups }), ..words() };
    let path = |path: &str| Words {
        proj: Some(Export { server: "fs".to_owned(), path: path.to_owned() }),
        ..words()
    };
    for words in [
        user(u32::MAX, 1, vec![]),
        user(1, u32::MAX, vec![]),
        user(1, 1, vec![2; 16]),
        path("proj"),
        path("/proj/../etc"),
        path(&format!("/{}", "x".repeat(256))),
        Words { boss: Some("boss:0".to_owned()), ..words() },
        Words { boss: Some("boss:+1".to_owned()), ..words() },
        Words { boss: Some("boss:65536".to_owned()), ..words() },
        Words { more: vec!["rdinit=/bin/sh".to_owned()], ..words() },
        Words { more: vec![String::new()], ..words() },
    ] {
        assert!(words.command_line().is_err(), "{words:?}");
    }
    assert!(user(1, 1, vec![2; 15]).command_line().is_ok());
}

proptest! {
    /// Whatever is put in: the words are the ones that were meant, each once, or there is an error.
    #[test]
    fn as_many_words_as_were_meant(text in "[ -~\\n\\t]{0,12}") {
        let keys = |line: &str| -> Vec<String> {
            line.split_whitespace()
                .map(|word| word.split('=').next().unwrap_or_default().to_owned())
                .filter(|key| key.starts_with("mfs.") && key != "mfs.level" && key != "mfs.dir")
                .collect()
        };
        let meant = keys(&words().command_line().unwrap());
        for words in with(&text) {
            if let Ok(line) = words.command_line() {
                prop_assert!(line.chars().all(|c| is_plain(c) || c == ' '), "{}", line);
                let extra = usize::from(words.more != tests::words().more);
                let got = keys(&line);
                prop_assert!(got.ends_with(&meant) && got.len() <= meant.len() + extra, "{}", line);
            }
        }
    }
}
