//! What Annals records, and how: events, their catalogue, the entry that a log hashes, the search language and the table that files hold.
//!
//! This crate is pure. It knows no storage, no HTTP, no clock and no tree: whoever needs the time or fresh randomness passes it in.
//!
//! - [`Event`] is what a producer sends; [`Event::from_json`] reads it strictly and names every member that is wrong.
//! - [`Draft::new`] checks it against the [`Rules`] of the installation and splits it into a [`Skeleton`] and its sections.
//! - [`Row`] is a draft at its position of a log, as it is read back.
//! - [`write_entry`] writes the exact line that the log hashes.

mod catalogue;
mod csv;
mod entry;
mod event;
mod export;
mod facet;
mod json;
pub mod limits;
pub mod members;
mod opened;
mod problem;
mod query;
mod record;
mod row;
mod schema;
mod sentence;
mod steps;
mod table;
mod time;

pub use catalogue::{
    Catalogue, CatalogueEntry, Category, Change, Member, MemberKind, Outcome, Scope,
};
pub use csv::{csv_unguarded, write_csv_header, write_csv_row};
pub use entry::{
    Commitment, LeafMaker, Place, Recorded, Salt, SaltRun, SaltWalk, Seed, SeedNode, SeedNodes,
    TILE, commitment, entry_leaves, entry_line, event_salt, event_salts, section_commitments,
    section_salt, write_entry,
};
pub use event::{Actor, Context, Event, Failure, OnBehalfOf, Target};
pub use export::{export_json, export_line};
pub use facet::Facet;
pub use json::{Json, JsonError, JsonErrorKind, Number, Object, write_json_string};
pub use opened::{Opened, OpenedTarget};
pub use problem::{EventError, Problem, ProblemCode};
pub use query::{
    Field, Filter, KeyClass, Query, QueryError, RowParts, Term, When, address_key, address_text,
    fold_key, occurs_folded,
};
pub use record::{
    ActorRef, DecodeError, Draft, DraftRef, Drafts, Head, Rules, Section, SectionRef, Skeleton,
    Straight, TargetHead, TargetRef, UNSPECIFIED, contains_email, is_event_id, is_name,
};
pub use row::{Row, RowPlace, TargetView};
pub use schema::{
    ActionSchema, SCHEMA_METADATA_KEY_CHARS, SCHEMA_METADATA_KEYS, SCHEMA_METADATA_TEXT_CHARS,
};
pub use steps::{Step, Steps};
pub use table::{Cells, ColumnKind, TABLE, TableColumn, WorkspaceLabel, fill_cells};
pub use time::{Timestamp, TimestampError};
