package api

import (
	"context"

	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/iam"
)

func (a *identity) addLinkedRoles(m map[string]Action) {
	m["CreateServiceLinkedRole"] = query(a, "CreateServiceLinkedRole", a.createServiceLinkedRole)
	m["DeleteServiceLinkedRole"] = query(a, "DeleteServiceLinkedRole", a.deleteServiceLinkedRole)
	m["GetServiceLinkedRoleDeletionStatus"] = action(a.mayAskDeletion, a.deletionStatus)
}

func (a *identity) createServiceLinkedRole(ctx context.Context, c Call, in *wire.CreateServiceLinkedRoleRequest) (*wire.CreateServiceLinkedRoleResponse, error) {
	r, err := a.dir.CreateServiceLinkedRole(ctx, c.Scope.Account, val(in.AWSServiceName), val(in.Description))
	if err != nil {
		return nil, err
	}
	return &wire.CreateServiceLinkedRoleResponse{Role: roleOut(r)}, nil
}

func (a *identity) deleteServiceLinkedRole(ctx context.Context, c Call, in *wire.DeleteServiceLinkedRoleRequest) (*wire.DeleteServiceLinkedRoleResponse, error) {
	id, err := a.dir.DeleteServiceLinkedRole(ctx, c.Scope.Account, val(in.RoleName), a.InUse)
	if err != nil {
		return nil, err
	}
	return &wire.DeleteServiceLinkedRoleResponse{DeletionTaskId: &id}, nil
}

// mayAskDeletion asks about the role that the task is about, whose path the task's id holds.
func (a *identity) mayAskDeletion(_ context.Context, c Call, in *wire.GetServiceLinkedRoleDeletionStatusRequest) ([]iam.Request, error) {
	return []iam.Request{{Action: "iam:GetServiceLinkedRoleDeletionStatus", Resource: iam.TaskRole(c.Scope.Account, val(in.DeletionTaskId))}}, nil
}

func (a *identity) deletionStatus(ctx context.Context, c Call, in *wire.GetServiceLinkedRoleDeletionStatusRequest) (*wire.GetServiceLinkedRoleDeletionStatusResponse, error) {
	task, err := a.dir.Deletion(ctx, c.Scope.Account, val(in.DeletionTaskId))
	if err != nil {
		return nil, err
	}
	if task.Reason == "" {
		return &wire.GetServiceLinkedRoleDeletionStatusResponse{Status: new(wire.DeletionTaskStatusTypeSucceeded)}, nil
	}
	why := &wire.DeletionTaskFailureReasonType{Reason: &task.Reason, RoleUsageList: []wire.RoleUsageType{}}
	for _, use := range task.Resources {
		why.RoleUsageList = append(why.RoleUsageList, wire.RoleUsageType{Region: &use.Region, Resources: use.Resources})
	}
	return &wire.GetServiceLinkedRoleDeletionStatusResponse{Status: new(wire.DeletionTaskStatusTypeFailed), Reason: why}, nil
}
