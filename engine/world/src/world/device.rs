//! A person's device: what they write and send with it, what it shows them, and how it fetches their mail.

use std::sync::Arc;

use pillarbox_engine::message::compose::{
    Draft, File, FileName, MediaType, Origin, Piece, Refused, Text, compose, parse_people,
    parse_person,
};
use pillarbox_engine::smtp::client::types::{Delivery, Fate, TlsPolicy};
use pillarbox_engine::smtp::{Body, MailFrom, Mailbox, RcptTo};

use super::World;
use super::action::{Check, Letter, Way};
use super::device_imap::Remote;
use super::device_web::Browser;
use super::errand::{Errand, Goal};
use super::ids::Draw;
use super::ids::{NodeId, Protocol, Time, WireId};
use super::log::{Screen, What};
use super::seat::{Carried, Login, News, Outgoing, PopPlan, Wish, fate_words};
use super::setup::AccountSetup;

/// What a device shows and remembers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Device {
    /// Messages on the screen, oldest first.
    pub(crate) shown: Vec<Shown>,
    /// Unique-ids of what it has fetched by POP3.
    pub(crate) known: Vec<Vec<u8>>,
    /// What it said last.
    pub(crate) status: Option<Screen>,
    /// Messages got since the last check began.
    pub(crate) new: u64,
    /// The mailbox that is open by IMAP.
    pub(crate) remote: Remote,
    /// What its browser shows and remembers.
    pub(crate) browser: Browser,
}

/// A message on the screen.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) at: Time,
    pub(crate) unique_id: Vec<u8>,
    pub(crate) octets: Arc<[u8]>,
}

impl World {
    /// Somebody sends a message.
    pub(super) fn send_letter(&mut self, letter: &Letter) -> Result<(), String> {
        let node = self.node_of(&letter.device)?;
        let account = self.account(node)?;
        let (host, port) =
            account.submit.clone().ok_or("this device is not set up to send".to_owned())?;
        if Protocol::of_port(port).is_some_and(|(protocol, _)| protocol == Protocol::Http) {
            return self.write_by_web(node, &account, (host, port), letter);
        }
        let origin =
            Origin { unix_ms: self.unix_ms_of(node), seed: self.node_mut(node).draw.octets() };
        let made = made(letter, &account, origin).map_err(|refused| refused.to_string())?;
        self.show(node, Screen::Sending { subject: letter.subject.clone() });
        let tls = tls_policy(&account, port);
        let login = (port != 25).then(|| login(&account));
        let size = made.octets.len() as u64;
        let delivery = Delivery {
            id: 1,
            mail: MailFrom {
                reverse_path: Some(made.from),
                size: Some(size),
                body: if made.eight_bit { Body::EightBitMime } else { Body::SevenBit },
                smtputf8: made.smtputf8,
                ..MailFrom::default()
            },
            recipients: made.to,
            message: 0,
            offset: 0,
            size,
            plain: made.plain,
            require_tls: false,
        };
        let outgoing = Outgoing::Held(made.octets.into());
        let carried = Box::new(Carried { delivery, outgoing, login });
        self.errand(node, Errand { host, port, goal: Goal::Submit(carried, tls) });
        Ok(())
    }

    /// Somebody reads their mail.
    pub(super) fn check_mail(&mut self, check: &Check) -> Result<(), String> {
        let node = self.node_of(&check.device)?;
        let account = self.account(node)?;
        let delete = match check.way {
            Way::PopKeep => false,
            Way::PopDelete => true,
            Way::Imap => return self.read_by_imap(node, &account),
            Way::Web => return self.look_by_web(node, &account, Wish::Inbox),
        };
        let device = &mut self.node_mut(node).device;
        device.new = 0;
        let known = device.known.clone();
        let plan = PopPlan { login: login(&account), delete, unique_ids: true, known };
        let port = if account.tls { 995 } else { 110 };
        let tls = tls_policy(&account, port);
        let goal = Goal::Pop(plan, tls);
        self.errand(node, Errand { host: account.server, port, goal });
        Ok(())
    }

    pub(super) fn account(&self, node: NodeId) -> Result<AccountSetup, String> {
        let setup = &self.node(node).setup;
        setup.account.clone().ok_or_else(|| format!("{} has no account", setup.name))
    }

    /// What a person sees is something else now.
    pub(super) fn show(&mut self, node: NodeId, screen: Screen) {
        self.node_mut(node).device.status = Some(screen.clone());
        self.note(Some(node), None, What::Screen(screen));
    }

