//! The door to exports.

use annals_event::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{DOWNLOAD_TOKEN_SECONDS, Export, NewExport};
use crate::control::{ControlError, damaged, to_text, tokens};
use crate::{Recorded, Store, StoreError};

impl Store {
    /// Stores an export.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] for the organization.
    pub async fn create_export(
        &self,
        new: NewExport,
        record: impl FnOnce(&Export) -> Vec<Recorded> + Send,
    ) -> Result<Export, ControlError> {
        self.organization(&new.organization_id)
            .ok_or(ControlError::not_found("organization"))?;
        let now = self.control().now();
        let export = Export {
            id: tokens::new_id("audit_log_export_", now)?,
            organization_id: new.organization_id,
            selection: new.selection,
            as_of: new.as_of,
            created_by: new.created_by,
            created_at: now,
        };
        let events = record(&export);
        // It depends on nothing that another change could take away, so it waits for no turn.
        let write_row = move |transaction: &Transaction<'_>| {
            insert(transaction, &export)?;
            Ok(export.clone())
        };
        self.change(events, write_row, |_| {}).await
    }

    /// The export with this id, unless its organization has been deleted. Blocks while it reads.
    ///
    /// # Errors
    /// [`ControlError::Store`].
    pub fn export(&self, id: &str) -> Result<Option<Export>, ControlError> {
        let export = self.with_reader(|connection| find(connection, id))?;
        Ok(export.filter(|export| self.organization(&export.organization_id).is_some()))
    }

    /// A token that opens the download of this export for ten minutes. It is a signature over the id
    /// and the time of expiry, so it is stored nowhere.
    pub fn download_token(&self, export_id: &str) -> String {
        let control = self.control();
        let seconds = control.now().as_micros() / 1_000_000 + i64::from(DOWNLOAD_TOKEN_SECONDS);
        sign(&control.secret, export_id, seconds)
    }

    /// Whether a token opens the download of this export now.
    pub fn check_download_token(&self, export_id: &str, token: &str) -> bool {
        let control = self.control();
        let expires = token
            .split_once('.')
            .and_then(|(expires, _)| expires.parse::<i64>().ok());
        let Some(expires) = expires else { return false };
        let now = control.now().as_micros() / 1_000_000;
        tokens::equal(&sign(&control.secret, export_id, expires), token) && now < expires
    }
}

fn sign(secret: &[u8; 32], export_id: &str, expires_seconds: i64) -> String {
    let message = format!("download\n{export_id}\n{expires_seconds}");
    let mac = tokens::hex(&tokens::hmac(secret, message.as_bytes()));
    format!("{expires_seconds}.{mac}")
}

fn insert(transaction: &Transaction<'_>, export: &Export) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO export (id, organization_id, selection, as_of, created_by, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            export.id,
            export.organization_id,
            to_text(&export.selection),
            i64::try_from(export.as_of).unwrap_or(i64::MAX),
            export.created_by,
            export.created_at.as_micros(),
        ],
    )?;
    Ok(())
}

fn find(connection: &Connection, id: &str) -> Result<Option<Export>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT organization_id, selection, as_of, created_by, created_at FROM export WHERE id = ?1",
    )?;
    let found = statement
        .query_row(params![id], |row| {
            let selection: String = row.get(1)?;
            let export = Export {
                id: id.to_owned(),
                organization_id: row.get(0)?,
                selection: super::ExportSelection::default(),
                as_of: row.get::<_, i64>(2)?.unsigned_abs(),
                created_by: row.get(3)?,
                created_at: Timestamp::clamped(row.get(4)?),
            };
            Ok((export, selection))
        })
        .optional()?;
    let Some((mut export, selection)) = found else {
        return Ok(None);
    };
    export.selection = serde_json::from_str(&selection).map_err(|_| damaged("export", id))?;
    Ok(Some(export))
}
