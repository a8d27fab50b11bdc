package api_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/kms"
	"slipway.dev/slipway/internal/observe"
)

// kmsWorld is a door that serves KMS.
func kmsWorld(t *testing.T) *door {
	t.Helper()
	return newDoor(t, func(c *api.Config) {
		keys, err := kms.Open(t.Context(), kms.Config{DB: openStore(t), Root: make([]byte, 32), RootFile: "kms.key", Now: time.Now})
		ok(t, err)
		tokens, err := api.NewTokens([]byte("0123456789abcdef"))
		ok(t, err)
		dir, is := c.Identities.(*iam.Directory)
		if !is {
			t.Fatalf("identities are %T", c.Identities)
		}
		service, err := api.NewKMS(keys, dir, tokens)
		ok(t, err)
		c.Services = append(c.Services, service)
	})
}

// kms calls an operation of KMS and returns status and answer.
func (e *endpoint) kms(t *testing.T, operation, input string) (int, map[string]any) {
	t.Helper()
	status, body := e.post(t, "kms", "TrentService."+operation, input)
	out := map[string]any{}
	if body != "" {
		ok(t, json.Unmarshal([]byte(body), &out))
	}
	return status, out
}

// kmsOK is kms for calls that succeed.
func (e *endpoint) kmsOK(t *testing.T, operation, input string) map[string]any {
	t.Helper()
	status, out := e.kms(t, operation, input)
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d %v", operation, input, status, out)
	}
	return out
}

// kmsRefused wants a refusal with a code.
func (e *endpoint) kmsRefused(t *testing.T, operation, input, code string) string {
	t.Helper()
	status, out := e.kms(t, operation, input)
	kind, _ := out["__type"].(string)
	if status < 400 || kind[strings.LastIndexByte(kind, '#')+1:] != code {
		t.Fatalf("%s %s: %d %v, want %s", operation, input, status, out, code)
	}
	message, _ := out["message"].(string)
	return message
}

func (e *endpoint) newKey(t *testing.T, input string) (id, arn string) {
	t.Helper()
	m, _ := e.kmsOK(t, "CreateKey", input)["KeyMetadata"].(map[string]any)
	id, _ = m["KeyId"].(string)
	arn, _ = m["Arn"].(string)
	return id, arn
}

