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

    /// RFC 4467 §2.3
    fn is_for_us(&self, access: &UrlAccess) -> Result<bool, Reason> {
        let bound = self.bound()?;
        Ok(match access {
            UrlAccess::Anonymous => true,
            UrlAccess::AuthUser => !bound.is_anonymous,
            UrlAccess::User(user) => {
                let known = self.backend().directory().known(user);
                !bound.is_anonymous && known.as_ref() == Some(&bound.name)
            }
            // For whom it takes the mail such a server has made sure of.
            UrlAccess::Submit(_) => !bound.is_anonymous && self.backend().submits(&bound.name),
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
