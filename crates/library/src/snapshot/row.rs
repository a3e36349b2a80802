//! Binary format of an item: its key, its kind, then one field after the other. Numbers have variable length;
//! zero means unknown.

use crate::item::{Item, ItemKind, MediaFile};

/// Error: the bytes are no valid row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvalidRow;

const KINDS: [ItemKind; 5] = [ItemKind::Film, ItemKind::Show, ItemKind::Season, ItemKind::Episode, ItemKind::Track];

/// Appends an item.
pub(super) fn write(item: &Item, to: &mut Vec<u8>) {
    text(&item.key, to);
    to.push(KINDS.iter().position(|kind| *kind == item.kind).and_then(|at| u8::try_from(at).ok()).unwrap_or(0));
    text(&item.title, to);
    for field in [&item.parent_key, &item.parent_title, &item.grandparent_key, &item.grandparent_title] {
        maybe_text(field.as_deref(), to);
    }
    number(item.artists.len() as u64, to);
    item.artists.iter().for_each(|artist| text(artist, to));
    maybe(item.index.map(u64::from), to);
    maybe(item.parent_index.map(u64::from), to);
    maybe(item.year.map(u64::from), to);
    maybe(item.duration_ms.map(u64::from), to);
    number(item.guids.len() as u64, to);
    item.guids.iter().for_each(|guid| text(guid, to));
    number(item.files.len() as u64, to);
    for file in &item.files {
        text(&file.path, to);
        maybe(file.size_bytes, to);
    }
    maybe(item.added_at_s, to);
    maybe(item.updated_at_s, to);
}

/// Parses an item, which must take up the whole row.
pub(super) fn read(row: &[u8]) -> Result<Item, InvalidRow> {
    let mut from = RowReader(row);
    let key = from.text()?;
    let kind = *KINDS.get(usize::from(from.byte()?)).ok_or(InvalidRow)?;
    let item = Item {
        key: key.into(),
        kind,
        title: from.text()?.into(),
        parent_key: from.maybe_text()?,
        parent_title: from.maybe_text()?,
        grandparent_key: from.maybe_text()?,
        grandparent_title: from.maybe_text()?,
        artists: from.list(|from| from.text().map(Into::into))?,
        index: from.fitting()?,
        parent_index: from.fitting()?,
        year: from.fitting()?,
        duration_ms: from.fitting()?,
        guids: from.list(|from| from.text().map(Into::into))?,
        files: from.list(|from| Ok(MediaFile { path: from.text()?.into(), size_bytes: from.maybe()? }))?,
        added_at_s: from.maybe()?,
        updated_at_s: from.maybe()?,
    };
    if from.0.is_empty() { Ok(item) } else { Err(InvalidRow) }
}

/// Appends a number, seven bits per byte, the lowest first; the last byte has its highest bit clear.
pub(super) fn number(mut value: u64, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    to.push(u8::try_from(value).unwrap_or(0));
}

/// Appends an optional number. `u64::MAX`, which cannot be told from a missing one, counts as missing.
fn maybe(value: Option<u64>, to: &mut Vec<u8>) {
    number(value.and_then(|value| value.checked_add(1)).unwrap_or(0), to);
}

fn text(text: &str, to: &mut Vec<u8>) {
    number(text.len() as u64, to);
    to.extend_from_slice(text.as_bytes());
}

fn maybe_text(text: Option<&str>, to: &mut Vec<u8>) {
    maybe(text.map(|text| text.len() as u64), to);
    to.extend_from_slice(text.unwrap_or_default().as_bytes());
}

/// The unread rest of some bytes.
pub(super) struct RowReader<'a>(pub(super) &'a [u8]);

impl<'a> RowReader<'a> {
    fn byte(&mut self) -> Result<u8, InvalidRow> {
        let (first, rest) = self.0.split_first().ok_or(InvalidRow)?;
        self.0 = rest;
        Ok(*first)
    }

    /// Reads a number, which must be in its shortest form.
    pub(super) fn number(&mut self) -> Result<u64, InvalidRow> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(InvalidRow);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return if byte == 0 && shift > 0 { Err(InvalidRow) } else { Ok(value) };
            }
        }
        Err(InvalidRow)
    }

    /// Reads the next `length` bytes.
    pub(super) fn bytes(&mut self, length: u64) -> Result<&'a [u8], InvalidRow> {
        let (bytes, rest) =
            usize::try_from(length).ok().and_then(|length| self.0.split_at_checked(length)).ok_or(InvalidRow)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn text(&mut self) -> Result<&'a str, InvalidRow> {
        let length = self.number()?;
        std::str::from_utf8(self.bytes(length)?).map_err(|_| InvalidRow)
    }

    fn maybe(&mut self) -> Result<Option<u64>, InvalidRow> {
        Ok(self.number()?.checked_sub(1))
    }

    fn maybe_text(&mut self) -> Result<Option<Box<str>>, InvalidRow> {
        let Some(length) = self.maybe()? else { return Ok(None) };
        std::str::from_utf8(self.bytes(length)?).map(|text| Some(text.into())).map_err(|_| InvalidRow)
    }

    fn fitting<N: TryFrom<u64>>(&mut self) -> Result<Option<N>, InvalidRow> {
        self.maybe()?.map(|value| N::try_from(value).map_err(|_| InvalidRow)).transpose()
    }

    fn list<T>(&mut self, one: impl Fn(&mut Self) -> Result<T, InvalidRow>) -> Result<Vec<T>, InvalidRow> {
        // Each member takes at least one byte, so an oversized count reserves nothing.
        let count = self.number()?;
        if count > self.0.len() as u64 {
            return Err(InvalidRow);
        }
        (0..count).map(|_| one(self)).collect()
    }
}
