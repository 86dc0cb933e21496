//! Who may do what: the whole table.

use super::member::Role;

/// What not everybody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// See what members reported, not only what guests and reporters did, and whence a report came.
    SeeMembersIssues,
    /// See the addresses of colleagues, and how many there are. Guests see names.
    SeeAddresses,
    DeleteOthersIssues,
    ChangeStatus,
    CommentForMembers,
    DeleteOthersComments,
    ExportIssues,
    Invite,
    InviteManagers,
    InviteAdmins,
    /// Remove people and change roles, up to one's own.
    ManageUsers,
    ManageProjects,
    ConnectSharedAccounts,
    ConnectPersonalAccounts,
    ManageWorkspace,
    ReadAuditLog,
}

impl Deed {
    /// The lowest role that may.
    fn from(self) -> Role {
        match self {
            Self::SeeMembersIssues | Self::SeeAddresses => Role::Member,
            Self::ChangeStatus | Self::CommentForMembers => Role::Member,
            Self::Invite | Self::ConnectPersonalAccounts => Role::Member,
            Self::DeleteOthersIssues | Self::DeleteOthersComments | Self::ExportIssues => {
                Role::Manager
            }
            Self::InviteManagers | Self::ManageUsers | Self::ManageProjects => Role::Manager,
            Self::ConnectSharedAccounts => Role::Manager,
            Self::InviteAdmins | Self::ManageWorkspace | Self::ReadAuditLog => Role::Admin,
        }
    }

    pub(crate) fn allowed_to(self, role: Role) -> bool {
        role >= self.from()
    }

    /// What inviting somebody as this asks for.
    pub(crate) fn inviting(role: Role) -> Self {
        match role {
            Role::Guest | Role::Member => Self::Invite,
            Role::Manager => Self::InviteManagers,
            Role::Admin => Self::InviteAdmins,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Deed;
    use crate::domain::member::Role;

    #[test]
    fn the_whole_table() {
        let all = [
            (Deed::SeeMembersIssues, "member manager admin"),
            (Deed::SeeAddresses, "member manager admin"),
            (Deed::ChangeStatus, "member manager admin"),
            (Deed::CommentForMembers, "member manager admin"),
            (Deed::Invite, "member manager admin"),
            (Deed::ConnectPersonalAccounts, "member manager admin"),
            (Deed::DeleteOthersIssues, "manager admin"),
            (Deed::DeleteOthersComments, "manager admin"),
            (Deed::ExportIssues, "manager admin"),
            (Deed::InviteManagers, "manager admin"),
            (Deed::ManageUsers, "manager admin"),
            (Deed::ManageProjects, "manager admin"),
            (Deed::ConnectSharedAccounts, "manager admin"),
            (Deed::InviteAdmins, "admin"),
            (Deed::ManageWorkspace, "admin"),
            (Deed::ReadAuditLog, "admin"),
        ];
        for (deed, expected) in all {
            let may = Role::ALL.into_iter().filter(|role| deed.allowed_to(*role));
            let may: Vec<&str> = may.map(Role::as_str).collect();
            assert_eq!(may.join(" "), expected, "{deed:?}");
        }
        for (role, deed) in [
            (Role::Guest, Deed::Invite),
            (Role::Member, Deed::Invite),
            (Role::Manager, Deed::InviteManagers),
            (Role::Admin, Deed::InviteAdmins),
        ] {
            assert_eq!(Deed::inviting(role), deed);
        }
    }
}
