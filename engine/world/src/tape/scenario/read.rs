//! Scenarios from their text: what each table means.

use pillarbox_engine::relay::Schedule;
use pillarbox_engine::smtp::Extensions;

use super::toml::{Fields, Table, parse};
use super::{Level, Moment, Prediction, Scenario, Step, Variant};
use crate::web::Resource;
use crate::world::{
    AccountSetup, Action, Check, Kind, Letter, LinkSetup, NodeSetup, Persona, Record, Time, Way,
};

type Read<T> = Result<T, String>;

/// Octets of all web pages of a world: a short text must not make a large one.
const PAGES_MAX: usize = crate::world::PICTURE_MAX as usize;

/// A scenario from its text; `base` gives the text of another one that it builds on.
///
/// # Errors
/// The line, and what is wrong with it.
pub(super) fn scenario(text: &str, base: &dyn Fn(&str) -> Option<&'static str>) -> Read<Scenario> {
    let mut tables = parse(text)?.into_iter();
    let top = tables.next().expect("a document has a table at its top");
    let mut scenario = Scenario::default();
    self::top(&mut scenario, top, base)?;
    for table in tables {
        self::table(&mut scenario, table)?;
    }
    pillarbox_engine::order::sort_by_key(&mut scenario.script, |(at, _)| *at);
    pillarbox_engine::order::sort_by_key(&mut scenario.predictions, |prediction| prediction.at);
    Ok(scenario)
}

fn top(
    scenario: &mut Scenario,
    table: Table,
    base: &dyn Fn(&str) -> Option<&'static str>,
) -> Read<()> {
    let mut fields = Fields::new(table);
    if let Some(name) = fields.text("base")? {
        let text = base(&name).ok_or_else(|| format!("there is no base {name}"))?;
        // A base has no base itself: this goes one step and no further.
        scenario.setup = self::scenario(text, &|_| None)?.setup;
    }
    scenario.number = fields.number("number")?.unwrap_or(0);
    scenario.version = fields.number("version")?.unwrap_or(1);
    scenario.title = fields.text("title")?.unwrap_or_default();
    scenario.book = fields.text("book")?.unwrap_or_default();
    scenario.goal = fields.text("goal")?.unwrap_or_default();
    scenario.notice = fields.texts("notice")?;
    scenario.shows_secrets = match fields.text("secrets")?.as_deref() {
        None | Some("masked") => false,
        Some("shown") => true,
        Some(other) => return Err(format!("secrets: expected shown or masked, not {other}")),
    };
    scenario.then = fields.text("then")?.unwrap_or_default();
    scenario.setup.faults.extend(fields.texts("faults")?);
    if let Some(spread) = fields.truth("spread")? {
        scenario.setup.spread = spread;
    }
    fields.end()
}

/// One table of a scenario.
pub(crate) fn table(scenario: &mut Scenario, table: Table) -> Read<()> {
    let name = table.name.clone();
    let line = table.line;
    let mut fields = Fields::new(table);
    match &name[..] {
        "node" => {
            let name = fields.needed("name")?;
            let nodes = &mut scenario.setup.nodes;
            let at = nodes.iter().position(|node| node.name == name);
            let node = match at {
                Some(at) => nodes.remove(at),
                None => NodeSetup::new(&name, kind(&fields.needed("kind")?)?),
            };
            let node = self::node(node, &mut fields)?;
            nodes.insert(at.unwrap_or(nodes.len()), node);
            let pages = nodes.iter().flat_map(|node| &node.pages);
            if pages.map(|page| page.octets.len()).sum::<usize>() > PAGES_MAX {
                return Err(format!("line {line}: pages: all have at most {PAGES_MAX} octets"));
            }
        }
        "link" => {
            let link = link(&mut fields)?;
            let same = |known: &LinkSetup| {
                [&known.a, &known.b].contains(&&link.a) && [&known.a, &known.b].contains(&&link.b)
            };
            scenario.setup.links.retain(|known| !same(known));
            scenario.setup.links.push(link);
        }
        "record" => {
            let record = record(&mut fields)?;
            scenario.setup.records.retain(|known| known.name != record.name);
            scenario.setup.records.push(record);
        }
        "prediction" => {
            let prediction = prediction(&mut fields)?;
            scenario.predictions.push(prediction);
        }
        "step" => {
            let text = fields.needed("text")?;
            let moment = Moment::parse(&fields.needed("when")?)?;
            scenario.steps.push(Step { text, moment });
        }
        "variant" => {
            let level = level(&fields.needed("level")?)?;
            let notice = fields.text("notice")?.unwrap_or_default();
            let faults = fields.texts("faults")?;
            scenario.variants.push(Variant { level, notice, faults });
        }
        "do" => {
            let at = Time(fields.duration("at")?.unwrap_or(0));
            let action = action(&mut fields)?;
            scenario.script.push((at, action));
        }
        _ => return Err(format!("line {line}: nobody knows what [[{name}]] is")),
    }
    fields.end()
}

