use super::*;
use proptest::prelude::*;
use std::string::ToString;
use std::vec;

const OLD: &[u8] = b"REMOTE=fs:/q/proj/testbed LOCAL=/proj/testbed\n\
    REMOTE=fs:/share LOCAL=/share\n\
    REMOTE=fs.example.net:/q/groups/testbed/sub LOCAL=/groups/testbed/sub\n\
    REMOTE=fs:/q/proj/other LOCAL=/proj/other\n\
    REMOTE=fs:/users/mike LOCAL=/users/mike\n";

fn parse(reply: &[u8]) -> (Answer<Mounts>, Vec<String>) {
    let mut warnings = Vec::new();
    let answer = Mounts::parse(reply, &mut |warning| warnings.push(warning.to_string()));
    (answer, warnings)
}

fn good(reply: &[u8]) -> Mounts {
    match parse(reply).0 {
        Answer::Good(mounts) => mounts,
        other => panic!("{other:?}"),
    }
}

fn node(pid: &str) -> Node {
    let name = |kind, text| Name::new(kind, text).unwrap();
    Node {
        pid: name(NameKind::Project, pid),
        eid: name(NameKind::Experiment, "exp1"),
        vname: name(NameKind::Node, "n"),
    }
}

#[test]
fn both_generations_and_what_is_needed_of_them() {
    let old = good(OLD);
    assert_eq!((old.file_system, old.transport, old.list.len()), (FileSystem::Nfs, None, 5));
    let needed = old.needed(&node("testbed")).unwrap();
    assert_eq!(needed.project.to_string(), "fs:/q/proj/testbed on /proj/testbed");
    let (gid, group) = needed.group.unwrap();
    assert_eq!(gid.as_str(), "sub");
    assert_eq!(group.to_string(), "fs.example.net:/q/groups/testbed/sub on /groups/testbed/sub");

    let new = good(&[b"FSTYPE=NFS-RACY TRANSPORT=TCP\n", OLD].concat());
    assert_eq!((new.file_system, new.transport), (FileSystem::NfsRacy, Some(Transport::Tcp)));
    assert_eq!(new.list, old.list);
    assert!(new.needed(&node("test")).unwrap_err().message.contains("/proj/test is not"));
    assert_eq!(new.needed(&node("other")).unwrap().group, None);
}

#[test]
fn a_testbed_without_a_file_server() {
    let local = good(b"FSTYPE=LOCAL\nLOCAL=/proj/testbed\nLOCAL=/users/mike\n");
    assert_eq!((local.file_system, local.list.len()), (FileSystem::Local, 0));
    let failure = local.needed(&node("testbed")).unwrap_err();
    assert!(failure.message.contains("FSTYPE=LOCAL"), "{failure}");
    let sfs = good(b"FSTYPE=SFS TRANSPORT=osdefault\n");
    assert!(sfs.needed(&node("testbed")).is_err());
    assert!(matches!(parse(b"").0, Answer::Doubtful(_)));
}

#[test]
fn lines_that_make_no_sense_are_left_out_with_a_warning() {
    for bad in [
        "SFS REMOTE=fs:/x LOCAL=/proj/testbed",
        "REMOTE=fs:/x",
        "LOCAL=/proj/testbed",
        "REMOTE=fs LOCAL=/proj/testbed",
        "REMOTE=:/x LOCAL=/proj/testbed",
        "REMOTE=fs:x LOCAL=/proj/testbed",
        "REMOTE=fs:/x/../y LOCAL=/proj/testbed",
        "REMOTE=fs:/x,y LOCAL=/proj/testbed",
        "REMOTE=f,s:/x LOCAL=/proj/testbed",
        "REMOTE=-fs:/x LOCAL=/proj/testbed",
        "REMOTE=fs..net:/x LOCAL=/proj/testbed",
        "REMOTE=fs:/x LOCAL=/proj/../proj/testbed",
        "REMOTE=fs:/x LOCAL=/proj/./testbed",
        "REMOTE=fs:/x LOCAL=//proj/testbed",
        "REMOTE=fs:/x LOCAL=/proj/testbed/",
        "REMOTE=fs:/x LOCAL=proj/testbed",
        "REMOTE=fs:/x LOCAL=/proj/testbed REMOTE=other:/x",
        "REMOTE=fs:/x LOCAL=/proj/test\0bed",
        "REMOTE=fs:/x LOCAL=/proj/testbéd",
        "nonsense",
    ] {
        let reply = format!("REMOTE=fs:/users/mike LOCAL=/users/mike\n{bad}\n");
        let (answer, warnings) = parse(reply.as_bytes());
        let Answer::Good(mounts) = answer else { panic!("{bad}: {answer:?}") };
        assert_eq!(mounts.list.len(), 1, "{bad}");
        assert!(!warnings.is_empty(), "{bad}");
        assert!(mounts.needed(&node("testbed")).is_err(), "{bad}");
    }
}

