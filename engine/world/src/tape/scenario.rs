//! Scenarios: what a world begins with, what is done to it, and what a reader should notice.

use crate::world::{
    AccountSetup, Action, Check, Kind, Letter, NodeSetup, Record, Setup, Time, Way,
};

/// A scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scenario {
    /// Its name in links.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What a reader will have understood, in one sentence.
    pub goal: String,
    /// What to look at.
    pub notice: Vec<String>,
    /// Questions before the answer shows.
    pub predictions: Vec<Prediction>,
    /// What the world begins with.
    pub setup: Setup,
    /// What is done, by time.
    pub script: Vec<(Time, Action)>,
}

/// A question before the answer shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prediction {
    /// When play pauses for it.
    pub at: Time,
    /// The question.
    pub question: String,
    /// Answers to choose from.
    pub choices: Vec<String>,
    /// The right one.
    pub right: usize,
    /// Why.
    pub because: String,
}

impl Scenario {
    /// All scenarios, in their order.
    #[must_use]
    pub fn all() -> Vec<Self> {
        vec![alice_to_bob()]
    }

    /// The scenario of this name.
    #[must_use]
    pub fn find(id: &str) -> Option<Self> {
        Self::all().into_iter().find(|scenario| scenario.id == id)
    }
}

fn alice_to_bob() -> Scenario {
    let server = |name: &str, user: &str, password: &str| NodeSetup {
        users: vec![(user.to_owned(), password.to_owned())],
        ..NodeSetup::new(name, Kind::Server)
    };
    let device =
        |name: &str, person: &str, address: &str, password: &str, server: &str| NodeSetup {
            title: person.to_owned(),
            account: Some(AccountSetup {
                person: person.to_owned(),
                address: address.to_owned(),
                password: password.to_owned(),
                submit: Some((server.to_owned(), 587)),
                server: server.to_owned(),
                tls: false,
            }),
            ..NodeSetup::new(name, Kind::Device)
        };
    let nodes = vec![
        device("alice-laptop", "Alice", "alice@crepes.fr", "sesame", "crepes.fr"),
        server("crepes.fr", "alice@crepes.fr", "sesame"),
        NodeSetup::new("dns", Kind::Dns),
        server("hamburger.edu", "bob@hamburger.edu", "hungry"),
        device("bob-laptop", "Bob", "bob@hamburger.edu", "hungry", "hamburger.edu"),
    ];
    let exchange = |domain: &str| Record {
        name: domain.to_owned(),
        exchanges: vec![(10, domain.to_owned())],
        addresses: Vec::new(),
    };
    let letter = Letter {
        device: "alice-laptop".to_owned(),
        to: "bob@hamburger.edu".to_owned(),
        subject: "Lunch".to_owned(),
        text: "Do you like ketchup?\nHow about pickles?\n".to_owned(),
        ..Letter::default()
    };
    Scenario {
        id: "alice-to-bob".to_owned(),
        title: "Alice sends to Bob".to_owned(),
        setup: Setup {
            nodes,
            records: vec![exchange("crepes.fr"), exchange("hamburger.edu")],
            ..Setup::default()
        },
        script: vec![
            (Time(0), Action::Send(letter)),
            (
                Time(60_000),
                Action::Check(Check { device: "bob-laptop".to_owned(), way: Way::PopKeep }),
            ),
        ],
        ..Scenario::default()
    }
}
