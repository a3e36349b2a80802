//! Positions in the text of a TOML file.

use toml::Spanned;

/// The text of a TOML file.
pub(super) struct TomlText<'a> {
    /// Name of the file in errors.
    pub(super) name: &'a str,
    /// Its content.
    pub(super) text: &'a str,
}

impl TomlText<'_> {
    /// Place of a value: file, line and column.
    pub(super) fn place<T>(&self, value: &Spanned<T>) -> String {
        let (line, column) = position_of(self.text, value.span().start);
        format!("{}:{line}:{column}", self.name)
    }
}

/// Line and column of a byte, both from 1; a column is a character.
pub(super) fn position_of(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (1 + before.bytes().filter(|byte| *byte == b'\n').count(), 1 + before[line_start..].chars().count())
}
