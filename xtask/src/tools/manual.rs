//! Manual pages, from the same tables as `--help`.

use clap::{Arg, ArgAction, Command};
use imagezip_tools::commands::{COMMON_DIFFERENCES, STATUSES, Tool, json};
use roff::{Inline, Roff, bold, italic, roman};

/// The manual page of a tool, for section 1.
pub(super) fn page(tool: &Tool) -> String {
    let mut command = tool.command().bin_name(tool.name);
    // Adds what clap adds itself, such as --help.
    command.build();
    let mut roff = Roff::new();
    // Words aren't torn apart: names and options are to be found and copied.
    roff.control("nh", []).control("ad", ["l"]);
    title(&mut roff, &command);
    synopsis(&mut roff, &command);
    description(&mut roff, &command);
    if command.has_subcommands() {
        subcommands(&mut roff, &command);
    } else {
        section(&mut roff, "OPERANDS");
        operands(&mut roff, &command);
    }
    options(&mut roff, &command);
    exit_statuses(&mut roff, tool);
    json_keys(&mut roff, tool);
    definitions(&mut roff, "FILES", tool.files);
    examples(&mut roff, tool);
    differences(&mut roff, tool);
    see_also(&mut roff, tool);
    roff.render()
}

fn title(roff: &mut Roff, command: &Command) {
    let name = command.get_name();
    let source = concat!("imagezip-tools ", env!("CARGO_PKG_VERSION"));
    // No date: the same sources give the same page.
    roff.control("TH", [&name.to_uppercase(), "1", "\"\"", source, "Image tools"]);
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    section(roff, "NAME").text([roman(format!("{name} - {}", lower_first(&about)))]);
}

fn synopsis(roff: &mut Roff, command: &Command) {
    section(roff, "SYNOPSIS");
    if !command.has_subcommands() {
        roff.text(call(command.get_name(), command));
        return;
    }
    for (number, subcommand) in command.get_subcommands().enumerate() {
        if number > 0 {
            roff.control("br", []);
        }
        let name = format!("{} {}", command.get_name(), subcommand.get_name());
        roff.text(call(&name, subcommand));
    }
}

/// How a command is called.
fn call(name: &str, command: &Command) -> Vec<Inline> {
    let mut line = vec![bold(name), roman(" ["), italic("options"), roman("]")];
    for operand in command.get_positionals() {
        let name = value_name(operand);
        let (open, close) = if operand.is_required_set() { (" ", "") } else { (" [", "]") };
        let more = operand.get_num_args().is_some_and(|range| range.max_values() > 1);
        let more =
            if more || matches!(operand.get_action(), ArgAction::Append) { "..." } else { "" };
        line.extend([roman(open), italic(name), roman(close), roman(more)]);
    }
    line
}

fn description(roff: &mut Roff, command: &Command) {
    section(roff, "DESCRIPTION");
    about(roff, command);
}

fn about(roff: &mut Roff, command: &Command) {
    let about = command.get_long_about().or(command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    for (number, paragraph) in about.split("\n\n").enumerate() {
        if number > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(sentence(paragraph))]);
    }
}

/// What the tool can do, each with its operands and options.
fn subcommands(roff: &mut Roff, command: &Command) {
    section(roff, "COMMANDS");
    for subcommand in command.get_subcommands() {
        let name = format!("{} {}", command.get_name(), subcommand.get_name());
        roff.control("SS", [name.as_str()]);
        about(roff, subcommand);
        operands(roff, subcommand);
        // Those that all have are among the options of the tool.
        let own = subcommand.get_arguments().filter(|argument| {
            !argument.is_positional() && !argument.is_global_set() && argument.get_id() != "help"
        });
        for option in own {
            entry(roff, names(option), &explanation(option));
        }
    }
}

fn operands(roff: &mut Roff, command: &Command) {
    for operand in command.get_positionals() {
        entry(roff, [italic(value_name(operand))], &explanation(operand));
    }
}

/// All options under their headings, those without one first.
fn options(roff: &mut Roff, command: &Command) {
    let options: Vec<_> = command
        .get_arguments()
        .filter(|argument| !argument.is_positional() && !argument.is_hide_set())
        .collect();
    let mut headings: Vec<_> = options.iter().map(|option| option.get_help_heading()).collect();
    headings.sort_by_key(Option::is_some);
    let mut shown = Vec::new();
    section(roff, "OPTIONS");
    for heading in headings {
        if shown.contains(&heading) {
            continue;
        }
        shown.push(heading);
        if let Some(heading) = heading {
            roff.control("SS", [heading]);
        }
        for option in options.iter().filter(|option| option.get_help_heading() == heading) {
            entry(roff, names(option), &explanation(option));
        }
    }
}

