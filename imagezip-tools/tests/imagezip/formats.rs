//! Versions of images, and how hard they are compressed.

use std::fmt::Write;

use imagezip_core::ndz::RelocType;

use crate::bench::{Bench, range};
use crate::disks::{disk, noise};

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn versions() {
    let bench = disk();
    let expected = {
        bench.save(&["disk", "out"]);
        bench.content("out")
    };
    let id = "000102030405060708090a0b0c0d0e0F";
    for (arguments, version) in [
        (&[][..], 3),
        (&["-1"], 1),
        (&["-3"], 3),
        (&["-5"], 5),
        (&["-u", id], 5),
        (&["--id", id, "-5"], 5),
    ] {
        let line: Vec<_> = arguments.iter().copied().chain(["disk", "out"]).collect();
        bench.save(&line);
        let file = bench.read("out");
        let chunks = u32::try_from(file.len() >> 20).unwrap();
        for (number, chunk) in (0..).zip(file.chunks(1 << 20)) {
            assert_eq!(word(chunk, 0), 0x6969_6968 + version, "{arguments:?}");
            assert_eq!(word(chunk, 8), number);
            assert_eq!(word(chunk, 12), if version == 1 { chunks } else { 0 });
            if arguments.contains(&id) {
                assert!(chunk[56..72].iter().copied().eq(0..16));
            }
        }
        let content = bench.content("out");
        assert!(content.extents == expected.extents, "{arguments:?}");
        assert!(version == 1 || content.disk == expected.disk, "{arguments:?}");
    }
    for both in [["-1", "-3"], ["-1", "-5"], ["-3", "-5"]] {
        bench.refuse(&[both[0], both[1], "disk", "none"]);
    }
    bench.refuse(&["-3", "-u", id, "disk", "none"]);
    bench.refuse(&["-u", "12", "disk", "none"]);
}

#[test]
fn version_1_to_a_pipe_states_no_total() {
    let bench = disk();
    let said = bench.save(&["-1", "disk", "-"]);
    assert_eq!(word(&said.stdout, 0), 0x6969_6969);
    assert_eq!(word(&said.stdout, 12), 0);
}

#[test]
fn levels() {
    let bench = Bench::new();
    let mut text = String::new();
    for number in 0..200_000_u64 {
        let value = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
        writeln!(text, "entry {number} of list {}: the value is {value}", number % 37).unwrap();
    }
    bench.write("text", text.as_bytes());
    let sizes: Vec<_> = (0..10)
        .map(|level| {
            let said = bench.save(&["-f", "--json", &format!("-z{level}"), "text", "out"]);
            let statistics: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
            assert!(bench.content("out").disk.starts_with(text.as_bytes()));
            statistics["image"]["payload"].as_u64().unwrap()
        })
        .collect();
    assert!(sizes[0] > text.len() as u64);
    assert!(sizes[1] < sizes[0] / 2 && sizes[9] < sizes[1], "{sizes:?}");
    bench.refuse(&["-z", "10", "-f", "text", "none"]);
}

#[test]
fn a_file_of_any_length() {
    let bench = Bench::new();
    for len in [1, 511, 512, 513, 300_000] {
        bench.write("file", &noise(len, 4));
        bench.save(&["-f", "file", "out"]);
        let content = bench.content("out");
        assert!(content.disk.starts_with(&bench.read("file")));
        assert_eq!(content.disk.len(), len.next_multiple_of(512));
        match len % 512 {
            0 => assert!(content.relocs.is_empty()),
            rest => {
                let [reloc] = content.relocs.as_slice() else { panic!("{:?}", content.relocs) };
                assert_eq!(reloc.kind, RelocType::SHORT_SECTOR);
                assert_eq!((reloc.sector.get(), reloc.offset), ((len / 512) as u64, 0));
                assert_eq!(reloc.size as usize, rest);
            }
        }
    }
    bench.write("file", &noise(1000, 4));
    let message = bench.refuse(&["-r", "file", "none"]);
    assert!(message.contains("use -f"), "{message}");
    let message = bench.refuse(&["-1", "-f", "file", "none"]);
    assert!(message.contains("version 1"), "{message}");
}

