package kms

// migrations are the room's tables, oldest step first; see store.DB.Migrate for the rule. Times are microseconds.
var migrations = []string{
	// due: when the key has to be deleted or rotated, 0 for never.
	`CREATE TABLE kms_keys (
		id TEXT NOT NULL PRIMARY KEY,
		account TEXT NOT NULL, region TEXT NOT NULL,
		due BIGINT NOT NULL,
		body TEXT NOT NULL)`,
	`CREATE INDEX kms_keys_scope ON kms_keys (account, region, id)`,
	`CREATE INDEX kms_keys_due ON kms_keys (due) WHERE due > 0`,
	// Key material, sealed by the root key for its key and number.
	`CREATE TABLE kms_material (
		key_id TEXT NOT NULL, number BIGINT NOT NULL,
		sealed TEXT NOT NULL, created BIGINT NOT NULL,
		PRIMARY KEY (key_id, number))`,
	`CREATE TABLE kms_aliases (
		account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
		key_id TEXT NOT NULL,
		created BIGINT NOT NULL, updated BIGINT NOT NULL,
		PRIMARY KEY (account, region, name))`,
	`CREATE INDEX kms_aliases_key ON kms_aliases (key_id)`,
	`CREATE TABLE kms_grants (
		key_id TEXT NOT NULL, id TEXT NOT NULL,
		body TEXT NOT NULL,
		PRIMARY KEY (key_id, id))`,
}
