//! Sharing processor tokens between builds: who is let in, who gets one more, from whom one is taken back. Pure, over what
//! [`Pipes`] can see and move.
//!
//! Every build that runs has one token of its own and further ones in its pipe, which its processes take out and put back (the
//! protocol of GNU make's job server). Nothing tells that a process waits for a token, so the only sign of want is a pipe that was
//! emptied.
//!
//! A build that only waits, as tests do that sleep, keeps its tokens. While a processor is idle for that, as many tokens more are lent, to
//! builds that took all they were offered and use their processors; when the sleeper wakes, or another build wants to begin, they are taken
//! back as they are put back. Nobody begins with a token that is lent, for that would come back only at its end.
//!
//! *Invariants:* the tokens of all builds together never exceed the budget but by what was lent while others slept; what a build does to
//! its pipe can cost nobody but itself: of what lies there at most what was issued to it counts, and at its end all of that is free again,
//! whoever died with it.

use crate::activity::{APART, Busy, whole};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// For so many looks in a row a token must lie unclaimed before it is tried elsewhere.
const UNWANTED: u32 = 2;

/// The pipes of the builds that run.
pub(crate) trait Pipes {
    /// How many tokens lie in the pipe of a build.
    fn available(&self, build: u64) -> usize;

    /// Takes tokens out of a pipe, without waiting; gives how many there were.
    fn take(&self, build: u64, count: usize) -> usize;

    /// Puts one token into a pipe; false if it is full.
    fn put(&self, build: u64) -> bool;
}

/// Who has how many of the tokens.
#[derive(Debug)]
pub(crate) struct Ledger {
    budget: usize,
    /// How many tokens there are besides, because so many are held by who sleeps.
    lent: usize,
    /// For so many notes what was lent last may not be seen in use yet.
    settling: usize,
    accounts: BTreeMap<u64, Account>,
    /// Builds that wait to be let in, with their limits.
    waiting: VecDeque<(u64, usize)>,
}

/// A build that was let in.
#[derive(Debug, Default)]
struct Account {
    /// How many tokens it may have besides its first.
    limit: usize,
    /// How many it has besides its first, in its pipe or taken.
    issued: usize,
    /// How many of these lay in its pipe at the last look.
    available: usize,
    /// For how many looks some lay there.
    unclaimed: u32,
    /// How many of these were lent.
    borrowed: usize,
    /// How many it had when it was last known how busy it is, its first and what its processes had taken: the last times, the latest first.
    held: [usize; APART],
    /// How many of its tokens were of no use to it for a while; `None` if that is not known.
    unused: Option<usize>,
}

/// What came of a look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Builds that may begin.
    pub(crate) admitted: Vec<u64>,
    /// Builds whose tokens are wanted elsewhere as soon as they put one back.
    pub(crate) pressed: Vec<u64>,
    /// Whether tokens were moved.
    pub(crate) moved: bool,
    /// Whether the next look may find something to do, even if nobody comes or goes.
    pub(crate) contested: bool,
    /// Whether somebody may want what others have, used or not: then it matters how busy they are.
    pub(crate) wanting: bool,
}

impl Account {
    /// It took all that it was offered, and may have more.
    const fn is_hungry(&self) -> bool {
        self.available == 0 && self.issued < self.limit
    }

    /// It uses the processors that it has tokens for, and would use more.
    fn may_borrow(&self) -> bool {
        self.is_hungry() && self.unused == Some(0)
    }

    /// Notes how many processors it used. What it has taken since it cannot have used all the time; and who shares a processor with a
    /// sleeper that woke uses less than it borrowed, but has nothing to lend for that.
    fn note(&mut self, used: Option<f64>) {
        let held = 1 + self.issued - self.available;
        let least = self.held.iter().fold(held, |least, &before| least.min(before));
        self.unused = used.map(|used| whole(least.saturating_sub(self.borrowed) as f64 - used));
        self.held.rotate_right(1);
        self.held[0] = held;
    }
}

