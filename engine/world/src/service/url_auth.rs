//! URLs that carry authorization (RFC 4467), as the IMAP service makes and judges them. Their keys are in the store, and
//! nothing but tokens leaves here.

use pillarbox_engine::imap::rights::Rights;
use pillarbox_engine::imap::types::{Opened, UrlAccess, UrlClaim, UrlRump};
use pillarbox_engine::imap::url_token::AccessKey;
use pillarbox_engine::types::Reason;

use super::access::Place;
use super::imap::{ImapService, Peeked};
use super::{Backend, Bound, Directory};
use crate::store::{AccountId, MailboxId, Outcome, SetAccessKey, Store, Write};

impl<B: Backend> ImapService<B> {
    /// RFC 4467 §5: a token of the owner's key, which is made now if there is none.
    pub(super) async fn authorize_url(&self, url: &UrlRump) -> Result<Vec<u8>, Reason> {
        let bound = self.bound()?;
        // Nobody else has what RFC 4467 §5 calls owner-type access to an account's keys.
        if self.backend().directory().known(&url.owner).as_ref() != Some(&bound.name) {
            return Err(Reason::NotPermitted);
        }
        // Whose URL it would be is not known, so nobody could take it back.
        if bound.is_anonymous {
            return Err(Reason::NotPermitted);
        }
        let (account, place) = (bound.id, self.place_of(bound, url)?);
        let key = match self.backend().store().access_key(account, place.mailbox)? {
            Some(key) => key,
            None => self.keep_key(account, place.mailbox, false).await?,
        };
        Ok(key.token(&url.rump))
    }

    /// RFC 4467 §7: what was authorized before is good no more.
    pub(super) async fn reset_key(&self, name: Option<&[u8]>) -> Result<(), Reason> {
        let account = self.bound()?.id;
        let Some(name) = name else {
            return self.write(Write::ForgetAccessKeys(account)).await.map(drop);
        };
        let mailbox = self.reach(name, Rights::READ)?.mailbox;
        self.keep_key(account, mailbox, true).await.map(drop)
    }

    async fn keep_key(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        replaces: bool,
    ) -> Result<AccessKey, Reason> {
        let key = AccessKey::new(self.backend().chance()?);
        let set = SetAccessKey { account, mailbox, key, replaces };
        match self.write(Write::SetAccessKey(set)).await? {
            Outcome::AccessKey(key) => Ok(key),
            _ => Err(Reason::StorageFailed),
        }
    }

    /// RFC 4467 §6: looks into the mailbox of a URL, as far as its owner may now. Why it is refused its user is not told.
    pub(super) fn redeem_url(&mut self, claim: &UrlClaim) -> Result<Opened, Reason> {
        self.set_peeked(None);
        let UrlClaim { url, token } = claim;
        if !self.is_for_us(&url.access)? {
            return Err(Reason::NotPermitted);
        }
        let owner = self.owner(&url.owner)?;
        let Place { account, mailbox, .. } = self.place_of(&owner, url)?;
        let store = self.backend().store();
        let key = store.access_key(owner.id, mailbox)?.ok_or(Reason::NotPermitted)?;
        if !key.is_token(&url.rump, token) {
            return Err(Reason::NotPermitted);
        }
        let opened = Opened { read_only: true, ..store.opened(mailbox)? };
        let (is_own, reader) = (account == owner.id, owner.name);
        self.set_peeked(Some(Peeked { mailbox, reader, is_own }));
        Ok(opened)
    }

    /// RFC 4467 §2.3. Whoever is named must have an account: one who has none wrote nothing that is to be sent.
    fn is_for_us(&self, access: &UrlAccess) -> Result<bool, Reason> {
        let (bound, directory) = (self.bound()?, self.backend().directory());
        Ok(match access {
            UrlAccess::Anonymous => true,
            _ if bound.is_anonymous => false,
            UrlAccess::AuthUser => true,
            UrlAccess::User(user) => directory.known(user).as_ref() == Some(&bound.name),
            // For whom it takes the mail such a server has made sure of.
            UrlAccess::Submit(user) => {
                self.backend().submits(&bound.name) && directory.known(user).is_some()
            }
        })
    }

