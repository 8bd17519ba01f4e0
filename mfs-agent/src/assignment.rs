//! Who this node is and what it shall do: the words of the command line, and boss where they leave
//! something open.
//!
//! The order is that of testbeds' own memory file systems: who am I, what is mounted, "I am up",
//! what shall I do. What a word says is never asked, so a node can be told everything, nothing, or
//! something between.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use imagezip_core::swapinfo::Phase;

use crate::cmdline::ip::Addressing;
use crate::cmdline::{CommandLine, Credentials, Job, Node, Save};
use crate::failure::{FailureKind, Result};
use crate::net::Network;
use crate::progress::Progress;
use crate::project::mount;
use crate::tmcd::login::Login;
use crate::tmcd::mounts::Mount;
use crate::tmcd::startup::Startup;
use crate::tmcd::status::Status;
use crate::tmcd::{Boss, Client, State};

/// How long a question is asked: boss may be starting again.
const QUESTION: Duration = Duration::from_mins(2);
/// How long a report, or a question that is of no consequence, is tried.
const REPORT: Duration = Duration::from_secs(30);

/// A directory to mount, by the name of its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// The server's name or address.
    pub server: String,
    /// The directory there.
    pub remote: String,
    /// Where every machine of the testbed has it.
    pub local: String,
    /// Whether to go on without it.
    pub optional: bool,
}

/// What is known so far.
pub struct Assignment {
    /// The words, and what boss said where there was none.
    pub line: CommandLine,
    /// What to mount.
    pub directories: Vec<Directory>,
    boss: Option<Arc<Client>>,
    job_is_from_boss: bool,
}

/// Whether there is something to do over the network. A node that is idle has one if it is given
/// an address or told to get one.
pub fn needs_network(line: &CommandLine) -> bool {
    let given = line.network.addressing.as_ref().is_some_and(|how| *how != Addressing::Off);
    let idle = line.job == Some(Job::Idle);
    given || !idle || line.boss.is_some() || line.project.is_some() || line.groups.is_some()
}

/// Whether the words leave something open that the job needs, or name boss to be reported to.
pub fn needs_boss(line: &CommandLine) -> bool {
    let open = match &line.job {
        None => true,
        Some(job) => job.is_about_the_disk() && (line.node.is_none() || line.project.is_none()),
    };
    open || line.boss.is_some()
}

/// Boss: where `mfs.boss=` says, else the name servers and DHCP servers, which are boss in most
/// testbeds.
///
/// # Errors
/// `Network`: the name that is given isn't known; `Boss`: no address is known at all.
pub fn find_boss(
    line: &CommandLine,
    network: &Network,
    progress: &'static Progress,
) -> Result<Client> {
    let client = if let Some(boss) = &line.boss {
        let address = network
            .resolve(&boss.host, line.network.limit, progress)
            .map_err(|failure| failure.context("mfs.boss="))?;
        Client::new(&[address], boss.port.map(Into::into))?
    } else {
        let dhcp = network.dhcp.as_ref();
        let servers = dhcp.map(|dhcp| [Some(dhcp.server), dhcp.next_server]);
        let servers = servers.into_iter().flatten().flatten();
        let candidates: Vec<_> = network.name_servers.iter().copied().chain(servers).collect();
        Client::new(&candidates, None)?
    };
    let source = network.address;
    let (network, limit) = (network.clone(), line.network.limit);
    let resolver = move |host: &str| network.resolve(host, limit, progress).ok();
    let client = client.with_source(source).with_key(line.key.clone());
    Ok(client.with_resolver(Box::new(resolver)))
}

impl Assignment {
    /// What the words say.
    pub fn of_words(line: CommandLine) -> Self {
        let words = [("/proj", &line.project, false), ("/groups", &line.groups, true)];
        let directories = words.into_iter().filter_map(|(local, export, optional)| {
            let export = export.as_ref()?;
            let (server, remote) = (export.server.as_str().into(), export.path.as_str().into());
            Some(Directory { server, remote, local: local.into(), optional })
        });
        let directories = directories.collect();
        Self { line, directories, boss: None, job_is_from_boss: false }
    }

    /// Whether boss has said what to do.
    pub fn job_is_from_boss(&self) -> bool {
        self.job_is_from_boss
    }

