//! The account of a token against a naive model: in any order of proofs and revocations.

use proptest::prelude::*;

use super::*;

fn owner(index: usize) -> TokenOwner {
    if index == 0 { TokenOwner::ApiKeys } else { TokenOwner::User(format!("user-{index}")) }
}

fn partition(owner: &TokenOwner) -> Partition {
    match owner {
        TokenOwner::User(user) => Partition::new(format!("account of {user}")),
        TokenOwner::ApiKeys => Partition::new("api keys"),
    }
}

fn drained(outdated: &OutdatedPartitions) -> Vec<Partition> {
    let purged: Mutex<Vec<Partition>> = Mutex::default();
    outdated.purge_with(|partition| purged.lock().push(partition.clone()));
    purged.into_inner()
}

/// Event of one token.
#[derive(Debug, Clone)]
enum Event {
    /// The server names this owner.
    Proof(usize),
    /// The token is rejected, or signed out.
    Revocation,
    /// The process starts again.
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![(0..6_usize).prop_map(Event::Proof), Just(Event::Revocation), Just(Event::Restart)]
}

/// The naive model: everything in plain sight.
#[derive(Debug, Default)]
struct NaiveAccount {
    seen: Vec<usize>,
    named: Option<usize>,
    shares: bool,
}

impl NaiveAccount {
    fn prove(&mut self, index: usize) {
        if !self.seen.contains(&index) {
            self.seen.push(index);
        }
        let is_known = self.seen.iter().position(|seen| *seen == index).is_some_and(|at| at < MAX_ACCOUNTS);
        (self.named, self.shares) = (is_known.then_some(index), is_known);
    }

    fn partition(&self) -> Option<Partition> {
        self.named.filter(|_| self.shares).map(|index| partition(&owner(index)))
    }

    fn user(&self) -> Option<String> {
        self.named.filter(|index| *index > 0).map(|index| format!("user-{index}"))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_token_shares_the_partition_of_the_owner_that_was_named_last_and_no_other(
        events in prop::collection::vec(event(), 0..40),
    ) {
        let (mut account, mut naive) = (TokenAccount::default(), NaiveAccount::default());
        let (own, outdated) = (Partition::new("token"), OutdatedPartitions::default());
        for event in events {
            let (state, before) = (account.state(), account.partition().cloned());
            match event {
                Event::Proof(index) => {
                    let is_new = account.prove(&owner(index), || partition(&owner(index)), &own, &outdated);
                    naive.prove(index);
                    let purged = drained(&outdated);
                    let moved = before != naive.partition();
                    prop_assert!(is_new || !moved);
                    if moved {
                        prop_assert!(purged.contains(&own), "nothing is found again in the token's own partition");
                        let left = before.as_ref().filter(|before| Some(*before) != naive.partition().as_ref());
                        prop_assert!(left.is_none_or(|left| purged.contains(left)), "{left:?} in {purged:?}");
                    }
                }
                Event::Revocation => {
                    account.stop_sharing();
                    naive.shares = false;
                }
                Event::Restart => {
                    let stored = account.stored();
                    prop_assert_eq!(stored.is_some(), naive.partition().is_some());
                    (account, naive) = (TokenAccount::default(), NaiveAccount {
                        seen: naive.named.filter(|_| naive.shares).into_iter().collect(),
                        named: naive.named.filter(|_| naive.shares),
                        shares: naive.shares,
                    });
                    if let Some(stored) = stored {
                        account.restore(&stored, partition, &own);
                    }
                }
            }
            prop_assert_eq!(account.partition().cloned(), naive.partition());
            prop_assert_eq!(account.user().map(|user| user.to_string()), naive.user());
            if !matches!(event, Event::Restart) && before.as_ref() != account.partition() {
                prop_assert_ne!(state, account.state(), "a memoised key of the old partition is not used again");
            }
        }
    }
}

#[test]
fn a_token_of_too_many_accounts_is_alone() {
    let (account, own, outdated) = (TokenAccount::default(), Partition::new("token"), OutdatedPartitions::default());
    for index in 0..=MAX_ACCOUNTS {
        account.prove(&owner(index), || partition(&owner(index)), &own, &outdated);
    }
    assert_eq!((account.partition(), account.user(), account.stored()), (None, None, None));
    account.prove(&owner(1), || partition(&owner(1)), &own, &outdated);
    assert_eq!(account.partition(), Some(&partition(&owner(1))), "one of its first accounts");
}

#[test]
fn the_same_proof_again_purges_nothing() {
    let (account, own, outdated) = (TokenAccount::default(), Partition::new("token"), OutdatedPartitions::default());
    assert!(account.prove(&owner(1), || partition(&owner(1)), &own, &outdated));
    assert_eq!(drained(&outdated), std::slice::from_ref(&own));
    assert!(!account.prove(&owner(1), || partition(&owner(1)), &own, &outdated));
    assert_eq!(drained(&outdated), []);
}
