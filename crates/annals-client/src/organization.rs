//! A workspace as Annals knows it, and the links that open its page.

use annals_event::{Json, Object};

/// A workspace that Annals is to know.
///
/// ```
/// use annals_client::Organization;
/// let acme = Organization::new("org_acme", "Acme")
///     .viewer_url("https://app.example.com/acme/settings/audit-logs?open={path}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    pub(crate) id: String,
    pub(crate) name: String,
    viewer_url: Option<String>,
}

impl Organization {
    /// A workspace with an id, 1 to 64 of `A-Z a-z 0-9 _ -`, and a name of 1 to 255 characters.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            viewer_url: None,
        }
    }

    /// Where your own page shows the audit log, with `{path}` for the page of Annals to open. "Copy link", mails and "session expired"
    /// lead there; your page passes the path on by [`PortalLink::path`].
    #[must_use]
    pub fn viewer_url(mut self, template: impl Into<String>) -> Self {
        self.viewer_url = Some(template.into());
        self
    }

    /// The body of `POST /organizations`.
    pub(crate) fn to_body(&self) -> String {
        let mut body = Object::new();
        body.insert("id", self.id.as_str());
        body.insert("name", self.name.as_str());
        put(&mut body, "viewer_url", self.viewer_url.as_deref());
        Json::Object(body).to_canonical()
    }
}

/// A link that opens the audit log page of a workspace, once and within a few minutes: for whom, where, and in which frame.
///
/// ```
/// use annals_client::PortalLink;
/// let link = PortalLink::new("org_acme")
///     .user("usr_1", "Ana Ruiz", "ana@acme.example")   // is recorded as the one who reads
///     .role("owner")
///     .embed_origin("https://app.example.com");        // whose page shows it in a frame
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalLink {
    organization: String,
    user: Option<(String, String, String)>,
    role: Option<String>,
    path: Option<String>,
    embed_origin: Option<String>,
    return_url: Option<String>,
    session_seconds: Option<u32>,
}

impl PortalLink {
    /// A link to the page of a workspace. Without [`PortalLink::user`] the link itself is recorded as the one who reads.
    pub fn new(workspace: impl Into<String>) -> Self {
        Self {
            organization: workspace.into(),
            user: None,
            role: None,
            path: None,
            embed_origin: None,
            return_url: None,
            session_seconds: None,
        }
    }

    /// The person who will use it. By this id everything that was opened for the person can be closed, with
    /// `Client::close_portal_of`.
    #[must_use]
    pub fn user(
        mut self,
        id: impl Into<String>,
        name: impl Into<String>,
        email: impl Into<String>,
    ) -> Self {
        self.user = Some((id.into(), name.into(), email.into()));
        self
    }

    /// What the person may do there: `viewer`, `auditor` (unless said), `investigator` or `owner`.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }

    /// The page to open, as Annals put it for `{path}` into your [`Organization::viewer_url`].
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The origin of your page, where that shows Annals in a frame: `https://app.example.com`.
    #[must_use]
    pub fn embed_origin(mut self, origin: impl Into<String>) -> Self {
        self.embed_origin = Some(origin.into());
        self
    }

    /// Where "back" leads.
    #[must_use]
    pub fn return_url(mut self, url: impl Into<String>) -> Self {
        self.return_url = Some(url.into());
        self
    }

    /// How long what the link opens lasts at most: a minute to 24 hours, which it is unless said. A page of yours that asks for a link
    /// each time it is shown can keep this short.
    #[must_use]
    pub fn session_seconds(mut self, seconds: u32) -> Self {
        self.session_seconds = Some(seconds);
        self
    }

    /// The body of `POST /portal/generate_link`.
    #[cfg(feature = "http")]
    pub(crate) fn to_body(&self) -> String {
        let mut body = Object::new();
        body.insert("organization", self.organization.as_str());
        body.insert("intent", "audit_logs");
        if let Some((id, name, email)) = &self.user {
            let mut user = Object::new();
            user.insert("id", id.as_str());
            user.insert("name", name.as_str());
            user.insert("email", email.as_str());
            body.insert("user", user);
        }
        put(&mut body, "role", self.role.as_deref());
        put(&mut body, "path", self.path.as_deref());
        put(&mut body, "embed_origin", self.embed_origin.as_deref());
        put(&mut body, "return_url", self.return_url.as_deref());
        if let Some(seconds) = self.session_seconds {
            body.insert("session_seconds", seconds);
        }
        Json::Object(body).to_canonical()
    }
}

/// The body of `POST /portal/revoke_link`.
#[cfg(feature = "http")]
pub(crate) fn revocation(workspace: &str, user: &str) -> String {
    let mut body = Object::new();
    body.insert("organization", workspace);
    body.insert("external_user_id", user);
    Json::Object(body).to_canonical()
}

fn put(body: &mut Object, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        body.insert(key, value);
    }
}
