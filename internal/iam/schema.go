package iam

// migrations are the room's steps, oldest first; see store.DB.Migrate for the rule. Names of users, groups, roles and policies
// are unique in their account without regard to case, hence the column folded. An owner is the id of a user, group or role.
var migrations = []string{
	`CREATE TABLE iam_accounts (
		account TEXT PRIMARY KEY,
		created BIGINT NOT NULL
	)`,
	`CREATE TABLE iam_users (
		id TEXT PRIMARY KEY,
		account TEXT NOT NULL,
		name TEXT NOT NULL,
		folded TEXT NOT NULL,
		path TEXT NOT NULL,
		boundary TEXT NOT NULL,
		tags TEXT NOT NULL,
		created BIGINT NOT NULL,
		UNIQUE (account, folded)
	)`,
	`CREATE TABLE iam_groups (
		id TEXT PRIMARY KEY,
		account TEXT NOT NULL,
		name TEXT NOT NULL,
		folded TEXT NOT NULL,
		path TEXT NOT NULL,
		created BIGINT NOT NULL,
		UNIQUE (account, folded)
	)`,
	`CREATE TABLE iam_members (
		group_id TEXT NOT NULL REFERENCES iam_groups (id),
		user_id TEXT NOT NULL REFERENCES iam_users (id),
		PRIMARY KEY (group_id, user_id)
	)`,
	`CREATE INDEX iam_members_user ON iam_members (user_id)`,
	`CREATE TABLE iam_access_keys (
		id TEXT PRIMARY KEY,
		account TEXT NOT NULL,
		user_id TEXT REFERENCES iam_users (id),
		secret TEXT NOT NULL,
		active BIGINT NOT NULL,
		created BIGINT NOT NULL,
		used BIGINT NOT NULL,
		used_service TEXT NOT NULL,
		used_region TEXT NOT NULL
	)`,
	`CREATE INDEX iam_access_keys_user ON iam_access_keys (user_id)`,
	`CREATE TABLE iam_roles (
		id TEXT PRIMARY KEY,
		account TEXT NOT NULL,
		name TEXT NOT NULL,
		folded TEXT NOT NULL,
		path TEXT NOT NULL,
		description TEXT NOT NULL,
		trust TEXT NOT NULL,
		max_session BIGINT NOT NULL,
		boundary TEXT NOT NULL,
		service TEXT NOT NULL,
		tags TEXT NOT NULL,
		created BIGINT NOT NULL,
		UNIQUE (account, folded)
	)`,
	`CREATE TABLE iam_policies (
		id TEXT PRIMARY KEY,
		account TEXT NOT NULL,
		arn TEXT NOT NULL UNIQUE,
		name TEXT NOT NULL,
		folded TEXT NOT NULL,
		path TEXT NOT NULL,
		description TEXT NOT NULL,
		default_version BIGINT NOT NULL,
		next_version BIGINT NOT NULL,
		tags TEXT NOT NULL,
		created BIGINT NOT NULL,
		updated BIGINT NOT NULL,
		UNIQUE (account, folded)
	)`,
	`CREATE TABLE iam_policy_versions (
		policy_id TEXT NOT NULL REFERENCES iam_policies (id),
		version BIGINT NOT NULL,
		document TEXT NOT NULL,
		created BIGINT NOT NULL,
		PRIMARY KEY (policy_id, version)
	)`,
	`CREATE TABLE iam_attachments (
		owner TEXT NOT NULL,
		policy_arn TEXT NOT NULL,
		PRIMARY KEY (owner, policy_arn)
	)`,
	`CREATE INDEX iam_attachments_policy ON iam_attachments (policy_arn)`,
	`CREATE TABLE iam_inline_policies (
		owner TEXT NOT NULL,
		name TEXT NOT NULL,
		document TEXT NOT NULL,
		PRIMARY KEY (owner, name)
	)`,
	`CREATE TABLE iam_instances (
		id TEXT PRIMARY KEY,
		role TEXT NOT NULL,
		service TEXT NOT NULL,
		created BIGINT NOT NULL
	)`,
	`CREATE TABLE iam_logins (
		owner TEXT PRIMARY KEY,
		hash TEXT NOT NULL,
		reset BIGINT NOT NULL,
		created BIGINT NOT NULL
	)`,
	`CREATE TABLE iam_aliases (
		account TEXT PRIMARY KEY,
		alias TEXT NOT NULL UNIQUE
	)`,
	`CREATE TABLE iam_limits (
		account TEXT PRIMARY KEY,
		policies TEXT NOT NULL
	)`,
	`CREATE TABLE iam_deletions (
		id TEXT PRIMARY KEY,
		account TEXT NOT NULL,
		reason TEXT NOT NULL,
		resources TEXT NOT NULL,
		created BIGINT NOT NULL
	)`,
	`CREATE TABLE iam_mfa_devices (
		serial TEXT PRIMARY KEY,
		account TEXT NOT NULL,
		name TEXT NOT NULL,
		path TEXT NOT NULL,
		seed TEXT NOT NULL,
		owner TEXT NOT NULL,
		enabled BIGINT NOT NULL,
		drift BIGINT NOT NULL,
		used BIGINT NOT NULL,
		tags TEXT NOT NULL,
		created BIGINT NOT NULL
	)`,
	`CREATE INDEX iam_mfa_devices_owner ON iam_mfa_devices (owner)`,
	`CREATE TABLE iam_roots (
		account TEXT PRIMARY KEY,
		mail TEXT NOT NULL,
		folded TEXT NOT NULL UNIQUE,
		hash TEXT NOT NULL,
		reset BIGINT NOT NULL,
		created BIGINT NOT NULL
	)`,
	`CREATE TABLE iam_oidc_providers (
		arn TEXT PRIMARY KEY,
		account TEXT NOT NULL,
		url TEXT NOT NULL,
		clients TEXT NOT NULL,
		tags TEXT NOT NULL,
		created BIGINT NOT NULL
	)`,
	`CREATE INDEX iam_oidc_providers_account ON iam_oidc_providers (account)`,
	`ALTER TABLE iam_oidc_providers ADD COLUMN thumbprints TEXT NOT NULL DEFAULT '[]'`,
}
