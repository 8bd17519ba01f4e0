//! The UDP and IPv4 headers around a DHCP message, for an interface that has no address yet.

use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use smoltcp::wire::{
    DHCP_CLIENT_PORT, DHCP_SERVER_PORT, IpAddress, IpProtocol, Ipv4Packet, UDP_HEADER_LEN,
    UdpPacket,
};

/// Bytes of an IPv4 header without options.
const IPV4_HEADER: usize = 20;

/// A message from `source` to all servers, as an IPv4 packet. `None` if it is too long for one.
pub fn broadcast(message: &[u8], source: Ipv4Addr) -> Option<Vec<u8>> {
    let udp_length = message.len().checked_add(UDP_HEADER_LEN)?;
    let length = udp_length.checked_add(IPV4_HEADER)?;
    let mut bytes = vec![0; length];
    let mut packet = Ipv4Packet::new_unchecked(&mut bytes[..]);
    packet.set_version(4);
    packet.set_header_len(u8::try_from(IPV4_HEADER).ok()?);
    packet.set_total_len(u16::try_from(length).ok()?);
    packet.set_hop_limit(64);
    packet.set_next_header(IpProtocol::Udp);
    packet.set_src_addr(source);
    packet.set_dst_addr(Ipv4Addr::BROADCAST);
    packet.fill_checksum();
    let mut udp = UdpPacket::new_unchecked(packet.payload_mut());
    udp.set_src_port(DHCP_CLIENT_PORT);
    udp.set_dst_port(DHCP_SERVER_PORT);
    udp.set_len(u16::try_from(udp_length).ok()?);
    udp.payload_mut().copy_from_slice(message);
    udp.fill_checksum(&IpAddress::Ipv4(source), &IpAddress::Ipv4(Ipv4Addr::BROADCAST));
    Some(bytes)
}

/// The message in an IPv4 packet, if it is whole and from a DHCP server to a client.
pub fn message(packet: &[u8]) -> Option<&[u8]> {
    let packet = Ipv4Packet::new_checked(packet).ok()?;
    let whole = !packet.more_frags() && packet.frag_offset() == 0;
    let sound = packet.version() == 4
        && usize::from(packet.header_len()) >= IPV4_HEADER
        && packet.verify_checksum();
    if !whole || !sound || packet.next_header() != IpProtocol::Udp {
        return None;
    }
    let udp = UdpPacket::new_checked(packet.payload()).ok()?;
    let ports = (udp.src_port(), udp.dst_port());
    let (source, destination) = (packet.src_addr(), packet.dst_addr());
    let intact = udp.verify_checksum(&IpAddress::Ipv4(source), &IpAddress::Ipv4(destination))
        || udp.checksum() == unfinished_checksum(source, destination, udp.len());
    (ports == (DHCP_SERVER_PORT, DHCP_CLIENT_PORT) && intact).then_some(udp.payload())
}

/// The checksum field of a UDP packet whose checksum the sender's hardware was to compute, when no
/// hardware came by: the sum of the pseudo header alone (`CHECKSUM_PARTIAL`, Linux'
/// `include/linux/skbuff.h`). Packets between virtual machines and their host look like that to a
/// packet socket; nothing on the way could have damaged them.
fn unfinished_checksum(source: Ipv4Addr, destination: Ipv4Addr, length: u16) -> u16 {
    let [s0, s1, s2, s3] = source.octets();
    let [d0, d1, d2, d3] = destination.octets();
    let protocol = u16::from(u8::from(IpProtocol::Udp));
    let words = [
        u16::from_be_bytes([s0, s1]),
        u16::from_be_bytes([s2, s3]),
        u16::from_be_bytes([d0, d1]),
        u16::from_be_bytes([d2, d3]),
        protocol,
        length,
    ];
    // The ones' complement sum: a carry is added at the low end.
    words.into_iter().fold(0, |sum: u16, word| {
        let (sum, carry) = sum.overflowing_add(word);
        sum.wrapping_add(u16::from(carry))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

    /// A packet as a server sends it.
    fn reply(text: &[u8]) -> Vec<u8> {
        let mut bytes = broadcast(text, SERVER).unwrap();
        let mut udp = UdpPacket::new_unchecked(&mut bytes[20..]);
        udp.set_src_port(67);
        udp.set_dst_port(68);
        udp.fill_checksum(&IpAddress::Ipv4(SERVER), &IpAddress::Ipv4(Ipv4Addr::BROADCAST));
        bytes
    }

    #[test]
    fn only_whole_packets_of_servers() {
        let good = reply(b"hello, client");
        assert_eq!(message(&good), Some(&b"hello, client"[..]));
        // From a client.
        assert_eq!(message(&broadcast(b"hello", SERVER).unwrap()), None);
        // What Ethernet adds to short frames doesn't matter.
        assert!(message(&[&good[..], &[0; 9]].concat()).is_some());
        let damaged = |at: usize, bit: u8| {
            let mut packet = good.clone();
            packet[at] ^= bit;
            if (6..8).contains(&at) {
                Ipv4Packet::new_unchecked(&mut packet[..]).fill_checksum();
            }
            message(&packet).is_none()
        };
        assert!(damaged(30, 1), "the text");
        assert!(damaged(13, 1), "the source");
        assert!(damaged(6, 0x20), "more fragments");
        assert!(damaged(7, 1), "not the first fragment");
        assert!(message(&good[..good.len() - 1]).is_none());
    }

    #[test]
    fn checksums_that_hardware_was_to_compute() {
        let mut packet = reply(b"from the host");
        // 10.0.0.1 + 255.255.255.255 + 17 + 21, by hand.
        let partial = 0x0a00_u32 + 0x0001 + 0xffff + 0xffff + 17 + 21;
        let partial = u16::try_from((partial & 0xffff) + (partial >> 16)).unwrap();
        packet[26..28].copy_from_slice(&partial.to_be_bytes());
        assert!(message(&packet).is_some());
        packet[27] ^= 1;
        assert!(message(&packet).is_none());
        packet[26..28].fill(0);
        assert!(message(&packet).is_some(), "no checksum at all");
    }

    proptest! {
        #[test]
        fn noise(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(message(&bytes), None);
        }

        #[test]
        fn damage(at in any::<prop::sample::Index>(), value in any::<u8>(), end in 0..80_usize) {
            let mut packet = reply(&[7; 40]);
            let at = at.index(packet.len());
            packet[at] = value;
            let _ = message(&packet[..end.min(packet.len())]);
        }
    }
}
