package api_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/kms"
	"slipway.dev/slipway/internal/secret"
	"slipway.dev/slipway/internal/secret/parameter"
	"slipway.dev/slipway/internal/store"
)

// hiddenThings is a door that serves Secrets Manager and the Parameter Store over real keys.
type hiddenThings struct {
	*door
	keys *kms.Keys
	path string
}

func newHiddenThings(t *testing.T) *hiddenThings {
	t.Helper()
	h := &hiddenThings{path: filepath.Join(t.TempDir(), "secrets.db")}
	db, err := store.Open(t.Context(), h.path)
	ok(t, err)
	t.Cleanup(func() { _ = db.Close() })
	h.keys, err = kms.Open(t.Context(), kms.Config{DB: db, Root: make([]byte, 32), Now: time.Now})
	ok(t, err)
	h.door = newDoor(t, func(c *api.Config) {
		tokens, err := api.NewTokens([]byte("0123456789abcdef"))
		ok(t, err)
		manager, err := secret.Open(t.Context(), secret.Config{DB: db, Keys: kms.Sealer{Keys: h.keys}})
		ok(t, err)
		store, err := parameter.Open(t.Context(), parameter.Config{DB: db, Keys: kms.Sealer{Keys: h.keys}})
		ok(t, err)
		secrets, err := api.NewSecrets(api.SecretsConfig{Secrets: manager, Keys: h.keys, Rights: c.Identities, Tokens: tokens})
		ok(t, err)
		parameters, err := api.NewParameters(store, h.keys, tokens)
		ok(t, err)
		c.Services = append(c.Services, secrets, parameters)
	})
	return h
}

// ask calls an operation as root and returns its answer; a refusal as its code.
func (h *hiddenThings) ask(t *testing.T, service, operation, input string) (out map[string]any, code string) {
	t.Helper()
	target := "secretsmanager."
	if service == "ssm" {
		target = "AmazonSSM."
	}
	_, body := h.post(t, service, target+operation, input)
	ok(t, json.Unmarshal([]byte(body), &out))
	code, _ = out["__type"].(string)
	return out, code
}

// TestSecretsByTheCLI: the stock CLI makes, reads, changes, lists, deletes and restores a secret.
func TestSecretsByTheCLI(t *testing.T) {
	t.Parallel()
	h := newHiddenThings(t)
	var made struct{ ARN, Name, VersionId string }
	h.awsJSON(t, &made, "secretsmanager", "create-secret", "--name", "prod/db", "--description", "the database", "--secret-string", `{"user":"jo","password":"first"}`, "--tags", "Key=team,Value=a")
	if !strings.HasPrefix(made.ARN, "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-") || len(made.ARN) != len("arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-")+6 {
		t.Fatalf("ARN %s", made.ARN)
	}
	h.awsJSON(t, nil, "secretsmanager", "put-secret-value", "--secret-id", "prod/db", "--secret-string", "second")
	read := func(args ...string) string {
		t.Helper()
		var got struct{ SecretString string }
		h.awsJSON(t, &got, append([]string{"secretsmanager", "get-secret-value", "--secret-id"}, args...)...)
		return got.SecretString
	}
	partial := made.ARN[:len(made.ARN)-7]
	for what, got := range map[string][2]string{
		"by name":      {read("prod/db"), "second"},
		"by ARN":       {read(made.ARN), "second"},
		"partial ARN":  {read(partial), "second"},
		"the previous": {read(made.ARN, "--version-stage", "AWSPREVIOUS"), `{"user":"jo","password":"first"}`},
		"by version":   {read(made.ARN, "--version-id", made.VersionId), `{"user":"jo","password":"first"}`},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %q", what, got[0])
		}
	}
	var shown struct {
		Name, Description  string
		VersionIdsToStages map[string][]string
		Tags               []struct{ Key, Value string }
		SecretString       *string
	}
	h.awsJSON(t, &shown, "secretsmanager", "describe-secret", "--secret-id", "prod/db")
	if shown.Description != "the database" || len(shown.VersionIdsToStages) != 2 || !slices.Equal(shown.VersionIdsToStages[made.VersionId], []string{"AWSPREVIOUS"}) || shown.Tags[0].Value != "a" {
		t.Errorf("described %+v", shown)
	}
	var list struct{ SecretList []struct{ Name string } }
	h.awsJSON(t, &list, "secretsmanager", "list-secrets", "--filters", "Key=name,Values=prod/")
	if len(list.SecretList) != 1 {
		t.Errorf("listed %+v", list)
	}
	h.awsJSON(t, nil, "secretsmanager", "delete-secret", "--secret-id", "prod/db", "--recovery-window-in-days", "7")
	if out, fine := h.aws(t, "secretsmanager", "get-secret-value", "--secret-id", "prod/db"); fine || !strings.Contains(out, "InvalidRequestException") || !strings.Contains(out, "marked for deletion") {
		t.Errorf("a deleted secret: %s", out)
	}
	if out, fine := h.aws(t, "secretsmanager", "create-secret", "--name", "prod/db"); fine || !strings.Contains(out, "already scheduled for deletion") {
		t.Errorf("its name again: %s", out)
	}
	h.awsJSON(t, nil, "secretsmanager", "restore-secret", "--secret-id", "prod/db")
	if read("prod/db") != "second" {
		t.Error("a restored secret lost its value")
	}
	h.awsJSON(t, nil, "secretsmanager", "delete-secret", "--secret-id", "prod/db", "--force-delete-without-recovery")
	if out, fine := h.aws(t, "secretsmanager", "get-secret-value", "--secret-id", "prod/db"); fine || !strings.Contains(out, "ResourceNotFoundException") {
		t.Errorf("a secret that is gone: %s", out)
	}
}

