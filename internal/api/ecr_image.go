package api

import (
	"context"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/image"
	wire "slipway.dev/slipway/internal/wire/ecr"
)

func (e *ecrAPI) imageActions() map[string]Action {
	return map[string]Action{
		"DescribeImages": action(onRepository("DescribeImages", func(in *wire.DescribeImagesRequest) (registry, name *string) {
			return in.RegistryId, in.RepositoryName
		}), e.describeImages),
		"ListImages": action(onRepository("ListImages", func(in *wire.ListImagesRequest) (registry, name *string) {
			return in.RegistryId, in.RepositoryName
		}), e.listImages),
		"BatchGetImage": action(onRepository("BatchGetImage", func(in *wire.BatchGetImageRequest) (registry, name *string) {
			return in.RegistryId, in.RepositoryName
		}), e.batchGetImage),
		"BatchDeleteImage": action(onRepository("BatchDeleteImage", func(in *wire.BatchDeleteImageRequest) (registry, name *string) {
			return in.RegistryId, in.RepositoryName
		}), e.batchDeleteImage),
		"PutImage": action(onRepository("PutImage", func(in *wire.PutImageRequest) (registry, name *string) {
			return in.RegistryId, in.RepositoryName
		}), e.putImage),
		"BatchCheckLayerAvailability": action(onRepository("BatchCheckLayerAvailability", func(in *wire.BatchCheckLayerAvailabilityRequest) (registry, name *string) {
			return in.RegistryId, in.RepositoryName
		}), e.batchCheckLayerAvailability),
		"InitiateLayerUpload": action(onRepository("InitiateLayerUpload", func(in *wire.InitiateLayerUploadRequest) (registry, name *string) {
			return in.RegistryId, in.RepositoryName
		}), e.initiateLayerUpload),
		"UploadLayerPart": action(onRepository("UploadLayerPart", func(in *wire.UploadLayerPartRequest) (registry, name *string) {
			return in.RegistryId, in.RepositoryName
		}), e.uploadLayerPart),
		"CompleteLayerUpload": action(onRepository("CompleteLayerUpload", func(in *wire.CompleteLayerUploadRequest) (registry, name *string) {
			return in.RegistryId, in.RepositoryName
		}), e.completeLayerUpload),
	}
}

