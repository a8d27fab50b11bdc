package e2e

import (
	"os/exec"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestGoSDK: the AWS SDK for Go creates, describes, updates and deletes, and does not repeat what was refused.
//
// checklist: 3
func TestGoSDK(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "by-go", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	s = s.Update(t, &apprunner.UpdateServiceInput{SourceConfiguration: rig.ImageSource("app", "v2", nil)}, types.ServiceStatusRunning)
	s.Says(t, "/", "hello v2")
	if _, err := h.Apps.CreateService(t.Context(), &apprunner.CreateServiceInput{ServiceName: aws.String("by-go"), SourceConfiguration: rig.ImageSource("app", "v1", nil)}); rig.Code(err) != "InvalidRequestException" {
		t.Errorf("a name that is taken: %v", err)
	}
	missing := "arn:aws:apprunner:us-east-1:123456789012:service/nobody/0123456789abcdef0123456789abcdef"
	if _, err := h.Apps.DescribeService(t.Context(), &apprunner.DescribeServiceInput{ServiceArn: &missing}); rig.Code(err) != "ResourceNotFoundException" {
		t.Errorf("a service that is not there: %v", err)
	}
	if _, err := h.Apps.DeleteService(t.Context(), &apprunner.DeleteServiceInput{ServiceArn: s.ServiceArn}); err != nil {
		t.Fatal(err)
	}
	h.Await(t, s.ARN(), types.ServiceStatusDeleted)
}

const botocore = `
import sys, time, botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError
attempts = []
client = botocore.session.get_session().create_client('apprunner', config=Config(retries={'mode': 'standard', 'max_attempts': 4}))
client.meta.events.register('before-send.apprunner', lambda **kw: attempts.append(kw['request'].headers['X-Amz-Target']))

def settle(arn, want):
    for _ in range(1200):
        s = client.describe_service(ServiceArn=arn)['Service']
        if s['Status'] != 'OPERATION_IN_PROGRESS':
            assert s['Status'] == want, s
            return s
        time.sleep(0.1)
    raise AssertionError('still in progress')

image = lambda tag: {'AutoDeploymentsEnabled': False, 'AuthenticationConfiguration': {'AccessRoleArn': sys.argv[1]},
    'ImageRepository': {'ImageIdentifier': sys.argv[2] + tag, 'ImageRepositoryType': 'ECR'}}
made = client.create_service(ServiceName='by-python', SourceConfiguration=image('v1'), InstanceConfiguration={'Cpu': '256', 'Memory': '512'})
arn = made['Service']['ServiceArn']
assert made['Service']['Status'] == 'OPERATION_IN_PROGRESS' and made['OperationId'], made
try:
    before = len(attempts)
    client.create_service(ServiceName='by-python', SourceConfiguration=image('v1'))
    raise AssertionError('the name is taken twice')
except client.exceptions.InvalidRequestException:
    assert len(attempts) == before + 1, 'a refusal was tried again'
settle(arn, 'RUNNING')
client.update_service(ServiceArn=arn, SourceConfiguration=image('v2'))
s = settle(arn, 'RUNNING')
assert s['SourceConfiguration']['ImageRepository']['ImageIdentifier'].endswith('v2'), s
assert s['CreatedAt'].year > 2000 and s['NetworkConfiguration']['EgressConfiguration']['EgressType'] == 'DEFAULT', s
ops = client.list_operations(ServiceArn=arn)['OperationSummaryList']
assert [o['Type'] for o in ops] == ['UPDATE_SERVICE', 'CREATE_SERVICE'], ops
client.delete_service(ServiceArn=arn)
settle(arn, 'DELETED')
print('done')
`

// TestPythonSDK does the same with botocore, which is under boto3 and the AWS CLI.
//
// checklist: 3
func TestPythonSDK(t *testing.T) {
	t.Parallel()
	if err := exec.Command("python3", "-c", "import botocore.session").Run(); err != nil {
		t.Skip("python3 has no botocore")
	}
	h := theHouse(t)
	cmd := exec.CommandContext(t.Context(), "python3", "-c", botocore, rig.AccessRole, rig.Identifier("app", ""))
	cmd.Env = h.Environ()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
