use super::*;

fn modules() -> Vec<Module> {
    let module = |name: &str, needs: &[&str], load| Module {
        name: name.into(),
        object: name.repeat(100).into_bytes(),
        info: module::ModInfo::default(),
        parameters: String::new(),
        load,
        turn: profile::Turn::First,
        needs: needs.iter().map(|name| (*name).to_owned()).collect(),
        brings: Vec::new(),
        needs_firmware: false,
    };
    vec![module("watchdog", &[], Load::Dependency), module("i6300esb", &["watchdog"], Load::Always)]
}

fn manifest(agent: u64, initramfs: u64) -> Manifest {
    let facts = |bytes| FileFacts { bytes, sha256: String::new() };
    Manifest {
        profile: "virtio".into(),
        kernel_package: String::new(),
        kernel_archive: String::new(),
        kernel_release: String::new(),
        vmlinuz: facts(1),
        initramfs: facts(initramfs),
        initramfs_unpacked_bytes: 1,
        agent: facts(agent),
        modules: Vec::new(),
        uki: None,
        firmware: BTreeMap::new(),
        missing_firmware: Vec::new(),
    }
}

#[test]
fn the_archive_has_what_the_agent_relies_on() {
    let mut firmware = Firmware::default();
    firmware.files.insert("bnx2x/x.fw".into(), b"firmware".to_vec());
    let bytes = initramfs(b"agent".to_vec(), &modules(), &firmware, "profile=x\n".into()).unwrap();
    let entries = cpio::tests::read(&bytes).into_iter();
    let files: BTreeMap<String, Vec<u8>> = entries.map(|entry| (entry.path, entry.data)).collect();
    for directory in ["dev", "net", "proc", "sys", "lib/modules"] {
        assert!(files.contains_key(directory), "{directory}");
    }
    assert_eq!(files["init"], b"agent");
    assert_eq!(
        String::from_utf8_lossy(&files["lib/modules/index"]),
        "module watchdog dependency first\nmodule i6300esb always first watchdog\n"
    );
    assert_eq!(files["lib/modules/i6300esb.ko"].len(), 800);
    assert_eq!(files["lib/firmware/bnx2x/x.fw"], b"firmware");
}

#[test]
fn a_broken_budget_says_which_and_by_how_much() {
    let budget = Budget { agent: 100, initramfs: 1000 };
    manifest(100, 1000).check(&budget).unwrap();
    let error = manifest(103, 1000).check(&budget).unwrap_err().to_string();
    assert!(error.contains("the agent") && error.contains("3 more than 100"), "{error}");
    let error = manifest(100, 1001).check(&budget).unwrap_err().to_string();
    assert!(error.contains("the initramfs") && error.contains("1 more than 1000"), "{error}");
}

#[test]
fn the_agent_is_found_in_cargos_messages() {
    let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
                    {\"reason\":\"compiler-artifact\",\"executable\":\"/t/release/mfs-agent\"}\n\
                    {\"reason\":\"build-finished\",\"success\":true}\n";
    assert_eq!(executable(messages), Some(PathBuf::from("/t/release/mfs-agent")));
    assert_eq!(executable("{}\nnot json\n"), None);
}
