//! Takes out rules of what a write reaches. A build with `--cfg sabotage` leaves out the one that the environment names,
//! so that `crates/sabotage.sh` can assert that its tests fail without it. In every other build none can be taken out.

#[cfg(sabotage)]
pub(crate) fn is_disabled(rule: &str) -> bool {
    use std::sync::LazyLock;

    static DISABLED: LazyLock<String> = LazyLock::new(|| std::env::var("GREENROOM_SABOTAGE").unwrap_or_default());
    *DISABLED == rule
}

#[cfg(not(sabotage))]
pub(crate) const fn is_disabled(_rule: &str) -> bool {
    false
}
