package observe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// AuditAge is how long audit records are kept without a trail (adjacent §7).
const AuditAge = 90 * 24 * time.Hour

// AuditRecord is one API call, refused and failed ones included.
type AuditRecord struct {
	apprunner.Scope
	Time         time.Time
	EventID      string // UUID; made when empty
	RequestID    string // the x-amzn-RequestId of the answer
	Source       string // for example apprunner.amazonaws.com
	Name         string // the action
	ReadOnly     bool
	SourceIP     string
	UserAgent    string
	ErrorCode    string // empty when the call succeeded
	ErrorMessage string
	Identity     AuditIdentity
	Request      map[string]any // the request as JSON has it, members as AWS spells them
	Response     map[string]any // the answer likewise; ignored for read-only calls
	Resources    []AuditResource
}

// AuditIdentity says who called.
type AuditIdentity struct {
	Type        string // Root, IAMUser, AssumedRole, FederatedUser or AWSService; empty when the caller is unknown
	PrincipalID string
	ARN         string
	AccountID   string
	AccessKeyID string
	UserName    string
	InvokedBy   string         // for services
	Session     map[string]any // sessionContext of roles
}

// AuditResource is something a call was about.
type AuditResource struct {
	Type string `json:"type"` // for example AWS::AppRunner::Service
	Name string `json:"name"`
}

// username is what LookupEvents finds the caller by: the user, or the session of a role.
func (i AuditIdentity) username() string {
	if i.UserName != "" {
		return i.UserName
	}
	if i.Type == "Root" {
		return "root"
	}
	return i.ARN[strings.LastIndexByte(i.ARN, '/')+1:]
}

// Record writes an audit record in the caller's transaction: a change and its record are kept together or not at all. Secrets are
// left out (see [AuditShape]).
func Record(tx *store.Tx, r AuditRecord) error {
	if r.EventID == "" {
		r.EventID = apprunner.NewUUID()
	}
	record, err := json.Marshal(r.shape())
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	resources, err := json.Marshal(slices.Concat([]AuditResource{}, r.Resources))
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	err = tx.Exec(`INSERT INTO audit_records (id, account, region, time, event_name, event_source, username, access_key, read_only, resources, record)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, r.EventID, r.Account, r.Region, store.Micros(r.Time), r.Name, r.Source,
		r.Identity.username(), r.Identity.AccessKeyID, fmt.Sprint(r.ReadOnly), string(resources), string(record))
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	for _, res := range r.Resources {
		if err := tx.Exec(`INSERT INTO audit_resources (record_id, resource_type, resource_name) VALUES ($1, $2, $3)`, r.EventID, res.Type, res.Name); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	return nil
}

// Trail finds audit records.
type Trail struct{ db *store.DB }

// OpenTrail opens the audit trail.
func OpenTrail(ctx context.Context, db *store.DB) (*Trail, error) {
	if db == nil {
		return nil, errors.New("observe: OpenTrail needs a database")
	}
	return &Trail{db}, db.Migrate(ctx, "observe", migrations)
}

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
func (t *Trail) LookupEvents(ctx context.Context, scope apprunner.Scope, q Lookup) (entries []AuditEntry, next string, err error) {
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
	err = t.db.View(ctx, func(tx *store.Tx) error {
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

// Prune deletes records that are older than [AuditAge].
func (t *Trail) Prune(ctx context.Context, now time.Time) error {
	return t.db.Update(ctx, func(tx *store.Tx) error {
		oldest := now.Add(-AuditAge).UnixMicro()
		if err := tx.Exec(`DELETE FROM audit_resources WHERE record_id IN (SELECT id FROM audit_records WHERE time < $1)`, oldest); err != nil {
			return err
		}
		return tx.Exec(`DELETE FROM audit_records WHERE time < $1`, oldest)
	})
}
