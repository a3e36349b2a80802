//! Rules of a route that load what an app is likely to ask for next: after a list, the details of its first rows.

use super::section::Section;

/// Max rules of one route.
const MAX_RULES: usize = 16;
/// Max loads of one rule after one response.
const MAX_FIRST: u64 = 100;
/// Default of it.
const DEFAULT_FIRST: usize = 10;

/// The request that is repeated, with another value in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrefetchTarget {
    /// A GraphQL operation of this name at the same route; the value replaces a variable.
    Operation {
        /// Name of the operation.
        name: String,
        /// Name of the variable.
        variable: String,
    },
    /// A request of the route of this name; the value replaces a captured segment of its path.
    Route {
        /// Name of the route.
        name: String,
        /// Name of the capture.
        capture: String,
    },
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefetchRule {
    /// Name of the GraphQL operation after whose response it acts; `None` for the responses of a route without GraphQL.
    pub after: Option<String>,
    /// JSON pointer to the values in the response; `*` stands for every element of a list.
    pub values: String,
    /// Max values of one response.
    pub first: usize,
    /// The request that is repeated.
    pub target: PrefetchTarget,
}

impl PrefetchRule {
    /// Reads all rules of the route in this table.
    pub(super) fn read_all(own: &mut Section<'_>, is_graphql: bool) -> Vec<Self> {
        let table = own.key("prefetch");
        let mut numbers: Vec<usize> =
            own.tree.names_below(&table, &[]).iter().filter_map(|name| name.parse().ok()).collect();
        numbers.sort_unstable();
        if numbers.len() > MAX_RULES {
            own.tree.problem(own.tree.place(&table), format!("a route may have at most {MAX_RULES} prefetch rules"));
        }
        let read = |number: &usize| {
            let table = format!("{table}.{number}");
            let place = own.tree.place(&table);
            let rule = Self::read(&mut Section::new(own.tree, table), is_graphql);
            rule.map_err(|problem| own.tree.problem(place, format!("this prefetch rule {problem}"))).ok()
        };
        numbers.iter().take(MAX_RULES).filter_map(read).collect()
    }

    fn read(own: &mut Section<'_>, is_graphql: bool) -> Result<Self, &'static str> {
        let mut text = |key: &str| own.tree.take(&own.key(key)).map(|leaf| leaf.text).filter(|text| !text.is_empty());
        let [after, values, operation, variable, route, capture] =
            ["after", "values", "operation", "variable", "route", "capture"].map(&mut text);
        let first = own.count("first", 1..=MAX_FIRST, DEFAULT_FIRST);
        let values = values.filter(|pointer| pointer.starts_with('/')).ok_or("needs values = \"/a/json/pointer\"")?;
        let target = match (operation, variable, route, capture) {
            (Some(name), Some(variable), None, None) if is_graphql => PrefetchTarget::Operation { name, variable },
            (None, None, Some(name), Some(capture)) if !is_graphql => PrefetchTarget::Route { name, capture },
            _ if is_graphql => return Err("needs the operation that is repeated, and the variable for each value"),
            _ => return Err("needs the route whose request is repeated, and the capture for each value"),
        };
        match after {
            None if is_graphql => Err("needs the operation after which it acts: after = \"GetMenu\""),
            Some(_) if !is_graphql => Err("has an operation, but its route is not GraphQL"),
            after => Ok(Self { after, values, first, target }),
        }
    }
}
