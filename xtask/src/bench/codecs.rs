//! The table of codecs on one core.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;

use super::job::file;
use super::limits::Measure;
use super::program::Programs;
use super::stand::Stand;
use super::step;
use crate::command::find_program;

/// How much of the disk's data the codecs get for each GiB of its size.
const CORPUS: u64 = 64 << 20;

/// What the measuring program says of a codec.
#[derive(Debug, Deserialize)]
struct Row {
    codec: String,
    level: u8,
    compress: Measure,
    inflate: Measure,
    inflate_here: Measure,
}

/// Measures, and writes the table in Markdown.
pub(super) fn table(programs: &Programs, stand: &Stand, rounds: usize) -> Result<String> {
    step("codecs: this takes a few minutes for each round");
    let corpus = stand.bench.path("corpus");
    let image = stand.bench.path(file::IMAGE);
    let (bytes, count) = ((CORPUS * stand.bench.gib).to_string(), rounds.to_string());
    let rows: Vec<Row> = programs.ask(&[
        OsStr::new("codecs"),
        OsStr::new("--disk"),
        stand.bench.disk.path.as_os_str(),
        OsStr::new("--image"),
        image.as_os_str(),
        OsStr::new("--bytes"),
        OsStr::new(&bytes),
        OsStr::new("--rounds"),
        OsStr::new(&count),
        OsStr::new("--corpus"),
        corpus.as_os_str(),
    ])?;
    let mut text = String::from(
        "| Codec | Level | Compress, MB/s | Compressed to | Inflate, MB/s | Inflate here, MB/s |\n\
         |---|--:|--:|--:|--:|--:|\n",
    );
    for row in &rows {
        let _ = writeln!(
            text,
            "| {} | {} | {:.0} | {} | {:.0} | {:.0} |",
            row.codec,
            row.level,
            row.compress.rate() / 1e6,
            share(row.compress),
            row.inflate.rate() / 1e6,
            row.inflate_here.rate() / 1e6
        );
    }
    if let Some(igzip) = find_program("igzip") {
        for level in 0..=3 {
            let (compress, inflate) = by_igzip(programs, &igzip, &corpus, level, rounds)?;
            let _ = writeln!(
                text,
                "| igzip (isa-l) | {level} | {:.0} | {} | {:.0} | – |",
                compress.rate() / 1e6,
                share(compress),
                inflate.rate() / 1e6
            );
        }
    }
    std::fs::remove_file(corpus)?;
    Ok(text)
}

/// The program compresses the file as one stream, and its CPU time counts, so it also reads and
/// writes files; both are small beside the work.
fn by_igzip(
    programs: &Programs,
    igzip: &Path,
    corpus: &Path,
    level: u8,
    rounds: usize,
) -> Result<(Measure, Measure)> {
    let packed = corpus.with_extension("gz");
    let unpacked = corpus.with_extension("out");
    let line = |words: &[&str], from: &Path, to: &Path| -> Vec<OsString> {
        let mut line = vec![igzip.into()];
        line.extend(words.iter().map(OsString::from));
        line.extend(["-f".into(), "-k".into(), "-o".into(), to.into(), from.into()]);
        line
    };
    let len = |path: &Path| -> Result<u64> { Ok(std::fs::metadata(path)?.len()) };
    let mut best: Option<(f64, f64)> = None;
    for _ in 0..rounds.max(1) {
        let level = format!("-{level}");
        let compress = programs.time(Some(1), &line(&[&level], corpus, &packed))?.cpu_seconds;
        let inflate = programs.time(Some(1), &line(&["-d"], &packed, &unpacked))?.cpu_seconds;
        let (first, second) = best.unwrap_or((compress, inflate));
        best = Some((first.min(compress), second.min(inflate)));
    }
    let (bytes, size) = (len(corpus)?, len(&packed)?);
    anyhow::ensure!(len(&unpacked)? == bytes, "igzip gives other data back");
    std::fs::remove_file(packed)?;
    std::fs::remove_file(unpacked)?;
    let (compress, inflate) = best.unwrap_or_default();
    Ok((
        Measure { seconds: compress, bytes, out: size },
        Measure { seconds: inflate, bytes: size, out: bytes },
    ))
}

/// The share that is left, as a fraction of one.
#[expect(clippy::cast_precision_loss, reason = "shown with four digits")]
fn share(measure: Measure) -> String {
    format!("{:.4}", measure.out as f64 / measure.bytes.max(1) as f64)
}
