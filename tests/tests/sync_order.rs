//! No acceptance is sent before the message is on the disk, as seen from outside: by the system calls that the server
//! makes while mail comes over SMTP, BDAT, LMTP and IMAP, for mailboxes and for the queue.

use std::io;
use std::net::SocketAddr;

use pillarbox_tests::server::{Scratch, binary};
use pillarbox_tests::site::{PASSWORD, Site, free_port};
use pillarbox_tests::systrace::{Did, Event, marks, read, synced_before_accepted, tracer};
use pillarbox_tests::wire::Wire;

/// Messages over each connection.
const MESSAGES: u64 = 12;
const USERS: [&str; 2] = ["ann@ours.example", "bob@ours.example"];

/// Twice the mark at the end: at most one of the two lies across the border between two pages of the database.
fn message(number: u64) -> String {
    let [head, tail] = marks(number);
    // From some hundred octets to 200 KiB, so that some are staged before they are committed.
    let lines = "a line of some length that says nothing at all\r\n";
    let lines = lines.repeat(if number % 6 == 5 { 4200 } else { (number % 7 * 40) as usize });
    let between = "far enough apart for one page\r\n".repeat(6);
    format!("X-Mark: {head} \r\nX-Again: {head} \r\n\r\n{lines}{tail} \r\n{between}{tail} \r\n")
}

/// How a message comes.
#[derive(Clone, Copy)]
enum How {
    Data,
    Bdat,
    Relayed,
    Lmtp,
    Append,
}

/// Sends messages one by one over one connection, each acceptance awaited.
fn send(address: SocketAddr, how: How, first: u64) -> io::Result<()> {
    let mut wire = Wire::connect(address)?;
    if let How::Append = how {
        return append(wire, first);
    }
    wire.smtp("")?;
    wire.smtp(if let How::Lmtp = how { "LHLO client.example" } else { "EHLO client.example" })?;
    let to: &[&str] = match how {
        How::Relayed => &["carol@elsewhere.example"],
        How::Lmtp => &USERS,
        _ => &USERS[..1],
    };
    for number in first..first + MESSAGES {
        let mut say = |octets: &[u8], code: &[u8]| -> io::Result<()> {
            wire.send(octets)?;
            let reply = wire.smtp("")?;
            assert!(reply.starts_with(code), "{}", reply.escape_ascii());
            Ok(())
        };
        say(b"MAIL FROM:<ann@ours.example>\r\n", b"250")?;
        for to in to {
            say(format!("RCPT TO:<{to}>\r\n").as_bytes(), b"250")?;
        }
        let message = message(number);
        if let How::Bdat = how {
            let (one, two) = message.split_at(message.len() / 2);
            say(format!("BDAT {}\r\n{one}", one.len()).as_bytes(), b"250")?;
            say(format!("BDAT {} LAST\r\n{two}", two.len()).as_bytes(), ACCEPTED)?;
            continue;
        }
        say(b"DATA\r\n", b"354")?;
        say(format!("{message}.\r\n").as_bytes(), ACCEPTED)?;
        if let How::Lmtp = how {
            say(b"", ACCEPTED)?;
        }
    }
    Ok(())
}

const ACCEPTED: &[u8] = b"250 2.0.0 Message accepted";
const APPENDED: &[u8] = b"b OK [APPENDUID";

fn append(mut wire: Wire, first: u64) -> io::Result<()> {
    wire.line()?;
    wire.imap(&format!("a LOGIN {} {PASSWORD}", USERS[1]))?;
    for number in first..first + MESSAGES {
        let message = message(number);
        wire.send(format!("b APPEND INBOX {{{}}}\r\n", message.len()).as_bytes())?;
        assert!(wire.line()?.starts_with(b"+"), "it is let go on");
        wire.send(format!("{message}\r\n").as_bytes())?;
        let response = wire.line()?;
        assert!(response.starts_with(APPENDED), "{}", response.escape_ascii());
    }
    Ok(())
}

fn accepts(octets: &[u8]) -> bool {
    octets.starts_with(ACCEPTED) || octets.starts_with(APPENDED)
}

