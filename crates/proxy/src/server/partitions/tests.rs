//! Responses by token: tokens, accounts and servers in any order of proofs, loads, revocations and replaced servers.

use std::time::Duration;

use bytes::Bytes;
use greenroom_cache::{
    CacheDirective, CacheResponse, Entry, LoadError, LoadReason, LoadResult, LoadedValue, Loader, Value,
};
use proptest::prelude::*;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use greenroom_dialect::tag::{Tag, TagInvalidation};

use super::*;
use crate::invalidate::{self, InvalidationSource};
use crate::server::fixture::{identity, jellyfins, read, user};

const TARGET: &str = "/Items?recursive=true";
const TOKENS: [&str; 3] = ["token-0", "token-1", "token-2"];
const SERVERS: [&str; 2] = ["home", "den"];

fn owner(index: usize) -> TokenOwner {
    if index == 0 { TokenOwner::ApiKeys } else { user(&format!("user-{index}")) }
}

/// Gives the body once it may, as a response of the server.
#[derive(Clone)]
struct HeldLoader {
    server: Arc<Server>,
    identity: Arc<Identity>,
    read: Arc<Read>,
    partition: Partition,
    proof: Option<AccountProof>,
    body: Bytes,
    go: Arc<Notify>,
}

impl Loader for HeldLoader {
    type Pass = ();

    async fn load(&self, _: LoadReason, _: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        self.go.notified().await;
        if self.server.may_store(&self.identity, &self.read, &self.partition, self.proof.as_ref()) {
            Ok(LoadResult::Store(LoadedValue::new(Value::new(self.body.clone()))))
        } else {
            Ok(LoadResult::Pass(()))
        }
    }
}

type LoadTask = JoinHandle<Result<CacheResponse<()>, LoadError>>;

/// Two servers, the truth about their tokens, and loads under way.
struct World {
    servers: [Arc<Server>; 2],
    truth: [[usize; 3]; 2],
    loads: Vec<(Arc<Notify>, LoadTask)>,
}

#[derive(Debug, Clone)]
enum Event {
    /// The server is asked whose token it is.
    Ask,
    /// A request of the token is sent.
    Begin,
    /// The oldest response arrives.
    End,
    /// The token reads from the cache.
    Read,
    /// The token is rejected.
    Revoke,
    /// The server is replaced: the token is another account's.
    Replace(usize),
}

impl World {
    fn new() -> Self {
        Self { servers: jellyfins(SERVERS), truth: [[1, 1, 2]; 2], loads: Vec::new() }
    }

    fn loader(&self, at: usize, token: usize) -> (Key, HeldLoader) {
        let server = Arc::clone(&self.servers[at]);
        let identity = identity(&server, TOKENS[token]);
        let read = read(&server, TARGET, Some("Kodi"));
        let key = server.key_of(&identity, &read);
        let partition = key.partition().clone();
        let proof = server.proof_of(&identity);
        let body = format!("{} {:?} {token}", server.name(), owner(self.truth[at][token])).into();
        (key, HeldLoader { server, identity, read, partition, proof, body, go: Arc::default() })
    }

    async fn play(&mut self, at: usize, token: usize, event: &Event) -> Result<(), TestCaseError> {
        // Time passes between any two events.
        tokio::time::advance(Duration::from_millis(2)).await;
        let (key, loader) = self.loader(at, token);
        let (server, identity) = (Arc::clone(&loader.server), Arc::clone(&loader.identity));
        let policy = server.policy(&loader.read, &identity);
        match event {
            Event::Ask => server.prove_owner(&identity, &owner(self.truth[at][token])),
            Event::Begin => {
                let (cache, go) = (server.cache.clone(), Arc::clone(&loader.go));
                let load =
                    async move { cache.get_or_load(&key, &policy, CacheDirective::LoadUnshared, || loader).await };
                self.loads.push((go, server.origin.tasks.spawn(load)));
                tokio::task::yield_now().await;
            }
            Event::End if !self.loads.is_empty() => {
                let (go, load) = self.loads.remove(0);
                go.notify_one();
                drop(load.await);
            }
            Event::End => {}
            Event::Read => {
                let found = server.cache.get_or_load(&key, &policy, CacheDirective::OnlyIfCached, || loader).await;
                if let Ok(CacheResponse::Cached { entry, .. }) = found {
                    let body = String::from_utf8_lossy(&entry.value().body).into_owned();
                    let expected = match identity.shared_owner() {
                        Some(owner) => format!("{} {owner:?} ", server.name()),
                        None => format!("{} ", server.name()),
                    };
                    prop_assert!(body.starts_with(&expected), "{body:?} for {expected:?}");
                    let is_alone = identity.shared_owner().is_none();
                    prop_assert!(!is_alone || body.ends_with(&format!(" {token}")), "{body:?} for {token} alone");
                }
            }
            Event::Revoke => {
                identity.refuse();
                server.forget_token(&identity);
            }
            Event::Replace(other) => {
                self.truth[at][token] = *other;
                server.origin.breaker.record_restart_sign(server.origin.clock.now());
            }
        }
        Ok(())
    }
}

