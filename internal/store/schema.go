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

	// What lists show of a service stands in columns, so that they read nothing else.
	`ALTER TABLE services ADD COLUMN url TEXT NOT NULL DEFAULT ''`,
	`ALTER TABLE services ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0`,

	// The resources beside services, by what they have in common; a live name (and revision) belongs to one of them.
	`CREATE TABLE resources (
		arn TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, revision BIGINT NOT NULL,
		live BIGINT NOT NULL, created_at BIGINT NOT NULL, deleted_at BIGINT NOT NULL, body TEXT NOT NULL)`,
	`CREATE UNIQUE INDEX resources_live_name ON resources (account, region, kind, name, revision) WHERE live = 1`,
	`CREATE INDEX resources_deleted ON resources (deleted_at) WHERE live = 0`,
	`CREATE TABLE revisions (
		account TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, last BIGINT NOT NULL,
		PRIMARY KEY (account, region, kind, name))`,
	`CREATE TABLE autoscaling_defaults (account TEXT NOT NULL, region TEXT NOT NULL, arn TEXT NOT NULL, PRIMARY KEY (account, region))`,
	`CREATE TABLE connection_credentials (arn TEXT PRIMARY KEY, sealed TEXT NOT NULL)`,

	// Which live service points to which resource. Until this step there was one configuration of each kind to point to.
	`CREATE TABLE service_uses (service_arn TEXT NOT NULL, resource_arn TEXT NOT NULL, PRIMARY KEY (service_arn, resource_arn))`,
	`CREATE INDEX service_uses_resource ON service_uses (resource_arn)`,
	`INSERT INTO service_uses (service_arn, resource_arn)
		SELECT arn, 'arn:aws:apprunner:' || region || ':' || account || ':autoscalingconfiguration/DefaultConfiguration/1/00000000000000000000000000000001'
		FROM services WHERE status <> 'DELETED'`,

	// A host name belongs to one association of the whole installation, since requests carry nothing else.
	`CREATE TABLE domains (
		name TEXT PRIMARY KEY, service_arn TEXT NOT NULL, status TEXT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL)`,
	`CREATE INDEX domains_service ON domains (service_arn)`,
	`CREATE TABLE domain_hosts (host TEXT PRIMARY KEY, name TEXT NOT NULL)`,

	`CREATE TABLE quota_values (
		account TEXT NOT NULL, region TEXT NOT NULL, code TEXT NOT NULL, value BIGINT NOT NULL, PRIMARY KEY (account, region, code))`,
	`CREATE TABLE quota_requests (
		id TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, code TEXT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL)`,

	// Every write of a service takes the next number, so that a reader that knows all services up to one reads only those after it.
	`CREATE TABLE changes (kind TEXT PRIMARY KEY, last BIGINT NOT NULL)`,
	`INSERT INTO changes (kind, last) VALUES ('service', 1)`,
	`ALTER TABLE services ADD COLUMN version BIGINT NOT NULL DEFAULT 1`,
	`CREATE INDEX services_version ON services (version)`,
	`CREATE INDEX tags_key ON tags (tag_key)`,

	// Web ACLs and the sets their rules name, and which ACL stands in front of which service.
	`CREATE TABLE waf_entities (
		arn TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL)`,
	`CREATE UNIQUE INDEX waf_entities_name ON waf_entities (account, region, kind, name)`,
	`CREATE TABLE waf_associations (service_arn TEXT PRIMARY KEY, acl_arn TEXT NOT NULL)`,
	`CREATE INDEX waf_associations_acl ON waf_associations (acl_arn)`,

	// Operations that users do not see.
	`ALTER TABLE operations ADD COLUMN silent BIGINT NOT NULL DEFAULT 0`,
}
