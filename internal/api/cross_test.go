package api_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/domain"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/image"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
	"slipway.dev/slipway/internal/wire"
)

// secretOfA is in what the first account owns and in no request: an answer to anybody else that holds it tells too much.
const secretOfA = "7f3e-known-to-the-owner-only"

const otherAccount = "999999999999"

// crossing is a door behind which all APIs are served and the first account owns one thing of each kind.
type crossing struct {
	*door
	services []*api.Service
	dbs      []*store.DB
	service  string            // ARN of the service "victim"
	waf      map[string]string // ARNs of the web ACL and the sets "victim", by kind
	arns     map[string]string // of the other App Runner resources "victim", by member in lower case
	ec2      map[string]any    // of the networks "victim", by member
	caller   iam.AccessKey
	expired  *aws.Credentials // of a session of the caller
}

func newCrossing(t *testing.T) *crossing {
	t.Helper()
	x := &crossing{}
	var images *image.Store
	var logs *observe.Logs
	var certificate string
	x.door = newDoor(t, func(c *api.Config) {
		db := openStore(t)
		x.dbs = append(x.dbs, db)
		var errs [5]error
		images, errs[0] = image.Open(context.Background(), image.Config{Dir: t.TempDir(), DB: db, Scope: scope, Architecture: "amd64"})
		logs, errs[1] = observe.Open(context.Background(), observe.Config{Dir: t.TempDir(), DB: db})
		t.Cleanup(func() { _ = logs.Close() })
		ecr, err := api.NewECR(images)
		errs[2] = err
		logsAPI, err := api.NewLogs(logs)
		errs[3] = err
		audit, err := observe.OpenAudit(context.Background(), observe.AuditConfig{DB: db, TrailDir: t.TempDir()})
		errs[4] = err
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		trails, err := api.NewCloudTrail(audit)
		ok(t, err)
		ok(t, audit.CreateTrail(t.Context(), observe.Trail{Scope: scope, Name: "victim", Bucket: "bucket", Tags: map[string]string{"note": secretOfA}}))
		kept, err := domain.OpenCertificates(context.Background(), db, make([]byte, 32), time.Now)
		ok(t, err)
		tokens, err := api.NewTokens([]byte("0123456789abcdef"))
		ok(t, err)
		acm, err := api.NewACM(kept, tokens)
		ok(t, err)
		brought := selfSigned(t, "victim.example.com")
		brought.Tags = map[string]string{"note": secretOfA}
		certificate, err = kept.Import(context.Background(), scope, brought)
		ok(t, err)
		c.Services = append(c.Services, ecr, logsAPI, trails, acm, x.newEvents(t, db, logs, tokens), x.newFigures(t, db, tokens), x.openEC2(t))
		c.Services = append(c.Services, x.newHidden(t, c, db, tokens)...)
		x.services = c.Services
	})
	x.dbs = append(x.dbs, x.db)
	x.own(t, images, logs)
	x.arns["certificatearn"] = certificate
	return x
}

