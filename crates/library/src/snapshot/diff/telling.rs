//! How a difference is written for people.

use std::fmt;

use super::{Diff, Retag, Thing};

/// A text longer than this is cut.
const MAX_TEXT_CHARS: usize = 80;

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        let (added, removed, retagged) = (counts.added, counts.removed, counts.retagged);
        let (moved, rekeyed) = (counts.moved, counts.rekeyed);
        writeln!(
            f,
            "{added} added, {removed} removed, {retagged} retagged, {moved} moved, {rekeyed} re-keyed"
        )?;
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

/// A line for each, and one for those that are only counted.
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

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} “{}”", self.kind, self.key, cut(&self.title))?;
        self.of.as_deref().map_or(Ok(()), |of| write!(f, " ({})", cut(of)))
    }
}

impl fmt::Display for Retag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [from, to] =
            [&self.from, &self.to].map(|text| if text.is_empty() { "nothing".into() } else { cut(text) });
        write!(f, "{} {from} → {to}", self.field.word())
    }
}

/// A text that fits on a line, without what would end the line or steer a terminal.
fn cut(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut cut: String = plain.take(MAX_TEXT_CHARS).collect();
    if text.chars().nth(MAX_TEXT_CHARS).is_some() {
        cut.push('…');
    }
    cut
}