/// `-s, --long VALUE`.
fn names(option: &Arg) -> Vec<Inline> {
    let mut names = Vec::new();
    if let Some(short) = option.get_short() {
        names.push(bold(format!("-{short}")));
    }
    if let Some(long) = option.get_long() {
        if !names.is_empty() {
            names.push(roman(", "));
        }
        names.push(bold(format!("--{long}")));
    }
    if option.get_action().takes_values() {
        names.extend([roman(" "), italic(value_name(option))]);
    }
    names
}

fn value_name(argument: &Arg) -> String {
    match argument.get_value_names() {
        Some([name, ..]) => name.to_string(),
        _ => argument.get_id().to_string(),
    }
}

/// What the argument is, which values it takes, and which one it has by default.
fn explanation(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help());
    let mut text = sentence(&help.map(ToString::to_string).unwrap_or_default());
    if !argument.get_action().takes_values() {
        return text;
    }
    let values = argument.get_possible_values();
    let values: Vec<_> = values.iter().map(clap::builder::PossibleValue::get_name).collect();
    if !values.is_empty() {
        text = format!("{text} One of {}.", values.join(", "));
    }
    let default = argument.get_default_values().iter().map(|value| value.to_string_lossy());
    let default: Vec<_> = default.collect();
    if !default.is_empty() {
        text = format!("{text} By default {}.", default.join(" "));
    }
    text
}

fn exit_statuses(roff: &mut Roff, tool: &Tool) {
    section(roff, "EXIT STATUS");
    let general = STATUSES.iter().filter(|(status, _)| {
        // A tool's own meaning comes in place of the general one.
        tool.exit_statuses.iter().all(|(own, _)| own != status)
    });
    let mut statuses: Vec<_> = general.chain(tool.exit_statuses).collect();
    statuses.sort_unstable();
    for (status, meaning) in statuses {
        entry(roff, [bold(status.to_string())], &sentence(&upper_first(meaning)));
    }
}

fn json_keys(roff: &mut Roff, tool: &Tool) {
    if json::keys(tool.name).is_empty() {
        return;
    }
    section(roff, "JSON").text([
        roman("The keys that "),
        bold("--json"),
        roman(
            " prints, where they apply. Sectors are of 512 bytes; where something ends is the \
             sector or byte after its last. More keys may come; those that are there stay.",
        ),
    ]);
    for (key, meaning) in json::keys(tool.name) {
        entry(roff, [bold(*key)], &sentence(&upper_first(meaning)));
    }
}

fn definitions(roff: &mut Roff, title: &str, entries: &[(&str, &str)]) {
    if entries.is_empty() {
        return;
    }
    section(roff, title);
    for (term, meaning) in entries {
        entry(roff, [italic(*term)], &sentence(&upper_first(meaning)));
    }
}

fn examples(roff: &mut Roff, tool: &Tool) {
    section(roff, "EXAMPLES");
    for (purpose, line) in tool.examples {
        roff.control("PP", []).text([roman(format!("{purpose}:"))]);
        roff.control("IP", []).text([bold(*line)]);
    }
}

fn differences(roff: &mut Roff, tool: &Tool) {
    // Without any there is no classic tool of that name.
    if tool.differences.is_empty() {
        return;
    }
    section(roff, "DIFFERENCES FROM THE CLASSIC TOOL");
    for sentence in tool.differences.iter().chain(COMMON_DIFFERENCES) {
        roff.control("IP", ["\\(bu", "2"]).text([roman(*sentence)]);
    }
}

fn see_also(roff: &mut Roff, tool: &Tool) {
    let others = imagezip_tools::commands::TOOLS.iter().filter(|other| other.name != tool.name);
    let mut line = Vec::new();
    for other in others {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        line.extend([bold(other.name), roman("(1)")]);
    }
    section(roff, "SEE ALSO").text(line);
}

fn section<'a>(roff: &'a mut Roff, title: &str) -> &'a mut Roff {
    roff.control("SH", [title])
}

fn entry(roff: &mut Roff, term: impl Into<Vec<Inline>>, meaning: &str) {
    roff.control("TP", []).text(term).text([roman(meaning)]);
}

/// The text with a full stop; clap takes it away from the first paragraph of a doc comment.
fn sentence(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with(['.', '?', ':']) { text.to_owned() } else { format!("{text}.") }
}

fn lower_first(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(char::to_lowercase);
    first.into_iter().flatten().chain(rest).collect()
}

fn upper_first(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(rest).collect()
}