fn kind(word: &str) -> Read<Kind> {
    Ok(match word {
        "server" => Kind::Server,
        "device" => Kind::Device,
        "dns" => Kind::Dns,
        _ => return Err(format!("kind: expected server, device or dns, not {word}")),
    })
}

fn level(word: &str) -> Read<Level> {
    Ok(match word {
        "perfect" => Level::Perfect,
        "rough" => Level::Rough,
        "hostile" => Level::Hostile,
        _ => return Err(format!("level: expected perfect, rough or hostile, not {word}")),
    })
}

fn pair(text: &str, key: &str) -> Read<(String, String)> {
    let (one, other) =
        text.split_once(' ').ok_or_else(|| format!("{key}: expected two words: {text}"))?;
    Ok((one.to_owned(), other.trim().to_owned()))
}

fn node(mut node: NodeSetup, fields: &mut Fields) -> Read<NodeSetup> {
    if let Some(title) = fields.text("title")? {
        node.title = title;
    }
    node.domains.extend(fields.texts("domains")?);
    for user in fields.texts("users")? {
        node.users.push(pair(&user, "users")?);
    }
    for alias in fields.texts("aliases")? {
        let (name, to) = pair(&alias, "aliases")?;
        node.aliases.push((name, to.split(' ').map(str::to_owned).collect()));
    }
    let port = |text: &String| text.parse().map_err(|_| format!("{text} is no port"));
    let ports = fields.texts("ports")?;
    if !ports.is_empty() {
        node.ports = ports.iter().map(port).collect::<Read<_>>()?;
    }
    node.by_hand = fields.texts("by-hand")?.iter().map(port).collect::<Read<_>>()?;
    match fields.text("persona")?.as_deref() {
        None => {}
        Some("strict") => node.persona = Persona::Strict,
        Some("textbook") => node.persona = Persona::Textbook,
        Some(other) => return Err(format!("persona: expected strict or textbook, not {other}")),
    }
    node.tls = fields.truth("tls")?.unwrap_or(node.tls);
    node.cleartext = fields.truth("cleartext")?.unwrap_or(node.cleartext);
    node.apop = fields.truth("apop")?.unwrap_or(node.apop);
    node.open_relay = fields.truth("open-relay")?.unwrap_or(node.open_relay);
    node.anyone = fields.truth("anyone")?.unwrap_or(node.anyone);
    for keyword in fields.texts("without")? {
        offer(&mut node.extensions, &keyword, false)?;
    }
    for keyword in fields.texts("with")? {
        offer(&mut node.extensions, &keyword, true)?;
    }
    node.sync_ms = fields.number("sync-ms")?.unwrap_or(node.sync_ms);
    schedule(&mut node.schedule, fields)?;
    if let Some(received) = fields.number("received-max")? {
        node.received_max = u32::try_from(received).map_err(|_| "received-max: too large")?;
    }
    for page in fields.texts("pages")? {
        node.pages.push(self::page(&page)?);
        if node.pages.iter().map(|page| page.octets.len()).sum::<usize>() > PAGES_MAX {
            return Err(format!("pages: all have at most {PAGES_MAX} octets"));
        }
    }
    node.web_mail = fields.truth("web-mail")?.unwrap_or(node.web_mail);
    if fields.has("address") {
        node.account = Some(account(fields)?);
    }
    Ok(node)
}

