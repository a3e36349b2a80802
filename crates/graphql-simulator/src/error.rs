//! Errors in the form that GraphQL gives them.

use serde_json::{Value, json};

/// One entry of `errors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GraphQlError {
    message: String,
    code: &'static str,
    path: Vec<Value>,
}

impl GraphQlError {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { message: message.into(), code, path: Vec::new() }
    }

    /// The caller has to log in.
    pub(super) fn unauthenticated() -> Self {
        Self::new("UNAUTHENTICATED", "You must be logged in.")
    }

    /// A document that cannot be executed.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new("GRAPHQL_VALIDATION_FAILED", message)
    }

    /// An argument with a value it cannot have.
    pub(super) fn bad_input(message: impl Into<String>) -> Self {
        Self::new("BAD_USER_INPUT", message)
    }

    /// Whether the document is at fault, so that nothing of it is executed.
    pub(super) fn is_of_request(&self) -> bool {
        !matches!(self.code, "UNAUTHENTICATED" | "BAD_USER_INPUT" | "INTERNAL_SERVER_ERROR" | "FORBIDDEN")
    }

    /// The same at a place of the response.
    pub(super) fn at(mut self, path: &[Value]) -> Self {
        self.path = path.to_vec();
        self
    }

    pub(super) fn to_json(&self) -> Value {
        let mut error = json!({"message": self.message, "extensions": {"code": self.code}});
        if !self.path.is_empty() {
            error["path"] = Value::Array(self.path.clone());
        }
        error
    }
}
