//! The metadata of a comic, from its ComicInfo.xml.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest value that is kept, in characters.
const MAX_VALUE_CHARS: usize = 1_000;
/// Max events of a document.
const MAX_EVENTS: usize = 20_000;

/// The metadata of a comic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComicInfo {
    /// Series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Box<str>>,
    /// Number within the series, which need not be a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<Box<str>>,
    /// Volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Box<str>>,
    /// Title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Box<str>>,
    /// Year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<i32>,
    /// Writers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer: Option<Box<str>>,
    /// Publisher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<Box<str>>,
    /// Language, as a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Box<str>>,
}

impl ComicInfo {
    /// Reads a document. Entities other than XML's own five and character references are left out; there is no
    /// expansion, and nothing is fetched.
    ///
    /// # Errors
    /// It is no XML, not a ComicInfo, or too long.
    pub fn parse(document: &[u8]) -> Result<Self, &'static str> {
        let text = decode(document).ok_or("ComicInfo.xml is neither UTF-8 nor UTF-16")?;
        let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(&text));
        reader.config_mut().check_end_names = true;
        let (mut info, mut value) = (Self::default(), String::new());
        let (mut depth, mut is_comic) = (0_usize, false);
        for _ in 0..MAX_EVENTS {
            match reader.read_event().map_err(|_| "ComicInfo.xml is no well-formed XML")? {
                Event::Eof if depth == 0 && is_comic => return Ok(info),
                Event::Eof => return Err("ComicInfo.xml is cut off, or not a ComicInfo"),
                Event::DocType(_) => return Err("ComicInfo.xml has a document type, which may declare entities"),
                Event::Start(start) => {
                    depth += 1;
                    is_comic |= depth == 1 && start.local_name().as_ref() == "ComicInfo";
                    value.clear();
                }
                Event::End(end) => {
                    if depth == 2 && is_comic {
                        info.set(end.local_name().as_ref(), &value);
                    }
                    depth = depth.saturating_sub(1);
                    value.clear();
                }
                Event::Text(text) => push(&mut value, &text),
                Event::CData(text) => push(&mut value, &text),
                Event::GeneralRef(name) => {
                    if let Ok(Some(character)) = name.resolve_char_ref() {
                        push(&mut value, character.encode_utf8(&mut [0; 4]));
                    } else if let Some(text) = resolve_predefined_entity(&name) {
                        push(&mut value, text);
                    }
                }
                _ => {}
            }
        }
        Err("ComicInfo.xml is too long")
    }

    fn set(&mut self, name: &str, value: &str) {
        let value: String = value.chars().filter(|character| !character.is_control()).take(MAX_VALUE_CHARS).collect();
        let value = value.trim();
        if value.is_empty() {
            return;
        }
        let field = match name {
            "Series" => &mut self.series,
            "Number" => &mut self.number,
            "Volume" => &mut self.volume,
            "Title" => &mut self.title,
            "Writer" => &mut self.writer,
            "Publisher" => &mut self.publisher,
            "LanguageISO" => &mut self.language,
            "Year" => {
                self.year = value.parse().ok();
                return;
            }
            _ => return,
        };
        *field = Some(value.into());
    }
}

/// The text of a document, whose encoding its first bytes tell.
fn decode(document: &[u8]) -> Option<Cow<'_, str>> {
    let wide = |from: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = document.chunks_exact(2).map(|pair| from([pair[0], pair[1]])).collect();
        String::from_utf16(&units).ok().map(Cow::Owned)
    };
    match document {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ => std::str::from_utf8(document).ok().map(Cow::Borrowed),
    }
}

fn push(value: &mut String, text: &str) {
    if value.len() < MAX_VALUE_CHARS * 4 {
        value.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_comic_are_read() {
        let xml = "<?xml version=\"1.0\"?><ComicInfo xmlns:x=\"y\"><Series>Tom &amp; J&#233;r&#xF4;me</Series>\
            <Number>1.5</Number><Volume>2</Volume><Year>1999</Year><Title><![CDATA[a < b]]></Title>\
            <Pages><Page><Title>not this</Title></Page></Pages><LanguageISO>de</LanguageISO></ComicInfo>";
        let info = ComicInfo::parse(xml.as_bytes()).expect("it is read");
        assert_eq!(info.series.as_deref(), Some("Tom & Jérôme"));
        assert_eq!((info.number.as_deref(), info.volume.as_deref()), (Some("1.5"), Some("2")));
        assert_eq!(
            (info.year, info.title.as_deref(), info.language.as_deref()),
            (Some(1999), Some("a < b"), Some("de"))
        );
    }

    #[test]
    fn hostile_documents_are_refused() {
        let laughs =
            "<!DOCTYPE l [<!ENTITY a \"haha\"><!ENTITY b \"&a;&a;&a;\">]><ComicInfo><Title>&b;</Title></ComicInfo>";
        assert!(ComicInfo::parse(laughs.as_bytes()).expect_err("refused").contains("document type"));
        let unknown = ComicInfo::parse(b"<ComicInfo><Title>a&file;b</Title></ComicInfo>").expect("read");
        assert_eq!(unknown.title.as_deref(), Some("ab"));
        for other in [&b""[..], b"<x/>", b"<ComicInfo><Title>", b"\xff\xfe", b"<ComicInfo></Other>"] {
            assert!(ComicInfo::parse(other).is_err());
        }
        let deep = "<a>".repeat(100_000);
        assert!(ComicInfo::parse(deep.as_bytes()).is_err());
        let long = format!("<ComicInfo><Title>{}</Title></ComicInfo>", "x".repeat(1 << 20));
        let info = ComicInfo::parse(long.as_bytes()).expect("read");
        assert!(info.title.expect("a title").len() <= MAX_VALUE_CHARS);
    }
}
