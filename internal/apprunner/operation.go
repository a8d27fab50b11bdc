package apprunner

import (
	"fmt"
	"time"
)

// OperationType is what an operation does (§5.2).
type OperationType string

// The types of operation.
const (
	OpCreateService   OperationType = "CREATE_SERVICE"
	OpUpdateService   OperationType = "UPDATE_SERVICE"
	OpStartDeployment OperationType = "START_DEPLOYMENT"
	OpPauseService    OperationType = "PAUSE_SERVICE"
	OpResumeService   OperationType = "RESUME_SERVICE"
	OpDeleteService   OperationType = "DELETE_SERVICE"
	// OpMaintenance moves a service to new instances for reasons of the installation's own. The API knows no such type: it is in no
	// list of operations, and only the two changes of status are told (§5.1).
	OpMaintenance OperationType = "MAINTENANCE"
)

// Silent tells whether users see of operations of this type nothing but the status of the service.
func (t OperationType) Silent() bool { return t == OpMaintenance }

// OperationStatus is how far an operation has come.
type OperationStatus string

// The statuses of an operation.
const (
	OpPending            OperationStatus = "PENDING"
	OpInProgress         OperationStatus = "IN_PROGRESS"
	OpFailed             OperationStatus = "FAILED"
	OpSucceeded          OperationStatus = "SUCCEEDED"
	OpRollbackInProgress OperationStatus = "ROLLBACK_IN_PROGRESS"
	OpRollbackFailed     OperationStatus = "ROLLBACK_FAILED"
	OpRollbackSucceeded  OperationStatus = "ROLLBACK_SUCCEEDED"
)

// Ended tells whether the status is final.
func (s OperationStatus) Ended() bool {
	switch s {
	case OpFailed, OpSucceeded, OpRollbackFailed, OpRollbackSucceeded:
		return true
	case OpPending, OpInProgress, OpRollbackInProgress:
	}
	return false
}

// Work is how much of a full deployment an operation has to do (§7.3).
type Work string

// The kinds of work.
const (
	WorkNothing Work = "nothing" // the answer is the new state already, or only the front door changes
	WorkRestart Work = "restart" // same image, new instances
	WorkRebuild Work = "rebuild" // fetch, build or pull, new instances
)

// Operation is one asynchronous action on a service, as it is kept: what was asked, how far it has come and what it needs to
// go on, or to go back, after a crash.
type Operation struct {
	ID         string // UUID with dashes
	ServiceARN string
	Type       OperationType
	Status     OperationStatus
	StartedAt  time.Time
	UpdatedAt  time.Time
	EndedAt    time.Time

	Work         Work
	Automatic    bool      // started by a push, not by a call
	Commit       string    // what an automatic deployment was started for; empty = the newest
	Before       *Settings `json:",omitempty"` // what a rollback restores
	StatusBefore ServiceStatus
	Failure      string    // for people: the cause and the next step
	Attempts     int       // times a worker took it up; more than one means a crash or restart
	Step         string    // the last step that was finished
	CanarySince  time.Time // when the new version began to get a share of the requests; zero before
	Touched      bool      // new instances were started: a failure is a rollback from here on (§5.2)
}

// Stream is the name of the operation's log stream in the service's "service" group (§21).
func (o Operation) Stream() string {
	if o.deploys() {
		return "deployment/" + StreamID(o.ID)
	}
	word := map[OperationType]string{
		OpCreateService: "create", OpUpdateService: "update", OpPauseService: "pause", OpResumeService: "resume",
		OpDeleteService: "delete", OpStartDeployment: "deployment",
	}[o.Type]
	return word + "/" + StreamID(o.ID)
}

// deploys tells whether the operation brings a new version of the source.
func (o Operation) deploys() bool {
	switch o.Type {
	case OpCreateService, OpStartDeployment:
		return true
	case OpUpdateService:
		return o.Work == WorkRebuild
	case OpPauseService, OpResumeService, OpDeleteService, OpMaintenance:
	}
	return false
}

// Final is the status a service ends in after an operation of type t that began in status before (§5.1).
func Final(t OperationType, before ServiceStatus, ok bool) ServiceStatus {
	switch {
	case ok && t == OpPauseService:
		return StatusPaused
	case ok && t == OpDeleteService:
		return StatusDeleted
	case ok:
		return StatusRunning
	case t == OpCreateService:
		return StatusCreateFailed
	case t == OpDeleteService:
		return StatusDeleteFailed
	}
	return before
}

// FailedStatus is how an operation ends that could not do its work (§5.2): a rollback where something was there to go back
// to and new instances may have been started, a plain failure otherwise.
func (o Operation) FailedStatus(rolledBack bool) OperationStatus {
	rollback := o.Type == OpUpdateService && o.StatusBefore != StatusCreateFailed || o.Type == OpStartDeployment && o.Touched
	switch {
	case !rollback:
		return OpFailed
	case rolledBack:
		return OpRollbackSucceeded
	}
	return OpRollbackFailed
}

// Message is a protocol constant: the word and the sentence that events and the events log carry (§22).
type Message struct {
	Status   string
	Text     string
	Severity string // INFO or ERROR
}

var messageWords = map[OperationType]struct{ word, noun, details string }{
	OpCreateService:   {"CreateService", "Service creation", " For details, see service logs."},
	OpUpdateService:   {"UpdateService", "Service update", " For details, see service logs."},
	OpStartDeployment: {"Deployment", "Deployment", " For details, see service logs."},
	OpPauseService:    {"PauseService", "Service pause", ""},
	OpResumeService:   {"ResumeService", "Service resume", ""},
	OpDeleteService:   {"DeleteService", "Service deletion", ""},
}

// StartedMessage is sent when an operation begins.
func (o Operation) StartedMessage() Message {
	w := messageWords[o.Type]
	return Message{Status: w.word + "Started", Text: w.noun + " started.", Severity: "INFO"}
}

// EndedMessage is sent when an operation ends.
func (o Operation) EndedMessage(ok bool) Message {
	w := messageWords[o.Type]
	if !ok {
		return Message{Status: w.word + "Failed", Text: w.noun + " failed." + w.details, Severity: "ERROR"}
	}
	text := w.noun + " completed successfully."
	switch {
	case o.Type == OpUpdateService && o.Work == WorkRebuild:
		text += " New application and configuration is deployed."
	case o.Type == OpUpdateService:
		text += " New configuration is deployed."
	}
	return Message{Status: w.word + "CompletedSuccessfully", Text: text, Severity: "INFO"}
}

// StatusText is the sentence for a status change.
func StatusText(s ServiceStatus) string { return fmt.Sprintf("Service status is set to %s.", s) }
