//! Actions carried out: each changes the world at the time that it is now.

use super::action::Action;
use super::errand::{Errand, Goal};
use super::ids::{End, NodeId, WireId};
use super::log::What;
use super::seat::{Line, Turn};
use super::setup::LinkSetup;
use super::wire::Phase;
use super::{Order, World};
use crate::queue::{self, Steer, Steered};
use crate::service::Backend;
use crate::store::{Outcome, Write};

impl World {
    /// Does something to the world.
    ///
    /// # Errors
    /// Why it cannot be done; then nothing was changed.
    pub fn act(&mut self, action: &Action) -> Result<(), String> {
        let before = self.log.len();
        self.cause = None;
        self.note(None, None, What::Acted(action.words().into()));
        let done = self.carry_out(action);
        if done.is_err() && self.log.len() == before + 1 {
            self.log.pop();
        }
        self.cause = None;
        done
    }

    fn carry_out(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Send(letter) => self.send_letter(letter),
            Action::Check(check) => self.check_mail(check),
            Action::Connect { from, host, port, script } => {
                let node = self.node_of(from)?;
                let script = script_lines(script)?;
                let goal = Goal::Type(script);
                self.errand(node, Errand { host: host.clone(), port: *port, goal });
                Ok(())
            }
            Action::Play { from, host, port, parts } => {
                let node = self.node_of(from)?;
                let goal = Goal::Play(parts.clone());
                self.errand(node, Errand { host: host.clone(), port: *port, goal });
                Ok(())
            }
            Action::Type { wire, server, octets } => {
                let (wire, end) = self.typed_end(*wire, *server)?;
                self.turn(wire, end, Turn::Type(octets.clone()));
                Ok(())
            }
            Action::HangUp { wire, server } => {
                let (wire, end) = self.typed_end(*wire, *server)?;
                self.turn(wire, end, Turn::Order(Order::Quit));
                Ok(())
            }
            Action::Cut { wire } => {
                let id = self.wire_of(*wire)?;
                self.cut(id, End::Client);
                self.lost(id, End::Server);
                Ok(())
            }
            Action::AddFault(text) => self.add_fault(text).map(|_| ()),
            Action::RemoveFault(number) => {
                let found = self.faults.remove(*number);
                found.then_some(()).ok_or_else(|| format!("there is no fault {number}"))
            }
            Action::Power { node, on } => {
                let node = self.node_of(node)?;
                self.power(node, *on);
                Ok(())
            }
            Action::TryNow { node } => {
                let node = self.node_of(node)?;
                self.try_now(node)
            }
            Action::Imap { device, order } => self.do_by_imap(device, order),
            Action::Browse { device, order } => self.browse(device, order),
            Action::Link(link) => self.change_link(link),
            Action::Record(record) => {
                let gone = record.exchanges.is_empty() && record.addresses.is_empty();
                self.zones.remove(&record.name);
                if !gone {
                    self.zones.add(record);
                }
                Ok(())
            }
            Action::User { node, address, password } => {
                let node = self.node_of(node)?;
                let backend = self.node(node).backend.clone();
                let backend = backend.ok_or("only servers have accounts".to_owned())?;
                let name = address.to_ascii_lowercase().into_bytes();
                let password = password.clone().into_bytes();
                backend.directory().people().users.insert(name, password);
                Ok(())
            }
            Action::Secure { device, on } => {
                let node = self.node_of(device)?;
                let account = self.node_mut(node).setup.account.as_mut();
                account.ok_or("this device has no account".to_owned())?.tls = *on;
                Ok(())
            }
            Action::Answer { node, port } => {
                let node = self.node_of(node)?;
                self.node_mut(node).by_hand.insert(*port);
                Ok(())
            }
        }
    }

    fn wire_of(&self, number: u32) -> Result<WireId, String> {
        let wire = self.wires.get(number as usize);
        let open = wire.filter(|wire| wire.phase == Phase::Open);
        open.map(|wire| wire.id).ok_or_else(|| "this connection is not open".to_owned())
    }

    /// The end of a wire at which somebody types.
    fn typed_end(&mut self, number: u32, server: bool) -> Result<(WireId, End), String> {
        let id = self.wire_of(number)?;
        let end = if server { End::Server } else { End::Client };
        let seat = self.wire_mut(id).seats[end.index()].as_mut();
        let typist = seat.and_then(|seat| seat.typist().map(|_| ()));
        typist.map(|()| (id, end)).ok_or_else(|| "nobody types on this connection".to_owned())
    }

    /// A node is gone, or back. What it had not made durable is lost.
    fn power(&mut self, id: NodeId, on: bool) {
        if self.node(id).up == on {
            return;
        }
        self.node_mut(id).up = on;
        self.note(Some(id), None, What::Power(on));
        if on {
            self.plan_queue(id);
            return;
        }
        let open: Vec<(WireId, Phase, [NodeId; 2])> = self
            .wires
            .iter()
            .filter(|wire| wire.phase != Phase::Closed)
            .map(|wire| (wire.id, wire.phase, wire.nodes))
            .collect();
        self.node_mut(id).jobs.clear();
        self.node_mut(id).queue_at = None;
        for (wire, phase, nodes) in open {
            for end in [End::Client, End::Server] {
                // A request that is still on its way here finds what is here then.
                let is_there = phase == Phase::Open || end == End::Client;
                if is_there && nodes[end.index()] == id {
                    self.cut(wire, end);
                }
            }
        }
        self.crashed(id);
    }

    fn change_link(&mut self, wanted: &LinkSetup) -> Result<(), String> {
        let (a, b) = (self.node_of(&wanted.a)?, self.node_of(&wanted.b)?);
        let link = self.link_mut(a, b);
        link.latency_ms = wanted.latency_ms;
        link.octets_per_s = wanted.octets_per_s;
        link.chunk = wanted.chunk;
        link.tapped = wanted.tapped;
        link.seven_bit = wanted.seven_bit;
        Ok(())
    }

    fn try_now(&mut self, id: NodeId) -> Result<(), String> {
        let backend = self.node(id).backend.clone();
        let backend = backend.ok_or("only servers have queues".to_owned())?;
        let action = queue::Action::Retry { now_ms: self.unix_ms_of(id) };
        let mut after = 0;
        loop {
            let steer = Steer { which: queue::Which::All, after, action };
            match backend.write_now(Write::Steer(steer)) {
                Ok(Outcome::Steered(Steered { last: Some(last), .. })) if last > after => {
                    after = last;
                }
                Ok(_) => break,
                Err(reason) => return Err(format!("the queue: {reason:?}")),
            }
        }
        self.after_writes(id);
        Ok(())
    }
}

