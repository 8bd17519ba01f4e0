//! What `cargo xtask demo` does, done by somebody with a browser: boss and all of its testbed are real,
//! and nodes are machines in QEMU.

use std::fs;
use std::time::{Duration, Instant};

use boss::db::Database;
use boss::password;
use swapmfs_tests::trial::is_root;
use xtask::experiment::{Experiment, PID, SERIAL, VNAME};
use xtask::node_disk::loader::ANSWER;
use xtask::node_disk::{NodeDisk, SECTOR, Sizes, work_as_user};
use xtask::qemu::hardware::Disk;
use xtask::qemu::{Access, Drive};
use xtask::testbed::{self, LOGIN, NodeSpec, Testbed};
use xtask::{apt, mfs, paths, tools};

use crate::browser::{Browser, LOOK};
use crate::elements::Kind;
use crate::experiments::SAVES;
use crate::swaps::wait_for_steps;
use crate::world::PASSWORD;

/// Enough for a save that one can watch.
const SIZES: Sizes = Sizes { esp: 36, root: 512, swap: 16, files: 200 };
/// How many bytes a second its disk gives: the node says every three seconds how far it is.
const READ_LIMIT: u32 = 16 << 20;
/// How long a swap may take, with emulated CPUs.
const LIMIT: Duration = Duration::from_mins(5);
/// How long a node may take to boot from its own disk.
const BOOT: Duration = Duration::from_mins(4);
/// The serial number of the other node's disk.
const OTHER_SERIAL: &str = "SWAPMFS-DISK-2";

struct Stand {
    testbed: Testbed,
    experiment: Experiment,
}

impl Stand {
    fn new() -> Self {
        for packages in [apt::KERNEL_TOOLS, apt::QEMU, apt::DISK_TOOLS, apt::BOOT_LOADER, apt::LAB]
        {
            apt::ensure(packages).unwrap();
        }
        apt::ensure(apt::BOSS).unwrap();
        let boss = testbed::build_boss().unwrap();
        tools::build().unwrap();
        let image = mfs::build("all", None).unwrap();
        let directory = paths::target().join("tests/browser");
        let more = "[limits]\nshutdown = 60\n";
        let mut testbed = Testbed::start(&directory, &boss, &image, None, more).unwrap();
        let directory = testbed.directory().to_owned();
        let scratch = directory.join("scratch");
        fs::create_dir_all(&scratch).unwrap();
        let path = directory.join("node.img");
        let disk = NodeDisk::make_bootable(&path, &scratch, SIZES, &[], VNAME).unwrap();
        let drive = Drive { path, serial: SERIAL.to_owned(), access: Access::ReadWrite };
        let spec = NodeSpec {
            node_id: "pc1",
            number: 11,
            disk: Disk::from(drive).read_limit(READ_LIMIT),
            disk_name: "vda",
            serial: SERIAL.to_owned(),
            bytes: disk.sectors * SECTOR,
        };
        testbed.add_node(&spec).unwrap();
        let images = testbed.proj().join(PID).join("images");
        let (base_image, base_signature) =
            (images.join("BASE.ndz"), images.join("sigs/BASE.ndz.sig"));
        let experiment = Experiment { directory, disk, base_image, base_signature };
        let stand = Self { testbed, experiment };
        stand.give_password();
        stand
    }

