use super::*;
use proptest::prelude::*;
use std::string::{String, ToString};
use std::vec::Vec;

const GOOD: &str = "console=ttyS0 panic=10 mfs.job=swapout mfs.pid=testbed mfs.eid=exp1 \
    mfs.vname=node-1 mfs.proj=10.0.2.2:/proj mfs.nfs=port=2049,mountport=2049 mfs.uid=20001 \
    mfs.gid=6000 mfs.groups=6000,6001 mfs.then=poweroff \
    ip=10.0.2.15::10.0.2.2:255.255.255.0:::off BOOTIF=01-52-54-00-12-34-56 quiet";

fn parse(text: &str) -> (Result<CommandLine>, Vec<String>) {
    let mut warnings = Vec::new();
    let line = CommandLine::parse(text, &mut |warning| warnings.push(warning.to_string()));
    (line, warnings)
}

#[test]
fn a_whole_line() {
    let (line, warnings) = parse(GOOD);
    let line = line.unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(line.job, Some(Job::Swapout(Save::Delta)));
    let node = line.node.unwrap();
    assert_eq!(
        (node.pid.as_str(), node.eid.as_str(), node.vname.as_str()),
        ("testbed", "exp1", "node-1")
    );
    assert_eq!(line.project.unwrap().to_string(), "10.0.2.2:/proj");
    assert_eq!(line.nfs_options, "port=2049,mountport=2049");
    let credentials = line.credentials.unwrap();
    assert_eq!((credentials.uid, credentials.gid), (20001, 6000));
    assert_eq!(credentials.groups.as_slice(), [6000, 6001]);
    assert_eq!(line.progress_limit.as_secs(), 180);
    assert_eq!(line.mount_limit.as_secs(), 120);
    assert_eq!(line.retry_limit.as_secs(), 60);
    assert_eq!(line.level, Level::DEFAULT);
    let fast = parse("mfs.level=1 mfs.job=idle ip=off").0.unwrap();
    assert_eq!(fast.level, Level::FAST);
    assert_eq!(line.network.limit.as_secs(), 120);
    assert_eq!((line.then, Then::find(GOOD)), (Some(Then::PowerOff), Some(Then::PowerOff)));
}

