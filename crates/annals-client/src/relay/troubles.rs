//! What is wrong with single workspaces, so that it is told for as long as it lasts, whatever happens to others meanwhile.

use std::collections::{BTreeMap, HashSet};

/// By workspace, from one answer about it to the next.
#[derive(Debug, Default)]
pub(super) struct Troubles(BTreeMap<String, String>);

impl Troubles {
    /// Takes in what an answer says of a workspace: what is wrong, or nothing. `true` if there is trouble that was not there before.
    pub(super) fn answered(&mut self, workspace: &str, trouble: Option<String>) -> bool {
        match trouble {
            Some(trouble) => {
                let before = self.0.get(workspace);
                let news = before != Some(&trouble);
                if news {
                    self.0.insert(workspace.to_owned(), trouble);
                }
                news
            }
            None => {
                self.0.remove(workspace);
                false
            }
        }
    }

    /// Forgets all but these workspaces: of the others nothing waits.
    pub(super) fn only(&mut self, workspaces: &[String]) {
        if !self.0.is_empty() {
            let workspaces: HashSet<&String> = workspaces.iter().collect();
            self.0.retain(|workspace, _| workspaces.contains(workspace));
        }
    }

    /// The first of them, and how many more there are.
    pub(super) fn said(&self) -> Option<String> {
        let first = self.0.values().next()?;
        Some(match self.0.len() {
            1 => first.clone(),
            n => format!("{first} (and {} more)", n - 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Troubles;

    #[test]
    fn trouble_lasts_until_its_workspace_is_answered_otherwise_or_has_nothing_that_waits() {
        let mut troubles = Troubles::default();
        let unknown = |workspace: &str| Some(format!("{workspace} is not known"));
        assert!(troubles.answered("acme", unknown("acme")));
        assert!(!troubles.answered("acme", unknown("acme")), "no news");
        assert!(!troubles.answered("globex", None));
        assert_eq!(troubles.said(), unknown("acme"));
        assert!(troubles.answered("globex", unknown("globex")));
        assert_eq!(troubles.said().unwrap(), "acme is not known (and 1 more)");
        troubles.only(&["globex".to_owned()]);
        assert_eq!(troubles.said(), unknown("globex"));
        troubles.answered("globex", None);
        assert_eq!(troubles.said(), None);
    }
}