    fn give_password(&self) {
        let url = format!("sqlite://{}/boss.db", self.experiment.directory.display());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let db = Database::open(&url).await.unwrap();
            password::set(&db, &LOGIN.parse().unwrap(), PASSWORD, None).await.unwrap();
            db.close().await;
        });
    }

    /// The machine of somebody else, with a disk of another kind and size.
    fn add_other(&mut self) -> NodeDisk {
        let other = self.experiment.other_disk().unwrap();
        let spec = NodeSpec {
            node_id: "pc2",
            number: 12,
            disk: self.experiment.other_drive(&other),
            disk_name: "sda",
            serial: OTHER_SERIAL.to_owned(),
            bytes: other.sectors * SECTOR,
        };
        self.testbed.add_node(&spec).unwrap();
        other
    }

    /// Waits until the system on a node's own disk has said who it is; what it said.
    fn answer(&self, node_id: &str) -> String {
        let deadline = Instant::now() + BOOT;
        loop {
            let text = fs::read(self.testbed.console(node_id)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            // The last boot counts.
            let last = text.rsplit("iPXE ").next().unwrap_or_default();
            let mut lines = last.lines().filter_map(|line| line.split_once(ANSWER));
            if let Some((_, answer)) = lines.next() {
                return answer.trim().to_owned();
            }
            assert!(Instant::now() < deadline, "{node_id} doesn't boot from its disk:\n{last}");
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until a node has turned itself off.
    fn wait_until_off(&self, node_id: &str) {
        let deadline = Instant::now() + BOOT;
        let is_off = || {
            let status = self.testbed.boss(&["node", "power", "status", node_id]).unwrap();
            status.text.trim().ends_with("is off")
        };
        while !is_off() {
            assert!(Instant::now() < deadline, "{node_id} does not turn itself off");
            std::thread::sleep(LOOK * 4);
        }
    }
}

/// Waits on the page of a swap until that is over; it has to end well.
fn wait_for_end(browser: &Browser, name: &str) {
    browser.wait("the swap's page", || browser.path().starts_with("/swaps/"));
    let over = || browser.has(Kind::Link, "To the experiment");
    browser.wait_for(LIMIT, &format!("the end of {name}"), over);
    browser.check_page(&format!("live-{name}"));
    let badges = browser.script(
        "return [...document.querySelectorAll('main .badge')].map(e => e.innerText).join(' ')",
        &[],
    );
    assert!(!badges.as_str().unwrap_or_default().contains("fail"), "{name}: {}", browser.text());
}

/// Makes an experiment with one node; its page is shown then.
fn make(browser: &Browser, eid: &str, vname: &str, image: Option<&str>) {
    browser.go("/experiments/new");
    let names = browser.all(Kind::Field, "Name");
    browser.fill_in(&names[0], eid);
    browser.fill_in(&names[1], vname);
    if let Some(image) = image {
        browser.choose_in(&browser.all(Kind::Choice, "Image")[0], image);
        browser.click(Kind::CheckBox, SAVES);
    }
    browser.click(Kind::Button, "Make the experiment");
    browser.wait_path(&format!("/experiments/{PID}/{eid}"));
}

/// Swaps an experiment in on a certain machine.
fn swap_in(browser: &Browser, eid: &str, vname: &str, machine: &str) {
    browser.go(&format!("/experiments/{PID}/{eid}/swapin"));
    browser.choose(&format!("Machine of {vname}"), machine);
    browser.click(Kind::Button, "Swap in");
}

#[test]
fn a_disk_is_saved_and_comes_back_on_another_machine() {
    if !is_root("a_disk_is_saved_and_comes_back_on_another_machine") {
        return;
    }
    let mut stand = Stand::new();
    let address = stand.testbed.http().to_string();
    let browser = Browser::open("live", &address, Some(stand.testbed.network()));
    browser.go("/signin");
    browser.fill("Login", LOGIN);
    browser.fill("Password", PASSWORD);
    browser.click(Kind::Button, "Sign in");
    browser.wait_path("/");

    // An image of a machine that somebody has installed.
    make(&browser, "golden", "master", None);
    swap_in(&browser, "golden", "master", "pc1");
    wait_for_end(&browser, "swapin-of-master");
    stand.answer("pc1");
    browser.go(&format!("/experiments/{PID}/golden/capture"));
    browser.check_page("experiment-capture");
    browser.fill("Name of the image", "BASE");
    browser.choose("Partition that boots", "2");
    browser.click(Kind::Button, "Make the image");
    browser.wait("the swap's page", || browser.path().starts_with("/swaps/"));
    wait_for_steps(&browser, LIMIT, 3);
    wait_for_end(&browser, "capture");
    stand.answer("pc1");
    browser.go(&format!("/experiments/{PID}/golden/swapout"));
    if browser.has(Kind::CheckBox, "I know that") {
        browser.click(Kind::CheckBox, "I know that");
    }
    browser.click(Kind::Button, "Swap out");
    wait_for_end(&browser, "swapout-of-master");

    // An experiment gets the machine, loaded with the image.
    let variable = "swap/swapout_command";
    browser.go("/sitevars");
    let command = "/usr/local/bin/create-swapimage";
    browser.fill_in(&browser.find_in(variable, Kind::Field, "Value"), command);
    browser.click_on(&browser.find_in(variable, Kind::Button, "Set"));
    browser.wait("what was done", || browser.has_role("status"));
    make(&browser, "trial", VNAME, Some("BASE"));
    swap_in(&browser, "trial", VNAME, "pc1");
    wait_for_end(&browser, "swapin");
    stand.answer("pc1");
    stand.wait_until_off("pc1");
    work_as_user(&stand.experiment.disk, &stand.experiment.directory.join("scratch")).unwrap();

    // What its user has done is saved, and one sees how far it is.
    browser.go(&format!("/experiments/{PID}/trial/swapout"));
    browser.click(Kind::Button, "Swap out");
    browser.wait("the swap's page", || browser.path().starts_with("/swaps/"));
    wait_for_steps(&browser, LIMIT, 3);
    browser.check_looks("live-saving");
    browser.reload();
    wait_for_steps(&browser, LIMIT, 2);
    wait_for_end(&browser, "swapout");
    stand.experiment.prove().unwrap();
    browser.click(Kind::Link, "To the experiment");
    browser.wait_path(&format!("/experiments/{PID}/trial"));
    browser.check_page("live-saved");
    browser.click(Kind::Link, VNAME);
    browser.wait_path(&format!("/experiments/{PID}/trial/disks/{VNAME}"));
    // The page loads itself again until it has the list.
    browser.wait_for(LIMIT, "the changed files", || browser.shows("/home/user/renamed"));
    browser.check_page("live-disk");

    // It comes back on another machine, which goes on from there.
    let other = stand.add_other();
    swap_in(&browser, "trial", VNAME, "pc2");
    wait_for_end(&browser, "swapin-elsewhere");
    let answer = stand.answer("pc2");
    stand.wait_until_off("pc2");
    stand.experiment.prove_answer(&answer).unwrap();
    stand.experiment.prove_loaded(&other).unwrap();
    browser.check_console();
}
