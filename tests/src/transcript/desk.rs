//! The application's side of a client's transcript: the messages that are to be sent, whom to log in as, and what the
//! session told. Servers have a store instead.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pillarbox_engine::sasl::scram::Hash;
use pillarbox_engine::sasl::{ClientCredentials, LoginAsk, LoginSecret, Mechanism};
use pillarbox_engine::smtp;
use pillarbox_engine::smtp::client::types::{
    Answer, Ask, Call, Config, Delivery, Event, Failure, Fate, Timeouts, TlsPolicy,
};
use pillarbox_engine::smtp::{Body, MailFrom, Mailbox, Notify, RcptTo, Ret};
use pillarbox_engine::types::{BlobId, BlobRange, Now, Reason, Refusal};
use pillarbox_world::conversation::Driven;
use pillarbox_world::service::local::LocalBackend;
use pillarbox_world::service::{Indexer, Service};

use super::roles::{Factory, Scripted, Verdict, has, limits};

/// RFC 5802 §5: the client's nonce of its example.
const NONCE: &[u8] = b"fyko+d2lbbFgONRv9qkxdawL";

/// Mechanisms that are neither offered nor taken but where a transcript says so.
pub(super) const OFF_BY_DEFAULT: [(&str, Mechanism); 2] =
    [("cram-md5", Mechanism::CramMd5), ("anonymous", Mechanism::Anonymous)];

/// What the connections of one transcript share.
#[derive(Default)]
pub(super) struct Desk {
    /// User and password.
    login: Option<(String, String)>,
    /// A mechanism that nobody takes without meaning it.
    meant: Option<Mechanism>,
    messages: Mutex<BTreeMap<BlobId, Vec<u8>>>,
    events: Mutex<VecDeque<String>>,
}

impl Desk {
    /// A desk with the settings of a transcript's `with` lines.
    pub(super) fn new(with: &[String]) -> Self {
        let login = with.iter().find_map(|word| word.strip_prefix("login=")?.split_once(':'));
        let login = login.map(|(user, password)| (user.to_owned(), password.to_owned()));
        let meant = OFF_BY_DEFAULT.into_iter().find(|(word, _)| has(with, word));
        let meant = meant.map(|(_, mechanism)| mechanism);
        Self { login, meant, ..Self::default() }
    }

    /// What a session told next.
    pub(super) fn take_event(&self) -> Option<String> {
        lock(&self.events).pop_front()
    }

    /// A session told this.
    pub(super) fn tell(&self, event: String) {
        lock(&self.events).push_back(event.trim_end().to_owned());
    }

    /// A message that a session is to send.
    pub(super) fn keep(&self, id: BlobId, octets: &[u8]) {
        lock(&self.messages).insert(id, octets.to_vec());
    }

