//! A parsed document, and the operation of it that is to be executed.

use std::collections::HashMap;

use graphql_parser::query::{Definition, Directive, OperationDefinition, Selection, SelectionSet, Value as Literal};
use graphql_parser::query::{Field, TypeCondition, VariableDefinition, parse_query};
use serde_json::{Map, Value};

use super::error::GraphQlError;

/// Nesting of fragments and selections.
const MAX_DEPTH: usize = 24;
/// Length of a document in bytes.
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

type Set = SelectionSet<'static, String>;

/// Kind of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OperationKind {
    Query,
    Mutation,
}

/// An operation with its fragments and variables.
#[derive(Debug)]
pub(super) struct ExecutableOperation {
    pub(super) kind: OperationKind,
    pub(super) name: Option<String>,
    selection: Set,
    fragments: HashMap<String, (String, Set)>,
    variables: Map<String, Value>,
}

/// A field that is selected on an object.
#[derive(Debug)]
pub(super) struct SelectedField<'a> {
    /// Its key in the response.
    pub(super) key: &'a str,
    pub(super) name: &'a str,
    pub(super) arguments: Map<String, Value>,
    /// Selections below it: of each place where the document names this key.
    pub(super) below: Vec<&'a Set>,
}

impl ExecutableOperation {
    /// The operation called `name`, or the only one of a document.
    pub(super) fn new(
        document: &str,
        name: Option<&str>,
        variables: &Map<String, Value>,
    ) -> Result<Self, GraphQlError> {
        if document.len() > MAX_DOCUMENT_BYTES {
            return Err(GraphQlError::invalid("The document is too long."));
        }
        let parsed = parse_query::<String>(document)
            .map_err(|error| GraphQlError::new("GRAPHQL_PARSE_FAILED", format!("Syntax Error: {error}")))?
            .into_static();
        let mut fragments = HashMap::new();
        let mut operations = Vec::new();
        for definition in parsed.definitions {
            match definition {
                Definition::Operation(operation) => operations.push(operation),
                Definition::Fragment(fragment) => {
                    let TypeCondition::On(condition) = fragment.type_condition;
                    fragments.insert(fragment.name, (condition, fragment.selection_set));
                }
            }
        }
        let mut fitting: Vec<_> = operations
            .into_iter()
            .map(taken_apart)
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .filter(|operation| name.is_none() || operation.1.as_deref() == name)
            .collect();
        let (Some((kind, name, definitions, selection)), true) = (fitting.pop(), fitting.is_empty()) else {
            return Err(GraphQlError::new("OPERATION_RESOLUTION_FAILURE", "Unknown operation, or more than one."));
        };
        let variables = coerced(&definitions, variables)?;
        Ok(Self { kind, name, selection, fragments, variables })
    }

    /// The selection of the root.
    pub(super) fn root(&self) -> Vec<&Set> {
        vec![&self.selection]
    }

    /// The fields that `sets` select on an object of type `on`, each key once.
    pub(super) fn fields<'a>(&'a self, sets: &[&'a Set], on: &str) -> Result<Vec<SelectedField<'a>>, GraphQlError> {
        let mut fields: Vec<SelectedField<'a>> = Vec::new();
        for set in sets {
            self.collect(set, on, &mut fields, 0)?;
        }
        Ok(fields)
    }

    fn collect<'a>(
        &'a self,
        set: &'a Set,
        on: &str,
        fields: &mut Vec<SelectedField<'a>>,
        depth: usize,
    ) -> Result<(), GraphQlError> {
        if depth > MAX_DEPTH {
            return Err(GraphQlError::invalid("The document is nested too deeply."));
        }
        for selection in &set.items {
            match selection {
                Selection::Field(field) if self.included(&field.directives) => self.add(field, fields),
                Selection::InlineFragment(part) if self.included(&part.directives) => {
                    let fits = part.type_condition.as_ref().is_none_or(|TypeCondition::On(name)| name == on);
                    if fits {
                        self.collect(&part.selection_set, on, fields, depth + 1)?;
                    }
                }
                Selection::FragmentSpread(spread) if self.included(&spread.directives) => {
                    let unknown = || GraphQlError::invalid(format!("Unknown fragment \"{}\".", spread.fragment_name));
                    let (condition, set) = self.fragments.get(&spread.fragment_name).ok_or_else(unknown)?;
                    if condition == on {
                        self.collect(set, on, fields, depth + 1)?;
                    }
                }
                Selection::Field(_) | Selection::InlineFragment(_) | Selection::FragmentSpread(_) => {}
            }
        }
        Ok(())
    }

