//! The columns as Parquet has them, and how they are written.

use std::sync::{Arc, OnceLock};

use annals_event::{ColumnKind, TABLE};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesPtr, WriterVersion,
};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, TypePtr};

/// Beyond this level zstd takes much longer for little.
const LEVEL: i32 = 3;

pub(crate) fn message() -> TypePtr {
    static PARSED: OnceLock<TypePtr> = OnceLock::new();
    let parse = || match parse_message_type(&text()) {
        Ok(message) => Arc::new(message),
        Err(error) => unreachable!("the schema is a constant: {error}"),
    };
    PARSED.get_or_init(parse).clone()
}

fn text() -> String {
    let columns = TABLE.map(|column| {
        let name = column.name;
        match column.kind {
            ColumnKind::Time => format!("required int64 {name} (TIMESTAMP(MICROS,true));"),
            ColumnKind::Number => format!("required int64 {name};"),
            ColumnKind::Text => format!("optional binary {name} (STRING);"),
            ColumnKind::Json => format!("optional binary {name} (JSON);"),
        }
    });
    format!("message audit_log {{ {} }}", columns.concat())
}

/// How a file is written: with the encodings and pages that every reader of the last ten years knows, except for zstd.
pub(crate) fn properties(metadata: Vec<KeyValue>) -> WriterPropertiesPtr {
    let mut properties = WriterProperties::builder()
        .set_created_by(format!("annals {}", env!("CARGO_PKG_VERSION")))
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(
            ZstdLevel::try_new(LEVEL).unwrap_or_default(),
        ))
        // Readers pass over whole groups by these. Those of pages, and where each page lies, would have to be kept in memory until
        // the end of the file.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_max_row_group_row_count(None)
        .set_key_value_metadata(Some(metadata));
    for column in TABLE {
        // Their values are all different.
        if matches!(column.kind, ColumnKind::Time | ColumnKind::Number) {
            let path = ColumnPath::from(column.name);
            properties = properties.set_column_dictionary_enabled(path, false);
        }
    }
    Arc::new(properties.build())
}