func (e *ecrAPI) describeImages(ctx context.Context, c Call, in *wire.DescribeImagesRequest) (*wire.DescribeImagesResponse, error) {
	sc := registry(c, in.RegistryId)
	var status image.TagStatus
	if in.Filter != nil {
		status = image.TagStatus(val(in.Filter.TagStatus))
	}
	details, next, err := e.store.DescribeImages(ctx, sc, *in.RepositoryName, imageIDs(in.ImageIds), status, pageOf(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	out := &wire.DescribeImagesResponse{ImageDetails: make([]wire.ImageDetail, len(details)), NextToken: given(next)}
	for i, d := range details {
		out.ImageDetails[i] = wire.ImageDetail{
			RegistryId:             &sc.Account,
			RepositoryName:         in.RepositoryName,
			ImageDigest:            &d.Digest,
			ImageTags:              d.Tags,
			ImageSizeInBytes:       &d.SizeBytes,
			ImagePushedAt:          &d.PushedAt,
			ImageManifestMediaType: given(d.MediaType),
			ArtifactMediaType:      given(d.ArtifactMediaType),
			SubjectManifestDigest:  given(d.SubjectDigest),
			ImageStatus:            new(wire.ImageStatusActive),
		}
	}
	return out, nil
}

func imageIDs(in []wire.ImageIdentifier) []image.ImageID {
	out := make([]image.ImageID, len(in))
	for i, id := range in {
		out[i] = image.ImageID{Digest: val(id.ImageDigest), Tag: val(id.ImageTag)}
	}
	return out
}

func imageIDOut(id image.ImageID) *wire.ImageIdentifier {
	return &wire.ImageIdentifier{ImageDigest: given(id.Digest), ImageTag: given(id.Tag)}
}

func imageIDsOut(ids []image.ImageID) []wire.ImageIdentifier {
	out := make([]wire.ImageIdentifier, len(ids))
	for i, id := range ids {
		out[i] = *imageIDOut(id)
	}
	return out
}

func failuresOut(failures []image.ImageFailure) []wire.ImageFailure {
	out := make([]wire.ImageFailure, len(failures))
	for i, f := range failures {
		out[i] = wire.ImageFailure{ImageId: imageIDOut(f.ID), FailureCode: &f.Code, FailureReason: &f.Reason}
	}
	return out
}

func registryImageOut(sc apprunner.Scope, repository string, i image.RegistryImage) *wire.Image {
	return &wire.Image{
		RegistryId:             &sc.Account,
		RepositoryName:         &repository,
		ImageId:                imageIDOut(i.ID),
		ImageManifest:          &i.Manifest,
		ImageManifestMediaType: given(i.MediaType),
	}
}

func (e *ecrAPI) listImages(ctx context.Context, c Call, in *wire.ListImagesRequest) (*wire.ListImagesResponse, error) {
	var status image.TagStatus
	if in.Filter != nil {
		status = image.TagStatus(val(in.Filter.TagStatus))
	}
	ids, next, err := e.store.ListImages(ctx, registry(c, in.RegistryId), *in.RepositoryName, status, pageOf(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	return &wire.ListImagesResponse{ImageIds: imageIDsOut(ids), NextToken: given(next)}, nil
}

func (e *ecrAPI) batchGetImage(ctx context.Context, c Call, in *wire.BatchGetImageRequest) (*wire.BatchGetImageResponse, error) {
	sc := registry(c, in.RegistryId)
	found, failures, err := e.store.BatchGetImage(ctx, sc, *in.RepositoryName, imageIDs(in.ImageIds))
	if err != nil {
		return nil, err
	}
	out := &wire.BatchGetImageResponse{Images: make([]wire.Image, len(found)), Failures: failuresOut(failures)}
	for i, img := range found {
		out.Images[i] = *registryImageOut(sc, *in.RepositoryName, img)
	}
	return out, nil
}

func (e *ecrAPI) batchDeleteImage(ctx context.Context, c Call, in *wire.BatchDeleteImageRequest) (*wire.BatchDeleteImageResponse, error) {
	deleted, failures, err := e.store.BatchDeleteImage(ctx, registry(c, in.RegistryId), *in.RepositoryName, imageIDs(in.ImageIds))
	if err != nil {
		return nil, err
	}
	return &wire.BatchDeleteImageResponse{ImageIds: imageIDsOut(deleted), Failures: failuresOut(failures)}, nil
}

func (e *ecrAPI) putImage(ctx context.Context, c Call, in *wire.PutImageRequest) (*wire.PutImageResponse, error) {
	sc := registry(c, in.RegistryId)
	img, err := e.store.PutImage(ctx, sc, *in.RepositoryName, *in.ImageManifest, val(in.ImageManifestMediaType), val(in.ImageTag), val(in.ImageDigest))
	if err != nil {
		return nil, err
	}
	return &wire.PutImageResponse{Image: registryImageOut(sc, *in.RepositoryName, img)}, nil
}

func (e *ecrAPI) batchCheckLayerAvailability(ctx context.Context, c Call, in *wire.BatchCheckLayerAvailabilityRequest) (*wire.BatchCheckLayerAvailabilityResponse, error) {
	states, failures, err := e.store.BatchCheckLayerAvailability(ctx, registry(c, in.RegistryId), *in.RepositoryName, in.LayerDigests)
	if err != nil {
		return nil, err
	}
	out := &wire.BatchCheckLayerAvailabilityResponse{Layers: make([]wire.Layer, len(states)), Failures: make([]wire.LayerFailure, len(failures))}
	for i, s := range states {
		out.Layers[i] = wire.Layer{LayerDigest: &s.Digest, LayerAvailability: new(wire.LayerAvailabilityUnavailable)}
		if s.Available {
			out.Layers[i].LayerAvailability, out.Layers[i].LayerSize = new(wire.LayerAvailabilityAvailable), &s.SizeBytes
		}
	}
	for i, f := range failures {
		out.Failures[i] = wire.LayerFailure{LayerDigest: given(f.Digest), FailureCode: &f.Code, FailureReason: &f.Reason}
	}
	return out, nil
}

func (e *ecrAPI) initiateLayerUpload(ctx context.Context, c Call, in *wire.InitiateLayerUploadRequest) (*wire.InitiateLayerUploadResponse, error) {
	id, err := e.store.InitiateLayerUpload(ctx, registry(c, in.RegistryId), *in.RepositoryName)
	if err != nil {
		return nil, err
	}
	return &wire.InitiateLayerUploadResponse{UploadId: &id, PartSize: new(int64(image.LayerPartBytes))}, nil
}

func (e *ecrAPI) uploadLayerPart(ctx context.Context, c Call, in *wire.UploadLayerPartRequest) (*wire.UploadLayerPartResponse, error) {
	sc := registry(c, in.RegistryId)
	last, err := e.store.UploadLayerPart(ctx, sc, *in.RepositoryName, *in.UploadId, *in.PartFirstByte, *in.PartLastByte, in.LayerPartBlob)
	if err != nil {
		return nil, err
	}
	return &wire.UploadLayerPartResponse{RegistryId: &sc.Account, RepositoryName: in.RepositoryName, UploadId: in.UploadId, LastByteReceived: &last}, nil
}

func (e *ecrAPI) completeLayerUpload(ctx context.Context, c Call, in *wire.CompleteLayerUploadRequest) (*wire.CompleteLayerUploadResponse, error) {
	if len(in.LayerDigests) != 1 {
		return nil, apprunner.Errorf(image.CodeInvalidParameter, "Invalid parameter at 'layerDigests' failed to satisfy constraint: 'exactly one digest is needed'")
	}
	sc, digest := registry(c, in.RegistryId), in.LayerDigests[0]
	if err := e.store.CompleteLayerUpload(ctx, sc, *in.RepositoryName, *in.UploadId, digest); err != nil {
		return nil, err
	}
	return &wire.CompleteLayerUploadResponse{RegistryId: &sc.Account, RepositoryName: in.RepositoryName, UploadId: in.UploadId, LayerDigest: &digest}, nil
}
