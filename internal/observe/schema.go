package observe

// migrations are the room's tables, oldest step first; see store.DB.Migrate for the rule. Times are microseconds.
var migrations = []string{
	`CREATE TABLE log_groups (
		id BIGINT NOT NULL PRIMARY KEY,
		account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
		created BIGINT NOT NULL,
		retention_days BIGINT NOT NULL DEFAULT 0,
		UNIQUE (account, region, name))`,
	`CREATE TABLE log_streams (
		id BIGINT NOT NULL PRIMARY KEY,
		group_id BIGINT NOT NULL REFERENCES log_groups (id) ON DELETE CASCADE,
		name TEXT NOT NULL,
		created BIGINT NOT NULL,
		first_event BIGINT NOT NULL DEFAULT 0,
		last_event BIGINT NOT NULL DEFAULT 0,
		last_seq BIGINT NOT NULL DEFAULT 0,
		flushed_seq BIGINT NOT NULL DEFAULT 0,
		stored_bytes BIGINT NOT NULL DEFAULT 0,
		UNIQUE (group_id, name))`,
	`CREATE INDEX log_streams_recent ON log_streams (group_id, last_event, name)`,
}