func text(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestKeysOverTheWire(t *testing.T) {
	d := kmsWorld(t)
	id, arn := d.newKey(t, `{"Description":"orders","Tags":[{"TagKey":"team","TagValue":"shop"}]}`)
	record, line := d.last(t)
	if record.EventName != "CreateKey" || !slices.Contains(record.Resources, observe.AuditResource{Type: "AWS::KMS::Key", Name: id}) {
		t.Errorf("%s", line)
	}
	d.kmsOK(t, "CreateAlias", `{"AliasName":"alias/orders","TargetKeyId":"`+id+`"}`)
	d.kmsRefused(t, "CreateAlias", `{"AliasName":"alias/orders","TargetKeyId":"`+id+`"}`, "AlreadyExistsException")
	d.kmsRefused(t, "CreateAlias", `{"AliasName":"alias/aws/orders","TargetKeyId":"`+id+`"}`, "InvalidAliasNameException")
	for _, ref := range []string{id, arn, "alias/orders", "arn:aws:kms:us-east-1:123456789012:alias/orders"} {
		sealed := d.kmsOK(t, "Encrypt", `{"KeyId":"`+ref+`","Plaintext":"`+text("hello")+`","EncryptionContext":{"a":"b"}}`)
		blob, _ := sealed["CiphertextBlob"].(string)
		out := d.kmsOK(t, "Decrypt", `{"CiphertextBlob":"`+blob+`","EncryptionContext":{"a":"b"}}`)
		if out["Plaintext"] != text("hello") || out["KeyId"] != arn {
			t.Errorf("%v", out)
		}
		d.kmsRefused(t, "Decrypt", `{"CiphertextBlob":"`+blob+`"}`, "InvalidCiphertextException")
	}
	record, line = d.last(t)
	if record.EventName != "Decrypt" || !record.ReadOnly || strings.Contains(line, text("hello")) {
		t.Errorf("%s", line)
	}
	m, _ := d.kmsOK(t, "DescribeKey", `{"KeyId":"alias/orders"}`)["KeyMetadata"].(map[string]any)
	if m["KeyState"] != "Enabled" || m["KeyManager"] != "CUSTOMER" || m["Description"] != "orders" || m["KeySpec"] != "SYMMETRIC_DEFAULT" {
		t.Errorf("%v", m)
	}
	d.kmsOK(t, "EnableKeyRotation", `{"KeyId":"`+id+`","RotationPeriodInDays":90}`)
	if out := d.kmsOK(t, "GetKeyRotationStatus", `{"KeyId":"`+id+`"}`); out["KeyRotationEnabled"] != true || out["RotationPeriodInDays"] != 90.0 || out["NextRotationDate"] == nil {
		t.Errorf("%v", out)
	}
	d.kmsOK(t, "TagResource", `{"KeyId":"`+id+`","Tags":[{"TagKey":"more","TagValue":""}]}`)
	d.kmsOK(t, "UntagResource", `{"KeyId":"`+id+`","TagKeys":["team"]}`)
	if out := fmt.Sprint(d.kmsOK(t, "ListResourceTags", `{"KeyId":"`+id+`"}`)["Tags"]); out != "[map[TagKey:more TagValue:]]" {
		t.Error(out)
	}
	if out := d.kmsOK(t, "ListAliases", `{"KeyId":"`+id+`"}`); len(out["Aliases"].([]any)) != 1 {
		t.Errorf("%v", out)
	}
	d.kmsOK(t, "DeleteAlias", `{"AliasName":"alias/orders"}`)
	d.kmsRefused(t, "Encrypt", `{"KeyId":"alias/orders","Plaintext":"`+text("x")+`"}`, "NotFoundException")
}

func TestStatesOfAKeyOverTheWire(t *testing.T) {
	d := kmsWorld(t)
	id, arn := d.newKey(t, `{}`)
	encrypt := `{"KeyId":"` + id + `","Plaintext":"` + text("x") + `"}`
	d.kmsOK(t, "DisableKey", `{"KeyId":"`+arn+`"}`)
	if m := d.kmsRefused(t, "Encrypt", encrypt, "DisabledException"); m != arn+" is disabled." {
		t.Error(m)
	}
	d.kmsOK(t, "EnableKey", `{"KeyId":"`+id+`"}`)
	d.kmsRefused(t, "ScheduleKeyDeletion", `{"KeyId":"`+id+`","PendingWindowInDays":6}`, "ValidationException")
	if out := d.kmsOK(t, "ScheduleKeyDeletion", `{"KeyId":"`+id+`"}`); out["KeyState"] != "PendingDeletion" || out["PendingWindowInDays"] != 30.0 || out["KeyId"] != arn {
		t.Errorf("%v", out)
	}
	if m := d.kmsRefused(t, "Encrypt", encrypt, "KMSInvalidStateException"); m != arn+" is pending deletion." {
		t.Error(m)
	}
	d.kmsOK(t, "CancelKeyDeletion", `{"KeyId":"`+id+`"}`)
	d.kmsRefused(t, "CancelKeyDeletion", `{"KeyId":"`+id+`"}`, "KMSInvalidStateException")
	d.kmsRefused(t, "Encrypt", encrypt, "DisabledException")
}

func TestWhatKMSRefuses(t *testing.T) {
	d := kmsWorld(t)
	id, _ := d.newKey(t, `{}`)
	other, _ := d.newKey(t, `{}`)
	blob, _ := d.kmsOK(t, "Encrypt", `{"KeyId":"`+id+`","Plaintext":"`+text("x")+`"}`)["CiphertextBlob"].(string)
	for _, c := range []struct{ operation, input, code string }{
		{"CreateKey", `{"KeySpec":"RSA_2048","KeyUsage":"SIGN_VERIFY"}`, "UnsupportedOperationException"},
		{"CreateKey", `{"CustomerMasterKeySpec":"HMAC_256"}`, "UnsupportedOperationException"},
		{"CreateKey", `{"MultiRegion":true}`, "UnsupportedOperationException"},
		{"CreateKey", `{"Origin":"EXTERNAL"}`, "UnsupportedOperationException"},
		{"CreateKey", `{"Policy":"{}"}`, "MalformedPolicyDocumentException"},
		{"CreateKey", `{"Tags":[{"TagKey":"aws:x","TagValue":""}]}`, "TagException"},
		{"DescribeKey", `{"KeyId":"00000000-0000-0000-0000-000000000000"}`, "NotFoundException"},
		{"DescribeKey", `{"KeyId":"arn:aws:s3:::bucket"}`, "InvalidArnException"},
		{"DescribeKey", `{"KeyId":"alias/none"}`, "NotFoundException"},
		{"DisableKey", `{"KeyId":"alias/none"}`, "InvalidArnException"},
		{"Decrypt", `{"CiphertextBlob":"` + text("nonsense") + `"}`, "InvalidCiphertextException"},
		{"Decrypt", `{"CiphertextBlob":"` + blob + `","KeyId":"` + other + `"}`, "IncorrectKeyException"},
		{"Decrypt", `{"CiphertextBlob":"` + blob + `","EncryptionAlgorithm":"RSAES_OAEP_SHA_1"}`, "InvalidKeyUsageException"},
		{"Encrypt", `{"KeyId":"` + id + `","Plaintext":"` + text(strings.Repeat("x", 4097)) + `"}`, "ValidationException"},
		{"Encrypt", `{"KeyId":"` + id + `","Plaintext":"` + text("x") + `","DryRun":true}`, "DryRunOperationException"},
		{"GenerateDataKey", `{"KeyId":"` + id + `"}`, "ValidationException"},
		{"GenerateDataKey", `{"KeyId":"` + id + `","KeySpec":"AES_256","NumberOfBytes":32}`, "ValidationException"},
		{"GetKeyPolicy", `{"KeyId":"` + id + `","PolicyName":"other"}`, "NotFoundException"},
		{"PutKeyPolicy", `{"KeyId":"` + id + `","Policy":"not json"}`, "MalformedPolicyDocumentException"},
		{"ListKeys", `{"Marker":"nonsense"}`, "InvalidMarkerException"},
		{"CreateGrant", `{"KeyId":"` + id + `","GranteePrincipal":"arn:aws:iam::123456789012:user/jo","Operations":["Sign"]}`, "ValidationException"},
		{"CreateGrant", `{"KeyId":"` + id + `","Operations":["Decrypt"]}`, "ValidationException"},
		{"RevokeGrant", `{"KeyId":"` + id + `","GrantId":"none"}`, "NotFoundException"},
		{"RetireGrant", `{"GrantToken":"nonsense"}`, "InvalidGrantTokenException"},
		{"RetireGrant", `{}`, "ValidationException"},
		{"Sign", `{}`, "UnknownOperationException"},
		{"DisableKey", `{"KeyId":"` + managedKey(t, d) + `"}`, "AccessDeniedException"},
		{"Encrypt", `{"KeyId":"alias/aws/ssm","Plaintext":"` + text("x") + `"}`, "AccessDeniedException"},
	} {
		if m := d.kmsRefused(t, c.operation, c.input, c.code); m == "" {
			t.Errorf("%s %s says nothing", c.operation, c.input)
		}
	}
}

// managedKey is the key behind alias/aws/ssm.
func managedKey(t *testing.T, d *door) string {
	t.Helper()
	m, _ := d.kmsOK(t, "DescribeKey", `{"KeyId":"alias/aws/ssm"}`)["KeyMetadata"].(map[string]any)
	if m["KeyManager"] != "AWS" {
		t.Errorf("%v", m)
	}
	id, _ := m["KeyId"].(string)
	return id
}

func TestDataKeysAndReencryption(t *testing.T) {
	d := kmsWorld(t)
	first, firstARN := d.newKey(t, `{}`)
	second, secondARN := d.newKey(t, `{}`)
	made := d.kmsOK(t, "GenerateDataKey", `{"KeyId":"`+first+`","KeySpec":"AES_256","EncryptionContext":{"a":"b"}}`)
	blob, _ := made["CiphertextBlob"].(string)
	plain, _ := made["Plaintext"].(string)
	if raw, err := base64.StdEncoding.DecodeString(plain); err != nil || len(raw) != 32 {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	moved := d.kmsOK(t, "ReEncrypt", `{"CiphertextBlob":"`+blob+`","SourceEncryptionContext":{"a":"b"},"DestinationKeyId":"`+second+`"}`)
	if moved["SourceKeyId"] != firstARN || moved["KeyId"] != secondARN {
		t.Errorf("%v", moved)
	}
	blob, _ = moved["CiphertextBlob"].(string)
	if out := d.kmsOK(t, "Decrypt", `{"CiphertextBlob":"`+blob+`","KeyId":"`+second+`"}`); out["Plaintext"] != plain {
		t.Errorf("%v", out)
	}
	hidden := d.kmsOK(t, "GenerateDataKeyWithoutPlaintext", `{"KeyId":"`+first+`","NumberOfBytes":64}`)
	if hidden["Plaintext"] != nil || hidden["CiphertextBlob"] == nil {
		t.Errorf("%v", hidden)
	}
}

func TestKeyPolicyHasTheLastWord(t *testing.T) {
	d := kmsWorld(t)
	id, arn := d.newKey(t, `{}`)
	jo := d.user(t, "jo")
	encrypt := `{"KeyId":"` + id + `","Plaintext":"` + text("x") + `"}`
	jo.kmsRefused(t, "Encrypt", encrypt, "AccessDeniedException")
	ok(t, d.dir.PutInlinePolicy(t.Context(), iam.Entity{Account: account, Kind: iam.EntityUser, Name: "jo"}, "use",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["kms:Encrypt","kms:Decrypt"],"Resource":"`+arn+`"}}`))
	jo.kmsOK(t, "Encrypt", encrypt)
	policy := func(statements string) string {
		b, err := json.Marshal(`{"Version":"2012-10-17","Statement":[` + statements + `]}`)
		ok(t, err)
		return `{"KeyId":"` + id + `","PolicyName":"default","Policy":` + string(b) + `}`
	}
	const admin = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":["kms:PutKeyPolicy","kms:GetKeyPolicy","kms:CreateGrant","kms:ListGrants","kms:RevokeGrant"],"Resource":"*"}`
	d.kmsOK(t, "PutKeyPolicy", policy(admin))
	jo.kmsRefused(t, "Encrypt", encrypt, "AccessDeniedException")
	d.kmsRefused(t, "Encrypt", encrypt, "AccessDeniedException") // root, too
	d.kmsOK(t, "PutKeyPolicy", policy(admin+`,{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/jo"},"Action":"kms:Encrypt","Resource":"*",
		"Condition":{"StringEquals":{"kms:EncryptionContext:tenant":"a"}}}`))
	jo.kmsRefused(t, "Encrypt", encrypt, "AccessDeniedException")
	jo.kmsOK(t, "Encrypt", `{"KeyId":"`+id+`","Plaintext":"`+text("x")+`","EncryptionContext":{"tenant":"a"}}`)
	locked := policy(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/jo"},"Action":"kms:*","Resource":"*"}`)
	d.kmsRefused(t, "PutKeyPolicy", locked, "MalformedPolicyDocumentException")
	d.kmsOK(t, "PutKeyPolicy", strings.TrimSuffix(locked, "}")+`,"BypassPolicyLockoutSafetyCheck":true}`)
	d.kmsRefused(t, "GetKeyPolicy", `{"KeyId":"`+id+`"}`, "AccessDeniedException")
}

func TestGrantsGiveWhatTheySay(t *testing.T) {
	d := kmsWorld(t)
	id, _ := d.newKey(t, `{}`)
	jo := d.user(t, "jo")
	encrypt := func(context string) string {
		return `{"KeyId":"` + id + `","Plaintext":"` + text("x") + `","EncryptionContext":{` + context + `}}`
	}
	grant := `{"KeyId":"` + id + `","Name":"n","GranteePrincipal":"arn:aws:iam::123456789012:user/jo","RetiringPrincipal":"arn:aws:iam::123456789012:user/jo","Operations":["Encrypt"],
		"Constraints":{"EncryptionContextSubset":{"tenant":"a"}}}`
	made := d.kmsOK(t, "CreateGrant", grant)
	if again := d.kmsOK(t, "CreateGrant", grant); again["GrantId"] != made["GrantId"] {
		t.Error("the same grant was made twice")
	}
	jo.kmsRefused(t, "Encrypt", encrypt(``), "AccessDeniedException")
	blob, _ := jo.kmsOK(t, "Encrypt", encrypt(`"tenant":"a","more":"b"`))["CiphertextBlob"].(string)
	jo.kmsRefused(t, "Decrypt", `{"CiphertextBlob":"`+blob+`","EncryptionContext":{"tenant":"a","more":"b"}}`, "AccessDeniedException")
	if out := d.kmsOK(t, "ListGrants", `{"KeyId":"`+id+`"}`); len(out["Grants"].([]any)) != 1 {
		t.Errorf("%v", out)
	}
	sam := d.user(t, "sam")
	token, _ := made["GrantToken"].(string)
	sam.kmsRefused(t, "RetireGrant", `{"GrantToken":"`+token+`"}`, "AccessDeniedException")
	jo.kmsOK(t, "RetireGrant", `{"GrantToken":"`+token+`"}`)
	jo.kmsRefused(t, "Encrypt", encrypt(`"tenant":"a"`), "AccessDeniedException")
	grantID, _ := d.kmsOK(t, "CreateGrant", grant)["GrantId"].(string)
	jo.kmsRefused(t, "RevokeGrant", `{"KeyId":"`+id+`","GrantId":"`+grantID+`"}`, "AccessDeniedException")
	d.kmsOK(t, "RevokeGrant", `{"KeyId":"`+id+`","GrantId":"`+grantID+`"}`)
	jo.kmsRefused(t, "Encrypt", encrypt(`"tenant":"a"`), "AccessDeniedException")
}

func TestStockCLIUsesKeys(t *testing.T) {
	d := kmsWorld(t)
	run := func(args ...string) string {
		t.Helper()
		out, fine := d.aws(t, append([]string{"kms", "--output", "text"}, args...)...)
		if !fine {
			t.Fatalf("aws kms %v: %s", args, out)
		}
		return strings.TrimSpace(out)
	}
	id := run("create-key", "--query", "KeyMetadata.KeyId")
	run("create-alias", "--alias-name", "alias/cli", "--target-key-id", id)
	file := func(content []byte) string { // which any version of the CLI takes as it is
		path := filepath.Join(t.TempDir(), "blob")
		ok(t, os.WriteFile(path, content, 0o600))
		return "fileb://" + path
	}
	printed := run("encrypt", "--key-id", "alias/cli", "--plaintext", file([]byte("hello")), "--encryption-context", "a=b", "--query", "CiphertextBlob")
	blob, err := base64.StdEncoding.DecodeString(printed)
	ok(t, err)
	if got := run("decrypt", "--ciphertext-blob", file(blob), "--encryption-context", "a=b", "--query", "Plaintext"); got != text("hello") {
		t.Errorf("decrypted %q", got)
	}
	if got := run("list-aliases", "--key-id", id, "--query", "Aliases[].AliasName"); got != "alias/cli" {
		t.Error(got)
	}
	run("schedule-key-deletion", "--key-id", id, "--pending-window-in-days", "7")
	if out, fine := d.aws(t, "kms", "encrypt", "--key-id", id, "--plaintext", file([]byte("x"))); fine || !strings.Contains(out, "KMSInvalidStateException") {
		t.Error(out)
	}
}
