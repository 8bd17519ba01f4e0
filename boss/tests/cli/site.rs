//! A site in a scratch directory, and its operator, who is root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

/// A driver of power that does nothing, and says that it has.
const DRIVER: &str = "#!/bin/sh\n[ \"$2\" != status ] || echo off\n";

pub(crate) struct Site {
    scratch: tempfile::TempDir,
}

impl Site {
    /// With nothing in its data base.
    pub(crate) fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let site = Self { scratch };
        for name in ["proj", "groups", "tools", "power", "boot"] {
            fs::create_dir(site.path(name)).unwrap();
        }
        site.program("power/fake", DRIVER);
        let root = site.scratch.path().display();
        // Another machine has the files, which says nothing of its exports.
        let config = format!(
            "database = 'sqlite://{root}/boss.db'\naddress = '127.0.0.1'\n\
             [directories]\nproj = '{root}/proj'\ngroups = '{root}/groups'\n\
             tools = '{root}/tools'\npower = '{root}/power'\nboot = '{root}/boot'\n\
             [nfs]\nserver = '127.0.0.2'\n\
             [listen]\ntmcd = ['127.0.0.1:0']\nhttp = '127.0.0.1:0'\n"
        );
        fs::write(site.path("boss.toml"), config).unwrap();
        site
    }

    /// With a user, a project, a node, and an experiment that takes it as it is.
    pub(crate) fn with_experiment() -> Self {
        let site = Self::new();
        for line in [
            "user add mike --uid 60001 --full-name Mike",
            "project add testbed --head mike --unix-gid 60100",
            "node add pc1 --mac 52:54:00:00:00:01 --ip 127.0.0.3 --power-driver fake",
            "node disk set pc1 sda --boots --serial S1",
            "exp create testbed/trial --node a --as mike",
        ] {
            let output = site.boss(line);
            assert!(output.status.success(), "{line}: {}", said(&output));
        }
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    pub(crate) fn program(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn configure(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("boss.toml")).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(self.path("boss.toml"), text.replace(from, to)).unwrap();
    }

    /// `boss` with the words of a line.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_boss"));
        command.env_clear().env("BOSS_CONFIG", self.path("boss.toml"));
        command.args(line.split_whitespace());
        command
    }

    pub(crate) fn boss(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// The same with `--json`; what isn't JSON is an error.
    pub(crate) fn json(&self, line: &str) -> Value {
        let output = self.command(line).arg("--json").output().unwrap();
        let text = said(&output);
        serde_json::from_slice(&output.stdout).expect(&text)
    }
}

/// All that was printed.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}
