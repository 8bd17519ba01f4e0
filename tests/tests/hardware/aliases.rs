//! Devices of real machines, as their kernels name them, against the modules of the real kernel
//! package: the agent's own code has to find the driver in the index that the builder wrote.

use anyhow::Result;
use mfs_agent::boot::modules::index::Index;
use xtask::mfs::{kernel::KernelPackage, modules::Library, profile::Profile};
use xtask::{apt, mfs};

/// Modaliases as Linux writes them, and the module that is for them.
const DEVICES: &[(&str, &str)] = &[
    // Network cards: 82540EM, 82574L, I219-LM, 82576, I210, I225-LM, X520, X540, X710, XXV710, E810-C.
    ("pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00", "e1000"),
    ("pci:v00008086d000010D3sv000015D9sd0000060Abc02sc00i00", "e1000e"),
    ("pci:v00008086d000015B7sv00001028sd0000069Bbc02sc00i00", "e1000e"),
    ("pci:v00008086d000010C9sv00008086sd0000A03Cbc02sc00i00", "igb"),
    ("pci:v00008086d00001533sv000015D9sd00001533bc02sc00i00", "igb"),
    ("pci:v00008086d000015F2sv00008086sd00000000bc02sc00i00", "igc"),
    ("pci:v00008086d000010FBsv00008086sd0000000Cbc02sc00i00", "ixgbe"),
    ("pci:v00008086d00001528sv00001028sd00001F61bc02sc00i00", "ixgbe"),
    ("pci:v00008086d00001572sv00008086sd00000007bc02sc00i00", "i40e"),
    ("pci:v00008086d0000158Bsv00008086sd00000002bc02sc00i00", "i40e"),
    ("pci:v00008086d00001592sv00008086sd00000002bc02sc00i00", "ice"),
    // ConnectX-3, ConnectX-4 Lx, ConnectX-5, ConnectX-6 Dx.
    ("pci:v000015B3d00001003sv000015B3sd00000055bc02sc80i00", "mlx4_core"),
    ("pci:v000015B3d00001015sv000015B3sd00000069bc02sc00i00", "mlx5_core"),
    ("pci:v000015B3d00001017sv000015B3sd00000016bc02sc00i00", "mlx5_core"),
    ("pci:v000015B3d0000101Dsv000015B3sd00000016bc02sc00i00", "mlx5_core"),
    // BCM57414, BCM5720, BCM5719, BCM57810, BCM57840.
    ("pci:v000014E4d000016D7sv000014E4sd00001402bc02sc00i00", "bnxt_en"),
    ("pci:v000014E4d0000165Fsv00001028sd00001F5Bbc02sc00i00", "tg3"),
    ("pci:v000014E4d00001657sv0000103Csd000022BEbc02sc00i00", "tg3"),
    ("pci:v000014E4d0000168Esv00001028sd00001F5Fbc02sc00i00", "bnx2x"),
    ("pci:v000014E4d000016A1sv00001028sd00001F7Bbc02sc00i00", "bnx2x"),
    ("pci:v000010ECd00008168sv00001043sd000085AAbc02sc00i00", "r8169"),
    ("pci:v000015ADd000007B0sv000015ADsd000007B0bc02sc00i00", "vmxnet3"),
    ("virtio:d00000001v00001AF4", "virtio_net"),
    ("pci:v00001AF4d00001041sv00001AF4sd00001100bc02sc00i00", "virtio_pci"),
    // Disk controllers: by class, and by what they are (PERC H730, PERC H740P, SAS2008, SAS3008,
    // Smart Array P410i, P440ar, P408i-a).
    ("pci:v00008086d00001D02sv00001028sd0000048Cbc01sc06i01", "ahci"),
    ("pci:v0000144Dd0000A808sv0000144Dsd0000A801bc01sc08i02", "nvme"),
    ("pci:v00008086d00007010sv00001AF4sd00001100bc01sc01i80", "ata_piix"),
    ("pci:v00008086d0000201Dsv00008086sd00000000bc01sc04i00", "vmd"),
    ("pci:v00001000d0000005Dsv00001028sd00001F47bc01sc04i00", "megaraid_sas"),
    ("pci:v00001000d00000016sv00001028sd00001FCBbc01sc04i00", "megaraid_sas"),
    ("pci:v00001000d00000072sv00001028sd00001F1Dbc01sc07i00", "mpt3sas"),
    ("pci:v00001000d00000097sv000015D9sd00000808bc01sc07i00", "mpt3sas"),
    ("pci:v0000103Cd0000323Asv0000103Csd00003245bc01sc04i00", "hpsa"),
    ("pci:v0000103Cd00003239sv0000103Csd000021C0bc01sc04i00", "hpsa"),
    ("pci:v00009005d0000028Fsv0000103Csd00000700bc01sc07i00", "smartpqi"),
    ("pci:v000015ADd000007C0sv000015ADsd000007C0bc01sc00i00", "vmw_pvscsi"),
    ("virtio:d00000002v00001AF4", "virtio_blk"),
    ("virtio:d00000008v00001AF4", "virtio_scsi"),
    ("scsi:t-0x00", "sd_mod"),
    // USB: xHCI and EHCI by class, a mass storage interface with bulk-only transport, one with UAS.
    ("pci:v00008086d00008C31sv00001028sd000005A5bc0Csc03i30", "xhci_pci"),
    ("pci:v00008086d00001D26sv00001028sd0000048Cbc0Csc03i20", "ehci_pci"),
    ("usb:v0781p5581d0100dc00dsc00dp00ic08isc06ip50in00", "usb_storage"),
    ("usb:v152Dp0578d0209dc00dsc00dp00ic08isc06ip62in00", "uas"),
    // Watchdogs, and what brings one.
    ("pci:v00008086d000025ABsv00001AF4sd00001100bc08sc80i00", "i6300esb"),
    ("pci:v00008086d00002918sv00001AF4sd00001100bc06sc01i00", "lpc_ich"),
    ("pci:v00008086d0000A1A3sv000015D9sd0000095Dbc0Csc05i00", "i2c_i801"),
    ("platform:iTCO_wdt", "iTCO_wdt"),
    ("platform:wdat_wdt", "wdat_wdt"),
    ("pci:v00001022d0000790Bsv00001022sd0000790Bbc0Csc05i00", "sp5100_tco"),
];

