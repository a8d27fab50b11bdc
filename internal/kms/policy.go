package kms

import (
	"encoding/json"

	"slipway.dev/slipway/internal/apprunner"
)

// PolicyName is the name of the one policy that a key has.
const PolicyName = "default"

type policyDocument struct {
	Version   string            `json:"Version"`
	ID        string            `json:"Id"`
	Statement []policyStatement `json:"Statement"`
}

type policyStatement struct {
	Sid       string                       `json:"Sid"`
	Effect    string                       `json:"Effect"`
	Principal map[string]string            `json:"Principal"`
	Action    any                          `json:"Action"`
	Resource  string                       `json:"Resource"`
	Condition map[string]map[string]string `json:"Condition,omitempty"`
}

func (d policyDocument) text() string {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return "" // strings and maps of strings can always be encoded
	}
	return string(b)
}

// defaultPolicy leaves it to the policies of the account who may use a key.
func defaultPolicy(account string) string {
	return policyDocument{"2012-10-17", "key-default-1", []policyStatement{{
		Sid: "Enable IAM User Permissions", Effect: "Allow", Principal: map[string]string{"AWS": "arn:aws:iam::" + account + ":root"},
		Action: "kms:*", Resource: "*",
	}}}.text()
}

// managedPolicy lets the account's identities use a managed key through its service, and look at it.
func managedPolicy(sc apprunner.Scope, service string) string {
	return policyDocument{"2012-10-17", "auto-" + service + "-1", []policyStatement{
		{
			Sid: "Allow access through the service for all principals in the account that are authorized to use it", Effect: "Allow",
			Principal: map[string]string{"AWS": "*"},
			Action:    []string{"kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey"}, Resource: "*",
			Condition: map[string]map[string]string{"StringEquals": {"kms:CallerAccount": sc.Account, "kms:ViaService": service + "." + sc.Region + ".amazonaws.com"}},
		},
		{
			Sid: "Allow direct access to key metadata to the account", Effect: "Allow", Principal: map[string]string{"AWS": "arn:aws:iam::" + sc.Account + ":root"},
			Action: []string{"kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"}, Resource: "*",
		},
	}}.text()
}
