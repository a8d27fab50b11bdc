package apprunner

// Action is a mutating or reading App Runner action on a service, as the action × status table names it (§5.3).
type Action string

// The actions of the table that depend on the service's status.
const (
	ActDescribe        Action = "DescribeService"
	ActListOperations  Action = "ListOperations"
	ActTags            Action = "TagResource" // and UntagResource, ListTagsForResource
	ActUpdate          Action = "UpdateService"
	ActStartDeployment Action = "StartDeployment"
	ActPause           Action = "PauseService"
	ActResume          Action = "ResumeService"
	ActDelete          Action = "DeleteService"
	ActMaintain        Action = "Maintenance" // by the operator; the API has no such action

	ActDescribeDomains    Action = "DescribeCustomDomains"
	ActAssociateDomain    Action = "AssociateCustomDomain"
	ActDisassociateDomain Action = "DisassociateCustomDomain"
	ActCreateIngress      Action = "CreateVpcIngressConnection"
)

// Verdict is what an action does in a status.
type Verdict int

// The verdicts of the table.
const (
	VerdictOK             Verdict = iota // accepted
	VerdictSame                          // accepted without effect
	VerdictInvalidState                  // InvalidStateException
	VerdictInvalidRequest                // InvalidRequestException
	VerdictNotFound                      // ResourceNotFoundException
)

// Judge looks an action up in the table of §5.3. Deleted services are still described while they are kept.
func Judge(a Action, s ServiceStatus) Verdict {
	switch a {
	case ActDescribe, ActListOperations:
		return VerdictOK
	case ActTags, ActUpdate, ActStartDeployment, ActPause, ActResume, ActDelete, ActMaintain, ActDescribeDomains, ActAssociateDomain,
		ActDisassociateDomain, ActCreateIngress:
	}
	if s == StatusDeleted {
		return VerdictNotFound
	}
	allowed := map[Action]map[ServiceStatus]Verdict{
		ActUpdate:          {StatusRunning: VerdictOK, StatusCreateFailed: VerdictOK},
		ActStartDeployment: {StatusRunning: VerdictOK},
		ActMaintain:        {StatusRunning: VerdictOK},
		ActPause:           {StatusRunning: VerdictOK, StatusPaused: VerdictSame},
		ActResume:          {StatusPaused: VerdictOK, StatusRunning: VerdictSame},
		ActDelete: {
			StatusRunning: VerdictOK, StatusPaused: VerdictOK, StatusCreateFailed: VerdictOK, StatusDeleteFailed: VerdictOK,
		},
		ActAssociateDomain:    {StatusRunning: VerdictOK},
		ActDisassociateDomain: {StatusRunning: VerdictOK, StatusCreateFailed: VerdictOK, StatusDeleteFailed: VerdictOK},
		ActCreateIngress:      {StatusRunning: VerdictOK},
	}
	if a == ActTags || a == ActDescribeDomains {
		return VerdictOK
	}
	if v, ok := allowed[a][s]; ok {
		return v
	}
	if a == ActStartDeployment { // its model has no InvalidStateException (§1.3)
		return VerdictInvalidRequest
	}
	return VerdictInvalidState
}
