//! Executes an operation: walks the selection and asks [`super::resolver`] for each field.

use graphql_parser::query::SelectionSet;
use serde_json::{Map, Value};

use super::document::{ExecutableOperation, OperationKind};
use super::error::GraphQlError;
use super::object::GraphQlObject;

/// Fields in one response.
const MAX_FIELDS: usize = 500_000;

/// Value of a field before its selection is applied.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FieldValue {
    Scalar(Value),
    Object(GraphQlObject),
    List(Vec<GraphQlObject>),
}

impl<V: Into<Value>> From<V> for FieldValue {
    fn from(value: V) -> Self {
        Self::Scalar(value.into())
    }
}

/// Gives the value of each field.
pub(super) trait FieldResolver {
    /// The value of the field `name` of `object`.
    fn field(
        &mut self,
        object: &GraphQlObject,
        name: &str,
        arguments: &Map<String, Value>,
    ) -> Result<FieldValue, GraphQlError>;
}

/// Data and errors of an executed operation.
#[derive(Debug, Default)]
pub(super) struct ExecutionResult {
    pub(super) data: Option<Value>,
    pub(super) errors: Vec<GraphQlError>,
}

/// Executes `operation`. An unknown field fails all of it; any other error is at its field, which is null.
pub(super) fn execute(operation: &ExecutableOperation, resolver: &mut dyn FieldResolver) -> ExecutionResult {
    let root = match operation.kind {
        OperationKind::Query => GraphQlObject::Query,
        OperationKind::Mutation => GraphQlObject::Mutation,
    };
    let mut walk = SelectionWalk { operation, resolver, errors: Vec::new(), path: Vec::new(), fields: 0 };
    match walk.object(&root, &operation.root()) {
        Ok(data) => ExecutionResult { data: Some(data), errors: walk.errors },
        Err(error) => ExecutionResult { data: None, errors: vec![error] },
    }
}

struct SelectionWalk<'a> {
    operation: &'a ExecutableOperation,
    resolver: &'a mut dyn FieldResolver,
    errors: Vec<GraphQlError>,
    path: Vec<Value>,
    fields: usize,
}

type Sets<'a> = [&'a SelectionSet<'static, String>];

impl<'a> SelectionWalk<'a> {
    fn object(&mut self, object: &GraphQlObject, sets: &Sets<'a>) -> Result<Value, GraphQlError> {
        let operation = self.operation;
        let mut result = Map::new();
        let fields = operation.fields(sets, object.type_name())?;
        if fields.is_empty() {
            let message = format!("A field of type \"{}\" must have a selection of subfields.", object.type_name());
            return Err(GraphQlError::invalid(message));
        }
        for field in fields {
            self.fields += 1;
            if self.fields > MAX_FIELDS {
                return Err(GraphQlError::invalid("The response would be too large."));
            }
            self.path.push(Value::from(field.key));
            let value = if field.name == "__typename" {
                Ok(FieldValue::from(object.type_name()))
            } else {
                self.resolver.field(object, field.name, &field.arguments)
            };
            let value = match value {
                Ok(FieldValue::Scalar(value)) => value,
                Ok(FieldValue::Object(below)) => self.object(&below, &field.below)?,
                Ok(FieldValue::List(all)) => self.list(&all, &field.below)?,
                Err(error) if error.is_of_request() => return Err(error),
                Err(error) => {
                    self.errors.push(error.at(&self.path));
                    Value::Null
                }
            };
            self.path.pop();
            result.insert(field.key.to_owned(), value);
        }
        Ok(Value::Object(result))
    }

    fn list(&mut self, all: &[GraphQlObject], sets: &Sets<'a>) -> Result<Value, GraphQlError> {
        let mut values = Vec::with_capacity(all.len());
        for (at, object) in all.iter().enumerate() {
            self.path.push(Value::from(at));
            values.push(self.object(object, sets)?);
            self.path.pop();
        }
        Ok(Value::Array(values))
    }
}
