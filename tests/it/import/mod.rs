//! The import, from a real MongoDB as the old app leaves it, into both stores.

mod command;
mod copies;
mod interrupted;
mod refusals;
mod world;

/// Every case as a test of its own, for both stores.
macro_rules! into_both {
    ($($topic:ident: $case:ident;)+) => {
        mod into_a_file {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$topic::$case(super::world::World::on_disk().await).await;
            })+
        }

        mod into_mongodb {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$topic::$case(super::world::World::on_mongo().await).await;
            })+
        }
    };
}

into_both! {
    copies: everything_is_copied_in_order;
    copies: talks_with_any_admin_become_one;
    copies: messages_of_one_moment_go_by_id;
    copies: users_become_profiles;
    copies: unread_is_what_it_was;
    copies: a_long_text_is_copied_whole;
    copies: what_is_malformed_is_skipped_and_counted;
    copies: lists_keep_the_old_order;
    copies: nobody_is_told;
    interrupted: a_second_run_changes_nothing;
    interrupted: a_later_run_adds_what_was_said_since;
    interrupted: cut_anywhere_it_is_completed;
    interrupted: two_at_once_are_as_one;
    refusals: a_living_conversation_is_refused;
    refusals: life_after_the_import_is_no_obstacle;
    refusals: life_in_the_middle_is_refused;
}
