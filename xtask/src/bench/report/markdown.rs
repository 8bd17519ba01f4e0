//! The tables of docs/performance.md.

use std::fmt::Write as _;

use super::{Report, Row};
use crate::bench::growth;
use crate::bench::target::TIMES_SINGLE;

/// All tables, for docs/performance.md to be pasted into.
pub(super) fn write(report: &Report) -> String {
    let mut text = machine(report);
    text += &jobs(report);
    text += &limits(report);
    if !report.growth.is_empty() {
        text += &growth::table(&report.growth);
    }
    text
}

fn machine(report: &Report) -> String {
    let (machine, disk) = (&report.machine, &report.disk);
    let mut text = format!(
        "{}, {} CPUs, {} MiB of memory; {}, kernel {}, files on {}; {}, commit {}.\n\n",
        machine.cpu,
        machine.cpus,
        machine.memory_mib,
        machine.system,
        machine.kernel,
        machine.file_system,
        machine.rustc,
        machine.commit
    );
    let _ = writeln!(
        text,
        "The disk has {} GiB, of which {} MB are in use and {} MB ({}) have changed.\n",
        disk.gib,
        millions(disk.bytes_in_use),
        millions(disk.bytes_changed),
        percent(disk.bytes_changed, disk.bytes_in_use)
    );
    text
}

fn jobs(report: &Report) -> String {
    let mut text = String::from(
        "| Job | Seconds (least to most) | Limit | Ratio | At most | One thread, zlib | Target | \
         Reference | MB written | Peak memory |\n\
         |---|--:|--:|--:|--:|--:|---|--:|--:|--:|\n",
    );
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), seconds);
    for row in &report.rows {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} MiB |",
            row.job,
            with_spread(row),
            number(row.limit_seconds),
            number(row.ratio),
            number(row.ratio_at_most),
            number(row.single_seconds),
            match row.met {
                Some(true) => "met",
                Some(false) => "**missed**",
                None => "–",
            },
            number(row.reference_seconds),
            millions(row.bytes_out),
            row.peak_rss.div_ceil(1 << 20)
        );
    }
    let _ = writeln!(text, "\nThe limits of the jobs:\n");
    for row in report.rows.iter().filter(|row| !row.limit.is_empty()) {
        let _ = write!(text, "* {}: {}", row.job, row.limit);
        if row.single_seconds.is_some() {
            let _ = write!(text, "; also {TIMES_SINGLE:.0} times as fast as one thread with zlib");
        }
        text.push('\n');
    }
    let packing = report.packing;
    let _ = writeln!(
        text,
        "\nPacking of the full image: {} MB, of which {} are compressed data, {} headers and {} \
         unused.",
        millions(packing.bytes),
        percent(packing.payload_bytes, packing.bytes),
        percent(packing.header_bytes, packing.bytes),
        percent(packing.padding_bytes, packing.bytes)
    );
    if let Some(zlib) = report.limits.out("zlib-compress") {
        let _ = writeln!(
            text,
            "Compressed data of the full image: {} MB; of zlib's level 4 in chunks of 3 MiB: {} MB.",
            millions(packing.payload_bytes),
            millions(zlib)
        );
    }
    text.push('\n');
    text
}

fn limits(report: &Report) -> String {
    let mut text = String::from(
        "| What the machine can do | Seconds (least to most) | MB in | MB out | MB/s |\n\
         |---|--:|--:|--:|--:|\n",
    );
    for (name, measure) in report.limits.all() {
        let (least, most) = report.limits.spread(name).unwrap_or_default();
        let _ = writeln!(
            text,
            "| {name} | {} ({} to {}) | {} | {} | {:.0} |",
            seconds(measure.seconds),
            seconds(least),
            seconds(most),
            millions(measure.bytes),
            millions(measure.out),
            measure.rate() / 1e6
        );
    }
    let rate = |name: &str| report.limits.get(name).map(|measure| measure.rate());
    if let Some((ours, openssl)) = rate("sha1-core").zip(rate("openssl-core")) {
        let share = 100.0 * ours / openssl;
        let _ = writeln!(text, "\nSHA-1 on one core: {share:.0} % of OpenSSL's speed.");
    }
    text.push('\n');
    text
}

fn with_spread(row: &Row) -> String {
    match row.spread() {
        Some((least, most)) if row.runs.len() > 1 => {
            format!("{} ({} to {})", seconds(row.seconds), seconds(least), seconds(most))
        }
        _ => seconds(row.seconds),
    }
}

/// Three digits, or a few more.
pub(in crate::bench) fn seconds(value: f64) -> String {
    let digits = if value < 10.0 { 2 } else { 1 };
    format!("{value:.digits$}")
}

fn millions(bytes: u64) -> String {
    // In tenths, where these say something.
    let tenths = bytes.div_ceil(100_000);
    if tenths < 1000 {
        format!("{}.{}", tenths / 10, tenths % 10)
    } else {
        (tenths / 10).to_string()
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with two digits after the point")]
fn percent(part: u64, whole: u64) -> String {
    format!("{:.2} %", 100.0 * part as f64 / whole.max(1) as f64)
}
