//! Rules of the team's inbox. Other tests may fill it, too: only what is one's own is looked at.

use futures_util::future::join_all;
use switchboard::model::{Assignment, Conversation, ConversationId, StoreTime, Summary, TalkState, Timestamp, UserId};
use switchboard::store::{Behind, Store, Talks};

use super::{Fixture, message, say, somebody, talk, wait_past};

async fn talk_with_team(store: &dyn Store) -> Conversation {
    let talk = Conversation::support(&somebody("ann"), &UserId::team());
    store.open(&talk).await.unwrap();
    talk
}

/// Talks in which something was said, each later than the one before.
async fn talks_with_team(store: &dyn Store, count: usize) -> Vec<Conversation> {
    let mut talks = Vec::new();
    let mut said = StoreTime(0);
    for _ in 0..count {
        let talk = talk_with_team(store).await;
        said = wait_past(store, said).await;
        say(store, message(talk.id, &talk.members[0], "help"), 1).await;
        talks.push(talk);
    }
    talks
}

async fn assignment(store: &dyn Store, talk: ConversationId) -> Assignment {
    store.get(&[talk]).await.unwrap().remove(0).assignment.unwrap()
}

/// Every page of the inbox, those of other tests left out.
async fn inbox(store: &dyn Store, which: &Talks, own: &[Conversation], limit: usize) -> Vec<ConversationId> {
    let mut behind = None;
    let mut all: Vec<Summary> = Vec::new();
    loop {
        let page = store.talks(which, behind, limit).await.unwrap();
        assert!(page.len() <= limit);
        behind = page.last().map(|last| Behind { activity: last.activity, conversation: last.conversation.id });
        let is_last = page.len() < limit;
        all.extend(page);
        if is_last {
            let places = all.iter().map(|row| std::cmp::Reverse((row.activity, row.conversation.id)));
            assert!(places.is_sorted());
            let ids = all.iter().map(|row| row.conversation.id);
            return ids.filter(|id| own.iter().any(|talk| talk.id == *id)).collect();
        }
    }
}

pub(crate) async fn a_talk_is_open_until_it_is_assigned(fixture: impl Fixture) {
    let store = fixture.store();
    let (talk, sue) = (talk_with_team(&*store).await, somebody("sue"));
    let open = assignment(&*store, talk.id).await;
    assert_eq!(open, Assignment::default());
    let claimed = open.changed(Ok(sue.clone()), &sue, Timestamp(1_700_000_000_001));
    assert!(store.assign(talk.id, &claimed).await.unwrap());
    assert_eq!(assignment(&*store, talk.id).await, claimed);
    let closed = claimed.changed(Err(TalkState::Closed), &sue, Timestamp(1_700_000_000_002));
    assert!(store.assign(talk.id, &closed).await.unwrap());
    let fixture = fixture.reopen().await;
    assert_eq!(assignment(&*fixture.store(), talk.id).await, closed, "also after a restart");
    fixture.store().open(&talk).await.unwrap();
    assert_eq!(assignment(&*fixture.store(), talk.id).await, closed, "opening it again changes nothing");
}

pub(crate) async fn a_change_that_is_not_the_next_is_refused(fixture: impl Fixture) {
    let store = fixture.store();
    let (talk, sue) = (talk_with_team(&*store).await, somebody("sue"));
    let first = Assignment::default().changed(Ok(sue.clone()), &sue, Timestamp(1));
    let second = first.changed(Err(TalkState::Open), &sue, Timestamp(2));
    assert!(!store.assign(talk.id, &second).await.unwrap(), "too early");
    assert!(store.assign(talk.id, &first).await.unwrap());
    assert!(!store.assign(talk.id, &first).await.unwrap(), "again");
    let rivals = first.changed(Ok(somebody("tom")), &sue, Timestamp(3));
    assert!(store.assign(talk.id, &second).await.unwrap());
    assert!(!store.assign(talk.id, &rivals).await.unwrap(), "too late");
    assert_eq!(assignment(&*store, talk.id).await, second);
}

