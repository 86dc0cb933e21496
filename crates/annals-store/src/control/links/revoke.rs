//! Revoking what was given to one person of the host, who has left.

use rusqlite::{Transaction, params};

use super::is_given_to;
use crate::control::{ControlError, read, sessions, turn, write};
use crate::{Recorded, Store};

impl Store {
    /// Revokes every link that was made for this workspace and person, and ends what sessions opened
    /// by them may do there. The person is who has this id as `user` of the link or as its
    /// `external_user_id`. `record` is told how many links and grants ended, and is not asked when
    /// there were none. Answers that number.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] for the organization.
    pub async fn revoke_links(
        &self,
        organization_id: &str,
        person: &str,
        record: impl FnOnce(usize) -> Vec<Recorded> + Send,
    ) -> Result<usize, ControlError> {
        let control = self.control();
        self.organization(organization_id)
            .ok_or(ControlError::not_found("organization"))?;
        let turn = turn(&control.turns.portal).await;
        let links = read(&control.links).made_for(organization_id, person);
        let opened: Vec<[u8; 32]> = read(&control.sessions)
            .iter()
            .filter(|(_, session)| {
                let grant = session.grant(organization_id);
                grant.is_some_and(|grant| {
                    let (id, user) = (&grant.external_user_id, &grant.user);
                    is_given_to(person, id.as_deref(), user.as_ref())
                })
            })
            .map(|(digest, _)| *digest)
            .collect();
        let ended = links.len() + opened.len();
        if ended == 0 {
            return Ok(0);
        }
        let events = record(ended);
        let organization = organization_id.to_owned();
        let (written, from) = ((links.clone(), opened.clone()), organization.clone());
        let write_rows = move |transaction: &Transaction<'_>| {
            for digest in &written.0 {
                transaction
                    .execute("DELETE FROM portal_link WHERE digest = ?1", params![digest])?;
            }
            for digest in &written.1 {
                sessions::remove_grant(transaction, digest, &from)?;
            }
            Ok(())
        };
        self.commit(turn, events, write_rows, move |control, ()| {
            let mut held = write(&control.sessions);
            for digest in &opened {
                held.remove_grant(digest, &organization);
            }
            let mut known = write(&control.links);
            for digest in &links {
                known.remove(digest);
            }
        })
        .await?;
        Ok(ended)
    }
}