// own makes what the first account owns, and the caller whose policies the test changes.
func (x *crossing) own(t *testing.T, images *image.Store, logs *observe.Logs) {
	t.Helper()
	ctx, tags := t.Context(), map[string]string{"note": secretOfA}
	_, err := x.dir.CreateUser(ctx, iam.User{Account: account, Name: "victim", Tags: tags})
	ok(t, err)
	_, err = x.dir.CreateGroup(ctx, iam.Group{Account: account, Name: "victim"})
	ok(t, err)
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole"},
		{"Effect":"Allow","Principal":{"Service":["tasks.apprunner.amazonaws.com","build.apprunner.amazonaws.com"]},"Action":"sts:AssumeRole"}]}`
	_, err = x.dir.CreateRole(ctx, iam.Role{Account: account, Name: "victim", Trust: trust, Description: secretOfA, Tags: tags})
	ok(t, err)
	_, err = x.dir.CreatePolicy(ctx, iam.Policy{Account: account, Name: "victim", Description: secretOfA}, readAll)
	ok(t, err)
	_, err = images.CreateRepository(ctx, scope, image.NewRepository{Name: "victim", Tags: tags})
	ok(t, err)
	ok(t, logs.Append(ctx, scope, "/victim", "victim", []observe.Event{{Time: time.Now(), Message: secretOfA}}))
	status, body := x.post(t, "apprunner", "AppRunner.CreateService", `{"ServiceName":"victim","SourceConfiguration":{"ImageRepository":{"ImageIdentifier":"public.ecr.aws/a/b:1",
		"ImageRepositoryType":"ECR_PUBLIC","ImageConfiguration":{"RuntimeEnvironmentVariables":{"A":"`+secretOfA+`"}}}}}`)
	var made struct{ Service struct{ ServiceArn string } }
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	x.service = made.Service.ServiceArn
	x.arns = map[string]string{}
	for member, create := range map[string][2]string{
		"AutoScalingConfigurationArn":   {"CreateAutoScalingConfiguration", `"AutoScalingConfigurationName":"victim"`},
		"ObservabilityConfigurationArn": {"CreateObservabilityConfiguration", `"ObservabilityConfigurationName":"victim"`},
		"ConnectionArn":                 {"CreateConnection", `"ConnectionName":"victim","ProviderType":"GITHUB"`},
		"VpcConnectorArn":               {"CreateVpcConnector", `"VpcConnectorName":"victim","Subnets":["subnet-01234567"]`},
	} {
		status, body := x.post(t, "apprunner", "AppRunner."+create[0], `{`+create[1]+`,"Tags":[{"Key":"note","Value":"`+secretOfA+`"}]}`)
		var made map[string]map[string]any
		if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s", create[0], status, body)
		}
		arn, _ := made[strings.TrimPrefix(create[0], "Create")][member].(string)
		x.arns[strings.ToLower(member)] = arn
	}
	x.ownWAF(t)
	_, err = x.dir.CreateUser(ctx, iam.User{Account: account, Name: "caller"})
	ok(t, err)
	x.caller, err = x.dir.CreateAccessKey(ctx, account, "caller")
	ok(t, err)
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// expire makes a session of the caller that has ended.
func (x *crossing) expire(t *testing.T) {
	t.Helper()
	u, err := x.dir.GetUser(t.Context(), account, "caller")
	ok(t, err)
	x.ahead.Store(-int64(time.Hour))
	s, err := x.dir.SessionToken(t.Context(), iam.Principal{Type: iam.TypeUser, Account: account, ID: u.ID, ARN: u.ARN(), UserName: u.Name}, 15*time.Minute, iam.MFAProof{})
	x.ahead.Store(0)
	ok(t, err)
	x.expired = &aws.Credentials{AccessKeyID: s.AccessKeyID, SecretAccessKey: s.Secret, SessionToken: s.Token}
}

// may gives the caller exactly these rights.
func (x *crossing) may(t *testing.T, allow, deny []string) {
	t.Helper()
	statement := func(effect string, actions []string) string {
		b, _ := json.Marshal(actions)
		return `{"Effect":"` + effect + `","Action":` + string(b) + `,"Resource":"*"}`
	}
	var statements []string
	if len(allow) > 0 {
		statements = append(statements, statement("Allow", allow))
	}
	if len(deny) > 0 {
		statements = append(statements, statement("Deny", deny))
	}
	doc := `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
	ok(t, x.dir.PutInlinePolicy(t.Context(), iam.Entity{Account: account, Kind: iam.EntityUser, Name: "caller"}, "rights", doc))
}

// writes counts the rows that were ever written.
func (x *crossing) writes(t *testing.T) (n int64) {
	t.Helper()
	for _, db := range x.dbs {
		ok(t, db.Update(t.Context(), func(tx *store.Tx) error {
			var one int64
			_, err := tx.Get(`SELECT total_changes()`, nil, &one)
			n += one
			return err
		}))
	}
	return n
}

// send posts a request, signed with cred unless that is nil, and returns status and body.
func (x *crossing) send(t *testing.T, s *api.Service, operation string, input map[string]any, cred *aws.Credentials, at time.Time) (int, string) {
	t.Helper()
	var body string
	header := http.Header{}
	if s.API.Protocol.Form() {
		form := url.Values{"Action": {operation}, "Version": {s.API.Version}}
		if s.API.Protocol == wire.EC2 {
			ec2Form(s.API, form, "", s.API.Operation(operation).Input, input)
		} else {
			flatten(form, "", input)
		}
		body = form.Encode()
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		b, err := json.Marshal(input)
		ok(t, err)
		body = string(b)
		header.Set("X-Amz-Target", s.API.TargetPrefix+"."+operation)
		header.Set("Content-Type", "application/x-amz-json-1.1")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, x.url, strings.NewReader(body))
	ok(t, err)
	req.Header = header
	if cred != nil {
		sum := sha256.Sum256([]byte(body))
		ok(t, v4.NewSigner().SignHTTP(req.Context(), *cred, req, hex.EncodeToString(sum[:]), s.API.SigningName, region, at))
	}
	res, err := http.DefaultClient.Do(req)
	ok(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	ok(t, err)
	return res.StatusCode, string(b)
}

// flatten writes an input as the query protocol does.
func flatten(form url.Values, prefix string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			name := k
			if prefix != "" {
				name = prefix + "." + k
			}
			flatten(form, name, e)
		}
	case []any:
		for i, e := range v {
			flatten(form, prefix+".member."+strconv.Itoa(i+1), e)
		}
	default:
		form.Set(prefix, fmt.Sprint(v))
	}
}

