use std::fs;

use super::*;

/// The names or patterns of test targets that the steps run.
fn named() -> Vec<&'static str> {
    let steps = QUICK.iter().chain(GUESTS);
    let pairs = steps.flat_map(|step| step.arguments.windows(2));
    pairs.filter(|pair| pair[0] == "--test").map(|pair| pair[1]).collect()
}

/// The names of all test targets in the workspace.
fn targets() -> Vec<String> {
    let mut targets = Vec::new();
    for member in fs::read_dir(paths::workspace()).unwrap() {
        let member = member.unwrap().path();
        if !member.join("Cargo.toml").is_file() {
            continue;
        }
        for entry in fs::read_dir(member.join("tests")).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|suffix| suffix == "rs")
                || path.join("main.rs").is_file()
            {
                targets.push(path.file_stem().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    targets
}

#[test]
fn every_test_target_is_run_and_every_name_is_one() {
    let fits = |pattern: &str, target: &str| match pattern.strip_suffix('*') {
        Some(start) => target.starts_with(start),
        None => target == pattern,
    };
    let (named, targets) = (named(), targets());
    assert!(targets.len() > 10, "{targets:?}");
    for target in &targets {
        assert!(named.iter().any(|pattern| fits(pattern, target)), "no step runs {target}");
    }
    for pattern in &named {
        assert!(targets.iter().any(|target| fits(pattern, target)), "no test target {pattern}");
    }
}
