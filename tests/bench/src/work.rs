//! What is measured: each work with its name, its unit, its load, and who can do it.
//! The order of measuring and the comparison are left to `compare`.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;
use tokio::task::JoinSet;

use crate::imap_work::{Account, Append, LoginSelect, Push, Query, Question};
use crate::load::{Sample, Session, Window, rate, repeat};
use crate::pop3::Reader;
use crate::relay::ENQUEUE_LANES;
use crate::server::{Addresses, Server};
use crate::smtp::{Connect, Delivery};

pub(crate) const KIB: usize = 1024;
/// Size of what is appended, of what POP3 retrieves, and of the messages in a login's INBOX.
pub(crate) const MESSAGE_OCTETS: usize = 10 * KIB;
/// Distinct recipients of deliveries.
pub(crate) const RECIPIENTS: u64 = 100;
/// Messages in each maildrop that POP3 retrieves.
pub(crate) const MAILDROP_MESSAGES: u64 = 200;
/// Messages in the INBOX of those who log in and select.
pub(crate) const INBOX_MESSAGES: u64 = 10;
/// The mailbox that is queried, and its messages' size: like text mail.
pub(crate) const SMALL: (&str, usize) = ("Small", 2 * KIB);
/// The mailbox whose bodies are fetched.
pub(crate) const LARGE: (&str, usize) = ("Large", 20 * KIB);
/// A command on a large mailbox is asked at least so often in a sample.
const QUERIES_MIN: usize = 3;

/// The topics of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Topic {
    /// Durable deliveries over SMTP (LMTP where there is no SMTP).
    Delivery,
    /// Connect, greeting, QUIT: what a connection and its instance cost.
    Connect,
    /// Mail for elsewhere: taken into the queue, and sent on to a next hop.
    Relay,
    /// IMAP LOGIN and SELECT.
    Login,
    /// IMAP APPEND of 10 KiB.
    Append,
    /// IMAP FETCH of flags, envelopes and bodies.
    Fetch,
    /// IMAP SEARCH of headers and bodies.
    Search,
    /// IMAP SORT and THREAD.
    Order,
    /// IMAP: from an APPEND to what an idling connection is told.
    Push,
    /// POP3 login, LIST and RETR of 200 messages of 10 KiB.
    Pop3,
    /// Memory per idle IMAP connection.
    Idle,
}

/// One line of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Delivery {
        size: usize,
        connections: u64,
    },
    Connect {
        connections: u64,
    },
    /// Messages are taken into the queue while the next hop keeps everybody waiting.
    Enqueue {
        size: usize,
    },
    /// The queue empties into the next hop.
    Drain {
        size: usize,
    },
    Login {
        connections: u64,
    },
    Append {
        connections: u64,
    },
    Query(Question),
    Push,
    Bodies {
        connections: u64,
    },
    Pop3 {
        connections: u64,
    },
    Idle {
        connections: u64,
    },
}

/// How a number is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) name: &'static str,
    pub(crate) more_is_better: bool,
}

impl Work {
    pub(crate) fn topic(self) -> Topic {
        match self {
            Self::Delivery { .. } => Topic::Delivery,
            Self::Connect { .. } => Topic::Connect,
            Self::Enqueue { .. } | Self::Drain { .. } => Topic::Relay,
            Self::Login { .. } => Topic::Login,
            Self::Append { .. } => Topic::Append,
            Self::Query(Question::Flags | Question::Envelope | Question::Bodies)
            | Self::Bodies { .. } => Topic::Fetch,
            Self::Query(Question::SortDate | Question::SortSubject | Question::Thread) => {
                Topic::Order
            }
            Self::Query(_) => Topic::Search,
            Self::Push => Topic::Push,
            Self::Pop3 { .. } => Topic::Pop3,
            Self::Idle { .. } => Topic::Idle,
        }
    }

    pub(crate) fn title(self) -> String {
        let over = |count: u64| match count {
            1 => "1 connection".to_owned(),
            more => format!("{more} connections"),
        };
        match self {
            Self::Delivery { size, connections } => {
                format!("delivery of {} KiB, {}", size / KIB, over(connections))
            }
            Self::Connect { connections } => {
                format!("SMTP connect, greeting, QUIT, {}", over(connections))
            }
            Self::Enqueue { size } => {
                format!("relay: {} KiB into the queue, {ENQUEUE_LANES} connections", size / KIB)
            }
            Self::Drain { size } => format!("relay: {} KiB from the queue to a sink", size / KIB),
            Self::Login { connections } => format!("IMAP login + SELECT, {}", over(connections)),
            Self::Append { connections } => format!("APPEND of 10 KiB, {}", over(connections)),
            Self::Query(question) => match question {
                Question::Flags => "FETCH 1:* (FLAGS)".to_owned(),
                Question::Envelope => "FETCH 1:* (ENVELOPE)".to_owned(),
                Question::Bodies => "FETCH 1:* (BODY.PEEK[])".to_owned(),
                Question::SearchFrom => "SEARCH FROM".to_owned(),
                Question::SearchSubject => "SEARCH SUBJECT".to_owned(),
                Question::SearchBody => "SEARCH BODY".to_owned(),
                Question::SortDate => "SORT (DATE)".to_owned(),
                Question::SortSubject => "SORT (SUBJECT)".to_owned(),
                Question::Thread => "THREAD REFERENCES".to_owned(),
            },
            Self::Push => "APPEND of 2 KiB until an idling connection is told".to_owned(),
            Self::Bodies { connections } => {
                format!("FETCH bodies of 20 KiB, {}", over(connections))
            }
            Self::Pop3 { connections } => format!("POP3 RETR of 10 KiB, {}", over(connections)),
            Self::Idle { connections } => format!("memory per idle IMAP connection, {connections}"),
        }
    }

