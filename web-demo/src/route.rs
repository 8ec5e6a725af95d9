//! Where in the page somebody is: the fragment of its address, read and written.
//! Fragments are not sent to servers, so a link says nothing to anybody but its reader.

use std::fmt;

use pillarbox_world::tape::{Challenge, Tape};

/// A screen, with what it shows.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Route {
    /// Doors and scenarios.
    #[default]
    Home,
    /// A scenario, by its name; with `/` and a number, after so many entries.
    Scenario(String),
    /// A world that somebody shared.
    Shared(String),
    /// The same from a file, too long for an address.
    File(String),
    /// Speaking a protocol by hand.
    HandsOn,
    /// A message's structure and octets; of a world, by its scenario's name or its link, those that arrived there.
    Message(Option<String>),
    /// The octets of a scenario's connections.
    Wire(Option<String>),
    /// HTTP and SMTP side by side, and what is looked at there.
    Compare(Option<String>),
    /// One mailbox, reached in different ways.
    Access,
    /// Real conversations of the server that served the page.
    Live,
    /// What the server that served the page caught: a page of its own.
    Inbox,
    /// Its web mail: a page of its own too.
    Mail,
    /// Challenges, or one of them.
    Challenges(Option<String>),
    /// Nothing that the page has, as it stands in the address.
    Unknown(String),
}

impl Route {
    /// Reads a fragment, with or without `#`. An empty one is home, and so is what another page leaves there (`#t=…`).
    ///
    /// Some places have a second name: `lab` is the access lab; `embed/` with the name of a scenario or a challenge, with
    /// `speak` or with a link is that place in a frame of somebody's page.
    #[must_use]
    pub fn parse(fragment: &str) -> Self {
        let path = fragment.trim_start_matches('#').trim_matches('/');
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        let plain = |text: &str| {
            let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            !text.is_empty() && text.chars().all(fine)
        };
        match (first, rest) {
            ("", _) => Self::Home,
            (token, "") if token.starts_with("t=") => Self::Home,
            ("s", place) if is_place(place, plain) => Self::Scenario(place.to_owned()),
            // Whatever it is: who opens a broken link is told what is wrong with it.
            ("w", world) => Self::Shared(world.to_owned()),
            ("embed", world) if world.starts_with(Tape::FORMATS) => Self::Shared(world.to_owned()),
            ("embed", "speak") => Self::HandsOn,
            ("embed", name) if Challenge::headings().any(|one| one.id == name) => {
                Self::Challenges(Some(name.to_owned()))
            }
            ("embed", place) if is_place(place, plain) => Self::Scenario(place.to_owned()),
            ("c", "") => Self::Challenges(None),
            ("c", name) if plain(name) => Self::Challenges(Some(name.to_owned())),
            ("speak", "") => Self::HandsOn,
            ("message", "") => Self::Message(None),
            ("message", world) => Self::Message(Some(world.to_owned())),
            ("live", "") => Self::Live,
            ("inbox", "") => Self::Inbox,
            ("mail", "") => Self::Mail,
            ("access" | "lab", "") => Self::Access,
            ("wire", "") => Self::Wire(None),
            ("wire", name) if plain(name) => Self::Wire(Some(name.to_owned())),
            ("compare", "") => Self::Compare(None),
            ("compare", pin) => Self::Compare(Some(pin.to_owned())),
            _ => Self::Unknown(path.to_owned()),
        }
    }
}

impl Route {
    /// Whether a fragment is a place in a frame of somebody's page: it shows what is said there, where to type, and time.
    #[must_use]
    pub fn is_framed(fragment: &str) -> bool {
        fragment.starts_with("#/embed/")
    }
}

/// Whether a text is a scenario's name, with an entry's number or without.
fn is_place(place: &str, plain: impl Fn(&str) -> bool) -> bool {
    let (name, entry) = place.split_once('/').unwrap_or((place, "0"));
    plain(name) && entry.parse::<usize>().is_ok()
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Home => f.write_str("#/"),
            Self::Scenario(name) => write!(f, "#/s/{name}"),
            Self::Shared(world) => write!(f, "#/w/{world}"),
            Self::File(_) => f.write_str("#/"),
            Self::HandsOn => f.write_str("#/speak"),
            Self::Message(None) => f.write_str("#/message"),
            Self::Message(Some(world)) => write!(f, "#/message/{world}"),
            Self::Live => f.write_str("#/live"),
            Self::Inbox => f.write_str("#/inbox"),
            Self::Mail => f.write_str("#/mail"),
            Self::Unknown(path) => write!(f, "#/{path}"),
            Self::Access => f.write_str("#/access"),
            Self::Wire(None) => f.write_str("#/wire"),
            Self::Wire(Some(name)) => write!(f, "#/wire/{name}"),
            Self::Compare(None) => f.write_str("#/compare"),
            Self::Compare(Some(pin)) => write!(f, "#/compare/{pin}"),
            Self::Challenges(None) => f.write_str("#/c"),
            Self::Challenges(Some(name)) => write!(f, "#/c/{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_read_as_they_are_written() {
        let name = || "two-copies".to_owned();
        let all = [
            Route::Home,
            Route::Scenario(name()),
            Route::Scenario("asleep/12".to_owned()),
            Route::Shared("1AbC-_9".to_owned()),
            Route::HandsOn,
            Route::Message(None),
            Route::Message(Some("1AbC-_9".to_owned())),
            Route::Live,
            Route::Inbox,
            Route::Mail,
            Route::Unknown("no/such place".to_owned()),
            Route::Access,
            Route::Compare(None),
            Route::Compare(Some("w2c54-83".to_owned())),
            Route::Wire(None),
            Route::Wire(Some(name())),
            Route::Challenges(None),
            Route::Challenges(Some(name())),
        ];
        for route in all {
            assert_eq!(Route::parse(&route.to_string()), route);
        }
    }

    #[test]
    fn what_is_unknown_is_told() {
        for fragment in
            ["#/x", "#/s/", "#/s/<b>", "#/s/a/b", "#/s//1", "#/live/1", "#/labs", "#/embed/", "é"]
        {
            let path = fragment.trim_start_matches('#').trim_matches('/').to_owned();
            assert_eq!(Route::parse(fragment), Route::Unknown(path), "{fragment}");
        }
        for fragment in ["", "#", "#/", "//", "#t=0123", "/t=ab"] {
            assert_eq!(Route::parse(fragment), Route::Home, "{fragment}");
        }
        assert_eq!(Route::parse("#/w/a%20b"), Route::Shared("a%20b".to_owned()));
    }

    #[test]
    fn some_places_have_a_second_name() {
        let all = [
            ("#/lab", "#/access"),
            ("#/embed/asleep", "#/s/asleep"),
            ("#/embed/asleep/3", "#/s/asleep/3"),
            ("#/embed/speak", "#/speak"),
            ("#/embed/say-helo", "#/c/say-helo"),
            ("#/embed/1AbC-_9", "#/w/1AbC-_9"),
        ];
        for (fragment, place) in all {
            assert_eq!(Route::parse(fragment).to_string(), place, "{fragment}");
        }
    }
}
