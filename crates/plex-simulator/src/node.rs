//! The tree from which both representations are encoded. Differences between XML and JSON are decided here: the name of
//! an element, its list, and whether it is in a list at all.

use std::borrow::Cow;

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NodeValue {
    /// Text in both.
    Text(Cow<'static, str>),
    /// Digits in XML, a number in JSON.
    Number(i64),
    /// Digits with a point in XML, a number in JSON.
    Decimal(f64),
    /// `1` or `0` in XML, `true` or `false` in JSON.
    Flag(bool),
}

impl From<&'static str> for NodeValue {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for NodeValue {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<&String> for NodeValue {
    fn from(text: &String) -> Self {
        Self::Text(text.clone().into())
    }
}

impl From<bool> for NodeValue {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<f64> for NodeValue {
    fn from(decimal: f64) -> Self {
        Self::Decimal(decimal)
    }
}

impl From<i64> for NodeValue {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u64> for NodeValue {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for NodeValue {
    fn from(number: u32) -> Self {
        Self::Number(i64::from(number))
    }
}

impl From<u16> for NodeValue {
    fn from(number: u16) -> Self {
        Self::Number(i64::from(number))
    }
}

impl From<i32> for NodeValue {
    fn from(number: i32) -> Self {
        Self::Number(i64::from(number))
    }
}

impl From<usize> for NodeValue {
    fn from(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// An element.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Its name in XML.
    pub(super) element: &'static str,
    /// Name of its list, in JSON.
    pub(super) list: &'static str,
    /// Whether JSON has it as an object of its own instead of in a list.
    pub(super) single: bool,
    /// Its fields, in order.
    pub(super) fields: Vec<(&'static str, NodeValue)>,
    /// Its children.
    pub(super) children: Vec<Node>,
}

impl Node {
    /// An element in a list of its own name.
    pub(super) fn new(element: &'static str) -> Self {
        Self { element, list: element, single: false, fields: Vec::new(), children: Vec::new() }
    }

    /// An element for an item: in JSON all kinds of items are in the list `Metadata`.
    pub(super) fn item(element: &'static str) -> Self {
        Self { list: "Metadata", ..Self::new(element) }
    }

    /// An element that occurs once.
    pub(super) fn single(element: &'static str) -> Self {
        Self { single: true, ..Self::new(element) }
    }

    /// Adds a field.
    pub(super) fn set(mut self, name: &'static str, value: impl Into<NodeValue>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// Adds a field if there is a value.
    pub(super) fn maybe(self, name: &'static str, value: Option<impl Into<NodeValue>>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// Adds a child.
    pub(super) fn with(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// Adds children.
    pub(super) fn with_all(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }
}
