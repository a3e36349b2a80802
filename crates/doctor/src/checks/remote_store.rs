//! The Redis or Valkey behind memory and disk.

use greenroom_remote_store::probe::{ClusterFacts, KeyAgreement, StoreFacts, StoreProduct};

use crate::facts::RemoteStoreFacts;
use crate::finding::Finding;

/// The oldest Redis whose scripts and streams are used.
const OLDEST_REDIS: (u32, u32) = (6, 2);
/// From this version on, gateways agree in a full store too.
const AGREES_WHEN_FULL: (u32, u32) = (7, 0);
/// Slots of a Cluster.
const SLOTS: u64 = 16_384;

/// Whether it answers.
pub fn check_connection(facts: &RemoteStoreFacts) -> Vec<Finding> {
    const CHECK: &str = "remote store";
    let Err(reason) = &facts.answer else {
        return vec![Finding::ok(CHECK, "It answers, and accepts the configured user.")];
    };
    let remedy = if ["NOAUTH", "WRONGPASS"].iter().any(|code| reason.contains(code))
        || reason.contains("authentication")
    {
        "Set store.redis.user and store.redis.password_file to what the store expects."
    } else if reason.contains("NOPERM") {
        "Allow the user the keys ~PREFIX:* and ~{PREFIX}:*, with store.redis.prefix for PREFIX, and the command INFO."
    } else if reason.contains("ertificate") || reason.contains("TLS") || reason.contains("tls") {
        "Set store.redis.ca_file to the authority that signed its certificate; where it wants one of its clients, \
         client_cert_file and client_key_file."
    } else {
        "Start it, or correct store.redis.url. Until then Greenroom answers from memory, disk and the media server."
    };
    vec![Finding::problem(CHECK, format!("The remote store does not answer: {reason}."), remedy)]
}

/// Whether its version knows the commands that are used.
pub fn check_version(facts: &RemoteStoreFacts) -> Vec<Finding> {
    const CHECK: &str = "store version";
    let Ok(store) = &facts.answer else { return Vec::new() };
    let named = format!("{} {}", store.product.name(), store.version);
    let Some(version) = parse_version(&store.version) else {
        let remedy = "Use Redis 6.2 or newer, or Valkey: others are not tried.";
        return vec![Finding::warning(CHECK, "The store does not say its version.", remedy)];
    };
    vec![match store.product {
        StoreProduct::Redis if version < OLDEST_REDIS => {
            Finding::problem(CHECK, format!("{named} is too old."), "Install Redis 6.2 or newer, or Valkey.")
        }
        StoreProduct::Redis if version < AGREES_WHEN_FULL => Finding::warning(
            CHECK,
            format!("{named} refuses what gateways tell each other when its memory is full."),
            "Install version 7 or newer, or set maxmemory-policy to allkeys-lru.",
        ),
        StoreProduct::Redis | StoreProduct::Valkey => Finding::ok(CHECK, format!("{named}.")),
    }]
}

/// Whether it answers fast enough for reads to wait for it.
pub fn check_latency(facts: &RemoteStoreFacts) -> Vec<Finding> {
    const CHECK: &str = "store latency";
    let Ok(store) = &facts.answer else { return Vec::new() };
    let took = format!("A round trip takes {:.1} ms", store.round_trip.as_secs_f64() * 1000.0);
    let limit = facts.read_timeout.as_millis();
    if store.round_trip >= facts.read_timeout {
        let what = format!("{took}, longer than reads wait for it ({limit} ms): no answer comes from it.");
        return vec![Finding::problem(CHECK, what, "Move it nearer, or raise store.redis.read_timeout_ms.")];
    }
    if store.round_trip * 2 >= facts.read_timeout {
        let what = format!("{took}; reads wait {limit} ms for it at most, and go to the media server after that.");
        return vec![Finding::warning(CHECK, what, "Move it nearer, or raise store.redis.read_timeout_ms.")];
    }
    vec![Finding::ok(CHECK, format!("{took}."))]
}

/// Whether it makes room when it is full.
pub fn check_eviction(facts: &RemoteStoreFacts) -> Vec<Finding> {
    const CHECK: &str = "store eviction";
    let Ok(store) = &facts.answer else { return Vec::new() };
    let policy = store.eviction_policy.as_str();
    if store.max_bytes == 0 {
        let what = "Its memory has no limit (maxmemory 0): entries leave it when they expire.";
        return vec![Finding::ok(CHECK, what).with_advice(
            "A limit keeps it from the memory of other programs: set maxmemory, and maxmemory-policy to allkeys-lru.",
        )];
    }
    vec![match policy {
        "noeviction" => Finding::warning(
            CHECK,
            "It refuses new entries when it is full (maxmemory-policy noeviction).",
            "Set its maxmemory-policy to allkeys-lru.",
        ),
        "allkeys-random" => Finding::warning(
            CHECK,
            "When it is full it may evict what gateways told each other (maxmemory-policy allkeys-random); each time \
             all of them load everything again.",
            "Set its maxmemory-policy to allkeys-lru.",
        ),
        _ => Finding::ok(CHECK, format!("When it is full it makes room (maxmemory-policy {policy}).")),
    }]
}