func TestSecretVersionsAndStages(t *testing.T) {
	h := newHiddenThings(t)
	const a, b, c = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb", "cccccccc-cccc-cccc-cccc-cccccccccccc"
	do := func(operation, input, want string) map[string]any {
		t.Helper()
		out, code := h.ask(t, "secretsmanager", operation, input)
		if code != want {
			t.Fatalf("%s %s: %v, want %q", operation, input, out, want)
		}
		return out
	}
	do("CreateSecret", `{"Name":"s","SecretString":"1","ClientRequestToken":"`+a+`"}`, "")
	do("CreateSecret", `{"Name":"s","SecretString":"1","ClientRequestToken":"`+a+`"}`, "")                        // the same again
	do("CreateSecret", `{"Name":"s","SecretString":"2","ClientRequestToken":"`+a+`"}`, "ResourceExistsException") // another value
	do("CreateSecret", `{"Name":"s","SecretString":"1","ClientRequestToken":"`+b+`"}`, "ResourceExistsException")
	do("PutSecretValue", `{"SecretId":"s","SecretBinary":"AAEC","ClientRequestToken":"`+b+`","VersionStages":["AWSPENDING"]}`, "")
	do("PutSecretValue", `{"SecretId":"s","SecretBinary":"AAEC","ClientRequestToken":"`+b+`"}`, "")
	do("PutSecretValue", `{"SecretId":"s","SecretString":"x","ClientRequestToken":"`+b+`"}`, "ResourceExistsException")
	if out := do("GetSecretValue", `{"SecretId":"s","VersionStage":"AWSPENDING"}`, ""); out["SecretBinary"] != "AAEC" || out["SecretString"] != nil {
		t.Errorf("binary value: %v", out)
	}
	do("UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":"AWSCURRENT","MoveToVersionId":"`+b+`"}`, "InvalidParameterException")
	do("UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":"AWSCURRENT","MoveToVersionId":"`+b+`","RemoveFromVersionId":"`+a+`"}`, "")
	if out := do("GetSecretValue", `{"SecretId":"s","VersionStage":"AWSPREVIOUS"}`, ""); out["VersionId"] != a {
		t.Errorf("the previous one: %v", out)
	}
	do("UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":"AWSCURRENT","RemoveFromVersionId":"`+b+`"}`, "InvalidParameterException")
	do("GetSecretValue", `{"SecretId":"s","VersionId":"`+c+`"}`, "ResourceNotFoundException")
	do("GetSecretValue", `{"SecretId":"s","VersionId":"`+a+`","VersionStage":"AWSCURRENT"}`, "InvalidRequestException")
	do("UpdateSecret", `{"SecretId":"s","SecretString":"3","ClientRequestToken":"`+c+`","Description":"d"}`, "")
	out := do("ListSecretVersionIds", `{"SecretId":"s","IncludeDeprecated":true}`, "")
	if versions, _ := out["Versions"].([]any); len(versions) != 3 {
		t.Errorf("versions %v", out)
	}
	do("PutSecretValue", `{"SecretId":"s"}`, "InvalidRequestException")
	do("PutSecretValue", `{"SecretId":"s","SecretString":"x","SecretBinary":"AAEC"}`, "InvalidParameterException")
	do("CreateSecret", `{"Name":"a b"}`, "InvalidParameterException")
	do("CreateSecret", `{"Name":"replicated","AddReplicaRegions":[{"Region":"eu-west-1"}]}`, "InvalidParameterException")
	do("DeleteSecret", `{"SecretId":"s","RecoveryWindowInDays":3}`, "InvalidParameterException")
	do("DeleteSecret", `{"SecretId":"absent","ForceDeleteWithoutRecovery":true}`, "")
	do("DescribeSecret", `{"SecretId":"absent"}`, "ResourceNotFoundException")
	do("CreateSecret", `{"Name":"empty"}`, "")
	do("GetSecretValue", `{"SecretId":"empty"}`, "ResourceNotFoundException")
	batch := do("BatchGetSecretValue", `{"SecretIdList":["s","empty","absent"]}`, "")
	if values, faults := batch["SecretValues"].([]any), batch["Errors"].([]any); len(values) != 1 || len(faults) != 2 {
		t.Errorf("batch %v", batch)
	}
}

func TestRandomPasswords(t *testing.T) {
	h := newHiddenThings(t)
	out, code := h.ask(t, "secretsmanager", "GetRandomPassword", `{"PasswordLength":40,"ExcludePunctuation":true,"ExcludeCharacters":"aeiou0"}`)
	p, _ := out["RandomPassword"].(string)
	if code != "" || len(p) != 40 || strings.ContainsAny(p, "aeiou0!\"#$%&'()*+,-./") || !strings.ContainsAny(p, "123456789") {
		t.Errorf("%v", out)
	}
	if _, code := h.ask(t, "secretsmanager", "GetRandomPassword", `{"ExcludePunctuation":true,"ExcludeNumbers":true,"ExcludeUppercase":true,"ExcludeLowercase":true}`); code != "InvalidParameterException" {
		t.Errorf("nothing to choose from: %s", code)
	}
}

// TestSecretValuesStayHidden: neither the database, nor the audit records, nor the log of the server shows a value.
func TestSecretValuesStayHidden(t *testing.T) {
	h := newHiddenThings(t)
	const value = "correct-horse-battery"
	for _, call := range [][3]string{
		{"secretsmanager", "CreateSecret", `{"Name":"s","SecretString":"` + value + `"}`},
		{"secretsmanager", "PutSecretValue", `{"SecretId":"s","SecretString":"` + value + `-2"}`},
		{"secretsmanager", "PutSecretValue", `{"SecretId":"absent","SecretString":"` + value + `"}`},
		{"secretsmanager", "GetSecretValue", `{"SecretId":"s"}`},
		{"secretsmanager", "BatchGetSecretValue", `{"SecretIdList":["s"]}`},
		{"ssm", "PutParameter", `{"Name":"/a/b","Type":"String","Value":"` + value + `"}`},
		{"ssm", "PutParameter", `{"Name":"/a/c","Type":"SecureString","Value":"` + value + `"}`},
		{"ssm", "PutParameter", `{"Name":"/a/c","Type":"SecureString","Value":"` + value + `","AllowedPattern":"[0-9]+","Overwrite":true}`},
		{"ssm", "GetParametersByPath", `{"Path":"/a","WithDecryption":true}`},
		{"ssm", "GetParameterHistory", `{"Name":"/a/c","WithDecryption":true}`},
	} {
		h.ask(t, call[0], call[1], call[2])
		if _, text := h.last(t); strings.Contains(text, value) {
			t.Errorf("the record of %s shows the value: %s", call[1], text)
		}
	}
	for _, file := range []string{h.path, h.path + "-wal"} {
		b, err := os.ReadFile(file)
		ok(t, err)
		if strings.Contains(string(b), value) {
			t.Errorf("%s holds the value in plain", filepath.Base(file))
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if strings.Contains(h.log.String(), value) {
		t.Error("the log shows a value")
	}
}

// TestWhoMayReadASecret: the caller's own policies, the policy of the secret across accounts, and the key of the secret have a say.
func TestWhoMayReadASecret(t *testing.T) {
	h := newHiddenThings(t)
	jo := h.user(t, "jo")
	read := func(want string) {
		t.Helper()
		_, body := jo.post(t, "secretsmanager", "secretsmanager.GetSecretValue", `{"SecretId":"prod/s"}`)
		if want != "" && !strings.Contains(body, want) || want == "" && !strings.Contains(body, `"SecretString":"v"`) {
			t.Fatalf("answer %s, want %q", body, want)
		}
	}
	policy := func(name, document string) {
		t.Helper()
		ok(t, h.dir.PutInlinePolicy(t.Context(), iam.Entity{Account: account, Kind: iam.EntityUser, Name: "jo"}, name, document))
	}
	h.ask(t, "secretsmanager", "CreateSecret", `{"Name":"prod/s","SecretString":"v","Tags":[{"Key":"team","Value":"a"}]}`)
	read("AccessDeniedException")
	policy("read", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/*","Condition":{"StringEquals":{"aws:ResourceTag/team":"a","secretsmanager:VersionStage":"AWSCURRENT"}}}}`)
	read("")
	h.ask(t, "secretsmanager", "PutResourcePolicy", `{"SecretId":"prod/s","ResourcePolicy":"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Deny\",\"Principal\":{\"AWS\":\"arn:aws:iam::123456789012:user/jo\"},\"Action\":\"secretsmanager:GetSecretValue\",\"Resource\":\"*\"}}"}`)
	read("AccessDeniedException")
	h.ask(t, "secretsmanager", "DeleteResourcePolicy", `{"SecretId":"prod/s"}`)
	read("")

	key, err := h.keys.Create(t.Context(), scope, kms.New{})
	ok(t, err)
	if _, code := h.ask(t, "secretsmanager", "UpdateSecret", `{"SecretId":"prod/s","KmsKeyId":"`+key.ARN()+`"}`); code != "" {
		t.Fatal(code)
	}
	read("kms:Decrypt on resource: " + key.ARN())
	policy("key", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"secretsmanager.us-east-1.amazonaws.com"}}}}`)
	read("")
	ok(t, h.keys.Enable(t.Context(), scope, key.ID, false))
	read("DecryptionFailure")
	if _, code := h.ask(t, "secretsmanager", "CreateSecret", `{"Name":"t","SecretString":"v","KmsKeyId":"alias/absent"}`); code != "EncryptionFailure" {
		t.Errorf("a key that is not there: %q", code)
	}
}

// TestSecretsAcrossAccounts: the policies of the secret and of its key let another account in; a managed key never does.
func TestSecretsAcrossAccounts(t *testing.T) {
	h := newHiddenThings(t)
	key, err := h.dir.EnsureRoot(t.Context(), otherAccount)
	ok(t, err)
	other := &endpoint{url: h.url, db: h.db, key: key}
	made, _ := h.ask(t, "secretsmanager", "CreateSecret", `{"Name":"s","SecretString":"v"}`)
	arn, _ := made["ARN"].(string)
	read := func(want string) {
		t.Helper()
		if _, body := other.post(t, "secretsmanager", "secretsmanager.GetSecretValue", `{"SecretId":"`+arn+`"}`); !strings.Contains(body, want) {
			t.Errorf("answer %s, want %s", body, want)
		}
	}
	read("not authorized to perform: secretsmanager:GetSecretValue")
	h.ask(t, "secretsmanager", "PutResourcePolicy", `{"SecretId":"s","ResourcePolicy":"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"`+otherAccount+`\"},\"Action\":\"secretsmanager:GetSecretValue\",\"Resource\":\"*\"}}"}`)
	read("not authorized to perform: kms:Decrypt")
	mine, err := h.keys.Create(t.Context(), scope, kms.New{
		Policy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":["` + account + `","` + otherAccount + `"]},"Action":"kms:*","Resource":"*"}}`,
	})
	ok(t, err)
	h.ask(t, "secretsmanager", "UpdateSecret", `{"SecretId":"s","KmsKeyId":"`+mine.ID+`"}`)
	read(`"SecretString":"v"`)
}

