//! The plug of both ways' servers: who has pulled it, and who may put it back.

use serde::Serialize;

/// Where the plug is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Plug {
    /// The servers can be reached.
    #[default]
    In,
    /// Somebody at the page has pulled it.
    Pulled,
    /// The evening itself has: its minute without servers is measured.
    Held,
}

/// What is wanted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// By somebody at the page.
    Pull,
    /// By somebody at the page.
    PutBack,
    /// By the evening, for its minute.
    Hold,
    /// By the evening, after it.
    LetGo,
}

/// Why nobody may touch it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotNow {
    /// The evening holds the plug for its minute.
    Held,
    /// The apps have not asked for a while: without servers nobody would know them.
    AppsWake,
}

impl Plug {
    /// Where it is after that.
    pub(super) fn after(self, order: Order) -> Result<Self, NotNow> {
        match (self, order) {
            (_, Order::Hold) => Ok(Self::Held),
            (_, Order::LetGo) | (Self::In | Self::Pulled, Order::PutBack) => Ok(Self::In),
            (Self::Held, Order::Pull | Order::PutBack) => Err(NotNow::Held),
            (Self::In | Self::Pulled, Order::Pull) => Ok(Self::Pulled),
        }
    }

    /// Whether the servers can be reached.
    pub(super) fn is_in(self) -> bool {
        self == Self::In
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_looks_pulls_and_puts_back_as_often_as_they_like() {
        let mut plug = Plug::default();
        for (order, then) in [
            (Order::Pull, Plug::Pulled),
            (Order::Pull, Plug::Pulled),
            (Order::PutBack, Plug::In),
            (Order::PutBack, Plug::In),
            (Order::Pull, Plug::Pulled),
        ] {
            plug = plug.after(order).expect("nobody holds it");
            assert_eq!(plug, then);
        }
    }

    #[test]
    fn nobody_spoils_the_minute_that_is_measured() {
        for before in [Plug::In, Plug::Pulled] {
            let held = before.after(Order::Hold).expect("the evening always may");
            assert_eq!(held, Plug::Held);
            assert_eq!(held.after(Order::PutBack), Err(NotNow::Held));
            assert_eq!(held.after(Order::Pull), Err(NotNow::Held));
            assert_eq!(held.after(Order::LetGo), Ok(Plug::In));
        }
    }
}