impl Ledger {
    pub(crate) fn new(budget: usize) -> Self {
        Self { budget: budget.max(1), lent: 0, settling: 0, accounts: BTreeMap::new(), waiting: VecDeque::new() }
    }

    /// A build wants to begin, and never to have more than `most` tokens.
    pub(crate) fn ask(&mut self, build: u64, most: usize) {
        self.waiting.push_back((build, most.saturating_sub(1)));
    }

    /// A build has ended, or does not want to begin any more.
    pub(crate) fn leave(&mut self, build: u64) {
        self.accounts.remove(&build);
        self.waiting.retain(|(waiting, _)| *waiting != build);
    }

    /// Notes how busy the builds were since this was noted [`APART`] times before; `None` if it is not known.
    pub(crate) fn note(&mut self, busy: Option<&Busy>) {
        for (build, account) in &mut self.accounts {
            account.note(busy.and_then(|busy| busy.builds.get(build).copied()));
        }
        // What was lent is in use; only a processor that is idle all the same makes it more.
        let before = self.lent;
        if self.settling > 0 {
            self.settling -= 1;
        } else {
            self.lent += busy.map_or(0, |busy| whole(busy.idle));
        }
        self.limit_lent();
        if self.lent > before {
            self.settling = APART;
        }
    }

    /// Whether tokens are lent.
    pub(crate) const fn lends(&self) -> bool {
        self.lent > 0
    }

    /// No more is lent than is held by who sleeps, and nothing while somebody waits to begin; nor is more counted as borrowed than there is of
    /// tokens beside the budget.
    fn limit_lent(&mut self) {
        let unused = self.accounts.values().filter_map(|account| account.unused).sum();
        self.lent = if self.waiting.is_empty() { self.lent.min(unused) } else { 0 };
        let mut beside = self.in_use().saturating_sub(self.budget);
        for account in self.accounts.values_mut() {
            account.borrowed = account.borrowed.min(beside);
            beside -= account.borrowed;
        }
    }

    /// Looks into the pipes and moves what should be elsewhere.
    pub(crate) fn settle(&mut self, pipes: &dyn Pipes) -> Settled {
        self.limit_lent();
        self.look(pipes);
        let mut settled = Settled::default();
        self.take_back(pipes, &mut settled);
        self.admit(pipes, &mut settled);
        self.spread(pipes, &mut settled);
        self.even_out(pipes, &mut settled);
        settled.pressed = self.pressed();
        let issued = self.accounts.values().any(|account| account.issued > 0);
        let several = self.accounts.len() + self.waiting.len() > 1;
        settled.contested = issued && several;
        settled.wanting = several && (!self.waiting.is_empty() || self.accounts.values().any(Account::is_hungry));
        settled
    }

    fn in_use(&self) -> usize {
        self.accounts.values().map(|account| 1 + account.issued).sum()
    }

    fn free(&self) -> usize {
        self.budget.saturating_sub(self.in_use())
    }

    fn free_with_lent(&self) -> usize {
        (self.budget + self.lent).saturating_sub(self.in_use())
    }

    fn is_overdrawn(&self) -> bool {
        self.in_use() > self.budget + self.lent
    }

    fn look(&mut self, pipes: &dyn Pipes) {
        for (&build, account) in &mut self.accounts {
            account.available = pipes.available(build);
            if let Some(invented) = account.available.checked_sub(account.issued).filter(|&count| count > 0) {
                pipes.take(build, invented);
                account.available = account.issued;
            }
            account.unclaimed = if account.available > 0 { account.unclaimed + 1 } else { 0 };
        }
    }

    /// Takes back what was lent to whom and is lent no more, as far as it lies in pipes.
    fn take_back(&mut self, pipes: &dyn Pipes, settled: &mut Settled) {
        while self.is_overdrawn() && self.recall(pipes) {
            settled.moved = true;
        }
    }

