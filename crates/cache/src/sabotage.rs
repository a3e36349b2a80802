//! Switches off safeguards. A build with `--cfg sabotage` leaves out the one that the environment names, so that
//! `sabotage.sh` can assert that its tests fail without it. In every other build none can be switched off.

#[cfg(sabotage)]
pub(crate) fn takes_out(safeguard: &str) -> bool {
    use std::sync::LazyLock;

    static NAMED: LazyLock<String> = LazyLock::new(|| std::env::var("GREENROOM_SABOTAGE").unwrap_or_default());
    *NAMED == safeguard
}

#[cfg(not(sabotage))]
pub(crate) const fn takes_out(_safeguard: &str) -> bool {
    false
}
