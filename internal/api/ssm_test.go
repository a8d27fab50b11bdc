package api_test

import (
	"strings"
	"testing"

	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/kms"
)

// TestParametersByTheCLI: the stock CLI writes, reads, labels, lists and deletes parameters.
func TestParametersByTheCLI(t *testing.T) {
	t.Parallel()
	h := newHiddenThings(t)
	h.awsJSON(t, nil, "ssm", "put-parameter", "--name", "/app/db/password", "--type", "SecureString", "--value", "first", "--description", "of the database", "--tags", "Key=team,Value=a")
	h.awsJSON(t, nil, "ssm", "put-parameter", "--name", "/app/db/password", "--value", "second", "--overwrite")
	h.awsJSON(t, nil, "ssm", "put-parameter", "--name", "/app/hosts", "--type", "StringList", "--value", "a,b")
	type shown struct {
		Name, Type, Value, ARN, Selector string
		Version                          int64
	}
	get := func(args ...string) shown {
		t.Helper()
		var out struct{ Parameter shown }
		h.awsJSON(t, &out, append([]string{"ssm", "get-parameter", "--name"}, args...)...)
		return out.Parameter
	}
	const arn = "arn:aws:ssm:us-east-1:123456789012:parameter/app/db/password"
	if p := get("/app/db/password", "--with-decryption"); p != (shown{"/app/db/password", "SecureString", "second", arn, "", 2}) {
		t.Errorf("%+v", p)
	}
	if p := get(arn+":1", "--with-decryption"); p.Value != "first" || p.Selector != ":1" {
		t.Errorf("by ARN and version: %+v", p)
	}
	if p := get("/app/db/password"); p.Value == "second" || p.Value == "" {
		t.Errorf("not decrypted: %+v", p)
	}
	h.awsJSON(t, nil, "ssm", "label-parameter-version", "--name", "/app/db/password", "--parameter-version", "1", "--labels", "old")
	if p := get("/app/db/password:old", "--with-decryption"); p.Value != "first" {
		t.Errorf("by label: %+v", p)
	}
	var all struct {
		Parameters        []shown
		InvalidParameters []string
	}
	h.awsJSON(t, &all, "ssm", "get-parameters", "--names", "/app/hosts", "/app/none", "/app/db/password:7")
	if len(all.Parameters) != 1 || strings.Join(all.InvalidParameters, " ") != "/app/none /app/db/password:7" {
		t.Errorf("several: %+v", all)
	}
	h.awsJSON(t, &all, "ssm", "get-parameters-by-path", "--path", "/app", "--recursive", "--with-decryption")
	if len(all.Parameters) != 2 || all.Parameters[0].Value != "second" {
		t.Errorf("by path: %+v", all)
	}
	h.awsJSON(t, &all, "ssm", "get-parameters-by-path", "--path", "/app/")
	if len(all.Parameters) != 1 || all.Parameters[0].Value != "a,b" {
		t.Errorf("of one level: %+v", all)
	}
	var history struct {
		Parameters []struct {
			Value, LastModifiedUser string
			Labels                  []string
		}
	}
	h.awsJSON(t, &history, "ssm", "get-parameter-history", "--name", "/app/db/password", "--with-decryption")
	if len(history.Parameters) != 2 || history.Parameters[0].Value != "first" || history.Parameters[0].Labels[0] != "old" || history.Parameters[1].LastModifiedUser != "arn:aws:iam::123456789012:root" {
		t.Errorf("history: %+v", history)
	}
	var described struct {
		Parameters []struct{ Name, KeyId, Tier string }
	}
	h.awsJSON(t, &described, "ssm", "describe-parameters", "--parameter-filters", "Key=tag:team,Values=a")
	if len(described.Parameters) != 1 || described.Parameters[0].KeyId != "alias/aws/ssm" || described.Parameters[0].Tier != "Standard" {
		t.Errorf("described: %+v", described)
	}
	h.awsJSON(t, nil, "ssm", "add-tags-to-resource", "--resource-type", "Parameter", "--resource-id", "/app/hosts", "--tags", "Key=k,Value=v")
	h.awsJSON(t, nil, "ssm", "remove-tags-from-resource", "--resource-type", "Parameter", "--resource-id", "/app/db/password", "--tag-keys", "team")
	var tags struct{ TagList []struct{ Key, Value string } }
	h.awsJSON(t, &tags, "ssm", "list-tags-for-resource", "--resource-type", "Parameter", "--resource-id", "/app/hosts")
	if len(tags.TagList) != 1 || tags.TagList[0].Value != "v" {
		t.Errorf("tags: %+v", tags)
	}
	h.awsJSON(t, nil, "ssm", "delete-parameter", "--name", "/app/hosts")
	var gone struct{ DeletedParameters, InvalidParameters []string }
	h.awsJSON(t, &gone, "ssm", "delete-parameters", "--names", "/app/hosts", "/app/db/password")
	if len(gone.DeletedParameters) != 1 || len(gone.InvalidParameters) != 1 {
		t.Errorf("deleted: %+v", gone)
	}
}

