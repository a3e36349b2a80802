//! Operations on structs of monotonic counters: difference and sum.

/// The struct with the growth of these counters since `before`. All other fields keep their current value.
macro_rules! since {
    ($now:ident, $before:ident; $($field:ident)*) => {
        Self { $($field: $now.$field.saturating_sub($before.$field),)* ..Clone::clone($now) }
    };
}

/// Adds these counters of another struct of the same type.
macro_rules! add {
    ($sum:ident, $other:ident; $($field:ident)*) => {
        $($sum.$field += $other.$field;)*
    };
}

pub(crate) use {add, since};
