//! Every mail that the tracker writes. Plain functions: what they are given is in the mail, and nothing else.

use std::fmt::Write as _;

use super::Mail;

/// Names of people and workspaces are written by strangers: in a mail they are one line of at most so many characters.
const NAME_CHARS: usize = 80;

/// Proves the address at sign-up.
pub(crate) fn verify_email(to: &str, name: &str, link: &str) -> Mail {
    Letter::to(name)
        .line("Welcome to Tracker. Please confirm that this address is yours; then your account is ready.")
        .button("Confirm your address", link)
        .line("The link works for three days. If you did not sign up, do nothing, and nothing happens.")
        .mail(to, "Confirm your address")
}

/// To somebody who has an account and signs up again; the page tells everybody the same.
pub(crate) fn already_registered(to: &str, name: &str, link: &str) -> Mail {
    Letter::to(name)
        .line("Somebody, probably you, signed up with this address. It has an account already: just sign in.")
        .button("Sign in", link)
        .line("If you forgot the password, you can set a new one from there. If it was not you, nothing has changed.")
        .mail(to, "You already have an account")
}

/// Proves a new address, to which it is sent.
pub(crate) fn confirm_new_email(to: &str, name: &str, link: &str) -> Mail {
    Letter::to(name)
        .line(
            "You asked to sign in with this address from now on. Please confirm that it is yours.",
        )
        .button("Use this address", link)
        .line("The link works for three days. Until you open it, your old address stays.")
        .mail(to, "Confirm your new address")
}

/// Tells the old address that another one was asked for.
pub(crate) fn email_change_notice(to: &str, name: &str, new_address: &str) -> Mail {
    Letter::to(name)
        .line(format!(
            "Somebody signed in as you asked to change the address of your account to {}. The change waits until that address is confirmed.",
            line(new_address)
        ))
        .line("If it was not you, set a new password now; that signs out everybody else.")
        .mail(to, "Your address is about to change")
}

/// The code to sign in with.
pub(crate) fn login_code(to: &str, name: &str, code: &str) -> Mail {
    Letter::to(name)
        .line("Here is your code to sign in. It works once, for ten minutes.")
        .code(code)
        .line("Nobody from Tracker will ever ask you for it. If you did not want to sign in, do nothing.")
        .mail(to, "Your code to sign in")
}

/// The way back in without the password.
pub(crate) fn password_reset(to: &str, name: &str, link: &str) -> Mail {
    Letter::to(name)
        .line("You can set a new password here. Doing so signs you out everywhere.")
        .button("Set a new password", link)
        .line("The link works once, for one hour. If you did not ask for it, do nothing; your password stays.")
        .mail(to, "Set a new password")
}

/// Tells the owner that the password is another one.
pub(crate) fn password_changed(to: &str, name: &str, link: &str) -> Mail {
    Letter::to(name)
        .line("The password of your account was changed.")
        .line("If it was not you, set a new one now.")
        .button("Set a new password", link)
        .mail(to, "Your password was changed")
}

/// Asks somebody into a workspace.
pub(crate) fn workspace_invitation(
    to: &str,
    inviter: &str,
    workspace: &str,
    role: &str,
    link: &str,
) -> Mail {
    let (inviter, workspace) = (line(inviter), line(workspace));
    Letter::to("")
        .line(format!(
            "{inviter} invites you to the workspace {workspace} as {role}, to report issues and follow them together."
        ))
        .button("Join the workspace", link)
        .line(NOT_EXPECTED)
        .mail(to, &format!("{inviter} invites you to {workspace}"))
}

/// Asks somebody into a project of a workspace.
pub(crate) fn project_invitation(
    to: &str,
    inviter: &str,
    workspace: &str,
    project: &str,
    link: &str,
) -> Mail {
    let (inviter, workspace, project) = (line(inviter), line(workspace), line(project));
    Letter::to("")
        .line(format!(
            "{inviter} of {workspace} invites you to the project {project}, to report issues and follow them together."
        ))
        .button("Join the project", link)
        .line(NOT_EXPECTED)
        .mail(to, &format!("{inviter} invites you to {project}"))
}

const NOT_EXPECTED: &str =
    "The link works for seven days. If you did not expect this, do nothing, and nothing happens.";

/// Proves that somebody reads mail at a domain before its people may join by themselves.
pub(crate) fn domain_ownership(
    to: &str,
    asked_by: &str,
    workspace: &str,
    domain: &str,
    link: &str,
) -> Mail {
    let (asked_by, workspace, domain) = (line(asked_by), line(workspace), line(domain));
    Letter::to("")
        .line(format!(
            "{asked_by} wants everybody with an address at {domain} to be able to join the workspace {workspace} without an invitation."
        ))
        .line("Whoever opens this link confirms that this is right for the domain.")
        .button("Confirm the domain", link)
        .line("The link works for three days. If you do not know about this, do nothing, and nothing happens.")
        .mail(to, &format!("Confirm {domain} for {workspace}"))
}

/// What may stand in a subject and in a sentence: one line, not endless.
fn line(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(NAME_CHARS) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

/// A mail being written, in both forms at once.
struct Letter {
    text: String,
    html: String,
}

impl Letter {
    /// Begins with the name of the reader, where it is known.
    fn to(name: &str) -> Self {
        let name = line(name);
        let greeting = if name.is_empty() {
            "Hello,".to_owned()
        } else {
            format!("Hello {name},")
        };
        let letter = Self {
            text: String::new(),
            html: String::new(),
        };
        letter.line(greeting)
    }

    fn line(mut self, text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        let _ = write!(self.text, "{text}\n\n");
        let _ = write!(self.html, "<p>{}</p>", escape(text));
        self
    }

    /// What the mail is for. In plain text the address stands alone in its line, so that every reader makes it a link.
    fn button(mut self, label: &str, link: &str) -> Self {
        let _ = write!(self.text, "{label}:\n{link}\n\n");
        let _ = write!(
            self.html,
            "<p style=\"margin:28px 0\"><a href=\"{}\" style=\"background:#3446c2;color:#ffffff;padding:12px 20px;\
             border-radius:8px;text-decoration:none;font-weight:600;display:inline-block\">{}</a></p>",
            escape(link),
            escape(label)
        );
        self
    }

    fn code(mut self, code: &str) -> Self {
        let _ = write!(self.text, "    {code}\n\n");
        let _ = write!(
            self.html,
            "<p style=\"margin:28px 0;font:600 30px/1.2 monospace;letter-spacing:6px\">{}</p>",
            escape(code)
        );
        self
    }

    fn mail(mut self, to: &str, subject: &str) -> Mail {
        self.text.push_str("-- \nTracker\n");
        Mail {
            to: to.to_owned(),
            subject: subject.to_owned(),
            text: self.text,
            html: format!(
                "<!doctype html><html lang=\"en\"><body style=\"margin:0;padding:32px 16px;color:#171a21;font:16px/1.55 sans-serif\">\
                 <div style=\"max-width:520px;margin:0 auto\">{}<p style=\"color:#59616f;font-size:14px\">Tracker</p></div></body></html>",
                self.html
            ),
        }
    }
}

/// A text as it stands in HTML, in attributes too.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