    /// Lets in who waits, with tokens that lie unclaimed if none is free.
    fn admit(&mut self, pipes: &dyn Pipes, settled: &mut Settled) {
        while let Some(&(build, limit)) = self.waiting.front() {
            if self.is_overdrawn() || self.free() == 0 && !self.recall(pipes) {
                return;
            }
            self.waiting.pop_front();
            self.accounts.insert(build, Account { limit, ..Account::default() });
            settled.admitted.push(build);
            settled.moved = true;
        }
    }

    /// Takes one token from the build that has most of those with any in their pipes.
    fn recall(&mut self, pipes: &dyn Pipes) -> bool {
        let with_some = self.accounts.iter().filter(|(_, account)| account.available > 0);
        let richest = with_some.max_by_key(|(_, account)| account.issued).map(|(&build, _)| build);
        richest.is_some_and(|build| self.take_from(build, pipes))
    }

    fn take_from(&mut self, build: u64, pipes: &dyn Pipes) -> bool {
        let Some(account) = self.accounts.get_mut(&build) else { return false };
        // It may have been claimed since the look.
        let taken = pipes.take(build, 1);
        account.issued -= taken.min(account.issued);
        account.borrowed -= taken.min(account.borrowed);
        account.available = if taken == 0 { 0 } else { account.available.saturating_sub(1) };
        taken > 0
    }

    /// Gives away what is free: to the hungry first, to those who have least first.
    fn spread(&mut self, pipes: &dyn Pipes, settled: &mut Settled) {
        // What they invented fills their pipes again as soon as it is taken away: they get nothing, and cost the others nothing.
        let mut full = BTreeSet::new();
        while self.free_with_lent() > 0 {
            let lending = self.free() == 0;
            let may_have_more = self.accounts.iter().filter(|(_, account)| account.issued < account.limit);
            let may_have_more = may_have_more.filter(|(_, account)| !lending || account.may_borrow());
            let may_have_more = may_have_more.filter(|(build, _)| !full.contains(*build));
            let next = may_have_more.min_by_key(|(_, account)| (!account.is_hungry(), account.issued));
            let Some(build) = next.map(|(&build, _)| build) else { return };
            if self.give_to(build, pipes) {
                settled.moved = true;
                if let Some(account) = self.accounts.get_mut(&build).filter(|_| lending) {
                    account.borrowed += 1;
                }
            } else {
                full.insert(build);
            }
        }
    }

    fn give_to(&mut self, build: u64, pipes: &dyn Pipes) -> bool {
        let given = pipes.put(build);
        if let Some(account) = self.accounts.get_mut(&build).filter(|_| given) {
            account.issued += 1;
            account.available += 1;
            account.unclaimed = 0;
        }
        given
    }

    /// Moves tokens that lie unclaimed to builds that took all they were offered: at once from who has more, else after a while.
    fn even_out(&mut self, pipes: &dyn Pipes, settled: &mut Settled) {
        let mut hungry: Vec<_> =
            self.accounts.iter().filter(|(_, account)| account.is_hungry()).map(|(&build, _)| build).collect();
        hungry.sort_by_key(|build| self.accounts[build].issued);
        for build in hungry {
            let has = self.accounts[&build].issued;
            let spares = |account: &Account| {
                account.available > 0 && (account.issued > has + 1 || account.unclaimed >= UNWANTED)
            };
            let donors = self.accounts.iter().filter(|(_, account)| spares(account));
            let Some(donor) = donors.max_by_key(|(_, account)| account.issued).map(|(&donor, _)| donor) else {
                continue;
            };
            // Should its pipe be full of what it invented, the token goes back.
            if self.take_from(donor, pipes) && (self.give_to(build, pipes) || !self.give_to(donor, pipes)) {
                settled.moved = true;
            }
        }
    }

