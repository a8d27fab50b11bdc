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
	`CREATE TABLE events (
		seq BIGINT NOT NULL PRIMARY KEY,
		id TEXT NOT NULL UNIQUE,
		account TEXT NOT NULL, region TEXT NOT NULL,
		time BIGINT NOT NULL,
		source TEXT NOT NULL, detail_type TEXT NOT NULL,
		resources TEXT NOT NULL,
		detail TEXT NOT NULL)`,
	`CREATE TABLE audit_records (
		id TEXT NOT NULL PRIMARY KEY,
		account TEXT NOT NULL, region TEXT NOT NULL,
		time BIGINT NOT NULL,
		event_name TEXT NOT NULL, event_source TEXT NOT NULL,
		username TEXT NOT NULL, access_key TEXT NOT NULL, read_only TEXT NOT NULL,
		resources TEXT NOT NULL,
		record TEXT NOT NULL)`,
	`CREATE INDEX audit_records_time ON audit_records (account, region, time, id)`,
	`CREATE INDEX audit_records_age ON audit_records (time)`,
	`CREATE TABLE audit_resources (
		record_id TEXT NOT NULL REFERENCES audit_records (id) ON DELETE CASCADE,
		resource_type TEXT NOT NULL, resource_name TEXT NOT NULL)`,
	`CREATE INDEX audit_resources_record ON audit_resources (record_id)`,
	`CREATE INDEX audit_resources_name ON audit_resources (resource_name)`,
	`ALTER TABLE audit_records ADD COLUMN seq BIGINT NOT NULL DEFAULT 0`,
	`ALTER TABLE audit_records ADD COLUMN chain TEXT NOT NULL DEFAULT ''`,
	`CREATE INDEX audit_records_seq ON audit_records (seq)`,
	`CREATE TABLE audit_chain (place TEXT PRIMARY KEY, seq BIGINT NOT NULL, link TEXT NOT NULL)`,
	`CREATE TABLE audit_pending (id TEXT PRIMARY KEY, body TEXT NOT NULL)`,
	`CREATE TABLE audit_trails (
		arn TEXT PRIMARY KEY,
		account TEXT NOT NULL,
		name TEXT NOT NULL,
		delivered BIGINT NOT NULL,
		body TEXT NOT NULL)`,
	// A row for each tag of a log group.
	`CREATE TABLE log_tags (
		group_id BIGINT NOT NULL REFERENCES log_groups (id) ON DELETE CASCADE,
		key TEXT NOT NULL,
		value TEXT NOT NULL,
		PRIMARY KEY (group_id, key))`,
	// The ARNs that an event goes to whatever the rules choose, with spaces between them.
	`ALTER TABLE events ADD COLUMN targets TEXT NOT NULL DEFAULT ''`,
}
