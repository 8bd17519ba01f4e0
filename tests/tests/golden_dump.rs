//! `imagedump` says about images what the reference program said.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Cursor;

use imagezip_tools::dump::{ChunkSource, Detail, Wanted, gather, report};
use swapmfs_tests::golden::Case;

const WANTED: Wanted<'static> =
    Wanted { chunks: Detail::Regions, map: false, ignore_numbers: false, check: None };

/// The report on a golden image.
fn dump(case: &Case, name: &str, wanted: Wanted<'_>) -> (String, Vec<String>) {
    let file = case.file(name).unwrap();
    let facts = gather(name, ChunkSource::of(Box::new(Cursor::new(file))), wanted);
    (report(&facts), facts.problems)
}

/// The report with the reference's averages of regions in it, which are of a chunk more.
fn with_wrong_average(report: &str, expected: &str) -> String {
    let average = |line: &&str| line.contains(" total regions: ");
    let (Some(ours), Some(theirs)) = (report.lines().find(average), expected.lines().find(average))
    else {
        return report.to_owned();
    };
    let parts = |line: &str| {
        let (total, rest) = line.split_once(": ").unwrap();
        let (average, rest) = rest.split_once('/').unwrap();
        (total.to_owned(), average.parse::<f64>().unwrap(), rest.to_owned())
    };
    let ((total, right, rest), (_, wrong, _)) = (parts(ours), parts(theirs));
    let chunks = report.lines().filter(|line| line.starts_with("  Chunk ")).count();
    let chunks = f64::from(u32::try_from(chunks).unwrap());
    assert!((right * chunks - wrong * (chunks + 1.0)).abs() < 0.06 * (chunks + 1.0), "{ours}");
    report.replace(ours, &format!("{total}: {wrong:.1}/{rest}"))
}

#[test]
fn reports_are_those_of_the_reference() {
    let mut compared = 0;
    for name in Case::names().unwrap() {
        let case = Case::open(&name).unwrap();
        for file in case.files() {
            let Some(image) = file.strip_suffix(".dump.txt").map(|stem| format!("{stem}.ndz"))
            else {
                continue;
            };
            if !case.has(&image) {
                continue;
            }
            let expected = String::from_utf8(case.file(file).unwrap()).unwrap();
            // The one report without -d -d.
            let detail = if file == "base.v4.dump.txt" { Detail::Chunks } else { Detail::Regions };
            let (ours, problems) = dump(&case, &image, Wanted { chunks: detail, ..WANTED });
            match (name.as_str(), image.as_str()) {
                // Overlapping regions, which imageunzip can't load: theirs only warns.
                ("smallswap", _) => {
                    assert_eq!(problems.len(), 1);
                    assert!(expected.contains("may overlap others"));
                }
                // An empty image: theirs adds up a chunk that isn't there.
                ("nochange", "delta.ndz") => {
                    assert_eq!(ours, "delta.ndz: 0 bytes, 0 chunks, empty\n");
                }
                _ => {
                    assert_eq!(problems, Vec::<String>::new(), "{name}/{image}");
                    assert_eq!(with_wrong_average(&ours, &expected), expected, "{name}/{image}");
                }
            }
            compared += 1;
        }
    }
    assert!(compared >= 40, "only {compared} reports");
}

#[test]
fn protected_images_are_recognised() {
    let case = Case::open("formats").unwrap();
    let first_line = |name| {
        let (report, problems) = dump(&case, name, Wanted { chunks: Detail::None, ..WANTED });
        assert_eq!(problems, Vec::<String>::new());
        report.lines().next().unwrap_or_default().to_owned()
    };
    let signed = "base.signed.ndz: 1048576 bytes, 1 chunks, version 4, signed csum (0x8001)";
    assert_eq!(first_line("base.signed.ndz"), signed);
    let encrypted = "base.enc.ndz: 1048576 bytes, 1 chunks, version 4, encrypted (1)";
    assert_eq!(first_line("base.enc.ndz"), encrypted);
    assert_eq!(first_line("base.v1.ndz"), "base.v1.ndz: 1048576 bytes, 1 chunks, version 1");
}
