-- Who may read a workspace's audit log no more and is not yet shut out of Annals' pages. They outlive a page of ours that showed them.
create table viewer_closing (
    workspace_id text not null references workspace (id),
    user_id text not null references user (id),
    asked integer not null,                 -- how often, so that what is asked for while Annals is being told is told too
    primary key (workspace_id, user_id)
) strict;
