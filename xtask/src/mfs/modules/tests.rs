use super::*;
use object::write::Object as Writer;
use object::{Architecture, BinaryFormat, Endianness, SectionKind};
use tempfile::TempDir;

/// A kernel of synthetic modules: (path, `.modinfo` records).
fn kernel(modules: &[(&str, &[&str])], builtin: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, records) in modules {
        let mut object = Writer::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let section =
            object.add_section(Vec::new(), b".modinfo".to_vec(), SectionKind::ReadOnlyData);
        for record in *records {
            object.append_section_data(section, format!("{record}\0").as_bytes(), 1);
        }
        let path = directory.path().join("kernel").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, object.write().unwrap()).unwrap();
    }
    fs::write(directory.path().join("modules.builtin"), builtin).unwrap();
    directory
}

fn want(name: &str, parameters: &str) -> WantedModule {
    WantedModule { name: name.into(), parameters: parameters.into(), ..WantedModule::default() }
}

fn resolve(directory: &TempDir, wanted: &[WantedModule]) -> Result<Vec<String>> {
    let modules = Library::open(directory.path())?.resolve(wanted)?;
    Ok(modules.into_iter().map(|module| module.name).collect())
}

#[test]
fn dependencies_come_first_and_once() {
    let directory = kernel(
        &[
            ("net/virtio_net.ko", &["depends=virtio,net-failover"]),
            ("net/net_failover.ko", &["depends=failover"]),
            ("net/failover.ko", &["depends="]),
            ("virtio/virtio.ko", &["depends=virtio_ring"]),
            ("virtio/virtio_ring.ko", &["depends="]),
            ("block/virtio-blk.ko", &["depends=virtio,virtio_ring"]),
        ],
        "",
    );
    let order = resolve(&directory, &[want("virtio_blk", ""), want("virtio-net", "")]).unwrap();
    assert_eq!(
        order,
        ["virtio_ring", "virtio", "virtio_blk", "failover", "net_failover", "virtio_net"]
    );
}

#[test]
fn soft_dependencies_are_found_by_alias_and_prefer_the_portable_module() {
    let directory = kernel(
        &[
            ("lib/libcrc32c.ko", &["softdep=pre: crc32c nothing-like-it"]),
            ("crypto/crc32c-intel.ko", &["alias=crc32c"]),
            ("crypto/crc32c_generic.ko", &["alias=crc32c"]),
        ],
        "",
    );
    let order = resolve(&directory, &[want("libcrc32c", "")]).unwrap();
    assert_eq!(order, ["crc32c_generic", "libcrc32c"]);
}

#[test]
fn what_is_built_in_is_not_loaded() {
    let directory = kernel(&[("a.ko", &["depends=nvme"])], "kernel/drivers/nvme.ko\n");
    assert_eq!(resolve(&directory, &[want("a", ""), want("nvme", "")]).unwrap(), ["a"]);
    let error = resolve(&directory, &[want("nvme", "x=1")]).unwrap_err();
    assert!(error.to_string().contains("built in"), "{error}");
}

#[test]
fn what_is_missing_is_named_with_who_needs_it() {
    let directory = kernel(&[("a.ko", &["depends=b"]), ("b.ko", &["depends=c"])], "");
    let error = format!("{:#}", resolve(&directory, &[want("a", "")]).unwrap_err());
    assert!(error.contains("no module `c` (needed by: a b)"), "{error}");
}

#[test]
fn a_circle_is_an_error() {
    let directory = kernel(&[("a.ko", &["depends=b"]), ("b.ko", &["depends=a"])], "");
    let error = format!("{:#}", resolve(&directory, &[want("a", "")]).unwrap_err());
    assert!(error.contains("a b a"), "{error}");
}

#[test]
fn parameters_must_exist() {
    let directory = kernel(&[("dog.ko", &["parmtype=heartbeat:int", "parmtype=now:bool"])], "");
    let library = Library::open(directory.path()).unwrap();
    let modules = library.resolve(&[want("dog", "heartbeat=60 now")]).unwrap();
    assert_eq!(modules[0].parameters, "heartbeat=60 now");
    let error = library.resolve(&[want("dog", "hartbeat=60")]).unwrap_err();
    assert!(format!("{error:#}").contains("it has: heartbeat, now"), "{error:#}");
}

#[test]
fn what_is_loaded_with_a_module_is_there() {
    let directory = kernel(
        &[
            ("core.ko", &["softdep=pre: first post: helper none-such", "alias=pci:v1*"]),
            ("first.ko", &[]),
            ("helper.ko", &["depends=core"]),
            ("ethernet.ko", &["depends=core"]),
            ("phy.ko", &[]),
        ],
        "",
    );
    let wanted = WantedModule {
        name: "core".into(),
        needs: vec!["phy".into()],
        brings: vec!["ethernet".into()],
        ..WantedModule::default()
    };
    let modules = Library::open(directory.path()).unwrap().resolve(&[wanted]).unwrap();
    let names: Vec<_> = modules.iter().map(|module| module.name.as_str()).collect();
    assert_eq!(names, ["first", "phy", "core", "helper", "ethernet"]);
    assert_eq!(modules[2].needs, ["first", "phy"]);
    assert_eq!(modules[2].brings, ["ethernet", "helper"]);
    assert_eq!((modules[2].load, modules[3].load), (Load::Hardware, Load::Dependency));
    assert_eq!(modules[2].info.aliases, ["pci:v1*"]);
}
