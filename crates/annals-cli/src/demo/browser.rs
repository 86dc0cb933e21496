//! A person's browser in front of the tracker: cookies, forms, and the links of mails. It knows nothing that a page does not tell it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use ureq::Agent;
use ureq::http::header::{LOCATION, SET_COOKIE};

/// A page is never larger.
const PAGE_MAX: u64 = 4 << 20;
/// How long a mail may take to arrive.
const MAIL_WAIT: Duration = Duration::from_secs(10);

/// One browser of one person.
pub(crate) struct Browser {
    agent: Agent,
    tracker: String,
    address: &'static str,
    user_agent: &'static str,
    cookies: BTreeMap<String, String>,
    /// The token of this browser's forms, once it has seen one.
    csrf: Option<String>,
    /// Mails that were read.
    read: BTreeSet<String>,
}

/// What came back.
pub(crate) struct Page {
    pub(crate) status: u16,
    /// Where the browser was sent.
    pub(crate) location: Option<String>,
    pub(crate) body: String,
}

/// Connections to the tracker, shared by all browsers.
pub(crate) fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into()
}

impl Browser {
    /// A browser without cookies that comes from `address`, as a proxy would say it.
    pub(crate) fn new(
        agent: &Agent,
        tracker: &str,
        address: &'static str,
        user_agent: &'static str,
    ) -> Self {
        Self {
            agent: agent.clone(),
            tracker: tracker.to_owned(),
            address,
            user_agent,
            cookies: BTreeMap::new(),
            csrf: None,
            read: BTreeSet::new(),
        }
    }

    /// Goes on from another place: the same browser elsewhere.
    pub(crate) fn moves_to(&mut self, address: &'static str) {
        self.address = address;
    }

    /// Opens a page.
    pub(crate) fn open(&mut self, path: &str) -> Result<Page> {
        let request = self
            .agent
            .get(format!("{}{path}", self.tracker))
            .header("user-agent", self.user_agent)
            .header("x-forwarded-for", self.address)
            .header("cookie", self.cookie());
        let answer = request
            .call()
            .with_context(|| format!("cannot open {path}"))?;
        self.take(path, answer)
    }

    /// Sends a form. An answer that is neither a page nor a redirect is an error; that the tracker refuses is not.
    pub(crate) fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Page> {
        let csrf = self.csrf()?;
        let mut form = vec![("csrf", csrf.as_str())];
        form.extend_from_slice(fields);
        let request = self
            .agent
            .post(format!("{}{path}", self.tracker))
            .header("user-agent", self.user_agent)
            .header("x-forwarded-for", self.address)
            .header("cookie", self.cookie());
        let answer = request
            .send_form(form)
            .with_context(|| format!("cannot send {path}"))?;
        self.take(path, answer)
    }

