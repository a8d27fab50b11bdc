package events

// migrations are the room's tables beside the outbox, oldest step first; see store.DB.Migrate for the rule. Times are microseconds.
var migrations = []string{
	`CREATE TABLE event_rules (
		account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
		body TEXT NOT NULL,
		PRIMARY KEY (account, region, name))`,
	// What has to go where: an event of the outbox to a target of a rule, or to the dead letter target of that one.
	`CREATE TABLE event_deliveries (
		account TEXT NOT NULL, region TEXT NOT NULL, rule TEXT NOT NULL, target TEXT NOT NULL, dead BIGINT NOT NULL,
		seq BIGINT NOT NULL,
		arrived BIGINT NOT NULL, attempts BIGINT NOT NULL, next BIGINT NOT NULL,
		reason TEXT NOT NULL,
		PRIMARY KEY (account, region, rule, target, dead, seq))`,
	`CREATE INDEX event_deliveries_event ON event_deliveries (seq)`,
	// matched: the place in the outbox up to which events were held against the rules; rules: how often the rules changed.
	`CREATE TABLE event_places (name TEXT PRIMARY KEY, value BIGINT NOT NULL)`,
	`INSERT INTO event_places (name, value) VALUES ('matched', 0), ('rules', 0)`,
}
