//! What every store promises, one rule a test. A store joins by
//!
//! ```ignore
//! mod contract {
//!     crate::store_contract::store_contract!(super::fixture); // async fn fixture() -> impl Fixture
//! }
//! ```
//!
//! Names are made up anew for every test, so stores may share one database among all of them.

pub(crate) mod appearances;
pub(crate) mod archive;
pub(crate) mod assignments;
pub(crate) mod conversations;
pub(crate) mod groups;
pub(crate) mod messages;
pub(crate) mod people;
pub(crate) mod retention;
pub(crate) mod sequencer;
pub(crate) mod standings;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use switchboard::model::{
    Chance, Conversation, ConversationId, Message, MessageId, NewMessage, Seq, StoreTime, SystemChance, Timestamp,
    UserId,
};
use switchboard::store::{Archive, Attempt, Outcome, Store};

/// A store under test, with whatever has to live as long as it does.
#[async_trait]
pub(crate) trait Fixture: Send + Sync {
    /// The store.
    fn store(&self) -> Arc<dyn Archive>;

    /// What the times of its messages are rounded down to.
    fn grain(&self) -> Duration {
        Duration::ZERO
    }

    /// The same data in a new store, as after a restart of the process.
    async fn reopen(self) -> Self
    where
        Self: Sized;
}

/// Every rule as a test of its own, for the stores that this async function makes.
macro_rules! store_contract {
    ($fixture:path) => {
        $crate::store_contract::tests! { $fixture;
            messages: an_append_is_found_again_whole;
            messages: a_taken_place_is_refused;
            messages: a_key_is_stored_once;
            messages: a_key_belongs_to_one_sender_in_one_conversation;
            messages: a_repeated_message_is_refused_either_way;
            messages: each_of_a_batch_stands_alone;
            messages: a_full_batch_is_taken;
            messages: a_run_stops_at_the_first_refusal;
            messages: a_run_stops_at_a_taken_key;
            messages: a_full_run_is_taken;
            messages: nothing_to_append_is_no_error;
            messages: find_knows_only_what_was_stored;
            messages: an_empty_conversation_has_nothing;
            messages: pages_walk_forward_and_backward;
            messages: a_page_is_cut_at_its_longest;
            messages: a_page_ends_at_its_bytes;
            messages: far_places_are_no_error;
            messages: the_tail_is_the_last_message;
            messages: the_tail_before_a_time_is_the_last_one_earlier;
            messages: stored_times_never_decrease;
            messages: text_is_kept_literally;
            conversations: opening_twice_changes_nothing;
            conversations: many_may_open_at_once;
            conversations: a_support_conversation_is_a_persons_and_the_teams;
            conversations: get_answers_those_that_exist;
            conversations: heads_never_lead;
            conversations: a_head_only_rises;
            conversations: raising_again_changes_nothing;
            conversations: a_new_head_only_rises;
            conversations: a_head_rises_also_where_the_message_came_first;
            conversations: many_heads_rise_at_once;
            conversations: rival_raises_leave_the_highest;
            conversations: the_preview_is_cut_between_characters;
            conversations: the_preview_is_kept_literally;
            conversations: activity_is_on_the_stores_clock;
            conversations: activity_is_asked_since_a_time;
            conversations: activity_is_paged_without_loss;
            conversations: five_hundred_users_may_be_asked_about;
            conversations: the_list_shows_where_something_was_said;
            conversations: the_list_is_paged_without_loss;
            groups: a_group_is_founded_once;
            groups: an_event_is_kept_with_its_message;
            groups: events_take_effect_once_and_in_any_order;
            groups: who_leaves_is_found_once_more;
            groups: rival_events_all_take_effect;
            groups: a_crowds_head_rises_every_time;
            people: a_cursor_only_rises;
            people: read_and_delivered_are_independent;
            people: rival_advances_leave_the_highest;
            people: cursors_of_members_are_asked_together;
            people: nobody_moved_means_no_cursors;
            people: unread_counts_what_others_wrote;
            people: unread_stops_counting;
            people: all_agree_on_the_first_proposal;
            people: profiles_come_in_order;
            people: a_profile_is_replaced;
            people: the_clock_does_not_step_back;
            assignments: a_talk_is_open_until_it_is_assigned;
            assignments: a_change_that_is_not_the_next_is_refused;
            assignments: of_rivals_one_gets_it;
            assignments: only_talks_with_the_team_are_assigned;
            assignments: the_inbox_is_listed_by_state_and_by_agent;
            assignments: holders_are_those_who_see_to_a_talk;
            appearances: who_was_never_seen_is_unknown;
            appearances: the_latest_time_counts;
            appearances: who_appears_offline_is_not_seen_any_more;
            appearances: a_setting_outlives_a_restart;
            conversations: who_shares_a_conversation_is_acquainted;
            archive: what_is_adopted_keeps_its_own_time;
            archive: an_adopted_run_stops_at_the_first_refusal;
            archive: settling_keeps_the_old_order;
            archive: settling_takes_nothing_back;
            standings: a_ban_holds_until_it_is_lifted;
            standings: tokens_are_revoked_up_to_the_latest_time;
            standings: single_tokens_are_revoked_until_they_expire;
            standings: revoked_tokens_are_bounded;
            standings: a_block_is_seen_from_both_sides;
            standings: rival_blocks_are_all_kept;
            standings: blocks_are_bounded_on_both_sides;
            standings: agents_are_remembered;
            standings: many_standings_are_read_at_once;
            standings: people_are_found_by_their_address;
            standings: an_erasure_goes_on_where_it_was;
            standings: ones_conversations_are_walked_through_by_id;
            standings: what_somebody_wrote_is_emptied_and_nothing_else;
            standings: who_is_forgotten_leaves_only_refusals;
            retention: a_purge_takes_the_beginning_and_never_the_last;
            retention: what_the_head_has_not_reached_is_not_purged;
            retention: one_message_is_emptied_where_it_stands;
            retention: all_conversations_are_walked_through_by_id;
            sequencer: rivals_leave_no_gap_and_no_double;
            sequencer: a_restart_keeps_everything;
        }
    };
}

