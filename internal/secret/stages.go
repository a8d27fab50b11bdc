package secret

import (
	"slices"

	"slipway.dev/slipway/internal/apprunner"
)

// add gives the secret a version with stages, which it takes from the versions that had them. The one that was current becomes the
// previous one. Versions without stages go, oldest first, when there are too many; dropped are their ids.
func (s *Secret) add(v Version, stages []string) (dropped []string, err error) {
	if len(s.Versions) == 0 && !slices.Contains(stages, StageCurrent) {
		stages = append(slices.Clone(stages), StageCurrent) // the first value is the current one, whatever else it is
	}
	s.Versions = append(slices.Clone(s.Versions), v)
	for _, stage := range stages {
		s.move(stage, len(s.Versions)-1)
	}
	if n := len(s.Versions[len(s.Versions)-1].Stages); n > maxStages {
		return nil, apprunner.Errorf(CodeLimitExceeded, "A version may have at most %d stages; this one would have %d.", maxStages, n)
	}
	for len(s.Versions) > maxVersions {
		i := slices.IndexFunc(s.Versions, func(v Version) bool { return len(v.Stages) == 0 })
		if i < 0 {
			return nil, apprunner.Errorf(CodeLimitExceeded, "A secret may have at most %d versions with stages. Take the stages from those that are not needed.", maxVersions)
		}
		dropped = append(dropped, s.Versions[i].ID)
		s.Versions = slices.Delete(s.Versions, i, i+1)
	}
	return dropped, nil
}

// move gives a stage to the version at index to and takes it from the one that had it; -1 only takes it away.
func (s *Secret) move(stage string, to int) {
	from := s.staged(stage)
	if from == to {
		return
	}
	s.drop(stage)
	if to >= 0 {
		s.Versions[to].Stages = append(slices.Clone(s.Versions[to].Stages), stage)
	}
	if stage == StageCurrent && from >= 0 {
		s.move(StagePrevious, from)
	}
}

func (s *Secret) drop(stage string) {
	for i := range s.Versions {
		if at := slices.Index(s.Versions[i].Stages, stage); at >= 0 {
			s.Versions[i].Stages = slices.Delete(slices.Clone(s.Versions[i].Stages), at, at+1)
		}
	}
}

// restage moves a stage as UpdateSecretVersionStage asks: from, where given, must be the version that has it.
func (s *Secret) restage(stage, from, to string) error {
	has := s.staged(stage)
	target := -1
	if to != "" {
		if target = s.version(to); target < 0 {
			return apprunner.Errorf(apprunner.CodeNotFound, "Secrets Manager can't find the specified secret value for VersionId: %s", to)
		}
	}
	switch {
	case from == "" && to == "":
		return invalid("RemoveFromVersionId or MoveToVersionId is required: they say which version loses the stage %s and which one gets it.", stage)
	case from != "" && (has < 0 || s.Versions[has].ID != from):
		return invalid("The parameter RemoveFromVersionId can't be %s. Staging label %s isn't currently attached to that version.", from, stage)
	case from == "" && has >= 0 && has != target:
		return invalid("The parameter RemoveFromVersionId can't be empty. Staging label %s is currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", stage, s.Versions[has].ID)
	case to == "" && stage == StageCurrent:
		return invalid("You can only move staging label %s to a different secret version. It can't be completely removed.", stage)
	}
	s.move(stage, target)
	if target >= 0 && len(s.Versions[target].Stages) > maxStages {
		return apprunner.Errorf(CodeLimitExceeded, "A version may have at most %d stages.", maxStages)
	}
	return nil
}
