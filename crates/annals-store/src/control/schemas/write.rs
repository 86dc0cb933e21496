//! The door to schemas.

use std::sync::Arc;

use annals_event::{
    ActionSchema, Event, EventError, Json, Problem, ProblemCode, Timestamp, is_name,
};
use rusqlite::{Connection, Transaction, params};

use super::{Action, SchemaVersion, Schemas};
use crate::control::{ControlError, Created, ListQuery, Page, damaged, lists, read, turn, write};
use crate::{Recorded, Store, StoreError};

/// Actions with a schema. All are in memory.
const ACTIONS: usize = 1_000;
/// Versions of one action.
const VERSIONS: usize = 200;

impl Store {
    /// Makes a new version of an action's schema, and the action if it is new. A schema that equals
    /// the newest version makes none, and that one is returned.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] if the action breaks the rule for names, or there are too many.
    pub async fn put_schema(
        &self,
        action: &str,
        schema: ActionSchema,
        record: impl FnOnce(&SchemaVersion) -> Vec<Recorded> + Send,
    ) -> Result<Created<Arc<SchemaVersion>>, ControlError> {
        check_action(action)?;
        let turn = turn(&self.control().turns.schemas).await;
        let (latest, count) = {
            let schemas = read(&self.control().schemas);
            let versions = schemas.versions(action).unwrap_or_default();
            if versions.is_empty() && schemas.actions() >= ACTIONS {
                let message = "there are schemas for 1,000 actions already";
                return Err(ControlError::invalid("action", "too_many", message));
            }
            (versions.last().cloned(), versions.len())
        };
        if let Some(latest) = &latest
            && latest.schema == schema
        {
            return Ok(Created::Existing(Arc::clone(latest)));
        }
        if count >= VERSIONS {
            let message = "the action has 200 versions already";
            return Err(ControlError::invalid("action", "too_many", message));
        }
        let number = latest.map_or(1, |latest| latest.version + 1);
        let now = self.control().now();
        let version = Arc::new(SchemaVersion::new(action.to_owned(), number, schema, now));
        let events = record(&version);
        let write_row = move |transaction: &Transaction<'_>| {
            insert(transaction, &version)?;
            Ok(Arc::clone(&version))
        };
        self.commit(turn, events, write_row, |control, version| {
            write(&control.schemas).add(Arc::clone(version));
        })
        .await
        .map(Created::New)
    }

    /// One page of the versions of an action's schema. The cursor is the number of a version.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] for an action without a schema, [`ControlError::Invalid`].
    pub fn schemas(
        &self,
        action: &str,
        query: &ListQuery,
    ) -> Result<Page<Arc<SchemaVersion>>, ControlError> {
        let schemas = read(&self.control().schemas);
        let versions = schemas
            .versions(action)
            .ok_or(ControlError::not_found("action"))?;
        Ok(
            lists::page(versions.iter(), query, |version| version.cursor(), |_| true)?
                .map(Arc::clone),
        )
    }

    /// One page of the actions that have schemas. The cursor is the name of an action.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] if a cursor names nothing or the limit is out of range.
    pub fn actions(&self, query: &ListQuery) -> Result<Page<Action>, ControlError> {
        let schemas = read(&self.control().schemas);
        let actions = schemas.names().filter_map(|name| schemas.action(name));
        let actions: Vec<Action> = actions.collect();
        lists::page(
            actions.into_iter(),
            query,
            |action| action.name.as_str(),
            |_| true,
        )
    }

    /// The action with this name, if it has a schema.
    pub fn action(&self, name: &str) -> Option<Action> {
        read(&self.control().schemas).action(name)
    }

    /// Whether the action has a schema.
    pub fn has_schema(&self, action: &str) -> bool {
        read(&self.control().schemas).versions(action).is_some()
    }

    /// Checks an event against the schema of its action, if there is one. An event without a version
    /// is checked against version 1, so that a new version never breaks a producer that is running.
    ///
    /// # Errors
    /// Every member that does not fit.
    pub fn check_schema(&self, event: &Event) -> Result<(), EventError> {
        let schema = {
            let schemas = read(&self.control().schemas);
            let Some(versions) = schemas.versions(&event.action) else {
                return Ok(());
            };
            let wanted = event.version.unwrap_or(1);
            versions
                .iter()
                .find(|version| version.version == wanted)
                .cloned()
        };
        let problems = match schema {
            Some(version) => version.schema.check(event),
            None => {
                let rule = "is no version of the action's schema";
                vec![Problem::new("/version", ProblemCode::SchemaMismatch, rule)]
            }
        };
        if problems.is_empty() {
            Ok(())
        } else {
            Err(EventError::many(problems))
        }
    }
}

impl SchemaVersion {
    fn new(action: String, version: u32, schema: ActionSchema, created_at: Timestamp) -> Self {
        SchemaVersion {
            action,
            version,
            schema,
            created_at,
            cursor: version.to_string(),
        }
    }
}

fn check_action(action: &str) -> Result<(), ControlError> {
    if !is_name(action) {
        let message = "action must be 1 to 128 letters, digits or _.:/-";
        return Err(ControlError::invalid("action", "bad_pattern", message));
    }
    if action.to_ascii_lowercase().starts_with("audit_log.") {
        let message = "actions that start with audit_log. are kept for Annals";
        return Err(ControlError::invalid("action", "reserved", message));
    }
    Ok(())
}

pub(in crate::control) fn load(connection: &Connection) -> Result<Schemas, StoreError> {
    let mut schemas = Schemas::default();
    let mut statement = connection.prepare(
        "SELECT action, version, schema, created_at FROM action_schema ORDER BY sequence",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let action: String = row.get(0)?;
        let text: String = row.get(2)?;
        let schema = Json::parse(text.as_bytes())
            .ok()
            .and_then(|body| ActionSchema::from_json(&body).ok())
            .ok_or_else(|| damaged("action_schema", &action))?;
        let created_at = Timestamp::clamped(row.get(3)?);
        schemas.add(Arc::new(SchemaVersion::new(
            action,
            row.get(1)?,
            schema,
            created_at,
        )));
    }
    Ok(schemas)
}

fn insert(transaction: &Transaction<'_>, version: &SchemaVersion) -> rusqlite::Result<()> {
    let mut text = String::new();
    version.schema.to_json().write_canonical(&mut text);
    transaction.execute(
        "INSERT INTO action_schema (action, version, schema, created_at) VALUES (?1, ?2, ?3, ?4)",
        params![
            version.action,
            version.version,
            text,
            version.created_at.as_micros()
        ],
    )?;
    Ok(())
}