// right is what a line of testdata/rights.txt says of an operation.
type right struct {
	open, unsigned bool
	actions        []string
}

func readRights(t *testing.T) map[string]right {
	t.Helper()
	f, err := os.Open("testdata/rights.txt")
	ok(t, err)
	defer f.Close()
	rights := map[string]right{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if _, twice := rights[words[0]]; twice || len(words) < 2 {
			t.Fatalf("rights.txt: %s", lines.Text())
		}
		r := right{open: words[1] == "open", unsigned: words[1] == "unsigned"}
		if !r.open && !r.unsigned {
			r.actions = words[1:]
		}
		rights[words[0]] = r
	}
	return rights
}

// refusal is one way in which a call must fail, with the error as JSON and as query services spell it.
type refusal struct {
	name        string
	cred        *aws.Credentials
	at          time.Time
	allow, deny []string
	json, query string
	openPasses  bool // an operation that needs no right is answered all the same
}

func (x *crossing) refusals(t *testing.T, r right) []refusal {
	t.Helper()
	now, all := time.Now(), []string{"*"}
	caller := &aws.Credentials{AccessKeyID: x.caller.ID, SecretAccessKey: x.caller.Secret}
	wrong := &aws.Credentials{AccessKeyID: x.caller.ID, SecretAccessKey: strings.Repeat("x", 40)}
	unknown := &aws.Credentials{AccessKeyID: "AKIAAAAAAAAAAAAAAAAA", SecretAccessKey: x.caller.Secret}
	const invalid, mismatch = "InvalidSignatureException", "SignatureDoesNotMatch"
	list := []refusal{
		{name: "anonymous", allow: all, json: "MissingAuthenticationTokenException", query: "MissingAuthenticationToken"},
		{name: "unknown key", cred: unknown, at: now, allow: all, json: "UnrecognizedClientException", query: "InvalidClientTokenId"},
		{name: "wrong signature", cred: wrong, at: now, allow: all, json: invalid, query: mismatch},
		{name: "clock behind", cred: caller, at: now.Add(-6 * time.Minute), allow: all, json: invalid, query: mismatch},
		{name: "clock ahead", cred: caller, at: now.Add(6 * time.Minute), allow: all, json: invalid, query: mismatch},
		{name: "expired session", cred: x.expired, at: now, allow: all, json: "ExpiredTokenException", query: "ExpiredToken"},
		{name: "no policy", cred: caller, at: now, allow: []string{"nothing:Nothing"}, json: "AccessDeniedException", query: "AccessDenied", openPasses: true},
	}
	for _, a := range r.actions {
		others := slices.DeleteFunc(slices.Clone(r.actions), func(b string) bool { return a == b })
		list = append(list,
			refusal{name: "explicit deny of " + a, cred: caller, at: now, allow: all, deny: []string{a}, json: "AccessDeniedException", query: "AccessDenied"},
			refusal{name: "all but " + a, cred: caller, at: now, allow: append(others, "nothing:Nothing"), json: "AccessDeniedException", query: "AccessDenied"})
	}
	return list
}

