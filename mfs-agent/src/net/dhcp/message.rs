//! The messages of DHCP (RFC 2131).

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use smoltcp::wire::{
    DhcpMessageType, DhcpOpCode, DhcpOption, DhcpPacket, DhcpRepr, EthernetAddress,
};

use super::lease::Lease;
use super::options::{Options, code};
use crate::cmdline::ip::Mac;

/// The beginning of the options (RFC 2131 section 3).
const MAGIC: u32 = 0x6382_5363;
/// The shortest message: relays of BOOTP drop shorter ones (RFC 951 has 300 bytes in all).
const SHORTEST: usize = 300;
/// The longest message that is taken, in bytes with its headers.
const LONGEST: u16 = 1500;

/// What is asked for.
const PARAMETERS: [u8; 11] = [
    code::MASK,
    code::ROUTER,
    code::NAME_SERVERS,
    code::DOMAIN,
    code::SEARCH,
    code::HOST_NAME,
    code::MTU,
    code::LEASE_TIME,
    code::SERVER,
    code::RENEWAL,
    code::REBINDING,
];

/// A message to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// DISCOVER or REQUEST.
    pub kind: DhcpMessageType,
    /// The number by which the answer is known.
    pub transaction: u32,
    /// Seconds since the client began to ask.
    pub seconds: u16,
    /// The client's address, if it has one that it answers ARP for.
    pub client: Ipv4Addr,
    /// The address that is asked for.
    pub wanted: Option<Ipv4Addr>,
    /// The server that is meant.
    pub server: Option<Ipv4Addr>,
}

impl Query {
    /// The message of the client with the address `mac`.
    ///
    /// The client identifier is the hardware type and address, as iPXE and most PXE ROMs have it,
    /// so that the server takes the agent for the same client and gives it the same address. As long as the
    /// client has no address the answer is to be broadcast: a server that knows no ARP entry for
    /// the new address might otherwise not get it through.
    pub fn message(&self, mac: Mac) -> Vec<u8> {
        let address = EthernetAddress(mac.0);
        let class = [DhcpOption { kind: code::VENDOR_CLASS, data: b"swapmfs" }];
        let message = DhcpRepr {
            message_type: self.kind,
            transaction_id: self.transaction,
            secs: self.seconds,
            client_hardware_address: address,
            client_ip: self.client,
            your_ip: Ipv4Addr::UNSPECIFIED,
            server_ip: Ipv4Addr::UNSPECIFIED,
            router: None,
            subnet_mask: None,
            relay_agent_ip: Ipv4Addr::UNSPECIFIED,
            broadcast: self.client.is_unspecified(),
            requested_ip: self.wanted,
            client_identifier: Some(address),
            server_identifier: self.server,
            parameter_request_list: Some(&PARAMETERS),
            dns_servers: None,
            max_size: Some(LONGEST),
            lease_duration: None,
            renew_duration: None,
            rebind_duration: None,
            additional_options: &class,
        };
        let mut bytes = vec![0; message.buffer_len().max(SHORTEST)];
        // It fails only for buffers that are too small.
        let _ = message.emit(&mut DhcpPacket::new_unchecked(&mut bytes[..]));
        bytes
    }
}

/// A server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The server could lend this.
    Offer(Lease),
    /// The server lends this.
    Acknowledgement(Lease),
    /// The server doesn't lend what was asked for.
    Refusal {
        /// The server, if it says so.
        server: Option<Ipv4Addr>,
        /// What it has to say.
        text: String,
    },
}

