//! Collecting, with every order of events drawn from a seed: nothing goes there before it is here, nothing comes twice.

mod seeded;

use std::collections::BTreeSet;

use pillarbox_engine::collect::{Collection, Fate, imap_key, pop3_keys};
use seeded::Seeded;

#[test]
fn nothing_goes_before_it_is_stored_and_nothing_comes_twice() {
    for seed in 1..=300u64 {
        let mut random = Seeded(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut there: BTreeSet<u32> = (1..=60).collect();
        let mut here: BTreeSet<u32> = BTreeSet::new();
        let mut stores = 0;
        let delete = seed % 2 == 0;
        // Runs end anywhere; what is remembered is what is stored.
        for run in 0..20 {
            let mut collection = Collection::new(delete);
            there.iter().for_each(|number| collection.found(*number, here.contains(number)));
            let (mut asked, mut came): (Vec<u32>, Vec<u32>) = (vec![], vec![]);
            let steps = if run == 19 { 100_000 } else { random.below(120) };
            for _ in 0..steps {
                match random.below(5) {
                    0 => {
                        let next = collection.next(8);
                        assert!(next.iter().all(|number| !here.contains(number)));
                        asked.extend(next);
                        assert!(collection.open() <= 8);
                    }
                    1 if !asked.is_empty() => {
                        let number = asked.remove(random.below(asked.len()));
                        if random.below(9) == 0 {
                            collection.answered(&[number], random.below(2) == 0);
                            assert!(!collection.came(number));
                        } else {
                            assert!(collection.came(number) && !collection.came(number));
                            came.push(number);
                        }
                    }
                    2 if !came.is_empty() => {
                        let number = came.remove(random.below(came.len()));
                        if random.below(9) == 0 {
                            collection.settled(number, Fate::Failed);
                        } else {
                            assert!(here.insert(number), "it is stored once");
                            stores += 1;
                            collection.settled(number, Fate::Stored);
                        }
                    }
                    3 => {
                        for number in collection.deletable(5) {
                            assert!(delete && here.contains(&number), "it is here first");
                            assert!(there.remove(&number), "it is removed once");
                            collection.deleted(1);
                        }
                    }
                    _ => {}
                }
                if collection.is_collected() {
                    break;
                }
            }
            let counts = collection.counts();
            assert!(counts.stored + counts.known + counts.failed + counts.gone <= counts.found);
        }
        assert_eq!(stores, here.len());
    }
}

#[test]
fn keys_tell_messages_apart() {
    assert_ne!(imap_key(1, 2), imap_key(2, 1));
    let ids: Vec<Vec<u8>> = [&b"a"[..], b"b", b"a", b"a"].map(<[u8]>::to_vec).to_vec();
    let keys = pop3_keys(&ids);
    assert_eq!((&keys[0][..], &keys[1][..]), (&b"a"[..], &b"b"[..]));
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 4);
    assert_eq!(pop3_keys(&ids), keys, "the same every time");
}
