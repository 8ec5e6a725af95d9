//! A device whose owner reads and writes mail in a browser: what they want there, and what the browser shows them.

use super::World;
use super::action::Letter;
use super::device::login;
use super::errand::{Errand, Goal};
use super::ids::NodeId;
use super::log::Screen;
use super::seat::{BrowsePlan, Cookies, WebNews, Wish};
use super::setup::AccountSetup;
use crate::web::page::{Line, Page};

/// The port of the web.
const PORT: u16 = 80;

/// What a browser shows and remembers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Browser {
    pub(crate) cookies: Cookies,
    pub(crate) path: String,
    pub(crate) page: Page,
    /// The list of messages that came last.
    pub(crate) list: Page,
    /// What is wanted now.
    wish: Option<Wish>,
}

/// Messages that a list names, and unread ones.
fn listed(list: &Page) -> (u64, u64) {
    let is_message =
        |line: &&Line| line.link.as_ref().is_some_and(|link| link.starts_with("/in/INBOX/"));
    let all = list.lines.iter().filter(is_message);
    let new = all.clone().filter(|line| line.text.ends_with("unread"));
    (all.count() as u64, new.count() as u64)
}

impl World {
    /// Somebody does something at their web mail.
    pub(super) fn browse(&mut self, device: &str, order: &str) -> Result<(), String> {
        let node = self.node_of(device)?;
        let account = self.account(node)?;
        let (verb, rest) = order.split_once(' ').unwrap_or((order, ""));
        let number = || rest.parse().map_err(|_| format!("expected a number: {order}"));
        let wish = match verb {
            "read" => Wish::Read(number()?),
            "delete" => Wish::Delete(number()?),
            "sign" if rest == "out" => Wish::SignOut,
            _ => return Err(format!("read 1, delete 1 or sign out, not {order}")),
        };
        self.look_by_web(node, &account, wish)
    }

    pub(super) fn look_by_web(
        &mut self,
        node: NodeId,
        account: &AccountSetup,
        wish: Wish,
    ) -> Result<(), String> {
        self.go_browsing(node, account, (account.server.clone(), PORT), wish);
        Ok(())
    }

    pub(super) fn write_by_web(
        &mut self,
        node: NodeId,
        account: &AccountSetup,
        place: (String, u16),
        letter: &Letter,
    ) -> Result<(), String> {
        if !(letter.html.is_empty() && letter.pictures.is_empty() && letter.files.is_empty()) {
            return Err("this browser is of 1996: it sends text, and no files".to_owned());
        }
        self.show(node, Screen::Sending { subject: letter.subject.clone() });
        let fields = [("to", &letter.to), ("subject", &letter.subject), ("text", &letter.text)];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.clone()));
        self.go_browsing(node, account, place, Wish::Send(fields.to_vec()));
        Ok(())
    }

    fn go_browsing(
        &mut self,
        node: NodeId,
        account: &AccountSetup,
        (host, port): (String, u16),
        wish: Wish,
    ) {
        let browser = &mut self.node_mut(node).device.browser;
        browser.wish = Some(wish.clone());
        let cookies = browser.cookies.clone();
        let plan = BrowsePlan { wish, login: login(account), cookies };
        self.errand(node, Errand { host, port, goal: Goal::Browse(plan) });
    }

    pub(super) fn web_news(&mut self, node: NodeId, news: WebNews) {
        let browser = &mut self.node_mut(node).device.browser;
        match news {
            WebNews::Cookies(cookies) => browser.cookies = cookies,
            WebNews::Shown(path, page) => {
                if path == "/in/INBOX" {
                    browser.list = (*page).clone();
                }
                browser.path = path;
                browser.page = *page;
            }
            WebNews::Done(how) => {
                let wish = browser.wish.take();
                let ((shown, new), title) = (listed(&browser.list), browser.page.title.clone());
                // Behind its title a page says what was done.
                let first = browser.page.lines.get(1).map(|line| line.text.clone());
                let told = match (how, wish) {
                    (Ok(()), Some(Wish::Inbox)) => Screen::Got { new, shown },
                    (Ok(()), Some(Wish::Send(_))) => {
                        Screen::Sent { reply: first.unwrap_or_default() }
                    }
                    (Ok(()), Some(Wish::Read(_))) => {
                        Screen::Changed { how: format!("reads “{title}”") }
                    }
                    (Ok(()), _) => Screen::Changed { how: format!("sees “{title}”") },
                    (Err(why), Some(Wish::Send(_))) => Screen::NotSent { why },
                    (Err(why), _) => Screen::Failed { why },
                };
                self.show(node, told);
            }
        }
    }
}
