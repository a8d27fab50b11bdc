package reconcile_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/kms"
	"slipway.dev/slipway/internal/secret"
	"slipway.dev/slipway/internal/secret/parameter"
	"slipway.dev/slipway/internal/secret/runtimeenv"
	"slipway.dev/slipway/internal/store"
)

// vault is everything behind secret variables; only the instance role is played.
type vault struct {
	secrets     *secret.Secrets
	parameters  *parameter.Parameters
	environment *runtimeenv.Environment

	denied string // what the role may not read; set before anything runs
}

func openVault(t *testing.T, db *store.DB) *vault {
	t.Helper()
	v := &vault{}
	keys, err := kms.Open(t.Context(), kms.Config{DB: db, Root: make([]byte, 32), Now: time.Now})
	check(t, err)
	v.secrets, err = secret.Open(t.Context(), secret.Config{DB: db, Keys: kms.Sealer{Keys: keys}})
	check(t, err)
	v.parameters, err = parameter.Open(t.Context(), parameter.Config{DB: db, Keys: kms.Sealer{Keys: keys}})
	check(t, err)
	v.environment, err = runtimeenv.Open(t.Context(), runtimeenv.Config{DB: db, Keys: kms.Sealer{Keys: keys}, Secrets: v.secrets, Parameters: v.parameters, Guard: v})
	check(t, err)
	return v
}

func (v *vault) Allow(_ context.Context, _ runtimeenv.Service, a runtimeenv.Access) error {
	if v.denied != "" && strings.HasPrefix(a.Resource, v.denied) {
		return apprunner.Errorf(apprunner.CodeAccessDenied, "the role may not read it")
	}
	return nil
}

func (v *vault) Note(context.Context, runtimeenv.Service, runtimeenv.Access, error) {}

func (v *vault) put(t *testing.T, name, text string) string {
	t.Helper()
	version := secret.NewVersion{ID: apprunner.NewUUID(), Value: secret.Text(text)}
	x, err := v.secrets.Create(t.Context(), secret.Secret{Scope: scope, Name: name}, &version)
	if apprunner.CodeOf(err) == secret.CodeExists && err != nil {
		x, _, err = v.secrets.Put(t.Context(), scope, name, version)
	}
	check(t, err)
	return x.ARN()
}

// kept counts the sets of values that rest in the database.
func (w *world) kept() (n int) {
	w.t.Helper()
	check(w.t, w.db.View(w.t.Context(), func(tx *store.Tx) error {
		_, err := tx.Get(`SELECT count(*) FROM runtime_secrets`, nil, &n)
		return err
	}))
	return n
}

// secretive creates a service whose build names secrets.
func (w *world) secretive(name string, references map[string]string) apprunner.Service {
	w.t.Helper()
	w.source.hides(references)
	in := apprunner.CreateServiceInput{Name: name}
	in.Instance = &apprunner.InstancePatch{RoleARN: p("arn:aws:iam::" + scope.Account + ":role/app")}
	in.Source = &apprunner.SourcePatch{Code: &apprunner.CodePatch{
		URL: p("https://example.com/app.git"), Branch: p("main"),
		Configuration: &apprunner.CodeConfigurationPatch{Source: p(apprunner.ConfigurationFromRepository)},
	}}
	s, _, err := w.control.CreateService(w.t.Context(), scope, in)
	check(w.t, err)
	return s
}

// has waits until the service answers with this value of a variable: instances may be changing.
func (w *world) has(s apprunner.Service, name, want string) {
	w.t.Helper()
	var status int
	var got string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if status, got = w.asksFor(s, "/env?name="+name); status == 200 && got == want {
			return
		}
	}
	w.t.Fatalf("%s is %q (%d), want %q", name, got, status, want)
}

// TestSecretsOfInstances: values are read when a deployment or a resumption starts instances, and an instance that is replaced meanwhile
// gets the same ones.
func TestSecretsOfInstances(t *testing.T) {
	w := newWorld(t)
	arn := w.vault.put(t, "db", `{"user":"jo","password":"first"}`)
	_, err := w.vault.parameters.Put(t.Context(), scope, parameter.New{Name: "/app/flag", Type: parameter.String, Value: "on"})
	check(t, err)
	w.run(nil)
	s := w.secretive("secretive", map[string]string{"PASSWORD": arn + ":password::", "FLAG": "/app/flag"})
	s, op := w.await(s.ARN())
	if s.Status != apprunner.StatusRunning {
		t.Fatalf("%s: %s", s.Status, op.Failure)
	}
	w.has(s, "PASSWORD", "first")
	w.has(s, "FLAG", "on")
	if log := w.log(s.ARN()); strings.Contains(log, "first") || !strings.Contains(log, "2 secret(s) are read") {
		t.Errorf("log:\n%s", log)
	}

	w.vault.put(t, "db", `{"password":"second"}`)
	w.endsOne(s)
	w.has(s, "PASSWORD", "first")

	_, err = w.control.StartDeployment(t.Context(), scope, s.ARN(), false, "")
	check(t, err)
	if s, op = w.await(s.ARN()); s.Status != apprunner.StatusRunning || op.Status != apprunner.OpSucceeded {
		t.Fatalf("%s: %s", s.Status, op.Failure)
	}
	w.has(s, "PASSWORD", "second")
	if n := w.kept(); n != 1 {
		t.Errorf("%d sets of values are kept, want that of the present instances", n)
	}

	_, _, err = w.control.PauseService(t.Context(), scope, s.ARN())
	check(t, err)
	s, _ = w.await(s.ARN())
	if n := w.kept(); n != 0 {
		t.Errorf("%d sets of values are kept for a paused service", n)
	}
	w.vault.put(t, "db", `{"password":"third"}`)
	_, _, err = w.control.ResumeService(t.Context(), scope, s.ARN())
	check(t, err)
	s, _ = w.await(s.ARN())
	w.has(s, "PASSWORD", "third")
}