/// A disk whose second partition is a FreeBSD slice with a label that counts from the disk's
/// start.
fn slice() -> Bench {
    let bench = Bench::new();
    let mut disk = noise(4 << 20, 8);
    disk[446..510].fill(0);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    let mut entry = [0; 16];
    entry[4] = 0xa5;
    entry[8..12].copy_from_slice(&1000_u32.to_le_bytes());
    entry[12..].copy_from_slice(&4000_u32.to_le_bytes());
    disk[462..478].copy_from_slice(&entry);
    let label = &mut disk[1001 * 512..][..512];
    label.fill(0);
    label[..4].copy_from_slice(&0x8256_4557_u32.to_le_bytes());
    label[132..136].copy_from_slice(&0x8256_4557_u32.to_le_bytes());
    label[138] = 8;
    for (index, size, offset) in [(0, 3000_u32, 1000_u32), (1, 1000, 4000), (2, 4000, 1000)] {
        label[148 + index * 16..][..4].copy_from_slice(&size.to_le_bytes());
        label[152 + index * 16..][..4].copy_from_slice(&offset.to_le_bytes());
    }
    let sum = label.chunks(2).fold(0, |sum, word| sum ^ u16::from_le_bytes([word[0], word[1]]));
    label[136..138].copy_from_slice(&sum.to_le_bytes());
    bench.write("disk", &disk);
    bench
}

#[test]
fn relocations() {
    let bench = slice();
    let disk = bench.read("disk");
    // Where the image has the places of its parts 'a' and 'b'.
    let places = |name: &str| {
        let content = bench.content(name);
        let label = &content.disk[512..];
        (content.relocs.len(), word(label, 152), word(label, 168))
    };
    bench.save(&["-s2", "disk", "out"]);
    assert_eq!(places("out"), (1, 0, 3000));
    assert_eq!(bench.content("out").relocs[0].kind, RelocType::FREEBSD_DISKLABEL);
    bench.save(&["-s2", "-N", "disk", "out"]);
    assert_eq!(places("out"), (0, 1000, 4000));
    bench.save(&["-s2", "-N", "-L", "disk", "out"]);
    assert_eq!(places("out"), (1, 0, 3000));
    let said = bench.save(&["-s2", "-1", "disk", "out"]);
    assert_eq!(places("out"), (0, 1000, 4000));
    assert!(said.stderr.contains("version 1 has no relocations"), "{}", said.stderr);

    // A signature is of what is in the image, so the slice can be compared.
    bench.save(&["-s2", "-U", "s.sig", "disk", "out"]);
    bench.save(&["-s2", "-H", "s.sig", "disk", "delta"]);
    assert!(bench.read("delta").is_empty());

    // A whole disk is as it is.
    bench.save(&["disk", "out"]);
    assert_eq!(bench.content("out").relocs, []);
    assert!(bench.content("out").disk[1001 * 512..][..512] == disk[1001 * 512..][..512]);
    let message = bench.refuse(&["-L", "disk", "none"]);
    assert!(message.contains("-s"), "{message}");

    // The slice by itself, counted from its start.
    bench.write("bare", &disk[1000 * 512..5000 * 512]);
    bench.save(&["-b", "-L", "bare", "out"]);
    assert_eq!(bench.content("out").relocs.len(), 0, "its label counts from elsewhere");
}

#[test]
fn parts_of_a_slice() {
    let bench = slice();
    bench.save(&["-s", "2", "-I", "2b", "disk", "out"]);
    assert_eq!(bench.content("out").extents.as_slice(), [range(0, 3000)]);
    bench.save(&["-I", "2c", "-R", "2b", "disk", "out"]);
    let saved = bench.content("out").extents;
    assert_eq!(saved.as_slice(), [range(0, 1016), range(4000, 5000)]);
}