macro_rules! tests {
    ($fixture:path; $($topic:ident: $rule:ident;)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $rule() {
            $crate::store_contract::$topic::$rule($fixture().await).await;
        }
    )+};
}

pub(crate) use {store_contract, tests};

/// Nothing here waits longer than this for a store's clock to move on.
const PATIENCE: Duration = Duration::from_secs(20);

/// A user that no other test knows.
fn somebody(name: &str) -> UserId {
    format!("{name}-{:016x}", SystemChance.bits()).parse().unwrap()
}

/// A conversation of two strangers, opened.
async fn talk(store: &dyn Store) -> Conversation {
    let conversation = Conversation::direct(&somebody("ann"), &somebody("bob"));
    store.open(&conversation).await.unwrap();
    conversation
}

/// As many conversations, opened.
async fn talks(store: &dyn Store, count: usize) -> Vec<Conversation> {
    let talks: Vec<_> = (0..count).map(|_| Conversation::direct(&somebody("ann"), &somebody("bob"))).collect();
    open_all(store, &talks).await;
    talks
}

/// Opens conversations, some at a time.
async fn open_all(store: &dyn Store, conversations: &[Conversation]) {
    for some in conversations.chunks(32) {
        for opened in futures_util::future::join_all(some.iter().map(|one| store.open(one))).await {
            opened.unwrap();
        }
    }
}

/// A message by its writer's name for it; everything else follows from that.
fn message(conversation: ConversationId, sender: &UserId, key: &str) -> NewMessage {
    let mut id = [0; 12];
    id[..8].copy_from_slice(&SystemChance.bits().to_be_bytes());
    NewMessage {
        conversation,
        id: MessageId::from_bytes(id),
        sender: sender.clone(),
        key: key.parse().unwrap(),
        at: Timestamp(1_700_000_000_000),
        text: format!("this is {key}"),
        event: None,
    }
}

/// The same, saying something else.
fn saying(conversation: ConversationId, sender: &UserId, key: &str, text: &str) -> NewMessage {
    NewMessage { text: text.to_owned(), ..message(conversation, sender, key) }
}

/// Tries one message at a place.
async fn append(store: &dyn Store, message: &NewMessage, seq: u64) -> Outcome {
    let outcomes = store.append_each(vec![Attempt { message: message.clone(), seq: Seq(seq) }]).await;
    assert_eq!(outcomes.len(), 1, "one attempt has one outcome");
    outcomes.into_iter().next().unwrap()
}

/// Stores one message at a place that must be free.
async fn store_at(store: &dyn Store, message: NewMessage, seq: u64) -> Message {
    assert_eq!(append(store, &message, seq).await, Outcome::Stored, "{message:?} at {seq}");
    message.at_seq(Seq(seq))
}

/// Stores one message and raises the head to it.
async fn say(store: &dyn Store, message: NewMessage, seq: u64) -> Message {
    let message = store_at(store, message, seq).await;
    store.raise(std::slice::from_ref(&message)).await.unwrap();
    message
}

/// Stores messages `from` to `to` of one sender, called `m<seq>`, without raising any head.
async fn fill(store: &dyn Store, conversation: ConversationId, sender: &UserId, from: u64, to: u64) -> Vec<Message> {
    let attempts: Vec<_> = (from..=to)
        .map(|seq| Attempt { message: message(conversation, sender, &format!("m{seq}")), seq: Seq(seq) })
        .collect();
    for run in attempts.chunks(switchboard::model::limits::RUN_MESSAGES_MAX) {
        assert_eq!(store.append_run(run.to_vec()).await, vec![Outcome::Stored; run.len()]);
    }
    attempts.into_iter().map(|attempt| attempt.message.at_seq(attempt.seq)).collect()
}

/// Waits until the store's clock has passed a time; answers what it shows then.
async fn wait_past(store: &dyn Store, time: StoreTime) -> StoreTime {
    let passed = async {
        loop {
            let now = store.now().await.unwrap();
            if now > time {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, passed).await.expect("the store's clock stands still")
}