#[test]
fn each_fault_names_its_word() {
    let expectations = [
        (
            "mfs.job=swapout",
            "mfs.job=clone",
            "mfs.job=clone: must be swapout, swapin, capture, load, selftest or idle",
        ),
        ("mfs.job=swapout", "mfs.save=full", "mfs.job= is missing: mfs.save= needs"),
        (
            "quiet",
            "mfs.save=some",
            "mfs.save=some: must be delta, full, statistics or full-statistics",
        ),
        ("mfs.pid=testbed", "", "mfs.pid= is missing"),
        ("mfs.pid=testbed", "mfs.pid=../x", "mfs.pid=../x: has a character"),
        ("mfs.eid=exp1", "mfs.eid=x", "mfs.eid=x: must have 2 to 19 characters"),
        ("mfs.vname=node-1", "mfs.vname=", "mfs.vname=: must have 1 to 32"),
        ("mfs.proj=10.0.2.2:/proj", "mfs.proj=a_b:/proj", "must be an IPv4 address or a host"),
        ("mfs.proj=10.0.2.2:/proj", "mfs.proj=10.0.2.2", "must be <server>:<export>"),
        ("mfs.proj=10.0.2.2:/proj", "mfs.proj=10.0.2.2:proj", "must begin with /"),
        ("quiet", "mfs.projgroups=fs", "mfs.projgroups=fs: must be <server>:<export>"),
        ("mfs.uid=20001", "mfs.uid=root", "mfs.uid=root: must be a number"),
        ("mfs.uid=20001", "", "mfs.uid= is missing"),
        ("mfs.gid=6000", "", "mfs.gid= is missing"),
        ("mfs.gid=6000", "mfs.gid=-1", "mfs.gid=-1: must be a number"),
        ("mfs.groups=6000,6001", "mfs.groups=6000,", "mfs.groups=6000,: must be numbers"),
        ("mfs.then=poweroff", "mfs.then=sleep", "mfs.then=sleep: must be reboot, poweroff, halt"),
        ("quiet", "mfs.progress=0", "mfs.progress=0: must be at least one second"),
        ("quiet", "mfs.mntwait=2m", "mfs.mntwait=2m: must be a number of seconds"),
        ("quiet", "mfs.retry=0", "mfs.retry=0: must be at least one second"),
        ("quiet", "mfs.level=10", "mfs.level=10: must be a number from 0 to 9"),
        ("quiet", "mfs.load=fast", "mfs.load=fast: must be sampled, converge or full"),
        ("quiet", "mfs.free=trim", "mfs.free=trim: must be keep, discard or zero"),
        ("quiet", "mfs.parttype=linux", "mfs.parttype=linux: must be a number from 1 to 0xffff"),
        ("quiet", "mfs.parttype=0", "mfs.parttype=0: must be a number from 1 to 0xffff"),
        ("quiet", "mfs.level=fast", "mfs.level=fast: must be a number from 0 to 9"),
        (
            "quiet",
            "mfs.dir=/proj/testbed/x",
            "mfs.dir=/proj/testbed/x: is only for mfs.job=capture",
        ),
        ("mfs.job=swapout", "mfs.job=capture", "mfs.dir= is missing: mfs.job=capture needs"),
        (
            "mfs.job=swapout",
            "mfs.job=capture mfs.dir=/proj/x/..",
            "mfs.dir=/proj/x/..: must have no empty part and neither . nor ..",
        ),
        (
            "mfs.job=swapout",
            "mfs.job=capture mfs.dir=/etc/x",
            "mfs.dir=/etc/x: must be a directory below /proj or /groups",
        ),
        (
            "mfs.job=swapout",
            "mfs.job=capture mfs.dir=/proj/x mfs.save=delta",
            "mfs.save=delta: must be full, or not there, for a capture",
        ),
        ("mfs.job=swapout", "mfs.dir=/proj/x", "mfs.dir=/proj/x: is only for mfs.job=capture"),
        ("quiet", "mfs.key=secret1", "mfs.key=…: must be 8 to 64 letters, digits, - and _"),
        ("quiet", "mfs.boss=", "mfs.boss=: the server must be"),
        ("quiet", "mfs.boss=boss:0", "mfs.boss=boss:0: the port must be"),
        ("quiet", "mfs.serial=%zz", "mfs.serial=%zz: must be text with %-encoded"),
        ("quiet", "mfs.diskguid=0", "mfs.diskguid=0: must be a GUID"),
        ("quiet", "mfs.override=yes", "mfs.override=yes: must be 0 or 1"),
        ("quiet", "mfs.vlan=4095", "mfs.vlan=4095: must be a number from 1 to 4094"),
        ("quiet", "mfs.mtu=100", "mfs.mtu=100: must be a number from 576"),
        ("ip=10.0.2.15::10.0.2.2:255.255.255.0:::off", "ip=eth0", "ip=eth0: must be dhcp, off or"),
        ("BOOTIF=01-52-54-00-12-34-56", "BOOTIF=eth0", "BOOTIF=eth0: must be 01-"),
    ];
    for (good, bad, message) in expectations {
        let failure = parse(&GOOD.replace(good, bad)).0.unwrap_err();
        assert_eq!(failure.kind, FailureKind::CommandLine);
        assert!(failure.message.contains(message), "{bad}: {failure}");
    }
}

