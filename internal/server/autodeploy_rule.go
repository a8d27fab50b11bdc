package server

import (
	"context"
	"encoding/json"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/image"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/observe/events"
	"slipway.dev/slipway/internal/observe/events/pattern"
	"slipway.dev/slipway/internal/store"
)

// managedRules are the rules by which pushed images start deployments (§8.1): one for each service that follows a tag.
func managedRules(tx *store.Tx, sc apprunner.Scope) (rules []events.Rule, err error) {
	services, err := tx.Services(sc)
	for _, s := range services {
		if r, follows := pushRule(s); follows {
			rules = append(rules, r)
		}
	}
	return rules, err
}

// pushRule is the rule of a service that deploys the images pushed to a tag of this installation's registry.
func pushRule(s apprunner.Service) (r events.Rule, follows bool) {
	img := s.Source.Image
	if img == nil || !s.Source.AutoDeployments || img.Type != apprunner.ImageECR || s.Status == apprunner.StatusDeleted {
		return r, false
	}
	sc, ok := apprunner.ECRAccount(img.Identifier)
	_, rest, _ := strings.Cut(img.Identifier, "/")
	repository, tag, tagged := strings.Cut(rest, ":")
	if !tagged {
		tag = "latest"
	}
	if !ok || sc.Account != s.Account || strings.Contains(rest, "@") {
		return r, false
	}
	text, err := json.Marshal(map[string]any{
		"source": []string{ecrSource}, "detail-type": []string{pushType}, "account": []string{sc.Account}, "region": []string{sc.Region},
		"detail": map[string]any{"action-type": []string{"PUSH"}, "result": []string{"SUCCESS"}, "repository-name": []string{repository}, "image-tag": []string{tag}},
	})
	if err != nil {
		return r, false // texts have a form in JSON
	}
	return events.Rule{
		Scope: s.Scope, Name: events.ManagedPrefix + "-" + s.ID, Description: "Starts a deployment of the service " + s.Name + " when an image is pushed.",
		Pattern: string(text), Enabled: true, ManagedBy: servicesPrincipal, CreatedBy: s.Account, Targets: []events.Target{{ID: "service", ARN: s.ARN()}},
	}, true
}

// Events about images (adjacent §3.3).
const (
	ecrSource = "aws.ecr"
	pushType  = "ECR Image Action"
)

// pushEvent is the event that tells of a push or a deletion.
func pushEvent(e image.PushEvent) observe.BusEvent {
	detail := map[string]any{"action-type": "PUSH", "result": "SUCCESS", "repository-name": e.Repository, "image-digest": e.Digest}
	if e.Tag != "" {
		detail["image-tag"] = e.Tag
	}
	if e.Deleted {
		detail["action-type"] = "DELETE"
	}
	return observe.BusEvent{Scope: e.Scope, Time: e.At, Source: ecrSource, DetailType: pushType, Resources: []string{}, Detail: detail}
}

// parsedPush is the event about a push as patterns look at it.
func parsedPush(e image.PushEvent) (map[string]any, error) {
	b, err := json.Marshal(pushEvent(e))
	if err != nil {
		return nil, err
	}
	return pattern.Parse(b)
}

// announcePush puts the event about a push on the bus.
func (s *System) announcePush(ctx context.Context, e image.PushEvent) {
	err := s.db.Update(ctx, func(tx *store.Tx) error { return observe.EmitEvent(tx, pushEvent(e)) })
	if err != nil && ctx.Err() == nil {
		s.log.Error("tell of an image push", "repository", e.Repository, "tag", e.Tag, "err", err)
	}
}
