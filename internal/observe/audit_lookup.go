package observe

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// AuditAttribute is what LookupEvents can look for.
type AuditAttribute string

// The attributes (adjacent §7).
const (
	ByEventID      AuditAttribute = "EventId"
	ByEventName    AuditAttribute = "EventName"
	ByEventSource  AuditAttribute = "EventSource"
	ByReadOnly     AuditAttribute = "ReadOnly"
	ByUsername     AuditAttribute = "Username"
	ByAccessKeyID  AuditAttribute = "AccessKeyId"
	ByResourceName AuditAttribute = "ResourceName"
	ByResourceType AuditAttribute = "ResourceType"
)

// The error codes of CloudTrail's LookupEvents.
const (
	CodeInvalidLookupAttributes apprunner.Code = "InvalidLookupAttributesException"
	CodeInvalidTimeRange        apprunner.Code = "InvalidTimeRangeException"
	CodeInvalidMaxResults       apprunner.Code = "InvalidMaxResultsException"
	CodeInvalidNextToken        apprunner.Code = "InvalidNextTokenException"
)

func attributeSQL(a AuditAttribute) (string, bool) {
	sql, ok := map[AuditAttribute]string{
		ByEventID: "id = $5", ByEventName: "event_name = $5", ByEventSource: "event_source = $5", ByReadOnly: "read_only = $5",
		ByUsername: "username = $5", ByAccessKeyID: "access_key = $5",
		ByResourceName: "id IN (SELECT record_id FROM audit_resources WHERE resource_name = $5)",
		ByResourceType: "id IN (SELECT record_id FROM audit_resources WHERE resource_type = $5)",
		"":             "$5 = ''",
	}[a]
	return sql, ok
}

// Lookup asks for audit records of an account and region.
type Lookup struct {
	Attribute AuditAttribute // empty: all
	Value     string
	Start     time.Time // inclusive; zero: no bound
	End       time.Time // inclusive, to the second; zero: no bound
	Limit     int       // 1 to 50; 0 means 50
	Token     string
}

// AuditEntry is an audit record as LookupEvents returns it.
type AuditEntry struct {
	ID, Name, Source, Username, AccessKeyID string
	Time                                    time.Time
	ReadOnly                                string // "true" or "false"
	Resources                               []AuditResource
	Record                                  string // JSON
}

// LookupEvents finds records, newest first. next is empty on the last page.
func (a *Audit) LookupEvents(ctx context.Context, scope apprunner.Scope, q Lookup) (entries []AuditEntry, next string, err error) {
	where, ok := attributeSQL(q.Attribute)
	switch {
	case !ok || (q.Attribute != "") != (q.Value != ""):
		return nil, "", apprunner.Errorf(CodeInvalidLookupAttributes, "The lookup attribute %q with value %q is not valid.", q.Attribute, q.Value)
	case !q.Start.IsZero() && !q.End.IsZero() && q.Start.After(q.End):
		return nil, "", apprunner.Errorf(CodeInvalidTimeRange, "The start time is after the end time.")
	case q.Limit < 0 || q.Limit > 50:
		return nil, "", apprunner.Errorf(CodeInvalidMaxResults, "MaxResults is %d; allowed are 1 to 50.", q.Limit)
	case q.Limit == 0:
		q.Limit = 50
	}
	beforeTime, beforeID := int64(1<<62), ""
	if q.Token != "" {
		value, err := openToken(q.Token, "audit")
		if err == nil {
			_, err = fmt.Sscanf(value, "%d %s", &beforeTime, &beforeID)
		}
		if err != nil {
			return nil, "", apprunner.Errorf(CodeInvalidNextToken, "The next token is not valid.")
		}
	}
	end := int64(1 << 62)
	if !q.End.IsZero() {
		end = q.End.Truncate(time.Second).Add(time.Second).UnixMicro()
	}
	args := []any{scope.Account, scope.Region, store.Micros(q.Start), end, q.Value, beforeTime, beforeID, q.Limit + 1}
	err = a.conf.DB.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT id, event_name, event_source, username, access_key, time, read_only, resources, record FROM audit_records
			WHERE account = $1 AND region = $2 AND time >= $3 AND time < $4 AND `+where+` AND (time < $6 OR (time = $6 AND id < $7))
			ORDER BY time DESC, id DESC LIMIT $8`, args, func(row store.Row) error {
			var e AuditEntry
			var at int64
			var resources string
			err := row.Scan(&e.ID, &e.Name, &e.Source, &e.Username, &e.AccessKeyID, &at, &e.ReadOnly, &resources, &e.Record)
			if err != nil {
				return err
			}
			e.Time = store.Time(at)
			entries = append(entries, e)
			return json.Unmarshal([]byte(resources), &entries[len(entries)-1].Resources)
		})
	})
	if err == nil && len(entries) > q.Limit {
		entries = entries[:q.Limit]
		last := entries[q.Limit-1]
		next = sealToken("audit", fmt.Sprintf("%d %s", store.Micros(last.Time), last.ID))
	}
	return entries, next, err
}