    /// Asks boss who this node is and what it has to mount, as far as no word says it, and reports
    /// that the memory file system is being set up.
    ///
    /// # Errors
    /// `Boss`
    pub fn ask_who(&mut self, client: Arc<Client>, progress: &Progress) -> Result<()> {
        let beat = || progress.beat();
        let boss = client.boss(QUESTION, &beat);
        // A question comes first: whatever listens there takes a report, but only boss answers.
        let status = boss.status()?;
        tell(&client, State::MfsSetup, &beat);
        if status != Status::Unknown {
            // For who has to walk to the machine.
            match client.boss(REPORT, &beat).node_id() {
                Ok(id) => log::info!("boss: this machine is {id}"),
                Err(failure) => log::warn!("{failure}"),
            }
        }
        match status {
            Status::Allocated(node) => {
                log::info!("boss: this is {node}");
                self.is_the_same(&node)?;
                self.line.node.get_or_insert(node);
            }
            Status::Free if self.saves_as_told() => {
                log::warn!("boss: this node belongs to no experiment; its words count");
            }
            Status::Free => log::info!("boss: this node belongs to no experiment"),
            Status::Unknown if self.line.node.is_some() => {
                log::warn!("boss doesn't know this node; its words count");
            }
            Status::Unknown => {
                return Err(FailureKind::Boss.because(format_args!(
                    "boss at {} doesn't know this node; it knows nodes by the address that they \
                     ask from",
                    client.server()
                )));
            }
        }
        self.ask_for_directories(&boss)?;
        self.boss = Some(client);
        Ok(())
    }

    /// Whether there may be a save as the node of the words.
    fn saves_as_told(&self) -> bool {
        self.line.node.is_some() && self.line.job.as_ref().is_none_or(Job::is_about_the_disk)
    }

    /// Makes sure that the words don't say that this is a node of another experiment: words that
    /// were left over from it would have this disk replace the image of that one.
    fn is_the_same(&self, node: &Node) -> Result<()> {
        match self.line.node.as_ref().filter(|said| *said != node && self.saves_as_told()) {
            None => Ok(()),
            Some(said) => Err(FailureKind::Boss.because(format_args!(
                "boss says that this is {node}, but the words mfs.pid=, mfs.eid= and mfs.vname= \
                 say {said}; nothing is done, as it would be done to the image or the disk of another node"
            ))),
        }
    }

    fn ask_for_directories(&mut self, boss: &Boss<'_>) -> Result<()> {
        let needed = self.line.project.is_none()
            && self.line.job.as_ref().is_none_or(Job::is_about_the_disk);
        let Some(node) = self.line.node.as_ref().filter(|_| needed) else {
            return Ok(());
        };
        let needed = boss.mounts()?.needed(node)?;
        if let Some((group, _)) = &needed.group {
            log::info!("boss: the experiment is one of the group {group}");
        }
        let mounts = [Some(needed.project), needed.group.map(|(_, mount)| mount)];
        // Words for other directories stay, and come later.
        let words = core::mem::take(&mut self.directories);
        self.directories = mounts.into_iter().flatten().map(directory).chain(words).collect();
        Ok(())
    }

    /// Mounts the directories.
    ///
    /// # Errors
    /// `Network`: a server's name isn't known; those of [`mount::mount_all`].
    pub fn mount(&self, network: &Network, progress: &Progress) -> Result<()> {
        if self.directories.is_empty() {
            return Ok(());
        }
        progress.enter(Phase::Mount);
        let mut mounts: Vec<mount::Mount<'_>> = Vec::new();
        for Directory { server, remote, local, optional } in &self.directories {
            let known = mounts.iter().find(|mount| mount.server == server.as_str());
            let found = match known {
                Some(mount) => Ok(mount.address),
                None => network.resolve(server, self.line.network.limit, progress),
            };
            let address = match found {
                Ok(address) => address,
                Err(failure) if *optional => {
                    log::warn!("{failure}; going on without {local}");
                    continue;
                }
                Err(failure) => {
                    return Err(failure.context(format_args!("mounting {server}:{remote}")));
                }
            };
            let options = &self.line.nfs_options;
            mounts.push(mount::Mount {
                server,
                address,
                remote,
                local,
                options,
                optional: *optional,
            });
        }
        mount::mount_all(&mounts, self.line.mount_limit, progress)
    }

