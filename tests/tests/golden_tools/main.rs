//! The command lines of the golden cases, unchanged, with our tools: with the reference's files as
//! inputs, and with what our own tools made before. What comes out is compared with what the
//! reference made; docs/interop.md says case by case what was compared.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::case_sensitive_file_extension_comparisons, reason = "golden files are so named")]

mod deviations;
mod disks;
mod files;
mod judge;
mod oracle;
mod run;
mod table;

use files::Files;
use run::{Inputs, Run};
use swapmfs_tests::golden::Case;

fn check(name: &str) {
    let files = Files::open(name).unwrap();
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for inputs in [Inputs::Reference, Inputs::Own] {
        let (row, wrong) = Run::new(&files, inputs).all();
        rows.push(row);
        faults.extend(wrong.into_iter().map(|fault| format!("{inputs:?}: {fault}")));
    }
    assert!(faults.is_empty(), "{name}:\n  {}", faults.join("\n  "));
    table::check(name, &rows);
}

macro_rules! cases {
    ($($test:ident $name:literal)*) => {
        const CASES: &[&str] = &[$($name),*];
        $(
            #[test]
            fn $test() {
                check($name);
            }
        )*
    };
}

cases! {
    ext4_1k "ext4-1k"
    ext4_64bit_1k "ext4-64bit-1k"
    ext4_f0 "ext4-F0"
    ext4_f8_z "ext4-F8-Z"
    ext4_bigalloc "ext4-bigalloc"
    ext4_deleted "ext4-deleted"
    ext4_metabg "ext4-metabg"
    ext4_noflexbg "ext4-noflexbg"
    ext4_uninitbg "ext4-uninitbg"
    filemode "filemode"
    formats "formats"
    gapsig_chain "gapsig-chain"
    gpt_esp_ext4_swap "gpt-esp-ext4-swap"
    gpt_ufs2 "gpt-ufs2"
    manyregions "manyregions"
    mbr_ext2_logical_ext3 "mbr-ext2-logical-ext3"
    mbr_ext4_64bit_only "mbr-ext4-64bit-only"
    mbr_ext4_swap "mbr-ext4-swap"
    mbr_ext4def_swap "mbr-ext4def-swap"
    mbr_fat16 "mbr-fat16"
    mbr_fat16_4ksec "mbr-fat16-4ksec"
    mbr_fat32_lba "mbr-fat32-lba"
    mbr_ntfs "mbr-ntfs"
    mbr_ufs2_rel "mbr-ufs2-rel"
    multichunk "multichunk"
    nochange "nochange"
    options "options"
    shrunk "shrunk"
    slicemode "slicemode"
    smallswap "smallswap"
    truncfile "truncfile"
    wholedev_ext4 "wholedev-ext4"
    wholedev_raw "wholedev-raw"
}

#[test]
fn no_case_is_left_out() {
    assert_eq!(CASES, Case::names().unwrap());
    table::check_names(CASES);
}
