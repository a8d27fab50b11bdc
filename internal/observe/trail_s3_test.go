package observe_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"slipway.dev/slipway/internal/observe"
)

// bucketServer is an S3 server that may be made to fail, and that knows one access key.
type bucketServer struct {
	*httptest.Server
	store *s3mem.Backend
	s3    *observe.S3
	// broken requests are answered 503 before they are read (1), or 500 after they were carried out (2).
	broken atomic.Int32
}

func newBucketServer(t *testing.T) *bucketServer {
	t.Helper()
	b := &bucketServer{store: s3mem.New()}
	real := gofakes3.New(b.store).Server()
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch how := b.broken.Load(); {
		case how == 1:
			http.Error(w, "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>", http.StatusServiceUnavailable)
		case !b.signed(r):
			http.Error(w, "<Error><Code>SignatureDoesNotMatch</Code></Error>", http.StatusForbidden)
		case how == 2:
			real.ServeHTTP(httptest.NewRecorder(), r)
			http.Error(w, "<Error><Code>InternalError</Code></Error>", http.StatusInternalServerError)
		default:
			real.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(b.Close)
	b.s3 = &observe.S3{Endpoint: b.URL, Region: "eu-central-1", KeyID: "AKIDEXAMPLE", Secret: "the-secret"}
	check(t, b.store.CreateBucket("my-bucket"))
	return b
}

// signed signs a request as it arrived once more and compares.
func (b *bucketServer) signed(r *http.Request) bool {
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return false
	}
	again := r.Clone(r.Context())
	again.URL.Host = r.Host
	again.Header.Del("Authorization")
	again.Header.Del("Accept-Encoding") // the transport's own
	again.Header.Del("User-Agent")
	err = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(r.Context(),
		aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "the-secret"}, again, r.Header.Get("X-Amz-Content-Sha256"), "s3", "eu-central-1", at)
	return err == nil && again.Header.Get("Authorization") == r.Header.Get("Authorization")
}

// objects reads what is in the bucket: event ids by key.
func (b *bucketServer) objects(t *testing.T) map[string][]string {
	t.Helper()
	list, err := b.store.ListBucket("my-bucket", &gofakes3.Prefix{}, gofakes3.ListBucketPage{})
	check(t, err)
	out := map[string][]string{}
	for _, c := range list.Contents {
		if strings.Contains(c.Key, "Digest") {
			continue
		}
		o, err := b.store.GetObject("my-bucket", c.Key, nil)
		check(t, err)
		body, err := io.ReadAll(o.Contents)
		check(t, errors.Join(err, o.Contents.Close()))
		z, err := gzip.NewReader(bytes.NewReader(body))
		check(t, err)
		var log struct {
			Records []struct {
				EventID string `json:"eventID"`
			}
		}
		check(t, json.NewDecoder(z).Decode(&log))
		for _, r := range log.Records {
			out[c.Key] = append(out[c.Key], r.EventID)
		}
	}
	return out
}

// A trail writes to an S3-compatible bucket; a store that is away, or whose answer is lost, and a process that dies, cost no record
// and double none.
//
// checklist: 170
func TestTrailsWriteToABucket(t *testing.T) {
	b, db := newBucketServer(t), openStore(t)
	open := func() *observe.Audit {
		return openAudit(t, db, func(c *observe.AuditConfig) { c.S3, c.TrailDir = b.s3, "" })
	}
	a, ctx := open(), t.Context()
	check(t, a.CreateTrail(ctx, observe.Trail{Scope: scope, Name: "all", Bucket: "my-bucket", Prefix: "a(b)*'!", Global: true, MultiRegion: true, Validate: true}))
	check(t, a.SetLogging(ctx, scope, "all", true))
	n := 0
	more := func(a *observe.Audit) {
		for range 10 {
			n++
			r := called(n)
			if n%3 == 0 {
				r.AWSRegion = "eu-west-1"
			}
			check(t, a.Record(ctx, r, false))
		}
		check(t, a.Flush(ctx))
	}
	for step, how := range []int32{0, 1, 2, 0, 2, 1, 0} {
		more(a)
		b.broken.Store(how)
		err := a.Deliver(ctx)
		if (err == nil) != (how == 0) {
			t.Errorf("step %d: %v", step, err)
		}
		got, err := a.Trail(ctx, scope, "all")
		check(t, err)
		if (got.LastError == "") != (how == 0) || how == 1 && !strings.Contains(got.LastError, "SlowDown") {
			t.Errorf("step %d: the trail says %q", step, got.LastError)
		}
		if step%2 == 1 {
			a = open() // another process
		}
	}
	b.broken.Store(0)
	check(t, a.Deliver(ctx))
	all := b.objects(t)
	list := ids(all)
	if len(list) != n || len(slices.Compact(slices.Clone(list))) != n {
		t.Errorf("%d records of %d, %d of them different", len(list), n, len(slices.Compact(slices.Clone(list))))
	}
	for key := range all {
		if !strings.HasPrefix(key, "a(b)*'!/AWSLogs/123456789012/CloudTrail/") || !strings.HasSuffix(key, ".json.gz") || !strings.Contains(key, "/2026/03/01/") {
			t.Errorf("key %s", key)
		}
	}
}

func TestTrailsTellWhatABucketLacks(t *testing.T) {
	b := newBucketServer(t)
	b.s3.Secret = "wrong"
	a, ctx := openAudit(t, openStore(t), func(c *observe.AuditConfig) { c.S3 = b.s3 }), t.Context()
	check(t, a.CreateTrail(ctx, observe.Trail{Scope: scope, Name: "all", Bucket: "no-such-bucket", Global: true, MultiRegion: true}))
	check(t, a.SetLogging(ctx, scope, "all", true))
	check(t, a.Record(ctx, called(1), false))
	check(t, a.Flush(ctx))
	for secret, want := range map[string]string{"wrong": "SignatureDoesNotMatch", "the-secret": "NoSuchBucket"} {
		b.s3.Secret = secret
		if err := a.Deliver(ctx); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with the secret %s: %v, want %s", secret, err, want)
		}
	}
}
