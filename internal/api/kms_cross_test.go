package api_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// account makes another account, and gives the door as its root sees it.
func (d *door) account(t *testing.T, id string) *endpoint {
	t.Helper()
	key, err := d.dir.EnsureRoot(t.Context(), id)
	ok(t, err)
	return &endpoint{url: d.url, key: key, db: d.db}
}

// A key of one account is nothing to another, until the key policy lets it in: then it can be used, but not changed.
func TestKeysAcrossAccounts(t *testing.T) {
	d := kmsWorld(t)
	id, arn := d.newKey(t, `{}`)
	d.kmsOK(t, "CreateAlias", `{"AliasName":"alias/victim","TargetKeyId":"`+id+`"}`)
	blob, _ := d.kmsOK(t, "Encrypt", `{"KeyId":"`+id+`","Plaintext":"`+text("x")+`"}`)["CiphertextBlob"].(string)
	other := d.account(t, otherAccount)
	changes := map[string]string{
		"DisableKey": ``, "EnableKey": ``, "ScheduleKeyDeletion": ``, "CancelKeyDeletion": ``, "GetKeyPolicy": ``, "ListKeyPolicies": ``, "EnableKeyRotation": ``,
		"DisableKeyRotation": ``, "ListResourceTags": ``, "TagResource": `,"Tags":[{"TagKey":"a","TagValue":"b"}]`, "UntagResource": `,"TagKeys":["a"]`, "PutKeyPolicy": `,"Policy":"{}"`,
	}
	uses := map[string]string{
		"DescribeKey": ``, "Encrypt": `,"Plaintext":"` + text("x") + `"`, "GenerateDataKey": `,"KeySpec":"AES_256"`, "GenerateDataKeyWithoutPlaintext": `,"KeySpec":"AES_256"`,
		"GetKeyRotationStatus": ``, "ListGrants": ``, "CreateGrant": `,"GranteePrincipal":"arn:aws:iam::` + otherAccount + `:user/x","Operations":["Decrypt"]`,
	}
	refused := func(actions map[string]string) {
		t.Helper()
		for action, more := range actions {
			other.kmsRefused(t, action, `{"KeyId":"`+arn+`"`+more+`}`, "AccessDeniedException")
		}
	}
	refused(changes)
	refused(uses)
	for action, input := range map[string]string{
		"Decrypt":     `{"CiphertextBlob":"` + blob + `"}`,
		"ReEncrypt":   `{"CiphertextBlob":"` + blob + `","DestinationKeyId":"` + arn + `"}`,
		"RevokeGrant": `{"KeyId":"` + arn + `","GrantId":"g"}`,
	} {
		other.kmsRefused(t, action, input, "AccessDeniedException")
	}
	other.kmsRefused(t, "CreateAlias", `{"AliasName":"alias/mine","TargetKeyId":"`+arn+`"}`, "AccessDeniedException")
	other.kmsRefused(t, "DeleteAlias", `{"AliasName":"alias/victim"}`, "NotFoundException")
	for _, listing := range []string{"ListKeys", "ListAliases"} {
		if b, _ := json.Marshal(other.kmsOK(t, listing, `{}`)); strings.Contains(string(b), id) || strings.Contains(string(b), "victim") {
			t.Errorf("%s shows what is another account's: %s", listing, b)
		}
	}
	policy, err := json.Marshal(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::` + account + `:root","arn:aws:iam::` + otherAccount + `:root"]},"Action":"kms:*","Resource":"*"}]}`)
	ok(t, err)
	d.kmsOK(t, "PutKeyPolicy", `{"KeyId":"`+id+`","Policy":`+string(policy)+`}`)
	refused(changes)
	for action, more := range uses {
		other.kmsOK(t, action, `{"KeyId":"`+arn+`"`+more+`}`)
	}
	other.kmsOK(t, "Decrypt", `{"CiphertextBlob":"`+blob+`"}`)
}