func TestRulesOfParameters(t *testing.T) {
	h := newHiddenThings(t)
	deep := strings.Repeat("/a", 16)
	for _, c := range []struct{ operation, input, want string }{
		{"PutParameter", `{"Name":"plain","Type":"String","Value":"1"}`, ""},
		{"PutParameter", `{"Name":"plain","Type":"String","Value":"1"}`, "ParameterAlreadyExists"},
		{"PutParameter", `{"Name":"/plain","Type":"String","Value":"1"}`, "ParameterAlreadyExists"}, // the same ARN
		{"PutParameter", `{"Name":"plain","Type":"SecureString","Value":"1","Overwrite":true}`, "HierarchyTypeMismatchException"},
		{"PutParameter", `{"Name":"plain","Value":"2","Overwrite":true,"Tags":[{"Key":"a","Value":"b"}]}`, "ValidationException"},
		{"PutParameter", `{"Name":"untyped","Value":"2"}`, "ValidationException"},
		{"PutParameter", `{"Name":"a/b","Type":"String","Value":"2"}`, "ValidationException"},
		{"PutParameter", `{"Name":"/aws/b","Type":"String","Value":"2"}`, "ValidationException"},
		{"PutParameter", `{"Name":"a b","Type":"String","Value":"2"}`, "ValidationException"},
		{"PutParameter", `{"Name":"` + deep + `","Type":"String","Value":"2"}`, "HierarchyLevelLimitExceededException"},
		{"PutParameter", `{"Name":"long","Type":"String","Value":"` + strings.Repeat("x", 4097) + `"}`, "ValidationException"},
		{"PutParameter", `{"Name":"long","Type":"String","Tier":"Intelligent-Tiering","Value":"` + strings.Repeat("x", 4097) + `"}`, ""},
		{"PutParameter", `{"Name":"long","Tier":"Standard","Value":"x","Overwrite":true}`, "ValidationException"},
		{"PutParameter", `{"Name":"long","Value":"` + strings.Repeat("x", 8193) + `","Overwrite":true}`, "ValidationException"},
		{"PutParameter", `{"Name":"number","Type":"String","Value":"x","AllowedPattern":"\\d+"}`, "ParameterPatternMismatchException"},
		{"PutParameter", `{"Name":"number","Type":"String","Value":"12","AllowedPattern":"("}`, "InvalidAllowedPatternException"},
		{"PutParameter", `{"Name":"number","Type":"String","Value":"12","AllowedPattern":"\\d+"}`, ""},
		{"PutParameter", `{"Name":"number","Value":"x","Overwrite":true}`, "ParameterPatternMismatchException"},
		{"PutParameter", `{"Name":"image","Type":"String","Value":"x","DataType":"aws:ec2:image"}`, "ValidationException"},
		{"PutParameter", `{"Name":"p","Type":"String","Value":"x","Policies":"[{\"Type\":\"Expiration\"}]"}`, "InvalidPolicyTypeException"},
		{"PutParameter", `{"Name":"p","Type":"SecureString","Value":"x","KeyId":"alias/absent"}`, "InvalidKeyId"},
		{"PutParameter", `{"Name":"p","Type":"String","Value":"x","KeyId":"alias/absent"}`, "ValidationException"},
		{"GetParameter", `{"Name":"none"}`, "ParameterNotFound"},
		{"GetParameter", `{"Name":"plain:9"}`, "ParameterVersionNotFound"},
		{"GetParametersByPath", `{"Path":"a"}`, "ValidationException"},
		{"GetParametersByPath", `{"Path":"/","ParameterFilters":[{"Key":"Name","Values":["a"]}]}`, "InvalidFilterKey"},
		{"DescribeParameters", `{"ParameterFilters":[{"Key":"Type","Option":"Contains","Values":["a"]}]}`, "InvalidFilterOption"},
		{"DescribeParameters", `{"NextToken":"x"}`, "InvalidNextToken"},
		{"LabelParameterVersion", `{"Name":"plain","ParameterVersion":4,"Labels":["x"]}`, "ParameterVersionNotFound"},
		{"AddTagsToResource", `{"ResourceType":"Document","ResourceId":"plain","Tags":[]}`, "InvalidResourceType"},
		{"ListTagsForResource", `{"ResourceType":"Parameter","ResourceId":"none"}`, "InvalidResourceId"},
		{"DeleteParameter", `{"Name":"none"}`, "ParameterNotFound"},
	} {
		if out, code := h.ask(t, "ssm", c.operation, c.input); code != c.want {
			t.Errorf("%s %.120s: %v, want %q", c.operation, c.input, out, c.want)
		}
	}
	if out, _ := h.ask(t, "ssm", "LabelParameterVersion", `{"Name":"plain","Labels":["1st","awsome"]}`); len(out["InvalidLabels"].([]any)) != 2 {
		t.Errorf("labels that are not allowed: %v", out)
	}
}

