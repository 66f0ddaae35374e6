-- The role and the database of the application, for `psql --file` as a superuser. Give the role a password if it
-- does not connect by a local socket: ALTER ROLE todo PASSWORD '…';
CREATE ROLE todo LOGIN;
ALTER ROLE todo SET statement_timeout = '30s';
ALTER ROLE todo SET lock_timeout = '5s';
ALTER ROLE todo SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE todo SET timezone = 'UTC';
CREATE DATABASE todo OWNER todo;