    fn owner(&self, name: &[u8]) -> Result<Bound, Reason> {
        let name = self.backend().directory().known(name).ok_or(Reason::NotFound)?;
        let id = self.backend().store().account(&name)?.ok_or(Reason::NotFound)?;
        Ok(Bound { id, name, is_anonymous: false })
    }

    /// The mailbox of a URL, if its owner may read it, and it is the one that the URL was made for.
    fn place_of(&self, owner: &Bound, url: &UrlRump) -> Result<Place, Reason> {
        let place = self.reach_as(owner, &url.mailbox, Rights::READ)?;
        if let Some(validity) = url.uid_validity {
            let status = self.backend().store().status(place.account, &place.name)?;
            if status.uid_validity != validity {
                return Err(Reason::NotFound);
            }
        }
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::sync::{Arc, Mutex};

    use pillarbox_engine::imap::types::{Answer, Ask};
    use pillarbox_engine::sasl::{Account, Credentials, LoginAnswer, PasswordCredentials};
    use pillarbox_engine::smtp::Mailbox;
    use pillarbox_engine::types::{Now, Refusal};

    use super::*;
    use crate::conversation::at_once;
    use crate::hub::{Hub, SessionKey, Wake};
    use crate::service::local::{LocalBackend, SharedStore};
    use crate::service::{Indexed, Service, Taken};

    /// A host that knows its accounts.
    struct Town {
        local: LocalBackend,
        people: People,
    }

    struct People(Mutex<Vec<&'static [u8]>>);

    impl Directory for People {
        async fn login(&self, _key: SessionKey, credentials: Credentials) -> LoginAnswer {
            let name = match credentials {
                Credentials::Password(given) => given.user,
                _ => b"guest".to_vec(),
            };
            LoginAnswer::Accepted(Account { name, server_signature: Vec::new() })
        }
        fn known(&self, name: &[u8]) -> Option<Vec<u8>> {
            let people = self.0.lock().expect("nobody panicked");
            people.contains(&name).then(|| name.to_vec())
        }
        fn recipient(&self, _to: &Mailbox, _may_relay: bool) -> Result<Taken, Refusal> {
            Err(Refusal::new(Reason::NotFound))
        }
        fn sender(&self, _account: &[u8], _from: &Mailbox) -> Result<(), Refusal> {
            Ok(())
        }
    }

    impl Backend for Town {
        type Store = SharedStore;
        type Directory = People;

        fn store(&self) -> &SharedStore {
            self.local.store()
        }
        fn directory(&self) -> &People {
            &self.people
        }
        fn hub(&self) -> &Hub {
            self.local.hub()
        }
        fn write(
            &self,
            origin: SessionKey,
            write: Write,
        ) -> impl Future<Output = Result<Outcome, Reason>> + Send {
            self.local.write(origin, write)
        }
        fn write_later(&self, write: Write) {
            self.local.write_later(write);
        }
        fn index(
            &self,
            octets: Vec<u8>,
            size: u64,
        ) -> impl Future<Output = Result<Indexed, Reason>> + Send {
            self.local.index(octets, size)
        }
        fn wake(&self, key: SessionKey) -> Wake {
            self.local.wake(key)
        }
        fn host_name(&self) -> &[u8] {
            b"hamburger.edu"
        }
        fn submits(&self, account: &[u8]) -> bool {
            account == b"submit"
        }
        fn chance(&self) -> Result<[u8; 32], Reason> {
            self.local.chance()
        }
    }

    fn town() -> Arc<Town> {
        let people: Vec<&[u8]> = vec![b"bob", b"ann", b"submit", b"guest"];
        let people = People(Mutex::new(people));
        Arc::new(Town { local: LocalBackend::new(b"hamburger.edu"), people })
    }

    /// A session of somebody; of nobody in particular if it is the guest's.
    fn session(town: &Arc<Town>, key: SessionKey, name: &[u8]) -> ImapService<Town> {
        let credentials = match name {
            b"guest" => Credentials::Anonymous(Vec::new()),
            _ => Credentials::Password(PasswordCredentials {
                authorization: Vec::new(),
                user: name.to_vec(),
                password: b"secret".to_vec(),
            }),
        };
        let mut session = ImapService::new(Arc::clone(town), key);
        let answer = ask(&mut session, Ask::Login(credentials));
        assert!(matches!(answer, Answer::Login(LoginAnswer::Accepted(_))), "{answer:?}");
        session
    }

    fn ask(session: &mut ImapService<Town>, ask: Ask) -> Answer {
        at_once(session.answer(Now::default(), ask, &mut ()))
    }

    fn url(owner: &[u8], access: UrlAccess) -> UrlRump {
        let rump = format!("{} {access:?}", owner.escape_ascii()).into_bytes();
        let (owner, mailbox) = (owner.to_vec(), b"INBOX".to_vec());
        UrlRump { rump, owner, mailbox, uid_validity: None, access }
    }

    fn authorized(session: &mut ImapService<Town>, url: UrlRump) -> UrlClaim {
        match ask(session, Ask::AuthorizeUrl(url.clone())) {
            Answer::UrlToken(token) => UrlClaim { url, token },
            other => panic!("{url:?} {other:?}"),
        }
    }

    fn is_good(session: &mut ImapService<Town>, claim: &UrlClaim) -> bool {
        match ask(session, Ask::RedeemUrl(claim.clone())) {
            Answer::Opened(opened) => opened.read_only,
            Answer::Refused(refusal) => {
                let hidden = matches!(refusal.reason, Reason::NotFound | Reason::NotPermitted);
                assert!(hidden, "{refusal:?}");
                false
            }
            other => panic!("{claim:?} {other:?}"),
        }
    }

    #[test]
    fn a_url_is_good_for_whom_it_names_and_for_nobody_else() {
        let town = town();
        let names = [&b"bob"[..], b"ann", b"submit", b"guest"];
        let mut sessions = [1, 2, 3, 4].map(|key| session(&town, key, names[key as usize - 1]));
        let user = |name: &[u8]| UrlAccess::User(name.to_vec());
        let submit = |name: &[u8]| UrlAccess::Submit(name.to_vec());
        for (access, good) in [
            (UrlAccess::Anonymous, [true, true, true, true]),
            (UrlAccess::AuthUser, [true, true, true, false]),
            (user(b"ann"), [false, true, false, false]),
            (user(b"nobody"), [false; 4]),
            // Not even by name is whoever did not say who it is somebody.
            (user(b"guest"), [false; 4]),
            (submit(b"bob"), [false, false, true, false]),
            (submit(b"nobody"), [false; 4]),
        ] {
            let claim = authorized(&mut sessions[0], url(b"bob", access.clone()));
            let found = sessions.each_mut().map(|session| is_good(session, &claim));
            assert_eq!(found, good, "{access:?}");
            // The token is not that of the same URL for others.
            let other = UrlRump { rump: b"another".to_vec(), ..claim.url };
            let other = UrlClaim { url: other, token: claim.token };
            assert!(!sessions.iter_mut().any(|session| is_good(session, &other)), "{access:?}");
        }
    }

    #[test]
    fn urls_are_authorized_by_their_owners_alone_and_end_with_them() {
        let town = town();
        let [mut bob, mut ann, mut guest] = [(1, &b"bob"[..]), (2, b"ann"), (3, b"guest")]
            .map(|(key, name)| session(&town, key, name));
        let refused = |session: &mut ImapService<Town>, owner: &[u8]| {
            let answer = ask(session, Ask::AuthorizeUrl(url(owner, UrlAccess::Anonymous)));
            assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
        };
        refused(&mut ann, b"bob");
        refused(&mut ann, b"nobody");
        refused(&mut guest, b"guest");
        let of_bob = authorized(&mut bob, url(b"bob", UrlAccess::Anonymous));
        let of_ann = authorized(&mut ann, url(b"ann", UrlAccess::Anonymous));
        assert!(is_good(&mut ann, &of_bob) && is_good(&mut guest, &of_ann));
        // One owner's keys are not the other's.
        assert_eq!(ask(&mut ann, Ask::ResetKey(None)), Answer::Done);
        assert!(is_good(&mut ann, &of_bob) && !is_good(&mut guest, &of_ann));
        // Whoever has no account any more has no URLs either.
        town.people.0.lock().expect("nobody panicked").retain(|name| name != b"bob");
        assert!(!is_good(&mut ann, &of_bob));
    }
}
