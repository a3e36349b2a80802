//! Outage switch of both targets' servers: which side opened it, and which may close it.

use serde::Serialize;

/// State of the switch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OutageSwitch {
    /// The servers are up.
    #[default]
    In,
    /// A viewer took the servers down.
    Pulled,
    /// The race took the servers down for its own outage.
    Held,
}

/// Command to the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SwitchCommand {
    /// By a viewer.
    Pull,
    /// By a viewer.
    PutBack,
    /// By the race, for its outage.
    Hold,
    /// By the race, after it.
    LetGo,
}

/// Reason for which the switch cannot be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SwitchError {
    /// The race's own outage is running.
    Held,
    /// The apps have sent no requests for a while: their grants would be too old for offline responses.
    AppsWarmingUp,
}

impl OutageSwitch {
    /// The state after a command.
    pub(super) fn apply(self, order: SwitchCommand) -> Result<Self, SwitchError> {
        match (self, order) {
            (_, SwitchCommand::Hold) => Ok(Self::Held),
            (_, SwitchCommand::LetGo) | (Self::In | Self::Pulled, SwitchCommand::PutBack) => Ok(Self::In),
            (Self::Held, SwitchCommand::Pull | SwitchCommand::PutBack) => Err(SwitchError::Held),
            (Self::In | Self::Pulled, SwitchCommand::Pull) => Ok(Self::Pulled),
        }
    }

    /// Whether the servers are up.
    pub(super) fn is_in(self) -> bool {
        self == Self::In
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_looks_pulls_and_puts_back_as_often_as_they_like() {
        let mut plug = OutageSwitch::default();
        for (order, then) in [
            (SwitchCommand::Pull, OutageSwitch::Pulled),
            (SwitchCommand::Pull, OutageSwitch::Pulled),
            (SwitchCommand::PutBack, OutageSwitch::In),
            (SwitchCommand::PutBack, OutageSwitch::In),
            (SwitchCommand::Pull, OutageSwitch::Pulled),
        ] {
            plug = plug.apply(order).expect("no other reference is left");
            assert_eq!(plug, then);
        }
    }

    #[test]
    fn a_viewer_cannot_end_or_extend_the_races_own_outage() {
        for before in [OutageSwitch::In, OutageSwitch::Pulled] {
            let held = before.apply(SwitchCommand::Hold).expect("the evening always may");
            assert_eq!(held, OutageSwitch::Held);
            assert_eq!(held.apply(SwitchCommand::PutBack), Err(SwitchError::Held));
            assert_eq!(held.apply(SwitchCommand::Pull), Err(SwitchError::Held));
            assert_eq!(held.apply(SwitchCommand::LetGo), Ok(OutageSwitch::In));
        }
    }
}
