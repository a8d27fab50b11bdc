package control_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/control"
	"slipway.dev/slipway/internal/store"
)

var scope = apprunner.Scope{Account: "123456789012", Region: "us-east-1"}

func p[T any](v T) *T { return &v }

type house struct {
	*control.Control
	db   *store.DB
	path string
	now  time.Time
}

func open(t *testing.T, change func(*control.Config)) *house {
	t.Helper()
	path := filepath.Join(t.TempDir(), "slipway.db")
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	h := &house{db: db, path: path, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	conf := control.Config{DB: db, Suffix: "apprunner.test", Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return h.now }}
	if change != nil {
		change(&conf)
	}
	if h.Control, err = control.New(conf); err != nil {
		t.Fatal(err)
	}
	return h
}

func codeInput(name string) apprunner.CreateServiceInput {
	in := apprunner.CreateServiceInput{Name: name}
	in.Source = &apprunner.SourcePatch{Code: &apprunner.CodePatch{
		URL: p("https://example.com/app.git"), Branch: p("main"),
		Configuration: &apprunner.CodeConfigurationPatch{Source: p(apprunner.ConfigurationFromRepository)},
	}}
	return in
}

func (h *house) create(t *testing.T, name string) apprunner.Service {
	t.Helper()
	s, _, err := h.CreateService(t.Context(), scope, codeInput(name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// settle ends the service's running operation and puts the service into a status, as reconcile would.
func (h *house) settle(t *testing.T, arn string, status apprunner.ServiceStatus) {
	t.Helper()
	h.now = h.now.Add(time.Second)
	err := h.db.Update(t.Context(), func(tx *store.Tx) error {
		s, _, err := tx.Service(arn)
		if err != nil {
			return err
		}
		s.Status = status
		if status == apprunner.StatusDeleted {
			s.DeletedAt = h.now
		}
		ops, err := tx.Operations(arn)
		if err != nil {
			return err
		}
		for _, op := range ops {
			op.Status = apprunner.OpSucceeded
			if err := tx.PutOperation(op); err != nil {
				return err
			}
		}
		return tx.PutService(s)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checklist: 62, 144
func TestCreateAnswersAtOnce(t *testing.T) {
	h := open(t, nil)
	in := codeInput("web-app")
	in.Tags = []apprunner.Tag{{Key: "team", Value: "a"}}
	s, op, err := h.CreateService(t.Context(), scope, in)
	if err != nil {
		t.Fatal(err)
	}
	if s.Status != apprunner.StatusInProgress || op == "" {
		t.Errorf("status %s, operation %q", s.Status, op)
	}
	if !strings.HasSuffix(s.URL, ".us-east-1.apprunner.test") || len(s.ID) != 32 || !s.Source.AutoDeployments {
		t.Errorf("service %+v", s)
	}
	ops, err := h.ListOperations(t.Context(), scope, s.ARN(), apprunner.Place{}, 0)
	if err != nil || len(ops) != 1 || ops[0].ID != op || ops[0].Type != apprunner.OpCreateService || ops[0].Status != apprunner.OpPending {
		t.Errorf("operations %+v, %v", ops, err)
	}
	tags, err := h.ListTagsForResource(t.Context(), scope, s.ARN())
	if err != nil || len(tags) != 1 || tags[0].Value != "a" {
		t.Errorf("tags %v, %v", tags, err)
	}
}

// checklist: 76
func TestCreateRefusals(t *testing.T) {
	h := open(t, func(c *control.Config) { c.ServiceQuota = 2 })
	h.create(t, "taken")
	for name, tc := range map[string]struct {
		in   apprunner.CreateServiceInput
		code apprunner.Code
	}{
		"name taken": {codeInput("taken"), apprunner.CodeInvalidRequest},
		"short name": {codeInput("abc"), apprunner.CodeInvalidRequest},
		"no source":  {apprunner.CreateServiceInput{Name: "nosource"}, apprunner.CodeInvalidRequest},
		"unknown auto scaling": {func() apprunner.CreateServiceInput {
			in := codeInput("scaling")
			in.AutoScalingARN = p("arn:aws:apprunner:us-east-1:123456789012:autoscalingconfiguration/none")
			return in
		}(), apprunner.CodeInvalidRequest},
		"unknown connection": {func() apprunner.CreateServiceInput {
			in := codeInput("connected")
			in.Source.ConnectionARN = p("arn:aws:apprunner:us-east-1:123456789012:connection/hub/0123456789abcdef0123456789abcdef")
			return in
		}(), apprunner.CodeInvalidRequest},
	} {
		if _, _, err := h.CreateService(t.Context(), scope, tc.in); apprunner.CodeOf(err) != tc.code {
			t.Errorf("%s: %v; want %s", name, err, tc.code)
		}
	}
	if list, _ := h.ListServices(t.Context(), scope, apprunner.Place{}, 0); len(list) != 1 {
		t.Errorf("%d services after refused creations; want 1: nothing may be half-made", len(list))
	}
	h.create(t, "second")
	if _, _, err := h.CreateService(t.Context(), scope, codeInput("third")); apprunner.CodeOf(err) != apprunner.CodeQuotaExceeded {
		t.Errorf("over the quota: %v", err)
	}
	other := apprunner.Scope{Account: scope.Account, Region: "eu-west-1"}
	if _, _, err := h.CreateService(t.Context(), other, codeInput("taken")); err != nil {
		t.Errorf("another region has its own names and quota: %v", err)
	}
}

// checklist: 66
func TestFailedServicesCountTowardsTheQuota(t *testing.T) {
	h := open(t, func(c *control.Config) { c.ServiceQuota = 1 })
	s := h.create(t, "failed")
	h.settle(t, s.ARN(), apprunner.StatusCreateFailed)
	if _, _, err := h.CreateService(t.Context(), scope, codeInput("next")); apprunner.CodeOf(err) != apprunner.CodeQuotaExceeded {
		t.Errorf("got %v", err)
	}
	h.settle(t, s.ARN(), apprunner.StatusDeleted)
	h.create(t, "next")
}

// TestActionsByStatus walks the table of §5.3.
//
// checklist: 133, 134
func TestActionsByStatus(t *testing.T) {
	const ok, same, is, ir, nf = "ok", "same", "InvalidStateException", "InvalidRequestException", "ResourceNotFoundException"
	type call func(*house, string) (string, error)
	op := func(f func(*house, context.Context, string) (apprunner.Service, string, error)) call {
		return func(h *house, arn string) (string, error) {
			_, id, err := f(h, context.Background(), arn)
			return id, err
		}
	}
	table := map[string]struct {
		call call
		want map[apprunner.ServiceStatus]string
	}{
		"DescribeService": {func(h *house, arn string) (string, error) {
			_, err := h.DescribeService(context.Background(), scope, arn)
			return "x", err
		}, map[apprunner.ServiceStatus]string{"RUNNING": ok, "PAUSED": ok, "OPERATION_IN_PROGRESS": ok, "CREATE_FAILED": ok, "DELETE_FAILED": ok, "DELETED": ok}},
		"ListTagsForResource": {func(h *house, arn string) (string, error) {
			_, err := h.ListTagsForResource(context.Background(), scope, arn)
			return "x", err
		}, map[apprunner.ServiceStatus]string{"RUNNING": ok, "PAUSED": ok, "OPERATION_IN_PROGRESS": ok, "CREATE_FAILED": ok, "DELETE_FAILED": ok, "DELETED": nf}},
		"TagResource": {func(h *house, arn string) (string, error) {
			return "x", h.TagResource(context.Background(), scope, arn, []apprunner.Tag{{Key: "k", Value: "v"}})
		}, map[apprunner.ServiceStatus]string{"RUNNING": ok, "PAUSED": ok, "OPERATION_IN_PROGRESS": ok, "CREATE_FAILED": ok, "DELETE_FAILED": ok, "DELETED": nf}},
		"UpdateService": {op(func(h *house, ctx context.Context, arn string) (apprunner.Service, string, error) {
			return h.UpdateService(ctx, scope, apprunner.UpdateServiceInput{ServiceARN: arn})
		}), map[apprunner.ServiceStatus]string{"RUNNING": ok, "PAUSED": is, "OPERATION_IN_PROGRESS": is, "CREATE_FAILED": ok, "DELETE_FAILED": is, "DELETED": nf}},
		"StartDeployment": {func(h *house, arn string) (string, error) {
			return h.StartDeployment(context.Background(), scope, arn, false, "")
		}, map[apprunner.ServiceStatus]string{"RUNNING": ok, "PAUSED": ir, "OPERATION_IN_PROGRESS": ir, "CREATE_FAILED": ir, "DELETE_FAILED": ir, "DELETED": nf}},
		"PauseService": {op(func(h *house, ctx context.Context, arn string) (apprunner.Service, string, error) {
			return h.PauseService(ctx, scope, arn)
		}), map[apprunner.ServiceStatus]string{"RUNNING": ok, "PAUSED": same, "OPERATION_IN_PROGRESS": is, "CREATE_FAILED": is, "DELETE_FAILED": is, "DELETED": nf}},
		"ResumeService": {op(func(h *house, ctx context.Context, arn string) (apprunner.Service, string, error) {
			return h.ResumeService(ctx, scope, arn)
		}), map[apprunner.ServiceStatus]string{"RUNNING": same, "PAUSED": ok, "OPERATION_IN_PROGRESS": is, "CREATE_FAILED": is, "DELETE_FAILED": is, "DELETED": nf}},
		"DeleteService": {op(func(h *house, ctx context.Context, arn string) (apprunner.Service, string, error) {
			return h.DeleteService(ctx, scope, arn)
		}), map[apprunner.ServiceStatus]string{"RUNNING": ok, "PAUSED": ok, "OPERATION_IN_PROGRESS": is, "CREATE_FAILED": ok, "DELETE_FAILED": ok, "DELETED": nf}},
		"DescribeCustomDomains": {func(h *house, arn string) (string, error) {
			_, err := h.DescribeCustomDomains(context.Background(), scope, arn)
			return "x", err
		}, map[apprunner.ServiceStatus]string{"RUNNING": ok, "PAUSED": ok, "OPERATION_IN_PROGRESS": ok, "CREATE_FAILED": ok, "DELETE_FAILED": ok, "DELETED": nf}},
		// The door answers InvalidRequestException where the model lists no ResourceNotFoundException.
		"AssociateCustomDomain": {func(h *house, arn string) (string, error) {
			_, err := h.AssociateCustomDomain(context.Background(), scope, arn, "example.com", nil)
			return "x", err
		}, map[apprunner.ServiceStatus]string{"RUNNING": ok, "PAUSED": is, "OPERATION_IN_PROGRESS": is, "CREATE_FAILED": is, "DELETE_FAILED": is, "DELETED": nf}},
		"DisassociateCustomDomain": {func(h *house, arn string) (string, error) {
			svc := apprunner.Service{Scope: scope}
			d := apprunner.NewCustomDomain("example.com", false, svc, "test", func(string) string { return "" }, h.now)
			d.ServiceARN = arn
			if err := h.db.Update(context.Background(), func(tx *store.Tx) error { return tx.InsertDomain(d) }); err != nil {
				return "", err
			}
			_, err := h.DisassociateCustomDomain(context.Background(), scope, arn, "example.com")
			return "x", err
		}, map[apprunner.ServiceStatus]string{"RUNNING": ok, "PAUSED": is, "OPERATION_IN_PROGRESS": is, "CREATE_FAILED": ok, "DELETE_FAILED": ok, "DELETED": nf}},
		"CreateVpcIngressConnection": {func(h *house, arn string) (string, error) {
			err := h.db.Update(context.Background(), func(tx *store.Tx) error {
				s, _, err := tx.Service(arn)
				if err != nil {
					return err
				}
				s.Network.Public = false
				return tx.PutService(s)
			})
			if err != nil {
				return "", err
			}
			_, err = h.CreateVPCIngressConnection(context.Background(), scope, ingressInput("inside", arn))
			return "x", err
		}, map[apprunner.ServiceStatus]string{"RUNNING": ok, "PAUSED": is, "OPERATION_IN_PROGRESS": is, "CREATE_FAILED": is, "DELETE_FAILED": is, "DELETED": nf}},
	}
	for action, row := range table {
		for status, want := range row.want {
			t.Run(action+"/"+string(status), func(t *testing.T) {
				h := open(t, nil)
				s := h.create(t, "service")
				h.settle(t, s.ARN(), status)
				id, err := row.call(h, s.ARN())
				switch want {
				case ok, same:
					if err != nil || (id == "") != (want == same) {
						t.Errorf("operation %q, %v; want %s", id, err, want)
					}
				default:
					if string(apprunner.CodeOf(err)) != want || err == nil {
						t.Errorf("got %v; want %s", err, want)
					}
				}
			})
		}
	}
}

func TestPartialAndForeignARNs(t *testing.T) {
	h := open(t, nil)
	s := h.create(t, "service")
	if got, err := h.DescribeService(t.Context(), scope, "arn:aws:apprunner:us-east-1:123456789012:service/service"); err != nil || got.ID != s.ID {
		t.Errorf("by name only: %v, %v", got.ID, err)
	}
	for _, arn := range []string{
		strings.Replace(s.ARN(), "us-east-1", "eu-west-1", 1), strings.Replace(s.ARN(), "123456789012", "210987654321", 1),
		strings.Replace(s.ARN(), ":service/", ":connection/", 1), s.ARN()[:len(s.ARN())-1] + "x",
	} {
		if _, err := h.DescribeService(t.Context(), scope, arn); apprunner.CodeOf(err) != apprunner.CodeNotFound {
			t.Errorf("%s: %v; want ResourceNotFoundException", arn, err)
		}
	}
}

// checklist: 138
func TestDeletedServicesLeaveTheListAndAreForgotten(t *testing.T) {
	h := open(t, nil)
	s := h.create(t, "service")
	h.settle(t, s.ARN(), apprunner.StatusDeleted)
	if list, err := h.ListServices(t.Context(), scope, apprunner.Place{}, 0); err != nil || len(list) != 0 {
		t.Errorf("list %v, %v", list, err)
	}
	if got, err := h.DescribeService(t.Context(), scope, s.ARN()); err != nil || got.Status != apprunner.StatusDeleted {
		t.Errorf("just deleted: %v, %v", got.Status, err)
	}
	h.now = h.now.Add(61 * time.Minute)
	if _, err := h.DescribeService(t.Context(), scope, s.ARN()); apprunner.CodeOf(err) != apprunner.CodeNotFound {
		t.Errorf("after the retention: %v", err)
	}
	again := h.create(t, "service")
	if again.ID == s.ID || again.URL == s.URL {
		t.Error("a service made again under the same name must have a new id and domain")
	}
}

// checklist: 79
func TestAutomaticDeploymentDefaults(t *testing.T) {
	image := func(id string, typ apprunner.ImageRepositoryType, auto *bool) apprunner.CreateServiceInput {
		in := apprunner.CreateServiceInput{Name: "image-app"}
		in.Source = &apprunner.SourcePatch{
			Image: &apprunner.ImagePatch{Identifier: &id, Type: &typ}, AutoDeployments: auto, AccessRoleARN: p("arn:aws:iam::123456789012:role/access"),
		}
		return in
	}
	const own, foreign, public = "123456789012.dkr.ecr.us-east-1.amazonaws.com/app", "210987654321.dkr.ecr.us-east-1.amazonaws.com/app", "public.ecr.aws/x/app"
	for name, tc := range map[string]struct {
		in   apprunner.CreateServiceInput
		want bool
		code apprunner.Code
	}{
		"own image":               {in: image(own, "ECR", nil), want: true},
		"own image, off":          {in: image(own, "ECR", p(false)), want: false},
		"foreign image":           {in: image(foreign, "ECR", nil), want: false},
		"foreign image, on":       {in: image(foreign, "ECR", p(true)), code: apprunner.CodeInvalidRequest},
		"public image":            {in: image(public, "ECR_PUBLIC", nil), want: false},
		"public image, on":        {in: image(public, "ECR_PUBLIC", p(true)), code: apprunner.CodeInvalidRequest},
		"type does not fit":       {in: image(public, "ECR", nil), code: apprunner.CodeInvalidRequest},
		"host is not a known one": {in: image("docker.io/library/nginx", "ECR", nil), code: apprunner.CodeInvalidRequest},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, err := open(t, nil).CreateService(t.Context(), scope, tc.in)
			if tc.code != "" {
				if apprunner.CodeOf(err) != tc.code {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || s.Source.AutoDeployments != tc.want {
				t.Errorf("automatic deployment %v, %v; want %v", s.Source.AutoDeployments, err, tc.want)
			}
		})
	}
}

type trust struct{ exists, trusts bool }

func (r trust) RoleTrusts(context.Context, string, string, string) (bool, bool, error) {
	return r.exists, r.trusts, nil
}

func TestRoles(t *testing.T) {
	in := codeInput("with-role")
	in.Instance = &apprunner.InstancePatch{RoleARN: p("arn:aws:iam::123456789012:role/instance")}
	for name, tc := range map[string]struct {
		trust  trust
		strict bool
		want   string
	}{
		"trusts":            {trust{true, true}, true, ""},
		"does not trust":    {trust{true, false}, false, "Error in assuming instance role arn:aws:iam::123456789012:role/instance"},
		"unknown, lenient":  {trust{}, false, ""},
		"unknown, strictly": {trust{}, true, "Error in assuming instance role arn:aws:iam::123456789012:role/instance"},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, func(c *control.Config) { c.Roles, c.StrictRoles = tc.trust, tc.strict })
			_, _, err := h.CreateService(t.Context(), scope, in)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestUpdateKeepsWhatARollbackNeeds(t *testing.T) {
	h := open(t, nil)
	s := h.create(t, "service")
	h.settle(t, s.ARN(), apprunner.StatusRunning)
	in := apprunner.UpdateServiceInput{ServiceARN: s.ARN()}
	in.Instance = &apprunner.InstancePatch{CPU: p("2 vCPU"), Memory: p("4 GB")}
	got, id, err := h.UpdateService(t.Context(), scope, in)
	if err != nil || got.Instance.CPU != 2048 || got.Status != apprunner.StatusInProgress {
		t.Fatalf("%+v, %v", got.Instance, err)
	}
	ops, _ := h.ListOperations(t.Context(), scope, s.ARN(), apprunner.Place{}, 0)
	if ops[0].ID != id || ops[0].Before == nil || ops[0].Before.Instance.CPU != 1024 || ops[0].Work != apprunner.WorkRestart {
		t.Errorf("operation %+v", ops[0])
	}
}
