package api

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/iam"
)

func (a *identity) addSimulation(m map[string]Action) {
	m["SimulateCustomPolicy"] = query(a, "SimulateCustomPolicy", a.simulateCustom)
	m["SimulatePrincipalPolicy"] = action(a.maySimulate, a.simulatePrincipal)
}

// sourced are policies of a request, which go by their place in it.
func sourced(list []string, name string) []iam.SourcedPolicy {
	out := make([]iam.SourcedPolicy, len(list))
	for i, text := range list {
		out[i] = iam.SourcedPolicy{ID: fmt.Sprintf("%s.%d", name, i+1), Type: wire.PolicySourceTypeNone, Text: text}
	}
	return out
}

func contextOf(entries []wire.ContextEntry) map[string][]string {
	out := map[string][]string{}
	for _, e := range entries {
		out[val(e.ContextKeyName)] = e.ContextKeyValues
	}
	return out
}

func (a *identity) simulateCustom(_ context.Context, c Call, in *wire.SimulateCustomPolicyRequest) (*wire.SimulatePolicyResponse, error) {
	ask := iam.SimulateInput{
		Policies: sourced(in.PolicyInputList, "PolicyInputList"), ResourcePolicy: val(in.ResourcePolicy), CallerARN: or(in.CallerArn, c.Principal.ARN),
		Actions: in.ActionNames, Resources: in.ResourceArns, Context: contextOf(in.ContextEntries),
	}
	if len(in.PermissionsBoundaryPolicyInputList) > 0 {
		ask.Boundary = sourced(in.PermissionsBoundaryPolicyInputList, "PermissionsBoundaryPolicyInputList")
	}
	results, truncated, next, err := simulate(ask, in.Marker, in.MaxItems)
	return &wire.SimulatePolicyResponse{EvaluationResults: results, IsTruncated: truncated, Marker: next}, err
}

func or(p *string, otherwise string) string {
	if p != nil && *p != "" {
		return *p
	}
	return otherwise
}

// maySimulate asks about the entity whose policies are to be tried.
func (a *identity) maySimulate(_ context.Context, _ Call, in *wire.SimulatePrincipalPolicyRequest) ([]iam.Request, error) {
	return []iam.Request{{Action: "iam:SimulatePrincipalPolicy", Resource: or(in.PolicySourceArn, "*")}}, nil
}

func (a *identity) simulatePrincipal(ctx context.Context, c Call, in *wire.SimulatePrincipalPolicyRequest) (*wire.SimulatePolicyResponse, error) {
	ask, keys, err := a.dir.PoliciesOf(ctx, c.Scope.Account, val(in.PolicySourceArn))
	if err != nil {
		return nil, err
	}
	ask.Policies = append(ask.Policies, sourced(in.PolicyInputList, "PolicyInputList")...)
	ask.Policies = slices.DeleteFunc(ask.Policies, func(p iam.SourcedPolicy) bool {
		return slices.ContainsFunc(in.PolicyExclusionList, func(e wire.PolicyIdentifier) bool { return excludes(e, p) })
	})
	if len(in.PermissionsBoundaryPolicyInputList) > 0 {
		ask.Boundary = sourced(in.PermissionsBoundaryPolicyInputList, "PermissionsBoundaryPolicyInputList")
	}
	maps.Copy(keys, contextOf(in.ContextEntries))
	ask.Actions, ask.Resources, ask.Context, ask.ResourcePolicy = in.ActionNames, in.ResourceArns, keys, val(in.ResourcePolicy)
	ask.CallerARN = or(in.CallerArn, ask.CallerARN)
	results, truncated, next, err := simulate(ask, in.Marker, in.MaxItems)
	return &wire.SimulatePolicyResponse{EvaluationResults: results, IsTruncated: truncated, Marker: next}, err
}

// excludes tells whether a request leaves a policy of the entity out: a managed one by its ARN, an inline one by its place.
func excludes(e wire.PolicyIdentifier, p iam.SourcedPolicy) bool {
	if in := e.InlinePolicyIdentifier; in != nil {
		return p.ID == strings.ToLower(val(in.AttachmentType))+"_"+val(in.AttachmentName)+"_"+val(in.PolicyName)
	}
	return p.ARN != "" && p.ARN == val(e.PolicyArn)
}

// maxSimulated is how many pairs of action and resource one request may ask about.
const maxSimulated = 10_000

func simulate(in iam.SimulateInput, marker *string, limit *int32) ([]wire.EvaluationResult, *bool, *string, error) {
	if len(in.Actions)*max(1, len(in.Resources)) > maxSimulated {
		return nil, nil, nil, apprunner.Errorf(iam.CodeInvalidInput, "The request asks about more than %d pairs of action and resource.", maxSimulated)
	}
	all, err := iam.SimulatePolicies(in)
	if err != nil {
		return nil, nil, nil, err
	}
	results := make([]numbered, len(all))
	for i, s := range all {
		results[i] = numbered{place(i), s}
	}
	results, truncated, next, err := cut(results, func(n numbered) string { return n.place }, marker, limit)
	if err != nil {
		return nil, nil, nil, err
	}
	out := make([]wire.EvaluationResult, len(results))
	for i, r := range results {
		out[i] = evaluationOut(r.Simulation)
	}
	return out, truncated, next, nil
}

type numbered struct {
	place string
	iam.Simulation
}

func evaluationOut(s iam.Simulation) wire.EvaluationResult {
	decision := map[iam.Decision]string{
		iam.Allow: wire.PolicyEvaluationDecisionTypeAllowed, iam.ExplicitDeny: wire.PolicyEvaluationDecisionTypeExplicitDeny,
		iam.ImplicitDeny: wire.PolicyEvaluationDecisionTypeImplicitDeny,
	}[s.Decision]
	out := wire.EvaluationResult{
		EvalActionName: &s.Action, EvalResourceName: &s.Resource, EvalDecision: &decision,
		MatchedStatements: []wire.Statement{}, MissingContextValues: slices.Concat([]string{}, s.Missing),
	}
	for _, m := range s.Matched {
		out.MatchedStatements = append(out.MatchedStatements, wire.Statement{SourcePolicyId: &m.ID, SourcePolicyType: &m.Type})
	}
	if s.AllowedByBoundary != nil {
		out.PermissionsBoundaryDecisionDetail = &wire.PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: s.AllowedByBoundary}
	}
	if s.AllowedByLimits != nil {
		out.OrganizationsDecisionDetail = &wire.OrganizationsDecisionDetail{AllowedByOrganizations: s.AllowedByLimits}
	}
	return out
}
