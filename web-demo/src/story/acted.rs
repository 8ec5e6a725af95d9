//! What somebody did, as a sentence: the log says it in the words of a command.

/// The sentence, with the names that the map shows and who talks on a connection; what it cannot read stays as it is.
pub(super) fn sentence(
    what: &str,
    title: &dyn Fn(&str) -> Option<String>,
    between: &dyn Fn(u32) -> Option<String>,
) -> String {
    let wire = |number: &str| between(number.parse().ok()?);
    let told = if let Some(rest) = what.strip_prefix("type ") {
        rest.split_once(" octets on ")
            .and_then(|(count, on)| Some(format!("{} typed between {}", octets(count), wire(on)?)))
    } else if let Some(on) = what.strip_prefix("hang up ") {
        wire(on).map(|who| format!("The connection of {who} is to end"))
    } else if let Some(on) = what.strip_prefix("cut ") {
        wire(on).map(|who| format!("Somebody cuts the line between {who}"))
    } else if let Some(ends) = what.strip_prefix("link ") {
        ends.split_once(" to ").map(|(a, b)| {
            let name = |name: &str| title(name).unwrap_or_else(|| name.to_owned());
            format!("The line between {} and {} is changed", name(a), name(b))
        })
    } else if let Some(name) = what.strip_prefix("DNS: ") {
        Some(format!("What DNS says of {name} is changed"))
    } else {
        what.split_once(": ").and_then(|(name, rest)| Some(of_node(&title(name)?, rest)))
    };
    told.unwrap_or_else(|| what.to_owned())
}

fn octets(count: &str) -> String {
    if count == "1" { "1 octet is".to_owned() } else { format!("{count} octets are") }
}

/// What a host or a device is told to do.
fn of_node(who: &str, what: &str) -> String {
    match what {
        "check mail" => return format!("{who} is to check mail"),
        "on" | "off" => return format!("{who} is switched {what}"),
        "TLS on" => return format!("{who} is to use TLS"),
        "TLS off" => return format!("{who} is to go on without TLS"),
        "try the queue now" => return format!("{who} is to try its queue now"),
        _ => {}
    }
    let rest = |prefix: &str| what.strip_prefix(prefix);
    if let Some(to) = rest("send to ") {
        format!("{who} is to send a letter to {to}")
    } else if let Some(to) = rest("connect to ") {
        format!("{who} is to connect to {}", place(to))
    } else if let Some(to) = rest("say to ").and_then(|to| to.strip_suffix(" what was recorded")) {
        format!("{who} is to say to {} what was recorded", place(to))
    } else if let Some(account) = rest("account ") {
        format!("{who} has an account {account}")
    } else if let Some(port) = rest("answer port ").and_then(|port| port.strip_suffix(" by hand")) {
        format!("Somebody answers by hand at {who}, port {port}")
    } else {
        format!("{who}: {what}")
    }
}

/// A host and its port, in words.
fn place(text: &str) -> String {
    text.rsplit_once(':')
        .map_or_else(|| text.to_owned(), |(host, port)| format!("{host}, port {port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_a_sentence() {
        let title = |name: &str| (name == "bob-laptop").then(|| "Bob's laptop".to_owned());
        let between = |wire| (wire == 0).then(|| "Bob's laptop and b.example".to_owned());
        let all = [
            ("type 28 octets on 0", "28 octets are typed between Bob's laptop and b.example"),
            ("type 1 octets on 0", "1 octet is typed between Bob's laptop and b.example"),
            ("type 28 octets on 9", "type 28 octets on 9"),
            ("hang up 0", "The connection of Bob's laptop and b.example is to end"),
            ("cut 0", "Somebody cuts the line between Bob's laptop and b.example"),
            ("link bob-laptop to b", "The line between Bob's laptop and b is changed"),
            ("DNS: b.example", "What DNS says of b.example is changed"),
            ("bob-laptop: check mail", "Bob's laptop is to check mail"),
            ("bob-laptop: send to a@b", "Bob's laptop is to send a letter to a@b"),
            ("bob-laptop: connect to b:25", "Bob's laptop is to connect to b, port 25"),
            ("bob-laptop: off", "Bob's laptop is switched off"),
            ("bob-laptop: EXPUNGE", "Bob's laptop: EXPUNGE"),
        ];
        for (what, told) in all {
            assert_eq!(sentence(what, &title, &between), told);
        }
    }
}
