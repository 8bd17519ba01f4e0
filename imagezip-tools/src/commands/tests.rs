//! Command lines as scripts have always written them.

use clap::FromArgMatches;

use super::imagezip::Imagezip;
use super::values::Part;
use super::*;

fn parse<T: FromArgMatches>(tool: &str, line: &[&str]) -> Result<T, clap::Error> {
    let tool = Tool::named(OsStr::new(tool)).unwrap();
    let line = [&[tool.name], line].concat();
    tool.command().try_get_matches_from(line).and_then(|matches| T::from_arg_matches(&matches))
}

#[test]
fn letters_combine_and_take_their_values_as_getopt_has_it() {
    let line = ["-ddoF0", "-s", "1", "-z1", "-U", "", "-", "-"];
    let arguments: Imagezip = parse("imagezip", &line).unwrap();
    assert_eq!((arguments.detail, arguments.dots, arguments.min_free), (2, true, 0));
    assert_eq!((arguments.slice, arguments.level), (Some(1), 1));
    assert_eq!(arguments.signature, Some(OsString::new()));
    assert_eq!(arguments.source, Path::new("-"));
    assert_eq!(arguments.image.as_deref(), Some(Path::new("-")));
}

#[test]
fn the_last_of_an_option_counts_unless_it_is_a_list() {
    let line = ["-F", "8", "-o", "-F", "32", "-o", "-I1", "-I", "2c", "a", "b"];
    let arguments: Imagezip = parse("imagezip", &line).unwrap();
    assert_eq!((arguments.min_free, arguments.dots), (32, true));
    let parts = [Part { number: 1, letter: None }, Part { number: 2, letter: Some('c') }];
    assert_eq!(arguments.ignore, parts);
}

#[test]
fn options_may_follow_operands_and_end_where_it_says_so() {
    let arguments: Imagezip = parse("imagezip", &["a", "-o", "--", "-b"]).unwrap();
    assert!(arguments.dots && !arguments.bsd);
    assert_eq!(arguments.image.as_deref(), Some(Path::new("-b")));
}

#[test]
fn command_lines_are_well_defined() {
    for tool in TOOLS {
        // Finds letters that are used twice and the like.
        tool.command().debug_assert();
    }
}

#[test]
fn the_classic_letters_are_all_there() {
    // docs/format.md has the formats; the letters are those of the reference's manuals.
    for (name, letters) in [
        ("imagezip", "vhdiosIRrfclbnSzFZxMNLHUPDX13aekuAB5"),
        ("imageunzip", "vhdsDzpEoOnrWfCNFIMcaeku"),
        ("imagehash", "coDbXNRTCFSrnqVdvh2"),
        ("imagedelta", "SVFfdDbzvh"),
        ("imageundelta", "SVfdDbzvh"),
        ("imagerezip", "SVfdDbzvh"),
        ("imagedump", "dmicqCvh"),
    ] {
        let tool = Tool::named(OsStr::new(name)).unwrap();
        let mut command = tool.command();
        command.build();
        for letter in letters.chars() {
            let found = command.get_arguments().any(|option| option.get_short() == Some(letter));
            assert!(found, "{name} -{letter}");
        }
    }
}
