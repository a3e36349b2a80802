//! Dates, times and spans, as Python's `datetime` has them.

use std::fmt::Write;

use crate::unreadable::UnreadableValue;

const MICROS_PER_S: i128 = 1_000_000;
const MICROS_PER_DAY: i128 = 86_400 * MICROS_PER_S;
const MAX_DAYS: i128 = 999_999_999;
const MALFORMED: UnreadableValue = UnreadableValue::new("a malformed date or time");

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PythonDate {
    year: u16,
    month: u8,
    day: u8,
}

/// A day and a time of it, with the offset from UTC if it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PythonTime {
    date: PythonDate,
    hour: u8,
    minute: u8,
    second: u8,
    micros: u32,
    offset: Option<PythonSpan>,
}

/// A length of time in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PythonSpan(i128);

impl PythonDate {
    /// A day of the Gregorian calendar from year 1 to 9999.
    ///
    /// # Errors
    /// There is no such day.
    pub fn new(year: i128, month: i128, day: i128) -> Result<Self, UnreadableValue> {
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        if !(1..=9999).contains(&year) || !(1..=days).contains(&day) {
            return Err(MALFORMED);
        }
        Ok(Self { year: part(year)?, month: part(month)?, day: part(day)? })
    }

    /// As ISO 8601 writes it.
    pub fn to_iso(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl PythonTime {
    /// A time of a day: hour, minute, second, microsecond.
    ///
    /// # Errors
    /// There is no such time.
    pub fn new(date: PythonDate, time: [i128; 4], offset: Option<PythonSpan>) -> Result<Self, UnreadableValue> {
        let [hour, minute, second, micros] = time;
        if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
            return Err(MALFORMED);
        }
        if !(0..MICROS_PER_S).contains(&micros) {
            return Err(MALFORMED);
        }
        Ok(Self {
            date,
            hour: part(hour)?,
            minute: part(minute)?,
            second: part(second)?,
            micros: part(micros)?,
            offset,
        })
    }

    /// As ISO 8601 writes it.
    pub fn to_iso(self) -> String {
        let mut text = format!("{}T{:02}:{:02}:{:02}", self.date.to_iso(), self.hour, self.minute, self.second);
        if self.micros > 0 {
            let _ = write!(text, ".{:06}", self.micros); // A string takes everything.
        }
        if let Some(PythonSpan(offset)) = self.offset {
            let (sign, offset) = (if offset < 0 { '-' } else { '+' }, offset.abs());
            let seconds = offset / MICROS_PER_S;
            let _ = write!(text, "{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60); // A string takes everything.
            let micros = offset % MICROS_PER_S;
            if seconds % 60 > 0 || micros > 0 {
                let _ = write!(text, ":{:02}", seconds % 60); // A string takes everything.
            }
            if micros > 0 {
                let _ = write!(text, ".{micros:06}"); // A string takes everything.
            }
        }
        text
    }
}

impl PythonSpan {
    /// No time at all, which is the offset of UTC.
    pub const ZERO: Self = Self(0);

    /// A span of days, seconds and microseconds, each of which may be negative.
    ///
    /// # Errors
    /// It is longer than Python has it.
    pub fn new(days: i128, seconds: i128, micros: i128) -> Result<Self, UnreadableValue> {
        let scaled = |count: i128, unit: i128| count.checked_mul(unit).ok_or(MALFORMED);
        let sum = scaled(days, MICROS_PER_DAY)?.checked_add(scaled(seconds, MICROS_PER_S)?).ok_or(MALFORMED)?;
        let span = Self(sum.checked_add(micros).ok_or(MALFORMED)?);
        if span.parts()[0].abs() > MAX_DAYS { Err(MALFORMED) } else { Ok(span) }
    }

    /// Days, seconds and microseconds; only days are negative.
    pub fn parts(self) -> [i128; 3] {
        let rest = self.0.rem_euclid(MICROS_PER_DAY);
        [self.0.div_euclid(MICROS_PER_DAY), rest / MICROS_PER_S, rest % MICROS_PER_S]
    }

    /// The offset of a time zone, which is less than a day.
    ///
    /// # Errors
    /// It is not.
    pub fn as_offset(self) -> Result<Self, UnreadableValue> {
        if self.0.abs() < MICROS_PER_DAY { Ok(self) } else { Err(MALFORMED) }
    }
}

fn part<T: TryFrom<i128>>(number: i128) -> Result<T, UnreadableValue> {
    T::try_from(number).map_err(|_| MALFORMED)
}