    /// Reports that the node is up, and asks boss what to do and in whose name, as far as no word
    /// says it.
    ///
    /// # Errors
    /// `Boss`, also if it wants something that isn't known here.
    pub fn ask_what(&mut self, progress: &Progress) -> Result<()> {
        let Some(client) = &self.boss else { return Ok(()) };
        let beat = || progress.beat();
        let boss = client.boss(QUESTION, &beat);
        tell(client, State::IsUp, &beat);
        let mut login = None;
        let job = match self.line.job.take() {
            Some(job) => job,
            None => match boss.startup_command()? {
                None => {
                    log::info!("boss: there is nothing to do");
                    Job::Idle
                }
                Some(command) => {
                    self.job_is_from_boss = true;
                    login = Some(command.login.clone());
                    Job::Swapout(save(&command.meaning())?)
                }
            },
        };
        let is_about_the_disk = job.is_about_the_disk();
        self.line.job = Some(job);
        if is_about_the_disk && self.line.credentials.is_none() {
            let login = match login {
                Some(login) => login,
                None => boss.creator()?.acting().clone(),
            };
            self.line.credentials = Some(credentials(&boss, &login)?);
        }
        Ok(())
    }
}

/// Reports how far the node is. Boss may be away for a moment; the disk can be saved all the same.
fn tell(client: &Client, state: State, beat: &dyn Fn()) {
    if let Err(failure) = client.boss(REPORT, beat).state(state) {
        log::warn!("{failure}");
    }
}

fn directory(mount: Mount) -> Directory {
    let Mount { host, remote, local } = mount;
    let text = |text: &str| String::from(text);
    Directory { server: text(&host), remote: text(&remote), local: text(&local), optional: false }
}

fn save(startup: &Startup) -> Result<Save> {
    match startup {
        Startup::CreateSwapimage { full, statistics } => Ok(Save::new(*full, *statistics)),
        Startup::Unknown(text) => Err(FailureKind::Boss.because(format_args!(
            "boss asks for \"{}\"; this memory file system only knows create-swapimage [-f] [-s]",
            text.escape_default()
        ))),
    }
}

fn credentials(boss: &Boss<'_>, login: &Login) -> Result<Credentials> {
    let credentials = boss.account(login)?.credentials;
    let Credentials { uid, gid, groups } = &credentials;
    log::info!("boss: files are {login}'s, uid {uid}, gid {gid}, groups {groups:?}");
    Ok(credentials)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmdline::ip::Mac;
    use crate::failure::FailureKind;
    use core::net::Ipv4Addr;

    static PROGRESS: Progress = Progress::new();

    fn line(words: &str) -> CommandLine {
        CommandLine::parse(words, &mut |warning| panic!("{warning}")).unwrap()
    }

    #[test]
    fn what_is_needed_for_which_words() {
        let names = "mfs.job=swapout mfs.pid=testbed mfs.eid=exp1 mfs.vname=n";
        for (words, network, boss) in [
            (String::new(), true, true),
            (String::from("mfs.job=idle"), false, false),
            (String::from("mfs.job=idle ip=dhcp"), true, false),
            (String::from("mfs.job=idle mfs.boss=10.0.0.1"), true, true),
            (String::from("mfs.job=swapout mfs.proj=fs:/p"), true, true),
            (String::from("mfs.job=capture mfs.dir=/proj/x/y mfs.proj=fs:/p"), true, true),
            (String::from("mfs.job=load mfs.proj=fs:/p mfs.key=12345678"), true, true),
            (String::from("mfs.job=idle mfs.key=12345678"), false, false),
            (names.replace("swapout", "load"), true, true),
            (names.replace("swapout", "load mfs.proj=fs:/p"), true, false),
            (names.replace("swapout", "capture mfs.dir=/proj/x/y mfs.proj=fs:/p"), true, false),
            (String::from(names), true, true),
            (alloc::format!("{names} mfs.proj=fs:/p"), true, false),
            (alloc::format!("{names} mfs.proj=fs:/p mfs.boss=boss"), true, true),
        ] {
            let line = line(&words);
            assert_eq!((needs_network(&line), needs_boss(&line)), (network, boss), "{words}");
        }
    }

    #[test]
    fn a_server_of_an_optional_directory_may_be_unknown() {
        // Without a name server no name has an address.
        let network = Network {
            interface: "eth0".into(),
            mac: Mac([0; 6]),
            address: Ipv4Addr::LOCALHOST,
            prefix: 8,
            gateway: None,
            mtu: 1500,
            name_servers: heapless::Vec::new(),
            search: heapless::Vec::new(),
            dhcp: None,
        };
        let mount = |words| Assignment::of_words(line(words)).mount(&network, &PROGRESS);
        mount("mfs.projgroups=fs:/groups").unwrap();
        let failure = mount("mfs.proj=fs:/proj").unwrap_err();
        assert_eq!(failure.kind, FailureKind::Network);
        assert!(failure.message.starts_with("mounting fs:/proj: "), "{failure}");
    }
}