    pub(crate) fn unit(self) -> Unit {
        let (name, more_is_better) = match self {
            Self::Delivery { .. }
            | Self::Enqueue { .. }
            | Self::Drain { .. }
            | Self::Append { .. }
            | Self::Pop3 { .. } => ("messages/s", true),
            Self::Connect { .. } => ("connections/s", true),
            Self::Login { .. } => ("logins/s", true),
            Self::Bodies { .. } => ("MB/s", true),
            Self::Query(_) | Self::Push => ("ms", false),
            Self::Idle { .. } => ("KiB", false),
        };
        Unit { name, more_is_better }
    }

    /// The number of [`Work::unit`] that `sample` gives.
    pub(crate) fn value(self, sample: &Sample) -> f64 {
        match self {
            Self::Bodies { .. } => sample.octets as f64 / sample.seconds / 1e6,
            Self::Query(_) | Self::Push => sample.operation_ms.unwrap_or(f64::NAN),
            Self::Idle { .. } => sample.kib_each.unwrap_or(f64::NAN),
            _ => sample.operations as f64 / sample.seconds,
        }
    }

    /// Whether a server with these addresses can do it.
    pub(crate) fn possible(self, addresses: &Addresses) -> bool {
        match self {
            Self::Delivery { .. } => addresses.delivery().is_some(),
            Self::Connect { .. } | Self::Enqueue { .. } | Self::Drain { .. } => {
                addresses.smtp.is_some()
            }
            Self::Pop3 { .. } => addresses.pop3.is_some(),
            _ => addresses.imap.is_some(),
        }
    }

    /// Loads the server once. Its mailboxes must be filled.
    pub(crate) async fn sample(self, server: &Server, window: Window) -> Result<Sample> {
        let pid = Some(server.process.pid());
        let addresses = server.addresses;
        let imap = || addresses.imap.context("no IMAP");
        match self {
            Self::Delivery { size, connections } => {
                let (address, dialect) = addresses.delivery().context("no SMTP")?;
                let open = |lane| Delivery::open(address, dialect, size, lane, RECIPIENTS);
                rate(opened(connections, open).await?, window, pid).await
            }
            Self::Connect { connections } => {
                let address = addresses.smtp.context("no SMTP")?;
                let workers = (0..connections).map(|_| Connect::new(address)).collect();
                rate(workers, window, pid).await
            }
            Self::Login { connections } => {
                let address = imap()?;
                let worker = |lane| LoginSelect(account_of(address, "login", lane));
                rate((0..connections).map(worker).collect(), window, pid).await
            }
            Self::Append { connections } => {
                let address = imap()?;
                let open = |lane| async move {
                    Append::open(&account_of(address, "append", lane), MESSAGE_OCTETS, lane).await
                };
                rate(opened(connections, open).await?, window, pid).await
            }
            Self::Query(question) => {
                let mut query = Query::open(&account(imap()?, "query"), SMALL.0, question).await?;
                let sample = repeat(&mut query, window, QUERIES_MIN, pid).await?;
                query.close().await?;
                Ok(sample)
            }
            Self::Push => {
                let mut push = Push::open(&account(imap()?, "push")).await?;
                let sample = repeat(&mut push, window, QUERIES_MIN, pid).await?;
                push.close().await?;
                Ok(sample)
            }
            Self::Bodies { connections } => {
                let account = account(imap()?, "query");
                let open = |_| {
                    let account = account.clone();
                    async move { Query::open(&account, LARGE.0, Question::Bodies).await }
                };
                rate(opened(connections, open).await?, window, pid).await
            }
            Self::Pop3 { connections } => {
                let address = addresses.pop3.context("no POP3")?;
                let worker = |lane| {
                    let Account { user, password, .. } = account_of(address, "maildrop", lane);
                    Reader::new(address, user, password)
                };
                rate((0..connections).map(worker).collect(), window, pid).await
            }
            Self::Enqueue { .. } | Self::Drain { .. } | Self::Idle { .. } => {
                Err(anyhow!("{} is measured on servers of its own", self.title()))
            }
        }
    }
}

