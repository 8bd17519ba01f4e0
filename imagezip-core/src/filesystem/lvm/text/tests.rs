use super::*;
use proptest::prelude::*;
use std::vec::Vec;

const TEXT: &[u8] = b"vg0 { # a comment with a }\n\
    id = \"a-b\"\nseqno=6 status = [\"READ\", \"WR\\\"ITE\"]\nempty = []\n\
    10root { segment1 { stripes = [\n\"pv0\", 12\n] } } }\nversion = 1\n\0\0";

fn vg(text: &[u8]) -> Section<'_> {
    Section::new(text).unwrap().section(b"vg0").unwrap()
}

#[test]
fn finds_what_has_a_name() {
    let root = Section::new(TEXT).unwrap();
    assert_eq!(root.number(b"version"), Ok(1));
    assert_eq!(root.find(b"contents"), Ok(None));
    let vg = vg(TEXT);
    assert_eq!((vg.number(b"seqno"), vg.text(b"id")), (Ok(6), Ok(&b"a-b"[..])));
    assert_eq!(vg.number(b"id"), Err(Malformed));
    assert_eq!(vg.has(b"status", b"READ"), Ok(true));
    assert_eq!(vg.has(b"status", b"ITE"), Ok(false));
    assert_eq!(vg.has_only(b"status", &[b"READ"]), Ok(false));
    assert_eq!(vg.has_only(b"empty", &[]), Ok(true));
    let segment = vg.section(b"10root").unwrap().section(b"segment1").unwrap();
    let Some(Item::List(stripes)) = segment.find(b"stripes").unwrap() else { panic!() };
    let elements: Vec<_> = stripes.elements().map(Result::unwrap).collect();
    assert_eq!(elements, [Item::Text(b"pv0"), Item::Word(b"12")]);
    assert_eq!(elements[1].number(), Some(12));
    assert_eq!(vg.items().count(), 5);
}

#[test]
fn what_is_not_of_the_grammar() {
    for text in [
        &b"a { b = 1"[..],
        b"a = \"b",
        b"a =",
        b"a",
        b"= 1",
        b"a = {",
        b"} a = 1",
        b"a = [1",
        b"a = 1 a = 2",
        b"a = 1\0b = 2",
    ] {
        let found = Section::new(text).and_then(|section| section.find(b"a"));
        assert_eq!(found, Err(Malformed), "{text:?}");
    }
    for list in [&b"a = [1 2]"[..], b"a = [[1]]", b"a = [,]", b"a = [{}]"] {
        let Ok(Some(Item::List(list))) = Section::new(list).unwrap().find(b"a") else {
            panic!("{list:?}")
        };
        assert!(list.elements().any(|element| element.is_err()));
    }
    let deep = [&b"{ a "[..]; 100].concat();
    assert_eq!(Section::new(&[b"a ", &deep[..]].concat()).unwrap().find(b"a"), Err(Malformed));
}

fn walk(section: Section<'_>, depth: usize) {
    for item in section.items().flatten() {
        match item.1 {
            Item::Section(inner) if depth < 4 => walk(inner, depth + 1),
            Item::List(list) => assert!(list.elements().count() < 10_000),
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn any_text(text in "[ab1\"'{}\\[\\]=,# \n\\\\]{0,80}") {
        if let Ok(section) = Section::new(text.as_bytes()) {
            walk(section, 0);
        }
    }

    #[test]
    fn text_with_other_bytes(at in 0..TEXT.len(), byte: u8) {
        let mut text = TEXT.to_vec();
        text[at] = byte;
        if let Ok(section) = Section::new(&text) {
            walk(section, 0);
        }
    }
}