    fn add<'a>(&'a self, field: &'a Field<'static, String>, fields: &mut Vec<SelectedField<'a>>) {
        let key = field.alias.as_deref().unwrap_or(&field.name);
        if let Some(known) = fields.iter_mut().find(|known| known.key == key) {
            known.below.push(&field.selection_set);
            return;
        }
        let arguments = field.arguments.iter().map(|(name, value)| (name.clone(), self.value(value))).collect();
        fields.push(SelectedField { key, name: &field.name, arguments, below: vec![&field.selection_set] });
    }

    /// Result of `@include` and `@skip`.
    fn included(&self, directives: &[Directive<'static, String>]) -> bool {
        directives.iter().all(|directive| {
            let condition =
                directive.arguments.iter().find(|(name, _)| name == "if").map(|(_, value)| self.value(value));
            let holds = condition == Some(Value::Bool(true));
            match directive.name.as_str() {
                "include" => holds,
                "skip" => !holds,
                _ => true,
            }
        })
    }

    fn value(&self, literal: &Literal<'static, String>) -> Value {
        match literal {
            Literal::Variable(name) => self.variables.get(name).cloned().unwrap_or(Value::Null),
            other => constant(other, &|name| self.variables.get(name).cloned().unwrap_or(Value::Null)),
        }
    }
}

type OperationParts = (OperationKind, Option<String>, Vec<VariableDefinition<'static, String>>, Set);

fn taken_apart(operation: OperationDefinition<'static, String>) -> Result<OperationParts, GraphQlError> {
    Ok(match operation {
        OperationDefinition::SelectionSet(set) => (OperationKind::Query, None, Vec::new(), set),
        OperationDefinition::Query(it) => (OperationKind::Query, it.name, it.variable_definitions, it.selection_set),
        OperationDefinition::Mutation(it) => {
            (OperationKind::Mutation, it.name, it.variable_definitions, it.selection_set)
        }
        OperationDefinition::Subscription(_) => {
            return Err(GraphQlError::invalid("Schema is not configured for subscriptions."));
        }
    })
}

/// The variables that are defined, with their defaults.
fn coerced(
    definitions: &[VariableDefinition<'static, String>],
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, GraphQlError> {
    let mut variables = Map::new();
    for definition in definitions {
        let default = definition.default_value.as_ref().map(|value| constant(value, &|_| Value::Null));
        let value = given.get(&definition.name).cloned().or(default);
        let required = matches!(definition.var_type, graphql_parser::query::Type::NonNullType(_));
        match value {
            None | Some(Value::Null) if required => {
                let message = format!("Variable \"${}\" of required type was not provided.", definition.name);
                return Err(GraphQlError::new("GRAPHQL_VALIDATION_FAILED", message));
            }
            Some(value) => {
                variables.insert(definition.name.clone(), value);
            }
            None => {}
        }
    }
    Ok(variables)
}

fn constant(literal: &Literal<'static, String>, variable: &dyn Fn(&str) -> Value) -> Value {
    match literal {
        Literal::Variable(name) => variable(name),
        Literal::Int(number) => number.as_i64().map_or(Value::Null, Value::from),
        Literal::Float(number) => Value::from(*number),
        Literal::String(text) | Literal::Enum(text) => Value::String(text.clone()),
        Literal::Boolean(value) => Value::Bool(*value),
        Literal::Null => Value::Null,
        Literal::List(values) => values.iter().map(|value| constant(value, variable)).collect(),
        Literal::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), constant(value, variable))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(document: &str, variables: &Value) -> Vec<String> {
        let variables = variables.as_object().cloned().unwrap_or_default();
        let operation = ExecutableOperation::new(document, None, &variables).expect("an operation");
        let fields = operation.fields(&operation.root(), "Query").expect("fields");
        fields.iter().map(|field| format!("{}:{}", field.key, Value::Object(field.arguments.clone()))).collect()
    }

    #[test]
    fn aliases_fragments_and_directives_are_resolved() {
        let document =
            "query Q($a: Int = 3, $no: Boolean!) { one: me(n: $a) ...F ... on User { x } me @skip(if: true) }
            fragment F on Query { other(list: [1, $a]) @include(if: $no) one { id } }";
        assert_eq!(keys(document, &serde_json::json!({"no": true})), ["one:{\"n\":3}", "other:{\"list\":[1,3]}"]);
        assert_eq!(keys(document, &serde_json::json!({"no": false, "a": 4})), ["one:{\"n\":4}"]);
    }

    #[test]
    fn a_fragment_within_itself_ends() {
        let document = "{ ...F } fragment F on Query { ...F }";
        let operation = ExecutableOperation::new(document, None, &Map::new()).expect("an operation");
        assert!(operation.fields(&operation.root(), "Query").is_err());
    }

    #[test]
    fn what_cannot_be_executed_is_refused() {
        let refused = |document, name| ExecutableOperation::new(document, name, &Map::new()).is_err();
        assert!(refused("{ me {", None));
        assert!(refused("query A { me } query B { me }", None));
        assert!(!refused("query A { me } query B { me }", Some("B")));
        assert!(refused("query A($id: ID!) { me(id: $id) }", None));
        assert!(refused("subscription { me }", None));
    }
}
