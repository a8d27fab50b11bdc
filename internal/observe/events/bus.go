package events

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

// logStore is where events for log groups go.
type logStore interface {
	CreateStream(ctx context.Context, sc apprunner.Scope, group, name string) error
	PutEvents(ctx context.Context, sc apprunner.Scope, group, stream string, events []observe.Event) (observe.Rejected, error)
}

// Config is what a Bus needs. All but Endpoints, Managed, Transport and MaxWaiting are required.
type Config struct {
	DB   *store.DB
	Logs logStore
	// Endpoints are the web hooks by the ARN that targets name them with.
	Endpoints map[string]Endpoint
	// Managed gives the rules that the installation itself made in a scope. They are shown beside those of users.
	Managed func(*store.Tx, apprunner.Scope) ([]Rule, error)
	// Transport carries the requests to web hooks; nil is net/http's own with its proxies from the environment.
	Transport http.RoundTripper
	// MaxWaiting is how many events may wait for one target; the oldest go when there are more. 0: 10,000.
	MaxWaiting int
	Random     func() float64 // from 0 to 1, not included: how the pauses between tries differ
	Now        func() time.Time
	Log        *slog.Logger
}

// Bus keeps the rules of all accounts and delivers what they choose. It is safe for concurrent use.
type Bus struct {
	conf  Config
	hooks map[string]*webhook // by ARN
	slots chan struct{}       // one for each delivery under way
	count counters

	mu    sync.Mutex
	lanes map[laneKey]*lane // those that have something to deliver
	group sync.WaitGroup    // of the lanes

	// Used by Run alone.
	rules cachedRules
	told  map[string]bool // rules and targets that the log has said nothing is sent to
}

const (
	// atOnce is how many deliveries may be under way.
	atOnce     = 64
	maxWaiting = 10_000
)

// Open makes the tables where they are missing. Nothing is delivered before [Bus.Run].
func Open(ctx context.Context, c Config) (*Bus, error) {
	if c.DB == nil || c.Logs == nil || c.Random == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("events: the configuration of the bus is incomplete")
	}
	if c.Managed == nil {
		c.Managed = func(*store.Tx, apprunner.Scope) ([]Rule, error) { return nil, nil }
	}
	if err := observe.PrepareEvents(ctx, c.DB); err != nil {
		return nil, err
	}
	if err := c.DB.Migrate(ctx, "events", migrations); err != nil {
		return nil, err
	}
	if c.MaxWaiting == 0 {
		c.MaxWaiting = maxWaiting
	}
	b := &Bus{conf: c, hooks: map[string]*webhook{}, slots: make(chan struct{}, atOnce), lanes: map[laneKey]*lane{}, told: map[string]bool{}}
	rooms := map[string]chan struct{}{} // by URL
	for arn, e := range c.Endpoints {
		if rooms[e.URL] == nil {
			rooms[e.URL] = make(chan struct{}, hookAtOnce)
		}
		hook, err := newWebhook(e, c.Transport, c.Now, rooms[e.URL])
		if err != nil {
			return nil, err
		}
		b.hooks[arn] = hook
	}
	return b, nil
}
