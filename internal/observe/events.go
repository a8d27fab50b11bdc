package observe

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// The detail types of the events App Runner sends (adjacent §6.1).
const (
	eventSource         = "aws.apprunner"
	StatusChangeType    = "AppRunner Service Status Change"
	OperationChangeType = "AppRunner Service Operation Status Change"
)

// BusEvent is an event on the account's default event bus.
type BusEvent struct {
	apprunner.Scope
	ID         string // UUID; made when empty
	Time       time.Time
	Source     string
	DetailType string
	Resources  []string
	Detail     any // what JSON has as an object
	// Targets are ARNs that the event goes to by itself, beside those that rules choose for it: the actions of an alarm.
	Targets []string
}

// MarshalJSON gives the envelope that rules match and targets receive.
func (e BusEvent) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"version": "0", "id": e.ID, "detail-type": e.DetailType, "source": e.Source, "account": e.Account,
		"time": e.Time.UTC().Format(time.RFC3339), "region": e.Region, "resources": e.Resources, "detail": e.Detail,
	})
}

// EmitEvent writes an event in the caller's transaction: it is sent exactly when the change it tells of is kept.
func EmitEvent(tx *store.Tx, e BusEvent) error {
	if e.ID == "" {
		e.ID = apprunner.NewUUID()
	}
	resources, err := json.Marshal(e.Resources)
	if err != nil {
		return fmt.Errorf("emit event: %w", err)
	}
	detail, err := json.Marshal(e.Detail)
	if err != nil {
		return fmt.Errorf("emit event: %w", err)
	}
	err = tx.Exec(`INSERT INTO events (seq, id, account, region, time, source, detail_type, resources, detail, targets)
		VALUES ((SELECT coalesce(max(seq), 0) + 1 FROM events), $1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		e.ID, e.Account, e.Region, store.Micros(e.Time), e.Source, e.DetailType, string(resources), string(detail), strings.Join(e.Targets, " "))
	if err != nil {
		return fmt.Errorf("emit event: %w", err)
	}
	return nil
}

// StatusChange is the event for a service whose status was before and is now s.Status. It carries the names of the 2021 guide
// and those of later documentation.
func StatusChange(s apprunner.Service, before apprunner.ServiceStatus, at time.Time) BusEvent {
	return serviceEvent(s, StatusChangeType, at, apprunner.StatusText(s.Status), "INFO", map[string]any{
		"PreviousStatus": string(before), "previousServiceStatus": string(before),
		"CurrentStatus": string(s.Status), "currentServiceStatus": string(s.Status),
	})
}

// OperationChange is the event for an operation of s that began or ended.
func OperationChange(s apprunner.Service, m apprunner.Message, at time.Time) BusEvent {
	return serviceEvent(s, OperationChangeType, at, m.Text, m.Severity, map[string]any{"Status": m.Status, "operationStatus": m.Status})
}

func serviceEvent(s apprunner.Service, kind string, at time.Time, text, severity string, detail map[string]any) BusEvent {
	for _, both := range []struct{ old, now, value string }{
		{"ServiceName", "serviceName", s.Name}, {"ServiceId", "serviceId", s.ID}, {"Message", "message", text}, {"Severity", "severity", severity},
	} {
		detail[both.old], detail[both.now] = both.value, both.value
	}
	return BusEvent{Scope: s.Scope, Time: at, Source: eventSource, DetailType: kind, Resources: []string{s.ARN()}, Detail: detail}
}

// PrepareEvents makes the outbox where it is missing. What is in it is for the event bus (package events) to deliver and to drop.
func PrepareEvents(ctx context.Context, db *store.DB) error {
	return db.Migrate(ctx, "observe", migrations)
}