    pub(super) fn device_news(&mut self, node: NodeId, id: WireId, news: News) {
        let submits = matches!(self.wire(id).protocol, Protocol::Submission | Protocol::Smtp);
        match news {
            News::Finished(finished) => {
                let bad = finished.fates.iter().find(|fate| !matches!(fate, Fate::Accepted(_)));
                let told = match (bad, finished.fates.first()) {
                    (Some(bad), _) => Screen::NotSent { why: fate_words(bad).1 },
                    (None, Some(fate)) => Screen::Sent { reply: fate_words(fate).1 },
                    (None, None) => return,
                };
                self.show(node, told);
            }
            News::Got { unique_id, octets } => {
                let at = self.now;
                let device = &mut self.node_mut(node).device;
                device.new += 1;
                if !unique_id.is_empty() {
                    device.known.push(unique_id.clone());
                }
                device.shown.push(Shown { at, unique_id, octets: octets.into() });
            }
            News::ReadDone(why) => {
                let device = &self.node(node).device;
                let (new, shown) = (device.new, device.shown.len() as u64);
                if new > 0 || why.is_none() {
                    self.show(node, Screen::Got { new, shown });
                }
                if let Some(why) = why {
                    self.show(node, Screen::Failed { why });
                }
            }
            News::SmtpDone(Some(_)) if submits => {}
            News::Imap(news) => self.imap_news(node, *news),
            News::Web(news) => self.web_news(node, news),
            News::Offered { .. } | News::SmtpDone(_) => {}
        }
    }
}

pub(super) fn login(account: &AccountSetup) -> Login {
    Login {
        user: account.address.clone().into_bytes(),
        password: account.password.clone().into_bytes(),
    }
}

pub(super) fn tls_policy(account: &AccountSetup, port: u16) -> TlsPolicy {
    match (Protocol::of_port(port), account.tls) {
        (Some((_, true)), _) => TlsPolicy::Implicit,
        (_, true) => TlsPolicy::Opportunistic,
        (_, false) => TlsPolicy::None,
    }
}

/// A message that is ready to be sent.
struct Made {
    octets: Vec<u8>,
    plain: bool,
    eight_bit: bool,
    smtputf8: bool,
    from: Mailbox,
    to: Vec<RcptTo>,
}

/// Octets of one picture that a world makes up.
pub const PICTURE_MAX: u32 = 8 << 20;

fn made(letter: &Letter, account: &AccountSetup, origin: Origin) -> Result<Made, Refused> {
    let domain = account.address.split_once('@').map(|(_, domain)| domain);
    let person = format!("{} <{}>", account.person, account.address);
    let author = parse_person(person.trim(), None)?;
    let to = parse_people(&letter.to, domain)?;
    let mut attachments = Vec::new();
    let made_up = letter
        .pictures
        .iter()
        .map(|(name, size)| (name.clone(), picture((*size).min(PICTURE_MAX))));
    let files: Vec<(String, Vec<u8>)> = made_up.chain(letter.files.iter().cloned()).collect();
    for (name, octets) in &files {
        attachments.push(File {
            name: FileName::new(name)?,
            media_type: MediaType::of_name(name),
            size: octets.len() as u64,
        });
    }
    let draft = Draft {
        from: vec![author.clone()],
        to: to.clone(),
        subject: (!letter.subject.is_empty()).then(|| Text::new(&letter.subject)).transpose()?,
        text: Some(letter.text.clone()),
        html: (!letter.html.is_empty()).then(|| letter.html.clone()),
        attachments,
        ..Draft::default()
    };
    let composed = compose(&draft, origin)?;
    let mut octets = Vec::new();
    for piece in composed.pieces(0, composed.size()) {
        match piece {
            Piece::Octets(part) => octets.extend_from_slice(part),
            Piece::File(part) => {
                let file = &files[part.file].1;
                // A message of a world is held in memory.
                let (start, length) = (part.start as usize, part.length as usize);
                octets.extend(part.encode(&file[start..start + length]));
            }
        }
    }
    let recipient = |person: &pillarbox_engine::message::compose::Person| RcptTo {
        forward_path: person.mailbox.clone(),
        ..RcptTo::default()
    };
    Ok(Made {
        plain: composed.is_plain(),
        eight_bit: !octets.is_ascii(),
        smtputf8: composed.needs_utf8(),
        from: author.mailbox,
        to: to.iter().map(recipient).collect(),
        octets,
    })
}

/// A picture's octets, at most [`PICTURE_MAX`]: nothing to look at, but as incompressible as a photograph is.
#[must_use]
pub fn picture(size: u32) -> Vec<u8> {
    let size = size.min(PICTURE_MAX) as usize;
    let mut draw = Draw::new(size as u64);
    let mut octets = Vec::with_capacity(size + 8);
    while octets.len() < size {
        octets.extend_from_slice(&draw.next().to_le_bytes());
    }
    octets.truncate(size);
    octets
}
