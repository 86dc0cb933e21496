//! What is wrong with a query, and where.

/// A query that cannot be understood. It never becomes an empty list: the reader is told what to change.
///
/// ```
/// # use annals_event::Query;
/// let error = Query::parse("acter:ana").unwrap_err();
/// assert_eq!((error.column, error.suggestion.as_deref()), (1, Some("actor")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// Where the trouble starts: 1 is the first character. Counts characters, not bytes.
    pub column: usize,
    /// What is wrong, as a sentence for the person who typed the query.
    pub message: String,
    /// What to write there instead, where that can be guessed.
    pub suggestion: Option<String>,
}

impl QueryError {
    pub(crate) fn new(column: usize, message: impl Into<String>) -> Self {
        QueryError {
            column,
            message: message.into(),
            suggestion: None,
        }
    }

    pub(crate) fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

impl std::fmt::Display for QueryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "column {}: {}", self.column, self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, " Did you mean `{suggestion}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for QueryError {}
