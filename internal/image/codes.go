package image

import "slipway.dev/slipway/internal/apprunner"

// The error codes of the ECR API (adjacent §3.1).
const (
	CodeRepositoryNotFound       apprunner.Code = "RepositoryNotFoundException"
	CodeRepositoryAlreadyExists  apprunner.Code = "RepositoryAlreadyExistsException"
	CodeRepositoryNotEmpty       apprunner.Code = "RepositoryNotEmptyException"
	CodeRepositoryPolicyNotFound apprunner.Code = "RepositoryPolicyNotFoundException"
	CodeLifecycleNotFound        apprunner.Code = "LifecyclePolicyNotFoundException"
	CodeImageNotFound            apprunner.Code = "ImageNotFoundException"
	CodeImageAlreadyExists       apprunner.Code = "ImageAlreadyExistsException"
	CodeImageTagAlreadyExists    apprunner.Code = "ImageTagAlreadyExistsException"
	CodeImageDigestDoesNotMatch  apprunner.Code = "ImageDigestDoesNotMatchException"
	CodeImageReferenced          apprunner.Code = "ImageReferencedByManifestListException"
	CodeReferencedImagesNotFound apprunner.Code = "ReferencedImagesNotFoundException"
	CodeInvalidParameter         apprunner.Code = "InvalidParameterException"
	CodeInvalidTagParameter      apprunner.Code = "InvalidTagParameterException"
	CodeTooManyTags              apprunner.Code = "TooManyTagsException"
	CodeLayersNotFound           apprunner.Code = "LayersNotFoundException"
	CodeLayerAlreadyExists       apprunner.Code = "LayerAlreadyExistsException"
	CodeLimitExceeded            apprunner.Code = "LimitExceededException"
	CodeInvalidLayer             apprunner.Code = "InvalidLayerException"
	CodeInvalidLayerPart         apprunner.Code = "InvalidLayerPartException"
	CodeEmptyUpload              apprunner.Code = "EmptyUploadException"
	CodeUploadNotFound           apprunner.Code = "UploadNotFoundException"
)
