package api

import (
	"maps"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/observe"
)

// resourceMembers name resources, by the type CloudTrail gives them. The key is the signing name of the API and the member.
var resourceMembers = map[string]string{
	"apprunner/serviceArn": "AWS::AppRunner::Service", "apprunner/serviceName": "AWS::AppRunner::Service",
	"apprunner/connectionArn": "AWS::AppRunner::Connection", "apprunner/connectionName": "AWS::AppRunner::Connection",
	"slipway/connectionArn": "AWS::AppRunner::Connection", "slipway/connectionName": "AWS::AppRunner::Connection",
	"apprunner/autoScalingConfigurationArn":    "AWS::AppRunner::AutoScalingConfiguration",
	"apprunner/autoScalingConfigurationName":   "AWS::AppRunner::AutoScalingConfiguration",
	"apprunner/observabilityConfigurationArn":  "AWS::AppRunner::ObservabilityConfiguration",
	"apprunner/observabilityConfigurationName": "AWS::AppRunner::ObservabilityConfiguration",
	"apprunner/vpcConnectorArn":                "AWS::AppRunner::VpcConnector", "apprunner/vpcConnectorName": "AWS::AppRunner::VpcConnector",
	"apprunner/vpcIngressConnectionArn": "AWS::AppRunner::VpcIngressConnection", "apprunner/vpcIngressConnectionName": "AWS::AppRunner::VpcIngressConnection",
	"apprunner/instanceRoleArn": "AWS::IAM::Role", "apprunner/accessRoleArn": "AWS::IAM::Role",
	"iam/roleName": "AWS::IAM::Role", "iam/userName": "AWS::IAM::User", "iam/groupName": "AWS::IAM::Group", "iam/policyArn": "AWS::IAM::Policy",
	"iam/accessKeyId": "AWS::IAM::AccessKey", "sts/roleArn": "AWS::IAM::Role", "sts/accessKeyId": "AWS::STS::AccessKey",
	"ecr/repositoryName": "AWS::ECR::Repository", "logs/logGroupName": "AWS::Logs::LogGroup", "logs/logStreamName": "AWS::Logs::LogStream",
	"wafv2/webACLArn": "AWS::WAFv2::WebACL", "cloudtrail/trailARN": "AWS::CloudTrail::Trail", "cloudtrail/trailName": "AWS::CloudTrail::Trail",
	"acm/certificateArn": "AWS::ACM::Certificate", "events/ruleArn": "AWS::Events::Rule", "events/rule": "AWS::Events::Rule", "events/name": "AWS::Events::Rule",
	"kms/keyId": "AWS::KMS::Key", "kms/targetKeyId": "AWS::KMS::Key", "kms/sourceKeyId": "AWS::KMS::Key", "kms/destinationKeyId": "AWS::KMS::Key", "kms/aliasName": "AWS::KMS::Alias",
	"secretsmanager/secretId": "AWS::SecretsManager::Secret", "secretsmanager/name": "AWS::SecretsManager::Secret", "ssm/name": "AWS::SSM::Parameter",
	"monitoring/alarmName": "AWS::CloudWatch::Alarm", "monitoring/dashboardName": "AWS::CloudWatch::Dashboard",
	"ec2/vpcId": "AWS::EC2::VPC", "ec2/subnetId": "AWS::EC2::Subnet", "ec2/groupId": "AWS::EC2::SecurityGroup", "ec2/vpcEndpointId": "AWS::EC2::VPCEndpoint",
	"ec2/routeTableId": "AWS::EC2::RouteTable", "ec2/internetGatewayId": "AWS::EC2::InternetGateway", "ec2/natGatewayId": "AWS::EC2::NatGateway",
	"ec2/allocationId": "AWS::EC2::EIP", "ec2/networkInterfaceId": "AWS::EC2::NetworkInterface",
}

// arnTypes are the types of resources that a member for any ARN names.
var arnTypes = map[string]string{
	"apprunner:service": "AWS::AppRunner::Service", "apprunner:connection": "AWS::AppRunner::Connection",
	"apprunner:autoscalingconfiguration": "AWS::AppRunner::AutoScalingConfiguration", "apprunner:observabilityconfiguration": "AWS::AppRunner::ObservabilityConfiguration",
	"apprunner:vpcconnector": "AWS::AppRunner::VpcConnector", "apprunner:vpcingressconnection": "AWS::AppRunner::VpcIngressConnection",
	"ecr:repository": "AWS::ECR::Repository", "logs:log-group": "AWS::Logs::LogGroup", "cloudtrail:trail": "AWS::CloudTrail::Trail",
	"events:rule": "AWS::Events::Rule", "cloudwatch:alarm": "AWS::CloudWatch::Alarm", "cloudwatch:dashboard": "AWS::CloudWatch::Dashboard",
}

// maxResources is how many resources one record names.
const maxResources = 32

// resourcesIn finds what a call was about in its parameters and its answer, in the form of a record.
func resourcesIn(s *Service, values ...any) (found []observe.AuditResource) {
	if s == nil {
		return nil
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				if text, ok := v[name].(string); ok {
					r := observe.AuditResource{Type: resourceType(s.API.SigningName, name, text), Name: clip(text, 1024)}
					if r.Type != "" && text != "" && len(found) < maxResources && !slices.Contains(found, r) {
						found = append(found, r)
					}
					continue
				}
				walk(v[name])
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	for _, v := range values {
		walk(v)
	}
	return found
}

func resourceType(service, member, value string) string {
	if member != "resourceArn" && member != "resourceARN" && member != "resourceId" {
		return resourceMembers[service+"/"+member]
	}
	parts := strings.SplitN(value, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	kind, _, _ := strings.Cut(strings.ReplaceAll(parts[5], ":", "/"), "/")
	return arnTypes[parts[2]+":"+kind]
}