fn event() -> impl Strategy<Value = (usize, usize, Event)> {
    let event = prop_oneof![
        3 => Just(Event::Ask),
        4 => Just(Event::Begin),
        4 => Just(Event::End),
        6 => Just(Event::Read),
        1 => Just(Event::Revoke),
        2 => (0..3_usize).prop_map(Event::Replace),
    ];
    (0..2_usize, 0..3_usize, event)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_response_crosses_accounts_or_servers_in_any_order(events in prop::collection::vec(event(), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let mut world = World::new();
            for (at, token, event) in &events {
                world.play(*at, *token, event).await?;
            }
            Ok::<(), TestCaseError>(())
        })?;
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_of_one_account_find_the_same_once_both_are_proven() {
    let [server, _] = jellyfins(SERVERS);
    let read = read(&server, TARGET, Some("Kodi"));
    let [one, two] = ["token-0", "token-1"].map(|token| identity(&server, token));
    assert_ne!(server.key_of(&one, &read), server.key_of(&two, &read), "nothing is proven");
    server.prove_owner(&one, &user("anna"));
    assert_ne!(server.key_of(&one, &read), server.key_of(&two, &read), "one is proven");
    server.prove_owner(&two, &user("anna"));
    assert_eq!(server.key_of(&one, &read), server.key_of(&two, &read));
}

#[tokio::test(start_paused = true)]
async fn accounts_of_one_name_on_two_servers_and_a_user_made_anew_find_nothing_of_each_other() {
    let [home, den] = jellyfins(SERVERS);
    let partition = |server: &Server, id: &str| server.identities.account_partition(&user(id));
    assert_ne!(partition(&home, "anna"), partition(&den, "anna"));
    assert_ne!(partition(&home, "anna"), partition(&home, "anna-made-anew"), "her id is another");
    assert_ne!(home.api_key_partition(), partition(&home, ""));
    assert_ne!(home.api_key_partition(), den.api_key_partition());
}

#[tokio::test(start_paused = true)]
async fn what_depends_on_the_token_itself_is_not_shared() {
    let [server, _] = jellyfins(SERVERS);
    let keys = |tokens: [&str; 2], target: &str, app| {
        let read = read(&server, target, app);
        tokens.map(|token| server.key_of(&identity(&server, token), &read))
    };
    for (token, owner) in
        [("a", user("anna")), ("b", user("anna")), ("c", TokenOwner::ApiKeys), ("d", TokenOwner::ApiKeys)]
    {
        server.prove_owner(&identity(&server, token), &owner);
    }
    let is_shared = |keys: [Key; 2]| keys[0] == keys[1];
    assert!(is_shared(keys(["a", "b"], TARGET, Some("Kodi"))));
    assert!(!is_shared(keys(["a", "b"], TARGET, None)), "the server takes the app's name from the token");
    assert!(!is_shared(keys(["c", "d"], TARGET, Some("Kodi"))), "of a key it always does");
    for target in ["/Sessions", "/Items/Counts", "/Library/VirtualFolders", "/Users"] {
        assert!(is_shared(keys(["c", "d"], target, None)), "{target}");
        assert!(is_shared(keys(["a", "b"], target, None)), "{target}");
        assert!(!is_shared(keys(["a", "c"], target, None)), "{target}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_turns_out_to_be_anothers_takes_nothing_along_and_leaves_nothing() {
    let mut world = World::new();
    for (token, event) in [(0, Event::Ask), (1, Event::Ask), (0, Event::Begin), (0, Event::End)] {
        world.play(0, token, &event).await.expect("nothing crosses");
    }
    let (key, loader) = world.loader(0, 1);
    let (server, policy) = (Arc::clone(&loader.server), loader.server.policy(&loader.read, &loader.identity));
    let find = async || server.cache.get_or_load(&key, &policy, CacheDirective::OnlyIfCached, || loader.clone()).await;
    assert!(find().await.is_ok(), "the first token's response is the second's");
    server.prove_owner(&identity(&server, TOKENS[0]), &user("bert"));
    assert!(find().await.is_err(), "it may be from when the token was another's already");
}

#[tokio::test(start_paused = true)]
async fn a_users_change_reaches_all_tokens_of_the_user_and_tokens_that_may_be() {
    let mut world = World::new();
    for token in 0..3 {
        if token != 1 {
            world.play(0, token, &Event::Ask).await.expect("nothing crosses");
        }
        for event in [Event::Begin, Event::End] {
            world.play(0, token, &event).await.expect("nothing crosses");
        }
    }
    let server = Arc::clone(&world.servers[0]);
    let second = identity(&server, "another-of-user-1");
    server.prove_owner(&second, &user("user-1"));
    let change = [TagInvalidation::user(Tag::all(), "user-1")];
    let finds = async |world: &World, token: usize| {
        let (key, loader) = world.loader(0, token);
        let policy = loader.server.policy(&loader.read, &loader.identity);
        server.cache.get_or_load(&key, &policy, CacheDirective::OnlyIfCached, || loader).await.is_ok()
    };
    for token in 0..3 {
        assert!(finds(&world, token).await, "{token}");
    }
    invalidate::apply(&server, &change, InvalidationSource::ServerEvent(&identity(&server, "feed")));
    assert!(!finds(&world, 0).await, "the user's");
    assert!(!finds(&world, 1).await, "it is not known whose it is");
    assert!(finds(&world, 2).await, "another user's");
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_takes_nothing_from_the_others_of_its_account() {
    let mut world = World::new();
    for (token, event) in
        [(0, Event::Ask), (1, Event::Ask), (0, Event::Begin), (0, Event::End), (0, Event::Revoke), (1, Event::Read)]
    {
        world.play(0, token, &event).await.expect("nothing crosses");
    }
    let (server, read) = (Arc::clone(&world.servers[0]), read(&world.servers[0], TARGET, Some("Kodi")));
    let [revoked, other] = [0, 1].map(|token| identity(&server, TOKENS[token]));
    assert!(server.cache.peek(&server.key_of(&other, &read)).is_some(), "the other token's entry stays");
    assert_eq!(server.key_of(&revoked, &read).partition(), revoked.token(), "the revoked one is alone");
}
