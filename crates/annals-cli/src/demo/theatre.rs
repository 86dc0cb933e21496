//! Where the month is performed, and the tracker that stays when it is over.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use annals_event::Timestamp;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tracker::{Annals, Config, Limits, MailSettings, Provider, Tracker};

use super::cast::NORTHWIND;
use super::clock::DemoClock;
use super::stage::Stage;
use super::taskyard::{CLIENT, Places};
use super::{ACME, GLOBEX, story};
use crate::client::Client;
use crate::progress::Progress;

/// What a tracker of the demo is made of.
#[derive(Clone)]
pub(super) struct Theatre {
    pub(super) data: PathBuf,
    /// Where people reach the tracker.
    pub(super) address: SocketAddr,
    pub(super) annals: String,
    pub(super) key: String,
    pub(super) taskyard: Places,
}

impl Theatre {
    pub(super) fn tracker_url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn config(&self, performing: bool) -> Config {
        let yard = &self.taskyard.provider;
        Config {
            database: self.data.join("tracker.db"),
            public_url: self.tracker_url(),
            annals: Annals {
                url: self.annals.clone(),
                key: self.key.clone(),
            },
            mail: MailSettings::Mailbox(self.data.join("mailbox.db")),
            providers: vec![Provider {
                id: "taskyard".to_owned(),
                name: "Taskyard".to_owned(),
                authorize_url: format!("{yard}/oauth/authorize"),
                token_url: format!("{yard}/oauth/token"),
                revoke_url: Some(format!("{yard}/oauth/revoke")),
                api_url: format!("{yard}/api"),
                client_id: CLIENT.0.to_owned(),
                client_secret: CLIENT.1.to_owned(),
                scopes: vec!["account:read".to_owned(), "issues:write".to_owned()],
                timeout: Duration::from_secs(2),
            }],
            // The people of the story come from all over the world; those who click come from here.
            trusted_proxies: if performing {
                vec![loopback()]
            } else {
                Vec::new()
            },
            limits: Limits {
                guests: 2,
                ..Limits::default()
            },
            clock_door: performing,
        }
    }

    /// Performs the month that ends at `until` on a tracker that only the story can reach, and says what it leaves behind.
    pub(super) async fn perform(
        &self,
        clock: &Arc<DemoClock>,
        seed: u64,
        until: Timestamp,
        progress: bool,
    ) -> Result<Value> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("cannot listen on this machine")?;
        let tracker_url = format!("http://{}", listener.local_addr()?);
        let tracker = Tracker::open(self.config(true))
            .await
            .context("cannot open the tracker")?;
        let (over, is_over) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(tracker.run(listener, async {
            let _ = is_over.await;
        }));
        let span = story::span(until);
        let shown = progress.then(|| {
            let days = u64::try_from(story::DAYS).ok();
            Progress::new("A month is being performed in the tracker:", days).in_lines_too()
        });
        let mut stage = Stage::new(
            &tracker_url,
            &self.taskyard.provider,
            clock.clone(),
            seed,
            span,
            shown,
        );
        let site = self.taskyard.site.clone();
        let left = tokio::task::spawn_blocking(move || {
            story::perform(&mut stage, until)?;
            leave(&mut stage, &site)
        });
        let left = left.await.context("the month was interrupted")??;
        drop(over);
        serving.await.context("the tracker was interrupted")??;
        Ok(left)
    }

    /// Serves the tracker that people click through.
    pub(super) fn serve(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = Result<()>> + Send + 'static {
        let config = self.config(false);
        async move {
            let tracker = Tracker::open(config)
                .await
                .context("cannot open the tracker")?;
            tracker
                .run(listener, stop)
                .await
                .context("the tracker failed")
        }
    }
}

fn loopback() -> tracker::Network {
    "127.0.0.0/8"
        .parse()
        .unwrap_or_else(|_| unreachable!("an address with its mask"))
}

/// Lets the widget of one project stand in the customer's page, and writes down who can sign in.
fn leave(stage: &mut Stage, site: &str) -> Result<Value> {
    let project = &stage.projects[NORTHWIND];
    let (path, widget) = (
        format!("{}/settings/widget", project.path),
        project.widget.clone(),
    );
    let hosts = format!(
        "portal.northwind.example\n{}",
        site.trim_start_matches("http://")
    );
    stage.browser(super::cast::ANN).must(
        &path,
        &[("visibility", "everyone"), ("allowed_hosts", &hosts)],
    )?;
    stage.settle()?;
    let people: Vec<Value> = stage
        .people
        .iter()
        .enumerate()
        .filter(|(who, person)| {
            stage.present[*who]
                || person.email.ends_with("globex.example")
                    && person.role == super::cast::Role::Admin
        })
        .map(|(who, person)| {
            let workspace = if stage.present[who] { ACME } else { GLOBEX };
            json!({
                "name": person.name, "email": person.email, "password": person.password,
                "role": person.role.as_str(), "workspace": workspace,
            })
        })
        .collect();
    Ok(json!({"complete": true, "widget": widget, "people": people}))
}

/// What Annals knows of the month.
pub(super) struct Found {
    pub(super) acme: String,
    pub(super) globex: String,
    /// Events of the sample workspace.
    pub(super) size: u64,
    /// Who made each of the two, as the page greets them.
    pub(super) founders: [Value; 2],
}

impl Found {
    /// Looks the workspaces up by their names, and locks the second one as its operator would.
    pub(super) fn look(client: &Client) -> Result<Self> {
        let all = client.get("/organizations?limit=100")?;
        let id = |name: &str| {
            let found = all["data"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|one| one["name"] == name);
            let id = found.and_then(|one| one["id"].as_str()).map(str::to_owned);
            id.with_context(|| format!("Annals does not know {name}"))
        };
        let (acme, globex) = (id(ACME)?, id(GLOBEX)?);
        let founder = |id: &str| {
            let query = format!(
                "/audit_logs/events?organization_id={id}&q=action:workspace.created&limit=1"
            );
            let event = &client.get(&query)?["data"][0]["event"];
            let actor = &event["actor"];
            anyhow::Ok(
                json!({"id": actor["id"], "name": actor["name"], "email": actor["metadata"].get("email").unwrap_or(&actor["email"])}),
            )
        };
        let founders = [founder(&acme)?, founder(&globex)?];
        client.put(
            &format!("/organizations/{globex}/entitlement"),
            &json!({"state": "inactive"}),
        )?;
        let checkpoint = client.get(&format!("/audit_logs/checkpoint?organization_id={acme}"))?;
        Ok(Self {
            acme,
            globex,
            size: checkpoint["size"].as_u64().unwrap_or(0),
            founders,
        })
    }
}
