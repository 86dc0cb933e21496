//! What the outbox asks of a driver for PostgreSQL.

use tokio_postgres::GenericClient;
use tokio_postgres::types::{ToSql, Type};

use super::queued;
use crate::outbox::{OutboxError, Parked};

/// A connection, or a transaction on it: `&Client` and `&Transaction` of tokio-postgres; with the feature `sqlx` `&mut PgConnection` of
/// sqlx, which `&mut *transaction` is.
pub trait PostgresConnection: sealed::Statements {}

impl<C: GenericClient + Sync> PostgresConnection for &C {}

/// What a statement is given.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Kind(i16),
    Number(i64),
    Numbers(&'a [i64]),
    Text(&'a str),
    Texts(&'a [&'a str]),
}

pub(crate) mod sealed {
    use super::{OutboxError, Parked, Value};

    pub trait Statements: Send {
        /// Runs a statement and gives the first column of its rows.
        fn numbers(
            &mut self,
            statement: &'static str,
            values: &[Value<'_>],
        ) -> impl Future<Output = Result<Vec<i64>, OutboxError>> + Send;

        /// Runs a statement whose rows are parked rows.
        fn parked(
            &mut self,
            statement: &'static str,
            limit: i64,
        ) -> impl Future<Output = Result<Vec<Parked>, OutboxError>> + Send;
    }
}

impl<C: GenericClient + Sync> sealed::Statements for &C {
    async fn numbers(
        &mut self,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<i64>, OutboxError> {
        let typed: Vec<(&(dyn ToSql + Sync), Type)> = values.iter().map(typed).collect();
        // With its types a statement needs no preparing: one round trip.
        let rows = self.query_typed(statement, &typed).await?;
        Ok(rows
            .iter()
            .map(|row| row.try_get(0))
            .collect::<Result<_, _>>()?)
    }

    async fn parked(
        &mut self,
        statement: &'static str,
        limit: i64,
    ) -> Result<Vec<Parked>, OutboxError> {
        let rows = self.query_typed(statement, &[(&limit, Type::INT8)]).await?;
        let parked = |row: &tokio_postgres::Row| {
            Ok(Parked {
                item: queued(row)?,
                parked_at: annals_event::Timestamp::clamped(row.try_get(6)?),
                reason: row.try_get(7)?,
            })
        };
        rows.iter().map(parked).collect()
    }
}

fn typed<'a>(value: &'a Value<'a>) -> (&'a (dyn ToSql + Sync), Type) {
    match value {
        Value::Kind(number) => (number, Type::INT2),
        Value::Number(number) => (number, Type::INT8),
        Value::Numbers(numbers) => (numbers, Type::INT8_ARRAY),
        Value::Text(text) => (text, Type::TEXT),
        Value::Texts(texts) => (texts, Type::TEXT_ARRAY),
    }
}

#[cfg(feature = "sqlx")]
mod of_sqlx {
    use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
    use sqlx::query::Query;
    use sqlx::{Error, Row as _};

    use super::{OutboxError, Parked, PostgresConnection, Value, sealed};
    use crate::outbox::{ItemKind, Queued};
    use annals_event::Timestamp;

    impl PostgresConnection for &mut PgConnection {}

    impl sealed::Statements for &mut PgConnection {
        async fn numbers(
            &mut self,
            statement: &'static str,
            values: &[Value<'_>],
        ) -> Result<Vec<i64>, OutboxError> {
            let query = values.iter().fold(sqlx::query(statement), bind);
            let rows = query.fetch_all(&mut **self).await.map_err(refused)?;
            rows.iter()
                .map(|row| row.try_get(0).map_err(refused))
                .collect()
        }

        async fn parked(
            &mut self,
            statement: &'static str,
            limit: i64,
        ) -> Result<Vec<Parked>, OutboxError> {
            let query = sqlx::query(statement).bind(limit);
            let rows = query.fetch_all(&mut **self).await.map_err(refused)?;
            rows.iter()
                .map(|row| parked(row).map_err(refused))
                .collect()
        }
    }

    fn bind<'q>(
        query: Query<'q, Postgres, PgArguments>,
        value: &Value<'_>,
    ) -> Query<'q, Postgres, PgArguments> {
        match *value {
            Value::Kind(number) => query.bind(number),
            Value::Number(number) => query.bind(number),
            Value::Numbers(numbers) => query.bind(numbers.to_vec()),
            Value::Text(text) => query.bind(text.to_owned()),
            Value::Texts(texts) => query.bind(
                texts
                    .iter()
                    .map(|&text| text.to_owned())
                    .collect::<Vec<_>>(),
            ),
        }
    }

    fn parked(row: &PgRow) -> Result<Parked, Error> {
        Ok(Parked {
            item: Queued {
                seq: row.try_get(0)?,
                kind: ItemKind::from_i16(row.try_get(1)?),
                workspace: row.try_get(2)?,
                event_id: row.try_get(3)?,
                recorded_at: Timestamp::clamped(row.try_get(4)?),
                body: row.try_get(5)?,
            },
            parked_at: Timestamp::clamped(row.try_get(6)?),
            reason: row.try_get(7)?,
        })
    }

    fn refused(error: Error) -> OutboxError {
        OutboxError::Driver(Box::new(error))
    }
}
