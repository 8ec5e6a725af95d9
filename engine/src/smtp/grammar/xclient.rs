//! XCLIENT (Postfix's own command): attributes by which a trusted peer says for whom it speaks.
//! Every value that may end in a trace field is checked as the name or address that it is.

use alloc::vec::Vec;

use super::command::host_name;
use super::params::{Text, decode_xtext};
use super::parts::{Word, words};

/// Octets of an account's name; more would be no name but a way to fill logs.
const LOGIN_MAX: usize = 255;

/// What one attribute says: nothing (it was not named), that there is no such thing, or what it is.
type Told<T> = Option<Option<T>>;

/// What XCLIENT says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// NAME: by reverse DNS.
    pub name: Told<Vec<u8>>,
    /// ADDR: in its usual text form, without `IPV6:`.
    pub address: Told<Vec<u8>>,
    /// PORT
    pub port: Told<u16>,
    /// PROTO: whether it greeted with EHLO.
    pub esmtp: Told<bool>,
    /// HELO
    pub helo: Told<Vec<u8>>,
    /// LOGIN
    pub login: Told<Vec<u8>>,
    /// DESTADDR
    pub destination: Told<Vec<u8>>,
    /// DESTPORT
    pub destination_port: Told<u16>,
}

/// The names of the attributes, for EHLO.
pub(in crate::smtp) const NAMES: &str = "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";

/// `1*(SP attribute-name "=" attribute-value)`, each once, values in xtext; `None` if anything is wrong with them.
pub(super) fn attributes(text: Text<'_>) -> Option<Attributes> {
    let Text { octets, base, parts } = text;
    let mut read = Attributes::default();
    let mut count = 0;
    for Word { start, octets } in words(octets) {
        let equals = octets.iter().position(|&octet| octet == b'=')?;
        let start = base + start;
        parts.note(start, start + equals, "attribute name");
        parts.note(start + equals, start + equals + 1, "equals sign");
        parts.note(start + equals + 1, start + octets.len(), "attribute value");
        let value = Value(&octets[equals + 1..]);
        count += 1;
        let Attributes { name, address, port, esmtp, helo, login, destination, destination_port } =
            &mut read;
        match &octets[..equals].to_ascii_uppercase()[..] {
            b"NAME" => value.put(name, host_name)?,
            b"ADDR" => value.put(address, ip_address)?,
            b"PORT" => value.put(port, number)?,
            b"PROTO" => value.put(esmtp, protocol)?,
            b"HELO" => value.put(helo, host_name)?,
            b"LOGIN" => value.put(login, account)?,
            b"DESTADDR" => value.put(destination, ip_address)?,
            b"DESTPORT" => value.put(destination_port, number)?,
            _ => return None,
        }
    }
    (count > 0).then_some(read)
}

struct Value<'a>(&'a [u8]);

impl Value<'_> {
    /// Reads the value into a place that was not told of before.
    fn put<T>(&self, place: &mut Told<T>, read: impl Fn(&[u8]) -> Option<T>) -> Option<()> {
        if place.is_some() {
            return None;
        }
        let decoded = decode_xtext(self.0)?;
        let missing = [&b"[UNAVAILABLE]"[..], b"[TEMPUNAVAIL]"];
        *place = if missing.iter().any(|word| decoded.eq_ignore_ascii_case(word)) {
            Some(None)
        } else {
            Some(Some(read(&decoded)?))
        };
        Some(())
    }
}

fn ip_address(octets: &[u8]) -> Option<Vec<u8>> {
    let text = core::str::from_utf8(octets).ok()?;
    let six = text.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPV6:"));
    let text = if six.is_some() { &text[5..] } else { text };
    let right = if six.is_some() {
        text.parse::<core::net::Ipv6Addr>().is_ok()
    } else {
        text.parse::<core::net::IpAddr>().is_ok()
    };
    right.then(|| text.as_bytes().to_vec())
}

fn number(octets: &[u8]) -> Option<u16> {
    let digits = !octets.is_empty() && octets.iter().all(u8::is_ascii_digit);
    core::str::from_utf8(octets).ok().filter(|_| digits)?.parse().ok()
}

fn protocol(octets: &[u8]) -> Option<bool> {
    match &octets.to_ascii_uppercase()[..] {
        b"SMTP" => Some(false),
        b"ESMTP" => Some(true),
        _ => None,
    }
}

fn account(octets: &[u8]) -> Option<Vec<u8>> {
    let text = core::str::from_utf8(octets).ok()?;
    let right = !text.is_empty() && text.len() <= LOGIN_MAX && !text.chars().any(char::is_control);
    right.then(|| octets.to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::parts::Parts;
    use super::*;

    fn read(octets: &[u8]) -> Option<Attributes> {
        attributes(Text { octets, base: 0, parts: &mut Parts::new(false) })
    }

    #[test]
    fn attributes_are_read() {
        let all = read(
            b"NAME=crepes.fr addr=192.0.2.7 PORT=4711 PROTO=ESMTP HELO=a_b LOGIN=ann+40x \
            DESTADDR=IPV6:2001:db8::1 DESTPORT=25",
        );
        let expected = Attributes {
            name: Some(Some(b"crepes.fr".to_vec())),
            address: Some(Some(b"192.0.2.7".to_vec())),
            port: Some(Some(4711)),
            esmtp: Some(Some(true)),
            helo: Some(Some(b"a_b".to_vec())),
            login: Some(Some(b"ann@x".to_vec())),
            destination: Some(Some(b"2001:db8::1".to_vec())),
            destination_port: Some(Some(25)),
        };
        assert_eq!(all, Some(expected));
        let none = read(b"NAME=[unavailable] LOGIN=[TEMPUNAVAIL]").expect("attributes");
        assert_eq!((none.name, none.login, none.address), (Some(None), Some(None), None));
    }

    #[test]
    fn what_could_do_harm_is_refused() {
        let wrong: [&[u8]; 17] = [
            b"",
            b"NAME",
            b"=x",
            b"FOO=x",
            b"ADDR=1 ADDR=2",
            b"ADDR=192.0.2.1 ADDR=192.0.2.1",
            b"ADDR=192.0.2",
            b"ADDR=IPV6:192.0.2.1",
            b"PORT=65536",
            b"PORT=+1",
            b"PROTO=HTTP",
            b"NAME=a+0D+0Ab",
            b"HELO=a+20(b)",
            b"LOGIN=a+0Ab",
            b"LOGIN=",
            b"LOGIN=+FF",
            b"NAME=+4",
        ];
        for wrong in wrong {
            assert_eq!(read(wrong), None, "{}", wrong.escape_ascii());
        }
    }
}
