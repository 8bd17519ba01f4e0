//! Manual pages, from the same tables as `--help`.

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use imagezip_tools::commands::{STATUSES, Tool};

/// The manual page of a tool.
///
/// # Errors
/// None in practice: it is written to memory.
pub(super) fn page(tool: &Tool) -> std::io::Result<Vec<u8>> {
    let name = tool.name;
    let man = Man::new(tool.command().bin_name(name))
        .manual("Image tools")
        .source(concat!("imagezip-tools ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut roff = Roff::new();
    exit_statuses(&mut roff, tool);
    definitions(&mut roff, "FILES", tool.files);
    examples(&mut roff, tool);
    differences(&mut roff, tool);
    roff.to_writer(&mut page)?;
    Ok(page)
}

fn exit_statuses(roff: &mut Roff, tool: &Tool) {
    roff.control("SH", ["EXIT STATUS"]);
    let mut statuses: Vec<(u8, &str)> = STATUSES.to_vec();
    statuses.retain(|(status, _)| tool.exit_statuses.iter().all(|(own, _)| own != status));
    statuses.extend(tool.exit_statuses);
    statuses.sort_unstable();
    for (status, meaning) in statuses {
        entry(roff, &status.to_string(), meaning);
    }
}

fn definitions(roff: &mut Roff, title: &str, entries: &[(&str, &str)]) {
    if entries.is_empty() {
        return;
    }
    roff.control("SH", [title]);
    for (term, meaning) in entries {
        entry(roff, term, meaning);
    }
}

fn entry(roff: &mut Roff, term: &str, meaning: &str) {
    roff.control("TP", []).text([bold(term)]).text([roman(meaning)]);
}

fn examples(roff: &mut Roff, tool: &Tool) {
    roff.control("SH", ["EXAMPLES"]);
    for (purpose, line) in tool.examples {
        roff.control("TP", []).text([roman(*purpose)]).text([bold(*line)]);
    }
}

fn differences(roff: &mut Roff, tool: &Tool) {
    if tool.differences.is_empty() {
        return;
    }
    roff.control("SH", ["DIFFERENCES FROM THE CLASSIC TOOL"]);
    for sentence in tool.differences {
        roff.control("IP", ["\\(bu", "2"]).text([roman(*sentence)]);
    }
}
