//! Switches off safeguards. A build with `--cfg sabotage` leaves out the one that the environment names, so that
//! `crates/sabotage.sh` can assert that its tests fail without it. In every other build none can be switched off.

#[cfg(sabotage)]
pub(crate) fn is_disabled(safeguard: &str) -> bool {
    use std::sync::LazyLock;

    static DISABLED: LazyLock<String> = LazyLock::new(|| std::env::var("GREENROOM_SABOTAGE").unwrap_or_default());
    *DISABLED == safeguard
}

#[cfg(not(sabotage))]
pub(crate) const fn is_disabled(_safeguard: &str) -> bool {
    false
}
