#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| swapmfs_fuzz::whole_disk(input));
