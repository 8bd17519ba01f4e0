use super::*;
use imagezip_core::digest::HashType;
use imagezip_core::sector::Sector;
use imagezip_core::signature::{ChunkNumber, Entry};

fn range(start: u32, end: u32) -> SectorRange {
    SectorRange::new(Sector::from_u32(start), Sector::from_u32(end)).unwrap()
}

fn signature(ranges: &[SectorRange]) -> Signature {
    let mut signature = Signature::new(HashType::Sha1, HashBlockSize::default());
    for range in ranges {
        let digest = HashType::Sha1.digest(b"");
        signature.push(Entry { range: *range, chunk: ChunkNumber::default(), digest }).unwrap();
    }
    signature
}

#[test]
fn what_is_counted() {
    let base = signature(&[range(0, 128), range(128, 256), range(256, 300), range(512, 640)]);
    // Block 1 is partly free now and has changed, the last one is free, 700 to 710 is new.
    let in_use = [range(0, 128), range(128, 200), range(256, 300), range(700, 710)];
    let changed = [range(128, 200), range(700, 710)];
    let found =
        Comparison::new(&base, &in_use.into_iter().collect(), &changed.into_iter().collect());
    assert_eq!(found.compared, Tally { blocks: 3, sectors: 300 });
    assert_eq!(found.identical, Tally { blocks: 2, sectors: 172 });
    assert_eq!((found.original, found.current, found.common), (428, 254, 244));
    assert_eq!((found.deleted(), found.added(), found.modified), (184, 10, 72));
    assert_eq!(found.delta(), 82);
    assert_eq!(found.with_free, Tally { blocks: 1, sectors: 56 });
    assert_eq!(found.with_free_identical, Tally::default());
}

/// The classic imagezip's text (golden case `shrunk`), with the times left out.
const CLASSIC: &str = "
HASH STATS:

Signature file:         base.sig (1795397842)
Partition:              0
Max hash block size:    128 sectors
Hash incomplete ranges: yes

Disk read time:           0.020 sec
Hash time:                0.002 sec
Read+hash time:           0.022 sec

Hash blocks compared:           48
  Identical:                    33 (68.8%)
Total sectors compared:       6062
  Identical:                  4224 (69.7%)

Original sectors:             7690
Current sectors:              6282
Common sectors:               5918
Deleted from original:        1772 (23.0%)
Added to original:             364 (4.7%)
Modified from original:       1694 (22.0%)

Hash blocks covering free sectors:   3
  Total free sectors covered:        144
  Hash blocks compared identical:    0
  Free sectors compared identical:   0
  Allocated sectors assumed changed: 0
    Assumed changed due to fixups:   0

END HASH STATS
";

#[test]
fn the_text_is_the_classic_one() {
    let comparison = Comparison {
        compared: Tally { blocks: 48, sectors: 6062 },
        identical: Tally { blocks: 33, sectors: 4224 },
        original: 7690,
        current: 6282,
        common: 5918,
        modified: 1694,
        with_free: Tally { blocks: 3, sectors: 144 },
        with_free_identical: Tally::default(),
    };
    let stats = HashStats {
        signature: Some(("base.sig".to_owned(), 1_795_397_842)),
        partition: 0,
        block: HashBlockSize::default(),
        times: (Duration::from_millis(20), Duration::from_millis(22)),
        comparison: &comparison,
    };
    assert_eq!(stats.to_string(), CLASSIC);
}

#[test]
fn nothing_of_nothing() {
    assert_eq!(Percent(0, 0).to_string(), "(0.0%)");
    assert_eq!(Percent(2, 3).to_string(), "(66.7%)");
    assert_eq!(Percent(u64::MAX, u64::MAX).to_string(), "(100.0%)");
}
