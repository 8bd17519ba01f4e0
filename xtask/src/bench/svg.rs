//! The curve of docs/performance.md: a panel for each job, a line for each number of CPUs.

use std::fmt::Write as _;

use super::growth::{CPUS, JOBS, Point};
use super::job::Job;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 660.0;
/// What is drawn in, of each panel.
const PLOT_WIDTH: f64 = 330.0;
const PLOT_HEIGHT: f64 = 200.0;
/// The upper left corners of the panels.
const CORNERS: [(f64, f64); 4] = [(70.0, 90.0), (490.0, 90.0), (70.0, 390.0), (490.0, 390.0)];
/// A colour for each number of CPUs; both can be told apart by everybody, and in print.
const COLOURS: [&str; 2] = ["#b45309", "#1d4ed8"];

/// The drawing.
pub(super) fn draw(points: &[Point]) -> String {
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" font-family="Helvetica, Arial, sans-serif" font-size="13" fill="#1f2937">
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
<text x="70" y="34" font-size="18" font-weight="bold">Time by size of the disk</text>
"##
    );
    for ((cpus, colour), x) in CPUS.iter().zip(COLOURS).zip([560.0, 690.0]) {
        let label = if *cpus == 1 { "1 CPU".to_owned() } else { format!("{cpus} CPUs") };
        let _ = writeln!(
            svg,
            r#"<line x1="{x}" y1="29" x2="{}" y2="29" stroke="{colour}" stroke-width="2.5"/><circle cx="{}" cy="29" r="4" fill="{colour}"/><text x="{}" y="34">{label}</text>"#,
            x + 36.0,
            x + 18.0,
            x + 46.0
        );
    }
    for (job, corner) in JOBS.into_iter().zip(CORNERS) {
        panel(&mut svg, job, corner, points);
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, job: Job, (left, top): (f64, f64), points: &[Point]) {
    let here: Vec<_> = points.iter().filter(|point| point.job == job).collect();
    let most = here.iter().map(|point| point.seconds).fold(0.0, f64::max);
    let step = tick(most);
    let ticks = (most / step).ceil().max(1.0);
    let largest = points.iter().map(gib).fold(1.0, f64::max);
    let x = |size: f64| left + size / largest * PLOT_WIDTH;
    let y = |seconds: f64| top + PLOT_HEIGHT - seconds / (step * ticks) * PLOT_HEIGHT;
    let (right, bottom) = (left + PLOT_WIDTH, top + PLOT_HEIGHT);

    let _ = writeln!(
        svg,
        r#"<text x="{left}" y="{}" font-size="15" font-weight="bold">{}</text>"#,
        top - 14.0,
        job.name()
    );
    let mut number = 0.0;
    while number <= ticks {
        let (value, at) = (number * step, y(number * step));
        let digits = usize::from(step < 1.0) + usize::from(step < 0.1);
        let _ = writeln!(
            svg,
            r##"<line x1="{left}" y1="{at:.1}" x2="{right}" y2="{at:.1}" stroke="#e5e7eb"/><text x="{}" y="{:.1}" text-anchor="end" fill="#4b5563">{value:.digits$}</text>"##,
            left - 8.0,
            at + 4.5
        );
        number += 1.0;
    }
    let mut sizes: Vec<_> = points.iter().map(|point| point.gib).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for size in sizes {
        let at = x(f64::from(u32::try_from(size).unwrap_or(u32::MAX)));
        let _ = writeln!(
            svg,
            r##"<line x1="{at:.1}" y1="{bottom}" x2="{at:.1}" y2="{}" stroke="#6b7280"/><text x="{at:.1}" y="{}" text-anchor="middle" fill="#4b5563">{size}</text>"##,
            bottom + 5.0,
            bottom + 20.0
        );
    }
    let _ = writeln!(
        svg,
        r##"<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="#6b7280"/><text x="{}" y="{}" text-anchor="middle" fill="#4b5563">disk, GiB (3/8 in use)</text><text transform="translate({} {}) rotate(-90)" text-anchor="middle" fill="#4b5563">seconds</text>"##,
        left + PLOT_WIDTH / 2.0,
        bottom + 40.0,
        left - 46.0,
        top + PLOT_HEIGHT / 2.0
    );
    for (cpus, colour) in CPUS.into_iter().zip(COLOURS) {
        let mut line: Vec<_> = here.iter().filter(|point| point.cpus == cpus).collect();
        line.sort_by_key(|point| point.gib);
        let at: Vec<_> = line.iter().map(|point| (x(gib(point)), y(point.seconds))).collect();
        let path: Vec<_> = at.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            svg,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2.5"/>"#,
            path.join(" ")
        );
        for (x, y) in at {
            let _ = writeln!(svg, r#"<circle cx="{x:.1}" cy="{y:.1}" r="4" fill="{colour}"/>"#);
        }
    }
}

fn gib(point: &Point) -> f64 {
    f64::from(u32::try_from(point.gib).unwrap_or(u32::MAX))
}

/// The distance of an axis' marks: 1, 2 or 5 times a power of ten, so that there are at most six.
fn tick(most: f64) -> f64 {
    let rough = (most / 5.0).max(0.01);
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|digit| digit * power)
        .find(|tick| *tick >= rough)
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_numbers() {
        for (most, expected) in [(0.0, 0.01), (0.9, 0.2), (5.0, 1.0), (17.0, 5.0), (62.0, 20.0)] {
            assert!((tick(most) - expected).abs() < 1e-9, "{most}: {}", tick(most));
        }
    }

    #[test]
    fn each_element_is_closed_and_each_point_is_drawn() {
        let mut points = Vec::new();
        for job in JOBS {
            for (gib, cpus) in [(1, 1), (8, 1), (1, 2), (8, 2)] {
                let seconds = f64::from(u32::try_from(gib * 3 / cpus).unwrap());
                let cpus = usize::try_from(cpus).unwrap();
                points.push(Point { job, cpus, gib, bytes_in_use: 0, seconds });
            }
        }
        for svg in [draw(&points), draw(&[])] {
            let mut open = Vec::new();
            for tag in svg.split('<').skip(1) {
                let (tag, _) = tag.split_once('>').expect("a tag ends");
                assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
                match tag.strip_prefix('/') {
                    Some(name) => assert_eq!(open.pop(), Some(name)),
                    None if tag.ends_with('/') => {}
                    None => open.push(tag.split(' ').next().unwrap_or_default()),
                }
            }
            assert!(open.is_empty(), "{open:?}");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
        // One in the legend for each number of CPUs.
        assert_eq!(draw(&points).matches("<circle").count(), points.len() + CPUS.len());
    }
}
