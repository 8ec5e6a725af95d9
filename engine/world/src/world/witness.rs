//! Connections with an end outside of the world: what is said and noted there is entered as it becomes known, so that a
//! reader is shown it by the same views. A world with such connections cannot be told again, and nobody winds it back.

use pillarbox_engine::trace::Note;

use super::ids::{End, WireId};
use super::log::What;
use super::seat::{Order, Reader, Turn, Typist};
use super::wire::{Phase, Wire};
use super::{Owner, World};
use crate::world::Protocol;

impl World {
    /// A connection between two nodes, both ends of which are elsewhere: it is open.
    ///
    /// # Errors
    /// There is no such node, or nobody knows what is spoken on that port.
    pub fn witness(&mut self, client: &str, server: &str, port: u16) -> Result<WireId, String> {
        let id = self.open_outside(client, server, port)?;
        self.wire_mut(id).seats[End::Server.index()] = Some(Box::new(Typist::new(Vec::new())));
        Ok(id)
    }

    /// A connection of somebody outside to a server of this world, which answers as it answers everybody, or by hand.
    ///
    /// # Errors
    /// There is no such node, or it answers nobody on that port.
    pub fn visit(&mut self, client: &str, server: &str, port: u16) -> Result<WireId, String> {
        let node = self.node_of(server)?;
        let by_hand = self.node(node).by_hand.contains(&port);
        if !by_hand && !self.node(node).setup.ports.contains(&port) {
            return Err(format!("{server} does not listen on {port}"));
        }
        let id = self.open_outside(client, server, port)?;
        let mut seat = self.server_seat(id);
        if by_hand {
            // The client is no session of this world that could note what is said, so the engine reads along.
            seat = Box::new(Reader::new(self.wire(id).protocol, seat));
        }
        self.wire_mut(id).seats[End::Server.index()] = Some(seat);
        self.turn(id, End::Server, Turn::Look);
        self.cause = None;
        self.run_to(self.now);
        Ok(id)
    }

    /// A wire that is open, whose client is outside.
    fn open_outside(&mut self, client: &str, server: &str, port: u16) -> Result<WireId, String> {
        let nodes = [self.node_of(client)?, self.node_of(server)?];
        let (protocol, _) = Protocol::of_port(port).ok_or(format!("nothing is known of {port}"))?;
        let id = WireId(u32::try_from(self.wires.len()).map_err(|_| "too many wires".to_owned())?);
        let mut wire = Wire::new(id, nodes, port, protocol, self.now);
        wire.phase = Phase::Open;
        wire.seats[End::Client.index()] = Some(Box::new(Typist::new(Vec::new())));
        self.wires.push(wire);
        self.owners.insert(id, Owner::Hand);
        self.cause = None;
        let connect = What::Connect { to: nodes[1], port, protocol };
        self.note(Some(nodes[0]), Some(id), connect);
        self.note(Some(nodes[0]), Some(id), What::Connected);
        self.cause = None;
        Ok(id)
    }

    /// Octets that an end outside of the world has sent.
    pub fn witness_octets(&mut self, wire: WireId, end: End, octets: &[u8]) {
        if self.is_outside(wire, end) {
            self.cause = None;
            self.turn(wire, end, Turn::Type(octets.to_vec()));
            self.run_to(self.now);
        }
    }

    /// What the session at an end outside of the world has noted.
    pub fn witness_note(&mut self, wire: WireId, end: End, note: Note) {
        if (wire.0 as usize) < self.wires.len() {
            self.cause = None;
            self.noted(wire, end, note);
            self.cause = None;
        }
    }

    /// What the engine would say now in place of who answers a visitor by hand, as long as it can follow.
    #[must_use]
    pub fn would_say(&self, wire: WireId) -> Option<Vec<u8>> {
        self.wires.get(wire.0 as usize)?.seats[End::Server.index()].as_ref()?.would_say()
    }

    /// An end outside of the world says nothing more.
    pub fn witness_end(&mut self, wire: WireId, end: End) {
        if self.is_outside(wire, end) {
            self.cause = None;
            self.turn(wire, end, Turn::Order(Order::Quit));
            self.run_to(self.now);
        }
    }

    /// An end outside of the world is gone: it says nothing more and hears nothing.
    pub fn witness_cut(&mut self, wire: WireId, end: End) {
        let is_open = |known: &Wire| known.phase == Phase::Open;
        if self.wires.get(wire.0 as usize).is_some_and(is_open) {
            self.cause = None;
            self.cut(wire, end);
            self.run_to(self.now);
        }
    }

