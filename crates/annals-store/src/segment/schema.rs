//! The columns of a segment.

use std::sync::{Arc, OnceLock};

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion,
};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, SchemaDescriptor, TypePtr};

use super::page::PAGE_ROWS;

/// The version of the format, and under which names the footer has what Parquet has no place for.
pub(crate) const VERSION: &str = "1";
pub(crate) const KEY_VERSION: &str = "annals.segment";
pub(crate) const KEY_ORIGIN: &str = "annals.origin";
pub(crate) const KEY_DIRECTORY: &str = "annals.directory";
pub(crate) const KEY_PAGES: &str = "annals.pages";

/// The leaf columns of the schema, each once.
macro_rules! columns {
    ($($name:ident)+) => {
        /// A leaf column of the schema, by its place in it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(usize)]
        pub(crate) enum Column {
            $($name,)+
        }

        impl Column {
            pub(crate) const ALL: [Column; COLUMNS] = [$(Column::$name,)+];
        }
    };
}

columns! {
    Log
    Position
    RecordedAt
    OccurredAt
    RecordedBy
    Id
    IdText
    Action
    ActorId
    ActorType
    ActorRole
    ActorName
    ActorEmail
    ActorMetadata
    OnBehalfOf
    Failure
    FailureStage
    FailureDetail
    FailureReason
    Location
    UserAgent
    Source
    SessionId
    RequestId
    CorrelationId
    Trace
    Metadata
    Previous
    Next
    Version
    TargetType
    TargetId
    TargetName
    TargetEmail
    TargetMetadata
    TargetFlags
    Flags
    Erased
    Redacted
    Seed
    Raw
}

/// How many columns there are.
pub(crate) const COLUMNS: usize = Column::Raw as usize + 1;

const MESSAGE: &str = "
message annals_segment {
  required int32 log (INTEGER(32,false));
  required int64 position;
  required int64 recorded_at (TIMESTAMP(MICROS,true));
  required int64 occurred_at (TIMESTAMP(MICROS,true));
  required binary recorded_by (STRING);
  optional fixed_len_byte_array(16) id (UUID);
  optional binary id_text (STRING);
  required binary action (STRING);
  optional binary actor_id (STRING);
  required binary actor_type (STRING);
  optional binary actor_role (STRING);
  optional binary actor_name (STRING);
  optional binary actor_email (STRING);
  optional binary actor_metadata (STRING);
  optional binary on_behalf_of (STRING);
  optional binary failure (STRING);
  optional binary failure_stage (STRING);
  optional binary failure_detail (STRING);
  optional binary failure_reason (STRING);
  optional binary location (STRING);
  optional binary user_agent (STRING);
  optional binary source (STRING);
  optional binary session_id (STRING);
  optional binary request_id (STRING);
  optional binary correlation_id (STRING);
  optional binary trace (STRING);
  optional binary metadata (STRING);
  optional binary previous (STRING);
  optional binary next (STRING);
  optional binary version (STRING);
  required group targets (LIST) {
    repeated group list {
      required group element {
        required binary type (STRING);
        optional binary id (STRING);
        optional binary name (STRING);
        optional binary email (STRING);
        optional binary metadata (STRING);
        required int32 flags;
      }
    }
  }
  required int32 flags;
  optional binary erased;
  optional binary redacted;
  optional binary seed;
  optional binary raw;
}";

/// Columns of few different values. Of the others a dictionary would be so large that reading it decided
/// how long a look at one row takes.
const OF_FEW_VALUES: [Column; 10] = [
    Column::RecordedBy,
    Column::Action,
    Column::ActorType,
    Column::ActorRole,
    Column::Failure,
    Column::FailureStage,
    Column::UserAgent,
    Column::Source,
    Column::Version,
    Column::TargetType,
];

/// Beyond this many bytes a dictionary is given up.
const DICTIONARY_BYTES: usize = 16 << 10;

/// Beyond this level zstd takes much longer for little.
const LEVEL: i32 = 3;

/// A size that nothing reaches: pages are cut by rows alone, so that they are the same rows in every column.
const NO_LIMIT: usize = 1 << 30;

/// How a column's values lie in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Physical {
    Int32,
    Int64,
    /// 16 bytes.
    Uuid,
    Bytes,
}

impl Column {
    /// Whether its values are UTF-8.
    pub(crate) fn is_text(self) -> bool {
        let is_bytes = matches!(
            self,
            Column::Erased | Column::Redacted | Column::Seed | Column::Raw
        );
        self.physical() == Physical::Bytes && !is_bytes
    }

    pub(crate) fn physical(self) -> Physical {
        match self {
            Column::Log | Column::TargetFlags | Column::Flags => Physical::Int32,
            Column::Position | Column::RecordedAt | Column::OccurredAt => Physical::Int64,
            Column::Id => Physical::Uuid,
            _ => Physical::Bytes,
        }
    }
}

pub(crate) fn message() -> TypePtr {
    static PARSED: OnceLock<TypePtr> = OnceLock::new();
    PARSED
        .get_or_init(|| match parse_message_type(MESSAGE) {
            Ok(message) => Arc::new(message),
            Err(error) => unreachable!("the schema is a constant: {error}"),
        })
        .clone()
}

pub(crate) fn descriptor() -> &'static SchemaDescriptor {
    static DESCRIPTOR: OnceLock<SchemaDescriptor> = OnceLock::new();
    DESCRIPTOR.get_or_init(|| SchemaDescriptor::new(message()))
}

fn path(column: Column) -> ColumnPath {
    descriptor().column(column as usize).path().clone()
}

/// How segments are written.
pub(crate) fn properties() -> WriterPropertiesBuilder {
    let level = ZstdLevel::try_new(LEVEL).unwrap_or_default();
    let mut properties = WriterProperties::builder()
        .set_created_by(format!("annals {}", env!("CARGO_PKG_VERSION")))
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_compression(Compression::ZSTD(level))
        .set_dictionary_enabled(false)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_data_page_size_limit(NO_LIMIT)
        .set_data_page_row_count_limit(PAGE_ROWS)
        // The writer looks at its limits after each batch, and is given whole pages.
        .set_write_batch_size(NO_LIMIT)
        .set_max_row_group_row_count(Some(NO_LIMIT))
        .set_statistics_enabled(EnabledStatistics::None);
    for column in Column::ALL {
        properties = match column.physical() {
            Physical::Int32 | Physical::Int64 => {
                properties.set_column_encoding(path(column), Encoding::DELTA_BINARY_PACKED)
            }
            Physical::Bytes => {
                properties.set_column_encoding(path(column), Encoding::DELTA_LENGTH_BYTE_ARRAY)
            }
            Physical::Uuid => properties,
        };
    }
    for column in OF_FEW_VALUES {
        properties = properties.set_column_dictionary_enabled(path(column), true);
    }
    // For whoever else reads the file: they skip pages by log and by time.
    for column in [
        Column::Log,
        Column::Position,
        Column::RecordedAt,
        Column::OccurredAt,
    ] {
        properties =
            properties.set_column_statistics_enabled(path(column), EnabledStatistics::Page);
    }
    properties
}