/// Lines that a script comes to at most, and octets of one of them.
const SCRIPT_MAX: usize = 10_000;
/// Octets that all of a script says: a short link must not make a large world.
const SAID_MAX: usize = 1 << 20;

/// The lines of a script.
fn script_lines(script: &[String]) -> Result<Vec<Line>, String> {
    let (mut lines, mut said) = (Vec::new(), 0_usize);
    for line in script {
        let (times, line) = repeated(line).unwrap_or((1, line));
        if times > SCRIPT_MAX - lines.len() {
            return Err(format!("a script has at most {SCRIPT_MAX} lines"));
        }
        let line = script_line(line)?;
        if let Line::Say(octets) = &line {
            said += octets.len() * times;
        }
        if said > SAID_MAX {
            return Err(format!("a script says at most {SAID_MAX} octets"));
        }
        lines.extend(std::iter::repeat_n(line, times));
    }
    Ok(lines)
}

/// `1000 times C: NOOP`
fn repeated(line: &str) -> Option<(usize, &str)> {
    let (times, line) = line.split_once(" times ")?;
    Some((times.parse().ok()?, line))
}

/// What is said, where `{1001 x}` stands for so many `x`.
fn spelt(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        let many = behind.split_once('}').and_then(|(many, after)| {
            let (count, what) = many.split_once(' ')?;
            let count: usize = count.parse().ok().filter(|count| *count <= SCRIPT_MAX)?;
            (what.len() == 1).then_some((count, what, after))
        });
        octets.extend_from_slice(before.as_bytes());
        match many {
            Some((count, what, after)) => {
                octets.extend_from_slice(what.repeat(count).as_bytes());
                rest = after;
            }
            // A brace as people write it.
            None => {
                octets.push(b'{');
                rest = behind;
            }
        }
        if octets.len() > SCRIPT_MAX {
            return Err(format!("a line of a script has at most {SCRIPT_MAX} octets"));
        }
    }
    octets.extend_from_slice(rest.as_bytes());
    octets.extend_from_slice(b"\r\n");
    Ok(octets)
}

/// A line of a script, as scenarios and transcripts write it.
fn script_line(line: &str) -> Result<Line, String> {
    if line == "." {
        return Ok(Line::HangUp);
    }
    if let Some(said) = line.strip_prefix("C: ") {
        return Ok(Line::Say(spelt(said)?));
    }
    if let Some(heard) = line.strip_prefix("S: ") {
        return Ok(Line::Hear(heard.as_bytes().to_vec()));
    }
    Err(format!("a line of a script begins with \"C: \" or \"S: \", or is a dot: {line}"))
}
