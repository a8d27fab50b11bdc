package store

// migrations are the store's own steps, oldest first. See [DB.Migrate] for the rule.
//
// The indexes hold two promises whatever the code above does: a name belongs to one live service of an account and region
// (§2), and a service has at most one running operation (§5.1).
var migrations = []string{
	`CREATE TABLE services (
		arn TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
		created_at BIGINT NOT NULL, deleted_at BIGINT NOT NULL, body TEXT NOT NULL)`,
	`CREATE UNIQUE INDEX services_live_name ON services (account, region, name) WHERE status <> 'DELETED'`,
	`CREATE INDEX services_newest ON services (account, region, created_at)`,
	`CREATE TABLE operations (
		id TEXT PRIMARY KEY, service_arn TEXT NOT NULL, status TEXT NOT NULL, ended BIGINT NOT NULL, started_at BIGINT NOT NULL,
		body TEXT NOT NULL)`,
	`CREATE UNIQUE INDEX operations_one_running ON operations (service_arn) WHERE ended = 0`,
	`CREATE INDEX operations_newest ON operations (service_arn, started_at)`,
	`CREATE TABLE deployments (
		id TEXT PRIMARY KEY, service_arn TEXT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL)`,
	`CREATE INDEX deployments_newest ON deployments (service_arn, created_at)`,
	`CREATE TABLE instances (
		id TEXT PRIMARY KEY, service_arn TEXT NOT NULL, deployment_id TEXT NOT NULL, phase TEXT NOT NULL, body TEXT NOT NULL)`,
	`CREATE INDEX instances_service ON instances (service_arn)`,
	`CREATE TABLE tags (
		arn TEXT NOT NULL, tag_key TEXT NOT NULL, tag_value TEXT NOT NULL, PRIMARY KEY (arn, tag_key))`,
	`CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)`,
	`CREATE TABLE log_places (instance_id TEXT PRIMARY KEY, place TEXT NOT NULL)`,
}
