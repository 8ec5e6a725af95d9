//! `/api/users` and `/api/mailboxes`: whose mail is here and in which folders, and making, renaming and removing them. In this
//! profile a user is there with the first mail or login, so making one only has the mailbox there before; removing one takes
//! all mail away, ends its IMAP sessions, and the name can come again.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use pillarbox_engine::imap::grammar::mailbox_name;
use pillarbox_engine::imap::types::{MailboxRow, MailboxesAsk};
use pillarbox_engine::types::Reason;
use pillarbox_world::service::{Backend, Directory};
use pillarbox_world::store::{AccountId, Create, Named, Outcome, Rename, Write};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Api, Refused, asked, json_of, number};

/// Users, or mailboxes, of one answer.
const PAGE: usize = 500;
const PAGE_MAX: usize = 5000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    address: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMailbox {
    user: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewName {
    name: String,
}

/// `GET /api/users`: by their names; `after` is the last one that is known.
pub(super) async fn users(State(api): State<Api>, uri: Uri) -> Answer {
    let given = asked(&uri);
    let limit = number(&given, "limit", PAGE, PAGE_MAX)?;
    let after = Some(given.get("after").to_owned()).filter(|after| !after.is_empty());
    let shown = api
        .work(move |api| {
            // One more tells whether there are more.
            let max = u32::try_from(limit + 1).unwrap_or(u32::MAX);
            let mut names =
                api.store().reads().accounts(after.as_deref().map(str::as_bytes), max)?;
            let more = names.len() > limit;
            names.truncate(limit);
            let users: Result<Vec<Value>, Refused> =
                names.iter().map(|name| api.user(&String::from_utf8_lossy(name))).collect();
            Ok(json!({ "users": users?, "more": more }))
        })
        .await?;
    Ok(Json(shown).into_response())
}

/// `POST /api/users`
pub(super) async fn add_user(State(api): State<Api>, body: Bytes) -> Answer {
    let NewUser { address } = json_of(&body)?;
    let name = api.canonical(&address)?;
    api.write(Write::EnsureAccount(name.clone().into_bytes())).await?;
    let shown = api.work(move |api| api.user(&name)).await?;
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

/// `GET /api/users/{address}`
pub(super) async fn user(State(api): State<Api>, Path(address): Path<String>) -> Answer {
    let name = api.canonical(&address)?;
    let shown = api.work(move |api| api.user(&name)).await?;
    Ok(Json(shown).into_response())
}

/// `DELETE /api/users/{address}`: with all that they have.
pub(super) async fn remove_user(State(api): State<Api>, Path(address): Path<String>) -> Answer {
    let name = api.canonical(&address)?;
    let known = name.clone();
    api.work(move |api| api.account(&known)).await?;
    api.write(Write::RemoveAccount(name.into_bytes())).await?;
    Ok(Json(json!({ "removed": 1 })).into_response())
}

/// `GET /api/mailboxes?user=`: by their names; `after` is the last one that is known.
pub(super) async fn mailboxes(State(api): State<Api>, uri: Uri) -> Answer {
    let given = asked(&uri);
    let limit = number(&given, "limit", PAGE, PAGE_MAX)?;
    let user = given.get("user");
    if user.is_empty() {
        return Err(Refused::wrong("user: say whose, such as ?user=bob@test"));
    }
    let name = api.canonical(user)?;
    let after = Some(given.get("after").as_bytes().to_vec()).filter(|after| !after.is_empty());
    let shown = api
        .work(move |api| {
            let account = api.account(&name)?;
            let max = u32::try_from(limit).unwrap_or(u32::MAX);
            let ask = MailboxesAsk { after, prefix: Vec::new(), max, status: true };
            let page = api.store().reads().mailboxes(account, &ask)?;
            let rows: Vec<Value> = page.rows.iter().filter(|row| row.exists).map(row).collect();
            Ok(json!({ "mailboxes": rows, "more": page.more }))
        })
        .await?;
    Ok(Json(shown).into_response())
}

/// `POST /api/mailboxes`
pub(super) async fn add_mailbox(State(api): State<Api>, body: Bytes) -> Answer {
    let NewMailbox { user, name } = json_of(&body)?;
    let user = api.canonical(&user)?;
    let Outcome::Account(account) = api.write(Write::EnsureAccount(user.into_bytes())).await?
    else {
        return Err(Reason::Unsupported.into());
    };
    let name = named(&name)?;
    let create = Create { account, name: name.clone(), special_uses: Vec::new() };
    api.change(Write::Create(create), &name).await?;
    Ok((StatusCode::CREATED, Json(json!({ "name": String::from_utf8_lossy(&name) })))
        .into_response())
}

/// `PUT /api/mailboxes/{user}/{name}`: another name for it.
pub(super) async fn rename_mailbox(
    State(api): State<Api>,
    Path((user, name)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let NewName { name: to } = json_of(&body)?;
    let (account, from) = api.place(user, &name).await?;
    let to = named(&to)?;
    let rename = Rename { account, from, to: to.clone() };
    api.change(Write::Rename(rename), &to).await?;
    Ok(Json(json!({ "name": String::from_utf8_lossy(&to) })).into_response())
}

/// `DELETE /api/mailboxes/{user}/{name}`: with the mail in it.
pub(super) async fn remove_mailbox(
    State(api): State<Api>,
    Path((user, name)): Path<(String, String)>,
) -> Answer {
    let (account, name) = api.place(user, &name).await?;
    if name == b"INBOX" {
        let what = "INBOX: it is always there; delete the user, or the messages".to_owned();
        return Err(Refused(StatusCode::CONFLICT, what));
    }
    let delete = Write::Delete(Named { account, name: name.clone() });
    api.change(delete, &name).await?;
    Ok(Json(json!({ "removed": 1 })).into_response())
}

impl Api {
    /// A user's name as it is kept: without a domain it is of the first one.
    fn canonical(&self, address: &str) -> Result<String, Refused> {
        let known = self.shared.backend.directory().known(address.as_bytes());
        let name = known.and_then(|name| String::from_utf8(name).ok());
        name.ok_or_else(|| {
            let what = format!("{address}: no address here; such as bob@test, and of a domain and a user that --domain and --user let in");
            Refused(StatusCode::NOT_FOUND, what)
        })
    }

    fn account(&self, name: &str) -> Result<AccountId, Refused> {
        let account = self.store().reads().account(name.as_bytes())?;
        account.ok_or_else(|| {
            let what = format!(
                "{name}: nobody of this name had mail or logged in; POST /api/users makes one"
            );
            Refused(StatusCode::NOT_FOUND, what)
        })
    }

    fn user(&self, name: &str) -> Result<Value, Refused> {
        let account = self.account(name)?;
        let used = self.store().reads().quota(account)?;
        Ok(json!({
            "address": name,
            "mailboxes": used.mailboxes,
            "messages": used.messages,
            "octets": used.octets,
        }))
    }

    /// Changes mailboxes; why not is told with the name.
    async fn change(&self, write: Write, name: &[u8]) -> Result<(), Refused> {
        let done = self.shared.backend.write(self.catalogue.key(), write).await;
        let Err(reason) = done else { return Ok(()) };
        let why = match reason {
            Reason::AlreadyExists => "there is one of this name",
            Reason::NotPermitted => "this is not possible; a mailbox cannot go below itself",
            Reason::TooMany => "there are too many mailboxes already",
            _ => return Err(reason.into()),
        };
        let name = String::from_utf8_lossy(name);
        Err(Refused(StatusCode::CONFLICT, format!("{name}: {why}")))
    }

    /// Whose a mailbox is, and what it is called; both are there.
    async fn place(&self, user: String, name: &str) -> Result<(AccountId, Vec<u8>), Refused> {
        let (user, name) = (self.canonical(&user)?, named(name)?);
        self.work(move |api| {
            let account = api.account(&user)?;
            match api.store().reads().mailbox(account, &name) {
                Ok(_) => Ok((account, name)),
                Err(Reason::NotFound) => {
                    let what = format!("{user} has no mailbox of this name; GET /api/mailboxes?user={user} lists them");
                    Err(Refused(StatusCode::NOT_FOUND, what))
                }
                Err(reason) => Err(reason.into()),
            }
        })
        .await
    }
}

/// A mailbox's name, in UTF-8.
fn named(name: &str) -> Result<Vec<u8>, Refused> {
    mailbox_name(name.as_bytes(), true).map_err(|_| {
        Refused::wrong("name: no mailbox can have it; levels are parted by /, and none is empty")
    })
}

fn row(row: &MailboxRow) -> Value {
    let status = row.status.clone().unwrap_or_default();
    json!({
        "name": String::from_utf8_lossy(&row.name),
        "messages": status.messages,
        "unseen": status.unseen,
        "octets": status.size,
        "uid_next": status.uid_next,
        "uid_validity": status.uid_validity,
        "subscribed": row.subscribed,
    })
}
