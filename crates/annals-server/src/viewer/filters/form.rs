//! What the forms of the pills send, put into the query.

use annals_event::{Field, Query, QueryError, Term};

use super::term;
use crate::viewer::address::Address;

/// The address that a filter form leads to, or what is wrong with what was typed.
pub(crate) fn apply(address: &Address, pairs: &[(String, String)]) -> Result<Address, QueryError> {
    let get = |name: &str| {
        let found = pairs.iter().find(|(n, _)| n == name);
        found
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    };
    let set = get("set").unwrap_or_default();
    if set == "zone" {
        let zone = get("zone").filter(|name| *name != "UTC").map(str::to_owned);
        return Ok(Address {
            zone,
            ..address.clone()
        });
    }
    let query = Query::parse(&address.query)?;
    let query = match set {
        "time" => {
            let term = match (get("from"), get("to")) {
                (None, None) => None,
                (from, to) => Some(term(
                    &Field::Time,
                    &format!("{}..{}", from.unwrap_or_default(), to.unwrap_or_default()),
                )?),
            };
            query.choosing(&Field::Time, term)
        }
        "action" => {
            let chosen = pairs
                .iter()
                .filter(|(n, _)| n == "v")
                .map(|(_, value)| value.as_str());
            let chosen: Vec<_> = chosen.filter(|v| !v.is_empty()).collect();
            let term = if chosen.is_empty() {
                None
            } else {
                Some(Term::is(Field::Action, chosen)?)
            };
            query
                .choosing(&Field::Category, None)
                .choosing(&Field::Action, term)
        }
        "actor" => choose(query, &Field::Actor, get("v").map(anywhere).as_deref())?,
        "target" => choose(query, &Field::Target, get("v").map(anywhere).as_deref())?,
        "ip" => choose(query, &Field::Ip, get("v"))?,
        _ => query,
    };
    Ok(address.searching(query.to_string()))
}

/// The query that a form meant which could not be read: what was typed, behind the query that there was.
pub(crate) fn typed(address: &Address, pairs: &[(String, String)]) -> String {
    let all = |name: &str| {
        let found = pairs
            .iter()
            .filter(|(n, v)| n == name && !v.trim().is_empty());
        found
            .map(|(_, value)| value.trim())
            .collect::<Vec<_>>()
            .join(",")
    };
    let (from, to) = (all("from"), all("to"));
    let value = if from.is_empty() && to.is_empty() {
        all("v")
    } else {
        format!("{from}..{to}")
    };
    format!("{} {}:{value}", address.query, all("set"))
        .trim()
        .to_owned()
}

/// Who types a part of a name means every name with it; who writes a list, a star or quotes knows the
/// language.
fn anywhere(value: &str) -> String {
    if value.contains(['*', ',', '"']) {
        return value.to_owned();
    }
    format!("*\"{}\"*", value.replace('\\', "\\\\"))
}

fn choose(query: Query, field: &Field, value: Option<&str>) -> Result<Query, QueryError> {
    let term = value.map(|value| term(field, value)).transpose()?;
    Ok(query.choosing(field, term))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(query: &str, pairs: &[(&str, &str)]) -> String {
        let address = Address {
            query: query.to_owned(),
            ..Address::new("o")
        };
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        apply(&address, &pairs).unwrap().query
    }

    #[test]
    fn a_form_replaces_its_own_terms_and_no_others() {
        let query = "actor:ana -action:user.login action:issue.created";
        let chosen = [
            ("set", "action"),
            ("v", "user.logout"),
            ("v", "issue.deleted"),
        ];
        assert_eq!(
            applied(query, &chosen),
            "actor:ana -action:user.login action:user.logout,issue.deleted"
        );
        assert_eq!(
            applied(query, &[("set", "action")]),
            "actor:ana -action:user.login"
        );
        assert_eq!(
            applied(query, &[("set", "actor"), ("v", "")]),
            "-action:user.login action:issue.created"
        );
    }

    #[test]
    fn what_is_typed_into_a_form_is_a_value_whatever_it_looks_like() {
        assert_eq!(
            applied("", &[("set", "actor"), ("v", "Ana Ruiz")]),
            "actor:*\"Ana Ruiz\"*"
        );
        assert_eq!(
            applied("", &[("set", "actor"), ("v", "ana")]),
            "actor:*ana*"
        );
        assert_eq!(
            applied("", &[("set", "actor"), ("v", "*@example.com")]),
            "actor:*@example.com"
        );
        for odd in ["a\"b", "-x", "action:y z", "\\", "(", "OR"] {
            let query = Query::parse(&applied("", &[("set", "target"), ("v", odd)])).unwrap();
            assert_eq!(query.terms().len(), 1, "{odd}");
            assert_eq!(query.terms()[0].field(), Some(&Field::Target), "{odd}");
        }
    }

    #[test]
    fn days_include_the_last_one() {
        let pairs = [
            ("set", "time"),
            ("from", "2026-11-01"),
            ("to", "2026-11-22"),
        ];
        assert_eq!(
            applied("outcome:failure", &pairs),
            "outcome:failure time:2026-11-01..2026-11-22"
        );
        assert_eq!(
            applied("", &[("set", "time"), ("from", "2026-11-01")]),
            "time:2026-11-01.."
        );
    }
}
