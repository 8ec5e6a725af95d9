//! Actions as octets. A kind's number never changes its meaning; a new kind has a new one.

use super::codec::{Reader, Writer};
use crate::world::{Action, Check, Letter, LinkSetup, Played, Record, Way};

pub(super) fn write(out: &mut Writer, action: &Action) {
    match action {
        Action::Send(letter) => {
            out.number(1);
            let Letter { device, to, subject, text, html, pictures, files } = letter;
            [device, to, subject, text, html].into_iter().for_each(|part| out.text(part));
            out.each(pictures, |out, (name, size)| {
                out.text(name);
                out.number(u64::from(*size));
            });
            out.each(files, |out, (name, octets)| {
                out.text(name);
                out.octets(octets);
            });
        }
        Action::Check(Check { device, way }) => {
            out.number(2);
            out.text(device);
            out.number(match way {
                Way::PopKeep => 0,
                Way::PopDelete => 1,
                Way::Imap => 2,
                Way::Web => 3,
            });
        }
        Action::Imap { device, order } => {
            out.number(3);
            out.text(device);
            out.text(order);
        }
        Action::Connect { from, host, port, script } => {
            out.number(4);
            out.text(from);
            out.text(host);
            out.number(u64::from(*port));
            out.each(script, |out, line| out.text(line));
        }
        Action::Type { wire, server, octets } => {
            out.number(5);
            out.number(u64::from(*wire));
            out.truth(*server);
            out.octets(octets);
        }
        Action::HangUp { wire, server } => {
            out.number(6);
            out.number(u64::from(*wire));
            out.truth(*server);
        }
        Action::Cut { wire } => {
            out.number(7);
            out.number(u64::from(*wire));
        }
        Action::AddFault(fault) => {
            out.number(8);
            out.text(fault);
        }
        Action::RemoveFault(number) => {
            out.number(9);
            out.number(*number);
        }
        Action::Power { node, on } => {
            out.number(10);
            out.text(node);
            out.truth(*on);
        }
        Action::TryNow { node } => {
            out.number(11);
            out.text(node);
        }
        Action::Link(link) => {
            out.number(12);
            write_link(out, link);
        }
        Action::Record(record) => {
            out.number(13);
            out.text(&record.name);
            out.each(&record.exchanges, |out, (preference, name)| {
                out.number(u64::from(*preference));
                out.text(name);
            });
            out.each(&record.addresses, |out, address| out.text(address));
        }
        Action::User { node, address, password } => {
            out.number(14);
            [node, address, password].into_iter().for_each(|part| out.text(part));
        }
        Action::Secure { device, on } => {
            out.number(15);
            out.text(device);
            out.truth(*on);
        }
        Action::Answer { node, port } => {
            out.number(16);
            out.text(node);
            out.number(u64::from(*port));
        }
        Action::Browse { device, order } => {
            out.number(17);
            [device, order].into_iter().for_each(|part| out.text(part));
        }
        Action::Play { from, host, port, parts } => {
            out.number(18);
            out.text(from);
            out.text(host);
            out.number(u64::from(*port));
            out.each(parts, |out, part| {
                out.truth(part.answered);
                out.number(part.after_ms);
                out.octets(&part.octets);
            });
        }
    }
}

fn write_link(out: &mut Writer, link: &LinkSetup) {
    out.text(&link.a);
    out.text(&link.b);
    out.number(link.latency_ms);
    out.maybe(link.octets_per_s);
    out.maybe(link.chunk.map(u64::from));
    out.truth(link.tapped);
    out.truth(link.seven_bit);
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Action> {
    Some(match reader.number()? {
        1 => Action::Send(Letter {
            device: reader.text()?,
            to: reader.text()?,
            subject: reader.text()?,
            text: reader.text()?,
            html: reader.text()?,
            pictures: reader.each(|reader| Some((reader.text()?, picture(reader)?)))?,
            files: reader.each(|reader| Some((reader.text()?, reader.octets()?)))?,
        }),
        2 => {
            let device = reader.text()?;
            let way = match reader.number()? {
                0 => Way::PopKeep,
                1 => Way::PopDelete,
                2 => Way::Imap,
                3 => Way::Web,
                _ => return None,
            };
            Action::Check(Check { device, way })
        }
        3 => Action::Imap { device: reader.text()?, order: reader.text()? },
        4 => Action::Connect {
            from: reader.text()?,
            host: reader.text()?,
            port: reader.small()?,
            script: reader.each(Reader::text)?,
        },
        5 => Action::Type {
            wire: reader.small()?,
            server: reader.truth()?,
            octets: reader.octets()?,
        },
        6 => Action::HangUp { wire: reader.small()?, server: reader.truth()? },
        7 => Action::Cut { wire: reader.small()? },
        8 => Action::AddFault(reader.text()?),
        9 => Action::RemoveFault(reader.number()?),
        10 => Action::Power { node: reader.text()?, on: reader.truth()? },
        11 => Action::TryNow { node: reader.text()? },
        12 => Action::Link(read_link(reader)?),
        13 => Action::Record(Record {
            name: reader.text()?,
            exchanges: reader.each(|reader| Some((reader.small()?, reader.text()?)))?,
            addresses: reader.each(Reader::text)?,
        }),
        14 => {
            Action::User { node: reader.text()?, address: reader.text()?, password: reader.text()? }
        }
        15 => Action::Secure { device: reader.text()?, on: reader.truth()? },
        16 => Action::Answer { node: reader.text()?, port: reader.small()? },
        17 => Action::Browse { device: reader.text()?, order: reader.text()? },
        18 => Action::Play {
            from: reader.text()?,
            host: reader.text()?,
            port: reader.small()?,
            parts: reader.each(played)?,
        },
        _ => return None,
    })
}

/// A part of a recording; nobody waits for longer than a day.
fn played(reader: &mut Reader<'_>) -> Option<Played> {
    let answered = reader.truth()?;
    let after_ms = reader.number().filter(|ms| *ms <= 86_400_000)?;
    Some(Played { answered, after_ms, octets: reader.octets()? })
}

/// A picture's size. A few octets of a link must not become gigabytes.
fn picture(reader: &mut Reader<'_>) -> Option<u32> {
    reader.small().filter(|size| *size <= crate::world::PICTURE_MAX)
}

fn read_link(reader: &mut Reader<'_>) -> Option<LinkSetup> {
    Some(LinkSetup {
        a: reader.text()?,
        b: reader.text()?,
        latency_ms: reader.number().filter(|ms| *ms <= 86_400_000)?,
        octets_per_s: reader.maybe()?,
        chunk: match reader.maybe()? {
            Some(chunk) => Some(u32::try_from(chunk).ok()?),
            None => None,
        },
        tapped: reader.truth()?,
        seven_bit: reader.truth()?,
    })
}
