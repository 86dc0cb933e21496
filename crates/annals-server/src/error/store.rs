//! How the errors of the store are answered.

use annals_store::{AppendError, ControlError, StoreError};

use super::{ApiError, Fault};

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DiskFull => Self::DiskFull,
            StoreError::Stopped => Self::Stopping,
            StoreError::Bucket { .. } => Self::Away(error.to_string()),
            StoreError::Unreadable(part) => Self::Unreadable(Box::new(part)),
            StoreError::Proof(proof) => {
                Self::bad("invalid_range", format!("This cannot be proven: {proof}."))
            }
            StoreError::TooManySteps { limit } => Self::Validation(vec![Fault::new(
                "step",
                "too_many",
                format!(
                    "step has more than {limit} steps with events in this range; choose day, or a shorter range"
                ),
            )]),
            error => Self::internal(error),
        }
    }
}

impl From<AppendError> for ApiError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Busy => Self::Busy,
            AppendError::DiskFull => Self::DiskFull,
            AppendError::Stopped => Self::Stopping,
            AppendError::Away(_) => Self::Away(error.to_string()),
            AppendError::IdempotencyMismatch => Self::Conflict {
                code: "idempotency_key_in_use",
                message: "This Idempotency-Key was used for another request body.".to_owned(),
            },
            AppendError::Size { limit } => Self::TooLarge(format!(
                "A batch has at least 1 and at most {limit} events."
            )),
            error => Self::internal(error),
        }
    }
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::NotFound { object } => Self::NotFound(kind(object), String::new()),
            ControlError::Conflict { field, message } => Self::Conflict {
                code: "already_exists",
                message: format!("{field} {message}."),
            },
            ControlError::Invalid(fields) => Self::Validation(
                fields
                    .into_iter()
                    .map(|f| Fault::new(f.field, f.code, f.message))
                    .collect(),
            ),
            ControlError::Store(error) => error.into(),
            error => Self::internal(error),
        }
    }
}

/// The kinds of objects as messages begin with them.
fn kind(object: &'static str) -> &'static str {
    match object {
        "organization" => "Organization",
        "key" => "Key",
        "action" => "Audit Log Action",
        "export" => "Audit Log Export",
        other => other,
    }
}
