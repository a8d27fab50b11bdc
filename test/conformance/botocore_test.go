package conformance

import (
	"strings"
	"testing"
)

// Every action of IAM, STS, ECR, CloudWatch Logs, CloudTrail and EC2 through botocore, whose own models judge the answers: no member it
// does not know, none missing that must be there, and the error classes it has. The story is in botocore_story.py.
//
// checklist: 3, 12, 13, 167, 170, 193, 194, 205, 210, 212, 217
func TestBotocore(t *testing.T) {
	f := serve(t)
	if out, ok := f.run(t, "", "python3", "-c", "import botocore"); !ok {
		t.Skip("botocore is not installed: ", out)
	}
	out, ok := f.run(t, f.servedJSON(t), "python3", "botocore_story.py")
	if !ok {
		t.Fatal(out)
	}
	t.Log(strings.TrimSpace(out))
}
