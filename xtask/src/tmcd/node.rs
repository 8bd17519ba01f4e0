//! What boss knows of a node, and the replies that it gives by that.

use std::fmt::Write;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The login.
    pub login: String,
    /// The number.
    pub uid: u32,
    /// The experiment's group, if the user is in it.
    pub gid: u32,
    /// All groups.
    pub groups: Vec<u32>,
    /// Whether the user may be root.
    pub root: bool,
}

impl User {
    /// A user with one group, who may be root.
    pub fn new(login: &str, uid: u32, gid: u32) -> Self {
        Self { login: login.to_owned(), uid, gid, groups: vec![gid], root: true }
    }

    /// The same user in more groups.
    #[must_use]
    pub fn with_groups(mut self, groups: &[u32]) -> Self {
        self.groups.extend(groups);
        self
    }
}

/// A node, by default one that boss doesn't know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    node_id: String,
    experiment: Option<Experiment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Experiment {
    pid: String,
    eid: String,
    /// The group of the project, if it is not the project's own.
    gid: Option<String>,
    vname: String,
    role: String,
    creator: String,
    swapper: User,
    others: Vec<User>,
    /// Names and numbers.
    groups: Vec<(String, u32)>,
    file_server: String,
    /// The directories there with the projects, and with their groups.
    directories: (String, String),
    file_system: String,
    more_mounts: Vec<String>,
    startup_command: Option<String>,
}

impl Node {
    /// A node of no experiment.
    pub fn free(node_id: &str) -> Self {
        Self { node_id: node_id.to_owned(), experiment: None }
    }

    /// A node of the experiment `eid` of the project `pid`, where its name is `vname`. It is
    /// `pc42`, the file server is `fs`, which exports `/q/proj` and `/q/groups`, and `mike` (uid
    /// 20001, gid 6000) has made the experiment and swapped it in.
    pub fn new(pid: &str, eid: &str, vname: &str) -> Self {
        let experiment = Experiment {
            pid: pid.to_owned(),
            eid: eid.to_owned(),
            gid: None,
            vname: vname.to_owned(),
            role: "node".to_owned(),
            creator: "mike".to_owned(),
            swapper: User::new("mike", 20001, 6000),
            others: Vec::new(),
            groups: vec![(pid.to_owned(), 6000)],
            file_server: "fs".to_owned(),
            directories: ("/q/proj".to_owned(), "/q/groups".to_owned()),
            file_system: "FSTYPE=NFS TRANSPORT=TCP".to_owned(),
            more_mounts: Vec::new(),
            startup_command: None,
        };
        Self { node_id: "pc42".to_owned(), experiment: Some(experiment) }
    }

    fn with(mut self, change: impl FnOnce(&mut Experiment)) -> Self {
        if let Some(experiment) = &mut self.experiment {
            change(experiment);
        }
        self
    }

    /// The name of the machine.
    #[must_use]
    pub fn node_id(mut self, node_id: &str) -> Self {
        node_id.clone_into(&mut self.node_id);
        self
    }

    /// The experiment belongs to a group of the project, with this number.
    #[must_use]
    pub fn subgroup(self, gid: &str, number: u32) -> Self {
        self.with(|experiment| {
            experiment.gid = Some(gid.to_owned());
            experiment.groups.push((gid.to_owned(), number));
        })
    }

    /// The server of the files, and its directories with the projects and with their groups.
    #[must_use]
    pub fn file_server(self, host: &str, projects: &str, groups: &str) -> Self {
        self.with(|experiment| {
            host.clone_into(&mut experiment.file_server);
            experiment.directories = (projects.to_owned(), groups.to_owned());
        })
    }

    /// The first line of `mounts` from version 32 on, such as `FSTYPE=NFS-RACY TRANSPORT=TCP`.
    #[must_use]
    pub fn file_system(self, line: &str) -> Self {
        self.with(|experiment| line.clone_into(&mut experiment.file_system))
    }

    /// One more line of `mounts`, behind those of the project and the group.
    #[must_use]
    pub fn mount(self, line: &str) -> Self {
        self.with(|experiment| experiment.more_mounts.push(line.to_owned()))
    }

