//! The questions in SQL, as each peer speaks it.

use annals_testkit::Generator;

use super::world::{Ask, DAY, FIELDS, PAGE, Question, TOP, World};

/// Whose SQL.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Moments are `timestamptz`, targets, context and metadata `jsonb`.
    Postgres,
    /// `like` does not heed case; moments are integers and JSON is text, here and below.
    Sqlite,
    /// DuckDB and ClickHouse.
    Columns,
}

/// The columns in which a word may stand.
const TEXTS: [&str; 5] = [
    "actor_name",
    "actor_email",
    "targets",
    "context",
    "metadata",
];

/// A statement whose rows are what [`Shape`](super::world::Shape) says, as Annals answers.
pub(super) fn statement(world: &World, question: &Question, dialect: Dialect) -> String {
    let workspace = workspace(world, question.workspace);
    let what = condition(&question.ask, dialect);
    let of_workspace = format!("from audit_event where workspace_id = '{workspace}'{what}");
    match question.ask {
        Ask::Days(..) => {
            let day = match dialect {
                Dialect::Postgres => {
                    "(extract(epoch from date_trunc('day', occurred_at, 'UTC')) * 1000000)::bigint"
                        .to_owned()
                }
                _ => format!("occurred_at - occurred_at % {DAY}"),
            };
            return format!("select '', {day}, count(*) {of_workspace} group by 2");
        }
        Ask::Facets(..) => {
            let fields = FIELDS.map(|field| {
                let value = value(field, dialect);
                format!(
                    "select * from (select '{field}', {value}, count(*) {of_workspace} group by 2 order by 3 desc, 2 limit {TOP}) as of_field"
                )
            });
            return fields.join(" union all ");
        }
        _ => {}
    }
    let select = match (&question.ask, dialect) {
        (Ask::Count(..), _) => "count(*)",
        (_, Dialect::Postgres) => "id::text, *",
        _ => "*",
    };
    let statement = format!("select {select} {of_workspace}");
    match question.ask {
        Ask::Count(..) => statement,
        _ => format!("{statement} order by occurred_at desc limit {PAGE}"),
    }
}

/// The value of one of [`FIELDS`].
fn value(field: &str, dialect: Dialect) -> String {
    let in_context = |key: &str| match dialect {
        Dialect::Postgres => format!("(context->>'{key}') collate \"C\""),
        Dialect::Sqlite => format!("json_extract(context, '$.{key}')"),
        // Each has a function of this name made for it.
        Dialect::Columns => format!("json_text(context, '{key}')"),
    };
    match field {
        "action" | "actor.id" if dialect == Dialect::Postgres => {
            format!("{} collate \"C\"", field.replace('.', "_"))
        }
        "action" | "actor.id" => field.replace('.', "_"),
        "ip" => in_context("location"),
        field => in_context(field),
    }
}

/// The name of a workspace.
pub(super) fn workspace(world: &World, number: u32) -> String {
    Generator::organizations(&world.profile)
        .nth(number as usize)
        .unwrap_or_default()
}

fn condition(ask: &Ask, dialect: Dialect) -> String {
    let is_postgres = dialect == Dialect::Postgres;
    let at = |micros: i64| match dialect {
        Dialect::Postgres => format!("'{}'", annals_event::Timestamp::clamped(micros)),
        _ => micros.to_string(),
    };
    let within = |from: i64, to: i64| {
        let (from, to) = (at(from), at(to));
        format!(" and occurred_at >= {from} and occurred_at < {to}")
    };
    match ask {
        Ask::Newest => String::new(),
        Ask::Actor(id) => format!(" and actor_id = '{id}'"),
        Ask::Target(id) if is_postgres => format!(" and targets @> '[{{\"id\": \"{id}\"}}]'"),
        Ask::Target(id) => format!(" and targets like '%\"id\":\"{id}\"%'"),
        Ask::Actions(prefix, from, to) => {
            format!(" and action like '{prefix}%'{}", within(*from, *to))
        }
        Ask::Count(action, from, to) => {
            format!(" and action = '{action}'{}", within(*from, *to))
        }
        Ask::Days(from, to) | Ask::Facets(from, to) => within(*from, *to),
        Ask::Text(word) => {
            let like = match dialect {
                Dialect::Sqlite => "like",
                _ => "ilike",
            };
            let has = |column: &&str| {
                let text = if is_postgres { "::text" } else { "" };
                format!("{column}{text} {like} '%{word}%'")
            };
            let any: Vec<String> = TEXTS.iter().map(has).collect();
            format!(" and ({})", any.join(" or "))
        }
    }
}
