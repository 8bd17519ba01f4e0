//! What the data base says, against what is there.

use super::Findings;
use super::directories::{of_group, room};
use super::files::fault_of_program;
use crate::config::Config;
use crate::db::Database;
use crate::db::experiments::{Experiment, ExperimentState};
use crate::db::nodes::Node;
use crate::image::{Images, SignatureState};
use crate::layout::Layout;
use crate::power::Machine;
use crate::sitevar;
use crate::swap::command::Command;

/// All of it.
pub(super) async fn examine(
    findings: &mut Findings,
    config: &Config,
    layout: &Layout,
    db: &Database,
) -> anyhow::Result<()> {
    sitevars(findings, db).await?;
    projects(findings, layout, db).await?;
    let mut largest = 0;
    for experiment in db.experiments().await? {
        largest = experiment_of(findings, layout, db, &experiment).await?.max(largest);
    }
    if findings.bad("directories") == 0 {
        findings.ok("directories", "projects' and experiments' are their groups'");
    }
    if findings.bad("swapinfo") == 0 {
        findings.ok("swapinfo", "nodes whose disks are to be saved have what they need");
    }
    room(findings, &config.directories.proj, largest);
    for node in db.nodes().await? {
        node_of(findings, config, db, &node).await?;
    }
    if findings.bad("nodes") == 0 {
        findings.ok("nodes", "they can be turned on and off, and their disks told apart");
    }
    images(findings, config, db).await
}

async fn sitevars(findings: &mut Findings, db: &Database) -> anyhow::Result<()> {
    const CHECK: &str = "site variables";
    for variable in db.sitevars().await? {
        let (name, value) = (variable.name.as_str(), variable.effective());
        if let Err(why) = sitevar::check(name, value) {
            let advice = format!("boss sitevar set {name}");
            findings.error(CHECK, format_args!("{name} is {value:?}: {why}"), advice);
        }
    }
    let command = db.sitevar("swap/swapout_command").await?.unwrap_or_default();
    let advice = "boss sitevar set swap/swapout_command create-swapimage";
    match Command::parse(&command) {
        Command::None => {
            findings.warning(CHECK, "swap/swapout_command is empty: no disk is saved", advice);
        }
        Command::CreateSwapimage { statistics: true, .. } => {
            let what = format!("{command:?} only counts: no disk is saved");
            findings.warning(CHECK, what, advice);
        }
        Command::Other => {
            let what = format!("boss doesn't know {command:?}, and the agent refuses it");
            findings.warning(CHECK, what, advice);
        }
        Command::CreateSwapimage { .. } => {}
    }
    if findings.bad(CHECK) == 0 {
        findings.ok(CHECK, format_args!("disks are saved by {command:?}"));
    }
    Ok(())
}

async fn projects(findings: &mut Findings, layout: &Layout, db: &Database) -> anyhow::Result<()> {
    for project in db.projects().await? {
        let pid = &project.pid;
        let mut groups = vec![pid.as_str().parse()?];
        groups.extend(db.subgroups(pid).await?);
        let advice = format!("boss project make-directories {pid}");
        for gid in groups {
            let number = db.unix_gid(pid, &gid).await?.unwrap_or_default();
            let images = layout.images(pid, &gid).here;
            for path in [images.join("sigs"), images, layout.group(pid, &gid).here.join("exp")] {
                of_group(findings, &path, number, &advice);
            }
        }
    }
    Ok(())
}

/// An experiment's directory, and what its nodes need; the size of its largest saved disk.
async fn experiment_of(
    findings: &mut Findings,
    layout: &Layout,
    db: &Database,
    experiment: &Experiment,
) -> anyhow::Result<u64> {
    let (id, Experiment { pid, gid, eid, .. }) = (experiment.id(), experiment);
    let swapinfo = layout.swapinfo(pid, gid, eid).here;
    let number = db.unix_gid(pid, gid).await?.unwrap_or_default();
    let advice = format!("mkdir it, with group {number} and mode 2770; what was in it is lost");
    of_group(findings, &swapinfo, number, &advice);
    let names: Vec<String> = std::fs::read_dir(&swapinfo)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let saved = names.iter().filter(|name| name.ends_with("-swap.ndz"));
    let size = |name: &String| swapinfo.join(name).symlink_metadata().map_or(0, |data| data.len());
    let largest = saved.map(size).max().unwrap_or_default();
    let is_saved = experiment.savedisk && !experiment.firewalled;
    if !is_saved || experiment.state != ExperimentState::Active {
        return Ok(largest);
    }
    for held in db.reservations(&id).await?.iter().filter(|held| held.erole == "node") {
        for suffix in ["part", "sig"] {
            let file = swapinfo.join(format!("{}.{suffix}", held.vname));
            // A link that leads nowhere is no signature.
            if let Err(error) = file.metadata() {
                let what = format!("{}: {error}", file.display());
                findings.error("swapinfo", what, format_args!("boss exp collect {id}"));
            }
        }
    }
    Ok(largest)
}

async fn node_of(
    findings: &mut Findings,
    config: &Config,
    db: &Database,
    node: &Node,
) -> anyhow::Result<()> {
    const CHECK: &str = "nodes";
    let id = &node.node_id;
    if node.power_driver.is_empty() {
        let what = format!("{id} has no power driver");
        findings.warning(CHECK, what, format_args!("boss node set {id} --power-driver"));
    } else if let Err(fault) =
        Machine::new(id.clone(), &node.power_driver, node.power_settings.clone())
    {
        let advice = format!("boss node set {id} --power-driver");
        findings.error(CHECK, format_args!("{id}: {fault}"), advice);
    } else if let Some(fault) = fault_of_program(&config.directories.power.join(&node.power_driver))
    {
        let advice = "scripts/power has drivers; power in [directories] says where they are";
        findings.error(CHECK, format_args!("{id}: {fault}"), advice);
    }
    let disks = db.disks(id).await?;
    match disks.first().filter(|disk| disk.boots) {
        None => {
            let what = format!("{id}: nothing is known of the disk that it boots from");
            let advice = format!("boss node disk set {id} <disk> --boots --serial <serial number>");
            findings.warning(CHECK, what, advice);
        }
        Some(disk) if disk.serial.is_none() && disk.wwn.is_none() && disk.disk_guid.is_none() => {
            let what =
                format!("{id}: by its name alone, {} may be another disk one day", disk.name);
            let advice = format!("boss node disk set {id} {} --serial <serial number>", disk.name);
            findings.warning(CHECK, what, advice);
        }
        Some(_) => {}
    }
    Ok(())
}

async fn images(findings: &mut Findings, config: &Config, db: &Database) -> anyhow::Result<()> {
    const CHECK: &str = "images";
    for listed in Images::new(config, db).list().await? {
        let id = listed.image.id();
        if !listed.is_there {
            let what = format!("{id}: {} is not what it was, or not there", listed.image.path);
            findings.error(CHECK, what, format_args!("boss image verify {id}"));
        }
        if listed.signature != SignatureState::Present {
            let state = listed.signature.name();
            let what = format!("{id}: its signature is {state}; no disk with it can be saved");
            findings.warning(CHECK, what, "boss image sign-missing");
        }
    }
    if findings.bad(CHECK) == 0 {
        findings.ok(CHECK, "all are there, and their signatures");
    }
    Ok(())
}
