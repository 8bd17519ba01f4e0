//! Queries and answers of the domain name system, for IPv4 addresses.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use smoltcp::wire::{
    DnsFlags, DnsOpcode, DnsPacket, DnsQueryType, DnsQuestion, DnsRcode, DnsRecord, DnsRecordData,
    DnsRepr,
};

use crate::net::name::DomainName;

/// Records of an answer that are looked at.
const RECORDS: usize = 64;
/// Aliases that are followed within an answer.
const ALIASES: usize = 8;

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An address.
    Address(Ipv4Addr),
    /// The name stands for another, whose address isn't in the answer.
    Alias(Box<DomainName>),
    /// There is no such name, or it has no address.
    Unknown,
    /// The answer is too long for UDP.
    Truncated,
    /// The server can't or won't answer: its code (RFC 1035 section 4.1.1).
    Failure(u8),
    /// It is no answer to the query.
    Malformed,
}

/// The query for the address of `name`.
pub fn query(id: u16, name: &DomainName) -> Vec<u8> {
    let wire = name.wire();
    let query = DnsRepr {
        transaction_id: id,
        opcode: DnsOpcode::Query,
        flags: DnsFlags::RECURSION_DESIRED,
        question: DnsQuestion { name: &wire, type_: DnsQueryType::A },
    };
    let mut bytes = vec![0; query.buffer_len()];
    query.emit(&mut DnsPacket::new_unchecked(&mut bytes[..]));
    bytes
}

/// What a message says of the address of `name`; the caller knows that it has the query's number.
pub fn parse(message: &[u8], name: &DomainName) -> Reply {
    read(message, name).unwrap_or(Reply::Malformed)
}

fn read(message: &[u8], name: &DomainName) -> Option<Reply> {
    let packet = DnsPacket::new_checked(message).ok()?;
    let flags = packet.flags();
    if !flags.contains(DnsFlags::RESPONSE) || packet.opcode() != DnsOpcode::Query {
        return None;
    }
    let failure = match packet.rcode() {
        DnsRcode::NoError | DnsRcode::NXDomain => None,
        code => Some(Reply::Failure(code.into())),
    };
    // Servers that can't read a query may leave it out of their answer.
    if packet.question_count() != 1 {
        return failure;
    }
    let (rest, question) = DnsQuestion::parse(packet.payload()).ok()?;
    if question.type_ != DnsQueryType::A || !decode(&packet, question.name)?.is(name) {
        return None;
    }
    if failure.is_some() {
        return failure;
    }
    if flags.contains(DnsFlags::TRUNCATED) {
        return Some(Reply::Truncated);
    }
    let records = records(&packet, rest)?;
    let mut target = name.clone();
    for _ in 0..ALIASES {
        let of_target = |(owner, _): &&(DomainName, Data)| owner.is(&target);
        let mut found = records.iter().filter(of_target).map(|(_, data)| data);
        match found.find(|data| matches!(data, Data::Address(_))) {
            Some(Data::Address(address)) => return Some(Reply::Address(*address)),
            _ => match records.iter().find(of_target) {
                Some((_, Data::Alias(other))) => target = DomainName::clone(other),
                _ => break,
            },
        }
    }
    // Also if there is no such name: the alias is there, what it stands for isn't.
    let known = packet.rcode() == DnsRcode::NoError && !target.is(name);
    Some(if known { Reply::Alias(Box::new(target)) } else { Reply::Unknown })
}

enum Data {
    Address(Ipv4Addr),
    Alias(Box<DomainName>),
}

/// The addresses and aliases among the answers. Records of names that are none of hosts are
/// nobody's here.
fn records(packet: &DnsPacket<&[u8]>, mut rest: &[u8]) -> Option<Vec<(DomainName, Data)>> {
    let mut records = Vec::new();
    let count = usize::from(packet.answer_record_count()).min(RECORDS);
    for _ in 0..count {
        let (after, record) = DnsRecord::parse(rest).ok()?;
        rest = after;
        let data = match record.data {
            DnsRecordData::A(address) => Some(Data::Address(address)),
            DnsRecordData::Cname(bytes) => decode(packet, bytes).map(Box::new).map(Data::Alias),
            DnsRecordData::Other(..) => None,
        };
        if let (Some(owner), Some(data)) = (decode(packet, record.name), data) {
            records.push((owner, data));
        }
    }
    Some(records)
}