    /// Who has swapped the experiment in.
    #[must_use]
    pub fn swapper(self, user: User) -> Self {
        self.with(|experiment| experiment.swapper = user)
    }

    /// One more member of the project.
    #[must_use]
    pub fn member(self, user: User) -> Self {
        self.with(|experiment| experiment.others.push(user))
    }

    /// The command to run.
    #[must_use]
    pub fn startup_command(self, command: &str) -> Self {
        self.with(|experiment| experiment.startup_command = Some(command.to_owned()))
    }

    /// The reply to a command; empty if there is none, or if the node has no experiment and
    /// needs one for it.
    pub fn reply(&self, version: u16, command: &str) -> String {
        let mut reply = String::new();
        let Some(experiment) = &self.experiment else {
            return match command {
                "status" if !self.node_id.is_empty() => "FREE\n".to_owned(),
                "nodeid" if !self.node_id.is_empty() => format!("{}\n", self.node_id),
                _ => reply,
            };
        };
        let Experiment { pid, eid, vname, role, creator, swapper, .. } = experiment;
        let login = &swapper.login;
        // Writing to a String reports no error.
        let _ = match command {
            "status" => writeln!(reply, "ALLOCATED={pid}/{eid} NICKNAME={vname}"),
            "nodeid" => writeln!(reply, "{}", self.node_id),
            "role" => writeln!(reply, "{role}"),
            "creator" if version <= 20 => writeln!(reply, "CREATOR={creator}"),
            "creator" => writeln!(reply, "CREATOR={creator} SWAPPER={login}"),
            "startupcmd" => experiment
                .startup_command
                .as_ref()
                .map_or(Ok(()), |command| writeln!(reply, "CMD='{command}' UID={login}")),
            "mounts" => experiment.write_mounts(version, &mut reply),
            "accounts" => experiment.write_accounts(version, &mut reply),
            _ => Ok(()),
        };
        reply
    }
}

impl Experiment {
    fn write_mounts(&self, version: u16, reply: &mut String) -> std::fmt::Result {
        let Self { pid, file_server, directories: (projects, groups), .. } = self;
        let mut local_only = false;
        if version >= 32 {
            writeln!(reply, "{}", self.file_system)?;
            local_only = self.file_system.starts_with("FSTYPE=LOCAL");
        }
        let mut mount = |remote: String, local: String| {
            if local_only {
                writeln!(reply, "LOCAL={local}")
            } else {
                writeln!(reply, "REMOTE={file_server}:{remote} LOCAL={local}")
            }
        };
        mount(format!("{projects}/{pid}"), format!("/proj/{pid}"))?;
        if let Some(gid) = &self.gid {
            mount(format!("{groups}/{pid}/{gid}"), format!("/groups/{pid}/{gid}"))?;
        }
        for user in self.users() {
            let home = format!("/users/{}", user.login);
            mount(home.clone(), home)?;
        }
        for line in &self.more_mounts {
            writeln!(reply, "{line}")?;
        }
        Ok(())
    }

    fn write_accounts(&self, version: u16, reply: &mut String) -> std::fmt::Result {
        for (name, gid) in &self.groups {
            writeln!(reply, "ADDGROUP NAME={name} GID={gid}")?;
        }
        for User { login, uid, gid, groups, root } in self.users() {
            let groups: Vec<_> = groups.iter().map(u32::to_string).collect();
            write!(
                reply,
                "ADDUSER LOGIN={login} PSWD={HASH} UID={uid} GID={gid} ROOT={} NAME=\"{login} \
                 Example\" HOMEDIR=/users/{login} GLIST=\"{}\" SERIAL=1",
                u8::from(*root),
                groups.join(",")
            )?;
            if version >= 9 {
                write!(reply, " EMAIL=\"{login}@example.net\"")?;
            }
            if version >= 10 {
                write!(reply, " SHELL=tcsh")?;
            }
            writeln!(reply, "\nPUBKEY LOGIN={login} KEY=\"ssh-ed25519 AAAA {login}\"")?;
        }
        Ok(())
    }

    fn users(&self) -> impl Iterator<Item = &User> {
        std::iter::once(&self.swapper).chain(&self.others)
    }
}

/// Stands in for a password hash, which must not be seen anywhere.
pub const HASH: &str = "$1$secret$passwordhash";