    /// Sends a form that has to be taken.
    pub(crate) fn must(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Page> {
        let page = self.send(path, fields)?;
        if page.status >= 400 {
            bail!("{path} was refused with {}: {}", page.status, page.said());
        }
        Ok(page)
    }

    /// Sends a form that has to be refused.
    pub(crate) fn refused(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Page> {
        let page = self.send(path, fields)?;
        if page.status < 400 {
            bail!(
                "{path} was to be refused, and was answered with {}",
                page.status
            );
        }
        Ok(page)
    }

    fn csrf(&mut self) -> Result<String> {
        if let Some(token) = &self.csrf {
            return Ok(token.clone());
        }
        let page = self.open("/login")?;
        let token = page
            .between("name=\"csrf\" value=\"", "\"")
            .context("the page has no form")?;
        self.csrf = Some(token.clone());
        Ok(token)
    }

    fn cookie(&self) -> String {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    fn take(&mut self, path: &str, mut answer: ureq::http::Response<ureq::Body>) -> Result<Page> {
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap_or_default();
            let pair = cookie.split(';').next().unwrap_or_default();
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            // What a page says once was read by nobody; it would stand on a page days later.
            if name == "tracker_flash" {
                continue;
            }
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let status = answer.status().as_u16();
        let location = answer
            .headers()
            .get(LOCATION)
            .and_then(|to| to.to_str().ok())
            .map(str::to_owned);
        let body = answer
            .body_mut()
            .with_config()
            .limit(PAGE_MAX)
            .read_to_string();
        let body = body.with_context(|| format!("{path} broke off"))?;
        if status >= 500 {
            bail!("{path} answered with {status}");
        }
        Ok(Page {
            status,
            location,
            body,
        })
    }

    /// Text of the newest mail to an address whose subject contains `subject`, once there is one that was not read yet.
    pub(crate) fn mail(&mut self, to: &str, subject: &str) -> Result<String> {
        let begun = Instant::now();
        loop {
            let mail = self.newest(to, subject)?;
            if let Some(mail) = mail.filter(|mail| !self.read.contains(mail)) {
                self.read.insert(mail.clone());
                return Ok(mail);
            }
            if begun.elapsed() > MAIL_WAIT {
                bail!("no mail “{subject}” came to {to}");
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    fn newest(&mut self, to: &str, subject: &str) -> Result<Option<String>> {
        let encoded =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let page = self.open(&format!(
            "/mailbox/latest?to={}&subject={}",
            encoded(to),
            encoded(subject)
        ))?;
        Ok((page.status == 200).then_some(page.body))
    }

    /// The path of the link in the newest such mail that was not read yet.
    pub(crate) fn link(&mut self, to: &str, subject: &str) -> Result<String> {
        link_in(&self.mail(to, subject)?, subject)
    }

    /// The path of the link in the newest such mail, read or not.
    pub(crate) fn old_link(&mut self, to: &str, subject: &str) -> Result<String> {
        link_in(&self.newest(to, subject)?.unwrap_or_default(), subject)
    }
}

fn link_in(mail: &str, subject: &str) -> Result<String> {
    let link = mail
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("http"));
    link.map(path_of)
        .with_context(|| format!("the mail “{subject}” has no link"))
}

impl Page {
    /// What stands between two texts, the first time.
    pub(crate) fn between(&self, before: &str, after: &str) -> Option<String> {
        let (_, rest) = self.body.split_once(before)?;
        rest.split_once(after).map(|(found, _)| found.to_owned())
    }

    /// What the form that is sent to `action` holds when nobody has touched it, as a browser would send it.
    pub(crate) fn form(&self, action: &str) -> Vec<(String, String)> {
        let Some((_, rest)) = self.body.split_once(&format!("action=\"{action}\"")) else {
            return Vec::new();
        };
        let form = rest.split("</form>").next().unwrap_or_default();
        let mut fields = Vec::new();
        for tag in form.split('<').skip(1) {
            let Some(name) = attribute(tag, "name") else {
                continue;
            };
            let after = || {
                form[form.find(tag).unwrap_or(0)..]
                    .split_once('>')
                    .map_or("", |(_, after)| after)
            };
            let value = if tag.starts_with("select ") {
                let options = after().split("</select>").next().unwrap_or_default();
                let mut options = options.split("<option ").skip(1);
                let first = options.clone().next();
                let chosen = options
                    .find(|option| option.contains("\" selected>"))
                    .or(first);
                chosen
                    .and_then(|option| attribute(option, "value"))
                    .unwrap_or_default()
            } else if tag.starts_with("textarea ") {
                let text = after().split("</textarea>").next().unwrap_or_default();
                plain(text.trim_start_matches('\n'))
            } else if tag.contains("type=\"radio\"") || tag.contains("type=\"checkbox\"") {
                if !tag.contains(" checked") {
                    continue;
                }
                attribute(tag, "value").unwrap_or_default()
            } else {
                attribute(tag, "value").unwrap_or_default()
            };
            fields.push((name, value));
        }
        fields
    }

    /// The path to which it sent the browser.
    pub(crate) fn went(&self) -> Result<String> {
        self.location
            .as_deref()
            .map(path_of)
            .context("the page sent nobody anywhere")
    }

    /// What the page says is wrong, for the person who runs the demo.
    fn said(&self) -> String {
        let found = ["role=\"alert\">", "class=\"error\"", "<h1>"]
            .into_iter()
            .find_map(|mark| self.between(mark, "</p>"));
        let text: String = found.unwrap_or_default().chars().take(400).collect();
        text
    }
}

/// An attribute of a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = tag.split('>').next()?;
    let (_, value) = tag.split_once(&format!(" {name}=\""))?;
    value.split('"').next().map(plain)
}

/// A text without the escapes of HTML.
fn plain(text: &str) -> String {
    text.replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#38;", "&")
}

/// The path and the query of an address.
pub(crate) fn path_of(address: &str) -> String {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    match rest.find('/') {
        Some(at) => rest[at..].to_owned(),
        None => "/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn links_become_paths() {
        assert_eq!(path_of("http://127.0.0.1:4620/join/a?b=c"), "/join/a?b=c");
        assert_eq!(path_of("/w/acme"), "/w/acme");
        assert_eq!(path_of("http://127.0.0.1:4620"), "/");
    }
}
