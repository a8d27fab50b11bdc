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
	`CREATE INDEX event_deliveries_aside ON event_deliveries (account, region, rule, target, dead, next, seq) WHERE attempts >= 4`,
}

// The oldest event of a target is tried four times before others may overtake it: a short trouble changes no order, and an event that the
// target cannot take does not hold the rest up for a day. The numbers are those of the index above.
const (
	mustGoFirst = `attempts < 4 ORDER BY seq LIMIT 1`
	setAside    = `attempts >= 4 ORDER BY next, seq LIMIT 1`
)
