//! The scripts that a text is written in.

/// A set of scripts; empty for text without letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ScriptSet(u8);

impl ScriptSet {
    /// Latin letters only.
    pub(super) const LATIN: Self = Self(1);

    /// The scripts of a text. Han and kana count as one, since Japanese has both.
    pub(super) fn of(text: &str) -> Self {
        if text.is_ascii() {
            return Self(u8::from(text.bytes().any(|byte| byte.is_ascii_alphabetic())));
        }
        let bit = |c: char| match u32::from(c) {
            0..=0xbf if !c.is_ascii_alphabetic() => 0,
            0xd7 | 0xf7 | 0x2000..=0x2bff | 0x3000..=0x3004 | 0xfe00..=0xfe0f => 0,
            0..=0x24f | 0x1e00..=0x1eff | 0x2c60..=0x2c7f | 0xa720..=0xa7ff | 0xff21..=0xff5a => 1,
            0x370..=0x3ff | 0x1f00..=0x1fff => 2,
            0x400..=0x52f => 4,
            0x1100..=0x11ff | 0x3130..=0x318f | 0xac00..=0xd7a3 => 8,
            0x3005
            | 0x3040..=0x30ff
            | 0x3400..=0x4dbf
            | 0x4e00..=0x9fff
            | 0xf900..=0xfaff
            | 0xff66..=0xff9f
            | 0x20000..=0x323af => 16,
            _ if c.is_alphabetic() => 32,
            _ => 0,
        };
        Self(text.chars().fold(0, |scripts, c| scripts | bit(c)))
    }

    /// Whether both have letters, but of no common script.
    pub(super) fn is_apart_from(self, other: Self) -> bool {
        self.0 != 0 && other.0 != 0 && self.0 & other.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::ScriptSet;

    #[test]
    fn scripts_are_told_apart() {
        let are_apart = |one: &str, other: &str| ScriptSet::of(one).is_apart_from(ScriptSet::of(other));
        for (one, other) in
            [("Кино", "Kino"), ("아이유", "IU"), ("ひかり", "Hikari"), ("命", "봄"), ("Ελλάδα", "Греция")]
        {
            assert!(are_apart(one, other), "{one} {other}");
        }
        for (one, other) in [("Älva", "Alva"), ("命", "ひかり"), ("アイ (Ai)", "Ai"), ("", "Kino"), ("123", "Кино")]
        {
            assert!(!are_apart(one, other), "{one} {other}");
        }
    }
}
