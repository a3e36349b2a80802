//! Formats a difference for people.

use std::fmt;

use super::{FieldChange, ItemSummary, SnapshotDiff};

/// Longest text in characters; longer ones are cut.
const MAX_TEXT_CHARS: usize = 80;

impl fmt::Display for SnapshotDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        let (added, removed, retagged) = (counts.added, counts.removed, counts.retagged);
        let (moved, rekeyed) = (counts.moved, counts.rekeyed);
        writeln!(f, "{added} added, {removed} removed, {retagged} retagged, {moved} moved, {rekeyed} re-keyed")?;
        lines(f, added, &self.added, |f, thing| write!(f, "+ {thing}"))?;
        lines(f, removed, &self.removed, |f, thing| write!(f, "- {thing}"))?;
        lines(f, retagged, &self.retagged, |f, one| {
            write!(f, "~ {}", one.thing)?;
            one.fields.iter().try_for_each(|retag| write!(f, "; {retag}"))
        })?;
        lines(f, moved, &self.moved, |f, one| {
            let [from, to] = [&one.from, &one.to].map(|path| path.as_deref().unwrap_or("nowhere"));
            write!(f, "> {}; {from} → {to}", one.thing)
        })?;
        lines(f, rekeyed, &self.rekeyed, |f, one| write!(f, "= {}; was {}", one.thing, one.from))
    }
}

/// One line for each item, and one for those that are only counted.
fn lines<T>(
    f: &mut fmt::Formatter<'_>,
    count: u64,
    told: &[T],
    line: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for one in told {
        line(f, one)?;
        writeln!(f)?;
    }
    match count.saturating_sub(told.len() as u64) {
        0 => Ok(()),
        more => writeln!(f, "  … and {more} more"),
    }
}

impl fmt::Display for ItemSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} “{}”", self.kind, self.key, cut(&self.title))?;
        self.of.as_deref().map_or(Ok(()), |of| write!(f, " ({})", cut(of)))
    }
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [from, to] = [&self.from, &self.to].map(|text| if text.is_empty() { "nothing".into() } else { cut(text) });
        write!(f, "{} {from} → {to}", self.field.word())
    }
}

/// Shortens a text to one line and removes line ends and control characters.
fn cut(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut cut: String = plain.take(MAX_TEXT_CHARS).collect();
    if text.chars().nth(MAX_TEXT_CHARS).is_some() {
        cut.push('…');
    }
    cut
}
