//! What the demo has shown, for people.

use std::time::Duration;

use anyhow::Result;

use super::story::{Job, Told};

/// Prints what was captured, saved, loaded and compared. All that was compared was equal.
pub(super) fn print(told: &Told) -> Result<()> {
    println!();
    println!("the image, of pc1's virtio disk of {}", mib(told.disk_bytes));
    line("image", &mib(told.capture.said.number("bytes")?));
    times(&told.capture);
    println!();
    println!("the first swapin, on pc1");
    load(&told.load)?;
    println!();
    println!("swapout of pc1");
    let (delta, data) = (mib(told.saved.delta_bytes), mib(told.saved.delta_data_bytes));
    line("delta", &format!("{delta} holding {data} of the disk"));
    times(&told.save);
    let (bytes, files) = (mib(told.saved.bytes_compared), told.saved.files_compared);
    line("proven", &format!("{bytes} in use, {files} files by digest: equal; e2fsck -fn: clean"));
    println!();
    println!("swapin on pc2, a SATA disk of {} full of another user's data", mib(told.other_bytes));
    load(&told.swapin)?;
    let (bytes, files) = (mib(told.loaded.bytes_compared), told.loaded.files_compared);
    line("proven", &format!("{bytes} in use, {files} files by digest: those of pc1;"));
    line("", "e2fsck -fn: clean; the GPT fits the larger disk: sgdisk finds no problems");
    line("last user", "nothing is left of what the disk held: each sector is pc1's or zeros");
    let name = told.answer.split([',', ' ']).next().unwrap_or_default();
    line("own disk", &format!("boots by itself; its init says \"hello from {name}\" and has read"));
    line("", &format!("{}, with the SHA-256 that it has on pc1", told.file));
    Ok(())
}

fn load(job: &Job) -> Result<()> {
    let number = |word| job.said.number(word);
    line("images", &format!("{} read", mib(number("read")?)));
    line("compared", &format!("{} of the disk", mib(number("compared")?)));
    line("avoided", &format!("{} that the disk had already", mib(number("avoided")?)));
    line("written", &format!("{}, and read back from the disk", mib(number("written")?)));
    match number("cleared")? {
        0 => {}
        cleared => line("cleared", &format!("{} of free space", mib(cleared))),
    }
    times(job);
    Ok(())
}

fn times(job: &Job) {
    line("took", &format!("{} in all, with boots and boss (emulated CPUs)", seconds(job.took)));
    line("peak memory", &format!("{} of the agent", job.said.peak_memory));
}

fn seconds(time: Duration) -> String {
    format!("{:.0} s", time.as_secs_f64())
}

fn line(name: &str, text: &str) {
    println!("  {name:<14} {text}");
}

#[expect(clippy::cast_precision_loss, reason = "for people, who read three digits")]
fn mib(bytes: u64) -> String {
    if bytes == 0 {
        return "nothing".to_owned();
    }
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