    /// A device is set up for another account, from its next errand on.
    ///
    /// # Errors
    /// There is no such device, or it has no account.
    pub fn set_account(
        &mut self,
        device: &str,
        address: &str,
        password: &str,
    ) -> Result<(), String> {
        let node = self.node_of(device)?;
        let account = self.node_mut(node).setup.account.as_mut();
        let account = account.ok_or_else(|| format!("{device} has no account"))?;
        let person = address.split('@').next().unwrap_or(address);
        account.person = person.to_owned();
        account.address = address.to_owned();
        account.password = password.to_owned();
        Ok(())
    }

    /// Whether nobody of this world speaks at that end.
    fn is_outside(&mut self, wire: WireId, end: End) -> bool {
        let Some(wire) = self.wires.get_mut(wire.0 as usize) else { return false };
        let seat = wire.seats[end.index()].as_mut();
        wire.phase == Phase::Open && seat.is_some_and(|seat| seat.typist().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Dir, Kind, NodeSetup, Setup};
    use pillarbox_engine::trace::{Side, Span};

    fn world() -> World {
        let server = NodeSetup { by_hand: vec![110], ..NodeSetup::new("server", Kind::Server) };
        let nodes = vec![NodeSetup::new("program", Kind::Device), server];
        World::new(&Setup { nodes, ..Setup::default() }, 1).expect("two nodes make sense")
    }

    #[test]
    fn what_is_witnessed_stands_in_the_log_with_its_notes() {
        let mut world = world();
        let wire = world.witness("program", "server", 110).expect("both are there");
        world.witness_octets(wire, End::Server, b"+OK ready\r\n");
        world.witness_octets(wire, End::Client, b"NOOP\r\n");
        let span = Span {
            side: Side::Received,
            start: 0,
            end: 4,
            label: "verb",
            secret: false,
            why: None,
        };
        world.witness_note(wire, End::Server, Note::Span(span));
        world.witness_note(wire, End::Server, Note::State { from: "", to: "TRANSACTION" });
        assert_eq!(world.octets(wire, Dir::ToClient, 0..u64::MAX), b"+OK ready\r\n");
        assert_eq!(world.all_notes(wire, End::Server).len(), 2);
        assert_eq!(world.state(wire, End::Server), "TRANSACTION");
        assert!(
            !world.expected(wire, End::Client).is_empty(),
            "the state's name tells what may be said"
        );
        world.witness_end(wire, End::Client);
        world.run_to(world.now().after(1_000));
        assert_eq!(world.wires()[0].phase, Phase::Closed);
        world.witness_octets(wire, End::Server, b"too late");
        assert_eq!(world.octets(wire, Dir::ToClient, 0..u64::MAX), b"+OK ready\r\n");
        assert!(world.visit("program", "server", 143).is_ok(), "the engine answers there");
        assert!(world.visit("program", "server", 995).is_err());
        assert!(world.witness("nobody", "server", 110).is_err());
        assert!(world.witness("program", "server", 7).is_err());
    }

    #[test]
    fn who_visits_a_server_of_the_world_is_answered_by_the_engine() {
        let mut world = world();
        let wire = world.visit("program", "server", 25).expect("it listens there");
        let heard = |world: &World| {
            String::from_utf8_lossy(world.octets(wire, Dir::ToClient, 0..u64::MAX)).into_owned()
        };
        assert!(heard(&world).starts_with("220 server "), "{}", heard(&world));
        world.witness_octets(wire, End::Client, b"HELO there\r\n");
        world.run_to(world.now().after(1_000));
        assert!(heard(&world).contains("\r\n250 "), "{}", heard(&world));
        world.witness_octets(wire, End::Client, b"QUIT\r\n");
        world.run_to(world.now().after(1_000));
        assert!(heard(&world).contains("\r\n221 "), "{}", heard(&world));
        assert_eq!(world.wires()[0].phase, Phase::Closed);
    }

    fn by_hand() -> (World, WireId) {
        let server =
            NodeSetup { by_hand: vec![25], anyone: true, ..NodeSetup::new("server", Kind::Server) };
        let nodes = vec![NodeSetup::new("program", Kind::Device), server];
        let mut world =
            World::new(&Setup { nodes, ..Setup::default() }, 1).expect("two nodes make sense");
        let wire = world.visit("program", "server", 25).expect("somebody answers there");
        (world, wire)
    }

    fn typed(world: &mut World, wire: WireId, octets: &[u8]) {
        let octets = octets.to_vec();
        let action = crate::world::Action::Type { wire: wire.0, server: true, octets };
        world.act(&action).expect("somebody types there");
        world.run_to(world.now().after(1_000));
    }

    #[test]
    fn who_says_nothing_more_still_hears_what_is_typed() {
        let (mut world, wire) = by_hand();
        world.witness_octets(wire, End::Client, b"HELO there\r\n");
        world.witness_end(wire, End::Client);
        world.run_to(world.now().after(1_000));
        assert_eq!(world.wires()[0].phase, Phase::Open, "nothing is answered yet");
        typed(&mut world, wire, b"220 me\r\n");
        assert_eq!(world.wires()[0].phase, Phase::Open);
        typed(&mut world, wire, b"250 hello\r\n");
        assert_eq!(world.wires()[0].phase, Phase::Closed, "all is answered");
        let said = world.octets(wire, Dir::ToClient, 0..u64::MAX);
        assert_eq!(said, b"220 me\r\n250 hello\r\n");
    }

    #[test]
    fn whoever_answers_in_their_own_way_says_when_it_is_over() {
        let (mut world, wire) = by_hand();
        world.witness_octets(wire, End::Client, b"QUIT\r\n");
        world.witness_end(wire, End::Client);
        typed(&mut world, wire, b"554 not today\r\n");
        typed(&mut world, wire, b"554 nor tomorrow\r\n");
        assert_eq!(world.wires()[0].phase, Phase::Open);
        let hang_up = crate::world::Action::HangUp { wire: wire.0, server: true };
        world.act(&hang_up).expect("it is open");
        assert_eq!(world.wires()[0].phase, Phase::Closed);
    }

    #[test]
    fn who_is_gone_is_waited_for_no_longer() {
        let (mut world, wire) = by_hand();
        world.witness_octets(wire, End::Client, b"HELO there\r\n");
        world.witness_end(wire, End::Client);
        world.run_to(world.now().after(1_000));
        assert_eq!(world.wires()[0].phase, Phase::Open);
        world.witness_cut(wire, End::Client);
        world.run_to(world.now().after(1_000));
        assert_eq!(world.wires()[0].phase, Phase::Closed);
        world.witness_cut(wire, End::Client);
    }

    #[test]
    fn the_engine_reads_along_with_who_answers_by_hand_until_they_answer_otherwise() {
        let (mut world, wire) = by_hand();
        let say = |world: &mut World, server: bool, octets: &[u8]| {
            let octets = octets.to_vec();
            match server {
                true => world
                    .act(&crate::world::Action::Type { wire: wire.0, server, octets })
                    .expect("somebody types there"),
                false => world.witness_octets(wire, End::Client, &octets),
            }
            world.run_to(world.now().after(1_000));
        };
        let labels = |world: &World| world.all_notes(wire, End::Server).len();
        let would = |world: &World| {
            world.would_say(wire).map(|octets| String::from_utf8_lossy(&octets).into_owned())
        };
        assert!(would(&world).is_some_and(|would| would.starts_with("220 server ")));
        assert!(world.octets(wire, Dir::ToClient, 0..u64::MAX).is_empty(), "it says nothing");
        say(&mut world, true, b"220 me\r\n");
        assert_eq!(would(&world), None);
        say(&mut world, false, b"HELO there\r\n");
        assert!(labels(&world) > 0, "what the client says is noted");
        assert!(would(&world).is_some_and(|would| would.starts_with("250 ")));
        say(&mut world, true, b"250 hello\r\n");
        for (said, answer) in [
            ("MAIL FROM:<ann@test.example>\r\n", "250 fine\r\n"),
            ("RCPT TO:<bob@test.example>\r\n", "250 fine\r\n"),
            ("DATA\r\n", "354 go on\r\n"),
            ("Subject: A visit\r\n\r\nIs anybody in?\r\n.\r\n", "250 taken\r\n"),
        ] {
            say(&mut world, false, said.as_bytes());
            let wanted = Some(answer.as_bytes()[0]);
            assert_eq!(would(&world).and_then(|would| would.bytes().next()), wanted, "{said}");
            say(&mut world, true, answer.as_bytes());
        }
        say(&mut world, false, b"MAIL FROM:<ann@test.example>\r\n");
        let before = labels(&world);
        say(&mut world, true, b"451 not now\r\n");
        assert_eq!(would(&world), None, "it would have said yes");
        say(&mut world, false, b"RSET\r\n");
        assert_eq!(labels(&world), before, "from here on it cannot follow");
        let said = world.octets(wire, Dir::ToClient, 0..u64::MAX);
        assert_eq!(said, b"220 me\r\n250 hello\r\n250 fine\r\n250 fine\r\n354 go on\r\n250 taken\r\n451 not now\r\n");
    }
}