/// Runs the server under strace while all the ways are used at once; gives the trace and how many messages came.
fn traced(scratch: &Scratch) -> (Vec<Event>, usize) {
    let loopback = "127.0.0.1".parse().expect("an address");
    let nobody = free_port(&[loopback]);
    let config = format!(
        "host_name = 'mx.ours.example'\ndomains = ['ours.example']\n\
         [listen]\nlmtp = '127.0.0.1:0'\n[relay]\nnetworks = ['127.0.0.1']\n\
         [[relay.routes]]\ndomain = '*'\nnext_hop = '[127.0.0.1]:{nobody}'\ntls = 'none'\n"
    );
    let smtp = SocketAddr::new(loopback, 0);
    let mut site = Site::new(scratch.path().join("site"), smtp, &config, &USERS);
    let prefix = scratch.path().join("trace").join("of");
    std::fs::create_dir(scratch.path().join("trace")).expect("the directory is writable");
    site.start_by(tracer(&prefix, &binary()), &[]);
    let (smtp, lmtp, imap) = (site.server().smtp, site.server().at("lmtp"), site.server().imap);
    let ways = [
        (How::Data, smtp),
        (How::Data, smtp),
        (How::Bdat, smtp),
        (How::Relayed, smtp),
        (How::Relayed, smtp),
        (How::Lmtp, lmtp),
        (How::Append, imap),
        (How::Append, imap),
    ];
    let peers: Vec<_> = (0..)
        .zip(ways)
        .map(|(lane, (how, address))| {
            std::thread::spawn(move || send(address, how, lane * MESSAGES))
        })
        .collect();
    for peer in peers {
        peer.join().expect("every reply is right").expect("no connection is cut");
    }
    site.stop();
    (read(&prefix), ways.len() * MESSAGES as usize)
}

/// Issue 3, "it must show" 5; and the same judgement of traces that were tampered with, which must be found out.
#[test]
fn every_acceptance_follows_the_sync_of_its_message() {
    let scratch = Scratch::new("sync-order");
    let (events, messages) = traced(&scratch);
    let replies = synced_before_accepted(&events, accepts).expect("no acceptance comes early");
    assert!(
        (messages..=messages + MESSAGES as usize).contains(&replies),
        "{replies} of {messages}"
    );
    let is_wal = |event: &Event| event.file.ends_with("-wal");
    let syncs = events.iter().filter(|event| event.did == Did::Synced && is_wal(event)).count();
    println!("{replies} acceptances after {syncs} syncs, all of them in order");

    let tampered = |what: &str, change: &dyn Fn(&mut Event) -> bool| {
        let mut events = events.clone();
        events.retain_mut(change);
        events.sort_by_key(|event| (event.from_us, event.to_us));
        assert!(synced_before_accepted(&events, accepts).is_err(), "not found out: {what}");
    };
    tampered("no sync at all", &|event| event.did != Did::Synced);
    // Each sync alone, for which some message waited; the queue's own work has syncs, too.
    let found = (0..syncs).step_by((syncs / 30).max(1)).filter(|left_out| {
        let mut events = events.clone();
        let mut number = 0;
        events.retain(|event| {
            let is_sync = event.did == Did::Synced && is_wal(event);
            number += usize::from(is_sync);
            !is_sync || number - 1 != *left_out
        });
        synced_before_accepted(&events, accepts).is_err()
    });
    assert!(found.count() > 10, "syncs that were left out one by one are not missed");
    tampered("syncs of another file", &|event| {
        if event.did == Did::Synced {
            event.file = "/elsewhere".to_owned();
        }
        true
    });
    tampered("replies before the sync has ended", &|event| {
        if event.did == Did::Synced {
            event.to_us += 1_000_000;
        }
        true
    });
    tampered("syncs that began before the message was there", &|event| {
        if event.did == Did::Synced {
            event.from_us -= 1_000_000;
            event.to_us -= 1_000_000;
        }
        true
    });
    tampered("messages that are written after the sync", &|event| {
        if event.did == Did::Wrote && is_wal(event) {
            event.to_us += 1_000_000;
        }
        true
    });
}