/// Whether all slots of a Cluster are served.
pub fn check_slots(facts: &RemoteStoreFacts) -> Vec<Finding> {
    const CHECK: &str = "store slots";
    let Ok(StoreFacts { cluster, .. }) = &facts.answer else { return Vec::new() };
    match cluster {
        ClusterFacts::None => Vec::new(),
        ClusterFacts::Unconfigured => vec![Finding::problem(
            CHECK,
            "The store is one node of a Cluster, and only this node is configured.",
            "Name at least two of its nodes in store.redis.url, with commas between.",
        )],
        ClusterFacts::Cluster(slots) if slots.is_ok && slots.served == SLOTS => {
            let what = format!("All slots are served, by {} primaries of {} nodes.", slots.primaries, slots.nodes);
            vec![Finding::ok(CHECK, what)]
        }
        ClusterFacts::Cluster(slots) => vec![Finding::problem(
            CHECK,
            format!("{} of {SLOTS} slots are served.", slots.served),
            "Start the nodes that are down, or let `redis-cli --cluster fix` assign their slots.",
        )],
    }
}

/// Whether its gateways have one key.
pub fn check_key(facts: &RemoteStoreFacts) -> Vec<Finding> {
    const CHECK: &str = "cluster key";
    let Ok(store) = &facts.answer else { return Vec::new() };
    let prefix = &facts.prefix;
    match store.key {
        KeyAgreement::Unshared => Vec::new(),
        KeyAgreement::Unused => {
            vec![Finding::ok(CHECK, format!("No gateway has used the prefix {prefix} yet: the first sets the key."))]
        }
        KeyAgreement::Same => vec![Finding::ok(CHECK, "The gateways there have the same cluster key.")],
        KeyAgreement::Other => vec![Finding::problem(
            CHECK,
            format!("The gateways with the prefix {prefix} have another cluster key; this one runs without the store."),
            "Give all of them the same store.redis.cluster_key_file. To change the key, stop all of them first.",
        )],
    }
}

/// The first two numbers of a version.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use greenroom_remote_store::probe::ClusterSlots;

    use super::*;
    use crate::finding::FindingLevel;

    fn healthy() -> StoreFacts {
        StoreFacts {
            product: StoreProduct::Redis,
            version: "7.0.15".into(),
            round_trip: Duration::from_micros(200),
            eviction_policy: "allkeys-lru".into(),
            max_bytes: 2,
            cluster: ClusterFacts::None,
            key: KeyAgreement::Same,
        }
    }

    fn facts(answer: Result<StoreFacts, String>) -> RemoteStoreFacts {
        let read_timeout = Duration::from_millis(50);
        RemoteStoreFacts { prefix: "greenroom".into(), read_timeout, answer }
    }

    /// Names of the checks that found something, with its level.
    fn found(facts: &RemoteStoreFacts) -> Vec<(&'static str, FindingLevel)> {
        let all = crate::checks::REMOTE_STORE.iter().flat_map(|check| check(facts));
        all.filter(|finding| finding.level > FindingLevel::Ok).map(|finding| (finding.check, finding.level)).collect()
    }

    #[test]
    fn a_healthy_store_gives_no_reason_to_act() {
        assert_eq!(found(&facts(Ok(healthy()))), []);
        let valkey = StoreFacts { product: StoreProduct::Valkey, version: "8.1.3".into(), ..healthy() };
        assert_eq!(found(&facts(Ok(valkey))), []);
    }

    #[test]
    fn each_weakness_is_found_alone() {
        use FindingLevel::{Problem, Warning};
        let slots = ClusterSlots { is_ok: false, served: 10_923, primaries: 3, nodes: 6 };
        let cases = [
            (StoreFacts { version: "6.0.16".into(), ..healthy() }, ("store version", Problem)),
            (StoreFacts { version: "6.2.6".into(), ..healthy() }, ("store version", Warning)),
            (StoreFacts { version: String::new(), ..healthy() }, ("store version", Warning)),
            (StoreFacts { round_trip: Duration::from_millis(25), ..healthy() }, ("store latency", Warning)),
            (StoreFacts { round_trip: Duration::from_millis(50), ..healthy() }, ("store latency", Problem)),
            (StoreFacts { eviction_policy: "noeviction".into(), ..healthy() }, ("store eviction", Warning)),
            (StoreFacts { eviction_policy: "allkeys-random".into(), ..healthy() }, ("store eviction", Warning)),
            (StoreFacts { cluster: ClusterFacts::Cluster(slots), ..healthy() }, ("store slots", Problem)),
            (StoreFacts { cluster: ClusterFacts::Unconfigured, ..healthy() }, ("store slots", Problem)),
            (StoreFacts { key: KeyAgreement::Other, ..healthy() }, ("cluster key", Problem)),
        ];
        for (store, expected) in cases {
            assert_eq!(found(&facts(Ok(store.clone()))), [expected], "{store:?}");
        }
    }

    #[test]
    fn a_store_that_does_not_answer_is_one_problem_with_the_remedy_for_its_reason() {
        let remedies = [
            ("NOAUTH Authentication required.", "password_file"),
            ("WRONGPASS invalid username-password pair", "password_file"),
            ("invalid peer certificate: UnknownIssuer", "ca_file"),
            ("Connection refused", "Start it"),
        ];
        for (reason, word) in remedies {
            let facts = facts(Err(reason.into()));
            assert_eq!(found(&facts), [("remote store", FindingLevel::Problem)]);
            assert!(
                check_connection(&facts)[0].remedy.as_ref().is_some_and(|remedy| remedy.contains(word)),
                "{reason}"
            );
        }
    }
}
