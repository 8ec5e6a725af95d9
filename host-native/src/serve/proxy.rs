//! The PROXY protocol, versions 1 and 2: a proxy in front of this server says first whose connection it brings.
//! It is believed only from addresses that the configuration names, and there every connection must begin with it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::limits::PROXY_SECONDS;

/// Octets of a header of version 1, CRLF included.
const TEXT_MAX: usize = 107;
/// What a header of version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Octets of the fixed part of version 2.
const HEAD: usize = 16;
/// Octets of its rest; addresses have 12 or 36, and what proxies add is short.
const REST_MAX: usize = 2048;

/// Reads the header off the connection, and not one octet more.
///
/// # Errors
/// There is none, it is broken, or it is late.
pub(super) async fn client(stream: &mut TcpStream, proxy: IpAddr) -> io::Result<IpAddr> {
    let read = tokio::time::timeout(Duration::from_secs(PROXY_SECONDS), header(stream));
    let late = || io::Error::new(io::ErrorKind::TimedOut, "no PROXY header in time");
    Ok(read.await.map_err(|_| late())??.unwrap_or(proxy))
}

/// Whose connection it is; none: the proxy's own, such as a check of health.
async fn header(stream: &mut TcpStream) -> io::Result<Option<IpAddr>> {
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "no PROXY header, or a broken one");
    let mut head = [0; HEAD];
    stream.read_exact(&mut head[..1]).await?;
    if head[0] == SIGNATURE[0] {
        stream.read_exact(&mut head[1..]).await?;
        let length = length(&head).ok_or_else(broken)?;
        let mut rest = vec![0; length];
        stream.read_exact(&mut rest).await?;
        return binary(&head, &rest).ok_or_else(broken);
    }
    let mut line = vec![head[0]];
    // One by one: what follows the line belongs to the protocol after it.
    while !line.ends_with(b"\r\n") {
        if line.len() >= TEXT_MAX || !b"PROXY ".starts_with(&line[..line.len().min(6)]) {
            return Err(broken());
        }
        line.push(stream.read_u8().await?);
    }
    text(&line).ok_or_else(broken)
}

/// Octets after the fixed part of version 2.
fn length(head: &[u8; HEAD]) -> Option<usize> {
    let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
    (head.starts_with(&SIGNATURE) && length <= REST_MAX).then_some(length)
}

/// Version 2: version and command, family and transport, length, addresses, and what is passed over.
fn binary(head: &[u8; HEAD], rest: &[u8]) -> Option<Option<IpAddr>> {
    match (head[12], head[13]) {
        // LOCAL
        (0x20, _) => Some(None),
        // PROXY over TCP: source, destination, and the ports of both.
        (0x21, 0x11) => {
            let source: [u8; 4] = rest.get(..12)?[..4].try_into().ok()?;
            Some(Some(IpAddr::V4(Ipv4Addr::from(source))))
        }
        (0x21, 0x21) => {
            let source: [u8; 16] = rest.get(..36)?[..16].try_into().ok()?;
            Some(Some(IpAddr::V6(Ipv6Addr::from(source)).to_canonical()))
        }
        // A family that is not said: whose it is nobody knows.
        (0x21, 0x00) => Some(None),
        _ => None,
    }
}

/// Version 1: `PROXY TCP4 source destination port port`.
fn text(line: &[u8]) -> Option<Option<IpAddr>> {
    let line = std::str::from_utf8(line.strip_suffix(b"\r\n")?).ok()?;
    let mut words = line.strip_prefix("PROXY ")?.split(' ');
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let (source, destination) = (words.next()?, words.next()?);
    let ports = [words.next()?, words.next()?];
    let in_range = ports.iter().all(|port| {
        let plain = port.bytes().all(|octet| octet.is_ascii_digit());
        plain && port.parse::<u16>().is_ok()
    });
    (in_range && words.next().is_none()).then_some(())?;
    let source = match family {
        "TCP4" => {
            destination.parse::<Ipv4Addr>().ok()?;
            IpAddr::V4(source.parse().ok()?)
        }
        "TCP6" => {
            destination.parse::<Ipv6Addr>().ok()?;
            IpAddr::V6(source.parse().ok()?).to_canonical()
        }
        _ => return None,
    };
    Some(Some(source))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

    /// What is read of these octets, and what is left for the protocol.
    async fn read(octets: &[u8]) -> io::Result<(IpAddr, Vec<u8>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut sender = TcpStream::connect(listener.local_addr()?).await?;
        let (mut stream, _) = listener.accept().await?;
        sender.write_all(octets).await?;
        drop(sender);
        let address = client(&mut stream, PROXY).await?;
        let mut left = Vec::new();
        stream.read_to_end(&mut left).await?;
        Ok((address, left))
    }

    fn version_2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest, b"EHLO a\r\n"].concat()
    }

    #[tokio::test]
    async fn both_versions_name_the_client_and_leave_the_rest() {
        let addresses_4 = [192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0, 25, 0x04, 0, 1, 9];
        let mut addresses_6 = [0; 36];
        addresses_6[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        let good = [
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 25\r\nEHLO a\r\n".to_vec(), "192.0.2.7"),
            (b"PROXY TCP6 2001:db8:: ::1 12345 25\r\nEHLO a\r\n".to_vec(), "2001:db8::"),
            (b"PROXY UNKNOWN what ever\r\nEHLO a\r\n".to_vec(), "10.0.0.1"),
            (version_2(0x21, 0x11, &addresses_4), "192.0.2.7"),
            (version_2(0x21, 0x21, &addresses_6), "2001:db8::"),
            (version_2(0x20, 0x00, &[]), "10.0.0.1"),
        ];
        for (octets, address) in good {
            let expected = (address.parse().expect("an address"), b"EHLO a\r\n".to_vec());
            assert_eq!(read(&octets).await.expect(address), expected);
        }
    }

    #[tokio::test]
    async fn whatever_else_is_refused() {
        let long = [b"PROXY UNKNOWN ".to_vec(), vec![b'a'; 200]].concat();
        let bad = [
            b"EHLO a\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 12345\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 65536\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 +1 25\r\n".to_vec(),
            b"PROXY TCP4 2001:db8:: ::1 12345 25\r\n".to_vec(),
            b"PROXY TCP4  192.0.2.7 10.0.0.1 1 25\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 1 25\n".to_vec(),
            b"PROXY".to_vec(),
            long,
            version_2(0x11, 0x11, &[0; 12]),
            version_2(0x22, 0x11, &[0; 12]),
            version_2(0x21, 0x11, &[0; 11]),
            version_2(0x21, 0x12, &[0; 12]),
            version_2(0x21, 0x11, &[0; 4000]),
            SIGNATURE.to_vec(),
            b"\r\n\r\nEHLO a\r\nEHLO a\r\n".to_vec(),
        ];
        for octets in bad {
            assert!(read(&octets).await.is_err(), "{}", octets.escape_ascii());
        }
    }
}
