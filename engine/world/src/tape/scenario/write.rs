//! The text of a world, such that reading it gives the same world.

use std::fmt::Write as _;

use super::Scenario;
use crate::world::{Kind, NodeSetup, Persona, Setup, picture};

impl Scenario {
    /// The text of this world as it begins: its title, what it is about, and its setup. What belongs to a story (script,
    /// steps, questions, levels) is not in it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = Text(String::new());
        out.text("title", &self.title);
        out.text("goal", &self.goal);
        out.list("notice", &self.notice);
        out.list("faults", &self.setup.faults);
        out.truth("spread", self.setup.spread, false);
        if self.shows_secrets {
            out.text("secrets", "shown");
        }
        setup(&mut out, &self.setup);
        out.0
    }
}

struct Text(String);

impl Text {
    fn line(&mut self, key: &str, value: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{key} = {value}");
    }

    fn table(&mut self, name: &str) {
        let _ = writeln!(self.0, "\n[[{name}]]");
    }

    fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.line(key, &quoted(text));
        }
    }

    fn list(&mut self, key: &str, all: &[String]) {
        if !all.is_empty() {
            let all: Vec<String> = all.iter().map(|text| quoted(text)).collect();
            self.line(key, &format!("[{}]", all.join(", ")));
        }
    }

    fn truth(&mut self, key: &str, truth: bool, usual: bool) {
        if truth != usual {
            self.line(key, if truth { "true" } else { "false" });
        }
    }

    fn number(&mut self, key: &str, number: u64, usual: u64) {
        if number != usual {
            self.line(key, &number.to_string());
        }
    }

    fn duration(&mut self, key: &str, ms: u64, usual: u64) {
        if ms != usual {
            self.text(key, &crate::fault::print_duration(ms));
        }
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

fn setup(out: &mut Text, setup: &Setup) {
    for one in &setup.nodes {
        node(out, one);
    }
    for link in &setup.links {
        out.table("link");
        out.list("between", &[link.a.clone(), link.b.clone()]);
        out.duration("latency", link.latency_ms, 20);
        if let Some(rate) = link.octets_per_s {
            out.line("octets-per-second", &rate.to_string());
        }
        if let Some(chunk) = link.chunk {
            out.line("chunk", &chunk.to_string());
        }
        out.truth("tapped", link.tapped, false);
        out.truth("seven-bit", link.seven_bit, false);
    }
    for record in &setup.records {
        out.table("record");
        out.text("name", &record.name);
        let exchange = |(preference, name): &(u16, String)| format!("{preference} {name}");
        out.list("mx", &record.exchanges.iter().map(exchange).collect::<Vec<_>>());
        out.list("a", &record.addresses);
    }
}

fn node(out: &mut Text, node: &NodeSetup) {
    let usual = NodeSetup::new(&node.name, node.kind);
    out.table("node");
    out.text("name", &node.name);
    let kind = match node.kind {
        Kind::Server => "server",
        Kind::Device => "device",
        Kind::Dns => "dns",
    };
    out.text("kind", kind);
    if node.title != usual.title {
        out.line("title", &quoted(&node.title));
    }
    out.list("domains", &node.domains);
    let two = |(one, other): &(String, String)| format!("{one} {other}");
    out.list("users", &node.users.iter().map(two).collect::<Vec<_>>());
    let alias = |(name, to): &(String, Vec<String>)| format!("{name} {}", to.join(" "));
    out.list("aliases", &node.aliases.iter().map(alias).collect::<Vec<_>>());
    let ports = |ports: &[u16]| ports.iter().map(ToString::to_string).collect::<Vec<_>>();
    if node.ports != usual.ports {
        out.list("ports", &ports(&node.ports));
    }
    out.list("by-hand", &ports(&node.by_hand));
    if node.persona == Persona::Textbook {
        out.text("persona", "textbook");
    }
    for (key, own, usual) in [
        ("tls", node.tls, usual.tls),
        ("cleartext", node.cleartext, usual.cleartext),
        ("apop", node.apop, usual.apop),
        ("open-relay", node.open_relay, usual.open_relay),
        ("anyone", node.anyone, usual.anyone),
        ("web-mail", node.web_mail, usual.web_mail),
    ] {
        out.truth(key, own, usual);
    }
    extensions(out, node, usual.clone());
    out.number("sync-ms", node.sync_ms, usual.sync_ms);
    let (own, known) = (&node.schedule, &usual.schedule);
    out.duration("retry-first", own.first_ms, known.first_ms);
    out.duration("retry-longest", own.interval_ms_max, known.interval_ms_max);
    out.duration("retry-lifetime", own.lifetime_ms, known.lifetime_ms);
    let report = |delay: Option<u64>| delay.unwrap_or(0);
    out.duration("retry-report", report(own.delay_report_ms), report(known.delay_report_ms));
    out.number("received-max", u64::from(node.received_max), u64::from(usual.received_max));
    let page = |page: &crate::web::Resource| {
        let octets = &page.octets;
        let size = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        let content = if *octets == picture(size) {
            size.to_string()
        } else {
            // A text gets its end of line when it is read.
            let text = String::from_utf8_lossy(octets);
            text.strip_suffix('\n').unwrap_or(&text).to_owned()
        };
        format!("{} {} {content}", page.path, page.media_type)
    };
    out.list("pages", &node.pages.iter().map(page).collect::<Vec<_>>());
    if let Some(account) = &node.account {
        out.text("person", &account.person);
        out.line("address", &quoted(&account.address));
        out.line("password", &quoted(&account.password));
        if let Some((host, port)) = &account.submit {
            out.text("submit", &format!("{host}:{port}"));
        }
        out.text("server", &account.server);
        out.truth("secure", account.tls, false);
    }
}

fn extensions(out: &mut Text, node: &NodeSetup, mut usual: NodeSetup) {
    let mut own = node.extensions;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for keyword in super::read::EXTENSIONS {
        let place = |node: &mut _| super::read::extension(node, keyword).map(|on| *on);
        let (is_on, usual_on) = (place(&mut own), place(&mut usual.extensions));
        if is_on != usual_on {
            let list = if is_on == Some(true) { &mut with } else { &mut without };
            list.push(keyword.to_owned());
        }
    }
    out.list("with", &with);
    out.list("without", &without);
}
