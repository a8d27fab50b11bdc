package wire_test

import (
	"errors"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/wire"
	"slipway.dev/slipway/internal/wire/apprunner"
	"slipway.dev/slipway/internal/wire/iam"
	"slipway.dev/slipway/internal/wire/sts"
)

func check(t *testing.T, s *wire.Service, op, body string) error {
	t.Helper()
	in, err := decodeJSON(s, op, body)
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(s.Operation(op), in)
}

const goodSource = `"SourceConfiguration":{"ImageRepository":{"ImageIdentifier":"public.ecr.aws/a/b:1","ImageRepositoryType":"ECR_PUBLIC"}}`

func TestConstraintMessages(t *testing.T) {
	for _, tc := range []struct{ name, body, want string }{
		{
			"too short, and so not of the pattern", `{"ServiceName":"x",` + goodSource + `}`,
			"2 validation errors detected: Value 'x' at 'serviceName' failed to satisfy constraint: Member must have length greater than or equal to 4; " +
				"Value 'x' at 'serviceName' failed to satisfy constraint: Member must satisfy regular expression pattern: [A-Za-z0-9][A-Za-z0-9-_]{3,39}",
		},
		{
			"required", `{"ServiceName":"web-1"}`,
			"1 validation error detected: Value null at 'sourceConfiguration' failed to satisfy constraint: Member must not be null",
		},
		{
			"required inside", `{"ServiceName":"web-1","SourceConfiguration":{"ImageRepository":{"ImageRepositoryType":"ECR"}}}`,
			"1 validation error detected: Value null at 'sourceConfiguration.imageRepository.imageIdentifier' failed to satisfy constraint: Member must not be null",
		},
		{
			"enum", `{"ServiceName":"web-1","SourceConfiguration":{"ImageRepository":{"ImageIdentifier":"public.ecr.aws/a/b","ImageRepositoryType":"DOCKER"}}}`,
			"1 validation error detected: Value 'DOCKER' at 'sourceConfiguration.imageRepository.imageRepositoryType' failed to satisfy constraint: Member must satisfy enum value set: [ECR, ECR_PUBLIC]",
		},
		{
			"range", `{"ServiceName":"web-1",` + goodSource + `,"HealthCheckConfiguration":{"Interval":0,"Timeout":21}}`,
			"2 validation errors detected: Value '0' at 'healthCheckConfiguration.interval' failed to satisfy constraint: Member must have value greater than or equal to 1; " +
				"Value '21' at 'healthCheckConfiguration.timeout' failed to satisfy constraint: Member must have value less than or equal to 20",
		},
		{
			"inside a list", `{"ServiceName":"web-1",` + goodSource + `,"Tags":[{"Key":"a"},{"Key":"aws:b"}]}`,
			"1 validation error detected: Value 'aws:b' at 'tags.2.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?!aws:).+",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := check(t, &apprunner.API, "CreateService", tc.body)
			var verr *wire.ValidationError
			if !errors.As(err, &verr) || verr.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestSensitiveValuesAreNotInMessages(t *testing.T) {
	long := strings.Repeat("k", 60_000)
	err := check(t, &apprunner.API, "CreateService", `{"ServiceName":"web-1","SourceConfiguration":{"ImageRepository":{"ImageIdentifier":"public.ecr.aws/a/b",
		"ImageRepositoryType":"ECR_PUBLIC","ImageConfiguration":{"StartCommand":"hush\nhush","RuntimeEnvironmentVariables":{"`+long+`":"`+long+`"}}}}}`)
	var verr *wire.ValidationError
	if !errors.As(err, &verr) || verr.Total != 3 {
		t.Fatalf("got %v", err)
	}
	if s := err.Error(); strings.Contains(s, "hush") || strings.Contains(s, "kkk") || !strings.Contains(s, "Value at 'sourceConfiguration.imageRepository.imageConfiguration.startCommand'") {
		t.Errorf("got %s", s)
	}
}

func TestManyFailuresAreCounted(t *testing.T) {
	tags := strings.Repeat(`{"Key":""},`, 49) + `{"Key":""}`
	var verr *wire.ValidationError
	if !errors.As(check(t, &apprunner.API, "CreateService", `{"ServiceName":"web-1",`+goodSource+`,"Tags":[`+tags+`]}`), &verr) {
		t.Fatal("accepted")
	}
	if len(verr.Failures) != 10 || verr.Total != 100 {
		t.Errorf("%d of %d failures", len(verr.Failures), verr.Total)
	}
}

func TestUpdateMayLeaveOutRequiredMembersOfTheRepository(t *testing.T) {
	for _, body := range []string{
		`"SourceConfiguration":{"ImageRepository":{"ImageConfiguration":{"Port":"9000"}}}`,
		`"SourceConfiguration":{"CodeRepository":{"SourceCodeVersion":{"Value":"next"}}}`,
		`"SourceConfiguration":{"CodeRepository":{"CodeConfiguration":{"CodeConfigurationValues":{"BuildCommand":""}}}}`,
	} {
		if err := check(t, &apprunner.API, "UpdateService", `{"ServiceArn":"arn:aws:apprunner:us-east-1:123456789012:service/web-1",`+body+`}`); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if err := check(t, &apprunner.API, "CreateService", `{"ServiceName":"web-1",`+body+`}`); err == nil {
			t.Errorf("%s: a creation needs them", body)
		}
	}
	err := check(t, &apprunner.API, "UpdateService", `{"ObservabilityConfiguration":{}}`)
	var verr *wire.ValidationError
	if !errors.As(err, &verr) || verr.Total != 2 {
		t.Errorf("other required members stay required: %v", err)
	}
}

// Appendix B of the specification: the patterns of the model that Go cannot run, or that say more than they mean.
func TestSpecialPatterns(t *testing.T) {
	arn := "arn:aws:apprunner:us-east-1:123456789012:service/"
	for _, tc := range []struct {
		s     *wire.Service
		shape string
		good  []string
		bad   []string
	}{
		{&apprunner.API, "TagKey", []string{"a", "aw", "aws", "awsx", "AWS:x", "x aws:", "日本"}, []string{"", "aws:", "aws:x"}},
		{
			&apprunner.API, "AppRunnerResourceArn",
			[]string{arn + "web", arn + strings.Repeat("a", 1011-len(arn)), "arn:aws-cn:apprunner:cn-north-1:123456789012:service/web/0123"},
			[]string{"", "web", "x" + arn + "web", arn + "web!", "arn:aws:apprunner:us-east-1:12345678901:service/web", arn + strings.Repeat("a", 1012-len(arn))},
		},
		{&apprunner.API, "Cpu", []string{"256", "512", "1024", "2048", "4096", "0.25 vCPU", "0.5 vCPU", "1 vCPU", "2 vCPU", "4 vCPU"}, []string{"", "0x25 vCPU", "1vCPU", "3 vCPU", "1", "1000", "1 vCPU "}},
		{&apprunner.API, "Memory", []string{"512", "12288", "0.5 GB", "1 GB", "12 GB"}, []string{"0x5 GB", "5 GB", "2", "2048 GB", "2GB"}},
		{&apprunner.API, "BuildCommand", []string{"", "make all"}, []string{"a\nb", "a\r"}},
		{&apprunner.API, "StartCommand", []string{"./run"}, []string{"", "a\nb"}},
		{&apprunner.API, "RuntimeEnvironmentVariablesValue", []string{"", "two\nlines"}, []string{strings.Repeat("ä", 51201)}},
		{&apprunner.API, "SourceDirectory", []string{"/", "a/b", strings.Repeat("ä", 4096)}, []string{"", "a\x00b", strings.Repeat("a", 4097)}},
		{
			&apprunner.API, "ImageIdentifier",
			[]string{
				"123456789012.dkr.ecr.us-east-1.amazonaws.com/web", "123456789012.dkr.ecr.eu-west-3.amazonaws.com/team/web:v1.2",
				"123456789012.dkr.ecr.us-east-1.amazonaws.com/web@sha256:abc", "public.ecr.aws/nginx/nginx:latest", "public.ecr.aws/a/b/c@sha256:00",
			},
			[]string{"nginx", "docker.io/library/nginx", "123456789012xdkr.ecr.us-east-1.amazonaws.com/web", "123456789012.dkr.ecr.us-east-1.amazonaws.com/Web", "x public.ecr.aws/a/b", "public.ecr.aws/a/b:"},
		},
		{&apprunner.API, "ServiceName", []string{"web1", "a-_b", strings.Repeat("a", 40)}, []string{"web", "-web", "web.1", "web1\n", strings.Repeat("a", 41)}},
		{&apprunner.API, "RoleArn", []string{"arn:aws:iam::123456789012:role/instance", "arn:aws:iam::123456789012:role/service-role/x/y"}, []string{"arn:aws:iam::123456789012:user/instance"}},
		{&iam.API, "policyDocumentType", []string{"{}\n", "ü"}, []string{"", "日本"}},
		{&sts.API, "roleSessionNameType", []string{"me@example.com"}, []string{"a b", "x"}},
	} {
		for _, v := range tc.good {
			if err := holds(t, tc.s, tc.shape, v); err != nil {
				t.Errorf("%s refuses %.60q: %v", tc.shape, v, err)
			}
		}
		for _, v := range tc.bad {
			if holds(t, tc.s, tc.shape, v) == nil {
				t.Errorf("%s accepts %.60q", tc.shape, v)
			}
		}
	}
}

// holds checks one value against one shape, as the member of a request made for it.
func holds(t *testing.T, s *wire.Service, shape, value string) error {
	t.Helper()
	for i := range s.Shapes {
		if s.Shapes[i].Name != shape {
			continue
		}
		type request struct{ V *string }
		probe := *s
		probe.Shapes = append(append([]wire.Shape(nil), s.Shapes...), wire.Shape{Kind: wire.Structure, Members: []wire.Member{{Name: "V", Shape: wire.Ref(i)}}})
		return probe.Validate(&wire.Operation{Input: wire.Ref(len(s.Shapes))}, &request{V: &value})
	}
	t.Fatalf("no shape %s", shape)
	return nil
}

// Every pattern of every model compiles and can be asked.
func TestAllPatternsCompile(t *testing.T) {
	for _, s := range services {
		for _, sh := range s.Shapes {
			if sh.Pattern != nil {
				sh.Pattern.Match("x")
			}
		}
	}
}
