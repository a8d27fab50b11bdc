package server

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func installed(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	b, err := json.Marshal(Config{Account: "123456789012"})
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "run"), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "run", "config.json"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAccountsOnTheMachine(t *testing.T) {
	if _, err := OpenAccounts(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "slipway up") {
		t.Errorf("over an empty directory: %v", err)
	}
	dir := installed(t)
	a, err := OpenAccounts(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	made, err := a.Create(t.Context(), "999999999999")
	if err != nil || made.Secret == "" {
		t.Fatalf("%+v, %v", made, err)
	}
	for _, bad := range []string{"12", "999999999999"} {
		if _, err := a.Create(t.Context(), bad); err == nil {
			t.Errorf("made the account %s", bad)
		}
	}
	if _, err := a.NewRootKey(t.Context(), "", false); err == nil {
		t.Error("a key for an account that was never made")
	}
	own, err := a.Create(t.Context(), "123456789012")
	if err != nil {
		t.Fatal(err)
	}
	file := Config{DataDir: dir}.CredentialsFile()
	before := "export AWS_REGION='us-east-1'\nexport AWS_ACCESS_KEY_ID='" + own.ID + "'\nexport AWS_SECRET_ACCESS_KEY='" + own.Secret + "'\n"
	if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.NewRootKey(t.Context(), "", false); err != nil {
		t.Fatal(err)
	}
	key, err := a.NewRootKey(t.Context(), "", true)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if want := strings.NewReplacer(own.ID, key.ID, own.Secret, key.Secret).Replace(before); err != nil || string(b) != want {
		t.Errorf("credentials.env: %s, want %s (%v)", b, want, err)
	}
	login, err := a.NewRootLogin(t.Context(), "", "owner@example.com", true)
	if err != nil || login.Account != "123456789012" || login.Mail != "owner@example.com" || len(login.Password) < 20 || !strings.HasSuffix(login.URL, "/console/signin?as=root") {
		t.Errorf("root's login %+v, %v", login, err)
	}
	policy := filepath.Join(dir, "limit.json")
	if err := os.WriteFile(policy, []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"apprunner:*","Resource":"*"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.Limit(t.Context(), "999999999999", []string{policy}); err != nil {
		t.Fatal(err)
	}
	list, err := a.List(t.Context())
	if err != nil || len(list) != 2 || list[1] != (Account{ID: "999999999999", Limits: 1}) {
		t.Errorf("accounts %+v, %v", list, err)
	}
}