func TestPoliciesOfSecrets(t *testing.T) {
	h := newHiddenThings(t)
	h.ask(t, "secretsmanager", "CreateSecret", `{"Name":"s","SecretString":"v"}`)
	open := `{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"secretsmanager:GetSecretValue\",\"Resource\":\"*\"}}`
	if _, code := h.ask(t, "secretsmanager", "PutResourcePolicy", `{"SecretId":"s","ResourcePolicy":"{}"}`); code != "MalformedPolicyDocumentException" {
		t.Errorf("no policy: %q", code)
	}
	if _, code := h.ask(t, "secretsmanager", "PutResourcePolicy", `{"SecretId":"s","BlockPublicPolicy":true,"ResourcePolicy":"`+open+`"}`); code != "PublicPolicyException" {
		t.Errorf("for everybody: %q", code)
	}
	if out, _ := h.ask(t, "secretsmanager", "ValidateResourcePolicy", `{"ResourcePolicy":"`+open+`"}`); out["PolicyValidationPassed"] != false {
		t.Errorf("validated: %v", out)
	}
	if out, _ := h.ask(t, "secretsmanager", "GetResourcePolicy", `{"SecretId":"s"}`); out["ResourcePolicy"] != nil {
		t.Errorf("a policy that was refused: %v", out)
	}
}