#[test]
fn contradictions_are_refused() {
    for bad in ["FSTYPE=AFS\n", "FSTYPE=NFS TRANSPORT=RFC1149\n", "FSTYPE=NFS\nFSTYPE=NFS\n"] {
        assert!(matches!(parse(bad.as_bytes()).0, Answer::Bad(_)), "{bad}");
    }
    let twice = good(&[OLD, OLD].concat());
    assert_eq!(twice, good(OLD));
    let other = good(&[OLD, b"REMOTE=evil:/x LOCAL=/proj/testbed\n"].concat());
    assert!(other.needed(&node("testbed")).unwrap_err().message.contains("several"));
    let groups = good(&[OLD, b"REMOTE=fs:/x LOCAL=/groups/testbed/two\n"].concat());
    assert!(groups.needed(&node("testbed")).is_err());
    // Not below the group's directory, and not of another project.
    let deeper = good(&[OLD, b"REMOTE=fs:/x LOCAL=/groups/testbed/sub/x\n"].concat());
    assert!(deeper.needed(&node("testbed")).is_ok());
    let crlf = OLD.iter().flat_map(|byte| match byte {
        b'\n' => vec![b'\r', b'\n'],
        byte => vec![*byte],
    });
    assert_eq!(good(&crlf.collect::<Vec<_>>()), good(OLD));
}

#[test]
fn a_long_list_has_an_end() {
    let mut reply = OLD.to_vec();
    for user in 0..10_000 {
        reply.extend(format!("REMOTE=fs:/users/u{user} LOCAL=/users/u{user}\n").bytes());
    }
    let (answer, warnings) = parse(&reply);
    let Answer::Good(mounts) = answer else { panic!() };
    assert_eq!(mounts.list.len(), MOST);
    assert_eq!(warnings, ["mounts: 9749 lines are left out"]);
    assert!(mounts.needed(&node("testbed")).is_ok());
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        host in "[a-z0-9]{1,20}(\\.[a-z][a-z0-9-]{0,10}[a-z]){0,3}",
        remote in "(/[-_:@a-zA-Z0-9]{1,10}){1,8}",
        local in "(/[-_:@a-zA-Z0-9]{1,10}){1,8}",
        new in any::<bool>(),
    ) {
        let first = if new { "FSTYPE=NFS TRANSPORT=UDP\n" } else { "" };
        let mounts = good(format!("{first}REMOTE={host}:{remote} LOCAL={local}\n").as_bytes());
        prop_assert_eq!(&mounts.list.len(), &1);
        let mount = &mounts.list[0];
        prop_assert_eq!(mount.host.as_str(), host);
        prop_assert_eq!(mount.remote.as_str(), remote);
        prop_assert_eq!(mount.local.as_str(), local);
    }

    #[test]
    fn noise_is_survived(
        parts in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec!["REMOTE=", "LOCAL=", "FSTYPE=", "\n", ":/", " ", "\""])
                    .prop_map(|text| text.as_bytes().to_vec()),
                prop::collection::vec(any::<u8>(), 0..10),
            ],
            0..40,
        ),
    ) {
        let (answer, _) = parse(&parts.concat());
        if let Answer::Good(mounts) = answer {
            let _ = mounts.needed(&node("testbed"));
            for mount in mounts.list {
                prop_assert!(mount.local.starts_with('/') && !mount.local.contains(".."));
            }
        }
    }
}
