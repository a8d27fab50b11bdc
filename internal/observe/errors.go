package observe

import "slipway.dev/slipway/internal/apprunner"

// The error codes of CloudWatch Logs beside ResourceNotFoundException.
const (
	CodeAlreadyExists    apprunner.Code = "ResourceAlreadyExistsException"
	CodeInvalidParameter apprunner.Code = "InvalidParameterException"
	CodeOperationAborted apprunner.Code = "OperationAbortedException"
	CodeLimitExceeded    apprunner.Code = "LimitExceededException"
)

func invalidf(format string, args ...any) error {
	return apprunner.Errorf(CodeInvalidParameter, format, args...)
}

func noGroup(name string) error {
	return apprunner.Errorf(apprunner.CodeNotFound, "The specified log group does not exist: %s", name)
}

func noStream(group, name string) error {
	return apprunner.Errorf(apprunner.CodeNotFound, "The specified log stream does not exist: %s in %s", name, group)
}
