//! PostgreSQL: the questions over its Unix socket, prepared once.

use std::pin::pin;
use std::time::Instant;

use futures_util::StreamExt as _;

use super::measure::repeat;
use super::report::{Peer, Report, Value};
use super::sql::{Dialect, statement, workspace};
use super::world::{Answer, Shape, World};
use crate::postgres::Postgres;
use crate::{Failure, machine};

impl Postgres {
    /// Lets it tidy up after the loading, as autovacuum would, and says what table and indexes take.
    pub(super) async fn settle(&self) -> Result<u64, Failure> {
        self.tidy_up().await?;
        let client = self.connect().await?;
        let sizes = "select pg_total_relation_size('audit_event')";
        let bytes: i64 = client.query_one(sizes, &[]).await?.get(0);
        Ok(bytes.unsigned_abs())
    }

    /// One page of the biggest workspace.
    pub(super) async fn first_answer(&self, world: &World) -> Result<(), Failure> {
        if let Some((question, _)) = world.questions.first() {
            let sql = statement(world, question, Dialect::Postgres);
            self.connect().await?.query(&sql, &[]).await?;
        }
        Ok(())
    }

    pub(super) async fn answer_all(
        &self,
        world: &World,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let client = self.connect().await?;
        for (question, _) in &world.questions {
            let sql = statement(world, question, Dialect::Postgres);
            let prepared = client.prepare(&sql).await?;
            let shape = question.ask.shape();
            let is_days = question.ask.is_by_day();
            let ask = async || {
                let began = Instant::now();
                let rows = client.query(&prepared, &[]).await?;
                let took = began.elapsed();
                let mut answer = Answer::default();
                match shape {
                    Shape::Events => answer.ids = rows.iter().map(|row| row.get(0)).collect(),
                    Shape::Count => {
                        let count: i64 = rows.first().ok_or("no count")?.get(0);
                        answer.count = Some(count.unsigned_abs());
                    }
                    Shape::Counts => {
                        for row in &rows {
                            let value = match is_days {
                                true => row.get::<_, i64>(1).to_string(),
                                false => row.get(1),
                            };
                            let count: i64 = row.get(2);
                            answer
                                .counts
                                .insert((row.get(0), value), count.unsigned_abs());
                        }
                    }
                }
                Ok((answer, took))
            };
            let cpu = || machine::processor_time_of_family(self.process_id());
            let (answer, value) = repeat(report.repetitions, cpu, ask).await?;
            report.answered(question.name, Peer::Postgres, answer, value);
        }
        Ok(())
    }

    pub(super) async fn csv_of_everything(&self, world: &World) -> Result<Value, Failure> {
        let client = self.connect().await?;
        let before = machine::processor_time_of_family(self.process_id());
        let (began, mut rows) = (Instant::now(), 0);
        for (number, _) in world.inhabited() {
            let workspace = workspace(world, number);
            let sql = format!(
                "copy (select * from audit_event where workspace_id = '{workspace}' order by occurred_at desc) to stdout (format csv)"
            );
            let mut file = pin!(client.copy_out(&sql).await?);
            while let Some(piece) = file.next().await {
                rows += piece?.iter().filter(|byte| **byte == b'\n').count() as u64;
            }
        }
        let elapsed = began.elapsed();
        if rows != world.profile.events {
            return Err(format!("the CSV of PostgreSQL has {rows} rows").into());
        }
        let cpu = machine::processor_time_of_family(self.process_id()).saturating_sub(before);
        Ok(Value::rows(rows, elapsed, cpu))
    }
}