    pub(super) fn octets(&self, range: BlobRange) -> Result<Vec<u8>, Reason> {
        let messages = lock(&self.messages);
        let message = messages.get(&range.blob).ok_or(Reason::NotFound)?;
        let (start, end) = (range.offset as usize, (range.offset + range.length) as usize);
        message.get(start..end).map(<[u8]>::to_vec).ok_or(Reason::NotFound)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers a client session from the desk.
pub(super) struct DeskService(Arc<Desk>);

impl Service<smtp::Client> for DeskService {
    async fn answer(&mut self, _: Now, ask: Ask, _: &mut dyn Indexer) -> Answer {
        match ask {
            Ask::Octets(range) => match self.0.octets(range) {
                Ok(octets) => Answer::Octets(octets),
                Err(reason) => Answer::Refused(Refusal::new(reason)),
            },
            Ask::Login(ask) => Answer::Login(self.0.secret(ask)),
        }
    }

    fn octets(&mut self, range: BlobRange) -> Result<Vec<u8>, Reason> {
        self.0.octets(range)
    }

    fn event(&mut self, event: &Event) {
        self.0.tell(told(event));
    }

    fn call(&mut self) -> Option<Call> {
        None
    }

    fn account(&self) -> Option<&[u8]> {
        None
    }
}

impl Desk {
    /// The best mechanism that is offered, once; then there is nothing more to try.
    pub(super) fn secret(&self, ask: LoginAsk) -> LoginSecret {
        let Some((user, password)) = &self.login else { return LoginSecret::NoLogin };
        match ask {
            LoginAsk::Choose(choice) if choice.attempt == 1 => {
                let password_fits = |mechanism: &Mechanism| match self.meant {
                    Some(meant) => *mechanism == meant,
                    None => {
                        Hash::of(*mechanism).is_some()
                            || matches!(mechanism, Mechanism::Plain | Mechanism::Login)
                    }
                };
                let Some(mechanism) = choice.mechanisms.into_iter().find(password_fits) else {
                    return LoginSecret::NoLogin;
                };
                let is_scram = Hash::of(mechanism).is_some();
                let secret = if is_scram { Vec::new() } else { password.clone().into_bytes() };
                let nonce = if is_scram { NONCE.to_vec() } else { Vec::new() };
                let (authorization, user) = (Vec::new(), user.clone().into_bytes());
                let given = ClientCredentials { mechanism, authorization, user, secret, nonce };
                LoginSecret::Credentials(given)
            }
            LoginAsk::Choose(_) => LoginSecret::NoLogin,
            LoginAsk::SaltPassword(ask) => match Hash::of(ask.mechanism) {
                Some(hash) => LoginSecret::SaltedPassword(hash.salt_password(
                    password.as_bytes(),
                    &ask.salt,
                    ask.iterations,
                )),
                None => LoginSecret::NoLogin,
            },
        }
    }
}

/// An event as a transcript has it behind `<`.
fn told(event: &Event) -> String {
    match event {
        Event::Ready(offer) => format!("ready {}", offer.name.escape_ascii()),
        Event::Finished(finished) => {
            let fates: Vec<String> = finished.fates.iter().map(fate).collect();
            format!("finished {} {}", finished.id, fates.join(", "))
        }
        Event::Defect(rule) => format!("defect {}", rule.escape_ascii()),
        Event::Done(None) => "done".to_owned(),
        Event::Done(Some(failure)) => format!("done {}", why(failure)),
    }
}

fn fate(fate: &Fate) -> String {
    match fate {
        Fate::Accepted(reply) => format!("accepted {}", reply.code),
        Fate::Failed(failure) => format!("failed {}", why(failure)),
        Fate::Deferred(failure) => format!("deferred {}", why(failure)),
        Fate::Uncertain(failure) => format!("uncertain {}", why(failure)),
    }
}

fn why(failure: &Failure) -> String {
    let code = failure.reply.as_ref().map_or_else(String::new, |reply| format!(" {}", reply.code));
    format!("{:?}{code} {}", failure.stage, failure.diagnosis).to_lowercase()
}

impl Scripted for smtp::Client {
    type Service = DeskService;

    fn session(
        factory: &dyn Factory,
        with: &[String],
        now: Now,
        _: bool,
    ) -> Result<Box<dyn Driven<Self, Broken = String>>, String> {
        let login = |word: &&String| word.starts_with("login=");
        let bounds: Vec<String> = with.iter().filter(|word| !login(word)).cloned().collect();
        let service = match () {
            () if has(with, "lmtp") => smtp::Service::Lmtp,
            () if has(with, "submission") => smtp::Service::Submission,
            () => smtp::Service::Smtp,
        };
        let tls = match () {
            () if has(with, "starttls") => TlsPolicy::Opportunistic,
            () if has(with, "starttls-required") => TlsPolicy::Required,
            () if has(with, "tls") => TlsPolicy::Implicit,
            () => TlsPolicy::None,
        };
        let config = Config {
            host_name: b"crepes.fr".to_vec(),
            service,
            tls,
            login: with.iter().any(|word| login(&word)),
            limits: limits(pillarbox_engine::limits::Limits::SMTP, &bounds)?,
            timeouts: Timeouts::default(),
            trace: has(with, "trace"),
        };
        Ok(factory.smtp_client(config, now))
    }

    fn service(_: &Arc<LocalBackend>, desk: &Arc<Desk>, _: u64) -> Self::Service {
        DeskService(Arc::clone(desk))
    }

    fn verdict(verdict: Verdict, _: &Ask) -> Answer {
        match verdict {
            Verdict::Refused(refusal) => Answer::Refused(refusal),
            // A misuse, which the transcript's own run then shows.
            Verdict::Instead(_) | Verdict::Hiding(_) | Verdict::Candidates(_) => {
                Answer::Octets(Vec::new())
            }
        }
    }

    fn call(words: &str, octets: &[u8], desk: &Desk) -> Result<Call, String> {
        let mut words = words.split_whitespace();
        let number = |word: Option<&str>| {
            let number = word.and_then(|word| word.parse::<u32>().ok());
            number.ok_or("expected the delivery's number")
        };
        match words.next() {
            Some("quit") => Ok(Call::Quit),
            Some("cancel") => Ok(Call::Cancel(number(words.next())?)),
            Some("broken-off") => Ok(Call::BrokenOff(number(words.next())?)),
            Some("deliver") => {
                let id = number(words.next())?;
                desk.keep(u64::from(id), octets);
                let mut delivery = Delivery {
                    id,
                    mail: MailFrom::default(),
                    recipients: Vec::new(),
                    message: u64::from(id),
                    offset: 0,
                    size: octets.len() as u64,
                    plain: false,
                    require_tls: false,
                };
                words.try_for_each(|word| parameter(&mut delivery, word))?;
                Ok(Call::Deliver(delivery))
            }
            _ => Err("expected `> deliver`, `> cancel` or `> quit`".to_owned()),
        }
    }
}

/// `from=<…>`, `to=<…>` and what else an envelope has.
fn parameter(delivery: &mut Delivery, word: &str) -> Result<(), String> {
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    match name {
        "from" => delivery.mail.reverse_path = mailbox(value)?,
        "to" => {
            let forward_path = mailbox(value)?.ok_or("a recipient has an address")?;
            delivery.recipients.push(RcptTo { forward_path, ..RcptTo::default() });
        }
        "notify" => {
            let has = |word: &str| value.split(',').any(|one| one == word);
            let (success, failure, delay) = (has("success"), has("failure"), has("delay"));
            let last = delivery.recipients.last_mut().ok_or("`notify` follows a `to`")?;
            last.notify = Some(Notify { success, failure, delay });
        }
        "body" => {
            delivery.mail.body = match value {
                "8bitmime" => Body::EightBitMime,
                "binarymime" => Body::BinaryMime,
                _ => return Err(format!("`{word}`: expected 8bitmime or binarymime")),
            };
        }
        "ret" if value == "hdrs" => delivery.mail.ret = Some(Ret::Headers),
        "envid" => delivery.mail.envid = Some(value.as_bytes().to_vec()),
        "smtputf8" => delivery.mail.smtputf8 = true,
        "plain" => delivery.plain = true,
        "require-tls" => delivery.require_tls = true,
        _ => return Err(format!("`{word}` is no part of an envelope")),
    }
    Ok(())
}

fn mailbox(text: &str) -> Result<Option<Mailbox>, String> {
    let inner = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
    let inner = inner.ok_or_else(|| format!("`{text}`: expected an address in <>"))?;
    if inner.is_empty() {
        return Ok(None);
    }
    let (local, domain) = inner.rsplit_once('@').ok_or_else(|| format!("`{text}` has no @"))?;
    let (local_part, domain) = (local.as_bytes().to_vec(), domain.as_bytes().to_vec());
    Ok(Some(Mailbox { local_part, domain }))
}
