//! The door to portal links.

use std::sync::Arc;

use annals_event::Timestamp;
use rusqlite::Transaction;

use super::{
    HANDOFF_SECONDS, Handoff, LINK_SECONDS, Link, NewLink, RedeemRefusal, Redeemed,
    SESSION_SECONDS_MIN, after, rows,
};
use crate::control::sessions::{self, Grant, SESSION_SECONDS};
use crate::control::texts::{is_origin, is_page_of, is_web_address};
use crate::control::{Control, ControlError, Secret, Session, read, tokens, turn, write};
use crate::{Recorded, Store};

const TEXT_CHARS: usize = 255;

/// A session about to be written, and how its browser is known.
struct Opened {
    digest: [u8; 32],
    session: Arc<Session>,
    grant: Arc<Grant>,
    /// Only for a session that is new.
    cookie: Option<Secret>,
}

impl Store {
    /// Makes a portal link; the secret is the token that goes into its address.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] for the organization; [`ControlError::Invalid`] for a path that is
    /// not below `/w/{organization}/`, an origin that is none, or a text that is too long.
    pub async fn create_link(
        &self,
        new: NewLink,
        record: impl FnOnce(&Link) -> Vec<Recorded> + Send,
    ) -> Result<(Arc<Link>, Secret), ControlError> {
        let control = self.control();
        self.organization(&new.organization_id)
            .ok_or(ControlError::not_found("organization"))?;
        check_new(&new)?;
        let turn = turn(&control.turns.portal).await;
        let now = control.now();
        let link = Arc::new(Link {
            id: tokens::new_id("portal_link_", now)?,
            terms: new,
            created_at: now,
            expires_at: after(now, LINK_SECONDS),
            used_at: None,
        });
        let secret = Secret::generate("")?;
        let digest = secret.digest();
        let events = record(&link);
        let write_row = move |transaction: &Transaction<'_>| {
            rows::prune(transaction, now)?;
            sessions::prune(transaction, now)?;
            rows::insert(transaction, &digest, &link)?;
            Ok(Arc::clone(&link))
        };
        let applied = move |control: &Control, link: &Arc<Link>| {
            write(&control.sessions).prune(now);
            let mut links = write(&control.links);
            links.prune(now);
            links.put(digest, Arc::clone(link));
        };
        let link = self.commit(turn, events, write_row, applied).await?;
        Ok((link, secret))
    }

    /// Redeems a link: the session of `cookie`, or a new one, gets its grant in place of what it held
    /// for that workspace. `record` is called for the first use only.
    ///
    /// # Errors
    /// [`ControlError::Refused`].
    pub async fn redeem_link(
        &self,
        token: &str,
        cookie: Option<&str>,
        record: impl FnOnce(&Link, &Session) -> Vec<Recorded> + Send,
    ) -> Result<Redeemed, ControlError> {
        let control = self.control();
        let digest = tokens::digest(token);
        // Made-up tokens wait for nobody and keep nobody waiting.
        read(&control.links)
            .get(&digest)
            .ok_or(RedeemRefusal::Unknown)?;
        let turn = turn(&control.turns.portal).await;
        let now = control.now();
        let link = read(&control.links)
            .get(&digest)
            .cloned()
            .ok_or(RedeemRefusal::Unknown)?;
        if self.organization(&link.terms.organization_id).is_none() {
            return Err(RedeemRefusal::Unknown.into());
        }
        if link.used_at.is_some() {
            return self.redirect_again(&link, cookie, now);
        }
        if link.expires_at <= now {
            return Err(RedeemRefusal::Expired.into());
        }
        let opened = self.opened(cookie, link.grant(now), now)?;
        let events = record(&link, &opened.session);
        let used = Arc::new(Link {
            used_at: Some(now),
            ..(*link).clone()
        });
        let (session_digest, session) = (opened.digest, Arc::clone(&opened.session));
        let grant = Arc::clone(&opened.grant);
        let write_rows = move |transaction: &Transaction<'_>| {
            rows::set_used(transaction, &digest, now)?;
            sessions::put_session(transaction, &session_digest, &session)?;
            Ok(sessions::put_grant(transaction, &session_digest, &grant)?)
        };
        let session = Arc::clone(&opened.session);
        self.commit(turn, events, write_rows, move |control, ()| {
            write(&control.sessions).put(session_digest, session);
            write(&control.links).put(digest, used);
        })
        .await?;
        self.redeemed(&link, opened, true, now)
    }

    /// A used link opens nothing any more, except in the session that it opened.
    fn redirect_again(
        &self,
        link: &Link,
        cookie: Option<&str>,
        now: Timestamp,
    ) -> Result<Redeemed, ControlError> {
        let cookie = cookie.ok_or(RedeemRefusal::Used)?;
        let session = self.session(cookie).ok_or(RedeemRefusal::Used)?;
        let grant = session
            .grant(&link.terms.organization_id)
            .filter(|grant| grant.link_id == link.id)
            .cloned()
            .ok_or(RedeemRefusal::Used)?;
        let digest = tokens::digest(cookie);
        self.redeemed(
            link,
            Opened {
                digest,
                session,
                grant,
                cookie: None,
            },
            false,
            now,
        )
    }

    /// Adds the handoff token of a redeemed link.
    fn redeemed(
        &self,
        link: &Link,
        opened: Opened,
        first_use: bool,
        now: Timestamp,
    ) -> Result<Redeemed, ControlError> {
        let handoff = Secret::generate("")?;
        let offer = Handoff {
            grant: Arc::clone(&opened.grant),
            session: opened.digest,
            path: link.terms.path.clone(),
            expires_at: after(now, HANDOFF_SECONDS),
        };
        write(&self.control().links).offer(handoff.digest(), offer);
        Ok(Redeemed {
            session: opened.session,
            grant: opened.grant,
            cookie: opened.cookie,
            handoff: Some(handoff),
            path: link.terms.path.clone(),
            first_use,
        })
    }

    /// Redeems a handoff token, for a browser that refused the cookie inside of a frame: the grant
    /// moves to the session of `cookie`, or to a new one. In the session that holds the grant already
    /// the token is spent and nothing changes.
    ///
    /// # Errors
    /// [`ControlError::Refused`].
    pub async fn redeem_handoff(
        &self,
        token: &str,
        cookie: Option<&str>,
    ) -> Result<Redeemed, ControlError> {
        let control = self.control();
        // Taken before anything is written: a token whose redemption fails is spent all the same.
        let taken = write(&control.links).take(&tokens::digest(token));
        let handoff = taken.ok_or(RedeemRefusal::Unknown)?;
        let turn = turn(&control.turns.portal).await;
        let now = control.now();
        if handoff.expires_at <= now {
            return Err(RedeemRefusal::Expired.into());
        }
        // The grant may have been replaced or ended in that minute.
        let organization_id = handoff.grant.organization_id.clone();
        let former = handoff.session;
        let held = read(&control.sessions)
            .get(&former)
            .and_then(|session| session.grant(&organization_id).cloned())
            .filter(|grant| grant.link_id == handoff.grant.link_id);
        let grant = match (held, self.organization(&organization_id)) {
            (Some(grant), Some(_)) => grant,
            _ => return Err(RedeemRefusal::Unknown.into()),
        };
        if let Some(session) = cookie.and_then(|cookie| self.session(cookie))
            && cookie.is_some_and(|cookie| tokens::digest(cookie) == former)
        {
            let (path, cookie, handoff) = (handoff.path, None, None);
            return Ok(Redeemed {
                session,
                grant,
                cookie,
                handoff,
                path,
                first_use: false,
            });
        }
        let opened = self.opened(cookie, (*grant).clone(), now)?;
        let (digest, session) = (opened.digest, Arc::clone(&opened.session));
        let moved = Arc::clone(&opened.grant);
        let from = organization_id.clone();
        let write_rows = move |transaction: &Transaction<'_>| {
            sessions::remove_grant(transaction, &former, &from)?;
            sessions::put_session(transaction, &digest, &session)?;
            Ok(sessions::put_grant(transaction, &digest, &moved)?)
        };
        let session = Arc::clone(&opened.session);
        self.commit(turn, Vec::new(), write_rows, move |control, ()| {
            let mut sessions = write(&control.sessions);
            sessions.remove_grant(&former, &organization_id);
            sessions.put(digest, session);
        })
        .await?;
        Ok(Redeemed {
            session: opened.session,
            grant: opened.grant,
            cookie: opened.cookie,
            handoff: None,
            path: handoff.path,
            first_use: false,
        })
    }

    /// The session of `cookie`, or a new one, with `grant` in it.
    fn opened(
        &self,
        cookie: Option<&str>,
        mut grant: Grant,
        now: Timestamp,
    ) -> Result<Opened, ControlError> {
        let control = self.control();
        let living = cookie.and_then(|cookie| Some((cookie, self.session(cookie)?)));
        let (digest, session, cookie) = match living {
            Some((cookie, session)) => (tokens::digest(cookie), session, None),
            None => {
                let secret = Secret::generate("")?;
                let id = tokens::new_id("session_", now)?;
                let session = Arc::new(Session::new(id, now, &control.secret));
                (secret.digest(), session, Some(secret))
            }
        };
        // Reading is recorded once per session and person, not once per link.
        if let Some(held) = session.grant(&grant.organization_id)
            && held.user.is_some()
            && held.user == grant.user
        {
            grant.viewed_recorded |= held.viewed_recorded;
        }
        let grant = Arc::new(grant);
        let session = Arc::new(session.with(Arc::clone(&grant)));
        Ok(Opened {
            digest,
            session,
            grant,
            cookie,
        })
    }
}

