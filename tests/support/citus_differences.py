"""Tests that may fail on Citus, each with the reason. The keys are the beginnings of their ids."""

PLANS = "The test reads a plan, which Citus prints in another form."
STATEMENTS = "A write takes several statements on Citus, and an action of staff as many for each owner."
CREDENTIALS = "Citus gets one query for the credential, and one for its user."
OWN_SQL = "The test itself sends SQL that Citus refuses, such as a join of all owners' rows."
IMITATION = "The test imitates Citus on PostgreSQL."
DEFERRED = "Nodes check foreign keys on commit: Citus does not forward SET CONSTRAINTS."
SAMPLES = "Citus counts all rows, because the coordinator has none of which it could read a sample."
SNAPSHOTS = "Each node has a snapshot of its own, taken by the first query there."
SCHEMA = "Citus refuses to reverse migrations of distributed tables, or to restore a dump over them."

DIFFERENCES = {
    "accounts/tests/test_identity_providers.py::test_authenticating_a_known_identity_takes_one": CREDENTIALS,
    "accounts/tests/test_personal_tokens.py::test_the_last_use_is_recorded_to_the_minute": CREDENTIALS,
    "tasks/tests/test_admin_actions.py::test_an_action_in_several_batches_is_rolled_back": OWN_SQL,
    "tasks/tests/test_admin_speed.py::test_an_action_makes_as_many_queries_for_many_rows": STATEMENTS,
    "tasks/tests/test_admin_speed.py::test_an_index_serves_each_list_and_its_count": PLANS,
    "tasks/tests/test_admin_tasks.py::test_a_constraint_that_only_the_database_checks_is_a": OWN_SQL,
    "tasks/tests/test_call_budgets.py::test_a_frequent_request_makes_no_more_function_calls": STATEMENTS,
    "tasks/tests/test_constraints.py::test_a_search_uses_the_trigram_index": PLANS,
    "tasks/tests/test_dashboard.py::test_counts_of_a_large_table_are_estimated_from_a_sample": SAMPLES,
    "tasks/tests/test_erase_user.py::test_all_sections_are_read_at_the_same_point_in_time": SNAPSHOTS,
    "tasks/tests/test_migrations.py::test_the_migrations_can_be_reversed_and_applied_again": SCHEMA,
    "tasks/tests/test_plans.py::": PLANS,
    "tasks/tests/test_query_budgets.py::test_a_route_makes_this_number_of_queries": STATEMENTS,
    "tasks/tests/test_references.py::test_the_database_": DEFERRED,
    "tasks/tests/test_repeat_completion.py::test_an_action_makes_two_queries_more_for_another": STATEMENTS,
    "tasks/tests/test_restore.py::": SCHEMA,
    "tasks/tests/test_seed.py::test_a_failure_at_the_end_leaves_nothing": OWN_SQL,
    "tasks/tests/test_seed.py::test_each_user_has_projects_and_labels_in_proportion": OWN_SQL,
    "tasks/tests/test_seed.py::test_positions_are_valid_and_precede_that_of_a_new_task": OWN_SQL,
    "tasks/tests/test_seed.py::test_what_tasks_refer_to_is_their_owners_and_in_a_matching": OWN_SQL,
    "tasks/tests/test_single_statement.py::test_a_task_with_only_fields_of_its_own_is_created": STATEMENTS,
    "tasks/tests/test_single_statement.py::test_any_writes_give_the_same_answers_and_rows": STATEMENTS,
    "todo_project/tests/test_compiled_queries.py::TestAConnectionKeptBetweenRequests": OWN_SQL,
    "todo_project/tests/test_database_errors.py::test_a_connection_lost_before_a_server_side": OWN_SQL,
    "todo_project/tests/test_database_errors.py::test_a_missing_value_that_only_the_database": OWN_SQL,
    "todo_project/tests/test_distribution.py::": IMITATION,
    "todo_project/tests/test_shard_names.py::": IMITATION,
}