pub(crate) async fn of_rivals_one_gets_it(fixture: impl Fixture) {
    let store = fixture.store();
    let talk = talk_with_team(&*store).await;
    let mut now = Assignment::default();
    for round in 0..5 {
        let wishes: Vec<Assignment> = (0..10)
            .map(|_| somebody("agent"))
            .map(|agent| now.changed(Ok(agent.clone()), &agent, Timestamp(round)))
            .collect();
        let set = join_all(wishes.iter().map(|wish| store.assign(talk.id, wish))).await;
        let winners: Vec<usize> =
            set.into_iter().enumerate().filter(|(_, set)| *set.as_ref().unwrap()).map(|(index, _)| index).collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        now = assignment(&*store, talk.id).await;
        assert_eq!(now, wishes[winners[0]]);
    }
}

pub(crate) async fn only_talks_with_the_team_are_assigned(fixture: impl Fixture) {
    let store = fixture.store();
    let (direct, sue) = (talk(&*store).await, somebody("sue"));
    let claimed = Assignment::default().changed(Ok(sue.clone()), &sue, Timestamp(1));
    for id in [direct.id, ConversationId::support(&somebody("nobody"))] {
        assert!(!store.assign(id, &claimed).await.unwrap());
    }
    assert_eq!(store.get(&[direct.id]).await.unwrap()[0].assignment, None);
}

pub(crate) async fn the_inbox_is_listed_by_state_and_by_agent(fixture: impl Fixture) {
    let store = fixture.store();
    let (sue, tom) = (somebody("sue"), somebody("tom"));
    let talks = talks_with_team(&*store, 8).await;
    let silent = talk_with_team(&*store).await;
    let wishes = [Ok(&sue), Ok(&sue), Ok(&tom), Ok(&sue), Err(TalkState::Closed), Err(TalkState::Open)];
    for (talk, wish) in talks.iter().zip(wishes) {
        let new = Assignment::default().changed(wish.cloned(), &tom, Timestamp(1));
        assert!(store.assign(talk.id, &new).await.unwrap());
    }
    assert!(
        store.assign(silent.id, &Assignment::default().changed(Ok(sue.clone()), &sue, Timestamp(1))).await.unwrap()
    );
    let own: Vec<Conversation> = talks.iter().cloned().chain([silent]).collect();
    let expected = |indexes: &[usize]| indexes.iter().map(|index| talks[*index].id).collect::<Vec<_>>();
    for (which, indexes) in [
        (Talks::All, &[7, 6, 5, 4, 3, 2, 1, 0][..]),
        (Talks::In(TalkState::Open), &[7, 6, 5]),
        (Talks::In(TalkState::Claimed), &[3, 2, 1, 0]),
        (Talks::In(TalkState::Closed), &[4]),
        (Talks::Of(sue.clone()), &[3, 1, 0]),
        (Talks::Of(tom.clone()), &[2]),
        (Talks::Of(somebody("eve")), &[]),
    ] {
        for limit in [2, 50] {
            assert_eq!(inbox(&*store, &which, &own, limit).await, expected(indexes), "{which:?}, {limit} a page");
        }
    }
    // What is said moves a talk up, in whatever list it is; and its row says what the talk's own says.
    wait_past(&*store, store.now().await.unwrap()).await;
    say(&*store, message(talks[0].id, &talks[0].members[0], "again"), 2).await;
    assert_eq!(inbox(&*store, &Talks::Of(sue.clone()), &own, 50).await, expected(&[0, 3, 1]));
    let row = store.talks(&Talks::Of(sue), None, 1).await.unwrap().remove(0);
    assert_eq!(store.get(&[talks[0].id]).await.unwrap(), [row]);
}

pub(crate) async fn holders_are_those_who_see_to_a_talk(fixture: impl Fixture) {
    let store = fixture.store();
    let [sue, tom] = ["sue", "tom"].map(somebody);
    let talks = talks_with_team(&*store, 3).await;
    let mut held = Vec::new();
    for (talk, agent) in talks.iter().zip([&sue, &sue, &tom]) {
        let new = Assignment::default().changed(Ok(agent.clone()), agent, Timestamp(1));
        assert!(store.assign(talk.id, &new).await.unwrap());
        held.push(new);
    }
    let count = async |agent: &UserId| {
        let holders = store.holders().await.unwrap();
        holders.iter().filter(|holder| *holder == agent).count()
    };
    assert_eq!((count(&sue).await, count(&tom).await), (1, 1));
    for (talk, held) in talks.iter().zip(&held).skip(1) {
        assert!(store.assign(talk.id, &held.changed(Err(TalkState::Open), &sue, Timestamp(2))).await.unwrap());
    }
    assert_eq!((count(&sue).await, count(&tom).await), (1, 0));
}
