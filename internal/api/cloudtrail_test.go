package api_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/observe"
)

// trailWorld is a door whose calls are recorded for real, and that serves the records.
func trailWorld(t *testing.T) (*door, *observe.Audit, string) {
	t.Helper()
	dir := t.TempDir()
	audit, err := observe.OpenAudit(t.Context(), observe.AuditConfig{DB: openStore(t), TrailDir: dir, ChainKey: []byte("0123456789abcdef")})
	ok(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		if err := audit.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); group.Wait() })
	d := newDoor(t, func(c *api.Config) {
		trails, err := api.NewCloudTrail(audit)
		ok(t, err)
		c.Services, c.Audit = append(c.Services, trails), audit
	})
	return d, audit, dir
}

type lookedUp struct {
	Events []struct {
		EventID, EventName, Username, CloudTrailEvent, AccessKeyID, ReadOnly, EventSource string
		Resources                                                                         []struct{ ResourceType, ResourceName string }
	}
	NextToken string
}

// trail calls an operation of CloudTrail, which must answer with a success, and reads the answer.
func (d *door) trail(t *testing.T, operation, input string, into any) {
	t.Helper()
	status, body := d.post(t, "cloudtrail", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101."+operation, input)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", operation, status, body)
	}
	if into != nil {
		ok(t, json.Unmarshal([]byte(body), into))
	}
}

// checklist: 167, 168, 169
func TestLookingUpEvents(t *testing.T) {
	d, _, _ := trailWorld(t)
	nobody := d.user(t, "nobody")
	if status, body := nobody.post(t, "apprunner", "AppRunner.ListServices", "{}"); status != http.StatusForbidden {
		t.Fatal(body)
	}
	var got lookedUp
	d.trail(t, "LookupEvents", `{"LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":"CreateUser"}]}`, &got)
	if len(got.Events) != 1 || got.Events[0].Username != "root" || got.Events[0].ReadOnly != "false" || got.Events[0].EventSource != "iam.amazonaws.com" ||
		len(got.Events[0].Resources) != 1 || got.Events[0].Resources[0].ResourceType != "AWS::IAM::User" || got.Events[0].Resources[0].ResourceName != "nobody" {
		t.Errorf("events %+v", got)
	}
	d.trail(t, "LookupEvents", `{"LookupAttributes":[{"AttributeKey":"ResourceName","AttributeValue":"nobody"}],"MaxResults":1}`, &got)
	if len(got.Events) != 1 || got.Events[0].EventName != "CreateAccessKey" || got.NextToken == "" {
		t.Errorf("the newest event about the user is %+v", got)
	}
	d.trail(t, "LookupEvents", `{"LookupAttributes":[{"AttributeKey":"Username","AttributeValue":"nobody"}]}`, &got)
	var record map[string]any
	ok(t, json.Unmarshal([]byte(got.Events[0].CloudTrailEvent), &record))
	if record["errorCode"] != "AccessDeniedException" || record["eventName"] != "ListServices" || record["readOnly"] != true || record["responseElements"] != nil || record["eventVersion"] != "1.08" {
		t.Errorf("record %v", record)
	}
	for input, code := range map[string]string{
		`{"LookupAttributes":[{"AttributeKey":"Color","AttributeValue":"x"}]}`: "InvalidParameterException", `{"NextToken":"x"}`: "InvalidNextTokenException",
		`{"StartTime":2,"EndTime":1}`: "InvalidTimeRangeException",
		`{"LookupAttributes":[{"AttributeKey":"EventId","AttributeValue":"x"},{"AttributeKey":"EventId","AttributeValue":"y"}]}`: "InvalidLookupAttributesException",
	} {
		if status, body := d.post(t, "cloudtrail", "CloudTrail_20131101.LookupEvents", input); status != http.StatusBadRequest || !strings.Contains(body, code) {
			t.Errorf("%s: %d %s, want %s", input, status, body, code)
		}
	}
}