/// What a web server gives out: path, media type, and then its text, or of a picture that the world makes up the octets.
fn page(text: &str) -> Read<Resource> {
    let mut words = text.splitn(3, ' ');
    let mut word =
        || words.next().ok_or(format!("pages: expected path, media type and content: {text}"));
    let (path, media_type, content) = (word()?.to_owned(), word()?.to_owned(), word()?);
    let octets = match content.parse() {
        Ok(size) => crate::world::picture(size),
        // A text ends as lines do.
        Err(_) => format!("{content}\n").into_bytes(),
    };
    Ok(Resource { path, media_type, octets })
}

/// Keywords of the extensions that a server may offer.
pub(super) const EXTENSIONS: [&str; 11] = [
    "PIPELINING",
    "SIZE",
    "8BITMIME",
    "SMTPUTF8",
    "ENHANCEDSTATUSCODES",
    "CHUNKING",
    "BINARYMIME",
    "DSN",
    "LIMITS",
    "MT-PRIORITY",
    "REQUIRETLS",
];

/// Whether an extension of this keyword is offered; none: there is no such extension.
pub(super) fn extension<'a>(extensions: &'a mut Extensions, keyword: &str) -> Option<&'a mut bool> {
    let all = [
        &mut extensions.pipelining,
        &mut extensions.size,
        &mut extensions.eight_bit_mime,
        &mut extensions.smtputf8,
        &mut extensions.enhanced_status_codes,
        &mut extensions.chunking,
        &mut extensions.binary_mime,
        &mut extensions.dsn,
        &mut extensions.limits,
        &mut extensions.mt_priority,
        &mut extensions.require_tls,
    ];
    let mut named = EXTENSIONS.into_iter().zip(all);
    named.find(|(known, _)| *known == keyword).map(|(_, place)| place)
}

fn offer(extensions: &mut Extensions, keyword: &str, on: bool) -> Read<()> {
    let place = extension(extensions, keyword);
    *place.ok_or_else(|| format!("no extension is called {keyword}"))? = on;
    Ok(())
}

fn schedule(schedule: &mut Schedule, fields: &mut Fields) -> Read<()> {
    if let Some(first) = fields.duration("retry-first")? {
        schedule.first_ms = first;
    }
    if let Some(longest) = fields.duration("retry-longest")? {
        schedule.interval_ms_max = longest;
    }
    if let Some(lifetime) = fields.duration("retry-lifetime")? {
        schedule.lifetime_ms = lifetime;
    }
    if let Some(delay) = fields.duration("retry-report")? {
        schedule.delay_report_ms = (delay > 0).then_some(delay);
    }
    schedule.check().map_err(|fault| format!("the schedule's {fault:?} is out of its bounds"))
}

fn account(fields: &mut Fields) -> Read<AccountSetup> {
    let submit = match fields.text("submit")? {
        None => None,
        Some(place) => {
            let (host, port) = place.split_once(':').ok_or("submit: expected host:port")?;
            let port = port.parse().map_err(|_| format!("submit: {port} is no port"))?;
            Some((host.to_owned(), port))
        }
    };
    Ok(AccountSetup {
        person: fields.text("person")?.unwrap_or_default(),
        address: fields.needed("address")?,
        password: fields.needed("password")?,
        submit,
        server: fields.text("server")?.unwrap_or_default(),
        tls: fields.truth("secure")?.unwrap_or(false),
    })
}

fn link(fields: &mut Fields) -> Read<LinkSetup> {
    let between = fields.texts("between")?;
    let [a, b] = &between[..] else { return Err("between: expected two names".to_owned()) };
    let chunk = fields.number("chunk")?.map(u32::try_from).transpose();
    Ok(LinkSetup {
        a: a.clone(),
        b: b.clone(),
        latency_ms: fields.duration("latency")?.unwrap_or(20),
        octets_per_s: fields.number("octets-per-second")?,
        chunk: chunk.map_err(|_| "chunk: too large")?,
        tapped: fields.truth("tapped")?.unwrap_or(false),
        seven_bit: fields.truth("seven-bit")?.unwrap_or(false),
    })
}

fn record(fields: &mut Fields) -> Read<Record> {
    let exchange = |text: &String| {
        let (preference, name) = pair(text, "mx")?;
        let preference = preference.parse().map_err(|_| format!("mx: {preference}"))?;
        Ok((preference, name))
    };
    Ok(Record {
        name: fields.needed("name")?,
        exchanges: fields.texts("mx")?.iter().map(exchange).collect::<Read<_>>()?,
        addresses: fields.texts("a")?,
    })
}

