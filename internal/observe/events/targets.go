package events

import (
	"context"
	"errors"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// PutTargets adds targets to a rule, and replaces those of the same ids. All are refused when one is wrong.
func (b *Bus) PutTargets(ctx context.Context, sc apprunner.Scope, rule string, targets []Target) error {
	for i, t := range targets {
		if err := b.checkTarget(sc, t); err != nil {
			return err
		}
		if slices.ContainsFunc(targets[:i], func(o Target) bool { return o.ID == t.ID }) {
			return invalid("The target id %s is there twice.", t.ID)
		}
	}
	err := b.changeThere(ctx, sc, rule, func(r *Rule) error {
		for _, t := range targets {
			r.Targets = slices.DeleteFunc(r.Targets, func(o Target) bool { return o.ID == t.ID })
			r.Targets = append(r.Targets, t)
		}
		if len(r.Targets) > maxTargets {
			return tooMany("targets of a rule", maxTargets)
		}
		slices.SortFunc(r.Targets, func(a, b Target) int { return strings.Compare(a.ID, b.ID) })
		return nil
	})
	if err == nil {
		b.warnOfUnserved(sc, rule, targets)
	}
	return err
}

// warnOfUnserved tells the operator of targets that nothing will be sent to.
func (b *Bus) warnOfUnserved(sc apprunner.Scope, rule string, targets []Target) {
	for _, t := range targets {
		if !b.serves(sc, t.ARN) {
			b.conf.Log.Warn("the target of a rule is kept, but nothing is sent to it: the setting event-targets gives no address for its ARN, or it is of another account",
				"rule", RuleARN(sc, rule), "target_id", t.ID, "target", t.ARN)
		}
	}
}

// serves tells whether events can be sent to an ARN: that of a log group of the same account and region, or of a web hook.
func (b *Bus) serves(sc apprunner.Scope, arn string) bool {
	_, isGroup := logGroup(sc, arn)
	return isGroup || b.hook(sc, arn) != nil
}

// hook is the web hook that stands for an ARN; nil when there is none, or when the ARN is of another account: nobody sends events into
// what is somebody else's.
func (b *Bus) hook(sc apprunner.Scope, arn string) *webhook {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) == 6 && parts[4] != "" && parts[4] != sc.Account {
		return nil
	}
	return b.hooks[arn]
}

// logGroup is the name in the ARN of a log group of a scope.
func logGroup(sc apprunner.Scope, arn string) (name string, is bool) {
	name, is = strings.CutPrefix(arn, "arn:aws:logs:"+sc.Region+":"+sc.Account+":log-group:")
	name = strings.TrimSuffix(name, ":*")
	return name, is && name != "" && !strings.Contains(name, ":")
}

func (b *Bus) checkTarget(sc apprunner.Scope, t Target) error {
	if !strings.HasPrefix(t.ARN, "arn:") || strings.Count(t.ARN, ":") < 5 {
		return invalid("Parameter %s is not valid. Reason: Provided Arn is not in correct format.", t.ARN)
	}
	if t.DeadLetter != "" && !b.serves(sc, t.DeadLetter) {
		return invalid("The dead-letter target %s of target %s is not served here: name a log group of this account and region, or an ARN that the setting event-targets gives an address for.", t.DeadLetter, t.ID)
	}
	if err := t.checkInput(); err != nil {
		return invalid("Invalid input for target %s: %v.", t.ID, err)
	}
	return nil
}

// checkInput tells what is wrong with what a target is to be sent.
func (t Target) checkInput() error {
	given := 0
	for _, is := range []bool{t.Input != "", t.InputPath != "", t.Transform != nil} {
		if is {
			given++
		}
	}
	if given > 1 {
		return errors.New("only one of Input, InputPath and InputTransformer is allowed")
	}
	_, err := t.shaper()
	return err
}

// RemoveTargets takes targets away from a rule, and with them what waits to be sent to them. Ids that are not there are given back.
func (b *Bus) RemoveTargets(ctx context.Context, sc apprunner.Scope, rule string, ids []string) (unknown []string, err error) {
	if err := b.mayChange(rule); err != nil {
		return nil, err
	}
	err = b.conf.DB.Update(ctx, func(tx *store.Tx) error {
		r, found, err := readRule(tx, sc, rule)
		if err != nil {
			return err
		}
		if !found {
			return noRule(rule)
		}
		unknown = nil
		for _, id := range ids {
			i := slices.IndexFunc(r.Targets, func(t Target) bool { return t.ID == id })
			if i < 0 {
				unknown = append(unknown, id)
				continue
			}
			r.Targets = slices.Delete(r.Targets, i, i+1)
			if err := dropDeliveries(tx, sc, rule, id); err != nil {
				return err
			}
		}
		return writeRule(tx, r)
	})
	return unknown, err
}

// RulesFor gives the names of the rules of a scope that have a target of an ARN.
func (b *Bus) RulesFor(ctx context.Context, sc apprunner.Scope, arn string) (names []string, err error) {
	all, err := b.Rules(ctx, sc)
	for _, r := range all {
		if slices.ContainsFunc(r.Targets, func(t Target) bool { return t.ARN == arn }) {
			names = append(names, r.Name)
		}
	}
	return names, err
}