#[test]
fn what_no_word_says_is_left_open() {
    let line = parse("console=ttyS0 mfs.boss=boss.example.org").0.unwrap();
    assert_eq!((line.job, line.node, line.project), (None, None, None));
    assert_eq!((line.network.addressing, line.then, line.own_engine), (None, None, false));
    assert_eq!(
        line.boss,
        Some(BossAddress { host: "boss.example.org".try_into().unwrap(), port: None })
    );
    let line = parse("mfs.job=swapout mfs.save=full mfs.boss=10.0.0.1:8 ip=dhcp").0.unwrap();
    assert_eq!(line.job, Some(Job::Swapout(Save::Full)));
    assert_eq!(line.boss.and_then(|boss| boss.port), NonZeroU16::new(8));
    assert!(line.disk.is_empty());
    assert_eq!(line.network.addressing, Some(Addressing::Dhcp("".try_into().unwrap())));
    let disk = parse("mfs.serial=a%20b mfs.wwn=naa.5000").0.unwrap().disk;
    assert_eq!((disk.serial.as_deref(), disk.wwn.as_deref()), (Some("a b"), Some("naa.5000")));
}

#[test]
fn what_a_swapin_does() {
    let load = |words: &str| match parse(words).0.unwrap().job {
        Some(Job::Swapin(load)) => load,
        job => panic!("{job:?}"),
    };
    assert_eq!(load("mfs.job=swapin"), Load::default());
    let expected = Load { manner: Manner::Full, free: FreeSpace::Zero, partition_type: Some(0x83) };
    assert_eq!(load("mfs.job=swapin mfs.load=full mfs.free=zero mfs.parttype=0x83"), expected);
    let expected =
        Load { manner: Manner::Converge, free: FreeSpace::Discard, partition_type: Some(131) };
    let words = "mfs.job=swapin mfs.load=converge mfs.free=discard mfs.parttype=131";
    assert_eq!(load(words), expected);
}

#[test]
fn a_capture_and_a_load_of_the_base() {
    for words in ["", "mfs.save=full"] {
        let line = std::format!("mfs.job=capture mfs.dir=/proj/testbed/images/.capture-x/ {words}");
        let directory = ServerDirectory::new("/proj/testbed/images/.capture-x").unwrap();
        assert_eq!(parse(&line).0.unwrap().job, Some(Job::Capture(directory)));
    }
    let load = Load { manner: Manner::Full, free: FreeSpace::Zero, partition_type: Some(0x83) };
    let line = parse("mfs.job=load mfs.load=full mfs.free=zero mfs.parttype=0x83").0.unwrap();
    assert_eq!(line.job, Some(Job::Load(load)));
}

#[test]
fn the_key_is_shown_to_nobody() {
    let line = parse("mfs.key=first-secret mfs.key=secret_2 mfs.keys=secret_3");
    let (line, warnings) = (line.0.unwrap(), line.1);
    assert_eq!(warnings, ["mfs.key= is there twice; … counts, … not", "unknown word …"]);
    assert_eq!(line.key, Some(Key::new("secret_2").unwrap()));
    assert!(!std::format!("{line:?}").contains("secret"));
    for bad in ["secret", "secret_with_more_characters_than_there_may_be_in_a_key_whatever_it_is"] {
        let failure = parse(&std::format!("mfs.key={bad}")).0.unwrap_err();
        assert!(failure.message.starts_with("mfs.key=…: must be"), "{failure}");
    }
    assert_eq!(parse("mfs.job=idle").0.unwrap().key, None);
}

#[test]
fn odd_words_are_warned_of() {
    let (line, warnings) = parse("mfs.job=swapout mfs.frob=1 mfs.job=idle mfs.progress=7");
    assert_eq!(line.unwrap().progress_limit.as_secs(), 7);
    assert_eq!(
        warnings,
        ["unknown word mfs.frob=1", "mfs.job= is there twice; idle counts, swapout not"]
    );
}

#[test]
fn the_end_is_known_even_if_nothing_else_is() {
    assert_eq!(Then::find("mfs.job= mfs.then=halt mfs.then=x"), Some(Then::Halt));
    assert_eq!(Then::find(""), None);
}

proptest! {
    #[test]
    fn any_text_is_survived(text in "\\PC{0,300}", at in any::<prop::sample::Index>()) {
        let _ = parse(&text);
        let mut line = GOOD.to_string();
        line.insert_str(at.index(line.len()), &text);
        let _ = parse(&line);
        let _ = Then::find(&line);
    }
}
