//! Standard input, output and error: closed, full, or a terminal.

use std::process::Stdio;

use crate::bench::Bench;

#[test]
fn nobody_needs_to_read_messages() {
    let bench = Bench::new();
    for (number, end) in ["2>/dev/full", "2>&-", "2>&- </dev/null >/dev/full"].iter().enumerate() {
        bench.does(&format!("imagezip -o -d -r disk {number}.ndz {end}"));
        bench.does(&format!("imageunzip -o -d {number}.ndz {number} {end}"));
        bench.does(&format!("cmp disk {number} && imagehash -q {number}.ndz disk {end}"));
        assert_eq!(bench.shell(&format!("imagezip -r /nowhere x {end}")).status.code(), Some(1));
    }
}

#[test]
fn closed_standard_input_and_output() {
    let bench = Bench::new();
    bench.refuses("imagezip - new <&-", "-");
    bench.does("imagezip -r disk new <&- >&-");
    bench.does("imageunzip new loaded <&- >&- && cmp disk loaded");
    // What reads the output may stop early.
    let mut child = bench.command("imageunzip");
    let mut child = child.args(["base.ndz", "-"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(141));
}

#[test]
fn terminals_get_a_bar() {
    let bench = Bench::new();
    let bar = "[====";
    for (arguments, wanted) in [("", true), ("--quiet", false), ("-o", false)] {
        for call in ["imagezip -r disk new", "imageunzip base.ndz new"] {
            let (tool, operands) = call.split_once(' ').unwrap();
            let line = format!("script -qec '{tool} {arguments} {operands}' /dev/null");
            let said = bench.does(&line);
            assert_eq!(said.contains(bar), wanted, "{line}: {said}");
            // The row of dots is the classic one: 67 or 61 wide.
            let dots =
                said.contains("...") && said.lines().any(|line| line.trim_end().ends_with(" 0"));
            assert_eq!(dots, arguments == "-o", "{line}: {said}");
        }
    }
    // A pipe is no terminal.
    assert!(!bench.does("imagezip -r disk new 2>&1").contains(bar));
}