// endsOne lets the application end and waits until another instance is in the place of its own.
func (w *world) endsOne(s apprunner.Service) {
	w.t.Helper()
	first := func() (id string) {
		check(w.t, w.db.View(w.t.Context(), func(tx *store.Tx) error {
			rows, err := tx.Instances(s.ARN())
			if len(rows) > 0 {
				id = rows[0].ID
			}
			return err
		}))
		return id
	}
	before := first()
	w.asksFor(s, "/exit?code=1")
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if now := first(); now != "" && now != before {
			return
		}
	}
	w.t.Fatal("the instance that ended is not replaced")
}

// TestSecretsThatCannotBeRead: the operation fails with every variable and its reference, nothing is started, and the old version serves.
func TestSecretsThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	arn := w.vault.put(t, "db", `{"password":"hidden-value","null":null}`)
	version := secret.NewVersion{ID: apprunner.NewUUID(), Value: secret.Value{Bytes: []byte{1, 2}, Binary: true}}
	binary, err := w.vault.secrets.Create(t.Context(), secret.Secret{Scope: scope, Name: "binary"}, &version)
	check(t, err)
	w.vault.denied = w.vault.put(t, "closed", "hidden-value")
	w.run(nil)
	s := w.secretive("secretive", map[string]string{"PASSWORD": arn + ":password"})
	if s, op := w.await(s.ARN()); s.Status != apprunner.StatusRunning {
		t.Fatalf("%s: %s", s.Status, op.Failure)
	}
	w.source.hides(map[string]string{
		"A": arn + ":absent", "B": binary.ARN(), "C": w.vault.denied, "D": "/no/such", "E": arn[:len(arn)-6] + "nothing", "F": arn + "::OTHER:",
		"G": arn + ":null", "H": "arn:aws:ssm:us-east-1:999999999999:parameter/x", "I": arn + ":password",
	})
	_, err = w.control.StartDeployment(t.Context(), scope, s.ARN(), false, "")
	check(t, err)
	s, op := w.await(s.ARN())
	if op.Status != apprunner.OpFailed || s.Status != apprunner.StatusRunning {
		t.Fatalf("%s: %s", op.Status, op.Failure)
	}
	for _, want := range []string{
		"variable A (" + arn + `:absent) could not be read: its JSON value has no member "absent"`,
		"variable B (" + binary.ARN() + ") could not be read: its value is binary",
		"variable C (" + w.vault.denied + ") could not be read: the role may not read it",
		"variable D (/no/such) could not be read: there is no such parameter in region " + scope.Region,
		"variable E (" + arn[:len(arn)-6] + "nothing) could not be read: there is no such secret",
		"variable F (" + arn + "::OTHER:) could not be read: Secrets Manager can't find the specified secret value for staging label: OTHER",
		"variable G (" + arn + `:null) could not be read: its JSON value has no member`,
		"variable H (arn:aws:ssm:us-east-1:999999999999:parameter/x) could not be read: parameters must be in the service's own account",
	} {
		if !strings.Contains(op.Failure, want) {
			t.Errorf("the failure does not say %q:\n%s", want, op.Failure)
		}
	}
	if strings.Contains(op.Failure+w.log(s.ARN()), "hidden-value") || strings.Contains(op.Failure, "variable I") {
		t.Errorf("too much is said: %s", op.Failure)
	}
	w.has(s, "PASSWORD", "hidden-value")
	if n := w.kept(); n != 1 {
		t.Errorf("%d sets of values are kept", n)
	}
}

// TestSecretsSurviveACrash: an operation that goes on after its process died starts instances with the values that it had read.
func TestSecretsSurviveACrash(t *testing.T) {
	w := newWorld(t)
	arn := w.vault.put(t, "db", "first")
	died := make(chan struct{})
	var once sync.Once
	w.killed = make(chan struct{})
	block := w.killed
	w.run(func(point string) {
		if point == "CREATE_SERVICE/health/before" {
			once.Do(func() { close(died) })
			<-block
			runtime.Goexit() // as in a killed process
		}
	})
	s := w.secretive("secretive", map[string]string{"PASSWORD": arn})
	<-died
	w.vault.put(t, "db", "second")
	check(t, w.machine.Driver().Sweep(t.Context(), nil)) // the machine went down too
	w.untilRead()
	w.halt()
	w.run(nil)
	s, op := w.await(s.ARN())
	if s.Status != apprunner.StatusRunning {
		t.Fatalf("%s: %s", s.Status, op.Failure)
	}
	w.has(s, "PASSWORD", "first")
}

// untilRead waits until nothing is kept of instances that were stopped: what they said is read. Until then a driver starts none of the same
// id.
func (w *world) untilRead() {
	w.t.Helper()
	for patience := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		list, err := w.machine.Driver().Unread(w.t.Context())
		check(w.t, err)
		if len(list) == 0 {
			return
		}
		if time.Now().After(patience) {
			w.t.Fatalf("nobody reads what %v said", list)
		}
	}
}

// TestEnvironmentTooLarge: what no process can be started with fails with its size.
func TestEnvironmentTooLarge(t *testing.T) {
	w := newWorld(t)
	references := map[string]string{}
	arn := w.vault.put(t, "large", strings.Repeat("x", 60_000))
	for i := range 20 {
		references["V"+string(rune('A'+i))] = arn
	}
	w.run(nil)
	s, op := w.await(w.secretive("secretive", references).ARN())
	if s.Status != apprunner.StatusCreateFailed || !strings.Contains(op.Failure, "at most 1048576 bytes are allowed") {
		t.Errorf("%s: %.300s", s.Status, op.Failure)
	}
}
