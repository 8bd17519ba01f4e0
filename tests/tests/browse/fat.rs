//! FAT file systems against mtools, and disks whose partitions hold something else.

use std::fs;

use anyhow::Result;
use xtask::command::{fed, stdout, tool};

use crate::bench::{Bench, noise};

const LONG: &str = "A long name, with größe.text";

#[test]
fn files_are_as_mtools_shows_them() -> Result<()> {
    for (width, mib) in [("12", 2), ("16", 32), ("32", 64)] {
        let bench = Bench::new()?;
        let disk =
            bench.formatted("disk.img", mib, &format!("mkfs.vfat -n LABEL -F {width} -s 1"))?;
        let image = |program: &str| {
            let mut command = tool(program);
            command.env("LC_ALL", "C.UTF-8").arg("-i").arg(&disk);
            command
        };
        stdout(image("mmd").args(["::/EFI", "::/EFI/boot", "::/many"]))?;
        let put = |content: &[u8], place: &str| -> Result<()> {
            fs::write(bench.path("file"), content)?;
            stdout(image("mcopy").arg(bench.path("file")).arg(format!("::{place}"))).map(drop)
        };
        put(&noise(1, 300_000), "/LARGE.BIN")?;
        put(b"", "/empty")?;
        put(b"long\n", &format!("/EFI/boot/{LONG}"))?;
        for number in 0..120_u32 {
            put(&noise(number, 700), &format!("/many/file number {number}"))?;
        }
        // Pieces that don't follow each other.
        for number in (0..120).step_by(2) {
            stdout(image("mdel").arg(format!("::/many/file number {number}")))?;
        }
        put(&noise(2, 60_000), "/PIECES.BIN")?;
        bench.run("imagezip", &["-r", "disk.img", "disk.ndz"])?;

        let listing = bench.run("imagefs", &["ls", "-R", "disk.ndz"])?;
        let mut listed: Vec<_> = listing.lines().map(str::to_owned).collect();
        listed.sort_unstable();
        let shown = stdout(image("mdir").args(["-b", "-/", "-a", "::/"]))?;
        let shown = shown.lines().filter_map(|line| line.strip_prefix("::"));
        let mut shown: Vec<_> = shown.map(|line| line.trim_end_matches('/').to_owned()).collect();
        shown.sort_unstable();
        assert_eq!(listed, shown, "FAT{width}");

        let long = format!("/EFI/boot/{LONG}");
        for place in ["/LARGE.BIN", "/empty", "/PIECES.BIN", "/many/file number 119", &long] {
            let expected = bench.path("expected");
            stdout(image("mcopy").arg("-n").arg("-o").arg(format!("::{place}")).arg(&expected))?;
            let found = bench.cat(&["disk.ndz"], &format!(":{place}"))?;
            assert!(found == fs::read(&expected)?, "FAT{width}: {place}");
        }
        // Upper and lower case are the same.
        assert_eq!(
            bench.cat(&["disk.ndz"], &format!(":/efi/BOOT/{}", LONG.to_lowercase()))?,
            b"long\n"
        );
        let listing = bench.run("imagefs", &["ls", "-l", "disk.ndz", ":/LARGE.BIN"])?;
        assert!(listing.contains(" 300000 ") && listing.ends_with(" LARGE.BIN\n"), "{listing}");

        // A change in the middle of a file.
        bench.run("imagezip", &["-r", "-U", "base.sig", "disk.img", "base.ndz"])?;
        put(b"new", "/NEW")?;
        stdout(image("mdel").arg("::/empty"))?;
        stdout(image("mcopy").args(["-o"]).arg(bench.path("file")).arg("::/LARGE.BIN"))?;
        bench.run("imagezip", &["-r", "-H", "base.sig", "disk.img", "delta.ndz"])?;
        let changes = bench.run("imagefs", &["diff", "base.ndz", "delta.ndz"])?;
        assert_eq!(changes, "M\t/LARGE.BIN\nA\t/NEW\nD\t/empty\n", "FAT{width}");
    }
    Ok(())
}

#[test]
fn partitions_are_listed_and_what_is_no_file_system_is_named() -> Result<()> {
    let bench = Bench::new()?;
    let disk = bench.blank("disk.img", 64)?;
    let table = "label: gpt\nstart=2048,size=16384,type=uefi\nsize=16384,type=swap\nsize=16384\n\
                 size=16384\nsize=4096\n";
    fed(tool("sfdisk").arg("--quiet").arg(&disk), table)?;
    let part = |number: u64, content: &[u8]| -> Result<()> {
        use std::os::unix::fs::FileExt;
        let file = fs::File::options().write(true).open(&disk)?;
        Ok(file.write_all_at(content, (2048 + (number - 1) * 16384) * 512)?)
    };
    for (number, line) in [(1, "mkfs.vfat -F 16 -s 1"), (2, "mkswap"), (3, "mkfs.ext4 -q")] {
        let made = bench.formatted("part.img", 8, line)?;
        part(number, &fs::read(made)?)?;
    }
    part(4, b"XFSB")?;
    bench.run("imagezip", &["-U", "disk.sig", "disk.img", "disk.ndz"])?;
    let listing = bench.run("imagefs", &["ls", "disk.ndz"])?;
    let holds: Vec<_> = listing
        .lines()
        .skip(1)
        .map(|line| {
            let mut words = line.split_whitespace();
            (words.next().unwrap_or_default(), words.skip(3).collect::<Vec<_>>().join(" "))
        })
        .collect();
    let expected =
        [("1:/", "FAT16"), ("2", "swap space"), ("3:/", "ext4"), ("4", "XFS"), ("5", "-")];
    assert_eq!(holds, expected.map(|(place, holds)| (place, holds.to_owned())), "{listing}");
    assert_eq!(bench.run("imagefs", &["ls", "disk.ndz", "3:/"])?, "lost+found\n");
    assert_eq!(bench.run("imagefs", &["ls", "disk.ndz", "1:"])?, "");
    for (place, why) in [
        ("2:/", "partition 2 of disk.ndz: holds swap space"),
        ("4:/", "holds XFS"),
        ("5:/", "holds something unknown"),
        ("6:/", "no partition 6, only 1, 2, 3, 4, 5"),
        (":/", "say which, as in 1:/PATH"),
    ] {
        let output = bench.outcome("imagefs", &["ls", "disk.ndz", place])?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(why), "{place}: {said}");
    }
    Ok(())
}