// TestWhoMayReadParameters: policies for a path, for the parameter and for its key count.
func TestWhoMayReadParameters(t *testing.T) {
	h := newHiddenThings(t)
	jo := h.user(t, "jo")
	key, err := h.keys.Create(t.Context(), scope, kms.New{})
	ok(t, err)
	h.ask(t, "ssm", "PutParameter", `{"Name":"/app/open","Type":"String","Value":"v"}`)
	h.ask(t, "ssm", "PutParameter", `{"Name":"/app/closed","Type":"SecureString","Value":"v","KeyId":"`+key.ID+`"}`)
	h.ask(t, "ssm", "PutParameter", `{"Name":"/other","Type":"String","Value":"v"}`)
	ok(t, h.dir.PutInlinePolicy(t.Context(), iam.Entity{Account: account, Kind: iam.EntityUser, Name: "jo"}, "read",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ssm:GetParameter*"],"Resource":"arn:aws:ssm:us-east-1:123456789012:parameter/app/*"}}`))
	for _, c := range []struct{ operation, input, want string }{
		{"GetParameter", `{"Name":"/app/open"}`, `"Value":"v"`},
		{"GetParameter", `{"Name":"/other"}`, "AccessDeniedException"},
		{"GetParameters", `{"Names":["/app/open","/other"]}`, "AccessDeniedException"},
		{"GetParameter", `{"Name":"/app/closed"}`, `"Type":"SecureString"`},
		{"GetParameter", `{"Name":"/app/closed","WithDecryption":true}`, "kms:Decrypt on resource: " + key.ARN()},
		{"GetParametersByPath", `{"Path":"/app"}`, `"/app/open"`},
		{"GetParametersByPath", `{"Path":"/app/","WithDecryption":true}`, "kms:Decrypt"},
		{"GetParametersByPath", `{"Path":"/"}`, "AccessDeniedException"},
		{"PutParameter", `{"Name":"/app/open","Value":"w","Overwrite":true}`, "AccessDeniedException"},
		{"DescribeParameters", `{}`, "AccessDeniedException"},
	} {
		if _, body := jo.post(t, "ssm", "AmazonSSM."+c.operation, c.input); !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %s, want %s", c.operation, c.input, body, c.want)
		}
	}
}