fn prediction(fields: &mut Fields) -> Read<Prediction> {
    let at = Time(fields.duration("at")?.unwrap_or(0));
    let question = fields.needed("question")?;
    let choices = fields.texts("choices")?;
    let right = fields.number("right")?.and_then(|number| usize::try_from(number).ok());
    let right = right.and_then(|number| number.checked_sub(1)).filter(|at| *at < choices.len());
    let right = right.ok_or_else(|| format!("right: expected a choice's number: {question}"))?;
    let because = fields.needed("because")?;
    Ok(Prediction { at, question, choices, right, because })
}

/// An action, as scripts of scenarios and solutions of challenges have it.
pub(crate) fn action(fields: &mut Fields) -> Read<Action> {
    let what = fields.needed("what")?;
    let wire = |fields: &mut Fields| {
        let number = fields.number("wire")?.unwrap_or(0);
        u32::try_from(number).map_err(|_| "wire: too large".to_owned())
    };
    let port = |fields: &mut Fields| {
        let number = fields.number("port")?.unwrap_or(25);
        u16::try_from(number).map_err(|_| "port: too large".to_owned())
    };
    Ok(match &what[..] {
        "send" => Action::Send(letter(fields)?),
        "check" => {
            let device = fields.needed("device")?;
            let way = match &fields.needed("way")?[..] {
                "pop-keep" => Way::PopKeep,
                "pop-delete" => Way::PopDelete,
                "imap" => Way::Imap,
                "web" => Way::Web,
                other => {
                    return Err(format!("way: pop-keep, pop-delete, imap or web, not {other}"));
                }
            };
            Action::Check(Check { device, way })
        }
        "imap" => Action::Imap { device: fields.needed("device")?, order: fields.needed("order")? },
        "browse" => {
            Action::Browse { device: fields.needed("device")?, order: fields.needed("order")? }
        }
        "connect" => Action::Connect {
            from: fields.needed("from")?,
            host: fields.needed("host")?,
            port: port(fields)?,
            script: fields.texts("script")?,
        },
        "type" => Action::Type {
            wire: wire(fields)?,
            server: fields.truth("server")?.unwrap_or(false),
            octets: typed(fields)?,
        },
        "hang-up" => {
            Action::HangUp { wire: wire(fields)?, server: fields.truth("server")?.unwrap_or(false) }
        }
        "cut" => Action::Cut { wire: wire(fields)? },
        "fault" => Action::AddFault(fields.needed("fault")?),
        "no-fault" => Action::RemoveFault(fields.number("number")?.unwrap_or(0)),
        "power" => {
            Action::Power { node: fields.needed("node")?, on: fields.truth("on")?.unwrap_or(false) }
        }
        "try-now" => Action::TryNow { node: fields.needed("node")? },
        "answer" => Action::Answer { node: fields.needed("node")?, port: port(fields)? },
        "link" => Action::Link(link(fields)?),
        "record" => Action::Record(record(fields)?),
        "user" => Action::User {
            node: fields.needed("node")?,
            address: fields.needed("address")?,
            password: fields.needed("password")?,
        },
        "secure" => Action::Secure {
            device: fields.needed("device")?,
            on: fields.truth("on")?.unwrap_or(true),
        },
        other => return Err(format!("what: nobody knows how to {other}")),
    })
}

/// What is typed: a line, with CRLF; or octets as they are.
fn typed(fields: &mut Fields) -> Read<Vec<u8>> {
    if let Some(raw) = fields.text("raw")? {
        return Ok(raw.into_bytes());
    }
    Ok([fields.needed("line")?.as_bytes(), b"\r\n"].concat())
}

fn letter(fields: &mut Fields) -> Read<Letter> {
    let mut pictures = Vec::new();
    for file in fields.texts("pictures")? {
        let (name, size) = pair(&file, "pictures")?;
        let size: u32 = size.parse().map_err(|_| format!("pictures: {size} is no size"))?;
        pictures.push((name, size));
    }
    Ok(Letter {
        device: fields.needed("device")?,
        to: fields.needed("to")?,
        subject: fields.text("subject")?.unwrap_or_default(),
        text: fields.text("text")?.unwrap_or_default(),
        html: fields.text("html")?.unwrap_or_default(),
        pictures,
        files: Vec::new(),
    })
}