/// A name in a message. Pointers lead only backwards (`DnsPacket::parse_name`), so none leads in
/// circles, and a name of more than 253 bytes is none.
fn decode(packet: &DnsPacket<&[u8]>, bytes: &[u8]) -> Option<DomainName> {
    let mut fine = true;
    // One label more than the longest name has.
    let labels = packet.parse_name(bytes).take(128).map_while(|label| {
        fine = label.is_ok();
        label.ok()
    });
    let name = DomainName::from_labels(labels);
    name.filter(|_| fine)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::net::dns) fn name(text: &str) -> DomainName {
        DomainName::new(text).unwrap()
    }

    pub(in crate::net::dns) fn a(owner: &[u8], address: [u8; 4]) -> Vec<u8> {
        [owner, &[0, 1, 0, 1, 0, 0, 0, 60, 0, 4], &address].concat()
    }

    pub(in crate::net::dns) fn cname(owner: &[u8], target: &[u8]) -> Vec<u8> {
        let length = u8::try_from(target.len()).unwrap();
        [owner, &[0, 5, 0, 1, 0, 0, 0, 60, 0, length], target].concat()
    }

    /// A server's answer to a query.
    pub(in crate::net::dns) fn answer(query: &[u8], code: u8, records: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = query.to_vec();
        bytes[2] |= 0x80;
        bytes[3] = 0x80 | code;
        bytes[7] = u8::try_from(records.len()).unwrap();
        bytes.extend(records.concat());
        bytes
    }

    /// The name of the question.
    const QUESTION: &[u8] = &[0xc0, 12];

    #[test]
    fn a_query_on_the_wire() {
        let expected = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x02fs\x01x\0\0\x01\0\x01";
        assert_eq!(query(0x1234, &name("fs.x")), expected);
    }

    #[test]
    fn addresses_and_aliases() {
        let fs = name("fs.x");
        let query = query(7, &fs);
        let parse = |code, records: &[Vec<u8>]| parse(&answer(&query, code, records), &fs);
        let address = |last: u8| Reply::Address(Ipv4Addr::new(10, 0, 0, last));
        assert_eq!(parse(0, &[a(QUESTION, [10, 0, 0, 1]), a(QUESTION, [10, 0, 0, 2])]), address(1));
        assert_eq!(parse(0, &[a(b"\x02FS\x01X\0", [10, 0, 0, 1])]), address(1));
        // Somebody else's address, and a signature.
        let other = a(b"\x02gs\x01x\0", [10, 0, 0, 9]);
        let signature = [QUESTION, &[0, 46, 0, 1, 0, 0, 0, 0, 0, 1, 9]].concat();
        assert_eq!(parse(0, &[signature, other.clone(), a(QUESTION, [10, 0, 0, 3])]), address(3));
        assert_eq!(parse(0, std::slice::from_ref(&other)), Reply::Unknown);
        // An alias in the same domain, by a pointer to it.
        let alias = cname(QUESTION, b"\x02gs\xc0\x0f");
        assert_eq!(parse(0, &[alias.clone(), other.clone()]), address(9));
        assert_eq!(parse(0, &[other, alias.clone()]), address(9));
        assert_eq!(parse(0, std::slice::from_ref(&alias)), Reply::Alias(Box::new(name("gs.x"))));
        assert_eq!(parse(3, &[alias]), Reply::Unknown);
        assert_eq!(parse(0, &[cname(QUESTION, QUESTION)]), Reply::Unknown);
        assert_eq!(parse(0, &[]), Reply::Unknown);
        assert_eq!(parse(3, &[]), Reply::Unknown);
        assert_eq!(parse(2, &[]), Reply::Failure(2));
        assert_eq!(parse(5, &[]), Reply::Failure(5));
    }

    #[test]
    fn what_is_no_answer() {
        let fs = name("fs.x");
        let query = query(7, &fs);
        let good = answer(&query, 0, &[a(QUESTION, [10, 0, 0, 1])]);
        assert_eq!(parse(&good, &name("gs.x")), Reply::Malformed);
        assert_eq!(parse(&query, &fs), Reply::Malformed);
        assert_eq!(parse(&good[..good.len() - 1], &fs), Reply::Malformed);
        let mut truncated = good.clone();
        truncated[2] |= 2;
        assert_eq!(parse(&truncated, &fs), Reply::Truncated);
        let mut refused = good[..12].to_vec();
        refused[3] = 1;
        refused[5] = 0;
        assert_eq!(parse(&refused, &fs), Reply::Failure(1));
        // A pointer to itself, and one forwards.
        for pointer in [[0xc0, 22], [0xc0, 40]] {
            let records = [a(&pointer, [10, 0, 0, 1])];
            assert_eq!(parse(&answer(&query, 0, &records), &fs), Reply::Unknown);
        }
    }

    proptest! {
        #[test]
        fn noise(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, &name("fs.x"));
        }

        #[test]
        fn noise_after_the_question(records in prop::collection::vec(prop_oneof![Just(0_u8), Just(0xc0), 0..64_u8, any::<u8>()], 0..300), count in any::<u8>()) {
            let mut bytes = answer(&query(7, &name("fs.x")), 0, &[]);
            bytes[7] = count;
            bytes.extend(records);
            let _ = parse(&bytes, &name("fs.x"));
        }
    }
}