// TestListsOfSecrets: pages in each order hold every secret once.
func TestListsOfSecrets(t *testing.T) {
	h := newHiddenThings(t)
	for _, name := range []string{"b", "a", "ab", "c"} {
		h.ask(t, "secretsmanager", "CreateSecret", `{"Name":"`+name+`"}`)
	}
	for order, want := range map[string]string{
		`"SortBy":"name"`: "a ab b c", `"SortBy":"name","SortOrder":"desc"`: "c b ab a", `"SortBy":"created-date"`: "b a ab c", `"SortOrder":"desc"`: "c ab a b",
	} {
		var names []string
		next := ""
		for range 5 {
			out, code := h.ask(t, "secretsmanager", "ListSecrets", `{"MaxResults":1,`+order+next+`}`)
			if code != "" {
				t.Fatalf("%s: %v", order, out)
			}
			for _, e := range out["SecretList"].([]any) {
				names = append(names, e.(map[string]any)["Name"].(string))
			}
			token, more := out["NextToken"].(string)
			if !more {
				break
			}
			next = `,"NextToken":"` + token + `"`
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s, want %s", order, got, want)
		}
	}
	if _, code := h.ask(t, "secretsmanager", "ListSecrets", `{"NextToken":"x"}`); code != "InvalidNextTokenException" {
		t.Errorf("a token of nobody: %q", code)
	}
}