/// The user `name` of the server at `address`. All servers take any password.
pub(crate) fn account(address: std::net::SocketAddr, name: &str) -> Account {
    let (user, password) = (format!("{name}@bench.example"), "secret".to_owned());
    Account { address, user, password }
}

/// The user that connection `lane` uses for `purpose`.
pub(crate) fn account_of(address: std::net::SocketAddr, purpose: &str, lane: u64) -> Account {
    account(address, &format!("{purpose}{lane}"))
}

/// Opens `count` sessions side by side, before any clock runs.
pub(crate) async fn opened<S, F>(count: u64, open: impl Fn(u64) -> F) -> Result<Vec<S>>
where
    S: Send + 'static,
    F: Future<Output = Result<S>> + Send + 'static,
{
    let mut opening = JoinSet::new();
    for lane in 0..count {
        opening.spawn(open(lane));
    }
    let mut sessions = Vec::new();
    while let Some(session) = opening.join_next().await {
        sessions.push(session.context("opening a session panicked")??);
    }
    Ok(sessions)
}

/// The list of what is measured: the short one shows each topic, the full one every size.
pub(crate) fn list(full: bool, idle_connections: u64) -> Vec<Work> {
    let mut list = Vec::new();
    let sizes: &[(usize, &[u64])] = if full {
        &[(1, &[1, 10, 50]), (10, &[1, 10, 50]), (100, &[1, 10, 50])]
    } else {
        &[(1, &[10]), (10, &[1, 50]), (100, &[10])]
    };
    for &(kib, connections) in sizes {
        for &connections in connections {
            list.push(Work::Delivery { size: kib * KIB, connections });
        }
    }
    list.push(Work::Connect { connections: 10 });
    for &kib in if full { &[1, 10, 100][..] } else { &[10] } {
        list.extend([Work::Enqueue { size: kib * KIB }, Work::Drain { size: kib * KIB }]);
    }
    let pick = |all: &'static [u64], few: &'static [u64]| if full { all } else { few };
    let connections = |all, few| pick(all, few).iter().copied();
    list.extend(connections(&[1, 10, 50], &[10]).map(|connections| Work::Login { connections }));
    list.extend(connections(&[1, 10], &[10]).map(|connections| Work::Append { connections }));
    list.extend([Question::Flags, Question::Envelope].map(Work::Query));
    list.extend(connections(&[1, 4], &[1]).map(|connections| Work::Bodies { connections }));
    if full {
        list.push(Work::Query(Question::SearchFrom));
    }
    list.extend([Question::SearchSubject, Question::SearchBody].map(Work::Query));
    list.extend([Question::SortDate, Question::SortSubject, Question::Thread].map(Work::Query));
    list.push(Work::Push);
    list.extend(connections(&[1, 10], &[10]).map(|connections| Work::Pop3 { connections }));
    list.push(Work::Idle { connections: idle_connections });
    list
}

/// Windows for the two lengths of a run.
pub(crate) fn window(measured: Duration) -> Window {
    Window { warm_up: measured.min(Duration::from_secs(1)) / 3, measured }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_full_list_has_what_the_short_one_has() {
        let full = list(true, 1000);
        for work in list(false, 1000) {
            assert!(full.contains(&work), "{work:?}");
        }
        for size in [1, 10, 100] {
            for connections in [1, 10, 50] {
                assert!(full.contains(&Work::Delivery { size: size * KIB, connections }));
            }
        }
        let topics: Vec<Topic> = list(false, 1000).into_iter().map(Work::topic).collect();
        assert!(Topic::value_variants().iter().all(|topic| topics.contains(topic)));
    }

    #[test]
    fn values_follow_the_unit() {
        let sample = Sample {
            operations: 500,
            octets: 4_000_000,
            seconds: 2.0,
            operation_ms: Some(7.0),
            kib_each: Some(40.0),
            ..Sample::default()
        };
        assert_eq!(Work::Pop3 { connections: 1 }.value(&sample), 250.0);
        assert_eq!(Work::Bodies { connections: 1 }.value(&sample), 2.0);
        assert_eq!(Work::Query(Question::Flags).value(&sample), 7.0);
        assert_eq!(Work::Idle { connections: 1 }.value(&sample), 40.0);
    }

    #[test]
    fn who_can_do_what() {
        let address = Some(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
        let lmtp = Addresses { lmtp: address, ..Addresses::default() };
        assert!(Work::Delivery { size: 1, connections: 1 }.possible(&lmtp));
        assert!(!Work::Connect { connections: 1 }.possible(&lmtp));
        assert!(!Work::Idle { connections: 1 }.possible(&lmtp));
    }
}