// Every operation that any API serves is called by everyone who must be refused, and then by somebody who has exactly the rights
// its line in testdata/rights.txt names. A refused call writes nothing.
//
// checklist: 4, 5, 7, 18, 192, 195, 197, 213
func TestEveryOperationAgainstEveryCaller(t *testing.T) {
	x, rights := newCrossing(t), readRights(t)
	x.expire(t)
	for _, s := range x.services {
		for name := range s.Actions {
			id := s.API.Name + "/" + name
			r, known := rights[id]
			if !known {
				t.Errorf("%s is served, but testdata/rights.txt does not say which rights it needs", id)
				continue
			}
			input := x.input(s, name)
			for _, c := range x.refusals(t, r) {
				x.may(t, c.allow, c.deny)
				before := x.writes(t)
				status, body := x.send(t, s, name, input, c.cred, c.at)
				if c.openPasses && r.open {
					if status == http.StatusForbidden {
						t.Errorf("%s, %s: %d %s", id, c.name, status, body)
					}
					continue
				}
				if r.unsigned {
					continue
				}
				want := c.json
				if s.API.Protocol.Form() {
					want = "<Code>" + spelt(s, c.query) + "</Code>"
				}
				if status != http.StatusForbidden || !strings.Contains(body, want) || strings.Contains(body, secretOfA) {
					t.Errorf("%s, %s: %d %s, want 403 %s", id, c.name, status, body, want)
				}
				if after := x.writes(t); after != before {
					t.Errorf("%s, %s: refused, but %d rows were written", id, c.name, after-before)
				}
			}
		}
	}
	x.foreign(t)
	x.allowed(t, rights)
}

// foreign lets root of another account name everything the first one owns.
func (x *crossing) foreign(t *testing.T) {
	t.Helper()
	key, err := x.dir.EnsureRoot(t.Context(), otherAccount)
	ok(t, err)
	_, err = x.dir.CreateUser(t.Context(), iam.User{Account: otherAccount, Name: "admin"})
	ok(t, err)
	ok(t, x.dir.AttachPolicy(t.Context(), iam.Entity{Account: otherAccount, Kind: iam.EntityUser, Name: "admin"}, "arn:aws:iam::aws:policy/AdministratorAccess"))
	admin, err := x.dir.CreateAccessKey(t.Context(), otherAccount, "admin")
	ok(t, err)
	before := x.owned(t)
	for _, k := range []iam.AccessKey{key, admin} {
		cred := &aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret}
		for _, s := range x.services {
			for name := range s.Actions {
				status, body := x.send(t, s, name, x.input(s, name), cred, time.Now())
				if strings.Contains(body, secretOfA) || status >= 500 {
					t.Errorf("%s/%s by %s: %d %s", s.API.Name, name, k.ID, status, body)
				}
			}
		}
	}
	if after := x.owned(t); !slices.Equal(before, after) {
		t.Errorf("another account changed what the first one owns:\n%v\n%v", before, after)
	}
}

// allowed calls every operation with exactly the rights it needs. What it does then is other tests' matter.
func (x *crossing) allowed(t *testing.T, rights map[string]right) {
	t.Helper()
	cred := &aws.Credentials{AccessKeyID: x.caller.ID, SecretAccessKey: x.caller.Secret}
	for _, s := range x.services {
		for _, name := range sorted(s.Actions) {
			id := s.API.Name + "/" + name
			x.may(t, append(rights[id].actions, "nothing:Nothing"), nil)
			input := x.input(s, name)
			if input["AccessKeyId"] != nil {
				input["AccessKeyId"] = "AKIAAAAAAAAAAAAAAAAA" // not the one that calls
			}
			if status, body := x.send(t, s, name, input, cred, time.Now()); status == http.StatusForbidden || status >= 500 {
				t.Errorf("%s with the rights %v: %d %s", id, rights[id].actions, status, body)
			}
		}
	}
}

// owned is every row that belongs to the first account.
func (x *crossing) owned(t *testing.T) (rows []string) {
	t.Helper()
	for _, db := range x.dbs {
		ok(t, db.View(t.Context(), func(tx *store.Tx) error {
			var tables []string
			err := tx.Each(`SELECT name FROM sqlite_master WHERE type = 'table'`, nil, func(row store.Row) error {
				var n string
				err := row.Scan(&n)
				tables = append(tables, n)
				return err
			})
			for _, table := range tables {
				err = errors.Join(err, x.rowsOf(tx, table, &rows))
			}
			return err
		}))
	}
	slices.Sort(rows)
	return rows
}

