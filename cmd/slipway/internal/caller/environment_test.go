package caller_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway.dev/slipway/cmd/slipway/internal/caller"
)

const config = `# the user's
[default]
region = eu-west-1
[profile lab] ; of the lab
region=us-west-2 # near
  aws_access_key_id = OF_A_GROUP
endpoint_url = http://lab.test
[profile sso]
sso_session = corp
[profile printed]
credential_process = printf '{"Version":1,"AccessKeyId":"PRINTED","SecretAccessKey":"s","SessionToken":"t","Expiration":"2199-01-01T00:00:00Z"}'
[profile broken]
credential_process = exit 3
[profile mute]
credential_process = echo '{"Version":1}'
`

const credentials = `[default]
aws_access_key_id = DEFAULT
aws_secret_access_key = s
[lab]
AWS_ACCESS_KEY_ID=LAB
aws_secret_access_key=a=b
`

func TestFromEnvironment(t *testing.T) {
	home := t.TempDir()
	for name, text := range map[string]string{"config": config, "credentials": credentials} {
		if err := os.MkdirAll(filepath.Join(home, ".aws"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, ".aws", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const at, keys = "AWS_ENDPOINT_URL=http://here ", "AWS_ACCESS_KEY_ID=ENV AWS_SECRET_ACCESS_KEY=s "
	for env, want := range map[string]string{
		at + keys + "AWS_REGION=us-east-1":                    "http://here us-east-1 ENV s ",
		at + keys + "AWS_SESSION_TOKEN=t":                     "http://here eu-west-1 ENV s t",
		at + keys + "AWS_DEFAULT_REGION=x-1":                  "http://here x-1 ENV s ",
		at:                                                    "http://here eu-west-1 DEFAULT s ",
		at + "AWS_ACCESS_KEY_ID=half":                         "http://here eu-west-1 DEFAULT s ",
		"AWS_PROFILE=lab " + keys:                             "http://lab.test us-west-2 LAB a=b ",
		at + "AWS_PROFILE=lab":                                "http://here us-west-2 LAB a=b ",
		at + "AWS_REGION=x-1 AWS_PROFILE=printed":             "http://here x-1 PRINTED s t",
		at + "AWS_REGION=x-1 AWS_PROFILE=broken":              "credential_process: exit status 3",
		at + "AWS_REGION=x-1 AWS_PROFILE=mute":                "it printed no keys",
		at + "AWS_REGION=x-1 AWS_PROFILE=sso":                 "aws configure export-credentials --profile sso",
		at + "AWS_PROFILE=nobody":                             "there is no profile nobody in " + home + "/.aws/config or ",
		at + "HOME=/nowhere " + keys:                          "set AWS_REGION",
		at + "HOME=/nowhere AWS_REGION=x-1":                   "set AWS_ACCESS_KEY_ID",
		"AWS_REGION=x-1":                                      "AWS_ENDPOINT_URL does not say",
		at + keys + "AWS_REGION=x-1 AWS_CA_BUNDLE=/nowhere/x": "trust the API: open /nowhere/x",
		at + keys + "AWS_CONFIG_FILE=" + home:                 "read the AWS settings: read " + home,
	} {
		if got := told("HOME=" + home + " " + env); !strings.Contains(got, want) {
			t.Errorf("%s\ngot  %s\nwant %s", env, got, want)
		}
	}
}

// told is what a client of an environment would use, or why there is none.
func told(variables string) string {
	env := map[string]string{}
	for _, pair := range strings.Fields(variables) {
		k, v, _ := strings.Cut(pair, "=")
		env[k] = v
	}
	c, err := caller.FromEnvironment(func(name string) string { return env[name] })
	if err != nil {
		return err.Error()
	}
	k, err := c.Keys(context.Background())
	if err != nil {
		return err.Error()
	}
	return strings.Join([]string{c.Endpoint, c.Region, k.ID, k.Secret, k.Token}, " ")
}