    fn pressed(&self) -> Vec<u64> {
        let poorest = self.accounts.values().filter(|account| account.is_hungry()).map(|account| account.issued).min();
        let wanted = !self.waiting.is_empty() || self.is_overdrawn();
        let has_too_many =
            |account: &Account| wanted && account.issued > 0 || poorest.is_some_and(|least| account.issued > least + 1);
        self.accounts.iter().filter(|(_, account)| has_too_many(account)).map(|(&build, _)| build).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::RefCell;

    /// Pipes in memory, and of which build the pipe is full whenever something is to be put into it.
    #[derive(Default)]
    struct Memory(RefCell<BTreeMap<u64, usize>>, Option<u64>);

    impl Memory {
        /// A process of a build takes or puts back as many as it can.
        fn claim(&self, build: u64, count: usize) -> usize {
            self.take(build, count)
        }

        fn put_back(&self, build: u64, count: usize) {
            (0..count).for_each(|_| assert!(self.put(build)));
        }
    }

    impl Pipes for Memory {
        fn available(&self, build: u64) -> usize {
            self.0.borrow().get(&build).copied().unwrap_or(0)
        }

        fn take(&self, build: u64, count: usize) -> usize {
            let mut pipes = self.0.borrow_mut();
            let there = pipes.entry(build).or_default();
            let taken = count.min(*there);
            *there -= taken;
            taken
        }

        fn put(&self, build: u64) -> bool {
            if self.1 == Some(build) {
                return false;
            }
            *self.0.borrow_mut().entry(build).or_default() += 1;
            true
        }
    }

    fn ledger(budget: usize, builds: &[u64]) -> (Ledger, Memory) {
        let (mut ledger, pipes) = (Ledger::new(budget), Memory::default());
        for &build in builds {
            ledger.ask(build, budget);
            assert_eq!(ledger.settle(&pipes).admitted, [build]);
        }
        (ledger, pipes)
    }

    fn settle(ledger: &mut Ledger, pipes: &Memory, times: usize) {
        (0..times).for_each(|_| drop(ledger.settle(pipes)));
    }

    #[test]
    fn a_build_alone_has_the_whole_budget_up_to_its_own_limit() {
        let (_, pipes) = ledger(8, &[1]);
        assert_eq!(pipes.available(1), 7);
        let (mut ledger, pipes) = (Ledger::new(8), Memory::default());
        ledger.ask(1, 3);
        assert!(!ledger.settle(&pipes).contested, "nothing will change by itself");
        assert_eq!(pipes.available(1), 2);
    }

    #[test]
    fn a_second_build_begins_with_a_token_that_nobody_uses() {
        let (mut ledger, pipes) = ledger(4, &[1, 2]);
        settle(&mut ledger, &pipes, 10);
        assert_eq!(pipes.available(1) + pipes.available(2), 2);
    }

    #[test]
    fn a_second_build_waits_until_one_comes_back() {
        let (mut ledger, pipes) = ledger(4, &[1]);
        assert_eq!(pipes.claim(1, 3), 3);
        ledger.ask(2, 4);
        let settled = ledger.settle(&pipes);
        assert_eq!((settled.admitted, settled.pressed, settled.contested), (vec![], vec![1], true));
        pipes.put_back(1, 1);
        assert_eq!(ledger.settle(&pipes).admitted, [2]);
        assert_eq!(pipes.available(1), 0);
    }

    #[test]
    fn the_greedy_share_evenly_as_tokens_come_back() {
        let (mut ledger, pipes) = ledger(8, &[1]);
        pipes.claim(1, 7);
        ledger.ask(2, 8);
        let mut held = [7, 0];
        for _ in 0..20 {
            // The first ends a process and would start another, the second starts what it can.
            pipes.put_back(1, 1);
            held[0] -= 1;
            ledger.settle(&pipes);
            held[0] += pipes.claim(1, 1);
            held[1] += pipes.claim(2, 8);
            ledger.settle(&pipes);
        }
        assert_eq!(held, [3, 3], "each has one of its own besides");
    }

    #[test]
    fn what_one_does_not_want_another_gets() {
        let (mut ledger, pipes) = ledger(8, &[1, 2]);
        let mut held = 0;
        for _ in 0..40 {
            held += pipes.claim(2, 8);
            ledger.settle(&pipes);
        }
        assert_eq!(held, 6);
    }

    #[test]
    fn what_a_dead_build_held_is_free() {
        let (mut ledger, pipes) = ledger(4, &[1]);
        pipes.claim(1, 3);
        ledger.leave(1);
        ledger.ask(2, 4);
        assert_eq!(ledger.settle(&pipes).admitted, [2]);
        assert_eq!(pipes.available(2), 3);
    }

    #[test]
    fn invented_tokens_are_taken_away_and_cost_nobody_else() {
        let (mut ledger, pipes) = ledger(4, &[1, 2]);
        settle(&mut ledger, &pipes, 4);
        pipes.put_back(1, 1000);
        ledger.settle(&pipes);
        assert!(pipes.available(1) + pipes.available(2) <= 2);
    }

    /// So many processors idle, and so many used by each build.
    fn busy(idle: f64, builds: &[(u64, f64)]) -> Busy {
        Busy { idle, builds: builds.iter().copied().collect() }
    }

    /// What is in use is noted so often that it counts.
    fn note(ledger: &mut Ledger, busy: &Busy) {
        (0..=APART).for_each(|_| ledger.note(Some(busy)));
    }

    #[test]
    fn what_a_sleeper_does_not_use_is_lent_and_taken_back_when_it_wakes() {
        let (mut ledger, pipes) = ledger(2, &[1, 2]);
        note(&mut ledger, &busy(1.0, &[(1, 0.02), (2, 0.97)]));
        ledger.settle(&pipes);
        assert_eq!((pipes.available(1), pipes.claim(2, 2)), (0, 1));
        note(&mut ledger, &busy(0.0, &[(1, 0.0), (2, 1.9)]));
        ledger.settle(&pipes);
        assert_eq!(pipes.available(1) + pipes.available(2), 0, "no processor is idle any more");
        note(&mut ledger, &busy(0.0, &[(1, 1.0), (2, 1.0)]));
        assert_eq!(ledger.settle(&pipes).pressed, [2]);
        pipes.put_back(2, 1);
        settle(&mut ledger, &pipes, 4);
        assert_eq!(pipes.available(2), 0, "it was lent only");
    }

    #[test]
    fn nothing_is_lent_to_who_sleeps_itself_or_is_not_known() {
        for others in [&[(1, 0.0), (2, 0.1)][..], &[(1, 0.0)]] {
            let (mut ledger, pipes) = ledger(2, &[1, 2]);
            note(&mut ledger, &busy(1.9, others));
            settle(&mut ledger, &pipes, 4);
            assert_eq!(pipes.available(1) + pipes.available(2), 0, "{others:?}");
        }
    }

    #[test]
    fn nothing_is_lent_while_all_processors_are_busy() {
        let (mut ledger, pipes) = ledger(2, &[1, 2]);
        note(&mut ledger, &busy(0.5, &[(1, 0.0), (2, 1.0)]));
        settle(&mut ledger, &pipes, 4);
        assert_eq!(pipes.available(2), 0);
    }

    #[test]
    fn who_has_just_taken_a_token_is_no_sleeper_for_it() {
        let (mut ledger, pipes) = ledger(3, &[1, 2]);
        note(&mut ledger, &busy(2.0, &[(1, 1.0), (2, 1.0)]));
        // Each has one, and the third goes to whom wants it.
        assert_eq!(pipes.claim(1, 1) + pipes.claim(2, 1), 1);
        ledger.settle(&pipes);
        ledger.note(Some(&busy(1.0, &[(1, 1.0), (2, 1.0)])));
        settle(&mut ledger, &pipes, 4);
        assert_eq!(pipes.available(1) + pipes.available(2), 0);
    }

    #[test]
    fn nobody_begins_with_what_is_lent_but_it_is_taken_back_for_who_waits() {
        let (mut ledger, pipes) = ledger(3, &[1, 2]);
        assert_eq!(pipes.claim(1, 1), 1);
        ledger.settle(&pipes);
        note(&mut ledger, &busy(1.0, &[(1, 0.9), (2, 1.0)]));
        ledger.settle(&pipes);
        assert_eq!(pipes.claim(2, 2), 1, "the first uses one of two");
        ledger.ask(3, 2);
        let settled = ledger.settle(&pipes);
        assert_eq!((settled.admitted, settled.pressed), (vec![], vec![1, 2]));
        pipes.put_back(2, 1);
        assert_eq!(ledger.settle(&pipes).admitted, [0; 0], "that was only lent");
        assert_eq!(pipes.available(2), 0);
        pipes.put_back(1, 1);
        assert_eq!(ledger.settle(&pipes).admitted, [3]);
    }

    #[test]
    fn a_processor_that_is_idle_is_counted_once() {
        let (mut ledger, pipes) = ledger(8, &[1]);
        assert_eq!(pipes.claim(1, 6), 6);
        ledger.ask(2, 8);
        settle(&mut ledger, &pipes, 4);
        (0..8).for_each(|_| ledger.note(None));
        (0..=APART).for_each(|_| ledger.note(Some(&busy(2.0, &[(1, 0.0), (2, 1.0)]))));
        assert_eq!(ledger.lent, 2);
    }

    /// As a process does that writes whenever it can.
    #[test]
    fn who_keeps_a_pipe_full_costs_nobody_else() {
        let (mut ledger, mut pipes) = ledger(6, &[2]);
        pipes.1 = Some(1);
        ledger.ask(1, 6);
        settle(&mut ledger, &pipes, 10);
        assert_eq!(pipes.claim(2, 6), 4, "all but the first of each");
    }

    proptest! {
        #[test]
        fn the_budget_is_never_exceeded_but_by_what_is_lent(budget in 1_usize..10, steps in proptest::collection::vec((0_u64..6, 0_usize..7, 0_usize..4), 1..200)) {
            let (mut ledger, pipes) = (Ledger::new(budget), Memory::default());
            let mut held: BTreeMap<u64, usize> = BTreeMap::new();
            let mut asked = std::collections::BTreeSet::new();
            let (mut noted, mut tokens_before) = (BTreeMap::new(), 0);
            for (build, act, count) in steps {
                match act {
                    0 if asked.insert(build) => ledger.ask(build, count + 1),
                    1 => {
                        ledger.leave(build);
                        asked.remove(&build);
                        held.remove(&build);
                        noted.remove(&build);
                        pipes.0.borrow_mut().remove(&build);
                    }
                    2 => if let Some(held) = held.get_mut(&build) { *held += pipes.claim(build, count) },
                    3 => if let Some(held) = held.get_mut(&build) {
                        let back = count.min(*held);
                        *held -= back;
                        pipes.put_back(build, back);
                    },
                    // One uses so many, the others all that they hold.
                    4 => {
                        let used = |of: u64, held: usize| if of == build { count.min(1 + held) } else { 1 + held };
                        let builds = held.iter().map(|(&of, &held)| (of, used(of, held) as f64)).collect();
                        ledger.note(Some(&Busy { idle: 2.0, builds }));
                        noted = held.iter().map(|(&of, &held)| (of, 1 + held - used(of, held))).collect();
                    }
                    _ => {}
                }
                for build in ledger.settle(&pipes).admitted {
                    prop_assert!(held.insert(build, 0).is_none());
                }
                let tokens: usize = held.iter().map(|(&build, held)| 1 + held + pipes.available(build)).sum();
                let sleeping: usize = noted.values().sum();
                prop_assert!(tokens <= (budget + sleeping).max(tokens_before), "{} tokens", tokens);
                prop_assert!(held.len() == asked.len() || tokens >= budget, "nobody waits while a token is free");
                tokens_before = tokens;
            }
            // When nobody sleeps any more, what was lent is not there again once it was put back.
            ledger.note(None);
            held.iter().for_each(|(&build, &held)| pipes.put_back(build, held));
            ledger.settle(&pipes);
            let tokens: usize = held.keys().map(|&build| 1 + pipes.available(build)).sum();
            prop_assert!(tokens <= budget, "{} tokens in the end", tokens);
        }
    }
}