// checklist: 170
func TestTrails(t *testing.T) {
	d, audit, dir := trailWorld(t)
	var made struct {
		Name, TrailARN     string
		IsMultiRegionTrail bool
	}
	d.trail(t, "CreateTrail", `{"Name":"all","S3BucketName":"my-bucket","TagsList":[{"Key":"a","Value":"b"}]}`, &made)
	if !made.IsMultiRegionTrail || made.TrailARN != "arn:aws:cloudtrail:us-east-1:123456789012:trail/all" {
		t.Errorf("trail %+v", made)
	}
	d.trail(t, "StartLogging", `{"Name":"all"}`, nil)
	d.user(t, "alice")
	ok(t, audit.Flush(t.Context()))
	ok(t, audit.Deliver(t.Context()))
	var status struct {
		IsLogging                                                          bool
		LatestDeliveryError, LatestDeliveryAttemptTime, TimeLoggingStarted string
	}
	d.trail(t, "GetTrailStatus", `{"Name":"`+made.TrailARN+`"}`, &status)
	if !status.IsLogging || status.LatestDeliveryError != "" || status.LatestDeliveryAttemptTime == "" || status.TimeLoggingStarted == "" {
		t.Errorf("status %+v", status)
	}
	if !written(t, dir, "CreateUser") {
		t.Error("no file tells of CreateUser")
	}
	var tags struct {
		ResourceTagList []struct{ TagsList []struct{ Key, Value string } }
	}
	d.trail(t, "AddTags", `{"ResourceId":"`+made.TrailARN+`","TagsList":[{"Key":"c","Value":"d"}]}`, nil)
	d.trail(t, "RemoveTags", `{"ResourceId":"`+made.TrailARN+`","TagsList":[{"Key":"a"}]}`, nil)
	d.trail(t, "ListTags", `{"ResourceIdList":["`+made.TrailARN+`"]}`, &tags)
	if len(tags.ResourceTagList) != 1 || len(tags.ResourceTagList[0].TagsList) != 1 || tags.ResourceTagList[0].TagsList[0].Value != "d" {
		t.Errorf("tags %+v", tags)
	}
	var selectors struct {
		EventSelectors []struct{ ReadWriteType string }
	}
	d.trail(t, "PutEventSelectors", `{"TrailName":"all","EventSelectors":[{"ReadWriteType":"WriteOnly","IncludeManagementEvents":true}]}`, nil)
	d.trail(t, "GetEventSelectors", `{"TrailName":"all"}`, &selectors)
	if len(selectors.EventSelectors) != 1 || selectors.EventSelectors[0].ReadWriteType != "WriteOnly" {
		t.Errorf("selectors %+v", selectors)
	}
	var list struct {
		TrailList []struct{ S3KeyPrefix, HomeRegion string }
		Trails    []struct{ Name string }
	}
	d.trail(t, "UpdateTrail", `{"Name":"all","S3KeyPrefix":"x"}`, nil)
	d.trail(t, "DescribeTrails", `{}`, &list)
	d.trail(t, "ListTrails", `{}`, &list)
	if len(list.TrailList) != 1 || list.TrailList[0].S3KeyPrefix != "x" || len(list.Trails) != 1 {
		t.Errorf("trails %+v", list)
	}
	d.trail(t, "StopLogging", `{"Name":"all"}`, nil)
	d.trail(t, "DeleteTrail", `{"Name":"all"}`, nil)
	for input, code := range map[string]string{
		`GetTrail {"Name":"all"}`:                                                                "TrailNotFoundException",
		`ListTags {"ResourceIdList":["` + made.TrailARN + `"]}`:                                  "ResourceNotFoundException",
		`CreateTrail {"Name":"more","S3BucketName":"bucket","SnsTopicName":"t"}`:                 "UnsupportedOperationException",
		`CreateTrail {"Name":"more","S3BucketName":"bucket","KmsKeyId":"k"}`:                     "UnsupportedOperationException",
		`CreateTrail {"Name":"more","S3BucketName":"bucket","IsOrganizationTrail":true}`:         "UnsupportedOperationException",
		`CreateTrail {"Name":"more","S3BucketName":"bucket","IncludeGlobalServiceEvents":false}`: "InvalidParameterCombinationException",
		`CreateTrail {"Name":"mo..re","S3BucketName":"bucket"}`:                                  "InvalidTrailNameException",
	} {
		operation, input, _ := strings.Cut(input, " ")
		if status, body := d.post(t, "cloudtrail", "CloudTrail_20131101."+operation, input); status != http.StatusBadRequest || !strings.Contains(body, code) {
			t.Errorf("%s %s: %d %s, want %s", operation, input, status, body, code)
		}
	}
}

// The record of a change begins with the action's own transaction, once, and is completed with the answer.
func TestRecordsBeginWithTheAction(t *testing.T) {
	var began []observe.AuditRecord
	d := newDoor(t, func(c *api.Config) {
		c.Begin = func(ctx context.Context, record func() observe.AuditRecord) (context.Context, func() bool) {
			r := record()
			began = append(began, r)
			return ctx, func() bool { return true }
		}
	})
	d.user(t, "alice")
	last, _ := d.last(t)
	if len(began) != 2 || began[1].EventID != last.EventID || began[1].EventName != "CreateAccessKey" || began[1].ResponseElements != nil || last.ResponseElements == nil ||
		began[1].RequestID != last.RequestID || began[1].RequestParameters == nil {
		t.Errorf("began %+v, then %+v", began, last)
	}
	if status, body := d.post(t, "apprunner", "AppRunner.ListServices", "{}"); status != http.StatusOK || len(began) != 2 {
		t.Errorf("a reading call: %d %s, %d begun", status, body, len(began))
	}
}

// written tells whether any file below a directory holds a text.
func written(t *testing.T, dir, text string) bool {
	t.Helper()
	found := false
	ok(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			return err
		}
		b, err := io.ReadAll(z)
		found = found || strings.Contains(string(b), text)
		return err
	}))
	return found
}