/// What has no driver in the image, and none that disturbs.
const OTHERS: &[&str] = &[
    "pci:v00001234d00001111sv00001AF4sd00001100bc03sc00i00",
    "pci:v0000102Bd00000536sv00001028sd000005D8bc03sc00i00",
    "usb:v0627p0001d0000dc00dsc00dp00ic03isc01ip01in00",
    "usb:v1D6Bp0002d0601dc09dsc00dp01ic09isc00ip00in00",
    "platform:serial8250",
    "acpi:PNP0C0F:",
    "scsi:t-0x05",
    "cpu:type:x86,ven0002fam000Fmod006B:feature:,0000,0001",
];

#[test]
fn devices_of_real_machines_find_their_drivers() -> Result<()> {
    apt::ensure(apt::KERNEL_TOOLS)?;
    let profile = Profile::load(&mfs::profiles(), "all")?;
    let kernel = KernelPackage::fetch(&profile.kernel.package)?;
    let modules = Library::open(&kernel.modules())?.resolve(&profile.modules)?;
    let text = mfs::index::write(&modules);
    let mut warnings = Vec::new();
    let index = Index::parse(&text, &mut |warning| warnings.push(warning.to_string()));
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(index.modules().len(), modules.len());

    let found = |modalias| -> Vec<&str> {
        index.matching(modalias).map(|place| index.modules()[place].name).collect()
    };
    for (modalias, module) in DEVICES {
        assert!(found(modalias).contains(module), "{modalias}: {:?}", found(modalias));
    }
    for modalias in OTHERS {
        assert_eq!(found(modalias), Vec::<&str>::new(), "{modalias}");
    }

    let module = |name: &str| {
        let mut modules = index.modules().iter();
        modules.find(|module| module.name == name).unwrap_or_else(|| panic!("no {name}"))
    };
    let names = |places: &[usize]| -> Vec<&str> {
        places.iter().map(|place| index.modules()[*place].name).collect()
    };
    // What modules don't say that they need, or only softly.
    assert!(names(&module("r8169").needs).contains(&"realtek"));
    assert!(names(&module("libcrc32c").needs).contains(&"crc32c_generic"));
    assert!(names(&module("bnx2x").needs).contains(&"libcrc32c"));
    assert_eq!(names(&module("mlx4_core").brings), ["mlx4_en"]);
    Ok(())
}

/// The kernel of a machine with Secure Boot refuses a module whose signature is gone.
#[test]
fn modules_are_the_kernels_own_bytes() -> Result<()> {
    apt::ensure(apt::KERNEL_TOOLS)?;
    let profile = Profile::load(&mfs::profiles(), "all")?;
    let kernel = KernelPackage::fetch(&profile.kernel.package)?;
    for module in Library::open(&kernel.modules())?.resolve(&profile.modules)? {
        assert!(module.object.ends_with(b"~Module signature appended~\n"), "{}", module.name);
    }
    Ok(())
}
