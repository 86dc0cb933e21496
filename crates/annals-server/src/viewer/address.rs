//! The address of a page: everything that it shows is in it, so that it can be sent to somebody.

use std::fmt::Write as _;

/// Rows on a page, unless asked for more.
pub(crate) const ROWS: usize = 50;
/// What can be asked for.
pub(crate) const SIZES: [usize; 3] = [50, 100, 200];

/// Where on the audit log page of a workspace somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// The workspace.
    pub(crate) organization: String,
    /// The query, as typed.
    pub(crate) query: String,
    /// The zone's name; UTC if absent.
    pub(crate) zone: Option<String>,
    /// Rows on a page.
    pub(crate) rows: usize,
    /// The log as it was at this size; as it is now if absent.
    pub(crate) as_of: Option<u64>,
    /// The page of older rows, after (below) this position.
    pub(crate) before: Option<u64>,
    /// The page of newer rows, above this position.
    pub(crate) after: Option<u64>,
    /// How many rows the pages before this one hold, for the line under the table.
    pub(crate) skipped: u64,
    /// The event that is open beside the table.
    pub(crate) event: Option<String>,
    /// Whether the page stands inside a frame of the host.
    pub(crate) embed: bool,
}

impl Address {
    /// The log of a workspace from its newest event on.
    pub(crate) fn new(organization: &str) -> Address {
        Address {
            organization: organization.to_owned(),
            query: String::new(),
            zone: None,
            rows: ROWS,
            as_of: None,
            before: None,
            after: None,
            skipped: 0,
            event: None,
            embed: false,
        }
    }

    /// Reads the parameters of a request. Those that mean nothing here are passed over, so that a
    /// link of a later version still opens; a number that is none counts as absent.
    pub(crate) fn read(organization: &str, pairs: &[(String, String)]) -> Address {
        let mut address = Address::new(organization);
        for (name, value) in pairs {
            match name.as_str() {
                "q" => address.query = value.trim().to_owned(),
                "tz" if !value.is_empty() => address.zone = Some(value.clone()),
                "rows" => {
                    if let Some(n) = value.parse().ok().filter(|n| SIZES.contains(n)) {
                        address.rows = n;
                    }
                }
                "as_of" => address.as_of = value.parse().ok(),
                "before" => address.before = value.parse().ok(),
                "after" => address.after = value.parse().ok(),
                "n" => address.skipped = value.parse().unwrap_or(0),
                "e" if !value.is_empty() => address.event = Some(value.clone()),
                "embed" => address.embed = value == "1",
                _ => {}
            }
        }
        address
    }

    /// The same view with another query, from its first page on and as the log is now.
    pub(crate) fn searching(&self, query: impl Into<String>) -> Address {
        Address {
            query: query.into(),
            before: None,
            after: None,
            skipped: 0,
            event: None,
            as_of: None,
            ..self.clone()
        }
    }

    /// The path of the log.
    pub(crate) fn root(&self) -> String {
        format!("/w/{}/audit-logs", self.organization)
    }

    /// The address of the table.
    pub(crate) fn href(&self) -> String {
        self.with(&self.root(), true)
    }

    /// The address of another page below the log that looks at the same rows, such as
    /// `/download.csv`.
    pub(crate) fn below(&self, path: &str) -> String {
        let root = self.root();
        let page = Address {
            event: None,
            before: None,
            after: None,
            skipped: 0,
            ..self.clone()
        };
        page.with(&format!("{root}{path}"), false)
    }

    /// The address of an event's own page.
    pub(crate) fn event_page(&self, id: &str) -> String {
        let page = Address {
            zone: self.zone.clone(),
            embed: self.embed,
            ..Address::new(&self.organization)
        };
        page.with(&format!("{}/event/{}", self.root(), encode(id)), false)
    }

    /// The parameters that a form must send along to stay where it is.
    pub(crate) fn carried(&self, query: bool) -> Vec<(&'static str, String)> {
        let mut carried = Vec::new();
        if query && !self.query.is_empty() {
            carried.push(("q", self.query.clone()));
        }
        if let Some(zone) = &self.zone {
            carried.push(("tz", zone.clone()));
        }
        if self.rows != ROWS {
            carried.push(("rows", self.rows.to_string()));
        }
        if self.embed {
            carried.push(("embed", "1".to_owned()));
        }
        carried
    }

    fn with(&self, path: &str, rows: bool) -> String {
        let mut out = path.to_owned();
        let mut sign = '?';
        let mut add = |name: &str, value: &str| {
            // Writing to a string cannot fail.
            let _ = write!(out, "{sign}{name}={}", encode(value));
            sign = '&';
        };
        if !self.query.is_empty() {
            add("q", &self.query);
        }
        if let Some(zone) = &self.zone {
            add("tz", zone);
        }
        if rows && self.rows != ROWS {
            add("rows", &self.rows.to_string());
        }
        for (name, value) in [
            ("as_of", self.as_of),
            ("before", self.before),
            ("after", self.after),
        ] {
            if let Some(value) = value {
                add(name, &value.to_string());
            }
        }
        if self.skipped > 0 {
            add("n", &self.skipped.to_string());
        }
        if let Some(event) = &self.event {
            add("e", event);
        }
        if self.embed {
            add("embed", "1");
        }
        out
    }
}

/// Percent-encodes a value for a path segment or a query string.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        // What stays readable in an address and has no meaning in a query string.
        if byte.is_ascii_alphanumeric() || b"-._~:,*@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back() {
        let address = Address {
            query: "actor:\"Ana & Bo\" -ip:10.0.0.0/8".to_owned(),
            zone: Some("Europe/Berlin".to_owned()),
            rows: 100,
            as_of: Some(1284),
            before: Some(1200),
            event: Some("evt/1?".to_owned()),
            embed: true,
            ..Address::new("org_1")
        };
        let href = address.href();
        assert!(
            href.starts_with(
                "/w/org_1/audit-logs?q=actor:%22Ana%20%26%20Bo%22%20-ip:10.0.0.0%2F8&tz="
            ),
            "{href}"
        );
        let uri: axum::http::Uri = href.parse().unwrap();
        let axum::extract::Query(pairs) =
            axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).unwrap();
        assert_eq!(Address::read("org_1", &pairs), address);
    }

    #[test]
    fn a_download_forgets_the_page_but_not_the_size() {
        let address = Address {
            as_of: Some(9),
            before: Some(4),
            query: "a".to_owned(),
            ..Address::new("o")
        };
        assert_eq!(
            address.below("/download.csv"),
            "/w/o/audit-logs/download.csv?q=a&as_of=9"
        );
    }
}
