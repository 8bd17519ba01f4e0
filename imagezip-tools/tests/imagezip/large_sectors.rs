//! A disk with sectors of 4096 bytes.

use crate::bench::{Bench, bytes_of, range};
use crate::disks::{assert_files, mkfs, noise};

const SECTORS: u64 = 65536;

#[test]
fn addresses_are_sectors_of_512_bytes() {
    let bench = Bench::new();
    bench.write("disk", &noise(usize::try_from(SECTORS * 512).unwrap(), 1));
    let (device, attached) = bench.attach(4096);
    // In blocks of 4096 bytes: 256 to 4351, and from 4352 on.
    let table = ["--clear", "--new=1:256:4351", "--new=2:4352:0", "--typecode=2:8200", &device];
    bench.run("sgdisk", &table);
    mkfs(&bench, &device, 256 * 4096, 32768);
    let disk = bench.read("disk");

    bench.save(&[&device, "out"]);
    let content = bench.content("out");
    content.assert_of(&disk);
    assert_eq!(content.disk.len() as u64, SECTORS * 512);
    let saved: u64 = content.extents.within(range(2048, 34816)).map(|part| part.len().get()).sum();
    assert!(saved < 25_000, "{saved} sectors of the file system were saved");
    // The second copy of the table: 4 blocks of entries and the header.
    assert!(content.extents.contains(range(SECTORS - 5 * 8, SECTORS)));
    bench.write("fs", &content.disk[bytes_of(range(2048, 2048 + 32768))]);
    assert_files(&bench, "fs");

    bench.save(&["-s", "1", &device, "out"]);
    let content = bench.content("out");
    assert_eq!(content.disk.len(), 32768 * 512);
    bench.write("fs", &content.disk);
    assert_files(&bench, "fs");

    bench.save(&["-B", "1", &device, "out"]);
    let boot = bench.content("out");
    assert_eq!(boot.disk.len() as u64, (2048 + 32768 + 5 * 8) * 512);
    drop(attached);
    bench.write("disk", &boot.disk);
    let (device, _attached) = bench.attach(4096);
    let said = bench.run("sgdisk", &["--verify", &device]);
    assert!(said.contains("No problems found"), "{said}");
}