impl Answer {
    /// The answer in a message, if it is one for the client with the address `mac` that asked with
    /// this number.
    ///
    /// # Errors
    /// Why an answer to the client can't be used.
    pub fn parse(message: &[u8], mac: Mac, transaction: u32) -> Result<Option<Self>, &'static str> {
        let Ok(packet) = DhcpPacket::new_checked(message) else { return Ok(None) };
        let ours = packet.opcode() == DhcpOpCode::Reply
            && packet.hardware_len() == 6
            && packet.client_hardware_address() == EthernetAddress(mac.0)
            && packet.transaction_id() == transaction
            && packet.magic_number() == MAGIC;
        if !ours {
            return Ok(None);
        }
        let options = Options::of(message);
        let lease = || Lease::new(packet.your_ip(), packet.server_ip(), &options);
        Ok(match options.byte(code::KIND).map(DhcpMessageType::from) {
            Some(DhcpMessageType::Offer) => Some(Self::Offer(lease()?)),
            Some(DhcpMessageType::Ack) => Some(Self::Acknowledgement(lease()?)),
            Some(DhcpMessageType::Nak) => Some(Self::Refusal {
                server: options.address(code::SERVER),
                text: options.text(code::TEXT).unwrap_or_default(),
            }),
            _ => None,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::net::dhcp) const MAC: Mac = Mac([0x52, 0x54, 0, 0, 0, 9]);

    /// A server's answer to a message, with more options.
    pub(in crate::net::dhcp) fn answer(
        query: &[u8],
        kind: DhcpMessageType,
        address: [u8; 4],
        options: &[u8],
    ) -> Vec<u8> {
        let mut bytes = query[..240].to_vec();
        bytes[0] = 2;
        bytes[16..20].copy_from_slice(&address);
        bytes.extend([53, 1, kind.into(), 54, 4, 10, 0, 0, 1, 1, 4, 255, 255, 255, 0]);
        bytes.extend_from_slice(options);
        bytes.push(255);
        bytes
    }

    fn query() -> Query {
        Query {
            kind: DhcpMessageType::Discover,
            transaction: 0x1234_5678,
            seconds: 3,
            client: Ipv4Addr::UNSPECIFIED,
            wanted: None,
            server: None,
        }
    }

    #[test]
    fn a_query_on_the_wire() {
        let message = query().message(MAC);
        // RFC 2131 figure 1, by hand.
        assert_eq!(message[..12], [1, 1, 6, 0, 0x12, 0x34, 0x56, 0x78, 0, 3, 0x80, 0]);
        assert_eq!(message[12..28], [0; 16]);
        assert_eq!(message[28..36], [0x52, 0x54, 0, 0, 0, 9, 0, 0]);
        assert_eq!(message[36..236], [0; 200]);
        assert_eq!(message[236..243], [99, 130, 83, 99, 53, 1, 1]);
        assert!(message.len() >= 300);
        let options = Options::of(&message);
        assert_eq!(options.get(61).unwrap(), [1, 0x52, 0x54, 0, 0, 0, 9]);
        assert_eq!(options.get(60).unwrap(), b"swapmfs");
        assert_eq!(options.get(50), None);
        let client = Ipv4Addr::new(10, 0, 0, 7);
        let message = Query { client, wanted: Some(client), ..query() }.message(MAC);
        assert_eq!(message[10..16], [0, 0, 10, 0, 0, 7]);
        assert_eq!(Options::of(&message).address(50), Some(client));
    }

    #[test]
    fn only_answers_to_this_client() {
        let message = query().message(MAC);
        let good = answer(&message, DhcpMessageType::Offer, [10, 0, 0, 7], &[]);
        let parse = |bytes: &[u8]| Answer::parse(bytes, MAC, 0x1234_5678);
        assert!(matches!(parse(&good), Ok(Some(Answer::Offer(_)))));
        for at in [0, 2, 4, 7, 28, 33, 236, 239] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(parse(&bad), Ok(None), "{at}");
        }
        assert_eq!(parse(&good[..239]), Ok(None));
        assert!(parse(&answer(&message, DhcpMessageType::Ack, [0; 4], &[])).is_err());
        let nak = answer(&message, DhcpMessageType::Nak, [0; 4], b"\x38\x02no");
        let server = Some(Ipv4Addr::new(10, 0, 0, 1));
        assert_eq!(parse(&nak), Ok(Some(Answer::Refusal { server, text: "no".into() })));
        assert_eq!(parse(&message), Ok(None));
    }

    proptest! {
        #[test]
        fn noise(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            prop_assert_eq!(Answer::parse(&bytes, MAC, 1), Ok(None));
        }

        #[test]
        fn noise_in_the_options(options in prop::collection::vec(any::<u8>(), 0..600), any in any::<[u8; 4]>()) {
            let message = query().message(MAC);
            let _ = Answer::parse(&answer(&message, DhcpMessageType::Ack, any, &options), MAC, 0x1234_5678);
        }
    }
}
