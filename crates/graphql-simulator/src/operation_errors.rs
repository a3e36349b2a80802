//! Failures of single operations: a response with `errors`, with or without the rest of the data.

use parking_lot::Mutex;
use serde::Deserialize;

use super::error::GraphQlError;

/// A failure of the operations with one name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OperationErrorRule {
    /// Name of the operation; all if absent.
    #[serde(default)]
    operation: Option<String>,
    /// Whether the data is sent beside the error.
    #[serde(default)]
    partial: bool,
    /// Number of operations after which the failure is gone; absent means never.
    #[serde(default)]
    times: Option<u32>,
}

/// Failure of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OperationFailure {
    /// No data.
    Whole,
    /// Data and an error.
    Partial,
}

/// Holds the current rule.
#[derive(Debug, Default)]
pub(super) struct OperationErrors(Mutex<Option<OperationErrorRule>>);

impl OperationErrors {
    /// Sets the rule, or removes it.
    pub(super) fn set(&self, rule: Option<OperationErrorRule>) {
        *self.0.lock() = rule;
    }

    /// The failure of an operation, counted against the rule's `times`.
    pub(super) fn inject(&self, name: Option<&str>) -> Option<OperationFailure> {
        let mut held = self.0.lock();
        let rule = held.as_mut()?;
        if rule.operation.is_some() && rule.operation.as_deref() != name {
            return None;
        }
        let failure = if rule.partial { OperationFailure::Partial } else { OperationFailure::Whole };
        if let Some(left) = rule.times.as_mut() {
            *left = left.saturating_sub(1);
            if *left == 0 {
                *held = None;
            }
        }
        Some(failure)
    }
}

/// The error that such an operation reports.
pub(super) fn injected() -> GraphQlError {
    GraphQlError::new("INTERNAL_SERVER_ERROR", "Internal server error")
}