fn check_new(new: &NewLink) -> Result<(), ControlError> {
    let bad = |field: &'static str, message: &str| {
        Err(ControlError::invalid(
            field,
            "bad_pattern",
            format!("{field} {message}"),
        ))
    };
    if new
        .path
        .as_ref()
        .is_some_and(|path| !is_page_of(path, &new.organization_id))
    {
        return bad("path", "must be a page below /w/{organization}/");
    }
    if new
        .embed_origin
        .as_ref()
        .is_some_and(|origin| !is_origin(origin))
    {
        return bad(
            "embed_origin",
            "must be an origin such as https://app.example.com",
        );
    }
    if new
        .return_url
        .as_ref()
        .is_some_and(|url| !is_web_address(url))
    {
        return bad("return_url", "must be an http or https address");
    }
    if new.external_user_id.as_ref().is_some_and(|id| !is_id(id)) {
        return bad(
            "external_user_id",
            "must have 1 to 128 bytes, no control characters",
        );
    }
    if new
        .session_seconds
        .is_some_and(|lasts| !(SESSION_SECONDS_MIN..=SESSION_SECONDS).contains(&lasts))
    {
        return Err(ControlError::invalid(
            "session_seconds",
            "out_of_range",
            format!("session_seconds must be {SESSION_SECONDS_MIN} to {SESSION_SECONDS}"),
        ));
    }
    let Some(user) = &new.user else { return Ok(()) };
    if !is_id(&user.id) {
        return bad("user.id", "must have 1 to 128 bytes, no control characters");
    }
    if user.name.as_ref().is_some_and(|name| !is_text(name)) {
        return bad(
            "user.name",
            "must have at most 255 characters, none of them a control character",
        );
    }
    if user.email.as_ref().is_some_and(|email| !is_text(email)) {
        return bad(
            "user.email",
            "must have at most 255 characters, none of them a control character",
        );
    }
    Ok(())
}

/// What an event takes as the id of its actor or target: what a person does with the link is recorded
/// under this id, so one that no event takes would let them read unrecorded.
fn is_id(id: &str) -> bool {
    (1..=annals_event::limits::ID_BYTES).contains(&id.len()) && !id.contains(char::is_control)
}

fn is_text(text: &str) -> bool {
    text.chars().count() <= TEXT_CHARS && !text.contains(char::is_control)
}
