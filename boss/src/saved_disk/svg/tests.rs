//! Drawings, read back.

use super::*;
use crate::saved_disk::held::Deadline;
use crate::saved_disk::sets::Sets;
use crate::saved_disk::sets::tests::range;
use imagezip_core::extent::ExtentSet;
use imagezip_core::sector::{Sector, SectorCount, SectorRange};
use proptest::prelude::*;
use std::time::Duration;

const LIMIT: usize = 60_000;

fn map(sets: &Sets, size: u64, areas: Vec<(Option<u32>, String, SectorRange)>) -> DiskMap {
    let whole = SectorRange::first(SectorCount::new(size).unwrap());
    DiskMap::of_sets(sets, whole, areas, Deadline::after(Duration::from_mins(1))).unwrap()
}

/// The values of an attribute.
fn values<'a>(svg: &'a str, attribute: &str) -> Vec<&'a str> {
    let start = format!(" {attribute}=\"");
    svg.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

/// How many cells are drawn of each look: the areas of the subpaths.
fn drawn(svg: &str) -> BTreeMap<String, usize> {
    let mut drawn = BTreeMap::new();
    for path in svg.split("<path fill=\"url(#").skip(1) {
        let (look, rest) = path.split_once(')').unwrap();
        let d = rest.split('"').nth(2).unwrap();
        for part in d.split('M').skip(1) {
            let (_, rest) = part.split_once('h').unwrap();
            let (width, rest) = rest.split_once('v').unwrap();
            let (height, _) = rest.split_once('h').unwrap();
            let area = width.parse::<usize>().unwrap() * height.parse::<usize>().unwrap();
            *drawn.entry(look.to_owned()).or_default() += area / (PITCH * PITCH);
        }
    }
    drawn
}

/// Whether all elements are closed in the order in which they were opened.
fn is_balanced(svg: &str) -> bool {
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1) {
        let Some((tag, _)) = tag.split_once('>') else { return false };
        let name = tag.split([' ', '/']).find(|word| !word.is_empty()).unwrap();
        if tag.starts_with('/') {
            if open.pop() != Some(name) {
                return false;
            }
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    open.is_empty()
}

proptest! {
    /// Each cell is drawn once, as what is in it; a single sector that changed is to be seen.
    #[test]
    fn each_cell_is_drawn(
        base in prop::collection::vec((0..1_u32 << 30, 1..1_u32 << 24), 0..300),
        delta in prop::collection::vec((0..1_u32 << 30, 1..100_u32), 0..300),
        freed in prop::collection::vec((0..1_u32 << 30, 1..1_u32 << 24), 0..300),
        knows: bool,
    ) {
        let set = |pieces: Vec<(u32, u32)>| {
            ExtentSet::from_unsorted(pieces.iter().map(|(at, len)| range(*at, at + len)).collect())
        };
        let (base, delta, freed) = (set(base), set(delta), set(freed));
        let in_use = base.difference(&freed).union(&delta);
        let sets = Sets::of_delta(&base, &delta, Some(&in_use).filter(|_| knows));
        let half = Sector::from_u32(1 << 30);
        let whole = SectorRange::first(SectorCount::new(1 << 31).unwrap());
        let (left, right) = whole.split_at(half);
        let areas = vec![(Some(1), "<a & b>".to_owned(), left), (Some(2), String::new(), right)];
        let map = map(&sets, 1 << 31, areas);
        let svg = svg(&map);
        prop_assert!(svg.len() <= LIMIT, "{} bytes", svg.len());
        prop_assert!(is_balanced(&svg));
        let mut expected = BTreeMap::<String, usize>::new();
        for cell in map.areas.iter().flat_map(|area| &area.cells) {
            let look = Look::of(cell);
            let changed = cell.sectors(Category::Changed) > 0;
            let new = cell.sectors(Category::New) > 0;
            prop_assert_eq!(changed, look.some_changed || look.dominant == Category::Changed);
            prop_assert_eq!(new, look.some_new || look.dominant == Category::New);
            *expected.entry(look.id()).or_default() += 1;
        }
        prop_assert_eq!(drawn(&svg), expected);
    }
}

#[test]
fn every_look_has_its_pattern_and_no_style() {
    let (base, delta) = (range(0, 100_000), range(60_000, 160_000));
    let sets = Sets::of_delta(&base.into(), &delta.into(), Some(&range(128, 160_000).into()));
    let areas = vec![(Some(1), "ext4".to_owned(), range(0, 200_000))];
    let mut map = map(&sets, 300_000, areas);
    map.vname = "<node>".to_owned();
    map.notes.push("\"A\" & B.\u{1}".to_owned());
    let svg = svg(&map);
    let ids = values(&svg, "id");
    for fill in values(&svg, "fill") {
        let id = fill.strip_prefix("url(#").and_then(|id| id.strip_suffix(')')).unwrap();
        assert!(ids.contains(&id), "{id}");
    }
    assert!(!svg.contains("style"), "the pages allow none");
    assert!(svg.contains("node &lt;node&gt;") && svg.contains("&quot;A&quot; &amp; B."));
    assert!(svg.contains("changed since the base image: 20.4 MB"), "{svg}");
    // The words are the numbers.
    assert!(svg.contains("81.8 MB in use: 20.4 MB changed, 30.7 MB new; 65.5 kB freed"));
    // Every class has a rule.
    let css = include_str!("../../../static/map.css");
    for class in values(&svg, "class").iter().flat_map(|classes| classes.split(' ')) {
        assert!(css.contains(&format!(".{class}")), "{class}");
    }
}

/// The most that there can be to draw.
#[test]
fn drawings_have_a_limit() {
    let mut areas = Vec::new();
    let (mut base, mut delta) = (Vec::new(), Vec::new());
    for number in 0..128_u32 {
        let start = number * 1_000_000;
        let area = range(start, start + 1_000_000);
        areas.push((Some(number + 1), "&\"<".repeat(100), area));
        // Each cell looks otherwise than the one before.
        for at in (start..start + 1_000_000).step_by(4096) {
            let kind = at / 4096 % 7;
            if kind != 0 {
                base.push(range(at, at + 500 * (kind % 3 + 1)));
            }
            if kind > 2 {
                delta.push(range(at + 300, at + 300 + 97 * kind));
            }
        }
    }
    let sets =
        Sets::of_delta(&ExtentSet::from_unsorted(base), &ExtentSet::from_unsorted(delta), None);
    let svg = svg(&map(&sets, 128_000_000, areas));
    assert!(svg.len() <= LIMIT, "{} bytes", svg.len());
    assert!(is_balanced(&svg));
}

#[test]
fn a_full_image_is_saved_and_nothing_else() {
    let sets = Sets::of_full(range(10, 2000).into());
    let mut map = map(&sets, 4000, vec![(Some(2), "ext4".to_owned(), range(0, 4000))]);
    map.has_base = false;
    map.scope = Scope::Partition(2);
    let svg = svg(&map);
    assert!(svg.contains("1.0 MB saved") && !svg.contains("changed"), "{svg}");
}
