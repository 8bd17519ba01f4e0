//! Who this node is: the replies to `status` and `nodeid`.

use alloc::format;
use alloc::string::String;
use core::str::from_utf8;

use super::reply::Answer;
use super::words::{only_line, value};
use crate::cmdline::Node;
use crate::names::{Name, NameKind};

/// What boss knows of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It belongs to no experiment.
    Free,
    /// It belongs to one.
    Allocated(Node),
    /// Boss doesn't know it.
    Unknown,
}

impl Status {
    /// Reads a reply. An empty one is what boss gives to nodes that it doesn't know, and also
    /// when its data base doesn't answer.
    pub fn parse(reply: &[u8]) -> Answer<Self> {
        match Self::read(reply) {
            Ok(Self::Unknown) => Answer::Doubtful(Self::Unknown),
            Ok(status) => Answer::Good(status),
            Err(why) => Answer::Bad(why),
        }
    }

    fn read(reply: &[u8]) -> Result<Self, String> {
        let line = match only_line(reply)? {
            None => return Ok(Self::Unknown),
            Some("FREE") => return Ok(Self::Free),
            Some(line) => line.as_bytes(),
        };
        let experiment = value(line, "ALLOCATED")?.ok_or("it has no ALLOCATED=")?;
        let slash = experiment.iter().position(|byte| *byte == b'/');
        let (pid, eid) = slash
            .and_then(|at| experiment.split_at_checked(at))
            .ok_or("ALLOCATED= is not <project>/<experiment>")?;
        let vname = value(line, "NICKNAME")?.ok_or("it has no NICKNAME=")?;
        Ok(Self::Allocated(Node {
            pid: name(NameKind::Project, "the project", pid)?,
            eid: name(NameKind::Experiment, "the experiment", eid.get(1..).unwrap_or_default())?,
            vname: name(NameKind::Node, "NICKNAME=", vname)?,
        }))
    }
}

fn name(kind: NameKind, what: &str, text: &[u8]) -> Result<Name, String> {
    let text = from_utf8(text).map_err(|_| format!("{what} is not text"))?;
    Name::new(kind, text).map_err(|fault| format!("{what} {fault}"))
}

/// Reads a reply to `nodeid`.
pub fn parse_node_id(reply: &[u8]) -> Answer<Name> {
    let name = word(reply).and_then(|text| name(NameKind::Node, "the name", text.as_bytes()));
    name.map_or_else(Answer::Bad, Answer::Good)
}

fn word(reply: &[u8]) -> Result<&str, String> {
    only_line(reply)?.ok_or_else(|| "it is empty, as for a node of no experiment".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_replies_that_there_are() {
        assert_eq!(Status::parse(b"FREE\n"), Answer::Good(Status::Free));
        assert_eq!(Status::parse(b""), Answer::Doubtful(Status::Unknown));
        assert_eq!(Status::parse(b"\n"), Answer::Doubtful(Status::Unknown));
        let reply = b"ALLOCATED=testbed/mytest NICKNAME=nodeA\n";
        let Answer::Good(Status::Allocated(node)) = Status::parse(reply) else { panic!() };
        let names = (node.pid.as_str(), node.eid.as_str(), node.vname.as_str());
        assert_eq!(names, ("testbed", "mytest", "nodeA"));
        let crlf = b"ALLOCATED=testbed/mytest NICKNAME=nodeA SOMETHING=new\r\n\r\n";
        assert_eq!(Status::parse(crlf), Status::parse(reply));
        let twice = [&reply[..], &reply[..]].concat();
        assert_eq!(Status::parse(&twice), Status::parse(reply));

        assert!(matches!(parse_node_id(b"pc42\n"), Answer::Good(name) if name.as_str() == "pc42"));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for bad in [
            &b"ALLOCATED=testbed NICKNAME=n\n"[..],
            b"ALLOCATED=/ NICKNAME=n\n",
            b"ALLOCATED=../etc NICKNAME=n\n",
            b"ALLOCATED=testbed/.. NICKNAME=n\n",
            b"ALLOCATED=testbed/a/b NICKNAME=n\n",
            b"ALLOCATED=testbed/exp1 NICKNAME=../n\n",
            b"ALLOCATED=testbed/exp1 NICKNAME=\n",
            b"ALLOCATED=testbed/exp1\n",
            b"NICKNAME=n\n",
            b"ALLOCATED=testbed/exp1 NICKNAME=n NICKNAME=m\n",
            b"ALLOCATED=testbed/exp1 NICKNAME=n\nALLOCATED=testbed/exp2 NICKNAME=n\n",
            b"ALLOCATED=testbed/exp1 NICKNAME=n\nFREE\n",
            b"ALLOCATED=testbed/exp1\0 NICKNAME=n\n",
            b"ALLOCATED=testb\xe9d/exp1 NICKNAME=n\n",
            b"free\n",
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
        ] {
            assert!(matches!(Status::parse(bad), Answer::Bad(_)), "{bad:?}");
        }
        for bad in [&b""[..], b"a b\n", b"../x\n", b"pc.1\n", b"a\nb\n"] {
            assert!(matches!(parse_node_id(bad), Answer::Bad(_)), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            pid in "[a-zA-Z][-a-zA-Z0-9]{1,47}",
            eid in "[a-zA-Z0-9][-a-zA-Z0-9]{1,18}",
            vname in "[-\\w&&[:ascii:]]{1,32}",
        ) {
            let reply = format!("ALLOCATED={pid}/{eid} NICKNAME={vname}\n");
            let status = Status::parse(reply.as_bytes());
            let Answer::Good(Status::Allocated(node)) = status else { panic!("{reply}") };
            prop_assert_eq!(node.pid.as_str(), pid);
            prop_assert_eq!(node.eid.as_str(), eid);
            prop_assert_eq!(node.vname.as_str(), vname);
        }

        #[test]
        fn noise_is_survived(
            start in prop::sample::select(std::vec!["", "ALLOCATED=", "ALLOCATED=a/b NICKNAME="]),
            noise in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let reply = [start.as_bytes(), &noise].concat();
            let _ = (Status::parse(&reply), parse_node_id(&reply));
        }
    }
}