func (x *crossing) rowsOf(tx *store.Tx, table string, rows *[]string) error {
	var columns []string
	err := tx.Each(`SELECT name FROM pragma_table_info('`+table+`')`, nil, func(row store.Row) error {
		var n string
		err := row.Scan(&n)
		columns = append(columns, `coalesce(`+n+`, '')`)
		return err
	})
	if err != nil || len(columns) == 0 {
		return err
	}
	return tx.Each(`SELECT `+strings.Join(columns, ` || '|' || `)+` FROM `+table, nil, func(row store.Row) error {
		var text string
		err := row.Scan(&text)
		if strings.Contains(text, account) || strings.Contains(text, secretOfA) {
			*rows = append(*rows, table+": "+text)
		}
		return err
	})
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// input makes a request of an operation out of its model: everything that is required, naming what the first account owns.
func (x *crossing) input(s *api.Service, operation string) map[string]any {
	op := s.API.Operation(operation)
	input := map[string]any{}
	if op.Input != wire.None {
		input = x.sample(s.API, op.Input, 0).(map[string]any)
	}
	tags := []any{map[string]any{"Key": "made", "Value": "here"}}
	arn := "arn:aws:iam::" + account + ":role/victim"
	switch s.API.Name + "/" + operation {
	case "apprunner/CreateService":
		input["ServiceName"], input["Tags"], input["InstanceConfiguration"] = "made-here", tags, map[string]any{"InstanceRoleArn": arn}
	case "apprunner/UpdateService":
		input["InstanceConfiguration"] = map[string]any{"InstanceRoleArn": arn}
	case "iam/CreateUser", "iam/CreateRole", "iam/CreateGroup", "iam/CreatePolicy":
		input["Tags"] = tags
	case "iam/CreateAccessKey", "iam/ListAccessKeys", "iam/GetUser", "iam/UpdateAccessKey", "iam/DeleteAccessKey":
		input["UserName"] = "victim"
	case "sts/AssumeRole":
		input["Tags"] = []any{}
	}
	switch s.API.Name {
	case "wafv2":
		x.wafInput(operation, input)
	case "events":
		x.eventsInput(operation, input)
	case "cloudwatch":
		x.figuresInput(operation, input)
	case "secretsmanager":
		x.secretsInput(operation, input)
	case "ssm":
		x.parametersInput(operation, input)
	}
	return input
}

// sample makes a value of a shape.
func (x *crossing) sample(a *wire.Service, ref wire.Ref, depth int) any {
	sh := &a.Shapes[ref]
	switch sh.Kind {
	case wire.Structure:
		out := map[string]any{}
		for i := range sh.Members {
			m := &sh.Members[i]
			if v, known := x.named(a, m.Name); known && depth == 0 {
				out[m.Name] = v
			} else if m.Required && depth < 6 {
				out[m.Name] = x.sample(a, m.Shape, depth+1)
			}
		}
		return out
	case wire.List:
		return []any{x.sample(a, sh.Value, depth+1)}
	case wire.Map:
		return map[string]any{"a": x.sample(a, sh.Value, depth+1)}
	case wire.Boolean:
		return false
	case wire.Integer, wire.Long, wire.Float, wire.Double:
		return max(1, sh.Min.N)
	case wire.Timestamp:
		return time.Now().Unix()
	case wire.Blob:
		return "AAAA"
	}
	if len(sh.Enum) > 0 {
		return sh.Enum[0]
	}
	return "victim"
}

// named gives the members that name something their value.
func (x *crossing) named(a *wire.Service, member string) (any, bool) {
	if a.Name == "ec2" {
		v, known := x.ec2[member]
		return v, known
	}
	const root = "arn:aws:iam::" + account
	if arn := x.arns[strings.ToLower(member)]; arn != "" {
		return arn, true
	}
	switch strings.ToLower(member) {
	case "resourcearn":
		switch a.Name {
		case "ecr":
			return "arn:aws:ecr:us-east-1:" + account + ":repository/victim", true
		case "logs":
			return "arn:aws:logs:us-east-1:" + account + ":log-group:/victim", true
		}
		return x.service, true
	case "servicearn":
		return x.service, true
	case "rolearn":
		return root + ":role/victim", true
	case "policyarn", "permissionsboundary":
		return root + ":policy/victim", true
	case "accesskeyid":
		return x.caller.ID, true
	case "registryid":
		return account, true
	case "loggroupname":
		return "/victim", true
	case "logstreamname", "repositoryname", "rolesessionname":
		return "victim", true
	case "assumerolepolicydocument":
		return trustTasks, true
	case "policydocument":
		return readAll, true
	case "policytext":
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:*"}]}`, true
	case "awsservicename":
		return "apprunner.amazonaws.com", true
	}
	return nil, false
}
